"""What PRODUCT's format knows and this version does not do: refused at its place, never silently ignored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from scenarios.model.source import Path, Source, Span

TOP_KEYS: Mapping[str, str] = {}
STEP_KEYS: Mapping[str, str] = {}
STEPS: Mapping[str, str] = {}
CHECKS: Mapping[str, str] = {}
# Where a word stands -> the words that mean something there and are not built.
VALUES: Mapping[Path, Mapping[str, str]] = {
    ("privacy", "metadata", "sender"): {"hidden": "hidden senders", "anonymous": "hidden senders"},
    ("privacy", "metadata", "recipients"): {"public": "public recipients"},
    ("privacy", "metadata", "size"): {"exact": "sizes without padding", "public": "sizes without padding"},
}


class NotYet(NamedTuple):
    """Something known that is not built. Other errors below `covers` would only repeat it."""

    path: Path
    span: Span
    what: str
    covers: Path


def not_yet(source: Source) -> list[NotYet]:
    """Everything in the file that is known and not built."""
    return [*_in_sections(source), *_in_steps(source), *_in_expectations(source)]


def _in_sections(source: Source) -> Iterator[NotYet]:
    yield from _keys(source, (), TOP_KEYS)
    for path, words in VALUES.items():
        yield from _value(source, path, words)


def _in_steps(source: Source) -> Iterator[NotYet]:
    for path in _items(source, "steps"):
        if source.value((*path, "do")) == "fault":
            continue  # Faults have no keys that are not built.
        whole = list(_value(source, (*path, "do"), STEPS, covers=path))
        yield from whole or _keys(source, path, STEP_KEYS)


def _in_expectations(source: Source) -> Iterator[NotYet]:
    for path in _items(source, "expect"):
        yield from _value(source, (*path, "check"), CHECKS, covers=path)


def _items(source: Source, section: str) -> list[Path]:
    items = source.value((section,))
    return [(section, index) for index in range(len(items))] if isinstance(items, list) else []


def _keys(source: Source, path: Path, words: Mapping[str, str]) -> Iterator[NotYet]:
    """The keys of the map at `path` that are among `words`."""
    fields: Any = source.value(path)
    for key in fields if isinstance(fields, dict) else ():
        span = source.entries[(*path, key)].key
        if key in words and span:
            yield NotYet((*path, key), span, words[key], (*path, key))


def _value(
    source: Source, path: Path, words: Mapping[str, str], covers: Path | None = None
) -> Iterator[NotYet]:
    word = source.value(path)
    if isinstance(word, str) and word in words:
        yield NotYet(path, source.entries[path].value, words[word], path if covers is None else covers)
