"""What a scenario allows and its author may not have meant."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Warning:
    """One thing to think about. `line` is where in the file, if it is about one place."""

    code: str
    message: str
    line: int | None = None
