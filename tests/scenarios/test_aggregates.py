"""Aggregates in a scenario: predicted, played, found in the matrix by opening, judged. P51, P53."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from node.aggregation import seats
from node.aggregation.boxes import open_box, open_release, total_hash
from node.aggregation.following import rounds_on
from node.aggregation.masks import signed
from node.aggregation.rounds import Round
from node.envelopes.envelope import NotAParty, unseal
from node.envelopes.transaction import PrivateTransaction
from node.run_reading import RunReading
from scenarios.judging import Evidence, judge, plan_differences, summed
from scenarios.knowledge.matrix import build_matrix
from scenarios.knowledge.theft import steal
from scenarios.knowledge.view import matrix_lines, transaction_lines
from scenarios.model.aggregates import Aggregate
from scenarios.model.checking import check_document, render_check
from scenarios.model.filled import masked
from scenarios.model.lints import lints
from scenarios.model.loading import parse_scenario
from scenarios.model.plan import plan
from tests.command_line import Privity
from tests.scenarios.virtual_evidence import evidence_of

BANKS = ("ann", "bob", "cyd", "dan", "eve")
STORY = """\
privity: 1
name: summed
network: {transport: memory}
consensus: {block_every: 100ms, view_timeout: 500ms}
parties: {ann: {}, bob: {}, cyd: {}, dan: {}, eve: {}, hub: {votes: false}, out: {votes: false}}
steps:
  - {do: load, id: noise, as: "*", to: random, count: 12, rate: 2/s, data: {amount: "1..9"}}
  - {do: aggregate, id: debt, at: 500ms, as: hub, from: [ann, bob, cyd, dan, eve], field: debt,
     data: {debt: {ann: 70001, bob: 70020, cyd: -70300, dan: "74000..74999", eve: 5}}}
  - {do: aggregate, id: gain, at: 6s, as: hub, from: [ann, bob, cyd, dan, eve], field: gain,
     data: {gain: "1000000..2000000"}}
  - {do: fault, id: gone, at: 6500ms, kind: crash, nodes: [eve], for: 9s}
  - {do: aggregate, id: gain-again, at: 18s, as: hub, from: [ann, bob, cyd, dan, eve], field: gain,
     data: {gain: 5}}
expect:
  - {check: agreement}
  - {check: learns_only, as: hub, tx: debt}
  - {check: learns_only, as: [hub, ann], tx: gain, what: total}
  - {check: learns_only, as: [out, eve], tx: gain, what: nothing}
  - {check: learns_only, as: [hub, ann], tx: gain-again, what: nothing}
  - {check: readers, tx: debt-ann, are: [ann]}
  - {check: denied, tx: debt-bob, as: [hub, out, ann]}
  - {check: no_plaintext}
