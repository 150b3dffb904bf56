"""What a replica remembers of one sequence number, and how it counts votes."""

from __future__ import annotations

from consensus.certificates import BlockCertificate, CommitCertificate, PreparedCertificate, Signatures
from consensus.messages import Proposal, Signed
from consensus.votes import Batch, PrePrepare


class VoteSet:
    """The votes of one phase: one bit for each replica, the first vote of each counts (R2).

    Signatures are kept whole, because a certificate is made of them.
    """

    __slots__ = ("by_digest", "voted", "votes")

    def __init__(self) -> None:
        self.voted = 0
        self.by_digest: dict[bytes, int] = {}
        self.votes: dict[int, tuple[bytes, bytes]] = {}

    def add(self, replica: int, digest: bytes, signature: bytes) -> bool:
        """Count a vote; False if this replica has voted already."""
        bit = 1 << replica
        if self.voted & bit:
            return False
        self.voted |= bit
        by_digest = self.by_digest
        by_digest[digest] = by_digest.get(digest, 0) | bit
        self.votes[replica] = (digest, signature)
        return True

    def first(self, replica: int) -> tuple[bytes, bytes] | None:
        """The digest that this replica voted for, with its signature, if it has voted."""
        return self.votes.get(replica)

    def first_digest(self, replica: int) -> bytes | None:
        """The digest that this replica voted for, if it has voted."""
        vote = self.votes.get(replica)
        return None if vote is None else vote[0]

    def count(self, digest: bytes) -> int:
        """How many distinct replicas voted for this digest."""
        return self.by_digest.get(digest, 0).bit_count()

    def count_without(self, digest: bytes, replica: int) -> int:
        """The same, leaving one replica out of the count (R5)."""
        return (self.by_digest.get(digest, 0) & ~(1 << replica)).bit_count()

    def signatures(self, digest: bytes, without: int | None = None) -> Signatures:
        """Who voted for this digest, with signatures, in ascending order of replica."""
        return tuple(
            (replica, self.votes[replica][1])
            for replica in sorted(self.votes)
            if self.votes[replica][0] == digest and replica != without
        )


class Slot:
    """All that this replica knows of one sequence number, until a checkpoint covers it.

    Proposal and votes are those of one view, and are forgotten when a new one is entered. What binds the
    replica in every view stays: the prepared certificate of the highest view (R13), the certificate that
    decided, and every batch that it has voted for, because others may need it (R7).
    """

    __slots__ = (
        "accepted",
        "batches",
        "block_certificate",
        "certificate",
        "commits",
        "own",
        "pre_prepare",
        "pre_prepare_signature",
        "prepared",
        "prepared_certificate",
        "prepares",
        "refused",
        "renewed",
        "sequence",
    )

    def __init__(self, sequence: int) -> None:
        self.sequence = sequence
        # Of the current view.
        self.pre_prepare: PrePrepare | None = None  # The first from the primary, valid or not.
        self.pre_prepare_signature = b""
        self.renewed = False  # It came with the new view, whose view-changes justify it.
        self.refused = False  # The proposal can never be accepted.
        self.accepted = False  # Found valid, recorded, and voted for if this replica votes.
        self.prepares = VoteSet()
        self.prepared = False
        self.commits = VoteSet()
        self.own: list[Signed | Proposal] = []  # What this replica said, to be repeated as it stands.
        # Of all views.
        self.batches: dict[bytes, Batch] = {}
        self.prepared_certificate: PreparedCertificate | None = None
        self.certificate: CommitCertificate | None = None
        self.block_certificate: BlockCertificate | None = None

    def begin_view(self) -> None:
        """Forget what belongs to the view that is left."""
        self.pre_prepare, self.pre_prepare_signature, self.renewed = None, b"", False
        self.refused = self.accepted = self.prepared = False
        self.prepares, self.commits, self.own = VoteSet(), VoteSet(), []

    def propose(self, pre_prepare: PrePrepare, signature: bytes, *, renewed: bool = False) -> None:
        """Take the primary's proposal of this view."""
        self.pre_prepare, self.pre_prepare_signature, self.renewed = pre_prepare, signature, renewed

    @property
    def digest(self) -> bytes:
        """The digest of the primary's proposal, empty before there is one."""
        return b"" if self.pre_prepare is None else self.pre_prepare.digest

    @property
    def batch(self) -> Batch | None:
        """The batch that is proposed in this view, if it is here."""
        return self.batches.get(self.digest)

    @property
    def agreed(self) -> Batch | None:
        """The batch that was decided, or else the one proposed, if it is here."""
        return self.batch if self.certificate is None else self.batches.get(self.certificate.digest)
