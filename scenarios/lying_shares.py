"""Clients that lie about shares and totals: what the operator does for a party while its fault is on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from node.aggregation.contributor import Contributor
from node.aggregation.coordinator import Coordinator
from node.chain.act import ActTransaction
from node.envelopes.envelope import Sealed
from node.faults.lying_rounds import (
    LyingContributor,
    LyingCoordinator,
    Misdealer,
    TwoValued,
    WithheldTotal,
    WrongTotal,
)
from node.faults.lying_shares import deal_inconsistent_shares, release_bad_share
from node.seals.seal import Seal
from scenarios.model.faults import (
    BAD_SHARE,
    INCONSISTENT_SHARES,
    TWO_VALUES,
    WITHHOLD_TOTAL,
    WRONG_TOTAL,
    Fault,
)
from scenarios.model.lies import contributor_lies, coordinator_lies, lie_of
from scenarios.model.plan import PlannedSend
from scenarios.model.scenario import Aggregate

if TYPE_CHECKING:
    from scenarios.operating import Operator

_CONTRIBUTORS: dict[str, type[LyingContributor]] = {INCONSISTENT_SHARES: Misdealer, TWO_VALUES: TwoValued}
_COORDINATORS: dict[str, type[LyingCoordinator]] = {WRONG_TOTAL: WrongTotal, WITHHOLD_TOTAL: WithheldTotal}


def misdeal(run: Operator, send: PlannedSend, honest: Sealed, seal: Seal) -> Sealed:
    """What the sender orders in place of an honest payload under a seal."""
    keys = run.keys[send.sender].signing
    dealt = deal_inconsistent_shares(honest, run.network, seal, send.misdealt, keys, run.entropy)
    fault = lie_of(run.scenario.faults, (INCONSISTENT_SHARES,), send.sender, send.at_ms)
    assert fault is not None, "the plan says so"
    if dealt.transaction.id != honest.transaction.id:
        run.timeline.lied(fault.id)
    return dealt


def instead_of(
    run: Operator, fault: Fault | None, seal: Seal, name: str, honest: ActTransaction, tx: bytes
) -> ActTransaction | None:
    """What an opener hands in in place of its honest release; None for one that keeps its share back."""
    if fault is None:
        return honest
    act = None
    if fault.kind == BAD_SHARE:
        act = release_bad_share(run.showing.author(name), seal, tx, run.entropy)
    if act is None or act.act.deed != honest.act.deed:
        run.timeline.lied(fault.id)
    return act


def contributor_of(run: Operator, step: Aggregate, name: str, value: int, record: bytes) -> Contributor:
    """The machine of a contributor, honest or not."""
    fault = contributor_lies(run.scenario, step, name)
    if fault is None:
        return Contributor(name, value, record, run.entropy)
    machine = _CONTRIBUTORS[fault.kind](name, value, record, run.entropy)
    machine.lied = _lied(run, fault)
    return machine


def coordinator_of(run: Operator, step: Aggregate) -> Coordinator:
    """The machine of the coordinator, honest or not."""
    fault = coordinator_lies(run.scenario, step)
    rest = (step.coordinator, step.contributors, step.field, run.entropy)
    if fault is None:
        return Coordinator(*rest, minimum=step.minimum)
    machine = _COORDINATORS[fault.kind](*rest, minimum=step.minimum)
    machine.lied = _lied(run, fault)
    return machine


def _lied(run: Operator, fault: Fault) -> Callable[[], None]:
    return lambda: run.timeline.lied(fault.id)
