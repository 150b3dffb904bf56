"""Everything that crosses the broker: packets, the frames that carry them, and who must have signed what.

A packet is one of a closed union of types, decoded in one typed step that refuses whatever does not
re-encode to the same bytes. Limits come before decoding, decoding before signatures, signatures before
anything else happens (R1, R26). Topic, client id and retain flag prove nothing about the sender.
"""

from __future__ import annotations

import hashlib
from typing import Annotated

import msgspec

from consensus.certificates import BlockCertificate, CommitCertificate, Decided, PreparedCertificate
from consensus.evidence import Evidence, nested_signatures_hold
from consensus.messages import (
    Fetch,
    FetchBatch,
    FetchedBatch,
    FetchRequests,
    NewView,
    Proposal,
    ReplicaMessage,
    Signed,
    Status,
    ViewChange,
)
from consensus.votes import (
    MAX_BATCH,
    Batch,
    BlockVote,
    Commit,
    Counter,
    Digest,
    Prepare,
    PrePrepare,
    ReplicaId,
    Signature,
)
from node.canonical import decode, encode
from node.chain.act import ActTransaction
from node.chain.block import BlockHeader
from node.consortium import ConsortiumTransaction, Network
from node.delivery.packets import DeliveryPacket
from node.envelopes.transaction import Blob, PrivateTransaction
from node.seals.share_proof import ShareProof
from node.state_check.packets import StateEnvelope

Meta = msgspec.Meta
Token = Annotated[bytes, Meta(min_length=8, max_length=8)]
AnyTransaction = PrivateTransaction | ConsortiumTransaction | ActTransaction

MAX_PACKET = 4 << 20
MAX_FRAME = 6 << 20
MAX_ASKED = 256
REMEMBERED = 20_000


