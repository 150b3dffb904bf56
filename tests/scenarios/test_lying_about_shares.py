"""Parties that lie about shares and totals (P50, P51): each lie happens, and exactly its liar is blamed."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from node.faults.lying_rounds import LyingContributor, LyingCoordinator
from scenarios import lying_shares, sending, unsealing
from scenarios.judging import Evidence, incidents, judge, predicted, summed, vacuous
from scenarios.model.checking import render_check
from scenarios.model.lints import lints
from scenarios.model.loading import parse_scenario
from scenarios.model.plan import plan
from scenarios.model.prediction import predicted as prediction
from scenarios.model.scenario import Blamed
from scenarios.verdict import in_words, verdict_of
from tests.scenarios.virtual_evidence import evidence_of, one

SEALS = """privity: 1
name: lies-under-a-seal
network: {transport: memory}
consensus: {block_every: 50ms}
parties: {buyer: {}, ann: {}, bob: {}, notary: {}, auditor: {votes: false}, clerk: {votes: false}}
seals:
  close: {opens_at: 4s, openers: [notary, auditor, clerk], threshold: 2, then_to: [buyer, bob]}
steps:
  - {at: 3s, do: fault, id: lie, FAULT}
  - {at: 3500ms, do: send, id: bid, as: ann, seal: close, data: {price: 10, words: a secret offer of ann}}
  - {at: 5s, do: open, id: open, seal: close, as: [notary, auditor, clerk]}
"""
ROUND = """privity: 1
name: lies-in-a-round
network: {transport: memory}
consensus: {block_every: 50ms}
parties: {house: {votes: false}, ann: {}, bob: {}, cyd: {}, dan: {}, eve: {votes: false}}
steps:
  - {at: 1s, do: fault, id: lie, FAULT}
  - {at: 1s, do: aggregate, id: sum, as: house, from: [ann, bob, cyd, dan, eve], field: n, data: {n: 3}}
"""
CHALLENGE = """\
  - {at: 6s, do: challenge, id: answer, seal: close, as: buyer, of: notary}
  - {at: 7s, do: load, id: traffic, as: ann, to: [buyer], count: 22, rate: 10/s}
"""
BY_ALL = "[ann, bob, cyd, dan, eve]"
EVERYBODY_ELSE = "[buyer, bob, notary, auditor, clerk]"
LIES = {
    "withhold-share": (SEALS + CHALLENGE, "notary", "bid", "[buyer]", ""),
    "bad-share": (SEALS, "auditor", "bid", "[buyer, ann, bob, notary, clerk]", ""),
    "inconsistent-shares under a seal": (SEALS, "ann", "bid", EVERYBODY_ELSE, ""),
    "two-values": (ROUND, "bob", "sum", "[ann, cyd, dan, eve]", ""),
    "inconsistent-shares": (ROUND, "bob", "sum", "[ann, cyd, dan, eve]", ""),
    "wrong-total": (ROUND, "house", "sum", BY_ALL, ""),
    "withhold-total": (ROUND, "house", "sum", BY_ALL, ""),
}


def text(kind: str, expect: str = "") -> str:
    body, who, tx, by, _ = LIES[kind]
    steps = body.replace("FAULT", f"kind: {kind.split()[0]}, nodes: [{who}]")
    return f"{steps}expect:\n" + (expect or f"  - {{check: blamed, who: {who}, tx: {tx}, by: {by}}}\n")


def document(evidence: Evidence) -> dict[str, Any]:
    return verdict_of(evidence, judge(evidence), views={}, world={}, seconds=1.0)


@pytest.mark.parametrize("kind", LIES)
def test_p50_p51_exactly_the_liar_is_blamed(tmp_path: Path, kind: str) -> None:
    """P50, P51: the lie happened, those who can find it did, and the run passes because the file says so."""
    evidence = evidence_of(tmp_path, text(kind))
    found = one(evidence)
    _, who, tx, _, _ = LIES[kind]
    assert (found.result, found.detail.split(" by ")[0]) == ("holds", f"{tx}: {who} is proved a liar")
    assert vacuous(evidence) == [] and incidents(evidence) == [] and predicted(evidence) == []
    assert evidence.fault("lie").touched == 1 and evidence.honest == list(evidence.network.names)  # type: ignore[union-attr]
    verdict = document(evidence)
    assert (verdict["verdict"], verdict["framed"], verdict["named_in_vain"]) == ("pass", [], [])
    told = [*verdict["named"], *verdict["liars"]]
    assert {(each["party"], each["id"]) for each in told} == {(who, tx)}
    said = (f"! {who} is named about {tx}: ", f"! {who} is proved a liar about {tx}: ")
    assert any(line.startswith(said) for line in in_words(verdict, [], [], ""))


@pytest.mark.parametrize("kind", LIES)
def test_p51_a_rule_about_another_party_is_broken(tmp_path: Path, kind: str) -> None:
    """Who did not lie is blamed for nothing; a wrong list of those who found it is broken, too."""
    evidence = evidence_of(tmp_path, text(kind))
    _, who, tx, _, _ = LIES[kind]
    names = [name for name in evidence.network.names if name != who]
    for other in names:
        rule = Blamed("blamed", "expect[0]", 12, other, tx, (tx,), ())
        assert judged_by(evidence, rule) == ("broken", f"{tx}: {other} is not proved a liar by anybody")
    few = Blamed("blamed", "expect[0]", 12, who, tx, (tx,), (names[-1],))
    assert judged_by(evidence, few)[0] == "broken"


def judged_by(evidence: Evidence, *rules: Blamed) -> tuple[str, str]:
    scenario = dataclasses.replace(evidence.scenario, expectations=rules)
    found = judge(dataclasses.replace(evidence, scenario=scenario))[0]
    return found.result, found.detail


def test_p51_somebody_else_who_is_blamed_breaks_the_rule(tmp_path: Path) -> None:
    """Two lie in one round: a rule about one of them alone does not hold."""
    more = "  - {at: 1s, do: fault, id: more, kind: two-values, nodes: [cyd]}\n"
    evidence = evidence_of(tmp_path, text("inconsistent-shares").replace("expect:", more + "expect:"))
    assert one(evidence).detail == "sum: cyd is blamed too"
    both = [Blamed("blamed", "expect[0]", 12, who, "sum", ("sum",), ()) for who in ("bob", "cyd")]
    assert judged_by(evidence, *both)[0] == "holds"


WITHOUT_EFFECT = {
    "withhold-share": (unsealing, "opener_lies", lambda scenario, step, name: None),
    "bad-share": (unsealing, "opener_lies", lambda scenario, step, name: None),
    "inconsistent-shares under a seal": (sending, "misdeal", lambda run, send, honest, seal: honest),
    "two-values": (lying_shares, "_CONTRIBUTORS", {"two-values": LyingContributor}),
    "inconsistent-shares": (lying_shares, "_CONTRIBUTORS", {"inconsistent-shares": LyingContributor}),
    "wrong-total": (lying_shares, "_COORDINATORS", {"wrong-total": LyingCoordinator}),
    "withhold-total": (lying_shares, "_COORDINATORS", {"withhold-total": LyingCoordinator}),
}


@pytest.mark.parametrize("kind", LIES)
def test_a_lie_that_is_not_told_is_vacuous(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Its effect taken away, nobody is blamed and the run says that its fault touched nothing."""
    monkeypatch.setattr(*WITHOUT_EFFECT[kind])
    evidence = evidence_of(tmp_path, text(kind))
    assert [record.id for record, _ in vacuous(evidence)] == ["lie"]
    assert one(evidence).result == "broken" and evidence.named == [] and evidence.liars == []
    assert document(evidence)["verdict"] == "fail"


