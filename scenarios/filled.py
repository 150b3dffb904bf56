"""`privity check --fill`: the scenario with every default written out. It loads back as an equal model."""

from __future__ import annotations

from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from scenarios.model import ScenarioDocument
from scenarios.scenario import Scenario

_WIDTH = 110
_COMMENT_COLUMN = 28
_COMMENTED = ("network", "consensus", "privacy")


def filled(scenario: Scenario) -> str:
    """YAML text, with what each setting means beside it.

    It holds the payloads and the broker's password, as the file does: it is for whoever holds the file.
    """
    plain = scenario.document.model_dump(by_alias=True, exclude_none=True)
    top = CommentedMap(plain)
    for section in _COMMENTED:
        top[section] = _commented(plain[section], ScenarioDocument.model_fields[section].annotation)
    top["parties"] = _block_of_lines(plain["parties"])
    for section in ("steps", "expect"):
        top[section] = CommentedSeq([_in_one_line(item) for item in plain[section]])
    text = _written(top, allow_unicode=True)
    # ruamel leaves some line separators as they are, and reads them back as spaces.
    return text if text.replace("\n", "").isprintable() else _written(top, allow_unicode=False)


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
        value = fields[key]
        nested = isinstance(value, dict)
        section[key] = _commented(value, info.annotation) if nested else value
        if info.description and not nested:
            section.yaml_add_eol_comment(info.description, key, column=_COMMENT_COLUMN)
    return section


def _block_of_lines(parties: dict[str, Any]) -> CommentedMap:
    return CommentedMap({name: _in_one_line(spec) for name, spec in parties.items()})


def _in_one_line(value: dict[str, Any]) -> CommentedMap:
    line = CommentedMap(value)
    line.fa.set_flow_style()
    return line
