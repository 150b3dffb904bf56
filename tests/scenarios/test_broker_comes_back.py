"""A broker that was down on purpose comes back to a recorder that listens, and to nodes only after that."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import tests.stand_in
from scenarios.faults.live_hands import LiveHands
from scenarios.processes.capture import Note, summarize
from scenarios.processes.supervisor import Supervisor
from tests.waiting import eventually

NODES = ("alice", "bob", "carol")


def stands_still(pid: int) -> bool:
    """Whether the kernel says that the process is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


async def test_the_recorder_listens_before_any_node_says_a_word(tmp_path: Path) -> None:
    """While the recorder is late the nodes are held; then they go on, but not one that a fault has paused."""
    supervisor, capture = Supervisor(), tmp_path / "capture" / "capture.bin"
    hands = LiveHands(supervisor)
    try:
        await supervisor.start_broker("embedded", tmp_path / "broker")
        await supervisor.start_recorder(capture, start_ms=0)
        for name in NODES:
            folder = tmp_path / name
            folder.mkdir()
            stand_in = [sys.executable, tests.stand_in.__file__, "--parent-pid", str(os.getpid())]
            supervisor.add_program(name, [*stand_in, "--up", str(folder / "up")], folder)
            await supervisor.start(name)
            await eventually((folder / "up").exists)
        pids, recorder = supervisor.pids, supervisor.recorder_pid
        assert recorder is not None
        assert await hands.pause("carol")

        assert await hands.stop_broker()
        await eventually(lambda: summarize(capture).gaps == 1)
        os.kill(recorder, signal.SIGSTOP)
        coming = asyncio.create_task(hands.start_broker())
        await eventually(lambda: all(stands_still(pids[name]) for name in NODES))
        os.kill(recorder, signal.SIGCONT)
        await eventually(lambda: not any(stands_still(pids[name]) for name in ("alice", "bob")))
        assert summarize(capture).notes.count(Note.LISTENING) == 2
        await coming
        assert stands_still(pids["carol"])
        await hands.resume("carol")
        await eventually(lambda: not stands_still(pids["carol"]))
    finally:
        await supervisor.stop_all()
