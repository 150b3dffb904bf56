"""Six parties with seeded keys, and short words for what the tests do with them."""

from __future__ import annotations

import hmac
import os
import random
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from node.canonical import decode, encode
from node.envelopes.content_key import ContentKey
from node.envelopes.envelope import Opened, Sealed, seal, unseal
from node.envelopes.keys import Entropy, PartyKeys, WrappingPublicKey
from node.envelopes.transaction import (
    TRANSACTION_LIMIT,
    Blob,
    CoreHeader,
    PrivateTransaction,
    PublicHeader,
    check_transaction,
    ciphertext_hash,
    core_digest,
    encode_blob,
    signed_bytes,
    slots_hash,
)

NETWORK = sha256(b"test network").digest()
POLICY = sha256(b"test policy").digest()
MAX_VALIDITY = 1000
WRAP_INFO = b"privity/v1/wrap"


def seeded(seed: object) -> Entropy:
    """Bytes that repeat from run to run, so that a failure does too."""
    return random.Random(f"privity tests/{seed}").randbytes


PARTIES = {
    name: PartyKeys.generate(seeded(name)) for name in ("alice", "bob", "carol", "dave", "erin", "frank")
}
WRAPPING_KEYS: dict[str, WrappingPublicKey] = {name: keys.wrapping.public for name, keys in PARTIES.items()}


def send(
    fields: Mapping[str, object],
    *,
    sender: str = "alice",
    to: Iterable[str] = ("bob",),
    seed: object = 0,
    entropy: Entropy | None = None,
) -> Sealed:
    """Seal the fields for the sender and the parties named."""
    return seal(
        fields,
        readers=[WRAPPING_KEYS[name] for name in (sender, *to)],
        network=NETWORK,
        sender=sender,
        policy=POLICY,
        valid_from=1,
        valid_until=100,
        signing_key=PARTIES[sender].signing,
        entropy=entropy or seeded(seed),
    )


def seal_with_nonce(
    fields: Mapping[str, object], nonce: bytes, *, sender: str = "alice", to: Iterable[str] = ("bob",)
) -> Sealed:
    """The same with a nonce that is known beforehand."""
    return seal(
        fields,
        readers=[WRAPPING_KEYS[name] for name in (sender, *to)],
        network=NETWORK,
        sender=sender,
        policy=POLICY,
        valid_from=1,
        valid_until=100,
        signing_key=PARTIES[sender].signing,
        entropy=seeded(nonce),
        nonce=nonce,
    )


def check(transaction: PrivateTransaction, blob: Blob | None) -> str | None:
    """What every node of this consortium says of the transaction."""
    sender = transaction.header.core.sender
    if sender not in PARTIES:
        return "sender"
    return check_transaction(
        transaction,
        blob,
        network=NETWORK,
        policy=POLICY,
        max_validity=MAX_VALIDITY,
        sender_key=PARTIES[sender].signing.public,
    )


def read(sealed: Sealed, name: str) -> Opened:
    """What this party gets with its own key and public bytes alone."""
    return unseal(sealed.transaction, sealed.blob, PARTIES[name].wrapping)


def encode_transaction(transaction: PrivateTransaction) -> bytes:
    """Its canonical bytes, signature included, as they are part of packets and records."""
    return encode(transaction)


def decode_transaction(data: bytes) -> PrivateTransaction:
    """The transaction with these bytes, read as a part of a packet is. Raises DecodeError."""
    return decode(PrivateTransaction, data, TRANSACTION_LIMIT)


def public_bytes(sealed: Sealed) -> bytes:
    """All that travels where everybody can see it."""
    return encode_transaction(sealed.transaction) + encode_blob(sealed.blob)


def resigned(transaction: PrivateTransaction, signer: str, **changes: Any) -> PrivateTransaction:
    """The transaction with these fields of its header changed, signed by that party."""
    core_names = CoreHeader.__struct_fields__
    core = msgspec.structs.replace(
        transaction.header.core, **{name: value for name, value in changes.items() if name in core_names}
    )
    header = msgspec.structs.replace(
        transaction.header,
        core=core,
        **{name: value for name, value in changes.items() if name not in core_names},
    )
    return PrivateTransaction(header, PARTIES[signer].signing.sign(signed_bytes(header)))


def sign_blob(core: CoreHeader, blob: Blob, signer: str = "alice") -> tuple[PrivateTransaction, Blob]:
    """The transaction that commits to this blob, whatever it holds."""
    header = PublicHeader(core, ciphertext_hash(blob.ciphertext), slots_hash(blob.slots))
    return PrivateTransaction(header, PARTIES[signer].signing.sign(signed_bytes(header))), blob


def hkdf(key: bytes, info: bytes, length: int = 32) -> bytes:
    """HKDF-SHA256 without salt, from RFC 5869 and the standard library alone."""
    extracted = hmac.digest(bytes(32), key, "sha256")
    first = hmac.digest(extracted, info + b"\x01", "sha256")
    return (first + hmac.digest(extracted, first + info + b"\x02", "sha256"))[:length]


def opens(slot: bytes, core: CoreHeader, name: str) -> bool:
    """Whether this party's key opens the slot."""
    return PARTIES[name].wrapping.unwrap(slot, info=WRAP_INFO + core_digest(core)) is not None


def slots_of_a_lie(core: CoreHeader, wraps: Sequence[tuple[str, ContentKey]]) -> tuple[bytes, ...]:
    """For each name a slot that is derived from, and holds, the key beside it; then random bytes."""
    digest = core_digest(core)
    slots = [
        WRAPPING_KEYS[name].wrap(
            key.raw,
            info=WRAP_INFO + digest,
            ephemeral=key.ephemeral(digest, index, WRAPPING_KEYS[name].raw),
        )
        for index, (name, key) in enumerate(wraps)
    ]
    return (*slots, *(os.urandom(80) for _ in range(4 - len(slots))))
