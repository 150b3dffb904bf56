"""The I/O trace of a virtual run in short: eight bytes for each line, to find the first that differs."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO

SIZE = 8


class TraceDigests:
    """Takes the lines of an I/O trace, as a file would, and writes the digest of each."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def write(self, line: str) -> int:
        """One line, with its end."""
        return self._out.write(hashlib.blake2b(line.encode(), digest_size=SIZE).digest())


def first_difference(one: Path, other: Path) -> int | None:
    """The number of the first line that is not the same in both, from 0; None if all are.

    Line 0 of a trace describes the run, so this is the number of an event, counted from 1.
    """
    first, second = one.read_bytes(), other.read_bytes()
    for place in range(0, max(len(first), len(second)), SIZE):
        if first[place : place + SIZE] != second[place : place + SIZE]:
            return place // SIZE
    return None


def lines_in(path: Path) -> int:
    """How many lines the trace had."""
    return path.stat().st_size // SIZE
