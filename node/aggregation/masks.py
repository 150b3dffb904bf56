"""What a value is hidden behind: one mask with each other member, and one of its own (Bonawitz et al., 2017).

    pairwise mask   HKDF(X25519(own key, other key), "privity/v1/pair-mask" | round | lower key | higher key)
    self-mask       HKDF(seed, "privity/v1/self-mask" | round | name)

Both are numbers modulo 2^64, the 8 bytes that HKDF gives. Of two members the one whose name comes first adds
their mask, the other takes it away, so in the sum of all they cancel. The keys are fresh for each round and
the round stands in the derivation: masks of two rounds have nothing in common.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MODULUS = 2**64
VALUE_LIMIT = 2**53 - 1
"""A value lies between minus this and this, as a whole number of JSON does: 16 of them never overflow."""


def public_half(secret: bytes) -> bytes:
    """The public mask key of a private one."""
    return x25519.X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def self_mask(seed: bytes, round_id: bytes, name: str) -> int:
    """The mask that this seed gives."""
    return _mask(seed, b"privity/v1/self-mask" + round_id + name.encode())


def pair_mask(secret: bytes, other: bytes, round_id: bytes) -> int:
    """The mask of two members, from the private mask key of one and the public one of the other."""
    key = x25519.X25519PrivateKey.from_private_bytes(secret)
    shared = key.exchange(x25519.X25519PublicKey.from_public_bytes(other))
    low, high = sorted((key.public_key().public_bytes_raw(), other))
    return _mask(shared, b"privity/v1/pair-mask" + round_id + low + high)


def pair_masks(name: str, secret: bytes, keys: Mapping[str, bytes], round_id: bytes) -> int:
    """All that a member adds and takes away because of the others. `keys` are public, by name."""
    total = 0
    for other, key in keys.items():
        if other != name:
            mask = pair_mask(secret, key, round_id)
            total += mask if name < other else -mask
    return total % MODULUS


def masked(value: int, masks: Iterable[int]) -> int:
    """The value behind these masks."""
    assert -VALUE_LIMIT <= value <= VALUE_LIMIT
    return (value + sum(masks)) % MODULUS


def signed(total: int) -> int:
    """The number that a sum modulo 2^64 stands for: the upper half is negative."""
    total %= MODULUS
    return total - MODULUS if total >= MODULUS // 2 else total


def _mask(secret: bytes, info: bytes) -> int:
    derived = HKDF(hashes.SHA256(), 8, salt=None, info=info).derive(secret)
    return int.from_bytes(derived, "big")
