"""How `up -d` leaves a supervisor behind, and how `down` ends it: that process, and never another."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from node.private_files import open_private
from node.process_identity import process_started

STOP_S = 20.0  # Longer than the supervisor's own bounds for its children.
KILL_S = 5.0
POLL_S = 0.02

Outcome = Literal["gone", "stopped", "killed", "stuck"]


@dataclass(frozen=True, slots=True)
class StopReport:
    """What became of a supervisor that was to stop.

    `gone`: there was no such process any more (the number may since belong to another, which was left alone).
    `stopped`: it ended in order. `killed`: it did not in time; the kernel then ended its children.
    `stuck`: not even SIGKILL ended it, as when a disk hangs.
    """

    outcome: Outcome
    seconds: float


def spawn_detached(argv: Sequence[str], log_path: Path, environment: Mapping[str, str] = os.environ) -> int:
    """Start `argv` in a session of its own, with nothing of this terminal; its process id.

    Standard input is empty, what it prints is appended to `log_path` (mode 600). It outlives this process.
    """
    log = open_private(log_path, os.O_WRONLY | os.O_APPEND)
    try:
        # Not subprocess.Popen, which would complain that nobody waits for it.
        return os.posix_spawn(
            argv[0],
            list(argv),
            dict(environment),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, log, 1),
                (os.POSIX_SPAWN_DUP2, log, 2),
            ],
            setsid=True,
        )
    finally:
        os.close(log)


def stop_supervisor(pid: int, started: str, *, within_s: float = STOP_S) -> StopReport:
    """End the process `pid` if it is the one that `process_started` gave the token `started` for.

    SIGTERM first, so that it stops its children in order; SIGKILL after `within_s`.
    """
    begin = time.monotonic()
    handle = _handle(pid)
    try:
        # Asked after the handle was taken: from here on the handle means this very process.
        if process_started(pid) != started:
            return StopReport("gone", 0.0)
        outcome: Outcome = "stopped"
        _signal(pid, handle, signal.SIGTERM)
        if not _ended(pid, started, handle, within_s):
            _signal(pid, handle, signal.SIGKILL)
            outcome = "killed" if _ended(pid, started, handle, KILL_S) else "stuck"
        return StopReport(outcome, time.monotonic() - begin)
    finally:
        if handle is not None:
            os.close(handle)


def _handle(pid: int) -> int | None:
    """A descriptor of the process, which no later process can take over. None where the system has none."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _signal(pid: int, handle: int | None, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        if handle is None:
            os.kill(pid, number)
        else:
            signal.pidfd_send_signal(handle, number)


def _ended(pid: int, started: str, handle: int | None, within_s: float) -> bool:
    """Wait until the process ends; whether it did in time."""
    if handle is not None:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        return bool(poll.poll(within_s * 1000))
    deadline = time.monotonic() + within_s
    while process_started(pid) == started:
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True
