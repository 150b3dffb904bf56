"""The hash of a run: over every delivery, record, send and execution, with time, place and full bytes.

What happens at one moment to one place has one header: a small letter and the length of what follows, or a
capital and how many follow, with the length of each before them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from struct import Struct, pack

BUFFERED = 4096
head = Struct(">cQHI").pack


class TraceHash:
    """A running SHA-256, which hashes many things at once."""

    __slots__ = ("_hash", "_parts")

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._parts: list[bytes] = []

    def add(self, what: bytes, at_us: int, place: int, data: bytes) -> None:
        """One thing that happened. `what` is one letter: d, p, s or e."""
        parts = self._parts
        parts += (head(what, at_us, place, len(data)), data)
        if len(parts) >= BUFFERED:
            self.spill()

    def add_all(self, what: bytes, at_us: int, place: int, things: Sequence[bytes]) -> None:
        """Several things of a kind that happened at one moment, in order."""
        count = len(things)
        parts = self._parts
        if count == 1:
            data = things[0]
            parts += (head(what, at_us, place, len(data)), data)
        else:
            parts += (head(what.upper(), at_us, place, count), pack(f">{count}I", *map(len, things)))
            parts += things
        if len(parts) >= BUFFERED:
            self.spill()

    def spill(self) -> None:
        """Hash what was put aside."""
        self._hash.update(b"".join(self._parts))
        self._parts.clear()

    @property
    def value(self) -> str:
        """The hash of everything so far, in hex."""
        self.spill()
        return self._hash.hexdigest()
