"""The lines of a file that a message shows, with `…` wherever a payload may stand, and marks below a word."""

from __future__ import annotations

from collections import defaultdict

from scenarios.model.layout import is_private, key_may_be_payload
from scenarios.model.source import Path, Source, Span
from scenarios.model.wording import in_columns

_MASK = "…"


class Excerpts:
    """Shows lines of one file. Knows once for all which stretches of it no message may show."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._hidden: dict[int, list[Span]] = defaultdict(list)  # By line.
        self._ends: dict[int, int] = {}  # Line -> the column behind the last key or value that ends in it.
        for span in source.unread:
            self._hide(span)
        for path, entry in source.entries.items():
            for span in (entry.key, entry.value) if entry.key else (entry.value,):
                self._ends[span.end_line] = max(self._ends.get(span.end_line, 0), span.end_column - 1)
            if entry.key and key_may_be_payload(source, path):
                self._hide(entry.key)
            if is_private(source, path) and not is_private(source, path[:-1]):
                self._hide(entry.value)

    def of_key(self, path: Path) -> tuple[str, ...]:
        """The line of the key at `path` with marks below it, and the line before."""
        key = self._source.entries[path].key
        assert key is not None, "only keys are excerpted"
        before, _ = self._masked(key.line - 1)
        line, columns = self._masked(key.line)
        width = 1 if key_may_be_payload(self._source, path) else key.end_column - key.column
        return (
            *([f"{key.line - 1:>7} | {in_columns(before)}"] if before else []),
            f"{key.line:>7} | {in_columns(line)}",
            f"{'':>7} | {'':>{columns[key.column - 1]}}{'^' * width}",
        )

    def _hide(self, span: Span) -> None:
        for line in range(span.line, span.end_line + 1):
            self._hidden[line].append(span)

    def _masked(self, number: int) -> tuple[str, list[int]]:
        """A line without what is hidden and without comment, and where each of its columns went (from 0).

        The text is empty when nothing of the scenario ends in the line.
        """
        if number not in self._ends:
            return "", []
        line = self._source.lines[number - 1]
        stretches = [_within(span, number, len(line)) for span in self._hidden[number]]
        text = ""
        columns = []
        for column, character in enumerate(line):
            columns.append(len(text))
            if not any(start <= column < end for start, end in stretches):
                text += character
            elif not text.endswith(_MASK):
                text += _MASK
        columns.append(len(text))
        comment = line.find("#", self._ends[number])
        return text[: columns[comment]].rstrip() if comment >= 0 else text.rstrip(), columns


def _within(span: Span, number: int, length: int) -> tuple[int, int]:
    """The columns (from 0, end not included) that a span covers of one of its lines."""
    start = span.column - 1 if number == span.line else 0
    return start, span.end_column - 1 if number == span.end_line else length
