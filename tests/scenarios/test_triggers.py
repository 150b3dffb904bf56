"""Steps and expectations that wait for a height or a view, and what becomes of those that wait in vain."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from node.errors import FINE, UNCONFIRMED
from node.run_folder import RunFolder
from scenarios.model.disclosures import Ask, Disclose
from scenarios.model.lints import lints
from scenarios.model.loading import parse_scenario
from scenarios.model.plan import PlannedSend, plan
from scenarios.model.scenario import AtHeight, AtView, Denied, Height, Readers, Scenario
from scenarios.model.starts import Place, comes_before, is_by
from tests.command_line import Privity
from tests.scenarios.made_evidence import Made

HEAD = """\
privity: 1
name: waits
network: {transport: memory}
consensus: {block_every: 50ms, view_timeout: 500ms}
parties: {alice: {}, bob: {}, carol: {}, dave: {}}
steps:
  - {do: load, id: traffic, as: "*", to: {random: 1..2}, count: 12, rate: 10/s, data: {pay: "1..900"}}
"""
STORY = """\
  - {at: {height: 5}, do: send, id: rent, as: alice, to: [bob], data: {pay: 5}}
  - {at: {height: 8}, do: load, id: more, as: bob, to: [carol], count: 4, rate: 5/s, data: {pay: 5}}
  - {at: {height: 9}, do: request, id: ask, tx: rent, as: dave, of: bob, reason: audit}
  - {at: {height: 9}, do: replay, id: again, tx: rent}
  - {at: {height: 10}, do: disclose, id: shown, tx: rent, as: bob, to: [dave], answers: ask}
  - {at: {height: 12}, do: fault, id: down, kind: crash, nodes: [primary], for: 1s}
  - {at: {view: 1}, do: send, id: late, as: carol, to: [dave], data: {pay: 5}}
expect:
  - {check: agreement}
  - {check: readers, tx: rent, at: {height: 9}, are: [alice, bob]}
  - {check: denied, tx: rent, at: {height: 9}, as: [carol, dave]}
  - {check: readers, tx: rent, are: [alice, bob, dave]}
  - {check: height, at: {view: 1}, min: 10}
  - {check: refused, step: again}
