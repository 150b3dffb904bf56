"""The shares of a contributor's two secrets: k of n members together have them, fewer have nothing.

A share that was tampered with is not noticed here: each is committed to by its dealer (boxes.py).
"""

from __future__ import annotations

from collections.abc import Mapping

from node.chain.round_deeds import SHARE_BYTES
from node.envelopes.entropy import Entropy
from node.envelopes.shamir import value_at

SECRET_BYTES = 32


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
    return [points[place] if place in points else value_at(place, points) for place in range(1, count + 1)]


def combine(shares: Mapping[int, bytes]) -> bytes:
    """The secret that these shares give, by place; exactly as many as are needed."""
    return value_at(0, shares)
