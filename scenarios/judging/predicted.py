"""Judging the readers of every transaction against the drawn plan, whether a rule speaks of it or not.

One that reads more than was planned has learned it for good: that is broken at once, wherever it happens and
whatever became of the transaction elsewhere. One that reads less may still be down, or behind: that is
unconfirmed, and broken once nothing keeps it away and all has come to rest.
"""

from __future__ import annotations

from collections.abc import Iterator

from node.envelopes.fields import Path
from scenarios.judging.evidence import Evidence
from scenarios.judging.judgement import Judgement, Outcome, names
from scenarios.judging.knowledge import ordered
from scenarios.knowledge.rows import READS, WITH_CIPHERTEXT, Row
from scenarios.model.consents import unsure as unsure_of
from scenarios.model.scenario import END, Readers
from scenarios.model.units import format_blocks
from scenarios.sending import Sent
from scenarios.why.receipts import OWED

PREDICTED = "readers (predicted)"


def predicted(evidence: Evidence) -> list[Judgement]:
    """What is not as planned: a judgement for each step with such a transaction, none for the others."""
    steps = (*evidence.scenario.workload, *evidence.scenario.aggregates)
    lines = {tx: step.line for step in steps for tx in step.transactions}
    alike: dict[tuple[int, Outcome], list[tuple[str, str]]] = {}
    for name, result, detail in _differences(evidence):
        alike.setdefault((lines.get(name, 0), result), []).append((name, detail))
    found = []
    for (line, result), all_of_them in alike.items():
        (name, detail), *more = all_of_them
        detail += f" (and {len(more)} more of this step)" if more else ""
        found.append(Judgement(PREDICTED, line, result, detail, f"privity who-sees {name}"))
    return found


def plan_differences(evidence: Evidence) -> list[str]:
    """Every transaction whose readers break the plan, in words."""
    return [detail for _, result, detail in _differences(evidence) if result == "broken"]


def _differences(evidence: Evidence) -> Iterator[tuple[str, Outcome, str]]:
    stated = {
        tx
        for rule in evidence.scenario.expectations
        if isinstance(rule, Readers) and rule.at == END and rule.field is None
        for tx in rule.transactions
    }
    for name, sent in evidence.sent.items():
        found = _kept(evidence, sent) or _more(evidence, sent) or _against_rule(evidence, sent)
        found = found or _less(evidence, sent, stated=name in stated)
        if found is not None:
            result, detail = found
            planned = names(evidence.planned_readers(sent))
            yield name, result, f"{name}: planned {planned}; {detail}"


def _kept(evidence: Evidence, sent: Sent) -> tuple[Outcome, str] | None:
    """Who still has what was to be erased."""
    row = _row(evidence, sent)
    if row is None:
        return None
    purged = evidence.purged.get(sent.tx, frozenset())
    receipts = evidence.purge_of(sent.tx) if purged else None
    if kept := set(row.having(READS, *WITH_CIPHERTEXT)) & purged:
        why = f"its {format_blocks(sent.planned.keep)}" if sent.planned.keep else "its purge"
        lied = "" if receipts is None else names(set(receipts.liars) & kept)
        more = f"; {lied} signed to have erased it" if receipts is not None and receipts.liars else ""
        return "broken", f"still there after {why} at {names(kept)}{more}"
    if receipts is not None and (silent := set(receipts.missing) & purged):
        lacking = [each for each in evidence.missing_receipts(receipts) if each.node in silent]
        # Who is owed one and is away has not got it, whatever the others did.
        waits = {each.node for each in lacking if each.state == OWED and each.owner in evidence.excused}
        due = evidence.settled and bool(silent - evidence.excused - waits)
        detail = f"no purge receipt of {names(silent)}; {'; '.join(each.text for each in lacking)}"
        return "broken" if due else "unconfirmed", detail
    return None


def _more(evidence: Evidence, sent: Sent) -> tuple[Outcome, str] | None:
    """Who reads it, or a part of it, and was not to."""
    row = _row(evidence, sent)
    if row is None:
        return None
    extra = {
        name
        for name in evidence.matrix(END).partly_reading(row.id.hex())
        if _opened(row, name) - evidence.planned_fields(sent, name)
        or (row.knows[name].key is not None and name not in evidence.key_holders(sent))
    }
    if not extra:
        return None
    cells = row.cells
    heights = {name: since.height for name in extra if (since := cells[name].since) is not None}
    each = (
        f"{name} ({cells[name].text()}" + (f" since block {heights[name]})" if name in heights else ")")
        for name in sorted(extra)
    )
    return "broken", f"{', '.join(each)} can read it too"


def _against_rule(evidence: Evidence, sent: Sent) -> tuple[Outcome, str] | None:
    """Who can read it by breach of its owner's rule alone, or reads it after it was taken back."""
    row = _row(evidence, sent)
    if row is None:
        return None
    wanted, unsure = evidence.planned_bound(sent), unsure_of(evidence.scenario, sent.planned)
    if extra := set(row.bound) - wanted - unsure:
        each = (f"{name} ({row.bound[name]})" for name in sorted(extra))
        return "broken", f"{', '.join(each)} holds it against its owner's rule"
    able = {name for name, known in row.knows.items() if known} - set(row.bound)
    if (lacking := wanted & able - unsure) and evidence.settled:
        return "unconfirmed", f"{names(lacking)} may still read it: no ledger takes it back"
    return None


def _less(evidence: Evidence, sent: Sent, *, stated: bool) -> tuple[Outcome, str] | None:
    """Who was to read it, and does not.

    What is on no ledger nobody reads: of that the run tells elsewhere. So does a rule that names the
    transaction of those who cannot be held to it. The sender knows what it said, wherever its node is.
    """
    row, matrix = _row(evidence, sent), evidence.matrix(END)
    if row is None or not any(sent.tx.hex() in chain.executed for chain in evidence.honest_chains):
        return None
    purged = evidence.purged.get(sent.tx, frozenset())
    planned, holders = evidence.planned_readers(sent), row.holders()
    lacking = {
        name
        for name in set(evidence.network.names) - purged
        if evidence.planned_fields(sent, name) - _opened(row, name)
        or (name in planned and name not in holders)
    }
    due = lacking - evidence.excused - matrix.untried
    if due and evidence.settled and ordered(evidence, sent, END):
        return "broken", f"{names(due)} cannot read it"
    if sent.planned.sender in evidence.excused:
        lacking.discard(sent.planned.sender)
    if lacking and not stated:
        return "unconfirmed", f"{names(lacking)} cannot read it yet, or it cannot be told"
    return None


def _opened(row: Row, name: str) -> set[Path]:
    return set(row.knows[name].opened) if name in row.knows else set()


def _row(evidence: Evidence, sent: Sent) -> Row | None:
    matrix, tx = evidence.matrix(END), sent.tx.hex()
    return matrix.row(tx) if tx in matrix else None
