"""Merkle trees with inclusion paths, shaped as in RFC 6962, section 2.1.

The caller gives the prefixes that keep a leaf from being taken for an inner node, and one tree's nodes
from being taken for another's. Trees of any size: a tree of n > 1 leaves splits at the largest power of
two below n. All hashes are SHA-256, 32 bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class Tree:
    """One family of trees, told apart from all others by its two prefixes, which must differ."""

    leaf_prefix: bytes
    inner_prefix: bytes

    def leaf(self, data: bytes) -> bytes:
        """The hash of one leaf."""
        return sha256(self.leaf_prefix + data).digest()

    def root(self, leaves: Sequence[bytes]) -> bytes:
        """The root over hashes of leaves. Of no leaves it is the hash of nothing, as in the RFC."""
        if not leaves:
            return sha256().digest()
        level = list(leaves)
        while len(level) > 1:
            level = self._level_above(level)
        return level[0]

    def path(self, leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
        """The hashes beside the way from leaf `index` (from 0) up to the root, lowest first."""
        if not 0 <= index < len(leaves):
            raise IndexError(f"leaf {index} of {len(leaves)}")
        level, place, path = list(leaves), index, []
        while len(level) > 1:
            if place ^ 1 < len(level):
                path.append(level[place ^ 1])
            level, place = self._level_above(level), place // 2
        return tuple(path)

    def verify(self, leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
        """Whether the leaf hash stands at `index` of the tree with `size` leaves and this root.

        A path that is too long or too short is refused. Never raises.
        """
        if not 0 <= index < size:
            return False
        node, rest, place, last = leaf, iter(path), index, size - 1
        while last > 0:
            # The last node of an odd level has nothing beside it and rises as it is.
            if place & 1 or place < last:
                beside = next(rest, None)
                if beside is None or len(beside) != HASH_BYTES:
                    return False
                node = self._inner(beside, node) if place & 1 else self._inner(node, beside)
            place, last = place // 2, last // 2
        return next(rest, None) is None and node == root

    def _inner(self, left: bytes, right: bytes) -> bytes:
        return sha256(self.inner_prefix + left + right).digest()

    def _level_above(self, level: list[bytes]) -> list[bytes]:
        """Pairs hashed; an odd one out rises unhashed, which gives the RFC's shape."""
        prefix = self.inner_prefix
        above = [sha256(prefix + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
        return above + level[-1:] if len(level) & 1 else above
