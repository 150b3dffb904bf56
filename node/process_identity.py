"""Telling one process from any other that ever has the same id."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def process_started(pid: int) -> str | None:
    """A token that tells this process from any other that ever has the same id; None if it has ended.

    On Linux it is made of the boot and the clock tick of the start, elsewhere it is what ps says.
    """
    try:
        state, started = _stat_fields(pid)
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return None
        return _started_by_ps(pid)
    except OSError:
        return None
    return None if state in ("Z", "X") else f"{boot}-{started}"


def _stat_fields(pid: int) -> tuple[str, str]:
    """State and start tick: fields 3 and 22 of /proc/PID/stat (proc(5)); field 2 may hold blanks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return fields[0], fields[19]


def _started_by_ps(pid: int) -> str | None:
    command = ["ps", "-o", "state=,lstart=", "-p", str(pid)]
    environment = {**os.environ, "LC_ALL": "C"}
    said = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    state, _, started = said.stdout.strip().partition(" ")
    return None if not started or state.startswith("Z") else started.strip()
