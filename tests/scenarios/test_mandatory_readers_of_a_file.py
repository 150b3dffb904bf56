"""`privacy: {always_to: [...]}`: whom every transaction of a scenario names beside its own readers."""

from __future__ import annotations

import pytest

from scenarios.model.loading import parse_scenario
from scenarios.model.plan import plan
from scenarios.model.prediction import predicted
from scenarios.model.problems import ScenarioInvalid

HEAD = """privity: 1
privacy: {always_to: [%s]}
parties: {alice: {}, bob: {}, carol: {}, dave: {}, reg: {votes: false}}
steps:
  - {at: 1s, do: send, id: rent, as: alice, to: [bob], data: {pay: 1}}
  - {at: 2s, do: send, id: report, as: reg, to: [], data: {pay: 2}}
  - {at: 3s, do: load, id: many, as: "*", to: {random: 1..2}, count: 30, data: {pay: "1..9"}}
"""


def test_every_transaction_names_them_once_and_no_sender_itself() -> None:
    """They come after the readers of the step, whether the step is one transaction or many."""
    sends = {send.id: send for send in plan(parse_scenario(HEAD % "reg", "a.yaml"))}
    assert sends["rent"].readers == ("bob", "reg")
    assert sends["report"].readers == ()
    for send in sends.values():
        assert (send.sender == "reg") != ("reg" in send.readers)
        assert len(set(send.readers)) == len(send.readers)


def test_they_change_no_other_draw() -> None:
    """The load is the same with and without them, but for them."""
    plain = plan(parse_scenario(HEAD.replace("privacy: {always_to: [%s]}\n", ""), "a.yaml"))
    with_them = plan(parse_scenario(HEAD % "reg", "a.yaml"))
    assert [(s.sender, s.fields) for s in plain] == [(s.sender, s.fields) for s in with_them]
    assert [{*s.readers} - {"reg"} for s in plain] == [{*s.readers} - {"reg"} for s in with_them]


def test_check_predicts_them_as_readers() -> None:
    """The row of each transaction that they did not send says so."""
    scenario = parse_scenario(HEAD % "reg", "a.yaml")
    rows = {row.tx: row.cells["reg"] for row in predicted(scenario, plan(scenario))}
    assert rows["rent"].text() == "● N" and rows["report"].text() == "● S"


def test_a_stranger_is_refused_with_a_suggestion() -> None:
    """The name must be a party's."""
    with pytest.raises(ScenarioInvalid) as refusal:
        parse_scenario(HEAD % "regg", "a.yaml")
    (problem,) = refusal.value.problems
    assert (problem.code, problem.line) == ("E-PARTY", 2) and "did you mean reg" in problem.message
