"""Proof of a share that is not what its hash says, for judges who hold no private key.

Shown is what was wrapped, and no true share: whoever opens a wrap can wrap its content again, and gets the
very bytes that the liar signed. So the proof tells nothing of a content, and may be passed on to all.

    released_share         an opener released to a later reader what does not meet the hash of its share
    dealt_share            a sender wrapped for an opener what does not meet the hash that it signed itself
    shares_of_another_key  a sender signed hashes of shares that give no key that it committed to
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from node.canonical import DecodeError, decode, encode
from node.chain import act as acts
from node.chain.act import ActTransaction
from node.chain.deeds import Release
from node.consortium import Network
from node.envelopes.shares import MAX_OPENERS, SALT_BYTES, Share
from node.envelopes.transaction import (
    SLOT_BUCKETS,
    TRANSACTION_LIMIT,
    Bytes32,
    Bytes80,
    Bytes96,
    PrivateTransaction,
    core_digest,
    owner_of,
    signed_bytes,
    slots_hash,
)
from node.seals.seal import Seal
from node.seals.unsealing import seal_lie

PROOF_LIMIT = TRANSACTION_LIMIT + acts.ACT_LIMIT + 82 * SLOT_BUCKETS[-1] + 160 * MAX_OPENERS + 128
RELEASED, DEALT, OTHER_KEY = "released_share", "dealt_share", "shares_of_another_key"


class Shown(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """What was in a wrap, in the form of the share of opener `number`."""

    number: Annotated[int, Meta(ge=1, le=MAX_OPENERS)]
    value: Bytes32
    salt: Annotated[bytes, Meta(min_length=SALT_BYTES, max_length=SALT_BYTES)]

    @classmethod
    def of(cls, share: Share) -> Shown:
        return cls(share.number, share.value, share.salt)

    @property
    def share(self) -> Share:
        return Share(self.number, self.value, self.salt)

    def __repr__(self) -> str:
        return "Shown(secret)"


class ShareProof(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """The signed header of what lies under a seal, and an opener's release or the wraps of the sender's blob.

    `slots` and `shares` are those of the blob, whose hash the header signs; both are empty where they prove
    nothing.
    """

    transaction: PrivateTransaction
    release: ActTransaction | None
    slots: Annotated[tuple[Bytes80, ...], Meta(max_length=SLOT_BUCKETS[-1])]
    shares: Annotated[tuple[Bytes96, ...], Meta(max_length=MAX_OPENERS)]
    shown: Annotated[tuple[Shown, ...], Meta(min_length=1, max_length=MAX_OPENERS)]

    def __repr__(self) -> str:
        return "ShareProof(secret)"


class BlamedForShare(NamedTuple):
    """What a proof proves: that `party` lied about a share of the transaction `tx`, and how."""

    tx: bytes
    party: str
    lie: str


def encode_share_proof(proof: ShareProof) -> bytes:
    """The canonical bytes of the proof."""
    return encode(proof)


def decode_share_proof(data: bytes) -> ShareProof:
    """The proof with these bytes, not yet judged. Raises DecodeError."""
    return decode(ShareProof, data, PROOF_LIMIT)


def judge_share(network: Network, proof: ShareProof) -> BlamedForShare | None:
    """What this proves to a member of the network, who needs no private key for it; None for nothing."""
    core = proof.transaction.header.core
    seal = network.sealed_for(proof.transaction)
    if core.network != network.id or core.policy != network.policy_hash or seal is None or core.seal is None:
        return None
    if len(core.seal.commitments) != len(seal.openers):
        return None
    if any(each.number > len(seal.openers) for each in proof.shown):
        return None
    if proof.release is not None:
        return _released(network, proof, proof.release, seal)
    key = network.verify_key(core.sender)
    if key is None or not key.verify(proof.transaction.signature, signed_bytes(proof.transaction.header)):
        return None
    if _is_dealt_wrong(network, proof, seal):
        return BlamedForShare(proof.transaction.id, core.sender, DEALT)
    if not proof.shares and not proof.slots:
        shares = tuple(each.share for each in proof.shown)
        if seal_lie(network, proof.transaction, shares) == OTHER_KEY:
            return BlamedForShare(proof.transaction.id, core.sender, OTHER_KEY)
    return None


def judge_share_bytes(network: Network, data: bytes) -> BlamedForShare | None:
    """The same of bytes that somebody shows; what is no proof proves nothing. Never raises."""
    try:
        return judge_share(network, decode_share_proof(data))
    except DecodeError:
        return None


def _released(
    network: Network, proof: ShareProof, release: ActTransaction, seal: Seal
) -> BlamedForShare | None:
    """Its opener signed it for this very transaction, hashes included: the id is that of the whole header."""
    act, core, tx = release.act, proof.transaction.header.core, proof.transaction.id
    if proof.slots or proof.shares or act.network != network.id or act.sender not in seal.openers:
        return None
    if not isinstance(act.deed, Release) or act.deed.tx != tx or len(act.deed.wraps) != len(seal.then_to):
        return None
    if len(proof.shown) != 1:
        return None
    share, number = proof.shown[0].share, seal.openers.index(act.sender) + 1
    assert core.seal is not None
    if share.number != number or share.commitment(owner_of(core)) == core.seal.commitments[number - 1]:
        return None
    keys = network.wrapping_keys
    if not any(
        share.for_reader(keys[name], tx) == wrap
        for name, wrap in zip(seal.then_to, act.deed.wraps, strict=True)
    ):
        return None
    key = network.verify_key(act.sender)
    if key is None or not key.verify(release.signature, acts.signed_bytes(act)):
        return None
    return BlamedForShare(tx, act.sender, RELEASED)


def _is_dealt_wrong(network: Network, proof: ShareProof, seal: Seal) -> bool:
    header = proof.transaction.header
    counts = (len(proof.slots), len(proof.shares))  # Else other bytes of the same hash could be meant.
    if len(proof.shown) != 1 or counts != (header.core.slot_bucket, len(seal.openers)):
        return False
    if slots_hash(proof.slots, proof.shares) != header.slots_hash:
        return False
    share, place = proof.shown[0].share, proof.shown[0].number - 1
    assert header.core.seal is not None
    if share.commitment(owner_of(header.core)) == header.core.seal.commitments[place]:
        return False
    opener = network.wrapping_keys[seal.openers[place]]
    return share.for_opener(opener, core_digest(header.core)) == proof.shares[place]
