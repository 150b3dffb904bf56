"""What `privity check` says of a good file: the matrix to come, the warnings, the document."""

from __future__ import annotations

from textwrap import dedent

import pytest

from scenarios.model.checking import check_document, render_check
from scenarios.model.lints import lints
from scenarios.model.loading import parse_scenario
from scenarios.model.plan import plan
from scenarios.model.prediction import predicted
from scenarios.model.scenario import Scenario

DEAL = dedent("""\
    privity: 1
    parties:
      acme:    {votes: true}
      bolt:    {votes: true}
      notary:  {role: notary, votes: true}
      city:    {votes: true}
      auditor: {role: regulator, votes: false}
    steps:
      - {at: 2s, do: send, id: bid, as: acme, to: [city, notary], data: {price: 412000}}
      - {at: 1s, do: send, id: tender, as: city, to: ["*"], data: {item: bus}}
    """)


def scenario_of(text: str) -> Scenario:
    """The scenario that this text says."""
    return parse_scenario(text, "tender.yaml")


def warnings_of(text: str) -> dict[str, str]:
    """The warnings about this text: message by code."""
    scenario = scenario_of(text)
    return {warning.code: warning.message for warning in lints(scenario, plan(scenario))}


def with_parties(voters: int) -> str:
    """A scenario of so many voters, in which nothing happens."""
    return "privity: 1\nparties: {" + ", ".join(f"p{number}: " for number in range(voters)) + "}\n"


def test_check_shows_size_matrix_and_warnings() -> None:
    """Rows are transactions in the order of time, columns the parties of the file and the broker."""
    expected = dedent("""\
        ✓ tender.yaml   5 parties · 4 voters · tolerates 1 faulty voter · quorum 3
        predicted
        tx       acme   bolt   notary   city   auditor   broker
        ───────────────────────────────────────────────────────
        tender   ● N    ● N     ● N     ● S      ● N       ○
        bid      ● S     ○      ● N     ● N       ○        ○
        ! everyone can see that acme and city send, and when (metadata.sender: public)  W-META
        ! 2 transactions have no rule in expect: bid, tender                            W-UNSTATED""")
    assert expected == render_check(scenario_of(DEAL))


def test_check_in_ascii_spells_every_symbol() -> None:
    """Under --ascii the letter of a cell stands in brackets, and no other sign is left."""
    text = render_check(scenario_of(DEAL), ascii=True)
    assert text.isascii()
    assert "ok tender.yaml   5 parties - 4 voters - tolerates 1 faulty voter - quorum 3" in text.splitlines()
    assert "bid      [R] S    [C]    [R] N    [R] N     [C]      [C]" in text.splitlines()


def test_check_shows_no_payload() -> None:
    """Neither the text nor the document holds a value or a key of a payload."""
    scenario = scenario_of(DEAL)
    for text in (render_check(scenario), str(check_document(scenario))):
        assert "412000" not in text and "price" not in text


def test_a_load_is_one_row_of_the_text_and_many_of_the_document() -> None:
    """The text says how many of a load's transactions each party reads; the document has a row for each."""
    scenario = scenario_of(
        DEAL + "  - {do: load, id: traffic, as: acme, to: {random: 1, among: [bolt, city]}, count: 9}\n"
    )
    (line,) = [line for line in render_check(scenario).splitlines() if line.startswith("traffic")]
    rows = [row for row in predicted(scenario, plan(scenario)) if row.tx.startswith("traffic-")]
    read_by_bolt = sum(row.cells["bolt"].symbol == "●" for row in rows)
    assert 0 < read_by_bolt < 9
    cells = [cell.strip() for cell in line.split("  ") if cell.strip()]
    assert ["traffic (9)", "● S", f"● {read_by_bolt}", "○", f"● {9 - read_by_bolt}", "○", "○"] == cells
    document_rows = check_document(scenario)["matrix"]["rows"]
    assert len(document_rows) == 11
    assert sum(row["tx"].startswith("traffic-") for row in document_rows) == 9


