"""What a user is told when something cannot be done: a code, what, where, why, and what to do next."""

from __future__ import annotations

from node.catalogue.command_errors import COMMAND_ERRORS
from node.catalogue.explanation import (
    CHECK_FAILED,
    FINE,
    INTERRUPTED,
    NOT_ALLOWED,
    NOT_REACHABLE,
    SCENARIO_INVALID,
    UNCONFIRMED,
    WRONG_USAGE,
    Explanation,
)
from node.catalogue.scenario_errors import SCENARIO_ERRORS
from node.catalogue.warnings import WARNINGS

# Whoever catches an error also wants to say with which code to exit.
__all__ = [
    "CATALOGUE",
    "CHECK_FAILED",
    "FINE",
    "INTERRUPTED",
    "NOT_ALLOWED",
    "NOT_REACHABLE",
    "SCENARIO_INVALID",
    "UNCONFIRMED",
    "WRONG_USAGE",
    "PrivityError",
]

CATALOGUE: dict[str, Explanation] = dict(sorted((COMMAND_ERRORS | SCENARIO_ERRORS).items())) | WARNINGS
"""By code: errors in alphabetical order, then warnings."""


class PrivityError(Exception):
    """A failure that a user can act on.

    `exit_code` comes from the catalogue unless given, because the same cause can be the scenario's
    fault (4) or that of the arguments of one command (2).
    """

    def __init__(
        self,
        code: str,
        what: str,
        *,
        where: str = "",
        why: str = "",
        next: str = "",
        exit_code: int | None = None,
    ) -> None:
        super().__init__(f"{what} ({code})")
        self.code = code
        self.what = what
        self.where = where
        self.why = why
        self.next = next
        self.exit_code = CATALOGUE[code].exit_code if exit_code is None else exit_code
        # What Python shows below its traceback, for those who use the library and not the command.
        for line in self.lines():
            self.add_note(line)

    def lines(self) -> list[str]:
        """The message as a user sees it, without colour: what and where, why, next, code."""
        place = f"{self.where}  " if self.where else ""
        lines = [f"✗ {place}{self.what}   {self.code}"]
        if self.why:
            lines.append(f"  why   {self.why}")
        if self.next:
            lines.append(f"  next  {self.next}")
        return lines
