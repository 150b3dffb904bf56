"""How `up -d` leaves a supervisor behind, and how `down` ends it: that process, and never another."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from node.private_files import open_private

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


def process_started(pid: int) -> str | None:
    """A token that tells this process from any other that ever has the same id; None if it has ended.

    On Linux it is made of the boot and the clock tick of the start, elsewhere it is what ps says.
    """
    try:
        state, *_, started = _stat_fields(pid)
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return None
        return _started_by_ps(pid)
    except ProcessLookupError:
        return None
    return None if state in ("Z", "X") else f"{boot}-{started}"


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


def _stat_fields(pid: int) -> list[str]:
    """State and start tick: fields 3 and 22 of /proc/PID/stat (proc(5)); field 2 may hold blanks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return [fields[0], fields[19]]


def _started_by_ps(pid: int) -> str | None:
    command = ["ps", "-o", "state=,lstart=", "-p", str(pid)]
    environment = {**os.environ, "LC_ALL": "C"}
    said = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    state, _, started = said.stdout.strip().partition(" ")
    return None if not started or state.startswith("Z") else started.strip()


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
