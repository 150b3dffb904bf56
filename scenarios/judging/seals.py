"""Judges of seals: whether one was opened, and whether exactly the steps that were to be refused were."""

from __future__ import annotations

from collections.abc import Iterator

from node.chain.reading import NodeReading
from node.duration import seconds_text
from scenarios.judging.evidence import Evidence
from scenarios.judging.judgement import Judgement, Outcome, counted, judged, names
from scenarios.model.scenario import END, Opened, Opening, Send

EXPECTED = "step (expect)"


def opened(evidence: Evidence, wanted: Opened) -> Judgement:
    """Each payload that came in time is read, by trying, by all whom its seal is for."""
    node = evidence.highest
    state = node.seals.states.get(wanted.seal)
    more = f"privity show seal {wanted.seal}"
    moment = "" if wanted.at == END else f" at {seconds_text(wanted.at)}"
    if state is None or state.opened is None:
        return judged(wanted, "broken", f"{wanted.seal} was never open", more)
    if not state.on_time:
        return judged(wanted, "unconfirmed", f"nothing lies under {wanted.seal}", more)
    until_ms = None if wanted.at == END else evidence.network.created_ms + wanted.at
    gave = state.gave(until_ms)
    lacking: set[str] = set()
    matrix = evidence.matrix(wanted.at)
    for bid in state.on_time:
        reading = matrix.readers(bid.tx.hex()) if bid.tx.hex() in matrix else set()
        lacking |= set(state.seal.then_to) - reading - matrix.untried
    if due := lacking - evidence.excused:
        silent = [name for name in state.withholding() if name not in gave]
        kept = f"; {names(silent)} released no share" if silent else ""
        result: Outcome = "broken" if evidence.settled or wanted.at != END else "unconfirmed"
        detail = f"{wanted.seal}{moment}: {names(due)} cannot read all under it{kept}"
        return judged(wanted, result, detail, more)
    if wanted.by is not None and set(wanted.by) != set(gave):
        detail = f"{wanted.seal}{moment}: expected by {names(wanted.by)}, opened by {names(gave)}"
        return judged(wanted, "broken", detail, more)
    if lacking:
        return judged(wanted, "unconfirmed", f"{names(lacking)} may be behind", more)
    count = counted(len(state.on_time), "payload")
    return judged(wanted, "holds", f"{wanted.seal}: {count} opened by {names(gave)}", more)


def steps_as_expected(evidence: Evidence) -> list[Judgement]:
    """What was to be refused and was not, or the other way round: a judgement for each such step."""
    if not evidence.scenario.seals:
        return []
    node = evidence.highest
    found = [*_openings(evidence, node), *_sends(evidence, node)]
    return [Judgement(EXPECTED, line, "broken", detail, more) for line, detail, more in found]


def _openings(evidence: Evidence, node: NodeReading) -> Iterator[tuple[int, str, str]]:
    ids = {label.id: bytes.fromhex(label.tx) for label in evidence.labels}
    for step in evidence.scenario.steps:
        if not isinstance(step, Opening):
            continue
        more = f"privity show seal {step.seal}"
        requests = {
            name: node.seals.request(ids[f"{step.id}-{name}"])
            for name in step.openers
            if f"{step.id}-{name}" in ids
        }
        for name, request in requests.items():
            if request is None:
                continue  # On no ledger: of that the run tells elsewhere.
            if step.expect_refused and not request.refused:
                yield step.line, f"{step.id}: {name}'s request was to be refused and counts", more
            elif request.refused and not step.expect_refused:
                yield step.line, f"{step.id}: {name}'s request was refused: {request.refused}", more


def _sends(evidence: Evidence, node: NodeReading) -> Iterator[tuple[int, str, str]]:
    for step in evidence.scenario.steps:
        if not isinstance(step, Send) or not step.seal or step.id not in evidence.sent:
            continue
        bid = node.seals.bid(evidence.sent[step.id].tx)
        more = f"privity show seal {step.seal}"
        if bid is not None and bid.late and not step.expect_refused:
            yield step.line, f"{step.id} came too late for {step.seal}: block {bid.at[0]}", more
        elif bid is not None and not bid.late and step.expect_refused:
            yield step.line, f"{step.id} was to come too late for {step.seal}, and is in time", more
