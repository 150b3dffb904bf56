"""The packets of `payload: off_chain`. The ledger carries headers; these carry blobs to those who read them.

Each goes to the inbox of one node or client, never to all. What the broker learns is in README: which inbox
gets the ciphertext of which transaction, and which asks for it.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from consensus.votes import Digest, ReplicaId, Signature
from node.canonical import encode
from node.envelopes.transaction import Blob, PrivateTransaction
from node.state_check.packets import STATE_TAG

Meta = msgspec.Meta
Token = Annotated[bytes, Meta(min_length=8, max_length=8)]

MAX_WANTED = 64
MAX_RECEIPTS = 64
RECEIPTS_LIMIT = 8 << 10
"""Bytes of encoded receipts, at most: one of 104 bytes for each party."""


class BlobDelivery(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=20):
    """The sender's client brings a reader's node the blob, before anything is ordered.

    The receipt goes to the inbox `reply_to`, which `signature`, the sender's, covers (`delivery_bytes`): who
    plays it back has no answer of his own.
    """

    transaction: PrivateTransaction
    blob: Blob
    reply_to: Token
    signature: Signature


class Receipt(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """This member's node holds the blob on its disk, reads it, and will give it to the other readers.

    The id covers the hashes of ciphertext and slots, so it names the blob.
    """

    replica: ReplicaId
    tx: Digest


class SignedReceipt(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """A receipt with the signature of the member that gives it (`receipt_bytes`)."""

    receipt: Receipt
    signature: Signature


class SealedReceipt(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=21):
    """A signed receipt, wrapped for the sender of the transaction, who is the member `party`."""

    party: ReplicaId
    sealed: Annotated[bytes, Meta(max_length=512)]


class ReceiptsUnderKey(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=22):
    """Receipts for one transaction, encrypted under a key from its content key: for its readers."""

    tx: Digest
    salt: Annotated[bytes, Meta(min_length=16, max_length=16)]
    sealed: Annotated[bytes, Meta(max_length=RECEIPTS_LIMIT + 16)]


class BlobRequest(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """A member's node asks for blobs of ordered transactions that are not there.

    `at_ms` is its own time, later in each request: who plays an old one back is not answered again.
    """

    replica: ReplicaId
    at_ms: Annotated[int, Meta(ge=0, lt=2**53)]
    wanted: Annotated[tuple[Digest, ...], Meta(min_length=1, max_length=MAX_WANTED)]


class SignedBlobRequest(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=23):
    """A request with the signature of the member that asks (`request_bytes`)."""

    request: BlobRequest
    signature: Signature


class BlobAnswer(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=24):
    """The answer to one that was proved a reader; nobody else has any."""

    transaction: PrivateTransaction
    blob: Blob
    receipts: ReceiptsUnderKey


class PurgedHere(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """This member's node held the payload and has erased it, as it was obliged to."""

    replica: ReplicaId
    tx: Digest


class SignedPurgedHere(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """The same with the signature of the member (`purged_bytes`)."""

    here: PurgedHere
    signature: Signature


class SealedPurgeReceipt(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=25):
    """A signed statement that a payload is erased, wrapped for its sender's node: it names a reader."""

    sealed: Annotated[bytes, Meta(max_length=512)]


class PurgeReceiptTaken(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=26):
    """The sender's node has a purge receipt on its disk: a hash of it (`taken_bytes`).

    Nobody can give it who does not have the receipt, and to everybody else it is 32 bytes of no meaning.
    """

    proof: Digest


DeliveryPacket = (
    BlobDelivery
    | SealedReceipt
    | ReceiptsUnderKey
    | SignedBlobRequest
    | BlobAnswer
    | SealedPurgeReceipt
    | PurgeReceiptTaken
)
_TAGS = frozenset(
    kind.__struct_config__.tag
    for kind in (
        BlobDelivery,
        SealedReceipt,
        ReceiptsUnderKey,
        SignedBlobRequest,
        BlobAnswer,
        SealedPurgeReceipt,
        PurgeReceiptTaken,
    )
)


def is_delivery(data: bytes) -> bool:
    """Whether a packet says that it is one of these, or of a state check, which may wait as well.

    Whether it is any good is for the decoder.
    """
    return len(data) > 1 and (
        data[1] in _TAGS or data[1] == STATE_TAG
    )  # An array whose first element is its kind.


def delivery_bytes(network: bytes, tx: bytes, reply_to: bytes) -> bytes:
    """What the sender signs of a delivery."""
    return b"privity/v1/delivery\0" + network + encode((tx, reply_to))


def receipt_bytes(network: bytes, receipt: Receipt) -> bytes:
    """What a member signs of a receipt."""
    return b"privity/v1/receipt\0" + network + encode(receipt)


def purged_bytes(network: bytes, here: PurgedHere) -> bytes:
    """What a member signs of having erased a payload."""
    return b"privity/v1/purged\0" + network + encode(here)


def taken_bytes(network: bytes, receipt: SignedPurgedHere) -> bytes:
    """What is hashed to acknowledge a purge receipt. Its signature is known to who gave it and who has it."""
    return b"privity/v1/purge-receipt-taken\0" + network + encode(receipt)


def request_bytes(network: bytes, request: BlobRequest) -> bytes:
    """What a member signs of a request for blobs."""
    return b"privity/v1/blob-request\0" + network + encode(request)
