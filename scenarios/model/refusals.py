"""pydantic's refusals as problems of the file: with line and column, and in the user's words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from node.text import did_you_mean
from scenarios.model.any_fault import FAULTS
from scenarios.model.excerpts import Excerpts
from scenarios.model.layout import (
    CHECKS,
    STEPS,
    is_fault,
    is_private,
    key_may_be_payload,
    keys_of,
    model_at,
    public_path,
)
from scenarios.model.problems import Problem
from scenarios.model.source import Path, Source, Span
from scenarios.model.wording import listed, shown

Details = Mapping[str, Any]

_TRUE_WORDS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_KINDS = {"steps": STEPS, "expect": CHECKS}
_QUOTE = "quote text that has a comma"


def problem_of(source: Source, error: Details, excerpts: Excerpts | None) -> tuple[Path, Problem]:
    """What an entry of `ValidationError.errors(include_input=False)` says, and the path that it is about.

    Without `excerpts` an unknown key is told, and not shown in its line.
    """
    path = _path_in_file(source, error)
    code, message = _said(source, path, error)
    entry = source.nearest(path)
    is_key = error["type"] == "extra_forbidden" or "[key]" in error["loc"]
    span = entry.key if is_key and entry.key else entry.place
    lines = excerpts.of_key(path) if excerpts and error["type"] == "extra_forbidden" else ()
    return path, problem_at(source, path, span, code, message, lines)


def problem_at(
    source: Source, path: Path, span: Span, code: str, message: str, lines: tuple[str, ...] = ()
) -> Problem:
    """A problem at a place in the file."""
    return Problem(code, message, public_path(source, path), span.line, span.column, lines)


def _path_in_file(source: Source, error: Details) -> Path:
    """pydantic's `loc` without what is not in the file: the tags of unions, `[key]`."""
    path: Path = ()
    location = list(error["loc"])
    if location[:1] and location[0] in _KINDS:
        tags = 2 if location[2:3] == ["fault"] else 1
        del location[2 : 2 + tags]  # Always the kind of step or check, and then that of a fault.
    for element in location:
        if (*path, element) in source.entries:
            path = (*path, element)
    if error["type"] == "missing":
        path = (*path, error["loc"][-1])
    elif error["type"].startswith("union_tag_"):
        path = (*path, error["ctx"]["discriminator"].strip("'"))
    return path


def _said(source: Source, path: Path, error: Details) -> tuple[str, str]:
    """Code and words of one refusal."""
    if error["type"].startswith("E-"):
        return error["type"], error["msg"]
    say = _WORDS.get(error["type"])
    return say(source, path, error) if say else ("E-TYPE", "not what is expected here")


def _unknown_key(source: Source, path: Path, error: Details) -> tuple[str, str]:
    key, around = str(path[-1]), path[:-1]
    model = model_at(source, around)
    entry = source.entries[path]
    if key_may_be_payload(source, path) or (entry.in_braces and entry.bare):
        return "E-KEY", f"unknown key; {_QUOTE}"
    hint = did_you_mean(key, keys_of(model) if model else ())
    others = [kind for kind, keys in _branches(source, around).items() if key in keys]
    if others and not hint:
        hint = f"only {listed(others, most=6)} {'have' if len(others) > 1 else 'has'} it"
    if entry.in_braces:
        hint = f"{hint}{'' if hint.endswith('?') else ','} or {_QUOTE}" if hint else _QUOTE
    return "E-KEY", f"unknown key; {hint}" if hint else "unknown key"


def _branches(source: Source, around: Path) -> Mapping[str, Collection[str]]:
    """The kinds among which the map at `around` is one, each with its keys."""
    if len(around) != 2 or around[0] not in _KINDS:
        return {}
    if is_fault(source, around):
        return {kind: keys_of(model) for kind, model in FAULTS.items()}
    keys = {kind: set(keys_of(model)) for kind, model in _KINDS[str(around[0])].items()}
    if around[0] == "steps":
        keys["fault"] = {key for model in FAULTS.values() for key in keys_of(model)}
    return keys


def _missing(source: Source, path: Path, error: Details) -> tuple[str, str]:
    model = model_at(source, path[:-1])
    fields = model.model_fields.items() if model else ()
    about = next((info.description for name, info in fields if (info.alias or name) == path[-1]), None)
    return "E-MISSING", f"is missing: {about}" if about else "is missing"


def _missing_kind(source: Source, path: Path, error: Details) -> tuple[str, str]:
    return "E-MISSING", f"is missing: {listed(_kinds(path), 'or', most=20)}"


def _unknown_kind(source: Source, path: Path, error: Details) -> tuple[str, str]:
    word = source.value(path)
    return "E-VALUE", f"{shown(word)} is unknown; {_hint(word, _kinds(path))}"


def _kinds(path: Path) -> list[str]:
    """The words that choose a branch at `path`, the place of do, check or kind."""
    return list(FAULTS if path[-1] == "kind" else _KINDS[str(path[0])])


def _not_one_of(source: Source, path: Path, error: Details) -> tuple[str, str]:
    words = [word.strip("'") for word in error["ctx"]["expected"].replace(" or ", ", ").split(", ")]
    value = source.value(path)
    if is_private(source, path) or isinstance(value, dict | list):
        return "E-VALUE", f"{listed(words, 'or')} is expected"
    return "E-VALUE", f"{shown(value)} is not possible here; {_hint(value, words)}"


def _hint(word: object, known: Sequence[str]) -> str:
    return (
        did_you_mean(word, known) if isinstance(word, str) else ""
    ) or f"write {listed(known, 'or', most=20)}"


def _not_boolean(source: Source, path: Path, error: Details) -> tuple[str, str]:
    value = source.value(path)
    word = value.lower() if isinstance(value, str) else ""
    if word in _TRUE_WORDS:
        return "E-TYPE", f"{shown(value)} is text in YAML 1.2; write {_TRUE_WORDS[word]}"
    if word in ("true", "false"):
        return "E-TYPE", f"{word} in quotes is text; write it without them"
    return "E-TYPE", "write true or false"


def _too_long(source: Source, path: Path, error: Details) -> tuple[str, str]:
    return "E-LIMIT", f"at most {error['ctx']['max_length']} characters are allowed here"


def _always(code: str, message: str) -> Callable[[Source, Path, Details], tuple[str, str]]:
    return lambda source, path, error: (code, message)


_WORDS: dict[str, Callable[[Source, Path, Details], tuple[str, str]]] = {
    "extra_forbidden": _unknown_key,
    "missing": _missing,
    "union_tag_not_found": _missing_kind,
    "union_tag_invalid": _unknown_kind,
    "literal_error": _not_one_of,
    "bool_type": _not_boolean,
    "string_type": _always("E-TYPE", "text is expected; a number, true or false needs quotes to be text"),
    "string_too_long": _too_long,
    "list_type": _always("E-TYPE", "a list is expected, as in [a, b]"),
    "dict_type": _always("E-TYPE", "a map is expected, as in {key: value}"),
    "model_type": _always("E-TYPE", "a map is expected, as in {key: value}"),
    "model_attributes_type": _always("E-TYPE", "a map is expected, as in {key: value}"),
    "too_short": _always("E-VALUE", "at least one is expected"),
}
