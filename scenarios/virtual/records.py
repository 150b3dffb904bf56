"""The journal of a bare host: records in memory, durable up to the last flush.

A record is there whole or not at all: what a power cut or a tear leaves half of is what a real journal cuts
off when it is opened. `scenarios/virtual/disk.py` is the disk for real journals.
"""

from __future__ import annotations

from collections.abc import Sequence


class Records:
    """Bodies of journal records, in order. `keep_after` lets the oldest go, once others cover them."""

    __slots__ = ("_bodies", "_durable", "lost")

    def __init__(self) -> None:
        self._bodies: list[bytes] = []
        self._durable = 0
        self.lost = False  # Everything is gone that was there once (R22).

    def append(self, body: bytes) -> None:
        """Write a record; durable only after `flush`."""
        self._bodies.append(body)

    def extend(self, bodies: Sequence[bytes]) -> None:
        """Write several records."""
        self._bodies += bodies

    def flush(self) -> None:
        """Make everything appended durable."""
        self._durable = len(self._bodies)

    @property
    def dirty(self) -> bool:
        """Whether something is not durable."""
        return self._durable < len(self._bodies)

    def replay(self) -> list[bytes]:
        """All records, in order."""
        return list(self._bodies)

    def replace(self, bodies: list[bytes]) -> None:
        """Put a shorter journal in the place of this one, as by renaming a file: all or nothing."""
        self._bodies, self._durable = bodies, len(bodies)

    def power_cut(self) -> int:
        """Lose what is not durable. How many records that were."""
        gone = len(self._bodies) - self._durable
        del self._bodies[self._durable :]
        return gone

    def wipe(self) -> None:
        """Lose everything."""
        self.lost = self.lost or bool(self._bodies)
        self._bodies, self._durable = [], 0

    def __len__(self) -> int:
        return len(self._bodies)
