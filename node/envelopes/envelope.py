"""Sealing a payload for its readers, and opening it again.

`seal` makes the transaction and its blob; `unseal` is what a node does with its own wrapping key, and
`open_with` what anybody does who was given the content key. Not being a reader is an answer (NotAParty);
an altered or dishonest envelope is another (Unreadable). Neither ever carries a part of the content.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from node.canonical import DecodeError
from node.envelopes.content_key import CONTENT_KEY_BYTES, ContentKey
from node.envelopes.entropy import Entropy
from node.envelopes.key_slots import find_readers, is_slot_of, make_slots, open_slots, slot_bucket
from node.envelopes.keys import SigningKey, WrappingKey, WrappingPublicKey
from node.envelopes.payload import Payload
from node.envelopes.sender_proof import SenderProof, open_content
from node.envelopes.shares import Locked, Share, split
from node.envelopes.transaction import (
    NONCE_BYTES,
    SLOT_BUCKETS,
    SUITE,
    VERSION,
    Blob,
    CoreHeader,
    PrivateTransaction,
    PublicHeader,
    SealPart,
    check_blob,
    ciphertext_hash,
    core_digest,
    owner_digest,
    signed_bytes,
    slots_hash,
)
from node.errors import PrivityError


class NotAParty(Exception):
    """None of the slots is for this key: its holder is not a reader."""


class Unreadable(Exception):
    """The envelope cannot be opened as it should. `reason` is a token.

    Without `proof` nobody can tell whose fault it is: the blob was altered on its way (`blob_...`; ask for
    another copy), or the sender wrapped a wrong key in a way that this reader alone cannot prove
    (`wrapped_key`; any other reader can, see `readers_of`). With `proof` the sender is to blame.
    """

    def __init__(self, reason: str, proof: SenderProof | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.proof = proof


@dataclass(frozen=True, slots=True, repr=False)
class Sealed:
    """What sealing gives. The sender publishes transaction and blob and keeps the rest to itself."""

    transaction: PrivateTransaction
    blob: Blob
    content_key: bytes
    payload: Payload

    def __repr__(self) -> str:
        return "Sealed(secret)"


@dataclass(frozen=True, slots=True, repr=False)
class Opened:
    """A payload that was checked against the public header, and the content key that opened it."""

    payload: Payload
    content_key: bytes

    def __repr__(self) -> str:
        return "Opened(secret)"


def seal(
    fields: Mapping[str, object],
    *,
    readers: Sequence[WrappingPublicKey],
    network: bytes,
    sender: str,
    policy: bytes,
    valid_from: int,
    valid_until: int,
    signing_key: SigningKey,
    entropy: Entropy,
    nonce: bytes | None = None,
    keep: int = 0,
    locked: Locked | None = None,
) -> Sealed:
    """Encrypt the fields so that each of the readers, and nobody else, can read them, and sign.

    `readers` holds the sender's own key too, in any order; a key that comes twice counts once. `network`
    and `policy` are 32 bytes, the validity window is in heights, both ends included. `nonce` is 16 fresh
    bytes, drawn here unless the content has to name them. `keep` is how many blocks after its own the payload
    is erased, 0 for never. With `locked` its openers get a share of the key each, and the readers are those
    who need not wait for them, as the sender. Raises PrivityError: E-PAYLOAD for fields that no payload can
    hold, E-LIMIT for too much or for too many readers.
    """
    different = tuple(dict.fromkeys(readers))
    bucket = slot_bucket(len(different))
    if bucket is None:
        raise PrivityError(
            "E-LIMIT",
            f"a transaction has at most {SLOT_BUCKETS[-1] - 1} readers beside the sender, not"
            f" {len(different) - 1}",
            next="send it in several transactions",
        )
    payload = Payload.build(fields, entropy)
    plaintext = payload.plaintext()
    nonce, key = nonce or entropy(NONCE_BYTES), ContentKey(entropy(CONTENT_KEY_BYTES))
    owner = owner_digest(network, sender, nonce)
    shares = () if locked is None else split(key, owner, locked.threshold, len(locked.openers))
    core = CoreHeader(
        network=network,
        version=VERSION,
        suite=SUITE,
        sender=sender,
        nonce=nonce,
        policy=policy,
        valid_from=valid_from,
        valid_until=valid_until,
        payload_root=payload.root(owner),
        key_commit=key.commitment(),
        size_bucket=len(plaintext),
        slot_bucket=bucket,
        keep=keep,
        seal=_seal_part(locked, shares, owner),
    )
    digest = core_digest(core)
    ciphertext = key.encrypt(plaintext, digest)
    openers = () if locked is None else locked.openers
    wrapped = tuple(share.for_opener(to, digest) for share, to in zip(shares, openers, strict=True))
    blob = Blob(ciphertext, make_slots(key, digest, different, bucket), wrapped)
    header = PublicHeader(core, ciphertext_hash(ciphertext), slots_hash(blob.slots, wrapped))
    transaction = PrivateTransaction(header, signing_key.sign(signed_bytes(header)))
    return Sealed(transaction, blob, key.raw, payload)


def _seal_part(locked: Locked | None, shares: Sequence[Share], owner: bytes) -> SealPart | None:
    if locked is None:
        return None
    return SealPart(locked.name, tuple(share.commitment(owner) for share in shares))


def unseal(transaction: PrivateTransaction, blob: Blob, wrapping_key: WrappingKey) -> Opened:
    """The payload, for a reader. Raises NotAParty or Unreadable.

    To be called after `check_transaction`, which checks the signature. The blob is held against the
    signed header before any slot is tried, so that a blob altered on its way never passes for "not mine".
    """
    header = transaction.header
    if reason := check_blob(header, blob):
        raise Unreadable(reason)
    digest = core_digest(header.core)
    mismatch: Unreadable | None = None
    for index, content in open_slots(wrapping_key, digest, blob.slots):
        key = ContentKey(content)
        if key.meets(header.core.key_commit):
            return _open(transaction, blob, key)
        # A slot was made for us and holds another key than the header commits to. If it is derived from
        # what it holds, as slots are, that alone proves it.
        derived = is_slot_of(key, digest, index, wrapping_key.public, blob.slots[index])
        proof = SenderProof(transaction, blob, content, wrapping_key.public.raw) if derived else None
        mismatch = Unreadable("wrapped_key", proof)
    raise mismatch or NotAParty()


def open_with(transaction: PrivateTransaction, blob: Blob, content_key: bytes) -> Opened:
    """The payload, for whoever was given the content key: a judge, say. Raises Unreadable.

    With `check_transaction` this proves what the sender signed. A key that does not meet the signed
    commitment is nobody's fault but that of whoever gave it (`content_key`).
    """
    if reason := check_blob(transaction.header, blob):
        raise Unreadable(reason)
    key = ContentKey(content_key)
    if not key.meets(transaction.header.core.key_commit):
        raise Unreadable("content_key")
    return _open(transaction, blob, key)


def readers_of(
    transaction: PrivateTransaction,
    blob: Blob,
    content_key: bytes,
    candidates: Mapping[str, WrappingPublicKey],
) -> set[str]:
    """The names of those candidates that can read the payload. For whoever holds the content key.

    `candidates` are all members of the consortium under the header's policy. Raises Unreadable
    (`slots`, with a proof) if some slot is neither for one of them nor a proper dummy.
    """
    if reason := check_blob(transaction.header, blob):
        raise Unreadable(reason)
    key = ContentKey(content_key)
    if not key.meets(transaction.header.core.key_commit):
        raise Unreadable("content_key")
    found = find_readers(key, core_digest(transaction.header.core), blob.slots, candidates.values())
    if found is None:
        raise Unreadable("slots", SenderProof(transaction, blob, content_key, None))
    return {name for name, public in candidates.items() if public in found}


def _open(transaction: PrivateTransaction, blob: Blob, key: ContentKey) -> Opened:
    """Decrypt and check, for a key that meets the commitment: whatever fails now is the sender's doing."""
    try:
        return Opened(open_content(transaction.header, blob, key), key.raw)
    except DecodeError as lie:
        raise Unreadable(lie.reason, SenderProof(transaction, blob, key.raw, None)) from None
