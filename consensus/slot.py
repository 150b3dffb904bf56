"""What a replica remembers of one sequence number, and how it counts votes."""

from __future__ import annotations

from consensus.certificates import BlockCertificate, CommitCertificate, PreparedCertificate, Signatures
from consensus.messages import Proposal, Signed
from consensus.votes import Batch, PrePrepare

# More votes than there can be.
NO_NEED = 1 << 20


class VoteSet:
    """The votes of one phase: one bit for each replica, the first vote of each counts (R2).

    Votes are kept whole, because a certificate is made of their signatures. `need` is how many replicas must
    have voted, for whatever digest, before a vote can lead to anything.
    """

    __slots__ = ("by_digest", "need", "voted", "votes")

    def __init__(self, need: int) -> None:
        self.need = need
        self.voted = 0
        self.by_digest: dict[bytes, int] = {}
        self.votes: list[Signed] = []  # In order of arrival.

    def add(self, replica: int, digest: bytes, vote: Signed) -> bool:
        """Count a vote; False if this replica has voted already."""
        bit = 1 << replica
        if self.voted & bit:
            return False
        self.voted |= bit
        by_digest = self.by_digest
        by_digest[digest] = by_digest.get(digest, 0) | bit
        self.votes.append(vote)
        return True

    def settle(self) -> None:
        """All that votes of this phase can lead to has happened."""
        self.need = NO_NEED

    def first(self, replica: int) -> Signed | None:
        """The vote that counts of this replica, if it has voted."""
        return next((vote for vote in self.votes if vote.message.replica == replica), None)

    def same(self, replica: int, digest: bytes) -> bool:
        """Whether the vote that counts of this replica is for this digest."""
        return bool(self.by_digest.get(digest, 0) >> replica & 1)

    def has(self, replica: int) -> bool:
        """Whether this replica has voted."""
        return bool(self.voted >> replica & 1)

    def voters(self) -> list[int]:
        """Who has voted, in ascending order."""
        return sorted(vote.message.replica for vote in self.votes)

    def count(self, digest: bytes) -> int:
        """How many distinct replicas voted for this digest."""
        return self.by_digest.get(digest, 0).bit_count()

    def count_without(self, digest: bytes, replica: int) -> int:
        """The same, leaving one replica out of the count (R5)."""
        return (self.by_digest.get(digest, 0) & ~(1 << replica)).bit_count()

    def signatures(self, digest: bytes, without: int | None = None) -> Signatures:
        """Who voted for this digest, with signatures, in ascending order of replica."""
        chosen = self.by_digest.get(digest, 0)
        if without is not None:
            chosen &= ~(1 << without)
        pairs = [(vote.message.replica, vote.signature) for vote in self.votes]
        if chosen.bit_count() < len(pairs):
            pairs = [pair for pair in pairs if chosen >> pair[0] & 1]
        pairs.sort()
        return tuple(pairs)


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
        "digest",
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

    def __init__(self, sequence: int, prepares_needed: int, quorum: int) -> None:
        self.sequence = sequence
        # Of the current view.
        self.pre_prepare: PrePrepare | None = None  # The first from the primary, valid or not.
        self.digest = b""  # Of that proposal, empty before there is one.
        self.pre_prepare_signature = b""
        self.renewed = False  # It came with the new view, whose view-changes justify it.
        self.refused = False  # The proposal can never be accepted.
        self.accepted = False  # Found valid, recorded, and voted for if this replica votes.
        self.prepares = VoteSet(prepares_needed)
        self.prepared = False
        self.commits = VoteSet(quorum)
        self.own: list[Signed | Proposal] = []  # What this replica said, to be repeated as it stands.
        # Of all views.
        self.batches: dict[bytes, Batch] = {}
        self.prepared_certificate: PreparedCertificate | None = None
        self.certificate: CommitCertificate | None = None
        self.block_certificate: BlockCertificate | None = None

    def begin_view(self, prepares_needed: int, quorum: int) -> None:
        """Forget what belongs to the view that is left."""
        self.pre_prepare, self.pre_prepare_signature, self.renewed = None, b"", False
        self.digest = b""
        self.refused = self.accepted = self.prepared = False
        self.prepares, self.commits, self.own = VoteSet(prepares_needed), VoteSet(quorum), []

    def propose(self, pre_prepare: PrePrepare, signature: bytes, *, renewed: bool = False) -> None:
        """Take the primary's proposal of this view."""
        self.pre_prepare, self.pre_prepare_signature, self.renewed = pre_prepare, signature, renewed
        self.digest = pre_prepare.digest

    @property
    def batch(self) -> Batch | None:
        """The batch that is proposed in this view, if it is here."""
        return self.batches.get(self.digest)

    @property
    def agreed(self) -> Batch | None:
        """The batch that was decided, or else the one proposed, if it is here."""
        return self.batch if self.certificate is None else self.batches.get(self.certificate.digest)