class Wire(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """Base of the packets that concern the driver and not the replica."""


class TransactionPacket(Wire, frozen=True, tag=3):
    """A transaction with its blob. The sender's signature is inside; who relays it does not matter."""

    transaction: AnyTransaction
    blob: Blob | None


class CommittedBatch(Wire, frozen=True, tag=4):
    """The answer to a `Fetch`: what was decided, with the bodies. Hangs on its certificates alone."""

    decided: Decided
    transactions: Annotated[tuple[TransactionPacket, ...], Meta(max_length=MAX_BATCH)]


class Inquiry(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """A client of a party asks one node: where do you stand, and what became of these transactions?

    The node answers to the inbox named by the token `reply_to`: at once with its status, whose `echo` is
    the one given here, and once for each block that holds some of `about`, when it is certified.
    """

    party: ReplicaId
    reply_to: Token
    echo: Token
    about: Annotated[tuple[Digest, ...], Meta(max_length=MAX_ASKED)]


class SignedInquiry(Wire, frozen=True, tag=5):
    """An inquiry with the signature of the party that asks."""

    inquiry: Inquiry
    signature: Signature


class Inclusion(Wire, frozen=True, tag=6):
    """Proof that a batch was decided and executed: two certificates with what they speak of (R25)."""

    batch: Batch
    certificate: CommitCertificate
    header: BlockHeader
    block_certificate: BlockCertificate


class EvidencePacket(Wire, frozen=True, tag=8):
    """A proof that a voter is faulty, passed on. It holds by itself; who says it does not matter (R30)."""

    evidence: Evidence


class ShareProofPacket(Wire, frozen=True, tag=9):
    """A proof that a party lied about a share of a seal, passed on. It holds by itself, as evidence does."""

    proof: ShareProof


Packet = (
    Signed
    | Proposal
    | FetchedBatch
    | TransactionPacket
    | CommittedBatch
    | SignedInquiry
    | Inclusion
    | EvidencePacket
    | ShareProofPacket
    | DeliveryPacket
    | StateEnvelope
)


class Frame(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """One MQTT publish: all that one step had to say to one topic. `lamport` orders logs, nothing else."""

    version: Annotated[int, Meta(ge=1, le=1)]
    lamport: Counter
    packets: Annotated[tuple[bytes, ...], Meta(max_length=10_000)]


_PACKET: msgspec.msgpack.Decoder[Packet] = msgspec.msgpack.Decoder(Packet)
_FRAME: msgspec.msgpack.Decoder[Frame] = msgspec.msgpack.Decoder(Frame)

_DOMAINS: dict[type, bytes] = {
    PrePrepare: b"privity/v1/pre-prepare\0",
    Prepare: b"privity/v1/prepare\0",
    Commit: b"privity/v1/commit\0",
    BlockVote: b"privity/v1/block-vote\0",
    Status: b"privity/v1/status\0",
    Fetch: b"privity/v1/fetch\0",
    FetchRequests: b"privity/v1/fetch-requests\0",
    FetchBatch: b"privity/v1/fetch-batch\0",
    ViewChange: b"privity/v1/view-change\0",
    NewView: b"privity/v1/new-view\0",
    Inquiry: b"privity/v1/inquiry\0",
}


def signed_bytes(network_id: bytes, message: ReplicaMessage | Inquiry) -> bytes:
    """What a sender signs: the domain of the kind, the network id, the canonical encoding (R1)."""
    return _DOMAINS[type(message)] + network_id + encode(message)


def decode_packet(data: bytes) -> Packet:
    """The packet that these bytes are. Raises DecodeError and nothing else."""
    return decode(_PACKET, data, MAX_PACKET)


def decode_frame(data: bytes) -> Frame:
    """The frame that these bytes are. Raises DecodeError and nothing else."""
    return decode(_FRAME, data, MAX_FRAME)


class Verifier:
    """Checks signatures of one network: of messages, of certificates inside them, of inquiries.

    `checked` counts them. Signatures that view-changes quote are remembered when they are good: the same
    certificate comes in the view-change of every replica, and all of them again in the new-view.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._keys = network.verify_keys
        self._good: dict[tuple[bytes, bytes], None] = {}
        self.checked = 0

    def message(self, message: ReplicaMessage | Inquiry, signature: bytes, replica: int) -> bool:
        """Whether the member at this position signed this message."""
        if replica >= len(self._keys):
            return False
        self.checked += 1
        return self._keys[replica].verify(signature, signed_bytes(self._network.id, message))

    def quoted(self, message: ReplicaMessage, signature: bytes) -> bool:
        """The same for a message that another one quotes."""
        key = (signature, hashlib.sha256(signed_bytes(self._network.id, message)).digest())
        if key in self._good:
            return True
        if not self.message(message, signature, message.replica):
            return False
        self._good[key] = None
        if len(self._good) > REMEMBERED:
            del self._good[next(iter(self._good))]
        return True

    def flaw(self, message: ViewChange | NewView) -> str:
        """What is wrong with the signatures that it quotes, or nothing; the replica judges its form."""
        return "" if nested_signatures_hold(message, self.quoted) else "bad signature inside"

    def certificate(
        self, certificate: CommitCertificate | BlockCertificate | PreparedCertificate
    ) -> str | None:
        """Why a certificate proves nothing, or None: quorum of distinct voters, every signature good."""
        if reason := certificate.invalid(self._network.n):
            return reason
        for vote, signature in certificate.votes():
            if not self.message(vote, signature, vote.replica):
                return "bad signature"
        return None

    def decided(self, decided: Decided) -> str | None:
        """Why what a peer says was decided proves nothing, or None."""
        reason = decided.invalid(self._network.n) or self.certificate(decided.certificate)
        if reason is None and decided.block_certificate is not None:
            reason = self.certificate(decided.block_certificate)
        return reason

    def inclusion(self, inclusion: Inclusion) -> str | None:
        """Why this does not prove that a batch was decided and became that block, or None."""
        header, block = inclusion.header, inclusion.block_certificate
        decided = Decided(inclusion.batch, inclusion.certificate, block, True)
        if header.batch_digest != inclusion.certificate.digest or header.height != inclusion.batch.sequence:
            return "certificate is for another batch"
        if header.hash() != block.block:
            return "block certificate is for another block"
        if header.body_root != BlockHeader.root_of(inclusion.batch.requests):
            return "body root does not match the batch"
        return self.decided(decided)


__all__ = [
    "AnyTransaction",
    "CommittedBatch",
    "EvidencePacket",
    "Frame",
    "Inclusion",
    "Inquiry",
    "Packet",
    "SignedInquiry",
    "TransactionPacket",
    "Verifier",
    "decode_frame",
    "decode_packet",
    "encode",
    "signed_bytes",
]
