"""The ordered I/O trace of a world's replicas as JSON Lines, for judges that do not run our code.

The first line describes the run, each further line is one event; consensus/README.md tells the format.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

SCHEMA = "privity.io-trace/1"
# A packet that many receive is written in full once, and then by its number, as long as it is among so many.
REMEMBERED = 1 << 16


class Out(Protocol):
    """Where the lines of a trace go: a text file, or what is like one."""

    def write(self, line: str, /) -> int:
        """One line, with its end."""


class IoTrace:
    """An observer that writes down everything in order. `describe` first, then it may watch a world."""

    def __init__(self, out: Out) -> None:
        self._out = out
        self._numbers: dict[bytes, int] = {}
        self._count = 0

    def describe(
        self, n: int, network_id: bytes, public_keys: Sequence[bytes], *, epoch: int = 0, **options: Any
    ) -> None:
        """Write the first line: who takes part, with which keys, and how the run was made."""
        header = {
            "schema": SCHEMA,
            "network": network_id.hex(),
            "epoch": epoch,
            "n": n,
            "members": [key.hex() for key in public_keys],
            "options": options,
        }
        self._write(header)

    def started(self, at_us: int, replica: int) -> None:
        """A replica came up."""
        self._event(at_us, replica, "started")

    def stopped(self, at_us: int, replica: int, how: str) -> None:
        """A replica went down."""
        self._event(at_us, replica, "stopped", how=how)

    def delivered(self, at_us: int, replica: int, data: bytes) -> None:
        """A packet is about to be handled."""
        self._event(at_us, replica, "delivered", **self._bytes(data))

    def ticked(self, at_us: int, replica: int) -> None:
        """Timers are about to act."""
        self._event(at_us, replica, "ticked")

    def persisted(self, at_us: int, replica: int, body: bytes) -> None:
        """A journal record was appended."""
        self._event(at_us, replica, "persisted", bytes=body.hex())

    def flushed(self, at_us: int, replica: int) -> None:
        """All that was appended is durable."""
        self._event(at_us, replica, "flushed")

    def sent(self, at_us: int, replica: int, to: int | None, data: bytes) -> None:
        """A packet was released."""
        self._event(at_us, replica, "sent", to=to, **self._bytes(data))

    def executed(
        self, at_us: int, replica: int, height: int, block: bytes, state_root: bytes, digest: bytes
    ) -> None:
        """A batch was executed."""
        self._event(
            at_us,
            replica,
            "executed",
            height=height,
            block=block.hex(),
            state_root=state_root.hex(),
            digest=digest.hex(),
        )

    def _bytes(self, data: bytes) -> dict[str, Any]:
        number = self._numbers.get(data)
        if number is not None:
            return {"packet": number}
        if len(self._numbers) >= REMEMBERED:
            self._numbers.clear()
        number = self._numbers[data] = self._count
        self._count += 1
        return {"packet": number, "bytes": data.hex()}

    def _event(self, at_us: int, replica: int, event: str, **fields: Any) -> None:
        self._write({"t_us": at_us, "replica": replica, "event": event, **fields})

    def _write(self, line: dict[str, Any]) -> None:
        self._out.write(json.dumps(line, separators=(",", ":")) + "\n")


def read(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The lines of a trace, the first one included, with every packet's bytes put back as bytes."""
    packets: dict[int, bytes] = {}
    for text in lines:
        line = json.loads(text)
        if "bytes" in line:
            line["bytes"] = bytes.fromhex(line["bytes"])
            if "packet" in line:
                packets[line["packet"]] = line["bytes"]
        elif "packet" in line:
            line["bytes"] = packets[line["packet"]]
        yield line
