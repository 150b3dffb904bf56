"""Seals in a scenario (P50): predicted, in the matrix at each moment, refused, judged, stolen, explained."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.errors import CHECK_FAILED, FINE
from node.run_reading import RunReading
from node.verbs.show_seal import seal_lines, view_seal
from scenarios.judging import Evidence, judge, predicted, steps_as_expected
from scenarios.knowledge.matrix import build_matrix
from scenarios.knowledge.theft import steal
from scenarios.model.checking import render_check
from scenarios.model.lints import lints
from scenarios.model.loading import parse_scenario
from scenarios.model.plan import plan
from scenarios.model.prediction import predicted as prediction
from scenarios.why.diagnosis import diagnose
from scenarios.why.reading import find, read_known
from scenarios.why.transaction import answer, diagnose_transaction
from tests.scenarios.virtual_evidence import evidence_of

HEAD = """privity: 1
name: seals
network: {transport: memory}
consensus: {block_every: 50ms}
privacy: {payload: PAYLOAD}
parties: {buyer: {}, ann: {}, bob: {}, notary: {}, auditor: {votes: false}}
seals:
  close: {opens_at: 4s, openers: [notary, auditor], then_to: [buyer, auditor]}
  alone: {opens_at: 4s, openers: [notary], then_to: [buyer]}
  kept:  {opens_at: 4s, openers: [notary, auditor], then_to: [buyer]}
steps:
"""
STEPS = """\
  - {at: 1s, do: send, id: bid-ann, as: ann, seal: close, data: {price: 10, words: a secret offer of ann}}
  - {at: 1s, do: send, id: bid-bob, as: bob, seal: close, data: {price: 20, words: a secret offer of bob}}
  - {at: 1s, do: send, id: one, as: ann, seal: alone, data: {price: 30}}
  - {at: 1s, do: send, id: silent, as: ann, seal: kept, data: {price: 40}}
  - {at: 2s, do: open, id: early, seal: close, as: [notary, auditor], expect: refused}
  - {at: 5s, do: open, id: open, seal: close, as: [notary, auditor]}
  - {at: 5s, do: open, id: half, seal: kept, as: notary}
  - {at: 6s, do: send, id: late, as: bob, seal: close, expect: refused, data: {price: 1}}
  - {at: 7s, do: disclose, tx: bid-ann, as: buyer, to: [bob], reason: award notice}
"""
EXPECT = """\
expect:
  - {check: opened, seal: close, by: [notary, auditor]}
  - {check: opened, seal: close, by: notary}
  - {check: opened, seal: close, at: 3s}
  - {check: opened, seal: kept}
  - {check: readers, tx: bid-ann, at: 3s, are: [ann]}
  - {check: readers, tx: bid-ann, are: [ann, buyer, auditor, bob]}
  - {check: readers, tx: late, are: [bob]}
  - {check: readers, tx: silent, are: [ann]}
  - {check: denied, tx: bid-bob, as: [notary, ann]}
  - {check: no_plaintext}
"""
RESULTS = ["holds", "broken", "broken", "broken", *["holds"] * 6]


def text(payload: str = "off_chain", steps: str = STEPS, expect: str = EXPECT) -> str:
    return HEAD.replace("PAYLOAD", payload) + steps + expect


@pytest.fixture(scope="module", params=["off_chain", "on_chain"])
def evidence(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evidence]:
    yield evidence_of(tmp_path_factory.mktemp("seals"), text(request.param))


def row(evidence: Evidence, tx: str, at: str = "end") -> dict[str, str]:
    cells = build_matrix(evidence.folder, at).row(tx).cells
    return {name: cell.text() for name, cell in cells.items() if name != "broker"}


def test_p50_the_matrix_says_who_could_with_others_who_will_and_who_unsealed_it(evidence: Evidence) -> None:
    """Before the opening ◔ O and ○ W, after it ● U; alone where one share is enough; late ones stay shut."""
    other = "#" if evidence.scenario.payload == "off_chain" else "○"
    before = {"buyer": "○ W", "ann": "● S", "bob": other, "notary": "◔ O", "auditor": "◔ O"}
    assert row(evidence, "bid-ann", "3s") == before
    after = before | {"buyer": "● U", "auditor": "● U", "bob": "● D"}
    assert row(evidence, "bid-ann") == after
    assert row(evidence, "one")["notary"] == "◐ O"
    assert row(evidence, "silent") == before
    assert row(evidence, "late") == before | {"buyer": "○", "ann": other, "bob": "● S"}
    matrix = build_matrix(evidence.folder)
    assert matrix.row("bid-ann").unsealed_by == ("notary", "auditor")


def test_the_prediction_has_the_same_cells(evidence: Evidence) -> None:
    """Every cell of the run was announced by `check`, before the opening and in the end."""
    scenario = evidence.scenario
    for until, at in ((3000, "3s"), ("end", "end")):
        for each in prediction(scenario, plan(scenario), until):  # type: ignore[arg-type]
            if at == "end" or each.tx != "late":
                found = {name: cell.text() for name, cell in each.cells.items() if name != "broker"}
                assert found == row(evidence, each.tx, at), each.tx
    assert predicted(evidence) == [] and steps_as_expected(evidence) == []
    assert "predicted, before 4s" in render_check(scenario)


def test_p50_each_rule_is_judged_by_what_can_be_read(evidence: Evidence) -> None:
    """Opened by whom and when; who released nothing is named."""
    judged = judge(evidence)
    assert [each.result for each in judged] == RESULTS, [each.detail for each in judged]
    assert judged[1].detail == "close: expected by notary, opened by auditor notary"
    assert judged[3].detail == "kept: buyer cannot read all under it; auditor released no share"


def test_p50_a_step_that_was_to_be_refused_and_was_not_fails_the_run(evidence: Evidence) -> None:
    """And one that was refused without being expected to be."""
    steps = tuple(
        dataclasses.replace(step, expect_refused=not step.expect_refused)
        if step.id in ("early", "open", "late", "bid-ann")
        else step
        for step in evidence.scenario.steps
    )
    other = dataclasses.replace(evidence, scenario=dataclasses.replace(evidence.scenario, steps=steps))
    said = [each.detail for each in steps_as_expected(other)]
    assert [detail.split(" ")[0].rstrip(":") for detail in said] == [
        *("early", "early", "open", "open", "bid-ann", "late")
    ]
    assert said[0] == "early: notary's request was refused: too early"
    assert said[2] == "open: notary's request was to be refused and counts"
    assert said[4] == "bid-ann was to come too late for close, and is in time"


def test_p50_a_thief_of_an_openers_keys_reads_no_more_than_the_opener(evidence: Evidence) -> None:
    """The notary's keys open one share of two, on whatever disk; alone where one is enough is said so."""
    reading = RunReading(evidence.folder)
    at_end = build_matrix(evidence.folder)
    theft = steal(reading, at_end, "notary")
    assert not any(theft.reads.values())
    assert at_end.row("bid-ann").cells["thief"].text() == "◔ O"
    assert at_end.row("one").cells["thief"].text() == "◐ O"
    before = build_matrix(evidence.folder, "3s")
    assert not any(steal(reading, before, "buyer").reads.values())
    later = build_matrix(evidence.folder)
    theft = steal(reading, later, "buyer")
    assert set(theft.reads["disk"]) == {"bid-ann", "bid-bob"}
    assert set(theft.reads["broker"]) == {"bid-ann", "bid-bob"}
    assert later.row("bid-ann").cells["thief"].text() == "● U"


