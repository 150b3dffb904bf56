"""`privity shrink`: the smallest scenario that still breaks the same, found by cutting and trying."""

from __future__ import annotations

import re
import shlex
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import CHECK_FAILED, FINE, SCENARIO_INVALID, WRONG_USAGE
from node.run_folder import RunFolder
from scenarios.model.loading import load_scenario, parse_scenario
from scenarios.shrinking.candidates import document_of
from scenarios.shrinking.cutting import (
    as_yaml,
    numbers_of,
    spelt_out,
    steps_of,
    with_parties,
    with_steps,
    without_word,
)
from scenarios.shrinking.searching import smallest_list, smallest_number
from scenarios.shrinking.shrinker import BudgetSpent, Shrinker
from tests.command_line import Privity

ROOT = Path(__file__).parents[2]
SCENARIO = """\
privity: 1
name: large
about: Much of this has nothing to do with what breaks.
seed: 3
network: {loss: 1%}
consensus: {block_every: 50ms, view_timeout: 500ms}
parties: {"bank-[a..d]": {}, auditor: {votes: false, title: Auditor}}
steps:
  - {do: send, id: rent, as: bank-a, to: [bank-b], data: {note: "50 € for 😀"}}
  - {do: load, id: traffic, as: "bank-*", to: {random: 1..2}, count: 12, rate: 20/s, size: 256B}
  - {do: fault, id: late, at: 300ms, kind: delay, nodes: [bank-b], by: 30ms, for: 500ms}
  - {do: fault, id: gone, at: 400ms, kind: crash, nodes: ["bank-[c..d]", auditor], for: 8s}
  - {do: fault, id: lossy, at: 700ms, kind: loss, nodes: "*", chance: 10%, for: 1s}
expect:
  - {check: agreement}
  - {check: readers, tx: rent, are: [bank-a, bank-b]}
RULES"""
# A promise that the crash breaks: two of four are no quorum, and the load has not ended by then.
STALLED = "  - {check: progress, during: gone, within: 1s}\n"
TOO_HIGH = "  - {check: height, min: 300}\n"


def scenario_text(rules: str = TOO_HIGH) -> str:
    return SCENARIO.replace("RULES", rules)


@pytest.fixture
def document() -> dict[str, Any]:
    """The document of a scenario with all sorts of things in it, every name spelt out."""
    return spelt_out(document_of(parse_scenario(scenario_text(), "large.yaml", "large")))


# Searching.


@given(st.integers(0, 40).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, max(0, n - 1))))))
def test_a_list_shrinks_to_exactly_what_is_needed(drawn: tuple[int, set[int]]) -> None:
    """When a list holds as long as some items are in it, those are left, in their order."""
    size, needed = drawn
    needed = {item for item in needed if item < size}
    assert smallest_list(range(size), lambda left: needed <= set(left)) == sorted(needed)


def test_no_single_item_of_a_shrunk_list_can_go() -> None:
    """Also when what is needed depends on what else is there: one of 3 and 5, and an even number of items."""

    def still(left: list[int]) -> bool:
        return bool({3, 5} & set(left)) and len(left) % 2 == 0

    left = smallest_list(range(8), still)
    assert still(left)
    assert not any(still([other for other in left if other != item]) for item in left)


def test_few_of_many_are_found_with_few_tries() -> None:
    """Two of a thousand take some dozens of tries, not a thousand."""
    tries: list[int] = []

    def still(left: list[int]) -> bool:
        tries.append(len(left))
        return {300, 301} <= set(left)

    assert smallest_list(range(1000), still) == [300, 301]
    assert len(tries) < 100


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_a_number_shrinks_to_the_least_that_does(value: int, least: int) -> None:
    """It ends at the threshold, and never below the floor."""
    least = min(value, least)
    assert smallest_number(value, 1, lambda number: number >= least) == least


# Cutting.


def test_a_document_reads_back_as_it_was(document: dict[str, Any]) -> None:
    """Payloads with any characters included."""
    again = parse_scenario(as_yaml(document), "large.yaml", "large")
    assert document_of(again) == document
    assert again.workload[0].data["note"] == "50 € for 😀"  # type: ignore[union-attr]


def test_every_name_is_spelt_out(document: dict[str, Any]) -> None:
    """So that each party, and each node of a fault, can go by itself."""
    assert list(document["parties"]) == ["bank-a", "bank-b", "bank-c", "bank-d", "auditor"]
    assert document["steps"][3]["nodes"] == ["bank-c", "bank-d", "auditor"]
    assert document["steps"][4]["nodes"] == list(document["parties"])


def test_a_party_goes_with_every_word_about_it(document: dict[str, Any]) -> None:
    """Readers, nodes of faults, senders; a step that was about it alone goes too, with its rules."""
    left = with_parties(document, ["bank-a", "bank-c"])
    parse_scenario(as_yaml(left), "large.yaml", "large")
    assert [step["id"] for step in left["steps"]] == ["rent", "traffic", "gone", "lossy"]
    assert left["steps"][0]["to"] == [] and left["steps"][1]["to"] == {"random": 1}
    assert left["steps"][2]["nodes"] == ["bank-c"]
    without_sender = with_parties(document, ["bank-b", "bank-c"])
    assert "rent" not in [step["id"] for step in without_sender["steps"]]
    assert "readers" not in [rule["check"] for rule in without_sender["expect"]]


def test_a_step_goes_with_the_rules_about_it() -> None:
    """A rule about a fault or a transaction that is not there would make the file invalid."""
    whole = document_of(parse_scenario(scenario_text(STALLED), "large.yaml", "large"))
    assert [rule["check"] for rule in whole["expect"]] == ["agreement", "readers", "progress"]
    left = with_steps(whole, [2], faults=True)
    left = with_steps(left, [1], faults=False)
    assert [step["id"] for step in left["steps"]] == ["traffic", "late"]
    assert [rule["check"] for rule in left["expect"]] == ["agreement"]


