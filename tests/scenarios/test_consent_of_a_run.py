"""Rules, consents and revocations in a scenario: predicted, refused, in the matrix, judged (P47, P53)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.disclosure.breach_reading import breaches_of
from node.run_reading import RunReading
from scenarios.judging import Evidence, judge, predicted
from scenarios.knowledge.matrix import build_matrix
from scenarios.knowledge.view import matrix_lines
from scenarios.model.checking import render_check
from scenarios.model.lints import lints
from scenarios.model.loading import parse_scenario
from scenarios.model.plan import plan
from scenarios.model.prediction import predicted as prediction
from scenarios.model.problems import ScenarioInvalid
from tests.command_line import Privity
from tests.scenarios.virtual_evidence import evidence_of

HEAD = """privity: 1
name: consents
network: {transport: memory}
consensus: {block_every: 50ms}
parties: {ann: {}, bob: {}, cyd: {}, dan: {}, eve: {votes: false}}
steps:
  - {at: 0s, do: send, id: rec, as: ann, to: [bob], redisclose: with-consent, data: {a: 1, b: hidden words}}
"""
STEPS = """
  - {at: 1s, do: disclose, id: early, tx: rec, as: bob, to: [cyd], reason: too early}
  - {at: 2s, do: consent, id: yes, tx: rec, as: ann, to: [cyd], whom: hidden}
  - {at: 3s, do: disclose, id: shown, tx: rec, as: bob, to: [cyd], reason: agreed}
  - {at: 5s, do: revoke, id: no, tx: rec, as: ann, of: [cyd, bob]}
  - {at: 6s, do: disclose, id: late, tx: rec, as: bob, to: [dan], reason: too late}
  - {at: 7s, do: disclose, id: sold, tx: rec, as: bob, to: [eve], fields: [b], breach: true, reason: sold}
"""
EXPECT = """
expect:
  - {check: readers, tx: rec, at: 2500ms, are: [ann, bob]}
  - {check: readers, tx: rec, at: 4500ms, are: [ann, bob, cyd]}
  - {check: readers, tx: rec, are: [ann], could: [bob, cyd, eve]}
  - {check: readers, tx: rec, field: a, are: [ann], could: [bob, cyd]}
  - {check: readers, tx: rec, are: [ann, bob, cyd]}
  - {check: denied, tx: rec, as: [cyd]}
  - {check: denied, tx: rec, as: [dan]}
  - {check: no_plaintext}
"""


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evidence]:
    yield evidence_of(tmp_path_factory.mktemp("consents"), HEAD + STEPS.strip("\n") + EXPECT)


def row(evidence: Evidence, at: str) -> dict[str, str]:
    cells = build_matrix(evidence.folder, at).row("rec").cells
    return {name: cell.text() for name, cell in cells.items()}


def test_the_matrix_says_who_holds_what_only_a_rule_forbids(evidence: Evidence) -> None:
    """At each moment by the ledger of then; the note says since which block, and why."""
    assert row(evidence, "2500ms") == {
        **{"ann": "● S", "bob": "● N", "cyd": "○", "dan": "○", "eve": "○", "broker": "○"}
    }
    assert row(evidence, "4500ms")["cyd"] == "● D"
    assert row(evidence, "5500ms")["cyd"] == row(evidence, "5500ms")["bob"] == "◐ K"
    matrix = build_matrix(evidence.folder)
    assert [cell.symbol for cell in matrix.row("rec").cells.values()] == ["●", "◐", "◐", "○", "◐", "○"]
    notes = "\n".join(matrix_lines(matrix, ascii_only=True))
    assert "rec: cyd can still read it alone, only a rule forbids: revoked in block" in notes
    assert "rec: eve can still read it alone, only a rule forbids: shown by bob without consent" in notes
    assert matrix.document()["rows"][0]["cells"]["cyd"]["symbol"] == "◐"


def test_p53_a_service_reads_what_its_charter_says_and_no_more(evidence: Evidence) -> None:
    """Who was refused, and who sees the public acts only, has nothing more than the ciphertext."""
    row_of = build_matrix(evidence.folder).row("rec")
    assert not row_of.knows.get("dan") and "dan" not in row_of.holders()
    assert row_of.knows["eve"].opened.keys() == {("b",)}


def test_the_judges_tell_may_read_from_can_read(evidence: Evidence) -> None:
    results = [each.result for each in judge(evidence)]
    assert results == ["holds", "holds", "holds", "holds", "broken", "broken", "holds", "holds"]
    assert not [each for each in predicted(evidence) if each.result == "broken"]


def test_p47_a_breach_that_no_step_announces_fails_the_run(evidence: Evidence) -> None:
    """Against a plan without it the same run is broken, with the name of the reader who could."""
    steps = tuple(step for step in evidence.scenario.steps if step.id != "sold")
    other = dataclasses.replace(evidence, scenario=dataclasses.replace(evidence.scenario, steps=steps))
    (found,) = [each for each in predicted(other) if each.result == "broken"]
    assert "eve" in found.detail and found.line == 7


def test_p47_a_revocation_that_no_step_announces_fails_the_run(evidence: Evidence) -> None:
    """Nobody else than the owner can have said it; the plan did not."""
    steps = tuple(step for step in evidence.scenario.steps if step.id != "no")
    other = dataclasses.replace(evidence, scenario=dataclasses.replace(evidence.scenario, steps=steps))
    details = " ".join(each.detail for each in predicted(other) if each.result == "broken")
    assert "revoked in block" in details


def test_p47_the_breaker_is_proved_and_nobody_else(evidence: Evidence) -> None:
    """Readers and the receiver keep the proof; it holds from public data alone."""
    (found,) = breaches_of(RunReading(evidence.folder))
    assert (found.discloser, found.receivers) == ("bob", ("eve",))
    assert set(found.kept) == {"ann", "bob", "eve"}


def test_it_is_predicted(evidence: Evidence) -> None:
    scenario = evidence.scenario
    (predicted_row,) = prediction(scenario, plan(scenario))
    shown = {name: cell.text() for name, cell in predicted_row.cells.items()}
    assert shown == row(evidence, "end")
    codes = [(warning.code, warning.line) for warning in lints(scenario, plan(scenario))]
    assert ("W-CONSENT", 8) in codes and ("W-CONSENT", 12) in codes
    assert [line for code, line in codes if code == "W-EXPECT"] == [19, 20]
    text = render_check(scenario)
    assert "its readers show it only to whom its sender consents" in text
    assert "ann withdraws rec from bob, cyd" in text


@pytest.mark.parametrize(
    ("step", "code", "words"),
    [
        ("{at: 1s, do: consent, tx: rec, as: bob, to: [cyd]}", "E-NOT-PARTY", "ann did"),
        ("{at: 1s, do: consent, tx: rec, as: ann, to: [ann]}", "E-VALUE", "nobody else"),
        ("{at: 0s, do: revoke, tx: rec, as: ann, of: [bob]}", "E-VALUE", "is not sent before"),
        ("{at: 1s, do: revoke, tx: rec, as: ann, of: [bobb]}", "E-PARTY", "did you mean bob"),
        ("{at: 1s, do: consent, tx: rec, as: ann, to: [cyd], reason: hidden words}", "E-PRIVATE", "reason"),
        ("{at: 1s, do: send, as: ann, to: [bob], redisclose: never, data: {}}", "E-VALUE", "forbidden"),
        ("{at: 1s, do: consent, tx: rec, as: ann, to: [cyd], wom: hidden}", "E-KEY", "did you mean whom"),
    ],
)
def test_what_cannot_be_is_refused(step: str, code: str, words: str) -> None:
    with pytest.raises(ScenarioInvalid) as refused:
        parse_scenario(HEAD + f"  - {step}\n", "x.yaml")
    assert [problem.code for problem in refused.value.problems] == [code]
    assert words in refused.value.problems[0].message


def test_consent_on_what_is_forbidden_is_refused() -> None:
    text = (
        HEAD.replace("with-consent", "forbidden") + "  - {at: 1s, do: consent, tx: rec, as: ann, to: [cyd]}\n"
    )
    with pytest.raises(ScenarioInvalid) as refused:
        parse_scenario(text, "x.yaml")
    assert [problem.code for problem in refused.value.problems] == ["E-CONSENT"]


def test_a_consent_for_some_blocks_ends(tmp_path: Path) -> None:
    """When its last height is over, the cell is K although nobody revoked it."""
    steps = """
  - {at: 1s, do: consent, tx: rec, as: ann, to: [cyd], for: 5 blocks}
  - {at: 2s, do: disclose, tx: rec, as: bob, to: [cyd], reason: agreed}
  - {at: 3s, do: load, as: dan, to: [eve], count: 12, rate: 10/s}
