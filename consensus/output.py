"""What a replica asks of its driver after each step, and what it wants remembered."""

from __future__ import annotations

import msgspec

from consensus.certificates import BlockCertificate, CommitCertificate, PreparedCertificate
from consensus.evidence import Evidence
from consensus.messages import FetchedBatch, Proposal, Signed
from consensus.votes import Batch, Counter, Digest, Message, SequenceNumber, Signature, Vote


class VoteRecord(Message, frozen=True, tag=1):
    """A vote of this replica. After a restart it sends this one again, and never another (R20)."""

    vote: Vote
    signature: Signature


class ProposalRecord(Message, frozen=True, tag=2):
    """A proposal that this replica made or accepted, with its batch."""

    proposal: Proposal


class PreparedRecord(Message, frozen=True, tag=3):
    """That this replica was prepared; a view change will have to carry it (R13)."""

    certificate: PreparedCertificate


class HaltedRecord(Message, frozen=True, tag=7):
    """That this replica arrived at another block than a quorum did: it never votes again."""

    sequence: SequenceNumber
    own: Digest


class ViewChangeRecord(Message, frozen=True, tag=8):
    """The view-change that this replica sent; it votes in no lower view ever after (R12, R13)."""

    signed: Signed


class NewViewRecord(Message, frozen=True, tag=9):
    """The new-view that this replica sent or accepted: its view is active from now on (R18)."""

    signed: Signed


class EvidenceRecord(Message, frozen=True, tag=10):
    """A proof that another replica is faulty, found by this one (R30)."""

    evidence: Evidence


class LostDiskRecord(Message, frozen=True, tag=11):
    """That this replica lost its records and keeps silent up to here; 0 while that is not known (R22)."""

    until: Counter


Record = (
    VoteRecord
    | ProposalRecord
    | PreparedRecord
    | HaltedRecord
    | ViewChangeRecord
    | NewViewRecord
    | EvidenceRecord
    | LostDiskRecord
)


class Send(msgspec.Struct, frozen=True, gc=False):
    """One packet to send: to one replica's inbox, or to everybody when `to` is None."""

    packet: Signed | Proposal | FetchedBatch
    to: int | None = None


class Relay(msgspec.Struct, frozen=True, gc=False):
    """Requests that wait for too long: send their bodies to a replica that may lack them (PBFT 4.1, R26)."""

    requests: tuple[bytes, ...]
    to: int


class Decision(msgspec.Struct, frozen=True, gc=False):
    """A batch to execute, with the certificate that decided it."""

    batch: Batch
    certificate: CommitCertificate
    block_certificate: BlockCertificate | None = None


class Note(msgspec.Struct, frozen=True, gc=False):
    """What happened and why, for logs and transcripts; nothing may be decided by reading one."""

    event: str
    view: int = 0
    sequence: int = 0
    digest: bytes = b""
    replica: int | None = None
    have: int = 0
    need: int = 0
    reason: str = ""


class Output(msgspec.Struct):
    """What the driver must now do, field by field and in this order.

    `persist` must be durable before the first of `send` leaves and before the first of `execute` is
    carried out: that is what makes a vote count for its own sender only once it cannot be lost (R20).
    If persisting fails, the driver drops the rest and stops the replica.
    """

    persist: list[Record] = msgspec.field(default_factory=list)
    send: list[Send | Relay] = msgspec.field(default_factory=list)
    # In sequence order, without gaps, each once.
    execute: list[Decision] = msgspec.field(default_factory=list)
    # To be stored beside their blocks.
    certified: list[BlockCertificate] = msgspec.field(default_factory=list)
    # Requests that can no longer be ordered.
    expired: list[bytes] = msgspec.field(default_factory=list)
    notes: list[Note] = msgspec.field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.persist or self.send or self.execute or self.certified or self.expired or self.notes)
