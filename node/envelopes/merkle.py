"""Merkle trees with inclusion paths, shaped as in RFC 6962, section 2.1.

The caller gives the prefixes that keep a leaf from being taken for an inner node, and one tree's nodes
from being taken for another's. Trees of any size: a tree of n > 1 leaves splits at the largest power of
two below n. All hashes are SHA-256, 32 bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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

    def beside(self, leaves: Sequence[bytes], places: Iterable[int]) -> tuple[bytes, ...]:
        """The hashes beside the ways from several leaves up to the root: lowest level first, left to right.

        Each stands there once, and none that follows from the leaves themselves. Raises IndexError.
        """
        known = set(places)
        if not known or not known <= set(range(len(leaves))):
            raise IndexError(f"places of {len(leaves)} leaves")
        level, found = list(leaves), []
        while len(level) > 1:
            for place in sorted(known):
                if place ^ 1 < len(level) and place ^ 1 not in known:
                    found.append(level[place ^ 1])
            level, known = self._level_above(level), {place // 2 for place in known}
        return tuple(found)

    def root_over(self, known: Mapping[int, bytes], size: int, beside: Sequence[bytes]) -> bytes | None:
        """The root of a tree of `size` leaves, of which these are known by place, with what `beside` gave.

        None if there are too few or too many hashes beside them, or a place is none. Never raises.
        """
        if not known or not all(0 <= place < size for place in known):
            return None
        level, rest = dict(known), iter(beside)
        while size > 1:
            for place in sorted(level):
                if place ^ 1 < size and place ^ 1 not in level:
                    hash_beside = next(rest, None)
                    if hash_beside is None or len(hash_beside) != HASH_BYTES:
                        return None
                    level[place ^ 1] = hash_beside
            # The last node of an odd level has nothing beside it and rises as it is.
            level = {
                place // 2: self._inner(level[place], level[place + 1]) if place + 1 < size else level[place]
                for place in level
                if not place & 1
            }
            size = (size + 1) // 2
        return level[0] if next(rest, None) is None else None

    def narrowed(
        self, known: Mapping[int, bytes], size: int, beside: Sequence[bytes], place: int
    ) -> tuple[bytes, ...] | None:
        """What `beside` would be for one of the known leaves alone; None where `root_over` gives no root."""
        if place not in known or self.root_over(known, size, beside) is None:
            return None
        level, rest, found = dict(known), iter(beside), []
        while size > 1:
            for each in sorted(level):
                if each ^ 1 < size and each ^ 1 not in level:
                    level[each ^ 1] = next(rest)
            if place ^ 1 < size:
                found.append(level[place ^ 1])
            level = {
                each // 2: self._inner(level[each], level[each + 1]) if each + 1 < size else level[each]
                for each in level
                if not each & 1
            }
            size, place = (size + 1) // 2, place // 2
        return tuple(found)

    def _inner(self, left: bytes, right: bytes) -> bytes:
        return sha256(self.inner_prefix + left + right).digest()

    def _level_above(self, level: list[bytes]) -> list[bytes]:
        """Pairs hashed; an odd one out rises unhashed, which gives the RFC's shape."""
        prefix = self.inner_prefix
        above = [sha256(prefix + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
        return above + level[-1:] if len(level) & 1 else above
