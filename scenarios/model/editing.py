"""Setting a key in the text of a scenario file: only that place changes, comments and layout stay."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any

from node.errors import WRONG_USAGE, PrivityError
from scenarios.model.problems import ScenarioInvalid
from scenarios.model.source import Path, Source, Span, parse_source

_PLAIN_WORDS = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*|[0-9]+(\.[0-9]+)?(ms|s|m|h|B|KiB|%|/s|/m)", re.ASCII)
_NOT_TEXT = ("true", "false", "null")
_INDEX = re.compile(r"\[?([0-9]{1,6})\]?(?=\.|\[|$)", re.ASCII)


def with_settings(text: str, settings: Sequence[str], file: str) -> str:
    """The text with each `a.b=value` carried out, in their order. What is not there is added.

    Raises PrivityError (E-USAGE) for what is no setting or has no place. Whether the result is a scenario is
    for whoever reads it to say.
    """
    for number, setting in enumerate(settings, 1):
        place, equals, value = setting.partition("=")
        if not equals or not place:
            raise _refused(number, "is not KEY=VALUE", "write --set consensus.block_every=500ms")
        source = parse_source(text, file)
        path, rest = _path_of(source, place)
        if rest and not isinstance(source.value(path), dict):
            raise _refused(number, "leads to no place in this scenario", "privity schema lists the keys")
        text = _with_value(text, source, path, rest, _value_of(value, number))
    return text


def _value_of(text: str, number: int) -> Any:
    """What the YAML of a value means: `7` is a number, `500ms` text, `[a, b]` a list."""
    try:
        source = parse_source(f"value: {text}\n", "value")
    except ScenarioInvalid:
        raise _not_a_value(number) from None  # Not chained: a value may be private.
    if source.faults or list(source.data) != ["value"]:
        raise _not_a_value(number)
    return source.data["value"]


def _with_value(text: str, source: Source, path: Path, rest: str, value: Any) -> str:
    if not rest:
        return _replaced(text, source.entries[path].value, _written(value))
    # A key that is not there is added, and the maps that lead to it.
    key, *inner = rest.split(".")
    for name in reversed(inner):
        value = {name: value}
    return _added(text, source, path, f"{_written(key)}: {_written(value)}")


def _path_of(source: Source, place: str) -> tuple[Path, str]:
    """How far a place like `steps[0].at` or `steps.records.count` leads, and what is left of it.

    Keys are compared with what is written, because some have dots: `bank-[a..g]`. Steps go by their ids too.
    """
    path: Path = ()
    while place:
        around = source.value(path)
        if isinstance(around, list) and (match := _INDEX.match(place)) and int(match[1]) < len(around):
            path, place = (*path, int(match[1])), place[match.end() :].removeprefix(".")
            continue
        keys = _keys_of(around)
        key = next((key for key in keys if re.match(rf"{re.escape(key)}(\.|\[|$)", place)), None)
        if key is None:
            break
        path, place = (*path, keys[key]), place[len(key) :].removeprefix(".")
    return path, place


def _keys_of(around: Any) -> dict[str, str | int]:
    """What leads on from here: the keys of a map, or the ids of what a list has, each to its place in it."""
    if isinstance(around, dict):
        return {key: key for key in around}
    items = around if isinstance(around, list) else []
    ids = [(item.get("id"), at) for at, item in enumerate(items) if isinstance(item, dict)]
    return {name: at for name, at in reversed(ids) if isinstance(name, str)}


def _added(text: str, source: Source, path: Path, line: str) -> str:
    """The text with one more key in the map at `path`."""
    children = [entry for place, entry in source.entries.items() if place[:-1] == path and entry.key]
    if not path:
        return f"{text}\n{line}\n" if not text.endswith("\n") else f"{text}{line}\n"
    span = source.entries[path].value
    if not children:
        return _replaced(text, span, "{" + line + "}")
    first = children[0].key
    assert first is not None, "children have keys"
    separator = ", " if children[0].in_braces else "\n" + " " * (first.column - 1)
    at = Span(first.line, first.column, first.line, first.column)
    return _replaced(text, at, line + separator)


def _replaced(text: str, span: Span, new: str) -> str:
    """The text with other words at a stretch of it."""
    lines = text.splitlines(keepends=True)
    before = "".join(lines[: span.line - 1]) + lines[span.line - 1][: span.column - 1]
    after = "".join(lines[span.end_line - 1 :])[span.end_column - 1 :]
    # The stretch of an indented map reaches to where the next thing begins.
    old = text[len(before) : len(text) - len(after)]
    space = " " if before.endswith(":") else ""  # Where nothing was written after the key.
    return before + space + new + old[len(old.rstrip()) :] + after


def _written(value: Any) -> str:
    """As it stands within YAML: plain words without quotes, everything else as JSON, which YAML includes."""
    if isinstance(value, str) and _PLAIN_WORDS.fullmatch(value) and value.lower() not in _NOT_TEXT:
        return value
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_written(key)}: {_written(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else f"{'-' if value < 0 else ''}.inf"
    return json.dumps(value, ensure_ascii=True)


def _not_a_value(number: int) -> PrivityError:
    return _refused(number, "sets no value of YAML", "quote text that has : or # or quotes in it")


def _refused(number: int, what: str, next: str) -> PrivityError:
    """Told by its number: what was set may be private."""
    return PrivityError("E-USAGE", f"--set number {number} {what}", next=next, exit_code=WRONG_USAGE)
