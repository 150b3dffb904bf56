"""Disclosures in a scenario: predicted, carried out, found in the matrix by opening, and judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from node.chain.act import Act
from node.chain.deeds import Disclosure, Request
from node.run_reading import RunReading
from scenarios import showing
from scenarios.judging import Evidence, judge, plan_differences
from scenarios.knowledge.matrix import build_matrix
from scenarios.knowledge.rows import Matrix
from scenarios.knowledge.theft import steal
from scenarios.knowledge.view import matrix_lines
from scenarios.model.checking import check_document, render_check
from scenarios.model.filled import filled
from scenarios.model.lints import lints
from scenarios.model.loading import parse_scenario
from scenarios.model.plan import plan
from tests.command_line import Privity
from tests.scenarios.virtual_evidence import evidence_of

STORY = """\
privity: 1
name: shown
network: {transport: memory}
consensus: {block_every: 50ms, view_timeout: 500ms}
parties: {alice: {}, bob: {}, carol: {}, dave: {}, eve: {votes: false}}
steps:
  - {do: send, id: deal, as: alice, to: bob,
     data: {price: 80421, good: raw cotton bales, terms: {days: 30, late: 2}}}
  - {do: send, id: other, as: alice, to: [], data: {note: nobody needs to know this}}
  - {do: request, id: ask, at: 1s, tx: deal, as: eve, of: bob, reason: audit rule 7}
  - {do: disclose, id: part, at: 2s, tx: deal, as: bob, to: [eve, dave], fields: [price, terms],
     answers: request}
  - {do: disclose, id: all, at: 3s, tx: deal, as: alice, to: dave, reason: settled in court}
expect:
  - {check: readers, tx: deal, are: [alice, bob], at: 1500ms}
  - {check: readers, tx: deal, are: [alice, bob, dave]}
  - {check: readers, tx: deal, field: price, are: [alice, bob], at: 1500ms}
  - {check: readers, tx: deal, field: price, are: [alice, bob, dave, eve]}
  - {check: readers, tx: deal, field: good, are: [alice, bob, dave]}
  - {check: denied, tx: deal, as: eve, at: 1500ms}
  - {check: denied, tx: deal, as: carol}
  - {check: denied, tx: other, as: [dave, eve]}
  - {check: no_plaintext}
