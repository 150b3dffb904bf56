"""What the fields of a payload are called where people name them: `terms.parts[0]`.

Names are as private as values: no message of this module's users quotes one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.envelopes.fields import Path, field_text, flatten, lies_in
from node.errors import PrivityError
from scenarios.model.payloads import FILLER
from scenarios.model.scenario import Load, Send

__all__ = ["field_text", "lies_in", "planned_fields"]


def planned_fields(step: Send | Load) -> list[Path]:
    """The fields that each transaction of this step has; those of a load are drawn, their names are not."""
    data: Mapping[str, Any] = step.data
    if isinstance(step, Load) and step.size_bytes is not None:
        data = {**data, FILLER: ""}
    try:
        return [path for path, _ in flatten(data)]
    except PrivityError:
        return []  # What is wrong with the payload is said elsewhere.
