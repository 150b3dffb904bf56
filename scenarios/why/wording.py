"""A diagnosis in words: for people as lines, for programs as one document of schema `privity.why/1`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scenarios.why import diagnosis as states
from scenarios.why.diagnosis import Diagnosis
from scenarios.why.known import Ended, Submitted
from scenarios.why.reach import BY_ITSELF, CUT_OFF, NO_ANSWER, Missing

SCHEMA = "privity.why/1"
_NAMED = 4  # So many transactions are named; of the others only the number.


def lines_of(diagnosis: Diagnosis) -> list[str]:
    """What `privity why` prints of a network: the answer, then what it rests on and what comes next."""
    lines = [] if diagnosis.ended is None else [ended_line(diagnosis.run, diagnosis.ended)]
    if diagnosis.ended is not None:
        lines += [line("unmet", each) for each in diagnosis.ended.unmet]
        for each, reader in diagnosis.undelivered[:_NAMED]:
            lines.append(line("lacks", f"{reader} had not got {each.name}, which is in block {each.height}"))
        if not diagnosis.waiting:
            return lines if diagnosis.undelivered else [*lines, "Nothing was open then."]
    lines.append(headline(diagnosis))
    if diagnosis.state in (states.IDLE, states.WELL):
        return lines
    need = f"{diagnosis.quorum} of {diagnosis.voters} voters"
    have = (
        f"have {len(diagnosis.have)}: {' '.join(diagnosis.have)}"
        if diagnosis.have
        else "have none that hears another"
    )
    lines.append(line("need", f"{need}      {have}"))
    lines += missing_lines(diagnosis.missing)
    lines += [line("fault", _fault_text(diagnosis))] if diagnosis.state == states.BROKER else []
    lines += [line("rule", rule)] if (rule := rule_of(diagnosis)) else []
    for suspicion in diagnosis.suspected:
        by = f" (fault {suspicion.fault})" if suspicion.fault else ""
        lines.append(line("seems", suspicion.text + by))
    lines += [line("wait", _waiting_text(diagnosis.waiting))] if diagnosis.waiting else []
    if diagnosis.ended is None:
        lines.append(line("next", next_of(diagnosis)))
    return lines


def document_of(diagnosis: Diagnosis) -> dict[str, Any]:
    """The same for programs, with a field for each line; times are seconds since the genesis."""
    ended = diagnosis.ended
    change = diagnosis.change
    return {
        "schema": SCHEMA,
        "run": diagnosis.run,
        "at": diagnosis.now_ms / 1000,
        "well": diagnosis.well,
        "state": diagnosis.state,
        "answer": headline(diagnosis),
        "height": diagnosis.height,
        "view": diagnosis.view,
        "primary": diagnosis.primary,
        "overdue_s": diagnosis.overdue_ms / 1000,
        "need": {
            "quorum": diagnosis.quorum,
            "voters": diagnosis.voters,
            "tolerated": diagnosis.tolerated,
            "have": list(diagnosis.have),
        },
        "missing": [missing_document(each) for each in diagnosis.missing],
        "rule": {"correct": diagnosis.correct, "text": rule_of(diagnosis) or None},
        "suspected": [
            {"what": each.what, "who": each.who, "text": each.text, "fault": each.fault}
            for each in diagnosis.suspected
        ],
        "view_change": None
        if change is None
        else {
            "to": change.to,
            "primary": change.primary,
            "have": change.have,
            "need": change.need,
            "voters": list(change.voters),
        },
        "waiting": {
            "count": len(diagnosis.waiting),
            "first": [each.name for each in diagnosis.waiting[:_NAMED]],
            "oldest_s": diagnosis.waiting[0].at_ms / 1000 if diagnosis.waiting else None,
        },
        "undelivered": [{"tx": each.name, "node": reader} for each, reader in diagnosis.undelivered],
        "faults": [each.id for each in diagnosis.heals],
        "next": None if ended is not None else next_of(diagnosis),
        "ended": None
        if ended is None
        else {
            "at": ended.at_ms / 1000,
            "verdict": ended.verdict,
            "held": ended.held,
            "expected": ended.expected,
            "killed": ended.killed,
            "unmet": list(ended.unmet),
        },
        "tx": None,
    }


def headline(diagnosis: Diagnosis) -> str:
    """The answer in one sentence."""
    where = f"height {diagnosis.height}, view {diagnosis.view}"
    count = _counted(len(diagnosis.waiting), "transaction waits", "transactions wait")
    state = diagnosis.state
    if state in states.NO_BLOCKS:
        broker = "The broker does not answer. " if state == states.BROKER else ""
        if not diagnosis.waiting:
            return f"{broker}No block can be made at {where}; none is due either, nothing waits."
        return f"{broker}No block for {seconds(diagnosis.overdue_ms)} at {where}."
    match state:
        case states.IDLE:
            return f"All is well: nothing is pending, so no block is due. {_up(diagnosis)} at {where}."
        case states.WELL:
            return f"All is well: {count} for the next block. {_up(diagnosis)} at {where}."
        case states.DEGRADED:
            count_missing = _counted(len(diagnosis.missing), "node is", "nodes are")
            return f"Blocks can be made, and {count_missing} missing, at {where}."
        case states.CENSORED:
            named = _named(diagnosis.left_out)
            return f"Blocks come, and {named} may be left out on purpose, at {where}."
        case states.SLOWED:
            return f"Blocks come slowly at {where}."
    return f"Nothing can be told: no node answers, and none has a log. Last known {where}."


def rule_of(diagnosis: Diagnosis) -> str:
    """What theory says of it; nothing where it has nothing to say."""
    voters, tolerated, count = diagnosis.voters, diagnosis.tolerated, diagnosis.voters_missing
    bears = f"{voters} voters tolerate {_counted(tolerated, 'fault', 'faults')}"
    if diagnosis.state == states.BROKER:
        return "without a broker no voter hears another, so stopping is CORRECT (safety before progress)"
    if diagnosis.state == states.STOPPED:
        verb = "is" if count == 1 else "are"
        how = "missing" if any(each.how == CUT_OFF for each in diagnosis.missing) else "down"
        return f"{bears}; {count} {verb} {how}, so stopping is CORRECT (safety before progress)"
    if diagnosis.state == states.SLOWED:
        limit = seconds(diagnosis.view_timeout_ms)
        return f"a primary that stays below the view timeout ({limit}) is not replaced: PBFT has no answer"
    if count:
        verb = "is" if count == 1 else "are"
        return f"{bears}; {count} {verb} missing, and {diagnosis.quorum} are enough, so it must go on"
    if diagnosis.missing:
        return "only followers are missing, and they take no part in the order"
    return f"{bears}, so one that misbehaves must not stop it" if diagnosis.suspected else ""


def next_of(diagnosis: Diagnosis) -> str:
    """What happens by itself, and which command helps."""
    parts = []
    change, state = diagnosis.change, diagnosis.state
    if change is not None and state in (states.STOPPED, states.CHANGING):
        votes = f"view change to {change.to} has {change.have} of the {change.need} votes it needs"
        begins = "" if change.have < change.need else f"; {change.primary}, who leads there, must begin it"
        parts.append(votes + begins)
    elif state in (states.NO_PRIMARY, states.STALLED, states.CENSORED):
        limit = seconds(diagnosis.view_timeout_ms)
        parts.append(f"whoever sees a request wait for {limit} asks for view {diagnosis.view + 1}")
    elif state == states.STOPPED:
        parts.append(f"it goes on by itself once {diagnosis.quorum} voters hear each other")
    elif state == states.BROKER:
        parts.append("nodes connect again by themselves once it is back; nothing is lost")
    text = parts[0] if parts else ""
    return f"{text}. {_command(diagnosis)}" if text else _command(diagnosis)


def _command(diagnosis: Diagnosis) -> str:
    heals = diagnosis.heals
    by_itself = heals and all(each.until_ms is not None for each in heals)
    if heals and diagnosis.takes_faults:
        command = " · ".join(f"privity fault heal {each.id}" for each in heals)
        return f"Wait, or: {command}" if by_itself else f"Nothing heals it by itself: {command}"
    if heals:
        last_ms = max(each.until_ms or 0 for each in heals)
        return f"Wait: it heals at {seconds(last_ms)}" if by_itself else "The scenario never heals it"
    if diagnosis.state == states.BROKER:
        return "privity down, then up again; broker/ in the run folder holds its last words"
    named = next((each.node for each in diagnosis.missing), None)
    return f"privity logs {named} --level warn" if named else "privity logs --level warn --since=-10s"


def missing_lines(gone: Sequence[Missing]) -> list[str]:
    """A line for all that are missing for one reason."""
    groups: dict[tuple[object, ...], list[Missing]] = {}
    for each in gone:
        since = None if each.how == NO_ANSWER else each.since_ms
        groups.setdefault((each.how, each.fault, since, each.until_ms), []).append(each)
    return [
        line(
            "cut" if group[0].how == CUT_OFF else "down",
            f"{' '.join(e.node for e in group)}: {why(group[0])}",
        )
        for group in groups.values()
    ]


def why(one: Missing) -> str:
    """Why a node is missing: `crashed at 40.0 s by fault too-many, back at 46.0 s`."""
    text = one.how
    if one.since_ms is not None:
        text += f" at {seconds(one.since_ms)}" if one.fault or one.how == BY_ITSELF else ""
    if one.fault is not None:
        back = "until it is healed" if one.until_ms is None else f"back at {seconds(one.until_ms)}"
        return f"{text} by fault {one.fault}, {back}"
    if one.how == NO_ANSWER:
        ends = "" if one.since_ms is None else f"; its log ends at {seconds(one.since_ms)}"
        return f"{text}, and no fault explains it{ends}"
    return text


def missing_document(one: Missing) -> dict[str, Any]:
    """The same for programs."""
    return {
        "node": one.node,
        "votes": one.votes,
        "how": one.how,
        "since": None if one.since_ms is None else one.since_ms / 1000,
        "fault": one.fault,
        "until": None if one.until_ms is None else one.until_ms / 1000,
    }


def ended_line(run: str, ended: Ended) -> str:
    """`The run ended at 12.3 s; its verdict: pass, 5 of 5 expectations hold.`"""
    how = "was killed" if ended.killed else "ended"
    verdict = "nobody judged it"
    if ended.verdict is not None:
        verdict = f"its verdict: {ended.verdict}, {ended.held} of {ended.expected} expectations hold"
    return f"Run {run} {how} at {seconds(ended.at_ms)}; {verdict}."


def line(word: str, text: str) -> str:
    """One line below the answer."""
    return f"  {word:<5} {text}"


def seconds(ms: int) -> str:
    """`6.1 s`."""
    return f"{ms / 1000:.1f} s"


def _fault_text(diagnosis: Diagnosis) -> str:
    records = [each for each in diagnosis.heals if each.kind.startswith("broker-")]
    if not records:
        return "none explains it"
    record = records[0]
    back = "until it is healed" if record.until_ms is None else f"back at {seconds(record.until_ms)}"
    return f"{record.id}: the broker went down at {seconds(record.began_ms or 0)}, {back}"


def _up(diagnosis: Diagnosis) -> str:
    return f"{len(diagnosis.have)} of {diagnosis.voters} voters are there (quorum {diagnosis.quorum})"


def _waiting_text(waiting: Sequence[Submitted]) -> str:
    count = _counted(len(waiting), "transaction", "transactions")
    return f"{count}: {_named(waiting)}; the oldest since {seconds(waiting[0].at_ms)}"


def _named(waiting: Sequence[Submitted]) -> str:
    names = [each.name for each in waiting[:_NAMED]]
    more = f" and {len(waiting) - _NAMED} more" if len(waiting) > _NAMED else ""
    return " ".join(names) + more


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
