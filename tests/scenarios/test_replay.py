"""`privity replay`, and what a run folder keeps for it: a virtual run again, a live run played back."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest

from node.errors import CHECK_FAILED, FINE, NOT_REACHABLE, WRONG_USAGE
from node.run_folder import RunFolder
from scenarios.model.loading import load_scenario
from scenarios.repeating.playback import paced
from tests.command_line import Outcome, Privity
from tests.node.log_story import SHOWN, event, story, write

SCENARIO = """\
privity: 1
name: again
consensus: {block_every: 50ms}
parties: {alice: {}, bob: {}, carol: {}, dave: {}}
steps:
  - {do: load, id: traffic, as: "*", to: {random: 1..2}, count: 8, rate: 20/s, data: {pay: "1..900"}}
  - {do: fault, id: lossy, at: 200ms, kind: loss, nodes: [bob], chance: 10%, for: 300ms}
expect:
  - {check: agreement}
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    """A scenario of four parties and a fault."""
    path = tmp_path / "again.yaml"
    path.write_text(SCENARIO)
    return str(path)


def virtual(privity: Privity, home: Path, file: str, *more: str) -> tuple[RunFolder, Outcome]:
    """A virtual run: its folder, and what the command left."""
    done = privity(home, "run", file, "--transport", "memory", "--json", "-q", *more)
    assert done.code == FINE, done.err
    return RunFolder(Path(done.document["run_dir"])), done


# What is kept.


def test_a_run_keeps_its_scenario_filled_in(privity: Privity, tmp_path: Path, file: str) -> None:
    """With what the command line said, for its owner only; another run from it is the same run."""
    folder, done = virtual(privity, tmp_path, file, "--seed", "11")
    assert stat.S_IMODE(folder.filled.stat().st_mode) == 0o600
    kept = load_scenario(folder.filled)
    assert (kept.seed, kept.transport, kept.crypto, kept.name) == (11, "memory", "seeded", "again")
    assert "view_timeout" in folder.filled.read_text() and "view_timeout" not in SCENARIO
    again = privity(tmp_path, "run", str(folder.filled), "--json", "-q").document
    assert again["trace_hash"] == done.document["trace_hash"]


def test_a_run_keeps_what_made_it(privity: Privity, tmp_path: Path, file: str) -> None:
    """Seed, versions and options in run.json, the verdict, the events, a folder for each node; `latest`."""
    virtual(privity, tmp_path, file)
    folder, done = virtual(privity, tmp_path, file, "--signatures", "modelled")
    record = folder.read_run()
    assert {"privity", "python", "cryptography", "msgspec", "aiomqtt"} <= set(record["versions"])
    assert record["seed"] == 0 and record["options"]["signatures"] == "modelled"
    assert done.document == json.loads(folder.verdict.read_text())
    assert folder.events.exists() and folder.node_names() == ["alice", "bob", "carol", "dave"]
    assert RunFolder.find(tmp_path).path == folder.path


# A virtual run again.


def test_a_virtual_run_is_carried_out_again(privity: Privity, tmp_path: Path, file: str) -> None:
    """The same trace hash and the same events, though in another process; no run is added. Exit code 0."""
    folder, before = virtual(privity, tmp_path, file, "--seed", "5", "--signatures", "modelled")
    done = privity(tmp_path, "replay", "--json")
    document = done.document
    assert (done.code, document["schema"], document["same"]) == (FINE, "privity.replay/1", True)
    assert document["trace_hashes"] == [before.document["trace_hash"]] * 2
    assert document["events"] > 100 and document["first_difference"] is None
    assert RunFolder.find(tmp_path).path == folder.path
    assert privity(tmp_path, "replay", folder.number).out.startswith(
        f"✓ run {folder.number} again: the same "
    )


def test_the_first_event_that_differs_is_named(privity: Privity, tmp_path: Path, file: str) -> None:
    """A run whose network behaves otherwise from some moment on: exit code 1, and that moment."""
    folder, _ = virtual(privity, tmp_path, file)
    folder.filled.write_text(folder.filled.read_text().replace('chance: "10%"', 'chance: "60%"'))
    done = privity(tmp_path, "replay", "--json")
    assert done.code == CHECK_FAILED and done.document["same"] is False
    difference = done.document["first_difference"]
    assert 1 < difference["event"] < done.document["events"]
    # Before the fault begins nothing can differ.
    assert int(difference["now"].split('"t_us":')[1].split(",")[0]) > 200_000
    assert difference["logs"][0] != difference["logs"][1]
    words = privity(tmp_path, "replay").out
    assert f"event {difference['event']} is the first that differs" in words


