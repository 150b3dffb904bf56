"""What replicas say to each other, one type for each message of the protocol.

Votes and the words they are made of are in `votes.py`, quorums of votes in `certificates.py`.
"""

from __future__ import annotations

from typing import Annotated

from consensus.certificates import BlockCertificate, PreparedCertificate
from consensus.votes import (
    MAX_BATCH,
    MAX_REPLICAS,
    Batch,
    BlockVote,
    Commit,
    Counter,
    Digest,
    Message,
    Meta,
    Prepare,
    PrePrepare,
    ReplicaId,
    SequenceNumber,
    Signature,
)

NO_TOKEN = bytes(8)
# No window is wider, so that a view-change fits into a packet.
MAX_WINDOW = 1024


class Status(Message, frozen=True, tag=5):
    """Where a replica stands; sent now and then, also when nothing happens (R23), and when asked.

    `sequence` is the last one executed and `block` its hash. `echo` repeats the token of the question
    that this answers, and is zero in a periodic one.
    """

    epoch: Counter
    view: Counter
    sequence: Counter
    block: Digest
    state_root: Digest
    echo: Annotated[bytes, Meta(min_length=8, max_length=8)]
    replica: ReplicaId


class Fetch(Message, frozen=True, tag=6):
    """Please send what was decided from this sequence number on."""

    epoch: Counter
    sequence: SequenceNumber
    replica: ReplicaId


class FetchRequests(Message, frozen=True, tag=7):
    """Please send the bodies of these requests, which a proposal names and I do not have."""

    epoch: Counter
    requests: Annotated[tuple[Digest, ...], Meta(min_length=1, max_length=MAX_BATCH)]
    replica: ReplicaId


class FetchBatch(Message, frozen=True, tag=10):
    """Please send the batch with this digest, which a new view names and I do not have (R7)."""

    epoch: Counter
    sequence: SequenceNumber
    digest: Digest
    replica: ReplicaId


class ViewChange(Message, frozen=True, tag=8):
    """A vote for a higher view, with all that its sender is bound by (PBFT 4.4, R13).

    `stable` is the certificate of the last stable checkpoint, None for sequence number 0. `prepared` holds,
    for each later sequence number at which its sender was ever prepared, the certificate of the highest
    view, in ascending order of sequence.
    """

    epoch: Counter
    view: Annotated[int, Meta(ge=1, lt=2**53)]
    stable: BlockCertificate | None
    prepared: Annotated[tuple[PreparedCertificate, ...], Meta(max_length=MAX_WINDOW)]
    replica: ReplicaId

    @property
    def low_watermark(self) -> int:
        """The sequence number of the stable checkpoint that this message proves."""
        return 0 if self.stable is None else self.stable.sequence

    def invalid(self, n: int, window: int) -> str | None:
        """Why this is no view-change among n voters, apart from signatures; or None (R14)."""
        if self.replica >= n:
            return "not a voter"
        if self.stable is not None:
            if self.stable.epoch != self.epoch:
                return "stable checkpoint of another epoch"
            if reason := self.stable.invalid(n):
                return reason
        last = low = self.low_watermark
        for certificate in self.prepared:
            if certificate.epoch != self.epoch:
                return "prepared certificate of another epoch"
            if certificate.view >= self.view:
                return "prepared certificate of a later view"
            if certificate.sequence <= last:
                return "prepared certificates not in ascending order above the stable checkpoint"
            if certificate.sequence > low + window:
                return "prepared certificate outside watermarks"
            if certificate.primary != certificate.view % n:
                return "prepared certificate of another primary"
            if reason := certificate.invalid(n):
                return reason
            last = certificate.sequence
        return None


class NewView(Message, frozen=True, tag=9):
    """The new primary's proof that a quorum wants its view, and what that view begins with (R16).

    Each view-change and each pre-prepare comes with its sender's signature; view-changes are in ascending
    order of replica, pre-prepares in ascending order of sequence.
    """

    epoch: Counter
    view: Annotated[int, Meta(ge=1, lt=2**53)]
    view_changes: Annotated[tuple[tuple[ViewChange, Signature], ...], Meta(max_length=MAX_REPLICAS)]
    pre_prepares: Annotated[tuple[tuple[PrePrepare, Signature], ...], Meta(max_length=MAX_WINDOW)]
    replica: ReplicaId


ReplicaMessage = (
    PrePrepare
    | Prepare
    | Commit
    | BlockVote
    | Status
    | Fetch
    | FetchRequests
    | FetchBatch
    | ViewChange
    | NewView
)


class Signed(Message, frozen=True, tag=1):
    """A message with its sender's signature."""

    message: ReplicaMessage
    signature: Signature


class Proposal(Message, frozen=True, tag=2):
    """A pre-prepare with the batch it stands for; the signature binds the batch by its digest (PBFT 4.2)."""

    pre_prepare: PrePrepare
    signature: Signature
    batch: Batch


class FetchedBatch(Message, frozen=True, tag=7):
    """The answer to a `FetchBatch`. Its digest is all the proof it needs, so nobody signs it."""

    batch: Batch