"""


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """The story, run once in the virtual world."""
    return evidence_of(tmp_path_factory.mktemp("summed"), STORY)


def rounds_of(evidence: Evidence, name: str = "hub") -> list[Round]:
    return list(rounds_on(RunReading(evidence.folder).node(name)).by_id.values())


def test_p51_every_expectation_holds(evidence: Evidence) -> None:
    judged = judge(evidence)
    assert len(judged) == 8 and {each.result for each in judged} == {"holds"}, judged
    assert plan_differences(evidence) == [] and summed(evidence) == []


def test_p51_the_matrix_shows_who_has_the_total_and_who_has_his_own_value(evidence: Evidence) -> None:
    matrix = build_matrix(evidence.folder)
    cells = {row.name: {column: cell.text() for column, cell in row.cells.items()} for row in matrix.rows}
    assert cells["debt"] == dict.fromkeys((*BANKS, "hub"), "Σ") | {"out": "○", "broker": "○"}
    assert cells["gain"] == dict.fromkeys((*BANKS[:4], "hub"), "Σ") | dict.fromkeys(
        ("eve", "out", "broker"), "○"
    )
    others = (*BANKS[1:], "hub", "out", "broker")
    assert cells["debt-ann"] == {"ann": "● S"} | dict.fromkeys(others, "○")
    assert "gain-again" not in cells
    lines = "\n".join(matrix_lines(matrix, ascii_only=True))
    assert "[A]" in lines and "debt: a total of 5 values: any 4 of them together know the last one's" in lines
    assert "gain-again ended without a total: would give a value away" in lines
    assert "without eve" in lines


def test_p51_prediction_and_matrix_agree(evidence: Evidence) -> None:
    """Of the round that nothing disturbed; a contributor that drops out learns less than was announced."""
    scenario = evidence.scenario
    rows = {row["tx"]: row["cells"] for row in check_document(scenario)["matrix"]["rows"]}
    found = {row["tx"]: row["cells"] for row in build_matrix(evidence.folder).document()["rows"]}
    for tx in ("debt", *(f"debt-{name}" for name in BANKS)):
        assert {column: cell["symbol"] for column, cell in rows[tx].items()} == {
            column: cell["symbol"] for column, cell in found[tx].items()
        }
    text = render_check(scenario)
    assert "hub learns the total of debt over 5 parties" in text
    assert "any value may be put in" in text and "70001" not in text


def test_p51_the_coordinators_disk_and_keys_open_no_value(evidence: Evidence) -> None:
    """All that lies in its folder, with its own keys: records, boxes, releases, masked values."""
    reading = RunReading(evidence.folder)
    node, key = reading.node("hub"), reading.keys("hub").wrapping
    records = {sent.tx for name, sent in evidence.sent.items() if name.startswith(("debt-", "gain-"))}
    tried = 0
    for record in records:
        transaction, blob = node.transactions[record].transaction, node.blob(record)
        assert isinstance(transaction, PrivateTransaction) and blob is not None
        with pytest.raises(NotAParty):
            unseal(transaction, blob, key)
        tried += 1
    values = {value for step in evidence.scenario.aggregates for value in step.values(0).values()}
    values |= {70001, 70020, -70300, 5}
    for at in rounds_of(evidence):
        for dealer, deal in at.deals.items():
            for holder, boxed in zip(at.members, deal.boxes, strict=True):
                assert open_box(at.id, dealer, holder, key, boxed) is None
                tried += 1
        for releaser, deed in at.releases.items():
            for wrap in deed.wraps:
                assert open_release(at.id, releaser, key, wrap, deed.body) is None
                tried += 1
        assert not values & {signed(value.masked) for value in at.values.values()}
    assert tried > 100


def test_p51_all_nodes_tell_the_same_course(evidence: Evidence) -> None:
    courses = [rounds_of(evidence, name) for name in (*BANKS, "hub", "out")]
    assert all(each == courses[0] for each in courses)
    debt, gain, again = courses[0]
    assert (debt.present, gain.present, again.present) == (BANKS, BANKS[:4], ())
    assert again.ended == "would give a value away" and not again.releases
    assert gain.dropped() in (
        {"eve": "did not register in time"},
        {"eve": "dealt no shares in time"},
        {"eve": "sent no value in time"},
    )


def test_p53_after_a_faulty_run_the_coordinator_has_its_charter_and_no_more(evidence: Evidence) -> None:
    """Totals that it asked for; of what others send, what it was named for; of everything else ciphertext."""
    named = {
        name for name, sent in evidence.sent.items() if "hub" in (sent.planned.sender, *sent.planned.readers)
    }
    for row in build_matrix(evidence.folder).rows:
        cell = row.cells["hub"].text()
        if row.name in ("debt", "gain"):
            assert cell == "Σ"
        elif row.name in named:
            assert cell[0] == "●" and row.name.startswith("noise")
        else:
            assert cell == "○", row.name
    assert evidence.scan(frozenset(("ledgers", "logs", "broker"))).found == ()


def test_p51_masks_seeds_and_shares_are_looked_for_everywhere(evidence: Evidence) -> None:
    kinds = {secret.kind for secret in evidence.secrets.all}
    assert {f"{kind} of a round" for kind in ("mask key", "share key", "mask seed", "share")} <= kinds
    mine = [secret for secret in evidence.secrets.all if secret.kind.endswith("of a round")]
    assert all(not secret.readers for secret in mine) and len(mine) > 50


def test_p53_who_steals_the_coordinators_keys_has_its_totals_and_no_value(evidence: Evidence) -> None:
    """With its disk, the broker's capture and every other node's blobs."""
    reading = RunReading(evidence.folder)
    matrix = build_matrix(evidence.folder)
    theft = steal(reading, matrix, "hub")
    records = {name for name in evidence.sent if name.startswith(("debt-", "gain-"))}
    assert len(records) >= 14 and records <= set(theft.safe)
    assert {"debt", "gain"} <= set(theft.reads["disk"]), theft.reads
    page = "\n".join(transaction_lines(build_matrix(evidence.folder, only=["gain"]), None, on_chain=True))
    assert "learns only an aggregate, block " in page and "not ordered" not in page


def test_the_page_of_a_round(evidence: Evidence, privity: Privity) -> None:
    home = evidence.folder.path.parents[1]
    said = privity(home, "show", "tx", "gain-round")
    assert said.code == 0, said.err
    assert "hub for the total of gain" in said.out and "done: a total of 4 values" in said.out
    assert "absent      eve" in said.out and "others have the hash alone" in said.out
    document = privity(home, "show", "tx", "gain-again-round", "--json").document
    assert document["ended"] == "would give a value away" and document["carrier"] is None
    assert document["present"] == []


def test_p51_a_wrong_total_fails_the_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whether a rule speaks of it or not: each contributor in it finds it wrong."""

    def lie(round_id: bytes, salt: bytes, total: int) -> bytes:
        return total_hash(round_id, salt, total + 1)

    monkeypatch.setattr(seats, "total_hash", lie)
    head, _, _ = STORY.partition("  - {do: aggregate, id: gain,")
    text = f"{head}expect:\n  - {{check: learns_only, as: hub, tx: debt}}\n  - {{check: agreement}}\n"
    found = evidence_of(tmp_path, text)
    (judged, _) = judge(found)
    assert judged.result == "broken" and "ann bob cyd dan eve found the total wrong" in judged.detail
    (mine,) = summed(found)
    assert mine.result == "broken"
    assert set(found.summed["debt"].blamed["hub"].values()) == {"published a wrong total"}


