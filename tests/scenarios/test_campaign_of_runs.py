"""`run --seeds`: one scenario under many seeds, what is told of it, and how it goes on when interrupted."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from node.errors import CHECK_FAILED, FINE, INTERRUPTED, UNCONFIRMED, WRONG_USAGE
from scenarios.checkers.agreement import Agreement
from scenarios.checkers.facts import InvariantBroken
from scenarios.repeating import campaign
from scenarios.repeating.campaign import Campaign, Plan
from scenarios.repeating.crew import Crew
from scenarios.repeating.once import Broken, Outcome, Task, run_once
from scenarios.repeating.summary import document_of, in_words
from tests.command_line import Privity
from tests.waiting import alive, wait_until

ROOT = Path(__file__).parents[2]
SCENARIO = """\
privity: 1
name: seeds
network: {{transport: memory}}
consensus: {{block_every: 50ms}}
parties: {{alice: {{}}, bob: {{}}, carol: {{}}, dave: {{}}}}
steps:
  - {{do: load, id: traffic, as: "*", to: {{random: 1..2}}, count: 4, rate: 20/s}}
{steps}expect:
  - {{check: agreement}}
{rules}"""
TOO_HIGH = "  - {check: height, min: 300}\n"
# Two of four voters are no quorum, so nothing is ordered any more.
NO_QUORUM = "  - {do: fault, kind: crash, nodes: [carol, dave]}\n"


def write(folder: Path, *, steps: str = "", rules: str = "") -> str:
    """A scenario file in the folder."""
    path = folder / "seeds.yaml"
    path.write_text(SCENARIO.format(steps=steps, rules=rules))
    return str(path)


def kept(home: Path) -> list[str]:
    """The seeds whose runs lie in the only campaign of a home."""
    return sorted(path.name for path in home.glob("campaigns/0001/seed-*"))


def test_every_seed_passes(privity: Privity, tmp_path: Path) -> None:
    """A line for each as it ends, the sum at the end, exit code 0; no folder of a run is left."""
    done = privity(tmp_path, "run", write(tmp_path), "--seeds", "3..5", "--jobs", "2")
    assert done.code == FINE
    *runs, total, blocks, views, _ = done.out.splitlines()
    assert sorted(" ".join(line.split()[:3]) for line in runs) == [f"seed {seed} pass" for seed in (3, 4, 5)]
    assert total.startswith("PASS 3 of 3 runs ") and "3..5" in total
    assert blocks.split()[0] == "blocks" and views.split()[:2] == ["view", "changes"]
    assert "] 1 of 3 · 0 did not pass" in done.err and "\r" not in done.err
    assert kept(tmp_path) == [] and not (tmp_path / "runs").exists()


def test_what_a_seed_shows_is_what_its_run_alone_shows(privity: Privity, tmp_path: Path) -> None:
    """The quantiles of a campaign are numbers that the single runs have."""
    file = write(tmp_path)
    document = privity(tmp_path, "run", file, "--seeds", "1..3", "--json").document
    assert document["schema"] == "privity.campaign/1" and document["verdict"] == "pass"
    alone = [
        privity(tmp_path, "run", file, "--seed", str(seed), "--json", "-q").document for seed in (1, 2, 3)
    ]
    blocks = sorted(each["blocks"] for each in alone)
    assert document["blocks"] == {"min": blocks[0], "median": blocks[1], "p90": blocks[2], "max": blocks[2]}
    assert document["seconds"] > 0 and document["runs"] == document["pass"] == 3


def test_the_sum_of_a_campaign(tmp_path: Path) -> None:
    """Quantiles are values that occurred; what broke most often comes first, with the first seed that did."""
    plan = Plan("", "seeds.yaml", "seeds", range(1, 11), "seeded", "cached")
    found = Campaign(tmp_path, plan)
    for seed in range(10, 0, -1):
        broken = (Broken("height", f"height {seed}", 9, 1),) if seed in (4, 6) else ()
        broken += (Broken("agreement", "two blocks", 8, 0),) if seed == 6 else ()
        word = "fail" if broken else "pass"
        found.outcomes[seed] = Outcome(seed, word, broken, blocks=seed * 10, view_changes=seed % 2)
    document = document_of(found, lambda seed: f"again {seed}", resumed=0)
    assert document["blocks"] == {"min": 10, "median": 50, "p90": 90, "max": 100}
    assert document["view_changes"] == {"min": 0, "median": 0, "p90": 1, "max": 1}
    assert [(each["what"], each["runs"], each["first_seed"]) for each in document["broken"]] == [
        ("height", 2, 4),
        ("agreement", 1, 6),
    ]
    assert [(each["seed"], each["again"]) for each in document["failures"]] == [
        (4, "again 4"),
        (6, "again 6"),
    ]
    assert (document["pass"], document["fail"], document["unconfirmed"]) == (8, 2, 0)


def test_a_failure_comes_with_its_cause_and_the_command_that_repeats_it(
    privity: Privity, tmp_path: Path
) -> None:
    """Which expectation broke, in how many runs; the command breaks it again, the kept folder is that run."""
    file = write(tmp_path, rules=TOO_HIGH)
    done = privity(tmp_path, "run", file, "--seeds", "7..8", "--json")
    document = done.document
    assert (done.code, document["verdict"], document["fail"]) == (CHECK_FAILED, "fail", 2)
    (broken,) = document["broken"]
    assert (broken["what"], broken["result"], broken["runs"]) == ("height", "broken", 2)
    first, second = document["failures"]
    assert (first["seed"], second["seed"]) == (7, 8)
    assert first["broken"] == [f"{file}:{broken['line']} height"]
    again = privity(tmp_path, *shlex.split(first["again"])[1:], "--json")
    assert again.code == CHECK_FAILED and again.document["seed"] == 7
    then = json.loads((Path(first["kept"]) / "verdict.json").read_text())
    assert then["trace_hash"] == again.document["trace_hash"]


def test_in_words_a_failure_names_place_seed_and_command(privity: Privity, tmp_path: Path) -> None:
    """For people, the same."""
    file = write(tmp_path, rules=TOO_HIGH)
    out = privity(tmp_path, "run", file, "--seeds", "7", "-q").out
    assert f"✗ {file}:10  height  in 1 of 1 runs" in out
    assert f"again privity run {file} --seed 7" in out
    again = out.split("next  privity ")[1].splitlines()[0]
    assert privity(tmp_path, *again.split(), "-o", str(tmp_path / "smaller.yaml")).code == FINE


def test_many_failures_alike_are_told_shortly(tmp_path: Path) -> None:
    """The first three, the first of every other kind, the number of the rest, and the first to shrink."""
    found = Campaign(tmp_path, Plan("", "seeds.yaml", "seeds", range(1, 21), "seeded", "cached"))
    for seed in range(1, 21):  # Of the first four nothing is kept any more.
        broken = (Broken("height", f"height {seed}", 9, 0),) + (Broken("agreement", "two", 8, 0),) * (
            seed > 15
        )
        run_dir = tmp_path / str(seed)
        if seed > 4:
            run_dir.mkdir()
        found.outcomes[seed] = Outcome(seed, "fail", broken, run_dir=str(run_dir))
    lines = in_words(document_of(found, lambda seed: f"privity run it --seed {seed}", resumed=0))
    again = [line.split()[-1] for line in lines if line.startswith("    again ")]
    assert again == ["1", "2", "3", "16"]
    assert lines[-2] == f"    and 16 more alike; --json lists all, the newest are kept in {tmp_path}"
    assert lines[-1] == f"    next  privity shrink {tmp_path / '5'}"


def test_many_seeds_of_a_live_file_run_in_the_virtual_world(privity: Privity, tmp_path: Path) -> None:
    """Nobody has to say so, and the command that repeats one of them says it."""
    file = Path(write(tmp_path, rules=TOO_HIGH))
    file.write_text(file.read_text().replace("network: {transport: memory}\n", ""))
    document = privity(tmp_path, "run", str(file), "--seeds", "4", "--json").document
    (failure,) = document["failures"]
    assert failure["again"] == f"privity run {file} --seed 4 --transport memory"


def test_an_invariant_is_the_gravest_also_while_the_network_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run fails, and what broke is the invariant, before all that follows from it."""
    told = Agreement.executed

    def disagrees(self: Agreement, replica: int, height: int, *rest: object) -> None:
        told(self, replica, height, *rest)  # type: ignore[arg-type]
        if height == broken_at:
            raise InvariantBroken("I1", f"two blocks at height {height}", 0, replica)

    monkeypatch.setattr(Agreement, "executed", disagrees)
    text = Path(write(tmp_path, rules=TOO_HIGH)).read_text()
    for broken_at in (1, 2):
        outcome = run_once(Task(text, "seeds.yaml", "seeds", str(tmp_path / str(broken_at)), seed=4))
        assert (outcome.seed, outcome.verdict) == (4, "fail")
        assert outcome.broken[0].what == "invariant I1" and "two blocks" in outcome.broken[0].detail


