"""Shown to others and then erased: the matrix before and after, the report, a disclosure too late (P42)."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.chain.deeds import PurgeReceipt
from node.run_reading import RunReading
from scenarios.judging import Evidence, judge, plan_differences
from scenarios.knowledge.matrix import build_matrix, matrix_of
from scenarios.knowledge.moments import At
from scenarios.knowledge.theft import steal
from scenarios.report.material import Material
from scenarios.report.privacy import matrices
from tests.scenarios.virtual_evidence import evidence_of

STORY = """\
privity: 1
name: shown-then-erased
network: {transport: memory}
consensus: {block_every: 50ms, view_timeout: 500ms}
parties: {alice: {}, bob: {}, carol: {}, dave: {}, eve: {votes: false}}
steps:
  - {do: send, id: deal, as: alice, to: bob, keep: 20 blocks, data: {price: 80421, good: raw cotton bales}}
  - {do: disclose, id: part, at: 1s, tx: deal, as: bob, to: eve, fields: [price], reason: audit}
  - {do: disclose, id: all, at: 1s, tx: deal, as: alice, to: dave, reason: settled in court}
  - {do: load, id: more, at: 3s, as: carol, to: [alice], count: 30, rate: 10/s, data: {n: "1..9"}}
  - {do: disclose, id: late, at: 7s, tx: deal, as: alice, to: carol, reason: too late}
expect:
  - {check: readers, tx: deal, are: [alice, bob, dave], at: 2s}
  - {check: readers, tx: deal, field: price, are: [alice, bob, dave, eve], at: 2s}
  - {check: readers, tx: deal, are: []}
  - {check: denied, tx: deal, as: [alice, bob, carol, dave, eve]}
  - {check: no_plaintext}
"""


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """The story, run once in the virtual world."""
    return evidence_of(tmp_path_factory.mktemp("gone"), STORY)


def cells(evidence: Evidence, at: str) -> list[str]:
    """The cells of `deal` as words."""
    matrix = build_matrix(evidence.folder, at)
    return [matrix.row("deal").cells[column].text() for column in matrix.columns]


def test_p42_what_was_shown_is_gone_with_the_original(evidence: Evidence) -> None:
    """Every rule holds, those of the plan too; carriers have no row before and after they are erased."""
    judged = judge(evidence)
    assert {each.result for each in judged} == {"holds"}, judged
    assert plan_differences(evidence) == []
    assert cells(evidence, "2s") == ["● S", "● N", "○", "● D", "● 1/2", "○"]
    assert cells(evidence, "end") == ["#", "#", "#", "#", "#", "○"]
    names = {row.name for row in build_matrix(evidence.folder).rows}
    assert names == {"deal", *(f"more-{number:04}" for number in range(1, 31))}


def test_p42_a_disclosure_after_the_purge_shows_nothing(evidence: Evidence) -> None:
    """The step that comes too late leaves neither a record nor a carrier on any ledger."""
    reading = RunReading(evidence.folder)
    acts = [act for _, act in reading.node("carol").acts() if not isinstance(act.deed, PurgeReceipt)]
    assert [act.sender for act in acts] in (["bob", "alice"], ["alice", "bob"])
    assert not any(label.id.startswith("late") for label in reading.labels)


@pytest.mark.parametrize("party", ["bob", "dave"])
def test_p42_a_thief_who_comes_after_the_purge_finds_it_at_the_broker_only(
    evidence: Evidence, party: str
) -> None:
    """Before it other nodes have it for the stolen key (bob's slot, dave's carrier), after it none has."""
    reading = RunReading(evidence.folder)
    before = steal(reading, matrix_of(reading, At.parse("2s")), party).reads
    after = steal(reading, matrix_of(reading, At()), party).reads
    assert ["deal" in before[place] for place in ("disk", "nodes", "broker")] == [True, True, True]
    assert ["deal" in after[place] for place in ("disk", "nodes", "broker")] == [False, False, True]


def test_the_report_shows_what_was_erased_and_when(evidence: Evidence) -> None:
    """The change from reading to a hash stands in its matrices, and what cannot be called back below them."""
    page = matrices(Material(evidence.folder))
    assert "was ● S" in page and "was ● 1/2" in page and "was ● D" in page
    assert "deal: erased by the nodes; what the broker carried cannot be called back" in page


def test_without_the_capture_a_carrier_that_is_gone_is_a_row(tmp_path: Path) -> None:
    """Nobody can tell any more what was in it; the matrices of all moments say so, and none falls over."""
    evidence = evidence_of(tmp_path, STORY)
    evidence.folder.capture.unlink()
    assert cells(evidence, "end") == ["#", "#", "#", "#", "#", "○"]
    before = build_matrix(evidence.folder, "2s")
    assert before.readers("deal") == set() and {"alice", "bob", "dave", "eve"} <= before.untried
    assert "was ○" in matrices(Material(evidence.folder))
