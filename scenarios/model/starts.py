"""When a step is due: at a time, or when the network comes to a height or a view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

from pydantic import Discriminator, Field, Tag, model_validator

from scenarios.model.strict import Strict
from scenarios.model.units import format_duration
from scenarios.model.values import Duration, OptionalPlace, TimeOrEnd, refusal


class Trigger(Strict):
    """A place in the life of the network, in place of a time."""

    height: OptionalPlace = Field(default=None, description="when a node first holds this block")
    view: OptionalPlace = Field(default=None, description="when a voter first enters this view")

    @model_validator(mode="after")
    def _is_one_place(self) -> Trigger:
        if (self.height is None) == (self.view is None):
            raise refusal("E-MISSING", "write a time, {height: 20} or {view: 3}")
        return self


def form_of_start(value: object) -> str:
    """Which branch of `Start` a value belongs to."""
    return "trigger" if isinstance(value, dict | Trigger) else "time"


Start = Annotated[
    Annotated[Duration, Tag("time")] | Annotated[Trigger, Tag("trigger")], Discriminator(form_of_start)
]
Moment = Annotated[
    Annotated[TimeOrEnd, Tag("time")] | Annotated[Trigger, Tag("trigger")], Discriminator(form_of_start)
]

WHEN = "when: a time from the genesis, {height: 20} or {view: 3}; 0s by default"


@dataclass(frozen=True, slots=True)
class AtHeight:
    """The moment when a node first holds the block of this height."""

    height: int

    def __str__(self) -> str:
        return f"block {self.height}"


@dataclass(frozen=True, slots=True)
class AtView:
    """The moment when a voter first enters this view."""

    view: int

    def __str__(self) -> str:
        return f"view {self.view}"


Place = AtHeight | AtView
When = int | AtHeight | AtView  # Milliseconds since the genesis, or a place in the life of the network.
END: Literal["end"] = "end"
WhenOrEnd = When | Literal["end"]  # Or when all is done.


class Timed(Protocol):
    """What has a moment: `at_ms` from the genesis, or from the moment when the network comes to `trigger`."""

    @property
    def at_ms(self) -> int: ...

    @property
    def trigger(self) -> Place | None: ...


def place_of(trigger: Trigger) -> Place:
    """The place that a trigger names."""
    if trigger.height is not None:
        return AtHeight(trigger.height)
    assert trigger.view is not None, "a trigger is a height or a view"
    return AtView(trigger.view)


def when_of(start: int | Trigger) -> When:
    """A time in milliseconds, or a place."""
    return place_of(start) if isinstance(start, Trigger) else start


def moment_of(moment: int | Literal["end"] | Trigger) -> WhenOrEnd:
    """A time, a place, or the end."""
    return place_of(moment) if isinstance(moment, Trigger) else moment


def start_of(start: int | Trigger) -> tuple[int, Place | None]:
    """`at_ms` and `trigger` of a step."""
    return (0, place_of(start)) if isinstance(start, Trigger) else (start, None)


def order_of(step: Timed) -> tuple[int, int, int]:
    """A key that sorts steps as they may be expected to come: times, then heights, then views."""
    match step.trigger:
        case AtHeight(height):
            return 1, height, step.at_ms
        case AtView(view):
            return 2, view, step.at_ms
    return 0, 0, step.at_ms


def comes_before(first: Timed, second: Timed) -> bool | None:
    """Whether the one is due before the other; None if only the run can tell."""
    one, other = first.trigger, second.trigger
    if one == other:
        return first.at_ms < second.at_ms
    if isinstance(one, AtHeight) and isinstance(other, AtHeight) and one.height > other.height:
        return False
    if isinstance(one, AtView) and isinstance(other, AtView) and one.view > other.view:
        return False
    return None


def is_by(step: Timed, moment: When) -> bool | None:
    """Whether a step is due before a moment; None if only the run can tell."""
    if isinstance(moment, int):
        return step.at_ms < moment if step.trigger is None else None
    if type(step.trigger) is type(moment) and order_of(step) >= order_of(_Moment(0, moment)):
        return False
    return None


@dataclass(frozen=True, slots=True)
class _Moment:
    at_ms: int
    trigger: Place | None


def start_text(step: Timed) -> str:
    """`1.5s`, `block 20`, `view 3`."""
    return format_duration(step.at_ms) if step.trigger is None else str(step.trigger)
