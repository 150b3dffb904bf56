"""The public side of a private transaction: header, signature, and the blob that travels beside it.

    core header    network, version, suite, sender, nonce, policy, validity window, payload root, key
                   commitment, size bucket, slot bucket, for how many blocks it is kept
    core digest    SHA-256("privity/v1/core\\0" | core header): bound into the ciphertext and every wrap
    public header  core header, hash of the ciphertext, hash of the slots
    seal           of a sealed payload, in the core header: the seal's name and a salted hash of each share
    id             SHA-256("privity/v1/tx\\0" | public header)
    signature      ECDSA P-256 over the same bytes, outside the id

All encodings are canonical MessagePack. What everybody learns from these bytes: the sender, the network
and policy, the validity window in heights, the size bucket and the slot bucket, for how many blocks the
payload is kept, and that this very transaction exists. Salted hashes, ciphertext and slots tell a
non-party nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated

import msgspec
from msgspec import Meta

from node.canonical import decode, encode
from node.envelopes.keys import VerifyKey
from node.envelopes.payload import SIZE_BUCKETS
from node.envelopes.shares import MAX_OPENERS, WRAPPED_SHARE_BYTES

VERSION = 1
SUITE = 1
"""Suite 1: ECDSA P-256 / SHA-256, HPKE X25519 / HKDF-SHA256 / AES-256-GCM, AES-256-GCM, HKDF-SHA256."""

SLOT_BUCKETS = (4, 8, 16, 32)
SLOT_BYTES = 80
MAX_KEEP = 10_000_000
"""Blocks, the most that `keep` can say."""
NONCE_BYTES = 16
TAG_BYTES = 16
TRANSACTION_LIMIT = 1152
"""Bytes of an encoded transaction, at most; about 310, and under a seal 34 more for each opener."""
BLOB_LIMIT = SIZE_BUCKETS[-1] + TAG_BYTES + SLOT_BUCKETS[-1] * (SLOT_BYTES + 2) + 32
BLOB_LIMIT += MAX_OPENERS * (WRAPPED_SHARE_BYTES + 2)

Bytes16 = Annotated[bytes, Meta(min_length=16, max_length=16)]
Bytes32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
Bytes64 = Annotated[bytes, Meta(min_length=64, max_length=64)]
Bytes80 = Annotated[bytes, Meta(min_length=SLOT_BYTES, max_length=SLOT_BYTES)]
Bytes96 = Annotated[bytes, Meta(min_length=WRAPPED_SHARE_BYTES, max_length=WRAPPED_SHARE_BYTES)]
Name = Annotated[str, Meta(min_length=1, max_length=32)]
Height = Annotated[int, Meta(ge=0, lt=2**53)]
Small = Annotated[int, Meta(ge=0, lt=2**32)]
Keep = Annotated[int, Meta(ge=0, le=MAX_KEEP)]

NO_SEALS: Mapping[str, int] = {}

_CORE_DOMAIN = b"privity/v1/core\x00"
_OWNER_DOMAIN = b"privity/v1/owner\x00"
_TRANSACTION_DOMAIN = b"privity/v1/tx\x00"
_CIPHERTEXT_DOMAIN = b"privity/v1/ciphertext\x00"
_SLOTS_DOMAIN = b"privity/v1/slots\x00"


class SealPart(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """Under which seal a payload lies, and a salted hash of each opener's share, in the policy's order."""

    name: Name
    commitments: Annotated[tuple[Bytes32, ...], Meta(min_length=1, max_length=MAX_OPENERS)]


class CoreHeader(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """What is fixed before anything is encrypted. `valid_from` and `valid_until` are heights, inclusive.

    `keep` is how many blocks after its own every node erases the payload; 0 keeps it for ever.
    """

    network: Bytes32
    version: Small
    suite: Small
    sender: Name
    nonce: Bytes16
    policy: Bytes32
    valid_from: Height
    valid_until: Height
    payload_root: Bytes32
    key_commit: Bytes32
    size_bucket: Small
    slot_bucket: Small
    keep: Keep
    seal: SealPart | None = None


class PublicHeader(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """What is ordered: the core header and the hashes of the blob's two parts."""

    core: CoreHeader
    ciphertext_hash: Bytes32
    slots_hash: Bytes32


class PrivateTransaction(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=1):
    """A public header and its sender's signature (r|s)."""

    header: PublicHeader
    signature: Bytes64

    @property
    def id(self) -> bytes:
        """The transaction id, 32 bytes. Computed on each call."""
        return sha256(signed_bytes(self.header)).digest()


