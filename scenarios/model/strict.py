"""What all maps of the scenario file have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """A part of the file: no unknown keys, no conversions, and no error that repeats its input."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        hide_input_in_errors=True,
        arbitrary_types_allowed=False,
        populate_by_name=False,
    )
