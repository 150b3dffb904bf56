"""Whether a step comes before or after the end of a seal, as far as a file can tell.

A seal ends at a time or at a height, a step is due at either; where the one is a time and the other a height
only the run can tell. There a step means what it says: `expect: refused`, or else that it is in time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from node.seals.seal import Seal
from scenarios.model.starts import AtHeight, Place, Timed

if TYPE_CHECKING:
    from scenarios.model.scenario import Scenario


def surely_open(seal: Seal, at_ms: int, trigger: Place | None) -> bool | None:
    """Whether what is handed in then finds it open; None if only the run can tell.

    What waits for a block is ordered in the one after it at the earliest.
    """
    if seal.opens_at_height and isinstance(trigger, AtHeight):
        return True if trigger.height + 1 >= seal.opens_at_height else None
    if not seal.opens_at_height and trigger is None:
        return at_ms >= seal.opens_at_ms
    return None


def comes_late(scenario: Scenario, seal: Seal, send: Timed, identifier: str) -> bool:
    """Whether what is sent by the step of this id is too late for the seal that it is sent under."""
    known = surely_open(seal, send.at_ms, send.trigger)
    if known is not None:
        return known
    return any(step.id == identifier and getattr(step, "expect_refused", False) for step in scenario.workload)
