"""Finds any of very many byte strings in one pass over some data, at some 100 MB a second.

A string of 15 bytes or more contains, wherever it lies, eight bytes at an offset divisible by 8: a word. All
the words that it could contain so go into one set, and the data, read as a row of words, is compared with it
block by block, by the interpreter's own set code. Shorter strings (7 bytes at least) use words of 4 bytes.
Only where a word is in the set is the data looked at closely, and there the strings themselves decide.
"""

from __future__ import annotations

import mmap
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

Data = bytes | mmap.mmap

SHORTEST = 8
BLOCK_WORDS = 1024
HEAD_BYTES = 8


@dataclass(slots=True)
class _Group:
    """The strings that are found through words of one width."""

    width: int
    code: Literal["Q", "I"]  # The width as memoryview.cast knows it.
    words: set[int] = field(default_factory=set)
    lengths: dict[bytes, set[int]] = field(default_factory=dict)  # By the first bytes of a string.

    def add(self, pattern: bytes) -> None:
        for at in range(self.width):
            self.words.add(int.from_bytes(pattern[at : at + self.width], sys.byteorder))
        self.lengths.setdefault(pattern[:HEAD_BYTES], set()).add(len(pattern))

    def places(self, data: Data) -> list[int]:
        """The addresses of all words of the data that are in the set."""
        if not self.words:
            return []
        found: list[int] = []
        with (
            memoryview(data) as view,
            view[: len(data) // self.width * self.width] as whole,
            whole.cast(self.code) as row,
        ):
            for start in range(0, len(row), BLOCK_WORDS):
                with row[start : start + BLOCK_WORDS] as block:
                    if not self.words.isdisjoint(block):
                        found += [start + at for at, word in enumerate(block) if word in self.words]
        return [self.width * place for place in found]


class Needles:
    """A set of byte strings to search for, each of at least SHORTEST bytes."""

    def __init__(self, patterns: Iterable[bytes]) -> None:
        self._patterns = frozenset(patterns)
        assert all(len(pattern) >= SHORTEST for pattern in self._patterns)
        self._long, self._short = _Group(8, "Q"), _Group(4, "I")
        for pattern in self._patterns:
            fits = len(pattern) >= 2 * self._long.width - 1
            (self._long if fits else self._short).add(pattern)

    def search(self, data: Data) -> list[tuple[int, bytes]]:
        """Every occurrence of every string, overlapping ones too: (offset, string), by offset."""
        found: list[tuple[int, bytes]] = []
        for group in (self._long, self._short):
            for place in group.places(data):
                # A string that has its first whole word here began less than a word before.
                for start in range(max(0, place - group.width + 1), place + 1):
                    for length in group.lengths.get(data[start : start + HEAD_BYTES], ()):
                        candidate = data[start : start + length]
                        if len(candidate) == length and candidate in self._patterns:
                            found.append((start, candidate))
        return sorted(found)
