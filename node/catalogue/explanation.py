"""One entry of the catalogue, and the exit codes that entries name."""

from __future__ import annotations

from dataclasses import dataclass

# Exit codes, the same for every verb.
FINE = 0
CHECK_FAILED = 1
WRONG_USAGE = 2
UNCONFIRMED = 3
SCENARIO_INVALID = 4
NOT_REACHABLE = 5
NOT_ALLOWED = 6
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Explanation:
    """What `privity explain` says of one code; `text` is lines of at most 110 characters."""

    title: str
    exit_code: int
    text: str
