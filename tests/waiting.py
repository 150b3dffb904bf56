"""Waiting for what other processes do: until it has happened, and never longer than a deadline."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from pathlib import Path

WITHIN_S = 15.0
POLL_S = 0.01


def wait_until(happened: Callable[[], bool], within_s: float = WITHIN_S) -> None:
    """Return once it has happened; fail after the deadline."""
    deadline = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < deadline, f"did not happen within {within_s} s"
        time.sleep(POLL_S)


async def eventually(happened: Callable[[], bool], within_s: float = WITHIN_S) -> None:
    """The same where an event loop must go on meanwhile."""
    deadline = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < deadline, f"did not happen within {within_s} s"
        await asyncio.sleep(POLL_S)


def alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def listening(port: int) -> bool:
    """Whether something accepts connections on this loopback port."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
