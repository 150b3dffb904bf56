"""What members wrap for each other: the shares that are dealt, and the shares that are released.

    commitment of a share   H("privity/v1/share" | round | dealer | holder | kind | share)
    commitment of a seed    H("privity/v1/seed" | round | dealer | seed)
    box                     HPKE to the holder's share key of seed share | key share (64 bytes)
    release                 AES-256-GCM of the shares under a fresh key, and HPKE of that key to each receiver

The ephemeral key of a box comes from what it wraps, which is uniform and wrapped once (derandomised,
Fujisaki and Okamoto 1999). So whoever is shown the two shares wraps them again, and gets the very box or does
not: that is what a holder proves a wrong share with. No key of these is a key of a party: all are made for
one round and forgotten with it, so a key that is stolen later opens nothing on the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Annotated

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Meta

from node.canonical import DecodeError, decode, encode
from node.chain.round_deeds import MOST_CONTRIBUTORS, RELEASE_LIMIT, SHARE_BYTES, Share
from node.envelopes.entropy import Entropy
from node.envelopes.transaction import Name
from node.envelopes.wrapping import WrappingKey, WrappingPublicKey

SEED, KEY = "seed", "key"
_NONCE = bytes(12)
Shares = Annotated[tuple[tuple[Name, Share], ...], Meta(max_length=MOST_CONTRIBUTORS)]


class Released(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """The shares that one member hands out: of the seeds of those present, of the keys of those absent."""

    seeds: Shares
    keys: Shares

    def __repr__(self) -> str:
        return "Released(secret)"


def share_commit(round_id: bytes, dealer: str, holder: str, kind: str, share: bytes) -> bytes:
    """The commitment of one share, 32 bytes. A share is uniform, so it needs no salt."""
    return sha256(b"privity/v1/share" + round_id + encode([dealer, holder, kind, share])).digest()


def seed_commit(round_id: bytes, dealer: str, seed: bytes) -> bytes:
    """The commitment of a seed, 32 bytes."""
    return sha256(b"privity/v1/seed" + round_id + encode([dealer, seed])).digest()


def box(round_id: bytes, dealer: str, holder: str, share_key: bytes, seed: bytes, key: bytes) -> bytes:
    """Both shares, wrapped for their holder. Who has the shares makes the same box. Raises DecodeError."""
    info = b"privity/v1/deal" + round_id + encode([dealer, holder])
    ephemeral = _derive(seed + key, b"privity/v1/deal-ephemeral" + info)
    return WrappingPublicKey.from_bytes(share_key).wrap(seed + key, info=info, ephemeral=ephemeral)


def open_box(
    round_id: bytes, dealer: str, holder: str, share_key: WrappingKey, wrapped: bytes
) -> tuple[bytes, bytes] | None:
    """The share of the seed and the share of the key; None if it is not for this holder's key."""
    info = b"privity/v1/deal" + round_id + encode([dealer, holder])
    both = share_key.unwrap(wrapped, info=info)
    if both is None or len(both) != 2 * SHARE_BYTES:
        return None
    return both[:SHARE_BYTES], both[SHARE_BYTES:]


def release(
    round_id: bytes, releaser: str, shares: Released, receivers: Sequence[bytes], entropy: Entropy
) -> tuple[tuple[bytes, ...], bytes]:
    """The wraps for these share keys, in their order, and the body."""
    key = entropy(32)
    info = _release_info(round_id, releaser)
    body = AESGCM(_derive(key, b"privity/v1/release-key" + info)).encrypt(_NONCE, encode(shares), info)
    wraps = tuple(
        WrappingPublicKey.from_bytes(each).wrap(
            key, info=info, ephemeral=_derive(key, b"privity/v1/release-ephemeral" + info + each)
        )
        for each in receivers
    )
    return wraps, body


def open_release(
    round_id: bytes, releaser: str, share_key: WrappingKey, wrap: bytes, body: bytes
) -> Released | None:
    """The shares, or None if this key or these bytes do not give any."""
    info = _release_info(round_id, releaser)
    key = share_key.unwrap(wrap, info=info)
    if key is None or len(key) != 32:
        return None
    try:
        plain = AESGCM(_derive(key, b"privity/v1/release-key" + info)).decrypt(_NONCE, body, info)
        return decode(Released, plain, RELEASE_LIMIT)
    except (InvalidTag, DecodeError):
        return None


def total_salt(round_id: bytes, seeds: Mapping[str, bytes]) -> bytes:
    """The salt of the total's hash: who can compute the total has it, and nobody else."""
    return _derive(b"".join(seeds[name] for name in sorted(seeds)), b"privity/v1/total-salt" + round_id)


def total_hash(round_id: bytes, salt: bytes, total: int) -> bytes:
    """What stands on the ledger of a total."""
    return sha256(b"privity/v1/total" + round_id + salt + total.to_bytes(8, "big", signed=True)).digest()


def _release_info(round_id: bytes, releaser: str) -> bytes:
    return b"privity/v1/release" + round_id + releaser.encode()


def _derive(secret: bytes, info: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt=None, info=info).derive(secret)