def _warnings(steps: str) -> list[str]:
    head, _, _ = STORY.partition("steps:")
    scenario = parse_scenario(f"{head}steps:\n{steps}", "x.yaml")
    return [warning.code for warning in lints(scenario, plan(scenario))]


def test_lints() -> None:
    first = "  - {do: aggregate, id: a, as: hub, from: [ann, bob, cyd, dan, eve], field: x, data: {x: 1}}\n"
    second = (
        "  - {do: aggregate, id: b, at: 1s, as: out, from: [ann, bob, cyd, dan], field: x, data: {x: 1}}\n"
    )
    assert _warnings(first) == ["W-VOTERS", "W-META", "W-UNSTATED"]
    assert _warnings(second) == ["W-VOTERS", "W-FEW", "W-META", "W-UNSTATED"]
    assert _warnings(first + second) == ["W-VOTERS", "W-FEW", "W-TOTALS", "W-META", "W-UNSTATED"]


def test_values_are_drawn_from_a_stream_of_their_own_and_shown_to_nobody(evidence: Evidence) -> None:
    scenario = evidence.scenario
    debt, gain, _ = scenario.aggregates
    assert isinstance(debt, Aggregate) and "70001" not in repr(debt)
    assert debt.values(3)["ann"] == 70001 and 74000 <= debt.values(3)["dan"] <= 74999
    assert gain.values(3) != gain.values(4) and gain.values(3) == gain.values(3)
    moved = dataclasses.replace(gain, at_ms=1)
    assert moved.values(3) == gain.values(3)
    page = masked(scenario, lambda step: False)
    assert "70001" not in page and "1000000" not in page and "74000" not in page
