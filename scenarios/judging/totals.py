"""Judges of totals: who learned one, who learned more, and whether a contributor found it wrong."""

from __future__ import annotations

from node.aggregation.differencing import given_away
from scenarios.judging.evidence import Evidence
from scenarios.judging.judgement import Judgement, judged, names
from scenarios.knowledge.rows import AGGREGATE
from scenarios.model.faults import WRONG_TOTAL
from scenarios.model.lies import coordinator_lies
from scenarios.model.scenario import END, LearnsOnly

SUMMED = "aggregate (contributors)"


def learns_only(evidence: Evidence, wanted: LearnsOnly) -> Judgement:
    """None of these parties has a contributor's value; they have the total, or not even that."""
    matrix, more = evidence.matrix(END), f"privity who-sees {wanted.tx}"
    summed = evidence.summed.get(wanted.tx)
    if summed is None or summed.round is None:
        return judged(wanted, "unconfirmed", f"{wanted.tx}: it was never on a ledger", more)
    for record in wanted.records:
        sent = evidence.sent.get(record)
        if sent is None or sent.tx.hex() not in matrix:
            continue  # A contributor that was away kept nothing on a ledger.
        owner = {sent.planned.sender}
        if able := (set(matrix.partly_reading(sent.tx.hex())) & set(wanted.parties)) - owner:
            return judged(wanted, "broken", f"{names(able)} can read {record}", more)
    for party in wanted.parties:
        for sets in evidence.sets_known_to(party).values():
            if told := given_away(sets):
                detail = f"the totals that {party} has give the value of {told[0]} away"
                return judged(wanted, "broken", detail, more)
    if unsure := matrix.untried & set(wanted.parties):
        return judged(wanted, "unconfirmed", f"it could not be told what {names(unsure)} can read", more)
    tx = summed.carrier.hex()
    row = matrix.row(tx) if summed.carrier and tx in matrix else None
    learned = set() if row is None else set(row.having(AGGREGATE))
    if row is not None and (able := set(row.readers()) - learned):
        return judged(wanted, "broken", f"{names(able)} was sent more than the total", more)
    if wanted.what == "nothing":
        if able := learned & set(wanted.parties):
            return judged(wanted, "broken", f"{names(able)} learned the total", more)
        return judged(wanted, "holds", f"{wanted.tx}: {names(wanted.parties)} learned nothing")
    if summed.wrong:
        return judged(wanted, "broken", f"{names(summed.wrong)} found the total wrong", more)
    if lacking := set(wanted.parties) - learned:
        return judged(wanted, "unconfirmed", f"{names(lacking)} has no total: {summed.outcome}", more)
    return judged(wanted, "holds", f"{wanted.tx}: {summed.outcome}, and no single value")


def summed(evidence: Evidence) -> list[Judgement]:
    """Totals that a contributor found wrong and no fault made so, whether a rule says so or not."""
    found = []
    for step in evidence.scenario.aggregates:
        each = evidence.summed.get(step.id)
        lie = coordinator_lies(evidence.scenario, step)
        if each is not None and each.wrong and (lie is None or lie.kind != WRONG_TOTAL):
            detail = f"{step.id}: {names(each.wrong)} found the total wrong"
            found.append(Judgement(SUMMED, step.line, "broken", detail, f"privity show tx {step.id}-round"))
    return found
