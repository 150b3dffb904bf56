"""No process and no port is left, whichever way the supervisor ends. Real processes, real brokers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import tests.live.launcher
from tests.waiting import alive, listening, wait_until

BOTH_KINDS = ["embedded", pytest.param("mosquitto", marks=pytest.mark.mosquitto)]
CHILDREN = 2 + tests.live.launcher.NODES


@contextmanager
def launched(folder: Path, broker: str, ending: str = "wait") -> Iterator[subprocess.Popen[str]]:
    """A launcher in a session of its own, as a terminal starts it; killed at the end if it still runs."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.live.launcher", str(folder), broker, ending],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as launcher:
        try:
            yield launcher
        finally:
            launcher.kill()


def said(launcher: subprocess.Popen[str]) -> tuple[int, list[int]]:
    """The next line of the launcher: the port of the broker, and the children that run."""
    assert launcher.stdout is not None
    line = json.loads(launcher.stdout.readline())
    return line["port"], line["pids"]


def all_gone(port: int, pids: list[int]) -> bool:
    return not listening(port) and not any(alive(pid) for pid in pids)


@pytest.mark.parametrize("broker", BOTH_KINDS)
def test_nothing_is_left_when_the_supervisor_is_killed(tmp_path: Path, broker: str) -> None:
    """After kill -9 of the supervisor every child is gone, the broker too, and the port refuses."""
    with launched(tmp_path, broker) as launcher:
        said(launcher)
        port, pids = said(launcher)
        assert len(pids) == CHILDREN and all(alive(pid) for pid in pids) and listening(port)
        os.kill(launcher.pid, signal.SIGKILL)
        wait_until(lambda: all_gone(port, pids))


@pytest.mark.parametrize("broker", BOTH_KINDS)
def test_nothing_is_left_when_the_supervisor_is_killed_while_it_starts(tmp_path: Path, broker: str) -> None:
    """Killed between two starts, the supervisor leaves neither what ran nor what was about to run."""
    with launched(tmp_path, broker) as launcher:
        port, pids = said(launcher)
        session = children_of(launcher.pid)
        os.kill(launcher.pid, signal.SIGKILL)
        wait_until(lambda: all_gone(port, [*pids, *session]))


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("broker", BOTH_KINDS)
def test_nothing_is_left_when_the_supervisor_is_told_to_stop(
    tmp_path: Path, broker: str, number: signal.Signals
) -> None:
    """On SIGTERM, and on Ctrl-C, the supervisor stops its children, a deaf one too, and ends with 0."""
    with launched(tmp_path, broker) as launcher:
        said(launcher)
        port, pids = said(launcher)
        # As a terminal does it: to the whole foreground group.
        os.killpg(launcher.pid, number)
        assert launcher.wait(timeout=20) == 0
        assert all_gone(port, pids)


@pytest.mark.parametrize("ending", ["crash", "leave"])
@pytest.mark.parametrize("broker", BOTH_KINDS)
def test_nothing_is_left_when_the_supervisor_fails(tmp_path: Path, broker: str, ending: str) -> None:
    """A supervisor that ends by an error, or without a thought for its children, leaves none of them."""
    with launched(tmp_path, broker, ending) as launcher:
        said(launcher)
        port, pids = said(launcher)
        launcher.wait(timeout=20)
        wait_until(lambda: all_gone(port, pids))


def test_nothing_is_left_when_the_supervisor_stops_for_good(tmp_path: Path) -> None:
    """A supervisor that is frozen keeps its children; killed in that state it takes them along."""
    with launched(tmp_path, "embedded") as launcher:
        said(launcher)
        port, pids = said(launcher)
        os.kill(launcher.pid, signal.SIGSTOP)
        assert all(alive(pid) for pid in pids) and listening(port)
        os.kill(launcher.pid, signal.SIGKILL)
        wait_until(lambda: all_gone(port, pids))