def test_a_run_made_in_another_way_is_said_to_be(privity: Privity, tmp_path: Path, file: str) -> None:
    """Other options differ before the first event; other versions are named."""
    folder, _ = virtual(privity, tmp_path, file)
    record = folder.read_run()
    folder.write_run(
        options=record["options"] | {"signatures": "real"},
        versions=record["versions"] | {"msgspec": "0.0.1"},
    )
    done = privity(tmp_path, "replay")
    assert done.code == CHECK_FAILED
    assert "not made the same way" in done.out and "msgspec was 0.0.1 then" in done.out


@pytest.mark.parametrize(
    ("made", "asked", "named"),
    [
        (("--crypto", "os"), (), "keys came from the system"),
        ((), ("--speed", "2x"), "--speed"),
    ],
)
def test_what_cannot_be_is_refused(
    privity: Privity, tmp_path: Path, file: str, made: tuple[str, ...], asked: tuple[str, ...], named: str
) -> None:
    """With the reason."""
    virtual(privity, tmp_path, file, *made)
    done = privity(tmp_path, "replay", *asked)
    assert (done.code, done.out) == (WRONG_USAGE, "") and named in done.err


def test_a_run_without_a_verdict_cannot_be_compared(privity: Privity, tmp_path: Path, file: str) -> None:
    """One that was interrupted has no end to compare with; a run that is not there is none."""
    folder, _ = virtual(privity, tmp_path, file)
    folder.verdict.unlink()
    assert privity(tmp_path, "replay").code == WRONG_USAGE
    assert privity(tmp_path, "replay", "9").code == NOT_REACHABLE


# A live run played back.


@pytest.fixture
def live(tmp_path: Path) -> RunFolder:
    """The folder of a live run, with the logs of its nodes."""
    folder = RunFolder.create(tmp_path)
    folder.write_run(transport="mqtt", state="stopped")
    return write(folder, story())


def test_a_live_run_is_played_back_from_its_log(privity: Privity, tmp_path: Path, live: RunFolder) -> None:
    """In the form of `logs`, said to be a playback and no execution; without a terminal it does not wait."""
    done = privity(tmp_path, "replay", live.number)
    assert done.code == FINE
    assert done.out.splitlines() == [line for line in SHOWN.split("\n") if line and "without" not in line]
    assert (
        done.err.startswith(f"playback of what run {live.number} logged") and "nothing is carried" in done.err
    )


def test_a_playback_keeps_the_pace_of_the_run() -> None:
    """Ten times as fast as it was, it waits a tenth of the time between two events; at most speed never."""
    waits: list[float] = []
    events = [event(t, "alice", "node.state") for t in (4000, 4000, 5000, 9000)]
    assert list(paced(events, 10.0, waits.append)) == events
    assert waits == [0.1, 0.4]
    assert list(paced(events, None, waits.append)) == events
    assert waits == [0.1, 0.4]


@pytest.mark.parametrize(
    ("terminal", "pace"), [(True, [0.208, 0.012, 0.007, 0.012, 0.003, 3.66]), (False, [])]
)
def test_on_a_terminal_the_pace_is_that_of_the_run(
    privity: Privity,
    tmp_path: Path,
    live: RunFolder,
    monkeypatch: pytest.MonkeyPatch,
    terminal: bool,
    pace: list[float],
) -> None:
    """By default; --speed says otherwise."""
    waits: list[float] = []
    monkeypatch.setattr("scenarios.verbs.replay_cli.time.sleep", waits.append)
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda stream: terminal)
    privity(tmp_path, "replay", live.number)
    assert waits == pytest.approx(pace)
    waits.clear()
    privity(tmp_path, "replay", live.number, "--speed", "2x")
    assert sum(waits) == pytest.approx(3.902 / 2)


@pytest.mark.parametrize("speed", ["fast", "10", "0x", "-1x"])
def test_a_speed_that_is_none_is_refused(
    privity: Privity, tmp_path: Path, live: RunFolder, speed: str
) -> None:
    """With the forms that there are."""
    done = privity(tmp_path, "replay", live.number, "--speed", speed)
    assert done.code == WRONG_USAGE and "10x" in done.err