expect:
  - {check: readers, tx: rec, at: 2800ms, are: [ann, bob, cyd]}
  - {check: readers, tx: rec, are: [ann, bob], could: [cyd]}
"""
    evidence = evidence_of(tmp_path, HEAD + steps.strip("\n") + "\n")
    assert [each.result for each in judge(evidence)] == ["holds", "holds"]
    assert not [each for each in predicted(evidence) if each.result == "broken"]
    assert any("consent ended in block" in note for note in build_matrix(evidence.folder).notes)


def test_what_people_are_shown(privity: Privity, tmp_path: Path) -> None:
    """The run's lines, `show tx`, `who-sees TX` and the report name the consents and the breaker."""
    file = tmp_path / "consents.yaml"
    file.write_text(
        HEAD + STEPS.strip("\n") + EXPECT.split("  - {check: readers, tx: rec, are: [ann, bob, cyd]}")[0]
    )
    out = tmp_path / "out.html"
    done = privity(tmp_path, "run", str(file), "--report", str(out))
    assert done.code == 0, done.out
    assert "refused   E-CONSENT" in done.err and "ann -> 1 hidden" in done.err
    shown = privity(tmp_path, "show", "tx", "rec", "--as", "eve").out
    assert "its readers show it only to whom its sender consents" in shown
    assert "bob showed it to eve against its owner's rule; proof kept by ann, bob, eve" in shown
    document = privity(tmp_path, "show", "tx", "rec", "--as", "ann", "--json").document
    assert document["redisclose"] == "with-consent" and document["breaches"][0]["by"] == "bob"
    acts = [act["act"] for act in document["acts"]]
    assert acts == ["consent", "disclosure", "revocation", "disclosure"]
    assert privity(tmp_path, "show", "tx", "rec", "--json").document["redisclose"] is None
    assert "against its owner's rule" in privity(tmp_path, "who-sees", "rec").out
    report = out.read_text()
    assert "Proved breaches" in report and "agreed that readers show it" in report and "withdrew it" in report


def test_p47_a_record_that_had_no_effect_convicts_nobody(evidence: Evidence) -> None:
    """Ordered too late, or on no ledger at all: the proof in the folder is of something that never was."""
    (found,) = breaches_of(RunReading(evidence.folder))
    reading = RunReading(evidence.folder)
    for node in reading.nodes().values():
        ordered = node.transactions[found.record]
        node.transactions[found.record] = dataclasses.replace(ordered, executed=False)
    assert breaches_of(reading) == []
    for node in reading.nodes().values():
        del node.transactions[found.record]
    assert breaches_of(reading) == []