"""
VAIN = HEAD + "  - {at: {height: 80}, do: send, id: rent, as: alice, to: [bob], data: {pay: 5}}\n"


def written(place: Path, text: str) -> str:
    """The path of a file with this text."""
    (place / "waits.yaml").write_text(text)
    return str(place / "waits.yaml")


def checked(text: str) -> Scenario:
    return parse_scenario(text, "waits.yaml")


def labels(home: Path) -> dict[str, int]:
    """When each transaction of the latest run was handed in, in ms since the genesis."""
    return {label.id: label.t for label in RunFolder.find(home).transactions()}


def test_steps_begin_when_the_network_gets_there(privity: Privity, tmp_path: Path) -> None:
    """Every kind of step: not before its height or view, a load paced from then on; twice the same."""
    file = written(tmp_path, HEAD + STORY)
    done = privity(tmp_path, "run", file, "--json", "-q")
    assert (done.code, done.document["verdict"]) == (FINE, "pass"), done.out + done.err
    sent = labels(tmp_path)
    log = (tmp_path / "runs" / "latest" / "events.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in log]
    committed: dict[int, list[int]] = {}
    for event in events:
        if event["ev"] == "block.commit":
            committed.setdefault(event["h"], []).append(event["t"])
    # f + 1 = 2 voters have it when a step goes by it, and it is soon noticed.
    for name, height in (("rent", 5), ("more-0001", 8), ("ask", 9), ("shown", 10)):
        there = sorted(committed[height])[1]
        assert there <= sent[name] <= there + 300, name
    for number in (2, 3, 4):
        assert sent[f"more-000{number}"] - sent["more-0001"] == 200 * (number - 1)
    entered = min(event["t"] for event in events if event["ev"] == "pbft.new_view")
    assert entered <= sent["late"] <= entered + 1000
    again = privity(tmp_path, "run", file, "--json", "-q")
    assert done.document["trace_hash"] == again.document["trace_hash"]


def test_a_step_whose_height_never_comes_leaves_the_run_unconfirmed(privity: Privity, tmp_path: Path) -> None:
    """It is told when it is given up, named in the verdict, and `why` knows what it waited for."""
    done = privity(tmp_path, "run", written(tmp_path, VAIN))
    assert done.code == UNCONFIRMED
    assert "missed    rent         block 80 never came; the highest was 13   E-TRIGGER" in done.err
    assert "? run  step rent (line 8) was not carried out: block 80 never came" in done.out
    why = privity(tmp_path, "why", "rent")
    assert "rent was never handed in: block 80, for which it waited, never came in time." in why.out
    assert '"waits_for":"block 80"' in (tmp_path / "runs" / "latest" / "operator" / "plan.jsonl").read_text()


def test_a_view_that_never_comes_and_what_needed_its_transaction(privity: Privity, tmp_path: Path) -> None:
    """Both steps are named, and the expectation about it says that nothing was sent."""
    text = HEAD + (
        "  - {at: {view: 3}, do: send, id: rent, as: alice, to: [bob], data: {pay: 5}}\n"
        "  - {at: 2s, do: replay, id: again, tx: rent}\n"
        "  - {at: 2s, do: disclose, id: shown, tx: rent, as: bob, to: [dave], reason: audit}\n"
        "expect:\n  - {check: refused, step: again}\n"
        "  - {check: readers, tx: rent, are: [alice, bob, dave]}\n"
    )
    done = privity(tmp_path, "run", written(tmp_path, text))
    assert done.code == UNCONFIRMED
    assert "step rent (line 8) was not carried out: view 3 never came; the highest was 0" in done.out
    for line, name in ((9, "again"), (10, "shown")):
        assert f"step {name} (line {line}) was not carried out: rent was not sent by then" in done.out
    assert "rent: it was never sent" in done.out and "again handed nothing in" in done.out


def test_steps_that_lead_to_each_other_are_waited_for(privity: Privity, tmp_path: Path) -> None:
    """A late fault, the view after it, and what that leads to: nobody gives up while something is to come."""
    text = HEAD + (
        "  - {at: 12s, do: fault, id: down, kind: crash, nodes: [primary], for: 2s}\n"
        "  - {at: 12500ms, do: send, id: nudge, as: bob, to: [dave], data: {pay: 1}}\n"
        "  - {at: {view: 1}, do: load, id: on, as: carol, to: [dave], count: 3, data: {pay: 5}}\n"
        "  - {at: {height: 16}, do: send, id: last, as: carol, to: [dave], data: {pay: 5}}\n"
    )
    done = privity(tmp_path, "run", written(tmp_path, text), "--json", "-q")
    assert (done.code, done.document["incidents"]) == (FINE, []), done.out
    assert 12_000 < labels(tmp_path)["on-0001"] < labels(tmp_path)["last"]


def test_expectations_at_a_height_or_view_that_never_came(tmp_path: Path) -> None:
    """Unconfirmed, and they say which."""
    made = Made(tmp_path)
    made.sends("rent", 1000)
    made.commits(1, 500)
    made.commits(2, 1500, txs=["rent"])
    place = ("expect[0]", 9)
    for rule, said in (
        (
            Readers("readers", *place, "rent", ("rent",), ("ann", "bob"), AtHeight(3)),
            "rent at block 3: block 3 never came",
        ),
        (
            Denied("denied", *place, "rent", ("rent",), ("cyd",), AtView(2)),
            "rent at view 2: view 2 never came",
        ),
        (Height("height", *place, 1, None, AtView(1)), "view 1 never came"),
    ):
        found = made.judged(rule)
        assert (found.result, found.detail) == ("unconfirmed", said)


def test_a_view_has_come_when_a_weak_quorum_of_voters_is_in_it(tmp_path: Path) -> None:
    """One voter's word is not enough, and a later view is past an earlier one."""
    made = Made(tmp_path)
    for height in (1, 2, 3):
        made.commits(height, 500 * height)
    made.tells(900, "ann", "pbft.new_view", v=1, **{"from": "bob"})
    rule = Height("height", "expect[0]", 9, None, 2, AtView(1))
    assert made.outcome(rule) == "unconfirmed"
    made.tells(1100, "cyd", "pbft.new_view", v=2, **{"from": "cyd"})
    assert made.judged(rule).detail == "height 2, expected exactly 2"
    assert made.outcome(rule) == "holds"


