"""A supervisor left behind is found again, and stopped: that process and no other."""

from __future__ import annotations

import os
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tests.stand_in
from node import process_identity
from node.process_identity import process_started
from scenarios.processes.detach import spawn_detached, stop_supervisor
from tests.waiting import alive, wait_until

Spawn = Callable[..., tuple[int, str]]


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    """Leaves a program behind; its process id and start token, once it is up."""
    pids: list[int] = []

    def spawn(*arguments: str) -> tuple[int, str]:
        up = tmp_path / f"up-{len(pids)}"
        argv = [sys.executable, tests.stand_in.__file__, "--parent-pid", str(os.getpid()), "--up", str(up)]
        pid = spawn_detached([*argv, *arguments], tmp_path / "log")
        pids.append(pid)
        wait_until(up.exists)
        started = process_started(pid)
        assert started is not None
        return pid, started

    yield spawn
    for pid in pids:
        if alive(pid):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@pytest.fixture(params=["with a handle", "without"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the system's process handles, and as on systems that have none."""
    if request.param == "without":
        monkeypatch.delattr(os, "pidfd_open")


def test_what_is_left_behind_has_nothing_of_this_terminal(spawn: Spawn, tmp_path: Path) -> None:
    """It leads a session of its own, reads nothing, and writes to its private log."""
    pid, _ = spawn("--say", "hello")
    assert pid == os.getsid(pid)
    assert ["/dev/null", *[str(tmp_path / "log")] * 2] == [
        os.readlink(f"/proc/{pid}/fd/{it}") for it in range(3)
    ]
    assert (tmp_path / "log").read_text() == "hello\n"
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o600


@pytest.mark.usefixtures("either_way")
def test_it_is_stopped_in_order(spawn: Spawn) -> None:
    """SIGTERM ends it, and the report says that it stopped."""
    pid, started = spawn()
    assert stop_supervisor(pid, started).outcome == "stopped"
    assert not alive(pid)


@pytest.mark.usefixtures("either_way")
def test_one_that_does_not_listen_is_killed(spawn: Spawn) -> None:
    """After the deadline it is killed, and the report says so."""
    pid, started = spawn("--on-term", "ignore")
    report = stop_supervisor(pid, started, within_s=0.2)
    assert report.outcome == "killed" and report.seconds >= 0.2
    assert not alive(pid)


@pytest.mark.usefixtures("either_way")
def test_another_process_of_the_same_number_is_left_alone(spawn: Spawn) -> None:
    """A process that started at another time is not the one that was left behind: nothing happens to it."""
    pid, _ = spawn()
    _, other = spawn()
    assert stop_supervisor(pid, other).outcome == "gone"
    assert alive(pid)


@pytest.mark.usefixtures("either_way")
def test_one_that_has_ended_is_gone(spawn: Spawn) -> None:
    """A process that has ended, waited for or not, has no start and is reported as gone."""
    pid, started = spawn()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not alive(pid))
    assert process_started(pid) is None
    assert stop_supervisor(pid, started).outcome == "gone"


def test_a_start_is_told_apart_from_every_other(spawn: Spawn) -> None:
    """A process has one start token as long as it lives, and two processes have two."""
    (one, first), (_, second) = spawn(), spawn()
    assert first == process_started(one) != second


def test_without_proc_ps_tells_the_start(spawn: Spawn) -> None:
    """What ps says is the same each time while a process lives, and nothing once it has ended."""
    pid, _ = spawn()
    first = process_identity._started_by_ps(pid)
    assert first and first == process_identity._started_by_ps(pid)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not alive(pid))
    assert process_identity._started_by_ps(pid) is None
