"""Judges of time: whether the network goes on during a fault and after it, or stops; how long things take.

A height counts as committed at the moment at which a weak quorum (f + 1) of honest voters had told of its
block: then one correct node had executed it that no fault can take back.
"""

from __future__ import annotations

from collections.abc import Sequence

from consensus.quorum import weak_quorum
from node.duration import seconds_text
from scenarios.faults.record import FaultRecord
from scenarios.judging.evidence import Evidence
from scenarios.judging.judgement import Judgement, counted, judged, some
from scenarios.model.scenario import Latency, Progress, Stall


def progress(evidence: Evidence, wanted: Progress) -> Judgement:
    """A block is committed soon after the fault began, or ended; where there is no work none need be.

    A block that was proposed before and only arrived after a fault began proves nothing.
    """
    name = wanted.during or wanted.after
    assert name is not None, "a progress names a fault"
    record = evidence.fault(name)
    since, word = _since(record, ended=wanted.during is None)
    if since is None:
        return judged(wanted, "unconfirmed", f"{name} never {word}", _more(0))
    if why := _untold(evidence):
        return judged(wanted, "unconfirmed", why, _more(since))
    until = since + wanted.within_ms
    course, grace = evidence.course, evidence.grace_ms
    for at_ms, height in course.commits(since, until):
        under_way = at_ms <= since + grace and course.proposed.get(height, at_ms) < since
        if wanted.during is not None and under_way:
            continue
        detail = f"block {height} was committed {seconds_text(at_ms - since)} after {name} {word}"
        return judged(wanted, "holds", detail)
    # What came in at the last moment was no work that could have been done by then.
    waiting = evidence.waiting(since, until - min(grace, wanted.within_ms))
    within = f"{seconds_text(wanted.within_ms)} after {name} {word}"
    if not waiting:
        detail = f"no block within {within}, and no transaction waited for one"
        return judged(wanted, "unconfirmed", detail, _more(since))
    if evidence.until_ms < until:
        detail = f"the run ended {seconds_text(max(0, evidence.until_ms - since))} after {name} {word}"
        return judged(wanted, "unconfirmed", f"{detail}, without a block", _more(since))
    detail = f"no block within {within}, although {_waited(waiting)}"
    return judged(wanted, "broken", detail, _more(since))


def _since(record: FaultRecord | None, *, ended: bool) -> tuple[int | None, str]:
    """When the time of an expectation begins, and what happened then."""
    if record is None or record.began_ms is None:
        return None, "began"
    return (record.ended_ms, "ended") if ended else (record.began_ms, "began")


def stall(evidence: Evidence, wanted: Stall) -> Judgement:
    """No block is committed while the fault lasts, although there is work.

    It lasts until it begins to heal. Blocks that were under way when it began do not count.
    """
    record = evidence.fault(wanted.during)
    if record is None or record.began_ms is None:
        return judged(wanted, "unconfirmed", f"{wanted.during} never began", _more(0))
    began, grace = record.began_ms, evidence.grace_ms
    if why := _untold(evidence):
        return judged(wanted, "unconfirmed", why, _more(began))
    healing = record.healing_ms if record.healing_ms is not None else record.ended_ms
    until = evidence.until_ms if healing is None else healing
    said = f"from {seconds_text(grace)} after {wanted.during} began to its end"
    if until <= began + grace:
        lasted = seconds_text(until - began)
        detail = f"{wanted.during} lasted {lasted}, no longer than what was under way may take"
        return judged(wanted, "unconfirmed", detail, _more(began))
    if found := evidence.course.commits(began + grace, until):
        at_ms, height = found[0]
        detail = f"block {height} was committed {seconds_text(at_ms - began)} after {wanted.during} began"
        return judged(wanted, "broken", detail, _more(began))
    waiting = evidence.waiting(began + grace, until - grace)
    if not waiting:
        detail = f"no block {said}, and no transaction waited for one"
        return judged(wanted, "unconfirmed", detail, _more(began))
    return judged(wanted, "holds", f"no block {said}, although {_waited(waiting)}")


def latency(evidence: Evidence, wanted: Latency) -> Judgement:
    """Time to finality: from a transaction's submission to the commit of its height, by nearest rank."""
    sent = {name: evidence.sent[name] for name in wanted.transactions if name in evidence.sent}
    what = wanted.of or "all"
    if not sent:
        return judged(wanted, "unconfirmed", f"{what}: no transaction was sent")
    never = [name for name, each in sent.items() if not _on_a_ledger(evidence, each.tx.hex())]
    if never:
        lost = f"{len(never)} of {counted(len(sent), 'transaction')} never committed: {some(never)}"
        return judged(wanted, "broken", f"{what}: {lost}", f"privity logs --tx {never[0]}")
    if why := _untold(evidence):
        return judged(wanted, "unconfirmed", f"{what}: {why}")
    taken: dict[str, int] = {}
    for name, each in sent.items():
        committed_ms = evidence.committed_ms(each)
        if committed_ms is None:
            detail = f"{what}: too few honest voters told when {name} was committed"
            return judged(wanted, "unconfirmed", detail, f"privity logs --tx {name}")
        taken[name] = max(0, committed_ms - each.at_ms)
    times = sorted(taken.values())
    measured = {"p50": _rank(times, 50), "p99": _rank(times, 99), "max": times[-1]}
    limits = {"p50": wanted.p50_ms, "p99": wanted.p99_ms, "max": wanted.max_ms}
    shown = ", ".join(f"{name} {seconds_text(ms)}" for name, ms in measured.items())
    detail = f"{what}: {shown} of {counted(len(sent), 'transaction')}"
    over = [
        f"{name} {seconds_text(limit)}"
        for name, limit in limits.items()
        if limit is not None and measured[name] > limit
    ]
    slowest = max(taken, key=lambda name: taken[name])
    if over:
        return judged(
            wanted, "broken", f"{detail}; the limit is {', '.join(over)}", f"privity logs --tx {slowest}"
        )
    if unsent := len(wanted.transactions) - len(sent):
        return judged(wanted, "unconfirmed", f"{detail}; {counted(unsent, 'other')} never sent")
    return judged(wanted, "holds", detail)


def _rank(times: Sequence[int], percent: int) -> int:
    """The smallest of these ascending times that so many of a hundred do not exceed."""
    return times[-(-percent * len(times) // 100) - 1]


def _on_a_ledger(evidence: Evidence, tx: str) -> bool:
    return any(tx in chain.executed for chain in evidence.honest_chains)


def _untold(evidence: Evidence) -> str:
    """Why the logs do not tell when blocks were committed; nothing if they do."""
    honest = set(evidence.honest) & set(evidence.voters)
    needed = weak_quorum(evidence.network.n)
    if len(honest) < needed:
        return f"{counted(len(honest), 'voter')} honest, {needed} needed to tell when a block was committed"
    if not evidence.course.committed:
        return "the logs do not tell when blocks were committed"
    return ""


def _waited(waiting: Sequence[str]) -> str:
    return f"{counted(len(waiting), 'transaction')} waited: {some(waiting)}"


def _more(since_ms: int) -> str:
    return f"privity logs --ev block.commit --since {seconds_text(since_ms)}"
