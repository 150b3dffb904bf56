"""The lines of a file that a message shows, with `…` wherever a payload may stand, and marks below a word."""

from __future__ import annotations

from collections.abc import Iterator

from scenarios.layout import is_private, key_may_be_payload
from scenarios.source import Path, Source, Span
from scenarios.wording import in_columns

_MASK = "…"


def excerpt(source: Source, path: Path) -> tuple[str, ...]:
    """The line of the key at `path` with marks below it, and the line before."""
    key = source.entries[path].key
    assert key is not None, "only keys are excerpted"
    hidden = list(_hidden(source))
    shown = []
    for number in (key.line - 1, key.line):
        text, columns = _masked(source, number, hidden)
        if text:
            shown.append(f"{number:>7} | {in_columns(text)}")
    first = columns[key.column - 1]
    width = 1 if key_may_be_payload(source, path) else key.end_column - key.column
    shown.append(f"{'':>7} | {'':>{first}}{'^' * width}")
    return tuple(shown)


def _hidden(source: Source) -> Iterator[Span]:
    """The stretches of the file that no message may show."""
    yield from source.unread
    for path, entry in source.entries.items():
        if key_may_be_payload(source, path) and entry.key:
            yield entry.key
        if is_private(source, path) and not is_private(source, path[:-1]):
            yield entry.value


def _masked(source: Source, number: int, hidden: list[Span]) -> tuple[str, list[int]]:
    """A line without what is hidden and without comment, and where each of its columns went (all from 0).

    The text is empty when nothing of the scenario stands in the line.
    """
    if not 1 <= number <= len(source.lines):
        return "", []
    line = source.lines[number - 1]
    stretches = [_within(span, number, len(line)) for span in hidden]
    spans = [span for entry in source.entries.values() for span in (entry.key, entry.value) if span]
    ends = [_within(span, number, len(line))[1] for span in spans if span.end_line == number]
    text, columns = "", []
    for column, character in enumerate(line):
        columns.append(len(text))
        if any(start <= column < end for start, end in stretches):
            text += "" if text.endswith(_MASK) else _MASK
        else:
            text += character
    columns.append(len(text))
    comment = line.find("#", max(ends, default=0))
    if comment >= 0:
        text = text[: columns[comment]]
    return (text.rstrip() if ends else ""), columns


def _within(span: Span, number: int, length: int) -> tuple[int, int]:
    """The columns (from 0, end not included) that a span covers of one line."""
    if not span.line <= number <= span.end_line:
        return (0, 0)
    start = span.column - 1 if number == span.line else 0
    return (start, span.end_column - 1 if number == span.end_line else length)
