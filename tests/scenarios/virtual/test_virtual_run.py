"""`run --transport memory`: a scenario file in the virtual world, and the same run again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from node.consortium import Network
from node.errors import CHECK_FAILED, FINE, WRONG_USAGE
from node.run_folder import RunFolder
from scenarios.checkers.agreement import Agreement
from scenarios.checkers.facts import InvariantBroken
from scenarios.checkers.replay import judge
from scenarios.processes.capture import summarize
from scenarios.virtual.io_trace import read
from tests.command_line import Privity

ROOT = Path(__file__).parents[3]
STAMP = "SEEDED KEYS: not secret"
SCENARIO = """\
privity: 1
name: virtual
seed: 3
consensus: {block_every: 50ms}
parties: {alice: {}, bob: {}, carol: {}, dave: {}, erin: {votes: false}}
steps:
  - {at: 300ms, do: send, id: rent, as: alice, to: [bob, erin], data: {note: "rent for the month of May"}}
  - {at: 400ms, do: load, id: traffic, as: "*", to: {random: 1..2}, count: 20, rate: 20/s, size: 256B}
expect:
  - {check: agreement}
  - {check: readers, tx: rent, are: [alice, bob, erin]}
  - {check: denied, tx: rent, as: [carol, dave]}
  - {check: height, min: 3}
  - {check: no_plaintext}
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    """A scenario of five parties."""
    path = tmp_path / "virtual.yaml"
    path.write_text(SCENARIO)
    return str(path)


def run(privity: Privity, home: Path, file: str, *more: str) -> dict[str, object]:
    """The document of a virtual run that passed."""
    done = privity(home, "run", file, "--transport", "memory", "--json", "-q", *more)
    assert done.code == FINE, done.err
    return done.document


def test_a_scenario_passes_in_the_virtual_world(privity: Privity, tmp_path: Path, file: str) -> None:
    """All is judged from the same disks, keys and capture as live, with every invariant checked."""
    document = run(privity, tmp_path, file)
    assert {each["result"] for each in document["expectations"]} == {"holds"}  # type: ignore[attr-defined]
    assert document["transport"] == "memory" and document["broker"] == "virtual"
    assert document["transactions"] == {"planned": 21, "submitted": 21, "committed": 21, "refused": 0}
    assert document["invariants_checked"] > 500 and document["stamp"] == STAMP  # type: ignore[operator]
    folder = RunFolder(Path(str(document["run_dir"])))
    assert Network.load(folder.genesis).names[4] == "erin"
    assert summarize(folder.capture).complete


def test_who_sees_and_logs_read_a_virtual_run(privity: Privity, tmp_path: Path, file: str) -> None:
    """Its folder is like any other."""
    run(privity, tmp_path, file)
    matrix = privity(tmp_path, "who-sees", "rent", "--json")
    assert matrix.code == FINE and '"erin"' in matrix.out
    commits = privity(tmp_path, "logs", "--ev", "block.commit", "--json").out.splitlines()
    assert {json.loads(line)["node"] for line in commits} == {"alice", "bob", "carol", "dave", "erin"}


def test_one_seed_has_one_trace_hash_whatever_the_hash_seed(tmp_path: Path, file: str) -> None:
    """Over the full bytes, in three processes; another seed has another."""

    def trace_hash(hash_seed: str, *more: str) -> str:
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PRIVITY_HOME": str(tmp_path / "home")}
        command = [
            sys.executable,
            "-m",
            "scenarios.cli",
            "run",
            file,
            "--transport",
            "memory",
            "--json",
            *more,
        ]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
        return str(json.loads(done.stdout)["trace_hash"])

    hashes = {trace_hash(hash_seed) for hash_seed in ("0", "1", "4711")}
    assert len(hashes) == 1 and len(hashes.pop()) == 64
    assert trace_hash("0", "--seed", "4") != trace_hash("0")


def test_keys_of_the_system_promise_no_trace_hash(privity: Privity, tmp_path: Path, file: str) -> None:
    """And the stamp goes with it."""
    document = run(privity, tmp_path, file, "--crypto", "os")
    assert document["trace_hash"] is None and document["stamp"] == ""
    told = privity(tmp_path, "run", file, "--transport", "memory", "--crypto", "os", "-q")
    assert "trace" not in told.out and STAMP not in told.out


@pytest.mark.parametrize("mode", ["real", "cached", "modelled"])
def test_the_mode_of_signatures_is_named(privity: Privity, tmp_path: Path, file: str, mode: str) -> None:
    """In the document, and to people."""
    document = run(privity, tmp_path, file, "--signatures", mode)
    assert document["options"]["signatures"] == mode  # type: ignore[index]
    assert (
        f"signatures {mode}"
        in privity(tmp_path, "run", file, "--transport", "memory", "--signatures", mode).err
    )