"""


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """The story, run once in the virtual world."""
    return evidence_of(tmp_path_factory.mktemp("shown"), STORY)


def cells(matrix: Matrix, tx: str = "deal", line: str = "*") -> dict[str, str]:
    """The cells of one line as words."""
    return {column: cell.text() for column, cell in dict(matrix.row(tx).lines(fields=True))[line].items()}


def acts(evidence: Evidence) -> list[Act]:
    """The acts on a ledger, in chain order."""
    return [act for _, act in RunReading(evidence.folder).node("carol").acts()]


def test_every_expectation_holds(evidence: Evidence) -> None:
    """Before and after, of all fields and of one; and nobody reads anything that the steps do not say."""
    judged = judge(evidence)
    assert len(judged) == 9 and {each.result for each in judged} == {"holds"}, judged
    assert plan_differences(evidence) == []


def test_the_matrix_shows_what_was_opened_and_since_when(evidence: Evidence) -> None:
    """Three of four fields for eve; all for dave, who was shown them later; and no row for a carrier."""
    matrix = build_matrix(evidence.folder)
    assert {row.name for row in matrix.rows} == {"deal", "other"}
    assert cells(matrix) == {
        "alice": "● S", "bob": "● N", "carol": "○", "dave": "● D", "eve": "● 3/4", "broker": "○",
    }  # fmt: skip
    assert cells(matrix, line="terms.late")["eve"] == "● D" and cells(matrix, line="good")["eve"] == "○"
    assert not matrix.notes
    first = matrix.row("deal").cells["eve"].since
    assert first is not None and first.t_ms > 2000
    just_before = build_matrix(evidence.folder, f"{first.t_ms - 1}ms")
    assert cells(just_before)["eve"] == "○" and len(just_before.rows) == 2
    assert cells(build_matrix(evidence.folder, "end", ["deal"]))["eve"] == "● 3/4"
    assert any("disclosed later" in line for line in matrix_lines(matrix))


def test_the_ledger_says_who_what_whom_and_why(evidence: Evidence) -> None:
    """A disclosure without a reason of its own has that of its request, which it names."""
    asked, part, whole = acts(evidence)
    tx = evidence.sent["deal"].tx
    assert (asked.sender, asked.deed) == ("eve", Request(tx, "bob", "audit rule 7"))
    assert isinstance(part.deed, Disclosure) and isinstance(whole.deed, Disclosure)
    assert (part.sender, part.deed.receivers, part.deed.fields, part.deed.whole, part.deed.reason) == (
        "bob", ("dave", "eve"), 3, False, "audit rule 7",
    )  # fmt: skip
    assert part.deed.answers is not None and whole.deed.answers is None
    assert (whole.sender, whole.deed.receivers, whole.deed.fields, whole.deed.whole) == (
        "alice",
        ("dave",),
        4,
        True,
    )


def test_a_record_stands_before_its_carrier(evidence: Evidence) -> None:
    """Nobody reads before everybody can know who showed it."""
    node = RunReading(evidence.folder).node("carol")
    for ordered, act in node.acts():
        if isinstance(act.deed, Disclosure):
            assert ordered.height < node.transactions[act.deed.carrier].height


def test_what_is_predicted_is_what_happens(evidence: Evidence) -> None:
    """`check` announces the same cells, and nothing private."""
    scenario = parse_scenario(STORY, "shown.yaml")
    (row, _) = check_document(scenario)["matrix"]["rows"]
    said = {
        column: f"● {cell['part']['read']}/{cell['part']['of']}"
        if "part" in cell
        else f"{cell['symbol']} {cell['reason']}".rstrip()
        for column, cell in row["cells"].items()
    }
    assert said == cells(build_matrix(evidence.folder))
    text = render_check(scenario)
    assert "bob shows deal (2 named) to dave, eve: audit rule 7" in text and "price" not in text
    assert not [each for each in lints(scenario, plan(scenario)) if each.code == "W-EXPECT"]


def test_a_rule_that_forgets_a_disclosure_is_warned_of() -> None:
    text = STORY.replace(
        "{check: readers, tx: deal, are: [alice, bob, dave]}", "{check: readers, tx: deal, are: [alice, bob]}"
    )
    scenario = parse_scenario(text, "shown.yaml")
    (warning,) = [each for each in lints(scenario, plan(scenario)) if each.code == "W-EXPECT"]
    assert "the steps let alice, bob and dave read deal" in warning.message


def test_a_filled_file_loads_back_equal() -> None:
    scenario = parse_scenario(STORY, "shown.yaml")
    again = parse_scenario(filled(scenario), "again.yaml")
    assert again.document == scenario.document and len(again.disclosures) == 2 and len(again.asked) == 1


def test_a_thief_reads_what_was_disclosed_to_its_victim(evidence: Evidence) -> None:
    """Keys open carriers too: from the disk, from what the broker carried, and from any other node."""
    reading = RunReading(evidence.folder)
    matrix = build_matrix(evidence.folder)
    theft = steal(reading, matrix, "eve")
    assert theft.reads == {"disk": ["deal"], "broker": ["deal"], "nodes": ["deal"]}
    assert cells(matrix)[theft.column] == "● 3/4" and theft.safe == ["other"]
    early = build_matrix(evidence.folder, "1500ms")
    assert set(steal(reading, early, "eve").safe) == {"deal", "other"}


def test_a_mandatory_reader_gets_the_carriers_and_refuses_nothing(tmp_path: Path) -> None:
    """What leaves it out would have no effect; and it is told nothing that it does not read anyway."""
    head = "privacy: {always_to: [carol]}\nparties:"
    text = STORY.split("expect:")[0].replace("parties:", head) + (
        "expect:\n  - {check: readers, tx: deal, are: [alice, bob, carol, dave]}\n"
    )
    found = evidence_of(tmp_path, text)
    assert {each.result for each in judge(found)} == {"holds"} and plan_differences(found) == []
    assert not build_matrix(found.folder).notes
    events = [
        json.loads(line)
        for name in ("carol", "dave", "eve")
        for line in (found.folder.node(name) / "events.jsonl").read_text().splitlines()
    ]
    told = [(each["node"], each["ok"]) for each in events if each["ev"] == "priv.disclose"]
    assert sorted(told) == [("dave", True), ("dave", True), ("eve", True)]


def test_secrets_that_were_shown_may_be_held_by_their_receivers(evidence: Evidence) -> None:
    """The scan finds what was not shown at a receiver, and does not accuse it of what was."""
    holders = {each.value: each.readers for each in evidence.secrets.all}
    assert holders["raw cotton bales"] == {"alice", "bob", "dave"}
    assert holders["nobody needs to know this"] == {"alice"}
    carriers = [each for each in evidence.secrets.all if each.readers == {"bob", "dave", "eve"}]
    assert {each.kind for each in carriers} == {"content key", "salt", "text"}


def test_who_sees_tells_what_is_on_record_by_then(evidence: Evidence, privity: Privity) -> None:
    """Beside the cells; and a record itself is public, so there is nothing to find out."""
    home = evidence.folder.path.parents[1]
    said = privity(home, "who-sees", "deal").out
    assert 'on record  block 4: eve asked bob to be shown it: "audit rule 7"' in said.splitlines()[-3]
    assert 'bob showed 3 of the fields of it to dave, eve: "audit rule 7"' in said
    assert "on record" not in privity(home, "who-sees", "deal", "--at", "500ms").out
    refused = privity(home, "who-sees", "part")
    assert refused.code != 0 and "part is public" in refused.err and "privity show tx part" in refused.err


def test_other_verbs_know_records_and_carriers(evidence: Evidence, privity: Privity) -> None:
    """A record lacks nothing to anybody; a carrier is listed by what it shows."""
    home = evidence.folder.path.parents[1]
    assert "has arrived" in privity(home, "why", "ask").out
    party = privity(home, "show", "party", "eve", "--as", "eve", "--json").document
    assert (party["sent"], party["reads"], party["shown"]) == ([], [], ["deal"])
    assert privity(home, "show", "party", "bob", "--json").document["sent"] == []
    page = privity(home, "show", "tx", "part").out
    assert "bob showed 3 of the fields of deal to dave, eve" in page and "answers     request" in page
    assert "price" not in page


# What is not as the records or the steps say.

UNPLANNED = STORY.split("expect:")[0] + "expect:\n  - {check: agreement}\n"


def run_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Any, text: str = UNPLANNED) -> Evidence:
    """The story with every disclosure changed before it is published."""
    honest = showing.disclose
    monkeypatch.setattr(
        showing, "disclose", lambda by, *rest, **how: change(by, honest(by, *rest, **how), how)
    )
    return evidence_of(tmp_path, text)


def test_a_disclosure_off_the_record_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The matrix shows who reads, whatever the ledger does not say, and says that it does not."""

    def unrecorded(by: Any, made: Any, how: Any) -> Any:
        return type(made)(
            made.carrier, by.act(Request(made.package.tx, "carol", "something else")), made.package
        )

    matrix = build_matrix(run_with(tmp_path, monkeypatch, unrecorded).folder)
    assert cells(matrix)["eve"] == "● 3/4" and cells(matrix)["dave"] == "● D"
    assert set(matrix.notes) == {
        f"deal: {name} showed it to others, and no ledger says so" for name in ("alice", "bob")
    }


