"""Shamir's scheme over GF(2^128), by PyCryptodome, for secrets of 32 bytes: two halves, each shared alone.

The library draws its coefficients itself and interpolates at 0 only. Here a polynomial is fixed by its
values instead, the secret at 0 and uniform ones at 1 to k - 1, which is as uniform, and whoever has those
recomputes all others. Moving every place by x makes x the new 0, for xor adds in this field.
"""

from __future__ import annotations

from collections.abc import Mapping

from Crypto.Protocol.SecretSharing import Shamir

HALF_BYTES = 16


def value_at(place: int, points: Mapping[int, bytes]) -> bytes:
    """The value at `place` of the polynomials through these points, of 32 bytes each.

    Nothing tells a wrong point: who shares a secret commits to its shares.
    """
    return b"".join(
        bytes(
            Shamir.combine(
                [(at ^ place, value[half : half + HALF_BYTES]) for at, value in points.items()], False
            )
        )
        for half in (0, HALF_BYTES)
    )