def test_a_run_is_stamped_and_tells_what_made_it(privity: Privity, tmp_path: Path, file: str) -> None:
    """Seed, expanded options, trace hash."""
    document = run(privity, tmp_path, file)
    options = document["options"]
    assert options["seed"] == 3 and options["settings"]["block_every_ms"] == 50  # type: ignore[index]
    told = privity(tmp_path, "run", file, "--transport", "memory", "-q").out
    assert "seed 3" in told
    assert STAMP in privity(tmp_path, "run", file, "--transport", "memory").out


def test_the_trace_can_be_judged_from_outside(privity: Privity, tmp_path: Path, file: str) -> None:
    """It starts with who takes part, has every event in order, and the judge that reads it finds nothing."""
    trace = tmp_path / "trace.jsonl"
    document = run(privity, tmp_path, file, "--trace", str(trace))
    with trace.open() as lines:
        header, *events = read(lines)
    assert header["n"] == 4 and header["options"] == document["options"]
    times = [event["t_us"] for event in events]
    assert times == sorted(times)
    assert {event["event"] for event in events} >= {
        "started",
        "delivered",
        "persisted",
        "flushed",
        "sent",
        "executed",
    }
    with trace.open() as lines:
        assert judge(lines).summary["I1"] > 0


def test_the_same_run_twice_is_shown_to_be_the_same(privity: Privity, tmp_path: Path, file: str) -> None:
    """--check-determinism runs two processes with different hash seeds and compares every event."""
    done = privity(tmp_path, "run", file, "--transport", "memory", "--check-determinism", "--json")
    assert done.code == FINE and done.document["same"] is True
    assert done.document["trace_hashes"][0] == done.document["trace_hashes"][1]
    assert done.document["events"] > 500


def test_the_first_event_that_differs_is_named(
    privity: Privity, tmp_path: Path, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node whose timing came from hash() would be found out: here a stand-in for the site draws from it."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        "import random\n"
        "seeded = random.Random.__init__\n"
        "def unseeded(self, seed=None):\n"
        "    seeded(self, f'{seed}{hash(str(seed))}')\n"
        "random.Random.__init__ = unseeded\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    done = privity(tmp_path, "run", file, "--transport", "memory", "--check-determinism")
    assert done.code == CHECK_FAILED
    assert "is the first that differs" in done.out


def test_a_broken_invariant_is_the_verdict(
    privity: Privity, tmp_path: Path, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The world stops where it broke, and the run fails whatever else holds."""
    told = Agreement.executed

    def disagrees(self: Agreement, replica: int, height: int, *rest: object) -> None:
        told(self, replica, height, *rest)  # type: ignore[arg-type]
        if height == 3 and replica == 2:
            raise InvariantBroken("I1", "two blocks at height 3", 0, replica)

    monkeypatch.setattr(Agreement, "executed", disagrees)
    done = privity(tmp_path, "run", file, "--transport", "memory", "--json", "-q")
    assert done.code == CHECK_FAILED and done.document["verdict"] == "fail"
    words = privity(tmp_path, "run", file, "--transport", "memory", "-q").out
    assert "invariant broken" in words and "I1" in words


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--transport", "memory", "--broker", "embedded"), "--broker"),
        (("--transport", "memory", "--in-process"), "--in-process"),
        (("--transport", "memory", "--keep"), "--keep"),
        (("--trace", "trace.jsonl"), "--trace"),
        (("--signatures", "real"), "--signatures"),
        (("--transport", "mqtt", "--check-determinism"), "--check-determinism"),
        (("--transport", "memory", "--crypto", "os", "--check-determinism"), "--check-determinism"),
        (("--transport", "memory", "--crypto", "weak"), "--crypto"),
        (("--transport", "memory", "--signatures", "none"), "--signatures"),
        (("--transport", "pigeon"), "--transport"),
        (("--transport", "memory", "--trace", "/no/such/place"), "--trace"),
    ],
)
def test_what_means_nothing_in_a_world_is_refused(
    privity: Privity, tmp_path: Path, file: str, arguments: tuple[str, ...], named: str
) -> None:
    """By name, before anything starts."""
    done = privity(tmp_path, "run", file, *arguments)
    assert done.code == WRONG_USAGE and named in done.err
    assert not (tmp_path / "runs").exists()


def test_a_virtual_network_does_not_stay_up(privity: Privity, tmp_path: Path, file: str) -> None:
    """`up` says why, and what to do instead."""
    done = privity(tmp_path, "up", file, "--transport", "memory")
    assert done.code == WRONG_USAGE and "privity run" in done.err
