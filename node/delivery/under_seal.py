"""Delivering what lies under a seal: its keepers are public, and all but its sender hold it without the key.

So what otherwise hides behind the content key needs no hiding: who holds it is in the policy, for everybody
to read. Receipts travel to the sender under a key of the node's own, and to the keepers under one that
everybody can compute; their signatures are what counts.
"""

from __future__ import annotations

from hashlib import sha256

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from node.consortium import Network
from node.envelopes.content_key import ContentKey
from node.envelopes.keys import WrappingKey
from node.envelopes.transaction import PrivateTransaction


def keepers_of(network: Network, transaction: PrivateTransaction) -> frozenset[str] | None:
    """Who gets the ciphertext, if it lies under a seal of this network; None for any other transaction."""
    seal = network.sealed_for(transaction)
    return None if seal is None else network.keepers(seal, transaction.header.core.sender)


def bundle_key(transaction: PrivateTransaction, content_key: bytes | None) -> ContentKey:
    """The key under which receipts are passed on: the content key; under a seal, one that all can compute."""
    if transaction.header.core.seal is not None or content_key is None:
        return ContentKey(sha256(b"privity/v1/seal-receipts\x00" + transaction.id).digest())
    return ContentKey(content_key)


def own_receipt_key(key: WrappingKey, tx: bytes) -> ContentKey:
    """What an own receipt is wrapped with for the sender: nobody else can compute it, and nobody needs to."""
    info = b"privity/v1/seal-receipt-own" + tx
    return ContentKey(HKDF(hashes.SHA256(), 32, None, info).derive(key.secret_bytes()))
