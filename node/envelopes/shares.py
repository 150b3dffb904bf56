"""Shares of a sealed payload's content key: k of n openers together have it, fewer have nothing.

K is two halves of 16 bytes, each shared by Shamir's scheme over GF(2^128) (shamir.py). All else follows from
K, so whoever has it recomputes every share, and a wrong one is the sender's lie. With O the owner digest
(network, sender, nonce: a copied share means nothing elsewhere):

    shares 1 to k-1    HKDF(K, "privity/v1/share" | O | number), 32 bytes; with K at 0 they fix the rest
    salt of a share    HKDF(K, "privity/v1/share-salt" | O | number), 16 bytes
    commitment         SHA-256("privity/v1/share-commit" | O | number, 2 bytes | salt | share)

A share is wrapped with an ephemeral key derived from itself and its salt, by the sender for its opener (bound
to the core digest) and by the opener for each later reader (bound to the transaction id). So whoever opens a
wrap can show what was in it, and that is all a judge needs: he wraps it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from node.envelopes.content_key import CONTENT_KEY_BYTES, ContentKey
from node.envelopes.shamir import value_at
from node.envelopes.wrapping import WRAP_OVERHEAD_BYTES, WrappingKey, WrappingPublicKey

MAX_OPENERS = 16
SALT_BYTES = 16
WRAPPED_SHARE_BYTES = CONTENT_KEY_BYTES + SALT_BYTES + WRAP_OVERHEAD_BYTES

_COMMIT = b"privity/v1/share-commit\x00"
_TO_OPENER = b"privity/v1/share-wrap"
_TO_READER = b"privity/v1/release-wrap"


@dataclass(frozen=True, slots=True)
class Locked:
    """What a seal asks of a payload: its name, its openers in the order of the policy, how many it takes."""

    name: str
    openers: tuple[WrappingPublicKey, ...]
    threshold: int


@dataclass(frozen=True, slots=True, repr=False)
class Share:
    """The share of opener `number` (from 1), 32 bytes, with the salt of its commitment."""

    number: int
    value: bytes
    salt: bytes

    def commitment(self, owner: bytes) -> bytes:
        """What the header says of it, 32 bytes."""
        return sha256(_COMMIT + owner + self.number.to_bytes(2, "big") + self.salt + self.value).digest()

    def for_opener(self, opener: WrappingPublicKey, core_digest: bytes) -> bytes:
        """As its sender wraps it, 96 bytes."""
        return self._wrapped(opener, _TO_OPENER, core_digest)

    def for_reader(self, reader: WrappingPublicKey, tx: bytes) -> bytes:
        """As its opener releases it to one of those who read after the opening, 96 bytes."""
        return self._wrapped(reader, _TO_READER, tx)

    def _wrapped(self, to: WrappingPublicKey, domain: bytes, context: bytes) -> bytes:
        info = domain + context + self.number.to_bytes(2, "big")
        secret = self.value + self.salt
        ephemeral = HKDF(hashes.SHA256(), 32, None, info + to.raw).derive(secret)
        return to.wrap(secret, info=info, ephemeral=ephemeral)

    def __repr__(self) -> str:
        return "Share(secret)"


def split(key: ContentKey, owner: bytes, threshold: int, count: int) -> tuple[Share, ...]:
    """The shares of K for `count` openers, of whom `threshold` have it together."""
    points = {0: key.raw} | {number: key.share(owner, number) for number in range(1, threshold)}
    return tuple(
        Share(
            number,
            points[number] if number in points else value_at(number, points),
            key.share_salt(owner, number),
        )
        for number in range(1, count + 1)
    )


def combine(shares: Sequence[Share]) -> bytes:
    """The 32 bytes that these shares, of different openers and as many as it takes, stand for."""
    return value_at(0, {share.number: share.value for share in shares})


def open_from_sender(key: WrappingKey, wrapped: bytes, number: int, core_digest: bytes) -> Share | None:
    """What was wrapped for this opener, whatever it is worth; None if it does not open."""
    return _unwrapped(key, wrapped, number, _TO_OPENER, core_digest)


def open_from_opener(key: WrappingKey, wrapped: bytes, number: int, tx: bytes) -> Share | None:
    """What this opener released to the holder of the key, whatever it is worth; None if it does not open."""
    return _unwrapped(key, wrapped, number, _TO_READER, tx)


def _unwrapped(key: WrappingKey, wrapped: bytes, number: int, domain: bytes, context: bytes) -> Share | None:
    secret = key.unwrap(wrapped, info=domain + context + number.to_bytes(2, "big"))
    if secret is None or len(secret) != CONTENT_KEY_BYTES + SALT_BYTES:
        return None
    return Share(number, secret[:CONTENT_KEY_BYTES], secret[CONTENT_KEY_BYTES:])
