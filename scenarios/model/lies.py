"""Who lies about shares and totals, in which step: a pure function of the file, like the plan.

A lie is a fault of a party's client. It is told in the steps that begin while the fault is on.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from scenarios.model.faults import (
    BAD_SHARE,
    INCONSISTENT_SHARES,
    TWO_VALUES,
    WITHHOLD_SHARE,
    WITHHOLD_TOTAL,
    WRONG_TOTAL,
    Fault,
)

if TYPE_CHECKING:
    from node.seals.seal import Seal
    from scenarios.model.aggregates import Aggregate
    from scenarios.model.plan import PlannedSend
    from scenarios.model.scenario import Scenario
    from scenarios.model.seals import Opening

OF_OPENERS = (BAD_SHARE, WITHHOLD_SHARE)
OF_CONTRIBUTORS = (INCONSISTENT_SHARES, TWO_VALUES)
OF_COORDINATORS = (WRONG_TOTAL, WITHHOLD_TOTAL)


def lie_of(faults: Iterable[Fault], kinds: Iterable[str], party: str, at_ms: int) -> Fault | None:
    """The first fault of one of these kinds because of which this party lies in a step of this time."""
    wanted = set(kinds)
    for fault in faults:
        if fault.kind not in wanted or party not in fault.nodes or not isinstance(fault.at, int):
            continue
        if fault.at <= at_ms and (fault.for_ms is None or at_ms < fault.at + fault.for_ms):
            return fault
    return None


def misdealt(sender: str, at_ms: int, seal: Seal | None, faults: Iterable[Fault]) -> tuple[str, ...]:
    """The openers whom this sender deals a share that does not meet its hash: the first of the others."""
    if seal is None or lie_of(faults, (INCONSISTENT_SHARES,), sender, at_ms) is None:
        return ()
    return tuple(name for name in seal.openers if name != sender)[:1]


def opener_lies(scenario: Scenario, opening: Opening, opener: str) -> Fault | None:
    """The fault because of which this opener gives no good share in this step; one at a place has none."""
    if opening.trigger is not None:
        return None
    return lie_of(scenario.faults, OF_OPENERS, opener, opening.at_ms)


def contributor_lies(scenario: Scenario, step: Aggregate, name: str) -> Fault | None:
    """The fault because of which this contributor lies in this round."""
    return lie_of(scenario.faults, OF_CONTRIBUTORS, name, step.at_ms)


def coordinator_lies(scenario: Scenario, step: Aggregate) -> Fault | None:
    """The fault because of which the coordinator lies in this round."""
    return lie_of(scenario.faults, OF_COORDINATORS, step.coordinator, step.at_ms)


def withholds(scenario: Scenario, step: Aggregate) -> bool:
    """Whether the coordinator announces no total."""
    lie = coordinator_lies(scenario, step)
    return lie is not None and lie.kind == WITHHOLD_TOTAL


def may_be_blamed(scenario: Scenario, party: str, sent: PlannedSend) -> bool:
    """Whether some fault makes this party lie about this transaction: who else is blamed is framed."""
    if party == sent.sender and (sent.deceived or sent.misdealt):
        return True
    return bool(sent.seal) and any(
        opener_lies(scenario, opening, party)
        for opening in scenario.openings
        if opening.seal == sent.seal and party in opening.openers
    )


def may_be_blamed_in(scenario: Scenario, party: str, step: Aggregate) -> bool:
    """The same of a round."""
    if party == step.coordinator:
        return coordinator_lies(scenario, step) is not None
    return contributor_lies(scenario, step, party) is not None


def tells(scenario: Scenario, fault: Fault, sends: Iterable[PlannedSend]) -> bool:
    """Whether some step gives the parties of this fault something to lie about."""
    one = (fault,)
    under_seals = [send for send in sends if send.seal]
    return (
        any(misdealt(send.sender, send.at_ms, scenario.seal(send.seal), one) for send in under_seals)
        or any(
            lie_of(one, OF_OPENERS, name, opening.at_ms)
            for opening in scenario.openings
            if opening.trigger is None
            for name in opening.openers
        )
        or any(
            lie_of(one, OF_COORDINATORS, step.coordinator, step.at_ms)
            or any(lie_of(one, OF_CONTRIBUTORS, name, step.at_ms) for name in step.contributors)
            for step in scenario.aggregates
        )
    )
