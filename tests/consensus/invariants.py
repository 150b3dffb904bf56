"""What must hold at every step of every run, checked from outside (PBFT.md I1-I4, I6-I8).

The checker sees what correct replicas persist, send and execute, and every vote that anybody put on
the network. It shares no arithmetic with the core.
"""

from __future__ import annotations

from collections import defaultdict

from consensus.evidence import proves
from consensus.messages import FetchedBatch, NewView, Proposal, Signed, ViewChange
from consensus.output import (
    Decision,
    EvidenceRecord,
    NewViewRecord,
    ProposalRecord,
    Record,
    ViewChangeRecord,
    VoteRecord,
)
from consensus.votes import BlockVote, Commit, Prepare, PrePrepare, encode
from tests.consensus.wire import block_hash, is_signature, signature_of


def smallest_quorum(n: int) -> int:
    """The smallest size whose sets share more than f of n, found by trying."""
    return next(size for size in range(1, n + 1) if 2 * size - n > (n - 1) // 3)


class Invariants:
    """The checker of one run; any violation is an AssertionError at the step where it happens."""

    def __init__(self, n: int, submitted: dict[bytes, object]) -> None:
        self.quorum = smallest_quorum(n)
        self.n = n
        self.submitted = submitted
        self.durable: dict[int, set[bytes]] = defaultdict(set)
        self.lockers: dict[tuple[int, int, bytes], set[int]] = defaultdict(set)
        self.locked: dict[int, list[tuple[int, bytes]]] = {}
        self.said: dict[tuple[object, ...], bytes] = {}
        self.correct_commits: dict[tuple[int, ...], bytes] = {}
        self.pool: dict[tuple[object, ...], set[int]] = defaultdict(set)
        self.certified: dict[tuple[str, int], bytes] = {}
        self.chain: dict[int, tuple[bytes, bytes]] = {}
        self.heights: dict[int, int] = defaultdict(int)
        self.executed: dict[int, set[bytes]] = defaultdict(set)
        self.times: dict[int, int] = {}
        self.correct: set[int] = set()
        self.window = 128
        self.promised: dict[int, int] = defaultdict(int)
        self.committed: dict[int, dict[int, int]] = defaultdict(dict)
        self.blocks: dict[int, bytes] = defaultdict(lambda: bytes(32))

    def persisted(self, replica: int, record: Record) -> None:
        """A correct replica's record is on its disk."""
        if isinstance(record, VoteRecord):
            self.durable[replica].add(encode(record.vote))
        elif isinstance(record, ViewChangeRecord | NewViewRecord):
            self.durable[replica].add(encode(record.signed.message))
        elif isinstance(record, EvidenceRecord):
            assert record.evidence.accused not in self.correct, f"I10: {replica} accuses {record.evidence}"
            assert proves(record.evidence, self.n, self.window, is_signature), f"I10: {record.evidence}"
        elif isinstance(record, ProposalRecord):
            self.durable[replica].add(encode(record.proposal.pre_prepare))

    def on_network(self, packet: Signed | Proposal) -> None:
        """Anybody, faulty or not, put this on the network: certificates could be made of it (I2)."""
        vote = packet.message if isinstance(packet, Signed) else packet.pre_prepare
        if isinstance(vote, Commit) and vote.replica < self.n:
            self._certify("batch", vote.sequence, vote.digest, vote.replica)
        elif isinstance(vote, BlockVote) and vote.replica < self.n:
            self._certify("block", vote.sequence, vote.block, vote.replica)

    def _certify(self, what: str, sequence: int, digest: bytes, replica: int) -> None:
        votes = self.pool[what, sequence, digest]
        votes.add(replica)
        if len(votes) >= self.quorum:
            first = self.certified.setdefault((what, sequence), digest)
            assert first == digest, f"I2: two certified {what} digests at {sequence}"

    def sent(self, replica: int, packet: Signed | Proposal | FetchedBatch) -> None:
        """A correct replica releases a packet."""
        if isinstance(packet, FetchedBatch):
            return
        vote = packet.message if isinstance(packet, Signed) else packet.pre_prepare
        if isinstance(vote, NewView | ViewChange) and vote.replica != replica:
            return  # Shown to one who is behind; its author signed it.
        assert vote.replica == replica, "R1: a replica speaks for itself"
        if isinstance(vote, PrePrepare | Prepare | Commit | BlockVote):
            assert packet.signature == signature_of(replica, vote), "R1: signed as it stands"
            assert encode(vote) in self.durable[replica], f"I6: {replica} sends {vote} before it is durable"
            digest = vote.block if isinstance(vote, BlockVote) else vote.digest
            view = 0 if isinstance(vote, BlockVote) else vote.view
            key = (replica, type(vote).__name__, vote.epoch, view, vote.sequence)
            assert self.said.setdefault(key, digest) == digest, f"I4: {replica} contradicts itself: {vote}"
            assert not isinstance(vote, Prepare) or replica != vote.view % self.n, "R5: the primary prepares"
            assert replica < self.n, "a follower votes"
        if isinstance(vote, PrePrepare | Prepare | Commit):
            assert vote.view >= self.promised[replica], f"R12: {replica} votes in a view that it left: {vote}"
        if isinstance(vote, Commit):
            committed = self.committed[replica].get(vote.sequence, -1)
            self.committed[replica][vote.sequence] = max(vote.view, committed)
        if isinstance(vote, ViewChange | NewView):
            assert encode(vote) in self.durable[replica], f"I6: {replica} sends {type(vote)} not durable"
            value = encode(vote)
            key = (replica, type(vote).__name__, vote.epoch, vote.view)
            assert self.said.setdefault(key, value) == value, f"I4: {replica} contradicts itself: {vote}"
        if isinstance(vote, ViewChange):
            self.promised[replica] = max(self.promised[replica], vote.view)
            carried = {certificate.sequence: certificate.view for certificate in vote.prepared}
            for sequence, view in self.committed[replica].items():
                if sequence > vote.low_watermark and view < vote.view:
                    assert carried.get(sequence, -1) >= view, f"R13: {replica} hides its commit at {sequence}"
        if isinstance(vote, Commit):
            first = self.correct_commits.setdefault((vote.epoch, vote.view, vote.sequence), vote.digest)
            assert first == vote.digest, f"I3: two digests prepared at {vote.sequence}"
            lockers = self.lockers[vote.view, vote.sequence, vote.digest]
            lockers.add(replica)
            if len(lockers) >= self.quorum - (self.n - 1) // 3:
                self.locked.setdefault(vote.sequence, []).append((vote.view, vote.digest))
        if isinstance(vote, Prepare | Commit):
            for view, digest in self.locked.get(vote.sequence, []):
                assert vote.view <= view or vote.digest == digest, f"I3: hidden commit at {vote.sequence}"

    def executes(self, replica: int, decision: Decision) -> None:
        """A correct replica executes, for the first time or again after losing nothing."""
        batch, certificate = decision.batch, decision.certificate
        sequence = batch.sequence
        assert sequence == self.heights[replica] + 1, f"R9: {replica} executes {sequence} out of order"
        self.heights[replica] = sequence
        assert certificate.digest == batch.digest(), "R8: certificate for another batch"
        assert certificate.sequence == sequence, "R8: certificate for another sequence number"
        signers = {i for i, s in certificate.signatures if i < self.n}
        assert len(signers) >= self.quorum, "R8: too few commits"
        for vote, signature in certificate.votes():
            assert signature == signature_of(vote.replica, vote), "R8: certificate with a wrong signature"
            if vote.replica == replica:
                assert encode(vote) in self.durable[replica], "R20: own vote counted before it is durable"
        first = self.chain.setdefault(sequence, (batch.digest(), batch.proposer.to_bytes(1, "big")))
        assert first[0] == batch.digest(), f"I1: two batches executed at {sequence}"
        self.blocks[replica] = block_hash(self.blocks[replica], batch)
        for identifier in batch.requests:
            assert identifier in self.submitted, "I7: nobody submitted this request"
            # Ordered again it has no effect (R24): this world's state is the set of what was executed.
            self.executed[replica].add(identifier)
        if certificate.view == 0:  # Later views renew what is older than what was put before it.
            assert batch.time_ms > self.times.get(replica, 0), "R27: time does not grow"
        self.times[replica] = max(batch.time_ms, self.times.get(replica, 0))
