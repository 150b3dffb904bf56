"""A sender with its real keys who tells its readers two things under one header.

The header commits to one content and one key. The slots of some readers hold another key, derived as slots
are: it goes with another content, which is encrypted for the same header and handed to these readers apart.
Public checks find nothing wrong. Each deceived reader sees that its key is not the one committed to, and each
of the others that the slots are not all of its own key: both can prove it (envelopes/sender_proof.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from node.envelopes.content_key import CONTENT_KEY_BYTES, ContentKey
from node.envelopes.entropy import Entropy
from node.envelopes.envelope import Sealed
from node.envelopes.key_slots import is_slot_of, slot_of
from node.envelopes.keys import SigningKey, WrappingPublicKey
from node.envelopes.payload import Payload
from node.envelopes.transaction import (
    Blob,
    PrivateTransaction,
    core_digest,
    signed_bytes,
    slots_hash,
)

OTHERWISE = " (not)"


@dataclass(frozen=True, slots=True, repr=False)
class TwoTales:
    """`told` is what is ordered; `other` the same transaction with the content that the deceived get."""

    told: Sealed
    other: Sealed

    def __repr__(self) -> str:
        return "TwoTales(secret)"


def tell_two_tales(
    honest: Sealed,
    fields: Mapping[str, Any],
    deceived: Collection[WrappingPublicKey],
    signing_key: SigningKey,
    entropy: Entropy,
) -> TwoTales:
    """Make two tales of a sealed payload: the deceived are told `fields` in its place."""
    header, digest = honest.transaction.header, core_digest(honest.transaction.header.core)
    true, false = ContentKey(honest.content_key), ContentKey(entropy(CONTENT_KEY_BYTES))
    slots = tuple(
        _slot(true, false, digest, index, slot, deceived) for index, slot in enumerate(honest.blob.slots)
    )
    lying = msgspec.structs.replace(header, slots_hash=slots_hash(slots))
    transaction = PrivateTransaction(lying, signing_key.sign(signed_bytes(lying)))
    payload = Payload.build(fields, entropy)
    ciphertext = false.encrypt(payload.plaintext(), digest)
    return TwoTales(
        told=Sealed(transaction, Blob(honest.blob.ciphertext, slots), true.raw, honest.payload),
        other=Sealed(transaction, Blob(ciphertext, slots), false.raw, payload),
    )


def _slot(
    true: ContentKey,
    false: ContentKey,
    digest: bytes,
    index: int,
    slot: bytes,
    deceived: Collection[WrappingPublicKey],
) -> bytes:
    for reader in deceived:
        if is_slot_of(true, digest, index, reader, slot):
            return slot_of(false, digest, index, reader)
    return slot


def other_tale(value: Any) -> Any:
    """Other data of the same shape: numbers one higher, truth reversed, texts and bytes with an addition."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return value + OTHERWISE
    if isinstance(value, bytes):
        return value + b"\x00"
    if isinstance(value, Mapping):
        return {name: other_tale(each) for name, each in value.items()}
    if isinstance(value, Sequence):
        return [other_tale(each) for each in value]
    return value
