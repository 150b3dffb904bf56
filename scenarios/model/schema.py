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
    for part in (schema, *schema["$defs"].values()):
        for settings in part.get("properties", {}).values():
            _as_written(settings)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Privity scenario"}


def _as_written(settings: dict[str, Any]) -> None:
    """Give a default in the form that the file would have it: `12s`, or none at all."""
    default = settings.get("default")
    if default is None or default == "":
        settings.pop("default", None)
    elif settings.get("type") == "string" and isinstance(default, int):
        settings["default"] = format_duration(default)


def schema_text() -> str:
    """The schema as a file for editors."""
    return json.dumps(scenario_schema(), indent=2, ensure_ascii=False) + "\n"
