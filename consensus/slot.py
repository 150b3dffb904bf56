"""What a replica remembers of one sequence number, and how it counts votes."""

from __future__ import annotations

from consensus.certificates import BlockCertificate, CommitCertificate, Signatures
from consensus.messages import Batch, Proposal, Signed


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
        self.by_digest[digest] = self.by_digest.get(digest, 0) | bit
        self.votes[replica] = (digest, signature)
        return True

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
    """All that this replica knows of one sequence number in the current view."""

    __slots__ = (
        "accepted",
        "block_certificate",
        "certificate",
        "commits",
        "decided_batch",
        "own",
        "prepared",
        "prepares",
        "proposal",
        "refused",
        "sequence",
    )

    def __init__(self, sequence: int) -> None:
        self.sequence = sequence
        self.proposal: Proposal | None = None  # The first from the primary, valid or not.
        self.refused = False  # The proposal can never be accepted.
        self.accepted = False  # Found valid, recorded, and voted for if this replica votes.
        self.prepares = VoteSet()
        self.prepared = False
        self.commits = VoteSet()
        self.certificate: CommitCertificate | None = None
        self.decided_batch: Batch | None = None  # From a peer's answer to a fetch.
        self.block_certificate: BlockCertificate | None = None
        self.own: list[Signed | Proposal] = []  # What this replica said, to be repeated as it stands.

    @property
    def digest(self) -> bytes:
        """The digest of the primary's proposal, empty before there is one."""
        return b"" if self.proposal is None else self.proposal.pre_prepare.digest

    def batch_of(self, digest: bytes) -> Batch | None:
        """The batch with this digest, if this replica has it from anybody."""
        if self.proposal is not None and self.proposal.pre_prepare.digest == digest:
            return self.proposal.batch
        if self.certificate is not None and self.certificate.digest == digest:
            return self.decided_batch
        return None
