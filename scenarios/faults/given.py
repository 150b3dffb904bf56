"""A fault that is not in the file: from a command line or a program, held to the same model as a step."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from node.errors import WRONG_USAGE, PrivityError
from scenarios.model.faults import CLIENT_KINDS, TWO_TALES
from scenarios.model.loading import parse_scenario
from scenarios.model.problems import ScenarioInvalid
from scenarios.model.scenario import Fault, Scenario

STEP = "steps[0]"


def given_fault(scenario: Scenario, fields: Mapping[str, Any], *, taken: Collection[str] = ()) -> Fault:
    """The fault that these keys of a fault step mean in this scenario, beginning now; `for_` is `for`.

    Without an `id` it gets a free one. Raises PrivityError (wrong usage) with code and hint as for a file.
    """
    if (kind := fields.get("kind")) in CLIENT_KINDS:
        raise PrivityError(
            "E-USAGE",
            ("two tales are" if kind == TWO_TALES else f"{kind} is a lie that is")
            + " told by a step of a scenario file, and by nobody else's client",
            where=str(kind),
            next="put the fault before the step of the file in which the lie is told",
            exit_code=WRONG_USAGE,
        )
    step = {
        key.rstrip("_"): list(value) if isinstance(value, tuple) else value for key, value in fields.items()
    }
    if not step.get("id"):
        step["id"] = _free(str(step.get("kind", "fault")), taken)
    elif step["id"] in taken:
        where = str(step["id"])
        raise PrivityError("E-ID", "there is a fault of this id", where=where, exit_code=WRONG_USAGE)
    step.pop("at", None)
    document = {
        "privity": 1,
        "name": "given",
        "parties": {party.name: {"votes": party.votes} for party in scenario.parties},
        "steps": [{"do": "fault"} | step],
    }
    try:
        return parse_scenario(json.dumps(document), "given").faults[0]
    except ScenarioInvalid as invalid:
        first = invalid.problems[0]
        where = first.path.removeprefix(STEP).strip(".")
        raise PrivityError(first.code, first.message, where=where or "fault", exit_code=WRONG_USAGE) from None


def _free(kind: str, taken: Collection[str]) -> str:
    number = 1
    while f"{kind}-{number}" in taken:
        number += 1
    return f"{kind}-{number}"