class Blob(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """The ciphertext with its tag, the content key wrapped once for each slot, and the shares of a seal."""

    ciphertext: Annotated[bytes, Meta(max_length=SIZE_BUCKETS[-1] + TAG_BYTES)]
    slots: Annotated[tuple[Bytes80, ...], Meta(max_length=SLOT_BUCKETS[-1])]
    shares: Annotated[tuple[Bytes96, ...], Meta(max_length=MAX_OPENERS)] = ()


def encode_blob(blob: Blob) -> bytes:
    """The canonical bytes of the blob: the content of its file."""
    return encode(blob)


def decode_blob(data: bytes) -> Blob:
    """The blob with these bytes. Raises DecodeError."""
    return decode(Blob, data, BLOB_LIMIT)


def core_digest(core: CoreHeader) -> bytes:
    """What ciphertext and wraps are bound to, 32 bytes."""
    return sha256(_CORE_DOMAIN + encode(core)).digest()


def owner_digest(network: bytes, sender: str, nonce: bytes) -> bytes:
    """Whose transaction it is, 32 bytes: bound into the payload root. (sender, nonce) is used once."""
    return sha256(_OWNER_DOMAIN + encode((network, sender, nonce))).digest()


def owner_of(core: CoreHeader) -> bytes:
    """The owner digest of the transaction with this core header."""
    return owner_digest(core.network, core.sender, core.nonce)


def signed_bytes(header: PublicHeader) -> bytes:
    """What the sender signs; its SHA-256 is the transaction id. The network stands in the header."""
    return _TRANSACTION_DOMAIN + encode(header)


def ciphertext_hash(ciphertext: bytes) -> bytes:
    """The hash of the public header over the ciphertext."""
    return sha256(_CIPHERTEXT_DOMAIN + ciphertext).digest()


def slots_hash(slots: tuple[bytes, ...], shares: tuple[bytes, ...] = ()) -> bytes:
    """The hash of the public header over slots and wrapped shares, in their order: the core counts both."""
    return sha256(_SLOTS_DOMAIN + b"".join(slots) + b"".join(shares)).digest()


def check_transaction(
    transaction: PrivateTransaction,
    blob: Blob | None,
    *,
    network: bytes,
    policy: bytes,
    max_validity: int,
    sender_key: VerifyKey,
    seals: Mapping[str, int] = NO_SEALS,
) -> str | None:
    """Why every node refuses this transaction, as a token, or None.

    A function of public bytes only. `max_validity` is the longest validity window in heights;
    `sender_key` is the key of the member that the header names, `seals` says how many openers each
    has. What costs little is looked at first and the signature last. Without a blob the public header alone
    is judged. Whether the window is open now and (sender, nonce) is new is for the ledger to say.
    """
    core = transaction.header.core
    if core.network != network:
        return "network"
    if core.version != VERSION or core.suite != SUITE:
        return "version"
    if core.policy != policy:
        return "policy"
    if not core.valid_from <= core.valid_until <= core.valid_from + max_validity:
        return "validity"
    if core.size_bucket not in SIZE_BUCKETS or core.slot_bucket not in SLOT_BUCKETS:
        return "bucket"
    if core.seal is not None and seals.get(core.seal.name) != len(core.seal.commitments):
        return "seal"
    if blob is not None and (reason := check_blob(transaction.header, blob)):
        return reason
    if not sender_key.verify(transaction.signature, signed_bytes(transaction.header)):
        return "signature"
    return None


def check_blob(header: PublicHeader, blob: Blob) -> str | None:
    """Why this is not the blob of that header, as a token, or None."""
    if len(blob.ciphertext) != header.core.size_bucket + TAG_BYTES:
        return "blob_size"
    if len(blob.slots) != header.core.slot_bucket or any(len(slot) != SLOT_BYTES for slot in blob.slots):
        return "blob_slots"
    commitments = () if header.core.seal is None else header.core.seal.commitments
    if len(blob.shares) != len(commitments) or any(len(each) != WRAPPED_SHARE_BYTES for each in blob.shares):
        return "blob_shares"
    if (
        ciphertext_hash(blob.ciphertext) != header.ciphertext_hash
        or slots_hash(blob.slots, blob.shares) != header.slots_hash
    ):
        return "blob_hash"
    return None
