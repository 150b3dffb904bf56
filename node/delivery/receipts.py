"""Signed availability receipts: made, sealed for the sender, passed on to the readers, counted.

Every encryption here is derived from the content key K, so a node needs no entropy and one content has one
form: a receipt's wrap is derandomised like a key slot, and a bundle's key depends on what it encrypts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Annotated

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Meta

from node.canonical import DecodeError, decode, encode
from node.consortium import Network
from node.delivery.packets import (
    MAX_RECEIPTS,
    RECEIPTS_LIMIT,
    Receipt,
    ReceiptsUnderKey,
    SignedReceipt,
    receipt_bytes,
)
from node.envelopes.content_key import ContentKey
from node.envelopes.keys import SigningKey, WrappingKey
from node.envelopes.wrapping import WRAP_OVERHEAD_BYTES

_NONCE = bytes(12)  # Each bundle has a key of its own.
_LIMIT = 512 - WRAP_OVERHEAD_BYTES
Receipts = Annotated[tuple[SignedReceipt, ...], Meta(max_length=MAX_RECEIPTS)]


def sign_receipt(network: Network, replica: int, tx: bytes, key: SigningKey) -> SignedReceipt:
    """The receipt of this member for this transaction."""
    receipt = Receipt(replica, tx)
    return SignedReceipt(receipt, key.sign(receipt_bytes(network.id, receipt)))


def is_good(network: Network, signed: SignedReceipt, tx: bytes) -> bool:
    """Whether a member gave this receipt for this transaction."""
    receipt, keys = signed.receipt, network.verify_keys
    if receipt.tx != tx or receipt.replica >= len(keys):
        return False
    return keys[receipt.replica].verify(signed.signature, receipt_bytes(network.id, receipt))


def seal_receipt(network: Network, signed: SignedReceipt, sender: int, key: ContentKey) -> bytes:
    """The receipt for nobody but the sender (HPKE base mode), the member at this position."""
    ephemeral = key.receipt_ephemeral(signed.receipt.replica)
    public = network.wrapping_keys[network.members[sender].name]
    return public.wrap(encode(signed), info=_info(network), ephemeral=ephemeral)


def open_receipt(network: Network, sealed: bytes, key: WrappingKey) -> SignedReceipt | None:
    """A receipt that was sealed for this key, or None."""
    opened = key.unwrap(sealed, info=_info(network))
    try:
        return None if opened is None else decode(SignedReceipt, opened, _LIMIT)
    except DecodeError:
        return None


def bundle(tx: bytes, receipts: Iterable[SignedReceipt], key: ContentKey) -> ReceiptsUnderKey:
    """Receipts for the readers of a transaction: AES-256-GCM with the id as associated data.

    The salt comes from the content under K, and the key from the salt, so that no key meets two contents.
    """
    plain = encode(tuple(receipts)[:MAX_RECEIPTS])
    salt = key.receipts_salt(plain)
    return ReceiptsUnderKey(tx, salt, AESGCM(key.receipts_key(salt)).encrypt(_NONCE, plain, tx))


def open_bundle(packet: ReceiptsUnderKey, key: ContentKey) -> tuple[SignedReceipt, ...] | None:
    """What a bundle holds, or None if it was not made under this key. Signatures are not checked here."""
    try:
        plain = AESGCM(key.receipts_key(packet.salt)).decrypt(_NONCE, packet.sealed, packet.tx)
        return decode(Receipts, plain, RECEIPTS_LIMIT)
    except (InvalidTag, DecodeError):
        return None


def holders_wanted(network: Network, sender: str, readers: Collection[str]) -> tuple[frozenset[str], int]:
    """Whose receipts count for a transaction, and how many of them the policy demands.

    The other readers' count, and never more are demanded than there are; of a transaction that its sender
    alone reads, the sender's own node's. `copies` 0 in the policy stands for all.
    """
    others = frozenset(readers) - {sender}
    if not others:
        return frozenset((sender,)), 1
    copies = network.consortium.policy.copies
    return others, min(copies or len(others), len(others))


def _info(network: Network) -> bytes:
    return b"privity/v1/receipt-wrap\0" + network.id
