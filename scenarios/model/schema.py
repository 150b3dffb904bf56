"""The JSON Schema of the scenario file, made from the models that read it."""

from __future__ import annotations

import json
from typing import Any

from scenarios.model.document import ScenarioDocument
from scenarios.model.units import format_duration

FILE_NAME = "scenario-1.schema.json"


def scenario_schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12. It checks shapes; names, limits and payloads need `privity check`."""
    schema = ScenarioDocument.model_json_schema(by_alias=True)
    # In this mode, and only in this one, defaults have the form that the file would have them: 12s, 1%.
    written = ScenarioDocument.model_json_schema(by_alias=True, mode="serialization")
    for name, part in (("", schema), *schema["$defs"].items()):
        like = written["$defs"][name] if name else written
        for key, settings in part.get("properties", {}).items():
            _as_written(settings, like["properties"][key].get("default"))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Privity scenario"}


def _as_written(settings: dict[str, Any], default: Any) -> None:
    """Give this default, if it says something."""
    settings.pop("default", None)
    if "oneOf" in settings and isinstance(default, int):
        default = format_duration(default)  # Of a time or a trigger, whose form pydantic does not follow.
    if default is not None and default != "":
        settings["default"] = default


def schema_text() -> str:
    """The schema as a file for editors."""
    return json.dumps(scenario_schema(), indent=2, ensure_ascii=False) + "\n"
