"""`privity check --fill`: the scenario with every default written out. It loads back as an equal model."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from scenarios.model.document import ScenarioDocument
from scenarios.model.payloads import drawn_range
from scenarios.model.scenario import Aggregate, Load, Scenario, Send
from scenarios.model.strict import Strict

_PLAIN_WORDS = re.compile(r"[A-Za-z0-9_]+([ ./-]+[A-Za-z0-9_]+)*", re.ASCII)
_WIDTH = 1 << 30  # ruamel folds long lines inside keys too, which then are not YAML.
_COMMENT_COLUMN = 28
# bool before int, which it is one of.
_TYPES: tuple[tuple[type, str], ...] = (
    (str, "text"),
    (bool, "true or false"),
    (int, "whole number"),
    (float, "number"),
    (bytes, "bytes"),
    (Mapping, "map"),
    (list, "list"),
)
_OF_OBJECTS = {"object": "text", "expects": "whole number"}
_COMMENTED = ("network", "consensus", "privacy")


def filled(scenario: Scenario) -> str:
    """YAML text with every default, and with what each setting means beside it.

    It holds the payloads and the broker's password, as the file does: it is for whoever holds the file.
    """
    return _filled(scenario.document.model_dump(by_alias=True, exclude_none=True))


def masked(scenario: Scenario, readable: Callable[[Send | Load | Aggregate], bool]) -> str:
    """The same for people who may not read all: `data` as `<private: types>` where no step is `readable`.

    Names of fields are private too, so only the types of the values stand there, in the order of the file.
    A broker's address that holds a password is left out.
    """
    document = scenario.document.model_dump(by_alias=True, exclude_none=True)
    for step, fields in zip(scenario.steps, document["steps"], strict=True):
        if isinstance(step, Send | Load | Aggregate) and not readable(step):
            fields["data"] = f"<private: {_types_of(step) or 'nothing'}>"
            fields |= {key: f"<private: {kind}>" for key, kind in _OF_OBJECTS.items() if key in fields}
    if "@" in document["network"]["broker"]:
        document["network"]["broker"] = "<private: address>"
    return _filled(document)


def _types_of(step: Send | Load | Aggregate) -> str:
    drawn = isinstance(step, Load | Aggregate)
    return ", ".join(
        "drawn number" if drawn and drawn_range(value) is not None else _type_of(value)
        for value in step.data.values()
    )


def _type_of(value: Any) -> str:
    for kind, word in _TYPES:
        if isinstance(value, kind):
            return word
    return "nothing"


def _filled(document: dict[str, Any]) -> str:
    plain = _quoted(document)
    top = _in_lines(plain)
    for section in _COMMENTED:
        top[section] = _commented(plain[section], ScenarioDocument.model_fields[section].annotation)
    return _as_text(top)


def brief(scenario: Scenario) -> str:
    """The same without what is the default anyway, and without comments."""
    document = scenario.document.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True)
    document.pop("profile", None)  # What it sets stands there; what overrides it may be the usual default.
    return _as_text(_in_lines(_quoted(document)))


def _in_lines(plain: dict[str, Any]) -> CommentedMap:
    """A line for each party, step and expectation."""
    top = CommentedMap(plain)
    for section in _COMMENTED:
        if section in plain:
            top[section] = _in_one_line(plain[section])
    top["parties"] = _block_of_lines(plain["parties"])
    for section in ("steps", "expect"):
        if section in plain:
            top[section] = CommentedSeq([_in_one_line(item) for item in plain[section]])
    return top


def _as_text(top: CommentedMap) -> str:
    text = _written(top, allow_unicode=True)
    # ruamel leaves some line separators as they are, and reads them back as spaces.
    return text if text.replace("\n", "").isprintable() else _written(top, allow_unicode=False)


def _quoted(value: Any) -> Any:
    """The same with quotes around every text, key or value, that is more than plain words.

    ruamel leaves more texts without quotes than are read back as they were (a key like `:0`).
    """
    if isinstance(value, dict):
        return {_quoted(key): _quoted(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_quoted(each) for each in value]
    if isinstance(value, str) and value and not _PLAIN_WORDS.fullmatch(value):
        return DoubleQuotedScalarString(value)
    return value


def _written(top: CommentedMap, allow_unicode: bool) -> str:
    yaml = YAML()
    yaml.width = _WIDTH
    yaml.allow_unicode = allow_unicode
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = StringIO()
    yaml.dump(top, stream)
    return stream.getvalue()


def _commented(fields: dict[str, Any], model: Any) -> CommentedMap:
    """A section in block style with the description of each field at the end of its line."""
    section = CommentedMap()
    for name, info in model.model_fields.items():
        key = info.alias or name
        if key not in fields:
            continue  # What may be left out and has no default.
        value = fields[key]
        nested = isinstance(info.annotation, type) and issubclass(info.annotation, Strict)
        if nested:
            section[key] = _commented(value, info.annotation)
        else:
            section[key] = _in_one_line(value) if isinstance(value, dict) else value
        if info.description and not nested:
            section.yaml_add_eol_comment(info.description, key, column=_COMMENT_COLUMN)
    return section


def _block_of_lines(parties: dict[str, Any]) -> CommentedMap:
    return CommentedMap({name: _in_one_line(spec) for name, spec in parties.items()})


def _in_one_line(value: dict[str, Any]) -> CommentedMap:
    line = CommentedMap(value)
    line.fa.set_flow_style()
    return line
