"""Certificates: quorums of signed votes, kept whole so that anybody can check them later.

A certificate holds the fields that its votes agree on, once, and a signature for each voter, in
ascending order of replica. `votes()` rebuilds the messages that were signed.
"""

from __future__ import annotations

import itertools
from typing import Annotated

import msgspec

from consensus.quorum import prepares_needed, quorum
from consensus.votes import (
    MAX_REPLICAS,
    Batch,
    BlockVote,
    Commit,
    Counter,
    Digest,
    Message,
    Prepare,
    PrePrepare,
    ReplicaId,
    SequenceNumber,
    Signature,
)

Signatures = Annotated[tuple[tuple[ReplicaId, Signature], ...], msgspec.Meta(max_length=MAX_REPLICAS)]


def _invalid_voters(signatures: Signatures, n: int, need: int) -> str | None:
    """Members are counted, not messages (R2): ascending order makes them distinct."""
    replicas = [replica for replica, _ in signatures]
    if any(later <= earlier for earlier, later in itertools.pairwise(replicas)):
        return "voters not in ascending order"
    if replicas and replicas[-1] >= n:
        return "voter is no member"
    if len(replicas) < need:
        return "too few votes"
    return None


class CommitCertificate(Message, frozen=True):
    """A quorum of commits of one view for one digest: reason enough to execute, in any view (R8)."""

    epoch: Counter
    view: Counter
    sequence: SequenceNumber
    digest: Digest
    signatures: Signatures

    def invalid(self, n: int) -> str | None:
        """Why this can never be a certificate among n voters, whoever signed; or None."""
        return _invalid_voters(self.signatures, n, quorum(n))

    def votes(self) -> list[tuple[Commit, bytes]]:
        """The commits that were signed, each with its signature."""
        return [
            (Commit(self.epoch, self.view, self.sequence, self.digest, replica), signature)
            for replica, signature in self.signatures
        ]


class BlockCertificate(Message, frozen=True):
    """A quorum of voters who executed up to this sequence number and arrived at this block."""

    epoch: Counter
    sequence: SequenceNumber
    block: Digest
    signatures: Signatures

    def invalid(self, n: int) -> str | None:
        """Why this can never be a certificate among n voters, whoever signed; or None."""
        return _invalid_voters(self.signatures, n, quorum(n))

    def votes(self) -> list[tuple[BlockVote, bytes]]:
        """The block votes that were signed, each with its signature."""
        return [
            (BlockVote(self.epoch, self.sequence, self.block, replica), signature)
            for replica, signature in self.signatures
        ]


class PreparedCertificate(Message, frozen=True):
    """A pre-prepare and matching prepares of quorum - 1 backups: fixes the order within its view (R6)."""

    epoch: Counter
    view: Counter
    sequence: SequenceNumber
    digest: Digest
    primary: ReplicaId
    pre_prepare: Signature
    prepares: Signatures

    def invalid(self, n: int) -> str | None:
        """Why this can never be a certificate among n voters, whoever signed; or None."""
        if any(replica == self.primary for replica, _ in self.prepares):
            return "the primary prepares nothing"
        return _invalid_voters(self.prepares, n, prepares_needed(n))

    def votes(self) -> list[tuple[PrePrepare | Prepare, bytes]]:
        """The pre-prepare and the prepares that were signed, each with its signature."""
        first = PrePrepare(self.epoch, self.view, self.sequence, self.digest, self.primary)
        rest = [
            (Prepare(self.epoch, self.view, self.sequence, self.digest, replica), signature)
            for replica, signature in self.prepares
        ]
        return [(first, self.pre_prepare), *rest]


class Decided(Message, frozen=True):
    """What a quorum decided at one sequence number, with the proof; the answer to a `Fetch`.

    `block_certificate` is there if the sender has one. `last` says that the sender will send no more
    unless asked again: a hint, nothing is believed because of it.
    """

    batch: Batch
    certificate: CommitCertificate
    block_certificate: BlockCertificate | None
    last: bool

    def invalid(self, n: int) -> str | None:
        """Why this proves nothing, whoever signed it; or None."""
        certificate, block = self.certificate, self.block_certificate
        if certificate.sequence != self.batch.sequence or certificate.digest != self.batch.digest():
            return "certificate is for another batch"
        if block is not None and block.epoch != certificate.epoch:
            return "block certificate is of another epoch"
        if block is not None and block.sequence != certificate.sequence:
            return "block certificate is for another sequence number"
        return certificate.invalid(n) or (block.invalid(n) if block is not None else None)
