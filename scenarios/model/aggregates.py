"""Aggregates of a checked scenario, the values that they draw, and the checks that need all of the file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from node.aggregation.masks import VALUE_LIMIT
from node.chain.round_deeds import LEAST_CONTRIBUTORS, MOST_CONTRIBUTORS
from scenarios.model.aggregate_steps import AggregateStep
from scenarios.model.complaints import Complaints
from scenarios.model.names import meant, wrong_with_identifier
from scenarios.model.payloads import drawn_range
from scenarios.model.source import Path
from scenarios.model.starts import Place, start_of
from scenarios.model.wording import listed


@dataclass(frozen=True, slots=True)
class Aggregate:
    """`coordinator` learns the total of `field` over `contributors`.

    Each contributor keeps its value in a transaction of its own, sealed for itself: ID-NAME. `readers` read
    these too: parties that must read all that is sent.
    """

    id: str
    line: int
    at_ms: int
    coordinator: str
    contributors: tuple[str, ...]
    field: str
    minimum: int
    readers: tuple[str, ...]
    data: Mapping[str, Any] = dataclasses.field(repr=False)
    trigger: Place | None = None

    @property
    def transactions(self) -> tuple[str, ...]:
        """The ids of its contributors' records, in the order of the contributors."""
        return tuple(self.record_of(name) for name in self.contributors)

    def record_of(self, name: str) -> str:
        """The id of the transaction in which this contributor keeps its value."""
        return f"{self.id}-{name}"

    def values(self, seed: int) -> dict[str, int]:
        """The value of each contributor, drawn from a stream of its own step."""
        stream = Random(f"{seed}/workload/{self.id}")
        return {name: _drawn(_written_for(self.data[self.field], name), stream) for name in self.contributors}

    def describe(self) -> str:
        """What it does, in words."""
        return (
            f"{self.coordinator} learns the total of {self.field} over {len(self.contributors)} parties,"
            f" of at least {self.minimum}: {', '.join(self.contributors)}"
        )


def aggregate_of(step: AggregateStep, line: int, names: Sequence[str], always_to: Sequence[str]) -> Aggregate:
    """The step with every party named in full."""
    contributors = tuple(name for name in meant(step.from_, names) if name != step.as_)
    at_ms, trigger = start_of(step.at)
    return Aggregate(
        id=step.id,
        line=line,
        at_ms=at_ms,
        coordinator=step.as_,
        contributors=contributors,
        field=step.field,
        minimum=step.minimum,
        readers=tuple(always_to),
        data=step.data,
        trigger=trigger,
    )


def check_aggregates(
    steps: Mapping[int, Aggregate], taken: Mapping[str, int], complaints: Complaints
) -> None:
    """Complain about aggregates that cannot be: `steps` by place in the file, `taken` ids with theirs."""
    for index, step in steps.items():
        place: Path = ("steps", index)
        count = len(step.contributors)
        if count < max(LEAST_CONTRIBUTORS, step.minimum):
            message = f"{count} contributors; a total of fewer than {max(LEAST_CONTRIBUTORS, step.minimum)}"
            complaints.at((*place, "from"), "E-FEW", f"{message} is refused by every node")
        elif count > MOST_CONTRIBUTORS:
            message = f"{count} contributors; at most {MOST_CONTRIBUTORS} are possible"
            complaints.at((*place, "from"), "E-LIMIT", message)
        if step.coordinator in step.readers:
            message = f"{step.coordinator} is in always_to and would read every single value"
            complaints.at((*place, "as"), "E-VALUE", f"{message}; name another coordinator")
        _check_data(step, place, complaints)
        for name in step.contributors:
            record = step.record_of(name)
            if wrong_with_identifier(record):
                message = "too long: each contributor's name is added to it, and 40 characters are possible"
                complaints.at((*place, "id"), "E-NAME", message)
                break
            if record in taken:
                complaints.at(("steps", taken[record], "id"), "E-ID", f"{step.id} gives this id to a record")


def _check_data(step: Aggregate, place: Path, complaints: Complaints) -> None:
    where = (*place, "data")
    if set(step.data) != {step.field}:
        complaints.at(where, "E-PAYLOAD", "the data of an aggregate is the one field that is summed")
        return
    written = step.data[step.field]
    if isinstance(written, Mapping) and set(written) != set(step.contributors):
        message = f"a value for each contributor is needed, and for nobody else: {listed(step.contributors)}"
        complaints.at(where, "E-PAYLOAD", message)
        return
    for name in step.contributors:
        value = _written_for(written, name)
        span = drawn_range(value)
        ends = (span.low, span.high) if span is not None else (value,)
        if not all(type(end) is int and abs(end) <= VALUE_LIMIT for end in ends):
            message = "a whole number between -(2^53 - 1) and 2^53 - 1 is needed, or a range of such"
            complaints.at(where, "E-PAYLOAD", message)
            return


def _written_for(written: Any, name: str) -> Any:
    return written[name] if isinstance(written, Mapping) else written


def _drawn(value: Any, stream: Random) -> int:
    span = drawn_range(value)
    return int(value) if span is None else stream.randint(*span)