def test_the_document_has_the_form_of_a_matrix() -> None:
    """`check --json` gives columns and rows of cells as `who-sees --json` does."""
    document = check_document(scenario_of(DEAL))
    assert (document["schema"], document["valid"], document["file"]) == (
        "privity.check/1",
        True,
        "tender.yaml",
    )
    assert document["voters"] == ["acme", "bolt", "notary", "city"]
    assert (document["faulty_voters"], document["quorum"], document["transactions"]) == (1, 3, 2)
    assert document["matrix"]["columns"] == ["acme", "bolt", "notary", "city", "auditor", "broker"]
    bid = document["matrix"]["rows"][1]
    assert (bid["tx"], bid["field"]) == ("bid", "*")
    assert bid["cells"]["acme"] == {"symbol": "●", "reason": "S"}
    assert bid["cells"]["broker"] == {"symbol": "○", "reason": ""}
    assert [warning["code"] for warning in document["warnings"]] == ["W-META", "W-UNSTATED"]


@pytest.mark.parametrize("voters", [1, 2, 3])
def test_few_voters_are_allowed_with_a_note(voters: int) -> None:
    """One to three voters are no error; the note says that f = 0."""
    who = "1 voter tolerates" if voters == 1 else f"{voters} voters tolerate"
    assert {"W-FAULTS": f"{who} no faulty voter (f = 0); 4 voters tolerate one"} == warnings_of(
        with_parties(voters)
    )


@pytest.mark.parametrize(
    ("voters", "note"),
    [
        (4, None),
        (5, "5 voters tolerate the same 1 fault as 4"),
        (6, "6 voters tolerate the same 1 fault as 4"),
        (7, None),
        (9, "9 voters tolerate the same 2 faults as 7"),
    ],
)
def test_voters_that_add_nothing_are_noted(voters: int, note: str | None) -> None:
    """n that is not 3f + 1 tolerates no more than the next smaller n that is."""
    assert note == warnings_of(with_parties(voters)).get("W-VOTERS")


def test_a_rule_on_a_transaction_states_it() -> None:
    """readers and denied both speak of a transaction; one rule on a load speaks of all of it."""
    load = "  - {do: load, id: traffic, as: acme, to: [city], count: 3}\n"
    rules = "expect:\n  - {check: readers, tx: tender, are: ['*']}\n"
    assert (
        warnings_of(DEAL + load + rules)["W-UNSTATED"]
        == "4 transactions have no rule in expect: bid, traffic (3)"
    )
    rules += "  - {check: denied, tx: bid, as: bolt}\n  - {check: denied, tx: traffic-0002, as: bolt}\n"
    assert (
        warnings_of(DEAL + load + rules)["W-UNSTATED"] == "2 transactions have no rule in expect: traffic (2)"
    )
    rules += "  - {check: denied, tx: traffic, as: bolt}\n"
    assert "W-UNSTATED" not in warnings_of(DEAL + load + rules)


def test_a_rule_that_the_steps_contradict_is_noted() -> None:
    """A rule that cannot hold if all goes as the file says is named with its line before anything starts."""
    rules = "expect:\n  - {check: readers, tx: bid, are: [acme, city]}\n"
    message = "the rule in line 12 will be broken: the steps let acme, notary and city read bid"
    assert message == warnings_of(DEAL + rules)["W-EXPECT"]
    rules = "expect:\n  - {check: denied, tx: bid, as: [bolt, notary]}\n"
    assert message == warnings_of(DEAL + rules)["W-EXPECT"]
    rules = "expect:\n  - {check: denied, tx: bid, as: notary, at: 1500ms}\n"
    assert "W-EXPECT" not in warnings_of(DEAL + rules)


def test_a_private_text_that_is_public_anyway_is_noted() -> None:
    """A payload that repeats the title of a party cannot be searched for, so its author is told."""
    text = DEAL.replace("bolt:    {votes: true}", "bolt: {votes: true, title: Bolt Coaches Ltd}")
    warnings = warnings_of(text.replace("{item: bus}", "{best: Bolt Coaches}"))
    message = "a text in the payload of tender is public anyway: parties.bolt.title holds it"
    assert message == warnings["W-PUBLIC"]
