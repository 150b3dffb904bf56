"""What a world can do to its nodes, network and broker. The timeline of faults decides what, and when."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from node.faults.fault import Fault as Disturbance

# What stays when a node loses its disk: its keys, which come from elsewhere, and the operator's logs.
KEPT = frozenset(("keys", "events.jsonl", "stderr.log"))


class Hands(Protocol):
    """The hands of one world. Names are those of parties; all of this works on nodes in any state."""

    def running(self, name: str) -> bool:
        """Whether the node's process is there, paused or not."""

    async def crash(self, name: str) -> bool:
        """End the node's process without a warning; whether it ran until now and is gone."""

    async def start(self, name: str) -> bool:
        """Start the node on what its disk holds; whether it runs. A node that refuses to start is no bug."""

    async def pause(self, name: str) -> bool:
        """Let the node's process stand still; whether it now does, and did not before."""

    async def resume(self, name: str) -> None:
        """Let it go on."""

    async def disturb(self, name: str, disturbance: Disturbance) -> None:
        """Put a disturbance into the node's injector. A node that is down gets it when it comes back."""

    async def undisturb(self, name: str, identifier: str) -> int:
        """Take it out again; how many packets it touched at this node."""

    async def touched(self, name: str, identifier: str) -> int:
        """How many packets it has touched at this node until now; it stays in."""

    async def stop_broker(self) -> bool:
        """Take the broker down; whether it was up until now."""

    async def start_broker(self) -> None:
        """Bring it back, where everybody looks for it."""


def wipe(home: Path) -> int:
    """Delete what a node has on its disk; how many files are gone."""
    gone = 0
    for path in sorted(home.rglob("*"), reverse=True):
        if path.relative_to(home).parts[0] in KEPT:
            continue
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()
            gone += 1
    return gone


def flip_a_byte(home: Path) -> bool:
    """Damage the journal of a node that is down, in its middle; whether there was something to damage."""
    journal = home / "journal"
    if not journal.exists() or not (size := journal.stat().st_size):
        return False
    with journal.open("r+b") as file:
        file.seek(size // 2)
        byte = file.read(1)
        file.seek(size // 2)
        file.write(bytes([byte[0] ^ 0x40]))
    return True
