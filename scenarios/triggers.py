"""Steps that wait until the network comes to a height or a view, and when they stop waiting.

A step is given up once nothing is left that could bring the network there: all other steps are done or wait
too, no fault is to begin or to heal, and still it has not come within a while. The run goes on without it,
and is unconfirmed.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from consensus.messages import Status
from scenarios.model.scenario import Fault
from scenarios.model.starts import AtHeight, Place
from scenarios.step_lines import step_line

if TYPE_CHECKING:
    from scenarios.operating import Operator

LOOK_S = 0.1
TRIGGER_S = 5.0  # For what is waited for that is no time, once all else is played.

Play = Callable[[int], Coroutine[Any, Any, None]]  # Carries a step out, given the moment it counts from.


class Waiting(Protocol):
    """A step as it stands in a checked scenario."""

    @property
    def id(self) -> str: ...

    @property
    def line(self) -> int: ...

    @property
    def trigger(self) -> Place | None: ...


@dataclass(frozen=True, slots=True)
class Missed:
    """A step that was not carried out, and why."""

    id: str
    line: int
    why: str


def common_view(statuses: Mapping[str, Status]) -> int:
    """The view that most nodes are in."""
    views = Counter(status.view for status in statuses.values())
    return max(views, key=lambda view: (views[view], view)) if views else 0


def last_timed_ms(faults: Iterable[Fault]) -> int:
    """When the last of the faults that are due at a time is over, 0 if there is none."""
    return max((each.at + (each.for_ms or 0) for each in faults if isinstance(each.at, int)), default=0)


class Triggers:
    """Lets the steps of one run begin when they are due."""

    def __init__(self, operator: Operator) -> None:
        self.missed: list[Missed] = []
        self._operator = operator
        self._lock = asyncio.Lock()
        self._looked_s = -math.inf
        self._view = 0
        self._at_work = 0  # Steps that are under way, or due at a time.
        self._turns = 0  # Of faults, when it was last looked.
        self._quiet_since_s: float | None = None

    def begin(self, steps: Iterable[Waiting]) -> None:
        """Hear of all steps before the first is carried out."""
        self._at_work = sum(step.trigger is None for step in steps)
        self._quiet_since_s = None

    async def carry_out(self, step: Waiting, play: Play) -> None:
        """Wait for the trigger of a step, if it has one, and carry it out from then on."""
        began_ms, operator = 0, self._operator
        if step.trigger is not None:
            if not await self._come(step.trigger):
                had = operator.height if isinstance(step.trigger, AtHeight) else self._view
                self.miss(step, f"{step.trigger} never came; the highest was {had}")
                return
            self._at_work += 1
            began_ms = operator.since_ms()
        try:
            await play(began_ms)
        finally:
            self._at_work -= 1

    def miss(self, step: Waiting, why: str) -> None:
        """Tell of a step that cannot be carried out."""
        operator = self._operator
        self.missed.append(Missed(step.id, step.line, why))
        operator.events.emit("step.refused", "warn", id=step.id, err="E-TRIGGER")
        at = f"{operator.since_ms() / 1000:.1f}s"
        operator.say("step", step_line(at, "missed", step.id, f"{why}   E-TRIGGER"))

    async def _come(self, place: Place) -> bool:
        """Wait for it; False once all has been quiet for long enough and it has not come."""
        loop, patience_s = asyncio.get_running_loop(), self._patience_s()
        while not await self._is_there(place):
            if self._restless():
                self._quiet_since_s = None
            elif self._quiet_since_s is None:
                self._quiet_since_s = loop.time()
            elif loop.time() - self._quiet_since_s >= patience_s:
                return False
            await asyncio.sleep(LOOK_S)
        self._quiet_since_s = None
        return True

    async def _is_there(self, place: Place) -> bool:
        loop, operator = asyncio.get_running_loop(), self._operator
        async with self._lock:  # However many wait, the nodes are asked once.
            if loop.time() - self._looked_s >= LOOK_S:
                self._view = max(self._view, common_view(await operator.statuses(LOOK_S)))
                self._looked_s = loop.time()
        return operator.height >= place.height if isinstance(place, AtHeight) else self._view >= place.view

    def _patience_s(self) -> float:
        """How long the network may rest before it is sure that nothing moves it any more."""
        scenario = self._operator.scenario
        longest_ms = max((fault.for_ms or 0 for fault in scenario.faults), default=0)
        return TRIGGER_S + (2 * scenario.view_timeout_ms + longest_ms) / 1000

    def _restless(self) -> bool:
        """Whether a step is under way, or a fault began or healed just now or is due to."""
        operator = self._operator
        turns, self._turns = self._turns, operator.timeline.turns
        due_ms = last_timed_ms(operator.scenario.faults)
        return self._at_work > 0 or turns != self._turns or operator.since_ms() < due_ms