def test_p50_why_and_show_seal_name_who_keeps_its_share(evidence: Evidence) -> None:
    """A late one and one whose opener is silent are somebody's doing; the public page has chain order."""
    reading = RunReading(evidence.folder)
    known = read_known(reading)
    network = diagnose(known)
    said = {}
    for tx in ("bid-ann", "silent", "late"):
        found = diagnose_transaction(known, network, find(reading, known, tx))
        said[tx] = (found.exit_code, answer(found))
    assert said["bid-ann"][0] == FINE and "has arrived" in said["bid-ann"][1]
    assert said["silent"][0] == said["late"][0] == CHECK_FAILED
    assert "1 of 2 shares are released, and auditor has not" in said["silent"][1]
    assert "it came too late for close" in said["late"][1]
    page = view_seal(reading, "close", None)
    names = [each["name"] for each in page["payloads"]]
    assert set(names[:2]) == {"bid-ann", "bid-bob"} and names[2:] == ["late"]
    places = [(each["height"], each["position"]) for each in page["payloads"]]
    assert places == sorted(places) and page["gave"] == ["notary", "auditor"]
    lines = "\n".join(seal_lines(page))
    assert lines.count("refused: too early   E-SEAL-EARLY") == 2 and "refused: late   E-SEAL-LATE" in lines
    assert view_seal(reading, "kept", "buyer")["withholding"] == ["auditor"]
    assert [each["read"] for each in view_seal(reading, "close", "buyer")["payloads"]] == [True, True, False]


def test_p50_an_opener_that_is_down_releases_nothing_and_nobody_reads(tmp_path: Path) -> None:
    """Its node is gone from before the opening: it is named, and what lies under the seal stays shut."""
    steps = """\
  - {at: 1s, do: send, id: bid, as: ann, seal: close, data: {price: 10}}
  - {at: 2s, do: fault, id: gone, kind: crash, nodes: [auditor]}
  - {at: 5s, do: open, id: open, seal: close, as: notary}
"""
    expect = "expect:\n  - {check: opened, seal: close}\n  - {check: readers, tx: bid, are: [ann]}\n"
    found = evidence_of(tmp_path, text(steps=steps, expect=expect))
    opened, readers = judge(found)
    assert (opened.result, readers.result) == ("broken", "holds")
    assert "auditor released no share" in opened.detail


def warnings(steps: str, seals: str | None = None) -> dict[str, str]:
    head = HEAD.replace("PAYLOAD", "off_chain")
    if seals is not None:
        head = head[: head.index("seals:")] + seals + "steps:\n"
    scenario = parse_scenario(head + steps, "t.yaml")
    return {each.message: each.code for each in lints(scenario, plan(scenario))}


def test_what_a_seal_may_not_mean_is_warned_of() -> None:
    """Threshold 1, nobody opens, too late, after the end, an opener that sends, nothing under it."""
    one = "seals:\n  s: {opens_at: 4s, openers: [notary], then_to: [buyer]}\n"
    send = "  - {at: 1s, do: send, id: a, as: ann, seal: s, data: {x: 1}}\n"
    late = "  - {at: 4s, do: send, id: b, as: notary, seal: s, data: {x: 1}}\n"
    opening = "  - {at: 5s, do: open, seal: s, as: notary}\n"
    said = warnings(send + opening, one)
    assert "notary can read all under s alone, at any time; threshold is 1" in said
    assert "W-SEAL" not in said.values()
    assert "s opens at 4s, after the last step: nobody ever opens it" in warnings(send, one)
    said = warnings(send + late, one)
    assert "nothing opens s: 0 of 1 openers ask from 4s on" in said
    assert "b comes too late for s, which opens at 4s" in said
    assert said["notary sends under s and holds shares of what rivals send"] == "W-OPENER"
    assert "nothing is sent under s" in warnings(opening, one)