def test_a_frozen_start_is_said_to_be_one(
    privity: Privity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A single run tells the broken invariant, and not that the network was slow."""

    def disagrees(self: Agreement, replica: int, *rest: object) -> None:
        raise InvariantBroken("I1", "two blocks at height 1", 0, replica)

    monkeypatch.setattr(Agreement, "executed", disagrees)
    done = privity(tmp_path, "run", write(tmp_path))
    assert done.code == CHECK_FAILED and "E-FROZEN" in done.err and "two blocks" in done.err


def test_what_cannot_be_confirmed_is_no_pass(privity: Privity, tmp_path: Path) -> None:
    """Exit code 3 when nothing failed and something stayed open."""
    done = privity(tmp_path, "run", write(tmp_path, steps=NO_QUORUM), "--seeds", "1..1", "--json")
    assert (done.code, done.document["verdict"]) == (UNCONFIRMED, "unconfirmed")
    assert done.document["failures"][0]["broken"]


def test_only_the_newest_failures_are_kept(
    privity: Privity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A campaign that fails everywhere does not fill the disk."""
    monkeypatch.setattr(campaign, "KEPT", 1)
    done = privity(
        tmp_path, "run", write(tmp_path, rules=TOO_HIGH), "--seeds", "1..3", "--jobs", "1", "--json"
    )
    assert kept(tmp_path) == ["seed-3"]
    assert [each["kept"] is not None for each in done.document["failures"]] == [False, False, True]


@contextmanager
def running(home: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own, killed at the end if it still runs."""
    with subprocess.Popen(
        [sys.executable, "-m", "scenarios.cli", *arguments],
        cwd=ROOT,
        env={**os.environ, "PRIVITY_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def children_of(pid: int) -> list[int]:
    """The processes that this one started."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)
    pairs = [line.split() for line in listed.stdout.splitlines()]
    return [int(child) for child, parent in pairs if int(parent) == pid]


def test_ctrl_c_leaves_nothing_running_and_the_same_command_goes_on(privity: Privity, tmp_path: Path) -> None:
    """Exit code 130; the seeds that were done are not run again, and none is left out."""
    arguments = ("run", write(tmp_path), "--seeds", "1..16", "--jobs", "2")
    with running(tmp_path, *arguments) as process:
        assert process.stdout is not None and process.stdout.readline().startswith("seed ")
        children = children_of(process.pid)
        assert len(children) == 2
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == INTERRUPTED and "the same command goes on there" in said
    wait_until(lambda: not any(alive(pid) for pid in children))
    results = tmp_path / "campaigns" / "0001" / "results.jsonl"
    done = len(results.read_bytes().splitlines())
    assert 1 <= done < 16
    with results.open("ab") as file:
        file.write(b'{"seed":16,"verd')  # Cut short, as by a power cut.
    again = privity(tmp_path, *arguments, "--json")
    assert again.code == FINE and f"{done} of 16 seeds are done" in again.err
    assert (again.document["resumed"], again.document["runs"]) == (done, 16)


def test_a_campaign_whose_process_was_killed_goes_on_too(privity: Privity, tmp_path: Path) -> None:
    """Its workers end with it, also without being told."""
    arguments = ("run", write(tmp_path), "--seeds", "1..12", "--jobs", "2")
    with running(tmp_path, *arguments) as process:
        assert process.stdout is not None and process.stdout.readline().startswith("seed ")
        children = children_of(process.pid)
        process.kill()
    wait_until(lambda: not any(alive(pid) for pid in children))
    assert privity(tmp_path, *arguments, "--json").document["resumed"] >= 1


def test_a_worker_ends_when_nobody_needs_it() -> None:
    """As soon as its standard input is closed, however that comes."""
    command = [sys.executable, "-m", "scenarios.repeating.worker"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        try:
            assert worker.stdin is not None
            worker.stdin.close()
            assert worker.wait(20) == 0
        finally:
            worker.kill()


def test_a_run_that_takes_too_long_or_dies_gives_no_verdict(tmp_path: Path) -> None:
    """It counts as unconfirmed, and the runs after it are carried out by another worker."""
    text = Path(write(tmp_path)).read_text()

    def task(seed: int) -> Task:
        return Task(text, "seeds.yaml", "seeds", str(tmp_path / str(seed)), seed=seed)

    before = children_of(os.getpid())
    with Crew(1) as crew:
        (late,) = crew.run([task(1)], limit_s=0.0)
        assert (late.seed, late.verdict, late.broken[0].what) == (1, "unconfirmed", "no verdict")
        assert [each.verdict for each in crew.run([task(2), task(3)])] == ["pass", "pass"]
        (worker,) = (pid for pid in children_of(os.getpid()) if alive(pid) and pid not in before)
        os.kill(worker, signal.SIGKILL)
        (dead,) = crew.run([task(4)])
        assert (dead.verdict, dead.broken[0].detail) == ("unconfirmed", "its process ended")
        assert [each.verdict for each in crew.run([task(5)])] == ["pass"]


def test_another_file_other_options_or_an_ended_campaign_begin_anew(privity: Privity, tmp_path: Path) -> None:
    """Outcomes are only taken over from what would give the same."""
    file = write(tmp_path)

    def begin(*more: str) -> str:
        document = privity(tmp_path, "run", file, "--seeds", "1", "--json", *more).document
        assert document["resumed"] == 0
        return Path(document["dir"]).name

    assert [begin(), begin(), begin("--signatures", "modelled")] == ["0001", "0002", "0003"]
    for number in ("0001", "0002", "0003"):
        record = tmp_path / "campaigns" / number / "campaign.json"
        record.write_text(record.read_text().replace('"ended"', '"interrupted"'))
    Path(file).write_text(Path(file).read_text() + "# Another text.\n")
    assert [begin(), begin("--fresh")] == ["0004", "0005"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--seeds", "1..3", "--transport", "mqtt"), "live run"),
        (("--seeds", "1..3", "--seed", "1"), "--seed"),
        (("--seeds", "1..3", "--junit", "out.xml"), "--junit"),
        (("--seeds", "1..3", "--trace", "trace.jsonl"), "--trace"),
        (("--seeds", "1..3", "--check-determinism"), "--check-determinism"),
        (("--seeds", "1..3", "--keep"), "--keep"),
        (("--seeds", "3..1"), "1..50"),
        (("--seeds", "many"), "1..50"),
        (("--seeds", "1..99999999"), "at most"),
        (("--jobs", "2"), "--jobs"),
        (("--fresh",), "--fresh"),
    ],
)
def test_what_does_not_go_together_is_refused(
    privity: Privity, tmp_path: Path, arguments: tuple[str, ...], named: str
) -> None:
    """By name and with the reason, before anything starts."""
    done = privity(tmp_path, "run", write(tmp_path), *arguments)
    assert (done.code, done.out) == (WRONG_USAGE, "") and named in done.err
    assert not (tmp_path / "campaigns").exists() and not (tmp_path / "runs").exists()
