"""Shamir's shares of a secret of 32 bytes: each half over GF(2^128), by PyCryptodome.

The library draws its coefficients itself. Here a polynomial is fixed by its values instead: the secret at 0
and fresh random values at 1 to t - 1. Those are as uniform as coefficients, and a seeded run repeats. The
library interpolates at 0 only; in a field of characteristic 2 moving every place by x makes 0 of x.

A share that was tampered with is not noticed here: each is committed to by its dealer (deals.py).
"""

from __future__ import annotations

from collections.abc import Mapping

from Crypto.Protocol.SecretSharing import Shamir

from node.chain.round_deeds import SHARE_BYTES
from node.envelopes.entropy import Entropy

SECRET_BYTES = 32
_HALF = 16


def threshold(members: int) -> int:
    """How many of the members' shares give a secret: more than two thirds.

    Two thirds, so that no two groups can be told two things about the same contributor: they would share a
    member who releases once.
    """
    return 2 * members // 3 + 1


def split(secret: bytes, needed: int, count: int, entropy: Entropy) -> list[bytes]:
    """Shares 1 to `count` of a secret, of which any `needed` give it back and fewer tell nothing of it."""
    assert len(secret) == SECRET_BYTES and 2 <= needed <= count
    points = {0: secret} | {place: entropy(SHARE_BYTES) for place in range(1, needed)}
    return [points[place] if place in points else _value_at(place, points) for place in range(1, count + 1)]


def combine(shares: Mapping[int, bytes]) -> bytes:
    """The secret that these shares give, by place; exactly as many as are needed."""
    return _value_at(0, shares)


def _value_at(place: int, points: Mapping[int, bytes]) -> bytes:
    halves = []
    for half in (slice(0, _HALF), slice(_HALF, None)):
        moved = [(at ^ place, value[half]) for at, value in sorted(points.items())]
        halves.append(bytes(Shamir.combine(moved, False)))
    return b"".join(halves)