def test_check_says_what_waits_and_what_waits_in_vain(privity: Privity, tmp_path: Path) -> None:
    """In the prediction, by step; and a height that the steps cannot make is a warning."""
    done = privity(tmp_path, "check", written(tmp_path, HEAD + STORY))
    assert done.code == FINE
    for line in ("rent waits for block 5", "late waits for view 1", "again waits for block 9"):
        assert line in done.out.splitlines()
    assert " block 9  ask    dave asks bob" in done.out and "W-WAIT" not in done.out
    vain = privity(tmp_path, "check", written(tmp_path, VAIN))
    assert "! rent waits for block 80, and these steps make 14 blocks at most" in vain.out
    filled = privity(tmp_path, "check", "--fill", written(tmp_path, HEAD + STORY))
    again = checked(filled.out)
    assert again.workload[1].trigger == AtHeight(5) and again.workload[3].trigger == AtView(1)
    before = checked(HEAD + STORY).expectations
    assert [replace(each, line=0) for each in again.expectations] == [
        replace(each, line=0) for each in before
    ]


@pytest.mark.parametrize(
    ("rule", "warned"),
    [
        ("{check: readers, tx: rent, at: {height: 3}, are: [alice, bob]}", False),
        ("{check: readers, tx: rent, at: {height: 3}, are: [alice, bob, dave]}", False),
        ("{check: readers, tx: rent, at: {height: 3}, are: [alice, carol]}", True),
        ("{check: denied, tx: rent, at: {view: 1}, as: [bob]}", True),
        ("{check: denied, tx: rent, at: {view: 1}, as: [dave]}", False),
        ("{check: readers, tx: late, at: {height: 3}, are: [alice]}", False),
    ],
)
def test_only_a_rule_that_no_order_of_events_can_keep_is_warned_about(rule: str, warned: bool) -> None:
    """A disclosure at a time may come before or after a height; what waits for it is later."""
    text = HEAD + (
        "  - {at: 1s, do: send, id: rent, as: alice, to: [bob], data: {pay: 5}}\n"
        "  - {at: 2s, do: disclose, tx: rent, as: bob, to: [dave], reason: audit}\n"
        "  - {at: {height: 3}, do: send, id: late, as: alice, to: [bob], data: {pay: 5}}\n"
        f"expect:\n  - {rule}\n"
    )
    scenario = checked(text)
    codes = [warning.code for warning in lints(scenario, plan(scenario))]
    assert ("W-EXPECT" in codes) == warned


@pytest.mark.parametrize(
    ("first", "second", "before"),
    [
        ((1000, None), (2000, None), True),
        ((2000, None), (2000, None), False),
        ((0, AtHeight(5)), (0, AtHeight(9)), None),  # Its transaction may take until later.
        ((0, AtHeight(9)), (0, AtHeight(5)), False),
        ((100, AtHeight(5)), (200, AtHeight(5)), True),
        ((0, AtView(3)), (0, AtView(2)), False),
        ((5000, None), (0, AtView(2)), None),
        ((0, AtHeight(2)), (0, AtView(2)), None),
    ],
)
def test_what_can_be_known_of_the_order_beforehand(
    first: tuple[int, Place | None], second: tuple[int, Place | None], before: bool | None
) -> None:
    """Times against times, and heights or views against their like; all else only the run can tell."""
    one, other = (
        PlannedSend("one", at_ms, "alice", (), {}, trigger=trigger) for at_ms, trigger in (first, second)
    )
    assert comes_before(one, other) is before
    assert is_by(one, 1500) == (first[0] < 1500 if first[1] is None else None)


def test_disclosures_come_in_the_order_of_their_triggers() -> None:
    """Times first, then heights; a request that may come before is the one that is answered."""
    scenario = checked(HEAD + STORY)
    (shown,) = scenario.disclosures
    (ask,) = scenario.asked
    assert isinstance(shown, Disclose) and isinstance(ask, Ask)
    assert (shown.trigger, ask.trigger, shown.reason) == (AtHeight(10), AtHeight(9), "audit")
