"""The predicted matrix against the run: judged for every transaction, whether a rule speaks of it or not."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from node.errors import CHECK_FAILED, FINE, UNCONFIRMED
from node.run_reading import RunReading
from scenarios.judging import PREDICTED, Evidence, predicted
from scenarios.knowledge.opening import How, Knowledge, Since
from scenarios.model.plan import PlannedSend
from scenarios.sending import Sending, Sent
from tests.command_line import Outcome, Privity
from tests.scenarios.virtual_evidence import evidence_of

HEAD = """\
privity: 1
name: predicted
network: {transport: memory}
consensus: {block_every: 50ms, view_timeout: 500ms}
parties: {alice: {}, bob: {}, carol: {}, dave: {}}
steps:
"""
RENT = "  - {at: 1s, do: send, id: rent, as: alice, to: [bob], data: {note: the rent of May}}\n"
TRAFFIC = '  - {at: 1s, do: load, id: traffic, as: alice, to: [bob], count: 5, data: {pay: "1..900"}}\n'
AGREE = "expect: [{check: agreement}]\n"


def run(privity: Privity, home: Path, text: str, *more: str) -> Outcome:
    """What `privity run` says of this file."""
    (home / "predicted.yaml").write_text(text)
    return privity(home, "run", str(home / "predicted.yaml"), *more)


def document(privity: Privity, home: Path, text: str) -> Outcome:
    return run(privity, home, text, "--json", "-q")


def lines_of(done: Outcome) -> list[tuple[str, int, str]]:
    """What is said of predicted readers: result, line, detail."""
    return [
        (each["result"], each["line"], each["detail"])
        for each in done.document["expectations"]
        if each["check"] == PREDICTED
    ]


@pytest.fixture
def leaking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mutant of the operator: whatever it seals it seals to carol as well, and says nothing of it."""
    honest = Sending.submit

    async def submit(self: Sending, send: PlannedSend) -> Sent:
        sent = await honest(self, dataclasses.replace(send, readers=(*send.readers, "carol")))
        self.sent[send.id] = dataclasses.replace(sent, planned=send)
        return self.sent[send.id]

    monkeypatch.setattr(Sending, "submit", submit)


def test_a_run_as_planned_has_no_line_more(privity: Privity, tmp_path: Path) -> None:
    """Where nothing differs from the plan, the expectations of the file are all that is told."""
    done = document(privity, tmp_path, HEAD + RENT + TRAFFIC + AGREE)
    assert done.code == FINE and lines_of(done) == []


@pytest.mark.usefixtures("leaking")
def test_a_key_handed_to_somebody_else_fails_the_run(privity: Privity, tmp_path: Path) -> None:
    """One key slot too many: a failed line at the step, although no rule speaks of the transaction."""
    done = document(privity, tmp_path, HEAD + RENT + TRAFFIC + AGREE)
    assert (done.code, done.document["verdict"]) == (CHECK_FAILED, "fail")
    rent, traffic = lines_of(done)
    assert rent[:2] == ("broken", 7) and traffic[:2] == ("broken", 8)
    assert rent[2].startswith("rent: planned alice bob; carol (● N since block ")
    assert traffic[2].endswith(" can read it too (and 4 more of this step)")
    assert done.document["plan"]["differing"] == 6
    words = run(privity, tmp_path, HEAD + RENT + AGREE).out
    assert "predicted.yaml:7  readers (predicted)  rent: planned alice bob; carol (● N" in words
    assert "    see   privity who-sees rent" in words


def test_a_wrapping_key_in_other_hands_fails_the_run(tmp_path: Path) -> None:
    """A node that holds another's private key reads what that other reads; the plan knows nothing of it."""
    evidence = evidence_of(tmp_path, HEAD + RENT + AGREE)
    assert predicted(evidence) == []
    keys = RunReading(evidence.folder).folder
    stolen = (keys.node("bob") / "keys" / "wrapping.pem").read_bytes()
    (keys.node("dave") / "keys" / "wrapping.pem").write_bytes(stolen)
    (found,) = predicted(dataclasses.replace(evidence))
    assert (found.result, found.line) == ("broken", 7) and "dave (● N since block" in found.detail


# When.


def test_more_fails_at_once(tmp_path: Path) -> None:
    """A reader too many is broken before the network has come to rest, or all have the transaction."""
    evidence = evidence_of(tmp_path, HEAD + RENT + AGREE)
    row = evidence.matrix("end").row("rent")
    row.learn("dave", Knowledge({("note",): How("D", Since(2000, 3))}))
    bare = [dataclasses.replace(chain, executed={}) for chain in evidence.chains]
    for chains in (evidence.chains, bare):
        early = with_matrix(dataclasses.replace(evidence, settled=False, chains=chains), evidence)
        (found,) = predicted(early)
        assert found.result == "broken" and found.detail.endswith(
            "dave (● D since block 3) can read it too"
        ), found.detail


def with_matrix(changed: Evidence, evidence: Evidence) -> Evidence:
    """The same evidence with a matrix that was tampered with."""
    changed._matrices["end"] = evidence.matrix("end")
    return changed


def test_a_part_is_more(tmp_path: Path) -> None:
    """One field of two is a reader too many as well."""
    text = HEAD + RENT.replace("{note:", "{price: 90, note:") + AGREE
    evidence = evidence_of(tmp_path, text)
    evidence.matrix("end").row("rent").learn("dave", Knowledge({("price",): How("D", Since(2000, 3))}))
    (found,) = predicted(evidence)
    assert (found.result, "dave (● 1/2 since block 3)" in found.detail) == ("broken", True)


def down(end: str) -> str:
    return f"  - {{at: 700ms, do: fault, id: down, kind: crash, nodes: [bob]{end}}}\n"


def test_less_is_unconfirmed_while_a_reader_is_down(privity: Privity, tmp_path: Path) -> None:
    """bob is down for good: nobody can say what it would read, unless a rule says who is to read it."""
    text = HEAD + down("") + RENT
    done = document(privity, tmp_path, text + AGREE)
    assert done.code == UNCONFIRMED
    assert lines_of(done) == [
        ("unconfirmed", 8, "rent: planned alice bob; bob cannot read it yet, or it cannot be told")
    ]
    assert done.document["plan"]["differing"] == 0
    stated = document(privity, tmp_path, text + "expect: [{check: readers, tx: rent, are: [alice]}]\n")
    assert (stated.code, lines_of(stated)) == (FINE, [])


def test_less_holds_after_healing(privity: Privity, tmp_path: Path) -> None:
    """bob comes back, gets the blob, and reads it."""
    done = document(privity, tmp_path, HEAD + down(", for: 2s") + RENT + AGREE)
    assert (done.code, lines_of(done)) == (FINE, [])


def test_less_fails_after_healing(tmp_path: Path) -> None:
    """A reader that nothing keeps away and that lacks the blob all the same breaks the plan; not earlier."""
    evidence = evidence_of(tmp_path, HEAD + down(", for: 2s") + RENT + AGREE)
    tx = evidence.sent["rent"].tx.hex()
    (evidence.folder.node("bob") / "blobs" / tx).unlink()
    (found,) = predicted(evidence)
    assert (found.result, found.detail) == ("broken", "rent: planned alice bob; bob cannot read it")
    (found,) = predicted(dataclasses.replace(evidence, settled=False))
    assert found.result == "unconfirmed"
