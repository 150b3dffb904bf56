"""`privity aggregate` on real nodes: what a user sees, who may, and what stays unseen. P51."""

from __future__ import annotations

import json

import pytest

from node.errors import NOT_ALLOWED, UNCONFIRMED, WRONG_USAGE
from scenarios.knowledge.matrix import build_matrix
from tests.command_line import Outcome, Privity
from tests.run_of_nodes import LiveRun

VALUES = {"city": 700123, "acme": -20456, "bolt": 31789, "notary": 5}


def summed(live: LiveRun, privity: Privity, *words: str, field: str = "debt") -> Outcome:
    values = json.dumps(VALUES).encode()
    return privity(live.home, "aggregate", field, "--as", "crane", "--data", "-", *words, stdin=values)


def test_p51_a_total_by_command(live: LiveRun, privity: Privity) -> None:
    """Its lines; the coordinator and the contributors can read the total then, and nobody another's value."""
    done = summed(live, privity, "--id", "debts")
    assert done.code == 0, done.err + done.out
    assert done.out.startswith("✓ total      of 4 of 4 values   block ")
    assert "acme, bolt, city, notary computed it from the ledger, and it is the same" in done.out
    assert str(sum(VALUES.values())) not in done.out + done.err
    assert not any(str(abs(value)) in done.out + done.err for value in VALUES.values() if value != 5)
    shown = privity(live.home, "show", "tx", "debts", "--as", "crane")
    assert shown.code == 0 and f"total         {sum(VALUES.values())}" in shown.out
    assert str(VALUES["city"]) in privity(live.home, "show", "tx", "debts-city", "--as", "city").out
    for who in ("crane", "acme"):
        denied = privity(live.home, "show", "tx", "debts-city", "--as", who)
        assert denied.code == NOT_ALLOWED and str(VALUES["city"]) not in denied.out + denied.err
    matrix = build_matrix(live.folder, only=["debts", "debts-city"])
    assert {column: cell.text() for column, cell in matrix.row("debts").cells.items()} == dict.fromkeys(
        live.network.names, "Σ"
    ) | {"broker": matrix.row("debts").cells["broker"].text()}
    assert matrix.row("debts-city").having("●") == ["city"]


def test_p51_a_second_total_that_would_tell_is_refused_and_why_says_so(
    live: LiveRun, privity: Privity
) -> None:
    """The same four twice is no harm; with others among them it would be, and `why` names whose value."""
    again = summed(live, privity, "--id", "twice", "--json")
    assert again.code == 0, again.err
    assert (again.document["done"], again.document["present"]) == (True, sorted(VALUES))
    values = json.dumps({**VALUES, "crane": 11}).encode()
    words = ("aggregate", "debt", "--as", "city", "--data", "-", "--id", "told")
    without = json.dumps({name: 1 for name in ("acme", "bolt", "notary", "crane")}).encode()
    assert privity(live.home, *words, stdin=values).code == WRONG_USAGE  # The coordinator contributes.
    done = privity(live.home, *words, stdin=without)
    assert done.code == UNCONFIRMED and "would give a value away" in done.out
    why = privity(live.home, "why", "told")
    assert why.code == 1 and "told has no total: beside earlier totals of debt" in why.out
    assert "CORRECT" in why.out and privity(live.home, "why", "told", "--json").document["would_give_away"]
    page = privity(live.home, "show", "tx", "told-round")
    assert "ended without a total: would give a value away" in page.out


@pytest.mark.parametrize(
    ("values", "words", "code"),
    [
        ({"city": 1, "acme": 2, "bolt": 3}, (), "E-FEW"),
        (VALUES, ("--minimum", "5"), "E-FEW"),
        ({**VALUES, "city": "much"}, (), "E-PAYLOAD"),
        ({**VALUES, "city": 2**53}, (), "E-PAYLOAD"),
        ({**VALUES, "city": True}, (), "E-PAYLOAD"),
        ({**VALUES, "bank": 5}, (), "E-PARTY"),
        ({**VALUES, "crane": 5}, (), "E-PARTY"),
        (VALUES, ("--id", "what 700123"), "E-NAME"),
        (VALUES, ("--id", "sum-700123"), "E-PRIVATE"),
    ],
)
def test_p51_what_cannot_be_a_round_is_refused_before_anything_is_sent(
    live: LiveRun, privity: Privity, values: dict[str, object], words: tuple[str, ...], code: str
) -> None:
    before = len(live.ledger("city"))
    given = json.dumps(values).encode()
    done = privity(live.home, "aggregate", "debt", "--as", "crane", "--data", "-", *words, stdin=given)
    assert done.code == WRONG_USAGE and code in done.err, done.err
    assert "700123" not in done.err and len(live.ledger("city")) == before


def test_the_name_of_the_field_is_public(live: LiveRun, privity: Privity) -> None:
    done = summed(live, privity, field="what we owe")
    assert done.code == WRONG_USAGE and "E-NAME" in done.err
