"""What keeps a run from passing, whatever its expectations say."""

from __future__ import annotations

from msgspec.structs import replace

from scenarios.faults.record import FaultRecord, isolated
from scenarios.judging.evidence import Evidence
from scenarios.judging.judgement import some
from scenarios.model.scenario import Load, Stall
from scenarios.sending import Sent


def incidents(evidence: Evidence) -> list[str]:
    """What happened that leaves the run unconfirmed, each in words; an invariant fails it."""
    found = [*evidence.invariants, *(f"{name} ended by itself" for name in evidence.ended)]
    if not found and not evidence.settled:
        found.append("the nodes did not come to rest in time")
    found += [
        f"step {each.id} (line {each.line}) was not carried out: {each.why}" for each in evidence.missed
    ]
    found += _absent(evidence)
    if not evidence.recorded:
        found.append("the recorder did not hear all that the broker carried")
    return found


def _absent(evidence: Evidence) -> list[str]:
    """Transactions that are not where they should be, and the faults that were on when they were sent."""
    by_fault: dict[str, list[str]] = {}
    refused: dict[str, list[str]] = {}
    for name, sent in evidence.sent.items():
        if evidence.executed_everywhere(sent) or _may_wait(evidence, sent.tx.hex()):
            continue
        if sent.refused:
            if _kept_away(evidence, sent):
                continue  # It is right that a load waits for nobody whom the file has taken away.
            refused.setdefault(sent.refused, []).append(name)
            continue
        to_ms = sent.at_ms + evidence.grace_ms
        on = [record for record in evidence.faults if record.overlaps(sent.at_ms, to_ms)]
        by_fault.setdefault(", ".join(map(_named, on)), []).append(name)
    total = len(evidence.sent)
    return [
        *(
            f"{len(names)} of {total} transactions were not handed in for ordering: {some(names)}   {code}"
            for code, names in refused.items()
        ),
        *_named_absent(by_fault, total),
    ]


def _kept_away(evidence: Evidence, sent: Sent) -> bool:
    """Whether it is one of a load, and a fault of the file kept a reader's node away when it was due."""
    loads = {tx for step in evidence.scenario.workload if isinstance(step, Load) for tx in step.transactions}
    to_ms = sent.at_ms + evidence.scenario.receipt_timeout_ms
    return sent.planned.id in loads and any(
        away & {sent.planned.sender, *sent.planned.readers}
        for record in evidence.faults
        if record.overlaps(sent.at_ms, to_ms)
        and (away := isolated([replace(record, ended_ms=None)], evidence.voters))
    )


def _named_absent(by_fault: dict[str, list[str]], total: int) -> list[str]:
    return [
        f"{len(names)} of {total} transactions are not on every ledger: {some(names)}"
        + (f"; sent while {faults} lasted" if faults else "")
        for faults, names in by_fault.items()
    ]


def _named(record: FaultRecord) -> str:
    where = f" of {some(record.nodes)}" if record.nodes else ""
    return f"{record.id} ({record.kind}{where})"


def _may_wait(evidence: Evidence, tx: str) -> bool:
    """Whether it is on no ledger, and the file expects the network to stand still to the end of the run."""
    if any(tx in chain.executed for chain in evidence.honest_chains):
        return False
    stalls = [each.during for each in evidence.scenario.expectations if isinstance(each, Stall)]
    return any(record.active for record in evidence.faults if record.id in stalls)


def waiting(evidence: Evidence) -> list[str]:
    """Transactions that a fault which is expected to stop the network keeps waiting."""
    return [name for name, sent in evidence.sent.items() if _may_wait(evidence, sent.tx.hex())]


def vacuous(evidence: Evidence) -> list[tuple[FaultRecord, str]]:
    """Faults of the file that never began or that nothing felt, and what to say of each."""
    lines = {fault.id for fault in evidence.scenario.faults}
    return [
        (record, f"{_why(record)}: a run that passes must prove that its fault happened")
        for record in evidence.faults
        if record.id in lines and record.vacuous
    ]


def _why(record: FaultRecord) -> str:
    what = "never began" if record.began_ms is None else "touched nothing"
    return f"{what} ({record.note})" if record.note else what
