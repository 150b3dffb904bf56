"""The JSON Schema of the scenario file, made from the models that read it."""

from __future__ import annotations

import json
from typing import Any

from scenarios.model import ScenarioDocument

FILE_NAME = "scenario-1.schema.json"


def scenario_schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12. It checks shapes; names, limits and payloads need `privity check`."""
    schema = ScenarioDocument.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Privity scenario"}


def schema_text() -> str:
    """The schema as a file for editors."""
    return json.dumps(scenario_schema(), indent=2, ensure_ascii=False) + "\n"
