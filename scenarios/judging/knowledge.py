"""Judges of who knows what: contents, what is learned without them, and secrets in public places."""

from __future__ import annotations

from collections.abc import Callable

from node.duration import seconds_text
from scenarios.judging.evidence import Evidence
from scenarios.judging.judgement import Judgement, Outcome, judged, names
from scenarios.knowledge.metadata import Metadata
from scenarios.knowledge.rows import NOTHING
from scenarios.model.prediction import BROKER
from scenarios.model.scenario import END, Denied, MetadataKnown, Moment, NoPlaintext, Readers
from scenarios.sending import Sent

Found = tuple[Outcome, str]


def readers(evidence: Evidence, wanted: Readers) -> Judgement:
    """Exactly these parties can read it, by trying every key."""

    def compare(sent: Sent) -> Found:
        matrix = evidence.matrix(wanted.at)
        tx, what = sent.tx.hex(), "it" if wanted.field is None else "this field"
        reading = matrix.readers(tx, wanted.field)
        said = f"expected {names(wanted.parties)}"
        could = set(matrix.row(tx).bound) & matrix.partly_reading(tx, wanted.field)
        if other := could ^ set(wanted.could):
            held = names(other & could) if other & could else ""
            if held:
                return "broken", f"{said}; {held} could read {what} too, only a rule forbids it"
            return _lacking(evidence, other), f"{said}; {names(other)} could not read {what} against a rule"
        if extra := reading - set(wanted.parties):
            return "broken", f"{said}; {names(extra)} can read {what} too"
        # A part that the steps say is shown to somebody makes nobody a reader of all of it.
        shown = evidence.shown_in_part(sent) if wanted.field is None else set()
        if extra := matrix.partly_reading(tx, wanted.field) - set(wanted.parties) - shown - could:
            return "broken", f"{said}; {names(extra)} can read a part of {what}"
        if lacking := set(wanted.parties) - reading - matrix.untried:
            return _lacking(evidence, lacking), f"{said}; {names(lacking)} cannot read {what}"
        if matrix.untried:
            return "unconfirmed", _untried(matrix.untried)
        rest = f"; {names(could)} could, only a rule forbids it" if could else ""
        return "holds", f"read by {names(reading)}{rest}"

    return _each(evidence, wanted, wanted.at, f"privity who-sees {wanted.tx}", compare)


def denied(evidence: Evidence, wanted: Denied) -> Judgement:
    """None of these parties can read it."""

    def compare(sent: Sent) -> Found:
        matrix = evidence.matrix(wanted.at)
        if reading := matrix.readers(sent.tx.hex()) & set(wanted.parties):
            return "broken", f"{names(reading)} can read it"
        if reading := matrix.partly_reading(sent.tx.hex()) & set(wanted.parties):
            return "broken", f"{names(reading)} can read a part of it"
        if unsure := matrix.untried & set(wanted.parties):
            return "unconfirmed", _untried(unsure)
        return "holds", f"denied to {names(wanted.parties)}"

    return _each(evidence, wanted, wanted.at, f"privity who-sees {wanted.tx}", compare)


def metadata(evidence: Evidence, wanted: MetadataKnown) -> Judgement:
    """Exactly these know sender, size or recipients of it, the broker perhaps among them."""

    def compare(sent: Sent) -> Found:
        found = evidence.metadata(sent)
        assert found is not None, "it is on a ledger"
        knowing = set(_known(found, wanted.knows))
        said = f"{wanted.knows} expected to be known to {names(wanted.observers)}"
        if extra := knowing - set(wanted.observers):
            return "broken", f"{said}; {names(extra)} knows it too"
        if lacking := set(wanted.observers) - knowing:
            return _lacking(evidence, lacking), f"{said}; {names(lacking)} does not know it"
        if BROKER not in wanted.observers and not evidence.recorded:
            return "unconfirmed", "the recorder missed a part of what the broker carried"
        return "holds", f"{wanted.knows} known to {names(knowing)}"

    return _each(evidence, wanted, END, f"privity who-sees {wanted.tx} --metadata", compare)


def _known(found: Metadata, what: str) -> list[str]:
    return {"recipients": found.recipients_known_to, "sender": found.sender, "size": found.size}[what]


def _untried(parties: set[str]) -> str:
    return f"it could not be told what {names(parties)} can read"


def _lacking(evidence: Evidence, lacking: set[str]) -> Outcome:
    """Knowing less than predicted is no leak; once all is delivered it is a broken promise all the same."""
    return "broken" if evidence.settled and lacking - evidence.excused else "unconfirmed"


def _each(
    evidence: Evidence,
    wanted: Readers | Denied | MetadataKnown,
    at: Moment,
    more: str,
    compare: Callable[[Sent], Found],
) -> Judgement:
    """Judge each transaction that the expectation speaks of; the first that does not hold decides."""
    worst: Judgement | None = None
    last = ""
    moment = "" if at == END else f" at {seconds_text(at) if isinstance(at, int) else at}"
    field = f" {wanted.field}" if isinstance(wanted, Readers) and wanted.field is not None else ""
    if evidence.reached(at) is None:
        return judged(wanted, "unconfirmed", f"{wanted.tx}{moment}: {at} never came", more)
    for name in wanted.transactions:
        sent = evidence.sent.get(name)
        if sent is None or not ordered(evidence, sent, at):
            outcome: Outcome = "unconfirmed"
            detail = "it was not ordered by then" if sent else "it was never sent"
        else:
            outcome, detail = compare(sent)
        last = detail
        if outcome == "broken":
            return judged(wanted, "broken", f"{name}{moment}: {detail}", more)
        if outcome == "unconfirmed" and worst is None:
            worst = judged(wanted, "unconfirmed", f"{name}{moment}: {detail}", more)
    if worst is not None:
        return worst
    count = len(wanted.transactions)
    what = f"{wanted.tx}{field}{moment}"
    return judged(wanted, "holds", f"{what}: {last}" if count == 1 else f"{what}: all {count}")


def ordered(evidence: Evidence, sent: Sent, at: Moment) -> bool:
    """Whether all who follow had it on their ledgers by then: who cannot read what is not there?"""
    tx, matrix = sent.tx.hex(), evidence.matrix(at)
    if not evidence.executed_everywhere(sent) or tx not in matrix:
        return False
    return not set(matrix.row(tx).having(NOTHING)) - evidence.excused - {BROKER}


def no_plaintext(evidence: Evidence, wanted: NoPlaintext) -> Judgement:
    """No payload, salt or key lies where its readers are not."""
    if "report" in wanted.stores and not evidence.folder.report.exists():
        return judged(wanted, "unconfirmed", "there is no report to search")
    result = evidence.scan(frozenset(wanted.stores))
    if result.found:
        first = result.found[0]
        detail = f"{len(result.found)} found, the first a {first.kind} as {first.form} in {first.path}"
        return judged(wanted, "broken", detail)
    if not evidence.sent:
        return judged(wanted, "unconfirmed", "no transaction was sent, so there was nothing to look for")
    if "broker" in wanted.stores and not evidence.recorded:
        return judged(wanted, "unconfirmed", "the recorder missed a part of what the broker carried")
    where = ", ".join(wanted.stores)
    return judged(wanted, "holds", f"0 of {result.searched} secrets found in {where}")