def test_p51_a_wrong_total_that_no_fault_explains_fails_the_run(tmp_path: Path) -> None:
    """P49, P51: the same evidence, and a file that told nobody to lie."""
    evidence = evidence_of(tmp_path, text("wrong-total"))
    assert summed(evidence) == [] and evidence.named_in_vain == []
    steps = tuple(step for step in evidence.scenario.steps if step.id != "lie")
    framed = dataclasses.replace(evidence, scenario=dataclasses.replace(evidence.scenario, steps=steps))
    assert [each.result for each in summed(framed)] == ["broken"]
    assert {each.party for each in framed.named_in_vain} == {"house"}
    assert document(framed)["verdict"] == "fail"


def test_p50_who_answers_a_challenge_is_not_named(tmp_path: Path) -> None:
    """P50: a share that came late, after a challenge and within its blocks, is as good as one in time."""
    late = "  - {at: 7s, do: open, id: again, seal: close, as: notary}\n"
    steps = text("withhold-share").replace("nodes: [notary]", "nodes: [notary], for: 3s")
    evidence = evidence_of(tmp_path, steps.replace("  - {at: 7s, do: load", f"{late}  - {{at: 7s, do: load"))
    assert evidence.fault("lie").touched == 1 and evidence.named == []  # type: ignore[union-attr]
    assert one(evidence).result == "broken"


def test_p50_a_challenge_without_ground_leaves_the_run_unconfirmed(tmp_path: Path) -> None:
    """P50: nobody is challenged who gave a good share, and a step that does nothing is told."""
    steps = text("withhold-share").replace("of: notary", "of: clerk")
    evidence = evidence_of(tmp_path, steps)
    assert evidence.named == []
    assert "buyer has a good share of clerk for all under close" in " ".join(incidents(evidence))


def test_check_knows_the_lies(tmp_path: Path) -> None:
    """P50: what is read, and what is warned of, follows from the file: liars give no share."""
    lying = text("withhold-share").replace("nodes: [notary]", "nodes: [notary, clerk]")
    scenario = parse_scenario(lying, "lies.yaml")
    cells = {row.tx: row.cells for row in prediction(scenario, plan(scenario))}
    assert cells["bid"]["buyer"].text() == "○ W"
    shown = render_check(scenario)
    assert "buyer challenges notary to answer for its shares of close" in shown
    assert "withhold-share notary clerk" in shown
    idle = parse_scenario(text("two-values").replace("at: 1s, do: fault", "at: 2s, do: fault"), "lies.yaml")
    assert any("gives bob such a lie to tell" in each.message for each in lints(idle, plan(idle)))
