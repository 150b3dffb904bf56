"""Faults in a scenario file: what each kind says, whom it names, and which faults are too many."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from node.message_kinds import KINDS
from scenarios.model.checking import check_document, render_check
from scenarios.model.filled import filled
from scenarios.model.layout import FAULTS
from scenarios.model.lints import lints
from scenarios.model.loading import load_scenario, parse_scenario
from scenarios.model.plan import plan
from scenarios.model.prediction import predicted
from scenarios.model.scenario import AtHeight, AtView, Fault, Load, Scenario
from scenarios.model.schema import scenario_schema
from scenarios.model.units import Range, Rate

GOOD = Path(__file__).parent / "good"
GOOD_FILES = sorted(GOOD.glob("*.yaml"))
BANKS = "privity: 1\nparties: {'bank-[a..g]': , regulator: {votes: false}}\n"
TRAFFIC = "  - {do: load, id: traffic, as: '*', to: random, rate: 1/s, for: 60s}\n"


def scenario_of(*faults: str, expect: str = "", head: str = BANKS) -> Scenario:
    """Seven banks with traffic for a minute, and these faults."""
    steps = "".join(f"  - {{do: fault, {fault}}}\n" for fault in faults)
    rules = f"expect:\n  - {{{expect}}}\n" if expect else ""
    return parse_scenario(f"{head}steps:\n{TRAFFIC}{steps}{rules}", "banks.yaml")


def one(fault: str) -> Fault:
    """This fault, resolved."""
    (found,) = scenario_of(fault).faults
    return found


def warnings_of(*faults: str, expect: str = "") -> dict[str, str]:
    """What is said of these faults: message by code."""
    scenario = scenario_of(*faults, expect=expect)
    found = {warning.code: warning.message for warning in lints(scenario, plan(scenario))}
    return {code: found[code] for code in ("W-FAULTS", "W-BYZANTINE", "W-LATE") if code in found}


# The files that come with the tests.


@pytest.mark.parametrize("path", GOOD_FILES, ids=lambda path: path.stem)
def test_a_filled_file_with_faults_loads_back_equal(path: Path) -> None:
    """`check --fill` writes faults, conditions and expectations out so that they mean the same."""
    scenario = load_scenario(path)
    again = parse_scenario(filled(scenario), "again.yaml")
    assert scenario.document == again.document
    assert scenario.conditions == again.conditions and scenario.crypto == again.crypto
    assert [replace(fault, line=0) for fault in scenario.faults] == [
        replace(fault, line=0) for fault in again.faults
    ]


def test_one_file_has_every_kind_of_fault() -> None:
    """A kind that is added to the format is added to the file that shows them all."""
    assert set(FAULTS) == {fault.kind for fault in load_scenario(GOOD / "every-fault.yaml").faults}


def test_the_banks_of_the_product_expect_what_they_break() -> None:
    """The seven banks with faults load, and their stall makes four faulty voters no surprise."""
    scenario = load_scenario(GOOD / "banks-with-faults.yaml")
    assert [fault.id for fault in scenario.faults] == ["crash-primary", "split", "two-faced", "too-many"]
    assert {"W-META", "W-UNSTATED"} == {warning.code for warning in lints(scenario, plan(scenario))}


# What a fault says.


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("kind: crash, nodes: primary", {"nodes": ("primary",)}),
        ("kind: crash, nodes: bank-a, for: 8s, disk: lose", {"for_ms": 8000, "disk": "lose"}),
        ("kind: restart, nodes: bank-a", {"for_ms": 1000, "disk": "keep"}),
        ("kind: pause, nodes: [bank-c, 'bank-[a..b]', bank-a]", {"nodes": ("bank-a", "bank-b", "bank-c")}),
        ("kind: disconnect, nodes: [regulator, backups]", {"nodes": ("backups", "regulator")}),
        ("kind: partition, nodes: bank-a, one_way: true", {"nodes": ("bank-a",), "one_way": True}),
        (
            "kind: partition, groups: {left: 'bank-[a..b]', right: [bank-c]}",
            {"nodes": (), "groups": (("bank-a", "bank-b"), ("bank-c",)), "one_way": False},
        ),
        (
            "kind: delay, nodes: bank-a, by: 0.5ms..2s, to: 'bank-[b..c]', messages: [prepare, other]",
            {"by_us": Range(500, 2_000_000), "to": ("bank-b", "bank-c"), "messages": ("prepare", "other")},
        ),
        ("kind: loss, nodes: bank-a, chance: 30%", {"chance": 0.3, "to": (), "messages": ()}),
        ("kind: duplicate, nodes: bank-a, chance: 100%, to: '*'", {"chance": 1.0, "to": ()}),
        ("kind: reorder, nodes: bank-a, chance: 0.5%", {"chance": 0.005, "by_us": Range(5000, 50_000)}),
        ("kind: equivocate, nodes: voters", {"nodes": ("voters",)}),
        ("kind: silent, nodes: bank-a, to: [bank-b]", {"to": ("bank-b",)}),
        ("kind: censor, nodes: primary, of: ['bank-[a..b]']", {"of": ("bank-a", "bank-b")}),
        ("kind: slow, nodes: primary, by: 800ms", {"by_us": Range(800_000, 800_000)}),
        ("kind: flood, nodes: bank-a", {"rate": Rate(200, 1000)}),
        ("kind: corrupt-disk, nodes: bank-a", {"for_ms": None}),
        ("kind: skew, nodes: bank-a, by: -1.5s", {"by_us": Range(-1_500_000, -1_500_000)}),
        ("kind: broker-restart", {"nodes": (), "for_ms": None}),
        ("kind: broker-outage, for: 5s", {"nodes": (), "for_ms": 5000}),
    ],
)
def test_a_fault_says_what_breaks(written: str, meant: dict[str, object]) -> None:
    """Names are in full and in the order of the file, times in units, and defaults are filled in."""
    fault = one(written)
    assert meant == {name: getattr(fault, name) for name in meant}


@pytest.mark.parametrize(
    ("written", "start"),
    [("3s", 3000), ("{height: 20}", AtHeight(20)), ("{view: 3}", AtView(3))],
)
def test_a_fault_begins_at_a_time_or_a_place(written: str, start: object) -> None:
    """`at` is a time since the genesis, the height of a block, or a view."""
    assert start == one(f"at: {written}, kind: crash, nodes: primary").at


def test_a_fault_has_a_name_a_line_and_no_transactions() -> None:
    """Without an id a fault is named after its place among the steps; nobody reads anything of it."""
    scenario = scenario_of("kind: crash, nodes: primary")
    (fault,) = scenario.faults
    assert (fault.id, fault.line, fault.transactions) == ("fault-2", 5, ())
    assert [type(step) for step in scenario.steps] == [Load, Fault]
    assert [step.id for step in scenario.workload] == ["traffic"]


@pytest.mark.parametrize("kind", FAULTS)
def test_liars_and_lost_memories_are_byzantine(kind: str) -> None:
    """Whoever lies, or may have forgotten what it said, counts to f for good; others only for a while."""
    keys = {"chance": "chance: 5%", "by": "by: 5ms", "of": "of: bank-a", "for": "for: 1s"}
    required = {name for name, info in FAULTS[kind].model_fields.items() if info.is_required()}
    wanted = [text for key, text in keys.items() if required & {key, f"{key}_"}]
    wanted = ["by: +3s" if kind == "skew" and text == "by: 5ms" else text for text in wanted]
    nodes = [] if kind.startswith("broker") else ["nodes: bank-b"]
    fault = one(", ".join([f"kind: {kind}", *nodes, *wanted]))
    liars = {"equivocate", "silent", "censor", "slow", "flood", "corrupt-disk"}
    assert fault.byzantine == (kind in liars)
    if kind in ("crash", "restart"):
        assert one(f"kind: {kind}, nodes: bank-b, disk: lose").byzantine


def test_messages_are_named_as_packets_are() -> None:
    """Every kind of message that a fault can single out is one that packets have, or other."""
    schema = scenario_schema()["$defs"]["LossStep"]["properties"]["messages"]
    (kinds,) = (branch["items"]["enum"] for branch in schema["anyOf"] if "items" in branch)
    assert set(kinds) - {"other"} <= set(KINDS.values())


def test_faults_leave_the_plan_and_the_prediction_alone() -> None:
    """With faults the same transactions are drawn, and the same parties are to read them."""
    calm, broken = scenario_of(), scenario_of("at: 9s, kind: crash, nodes: primary, for: 1s")
    assert plan(calm) == plan(broken)
    assert predicted(calm, plan(calm)) == predicted(broken, plan(broken))


def test_check_shows_the_faults() -> None:
    """`check` has a line for each fault: when, its id and what it is; the document has them too."""
    scenario = scenario_of(
        "at: 9s, id: split, kind: partition, nodes: [bank-a, bank-b], for: 8s",
        "at: {height: 20}, id: lossy, kind: loss, nodes: primary, chance: 30%, to: [bank-c]",
        "at: {view: 3}, id: forgetful, kind: crash, nodes: bank-d, for: 2s, disk: lose",
    )
    lines = render_check(scenario).splitlines()
    place = lines.index("faults")
    assert lines[place + 1 : place + 4] == [
        "       9s  split      partition bank-a bank-b for 8s",
        "height 20  lossy      loss 30% primary to bank-c",
        "   view 3  forgetful  crash bank-d for 2s without its disk",
    ]
    assert check_document(scenario)["faults"][0] == {
        "id": "split",
        "at": "9s",
        "kind": "partition",
        "what": "partition bank-a bank-b for 8s",
    }


# Too many, too late. Seven voters tolerate two.

CRASH = "kind: crash, nodes: [bank-a, bank-b]"


def test_faults_within_f_are_no_surprise() -> None:
    """Two of seven at once are tolerated, others after them too, and followers do not count."""
    assert (
        warnings_of(f"at: 1s, {CRASH}, for: 5s", "at: 6s, kind: pause, nodes: [bank-c, bank-d], for: 5s")
        == {}
    )
    assert warnings_of(f"at: 1s, {CRASH}", "at: 6s, kind: crash, nodes: regulator") == {}
    assert (
        warnings_of("at: 1s, kind: loss, nodes: '*', chance: 5%", "at: 2s, kind: skew, nodes: '*', by: +1s")
        == {}
    )


def test_more_than_f_at_once_are_told() -> None:
    """Faults that overlap in time and together harm more than f voters are named, with the moment."""
    said = warnings_of(
        f"at: 1s, id: dark, {CRASH}, for: 5s", "at: 5s, id: still, kind: pause, nodes: bank-c, for: 9s"
    )
    message = (
        "3 voters may be faulty at once at 5s (dark and still), and f is 2; expect a stall, or have fewer"
    )
    assert said == {"W-FAULTS": message}


def test_an_expected_stall_silences_the_warning() -> None:
    """Whoever expects the stall knows that there are too many."""
    faults = ("at: 1s, id: dark, kind: crash, nodes: ['bank-[a..c]'], for: 5s",)
    assert "W-FAULTS" in warnings_of(*faults)
    assert warnings_of(*faults, expect="check: stall, during: dark") == {}
    assert "W-FAULTS" in warnings_of(*faults, expect="check: progress, after: dark, within: 5s")


@pytest.mark.parametrize(
    ("fault", "count"),
    [
        ("kind: crash, nodes: primary", None),
        ("kind: crash, nodes: backups", 6),
        ("kind: disconnect, nodes: voters", 7),
        ("kind: crash, nodes: [primary, bank-a, bank-b]", 3),
        ("kind: partition, nodes: [bank-a, bank-b]", None),
        ("kind: partition, nodes: 'bank-[a..c]'", 3),
        ("kind: partition, nodes: 'bank-[a..f]'", None),
        ("kind: partition, nodes: backups", None),
        ("kind: partition, nodes: 'bank-[a..f]', one_way: true", None),
        ("kind: partition, nodes: 'bank-[a..c]', one_way: true", 3),
        ("kind: partition, groups: {x: [bank-a, bank-b], y: [bank-c, bank-d], z: 'bank-[e..g]'}", 4),
        ("kind: partition, groups: {x: bank-a, y: bank-b}", None),
        ("kind: corrupt-disk, nodes: 'bank-[a..c]'", 3),
        ("kind: broker-outage, for: 5s", None),
    ],
)
def test_the_worst_is_assumed_of_each_fault(fault: str, count: int | None) -> None:
    """A selector may mean voters that are not named; of a partition the smaller sides are cut off."""
    said = warnings_of(f"at: 1s, {fault}").get("W-FAULTS")
    assert (said.split()[0] if said else None) == (str(count) if count else None)


def test_each_primary_may_be_another() -> None:
    """Three faults of the primary may be of three voters: the second replaced the first."""
    faults = [f"at: {second}s, kind: crash, nodes: primary, for: 30s" for second in (1, 5, 9)]
    assert "W-FAULTS" not in warnings_of(*faults[:2])
    assert "W-FAULTS" in warnings_of(*faults)


def test_a_fault_that_waits_for_a_height_may_come_at_any_time() -> None:
    """It counts beside every other fault, because nobody knows when it comes."""
    assert "W-FAULTS" in warnings_of(
        f"at: 1s, {CRASH}, for: 2s", "at: {height: 90}, kind: pause, nodes: bank-c, for: 1s"
    )


def test_more_than_f_liars_are_out_of_model() -> None:
    """Liars stay liars: three of seven, one after the other, break what PBFT promises."""
    liars = [
        f"at: {second}s, id: liar-{second}, kind: silent, nodes: primary, for: 1s" for second in (1, 5, 9)
    ]
    assert warnings_of(*liars[:2]) == {}
    assert "W-FAULTS" in warnings_of(*liars[:2], "at: 9s, kind: pause, nodes: bank-a, for: 1s")
    said = warnings_of(*liars)["W-BYZANTINE"]
    assert said.startswith("out of model: 3 voters lie or forget (liar-1, liar-5 and liar-9), and f is 2;")


def test_a_fault_that_nothing_notices_is_told() -> None:
    """After the last transaction nobody misses an idle primary, unless an expectation asks."""
    late = "at: 61s, id: late, kind: crash, nodes: primary, for: 1s"
    message = "late begins after the last transaction (59s), and no expectation is about it"
    assert warnings_of(late) == {"W-LATE": message}
    assert warnings_of(late, expect="check: progress, after: late, within: 9s") == {}
    assert warnings_of(late.replace("61s", "50s")) == {}
