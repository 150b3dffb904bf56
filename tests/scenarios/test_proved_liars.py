"""A scenario whose sender tells two tales: planned, played, proved, judged, and shown everywhere alike."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from node.envelopes.sender_proof import SenderProof, encode_proof
from node.faults.two_tales import other_tale
from node.sender_evidence import FOLDER
from scenarios import lying, verdict
from scenarios.judging import judge
from scenarios.judging.evidence import Evidence
from scenarios.model.loading import parse_scenario
from scenarios.model.plan import plan
from scenarios.model.prediction import predicted
from scenarios.model.scenario import Blamed
from scenarios.operating import Options
from scenarios.proved_liars import framed, proved_liars
from scenarios.verdict import in_words, verdict_of
from tests.command_line import Privity
from tests.scenarios.virtual_evidence import evidence_of, one

WHISTLE = Path(__file__).parents[2] / "scenarios" / "whistle.yaml"
SCENARIO = """\
privity: 1
name: tales
network: {{transport: memory}}
privacy: {{payload: {payload}}}
consensus: {{block_every: 50ms, view_timeout: 500ms}}
parties: {{alice: {{}}, bob: {{}}, carol: {{}}, dave: {{}}, erin: {{votes: false}}}}
steps:
  - {{at: 1s, do: fault, id: lying, kind: two-tales, nodes: [alice], for: 1s}}
  - {{at: 1500ms, do: send, id: deal, as: alice, to: [bob, carol, erin], data: {{price: 800, to: nobody}}}}
  - {{at: 1600ms, do: send, id: other, as: bob, to: [alice, carol], data: {{n: 1}}}}
  - {{at: 3s, do: send, id: later, as: alice, to: [bob, carol], data: {{n: 2}}}}
expect:
  - {{check: blamed, who: alice, tx: deal{more}}}
"""


def tales(home: Path, more: str = "", payload: str = "on_chain") -> Evidence:
    """The evidence of a run in which alice lies once."""
    return evidence_of(home, SCENARIO.format(more=more, payload=payload), Options(level="debug"))


def document(evidence: Evidence) -> dict[str, object]:
    return verdict_of(evidence, judge(evidence), views={}, world={}, seconds=1.0)


def test_who_is_deceived_follows_from_the_file() -> None:
    """P06: the smaller half of the readers, of what the liar sends meanwhile to two or more; nobody else."""
    scenario = parse_scenario(SCENARIO.format(more="", payload="on_chain"), "tales.yaml")
    sends = {send.id: send for send in plan(scenario)}
    assert {name: send.deceived for name, send in sends.items()} == {
        "deal": ("erin",),
        "other": (),
        "later": (),
    }
    cells = {
        row.tx: {name: cell.text() for name, cell in row.cells.items()}
        for row in predicted(scenario, plan(scenario))
    }
    assert (cells["deal"]["erin"], cells["deal"]["carol"], cells["later"]["carol"]) == ("○", "● N", "● N")


def test_p49_both_sides_prove_the_lie_and_nobody_else_is_blamed(tmp_path: Path) -> None:
    """P06, P49: readers of either tale prove it, by public data; the verdict names whom, the plan holds."""
    evidence = tales(tmp_path, ", by: [bob, carol, erin]")
    assert (one(evidence).result, one(evidence).detail) == (
        "holds",
        "deal: alice is proved a liar by bob carol erin",
    )
    found = document(evidence)
    assert (found["verdict"], found["framed"]) == ("pass", [])
    (liar,) = found["liars"]  # type: ignore[misc]
    assert (liar["party"], liar["id"]) == ("alice", "deal")
    assert liar["proofs"] == {"bob": "slots", "carol": "slots", "erin": "wrapped_key"}
    lines = in_words(found, judge(evidence), [], "")
    assert any(line.startswith("! alice is proved a liar about deal: ") for line in lines)
    (fault,) = evidence.faults
    assert (fault.touched, fault.counts, evidence.honest) == (1, False, list(evidence.network.names))


@pytest.mark.parametrize(
    ("more", "result"),
    [
        (", by: [bob, carol]", "broken"),
        (", by: [bob, carol, dave, erin]", "broken"),
        ("", "holds"),
    ],
)
def test_the_rule_is_exact(tmp_path: Path, more: str, result: str) -> None:
    """With `by` exactly these keep a proof; without, anybody."""
    assert one(tales(tmp_path, more)).result == result


def test_the_rule_wants_this_liar_and_this_transaction(tmp_path: Path) -> None:
    """Another sender, and a transaction in order, are not proved anything."""
    evidence = tales(tmp_path)
    for who, tx in (("bob", "deal"), ("alice", "later"), ("bob", "other")):
        rule = Blamed("blamed", "expect[0]", 12, who, tx, (tx,), ())
        (found,) = judge(
            dataclasses.replace(
                evidence, scenario=dataclasses.replace(evidence.scenario, expectations=(rule,))
            )
        )
        assert (found.result, found.detail) == ("broken", f"{tx}: {who} is not proved a liar by anybody")


def test_p49_a_proof_against_who_did_not_lie_on_purpose_fails_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P49: a proof that holds and no fault explains is a bug of ours or a framing; either fails the run.

    It is made with everything at hand: the liar's own envelope, and a plan that says nobody was to lie.
    """
    evidence = tales(tmp_path)
    sent = evidence.sent["deal"]
    sent.planned = dataclasses.replace(sent.planned, deceived=())
    assert [liar.party for liar in framed(evidence.liars, {sent.tx: sent.planned}, evidence.scenario)] == [
        "alice"
    ]
    monkeypatch.setattr(
        verdict, "plan_differences", lambda evidence: []
    )  # That erin reads less fails it, too.
    found = document(evidence)
    assert found["verdict"] == "fail" and found["plan"]["differing"] == 0  # type: ignore[index]
    assert any(line.startswith("✗ alice is proved a liar") for line in in_words(found, [], [], ""))


