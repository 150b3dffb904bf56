"""Seals of a checked scenario: which there are, who opens them, and what the steps make of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from node.envelopes.shares import MAX_OPENERS
from node.seals.seal import MAX_LATER_READERS, Seal
from scenarios.model.complaints import Complaints
from scenarios.model.lies import opener_lies
from scenarios.model.names import meant
from scenarios.model.seal_steps import OpenStep, SealSpec
from scenarios.model.seal_timing import comes_late, surely_open
from scenarios.model.source import Path
from scenarios.model.starts import AtHeight, AtView, Place, start_of
from scenarios.model.wording import listed

if TYPE_CHECKING:
    from scenarios.model.plan import PlannedSend
    from scenarios.model.scenario import Scenario


Until = int | Literal["end"]
"""Milliseconds since the genesis, or when all is done."""


@dataclass(frozen=True, slots=True)
class Opening:
    """`openers` ask for `seal` to be opened. With `expect_refused` none of their requests may count."""

    id: str
    line: int
    at_ms: int
    seal: str
    openers: tuple[str, ...]
    expect_refused: bool = False
    trigger: Place | None = None

    @property
    def transactions(self) -> tuple[str, ...]:
        """The ids of its transactions: none that an expectation could name."""
        return ()

    def describe(self) -> str:
        """What it does, in words."""
        wanted = ", which must be refused" if self.expect_refused else ""
        return f"{', '.join(self.openers)} {'open' if self.openers[1:] else 'opens'} {self.seal}{wanted}"


def opening_of(step: OpenStep, line: int, names: Sequence[str]) -> Opening:
    """The step with every party named in full."""
    at_ms, trigger = start_of(step.at)
    openers, refused = meant(step.as_, names), step.expect == "refused"
    return Opening(step.id, line, at_ms, step.seal, openers, refused, trigger)


def seals_of(specs: Mapping[str, SealSpec], names: Sequence[str], complaints: Complaints) -> tuple[Seal, ...]:
    """The seals of a file, with every party named in full."""
    found = []
    for name, spec in specs.items():
        place: Path = ("seals", name)
        openers, later = meant(spec.openers, names), meant(spec.then_to, names)
        threshold = spec.threshold or len(openers)
        if threshold > len(openers):
            message = f"{threshold} of {len(openers)} openers can never open it"
            complaints.at((*place, "threshold"), "E-VALUE", message)
        if len(openers) > MAX_OPENERS:
            message = f"{len(openers)} openers; at most {MAX_OPENERS} are possible"
            complaints.at((*place, "openers"), "E-LIMIT", message)
        if len(later) > MAX_LATER_READERS:
            message = f"{len(later)} later readers; at most {MAX_LATER_READERS} are possible"
            complaints.at((*place, "then_to"), "E-LIMIT", message)
        at_ms, end = start_of(spec.opens_at)
        if isinstance(end, AtView):
            message = "a view is no end of a seal, for it may never come; write a time or {height: 20}"
            complaints.at((*place, "opens_at"), "E-VALUE", message)
        height = end.height if isinstance(end, AtHeight) else 0
        found.append(Seal(name, at_ms, openers, threshold, later, height))
    return tuple(found)


def check_openings(openings: Mapping[int, Opening], seals: Sequence[Seal], complaints: Complaints) -> None:
    """Complain about openings, by place in the file, by who holds no share."""
    by_name = {seal.name: seal for seal in seals}
    for index, opening in openings.items():
        seal = by_name[opening.seal]
        strangers = [name for name in opening.openers if name not in seal.openers]
        if strangers and not opening.expect_refused:
            message = f"{listed(strangers)} cannot open {seal.name}; {listed(seal.openers)} can"
            complaints.at(("steps", index, "as"), "E-NOT-OPENER", message)


def _counts(seal: Seal, opening: Opening) -> bool:
    """Whether its requests are to find the seal open: where a file cannot tell, what the step says of it."""
    known = surely_open(seal, opening.at_ms, opening.trigger)
    return not opening.expect_refused if known is None else known


def asking(scenario: Scenario, seal: Seal, until: Until, *, honest: bool = False) -> list[str]:
    """The openers that ask in time by the steps, in the order of the seal, before the moment `until`.

    With `honest` those alone that also give a good share then.
    """
    asked = {
        name
        for opening in scenario.openings
        if opening.seal == seal.name
        and _counts(seal, opening)
        and (until == "end" or (opening.trigger is None and opening.at_ms < until))
        for name in opening.openers
        if not honest or opener_lies(scenario, opening, name) is None
    }
    return [name for name in seal.openers if name in asked]


def unsealed_to(scenario: Scenario, send: PlannedSend, until: Until = "end") -> tuple[str, ...]:
    """Who reads what lies under a seal because it was opened, by the steps; nobody if it is not, or late."""
    seal = scenario.seal(send.seal)
    if seal is None or comes_late(scenario, seal, send, send.id):
        return ()
    giving = set(asking(scenario, seal, until, honest=True)).difference(send.misdealt)
    return seal.then_to if len(giving) >= seal.threshold else ()