def test_a_record_that_is_not_true_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lying(by: Any, made: Any, how: Any) -> Any:
        deed = msgspec.structs.replace(made.record.act.deed, fields=1, whole=False)
        return type(made)(made.carrier, by.act(deed), made.package)

    matrix = build_matrix(run_with(tmp_path, monkeypatch, lying).folder)
    assert set(matrix.notes) == {
        f"deal: the ledger says of {name}'s disclosure what is not true" for name in ("alice", "bob")
    }


def test_more_shown_than_the_steps_say_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that shows the whole where a part was to be shown makes a reader too many."""
    honest = showing.disclose

    def generous(by: Any, *rest: Any, **how: Any) -> Any:
        return honest(by, *rest, **{**how, "fields": None})

    monkeypatch.setattr(showing, "disclose", generous)
    evidence = evidence_of(tmp_path, UNPLANNED)
    (difference,) = plan_differences(evidence)
    assert "eve" in difference and "can read it too" in difference


def test_a_disclosure_that_was_not_made_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once all has come to rest, a receiver that cannot read is a difference too."""

    async def never(self: showing.Showing, *_: Any) -> str:
        return ""

    monkeypatch.setattr(showing.Showing, "_disclose", never)
    (difference,) = plan_differences(evidence_of(tmp_path, UNPLANNED))
    assert "dave" in difference and "eve" in difference