def test_p49_what_a_node_puts_there_is_judged_anew(tmp_path: Path) -> None:
    """P49: a harmless proof in the folder of a reader blames nobody, whatever the node says of it."""
    evidence = tales(tmp_path)
    sealed = evidence.sent["later"].sealed
    assert sealed is not None
    harmless = SenderProof(sealed.transaction, sealed.blob, sealed.content_key, None)
    folder = evidence.folder.node("bob") / FOLDER
    (folder / sealed.transaction.id.hex()).write_bytes(encode_proof(harmless))
    found = proved_liars(evidence.folder, evidence.network, ["bob"])
    assert [liar.tx for liar in found] == [evidence.sent["deal"].tx]


def test_p06_off_chain_it_never_gets_so_far(tmp_path: Path) -> None:
    """P06: off chain its readers give no receipt; it is not ordered, and proved all the same."""
    evidence = tales(tmp_path, ", by: [bob, carol, erin]", payload="off_chain")
    assert one(evidence).result == "holds"
    assert evidence.sent["deal"].refused == "E-RECEIPTS"
    assert not any(evidence.sent["deal"].tx.hex() in chain.executed for chain in evidence.chains)


def test_a_liar_who_does_not_lie_is_vacuous(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run proves that its fault happened: a client that lies no longer fails it."""
    monkeypatch.setattr("scenarios.sending.lie", lambda run, send, honest: honest)
    found = document(tales(tmp_path))
    (fault,) = found["faults"]  # type: ignore[misc]
    assert (found["verdict"], fault["vacuous"]) == ("fail", True)
    assert lying.lie  # The one that was replaced.


def test_other_data_is_other_everywhere() -> None:
    """Every value of the other tale differs, and its shape is the same."""
    told = {"a": 1, "b": [True, "x", {"c": 2.5}], "d": None, "e": b"z"}
    assert other_tale(told) == {"a": 2, "b": [False, "x (not)", {"c": 3.5}], "d": None, "e": b"z\x00"}


def test_the_story_and_what_one_sees_of_it(privity: Privity, tmp_path: Path) -> None:
    """run, show, why, who-sees and the report tell the same."""
    said = privity(
        tmp_path, "run", str(WHISTLE), "--transport", "memory", "--report", str(tmp_path / "r.html")
    )
    assert said.code == 0, said.out + said.err
    assert "! middleman is proved a liar about offer" in said.out
    for party, lie in (
        ("second-re", "gave a reader another key than it committed to"),
        ("first-re", "gave one of the readers another key, or a slot to a stranger"),
    ):
        shown = privity(tmp_path, "show", "tx", "offer", "--as", party)
        assert f"proved liar middleman {lie}" in shown.out
        as_json = json.loads(privity(tmp_path, "show", "tx", "offer", "--as", party, "--json").out)
        assert as_json["liar"]["party"] == "middleman"
    assert "liar" not in privity(tmp_path, "show", "tx", "offer", "--as", "registry").out
    why = privity(tmp_path, "why", "offer")
    assert "liar  middleman is proved a liar about offer" in why.out
    assert why.code == 1
    assert "middleman is proved a liar about offer" in (tmp_path / "r.html").read_text()
    sees = privity(tmp_path, "who-sees", "offer").out
    assert (
        "second-re holds a key, and what it opens is not what the sender committed to, which it can prove"
        in sees
    )
    refused = privity(tmp_path, "fault", "two-tales", "shipper")
    assert refused.code != 0