def test_the_smallest_document_is_found_without_a_network(document: dict[str, Any]) -> None:
    """With a judge who wants two banks, a fault of one and three transactions, nothing else is left."""

    def breaks(candidate: dict[str, Any]) -> bool:
        steps = {step["id"]: step for step in candidate.get("steps", ())}
        if not {"gone", "traffic"} <= set(steps) or "bank-c" not in candidate["parties"]:
            return False
        return "bank-d" in steps["gone"]["nodes"] and steps["traffic"]["count"] >= 3

    shrinker = Shrinker(document, breaks)
    assert shrinker.shrink(-1)
    best = shrinker.best
    assert best["steps"] == [
        {"do": "load", "id": "traffic", "as": "bank-*", "to": {"random": 1}, "rate": "20/s", "count": 3},
        {"do": "fault", "id": "gone", "at": "400ms", "kind": "crash", "nodes": ["bank-d"], "for": "100ms"},
    ]
    assert best["parties"] == {"bank-c": {}, "bank-d": {}} and "expect" not in best and "about" not in best
    assert steps_of(best, faults=True) == [1] and list(without_word(best)) == []
    assert [key for _, key in numbers_of(best)] == ["count", "for"]


def test_a_spent_budget_leaves_the_best_so_far(document: dict[str, Any]) -> None:
    """And says that it was not the end."""
    runs = 0

    def breaks(candidate: dict[str, Any]) -> bool:
        nonlocal runs
        runs += 1
        if runs > 3:
            raise BudgetSpent
        return True

    shrinker = Shrinker(document, breaks)
    assert not shrinker.shrink(-1)
    assert len(str(shrinker.best)) < len(str(document))


# The verb.


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_failing_run_becomes_a_small_file_that_fails_alike(privity: Privity, here: Path) -> None:
    """Its head says what it breaks and how to see it; the command that it names breaks the same check."""
    (here / "large.yaml").write_text(scenario_text())
    assert privity(here, "run", "large.yaml", "--transport", "memory", "-q").code == CHECK_FAILED
    done = privity(here, "shrink", "latest", "--json")
    assert done.code == FINE and done.document["schema"] == "privity.shrink/1"
    assert done.document["broken"] == {"what": "height", "unconfirmed": False} and done.document["complete"]
    assert done.document["before"] == {"faults": 3, "nodes": 5, "transactions": 13, "rules": 3}
    assert done.document["after"] == {"faults": 0, "nodes": 1, "transactions": 0, "rules": 1}
    smaller = here / "smaller.yaml"
    comment = [line for line in smaller.read_text().splitlines() if line.startswith("#")]
    assert "seed 3" in comment[0] and "height" in comment[1]
    assert comment[-1] == f"# To see it: {done.document['again']}" == "# To see it: privity run smaller.yaml"
    assert stat.S_IMODE(smaller.stat().st_mode) == 0o600
    again = privity(here, *shlex.split(done.document["again"])[1:], "--json", "-q")
    assert again.code == CHECK_FAILED
    assert [(each["check"], each["result"]) for each in again.document["expectations"]] == [
        ("height", "broken")
    ]


def test_a_file_is_shrunk_as_it_runs_under_a_seed(privity: Privity, here: Path) -> None:
    """Progress goes to stderr, and a small budget is kept and said to be spent."""
    (here / "large.yaml").write_text(scenario_text())
    done = privity(here, "shrink", "large.yaml", "--seed", "8", "-o", "tiny.yaml", "--budget", "2")
    assert done.code == FINE and "the budget of 2 runs is spent" in done.out
    assert "run 1 of at most 2: 3 faults, 5 nodes, 13 transactions, 3 expectations" in done.err
    assert load_scenario(here / "tiny.yaml").seed == 8


def test_a_run_that_passes_is_refused(privity: Privity, here: Path) -> None:
    """There is nothing to shrink, and no file is written."""
    (here / "large.yaml").write_text(scenario_text(rules=""))
    done = privity(here, "shrink", "large.yaml")
    assert done.code == WRONG_USAGE and "seed 3 passes" in done.err
    assert not (here / "smaller.yaml").exists()


def test_what_cannot_be_shrunk_is_refused(privity: Privity, here: Path) -> None:
    """A live run, an invalid file, a file to write that is there, a seed for a run that has one."""
    path = here / "large.yaml"
    path.write_text(scenario_text())
    (here / "there.yaml").write_text("mine")
    done = privity(here, "shrink", "large.yaml", "-o", "there.yaml")
    assert done.code == WRONG_USAGE and (here / "there.yaml").read_text() == "mine"
    assert "there.yaml is there already" in done.err and "run 1 of" not in done.err
    folder = RunFolder.create(here)
    folder.filled.write_text(scenario_text())
    done = privity(here, "shrink", folder.number)
    assert done.code == WRONG_USAGE and "ran live" in done.err
    assert privity(here, "shrink", folder.number, "--seed", "1").code == WRONG_USAGE
    path.write_text("privity: 1\n")
    assert privity(here, "shrink", "large.yaml").code == SCENARIO_INVALID


@pytest.mark.slow
def test_a_planted_bug_is_shrunk_to_its_cause() -> None:
    """A core that ignores digests breaks I5 under seven faults, and under three at most when shrunk."""
    demo = ROOT / "scripts" / "mutation" / "shrink_demo.py"
    done = subprocess.run(
        [sys.executable, str(demo), "--seeds", "1..1"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "breaks invariant I5" in done.stdout
    assert re.fullmatch("7 faults became [0-3], and it fails again", done.stdout.splitlines()[-1])
