"""What the fields of a payload are called where people name them: `terms.parts[0]`.

Names are as private as values: no message of this module's users quotes one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from node.envelopes.fields import Path, flatten
from node.errors import PrivityError
from scenarios.model.payloads import FILLER
from scenarios.model.scenario import Load, Send

_PLAIN_NAME = re.compile(r"\w[\w-]*")


def field_text(path: Path) -> str:
    """A path in words: `terms.parts[0]`. A name that could be misread stands in quotation marks."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            name = step if _PLAIN_NAME.fullmatch(step) else json.dumps(step)
            text += f".{name}" if text else name
    return text


def lies_in(path: Path, name: str) -> bool:
    """Whether a path is the field of this name, as `field_text` writes it, or a part of it."""
    return any(field_text(path[:length]) == name for length in range(1, len(path) + 1))


def planned_fields(step: Send | Load) -> list[Path]:
    """The fields that each transaction of this step has; those of a load are drawn, their names are not."""
    data: Mapping[str, Any] = step.data
    if isinstance(step, Load) and step.size_bytes is not None:
        data = {**data, FILLER: ""}
    try:
        return [path for path, _ in flatten(data)]
    except PrivityError:
        return []  # What is wrong with the payload is said elsewhere.
