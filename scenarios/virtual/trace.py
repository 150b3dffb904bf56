"""The hash of a run: over every delivery, record, send and execution, with time, place and full bytes."""

from __future__ import annotations

import hashlib
from struct import Struct

BUFFERED = 4096
head = Struct(">cQHI").pack


class TraceHash:
    """A running SHA-256, which hashes many things at once. The hot path appends to `parts` itself."""

    __slots__ = ("_hash", "parts")

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.parts: list[bytes] = []

    def add(self, what: bytes, at_us: int, place: int, data: bytes) -> None:
        """One thing that happened. `what` is one letter: d, p, s or e."""
        self.parts += head(what, at_us, place, len(data)), data
        if len(self.parts) >= BUFFERED:
            self.spill()

    def spill(self) -> None:
        """Hash what was put aside."""
        self._hash.update(b"".join(self.parts))
        self.parts.clear()

    @property
    def value(self) -> str:
        """The hash of everything so far, in hex."""
        self.spill()
        return self._hash.hexdigest()
