"""What nodes say to each other about consensus: checked, and only then shown to this node's replica."""

from __future__ import annotations

from collections.abc import Callable

from consensus.evidence import Evidence
from consensus.messages import (
    Fetch,
    FetchBatch,
    FetchedBatch,
    FetchRequests,
    NewView,
    Proposal,
    Signed,
    Status,
    ViewChange,
)
from consensus.output import EvidenceRecord, Output
from consensus.replica import Replica
from consensus.votes import Commit, Prepare
from node.admission import Admission
from node.answers import Answers
from node.chain.store import Store
from node.consortium import Network
from node.gossip import Gossip, note_of
from node.reporting import Reporter
from node.wire import CommittedBatch, Verifier


class ReplicaPackets:
    """Of the node at position `own`, whose parts it shares.

    `take` is given what the replica puts out, and `flush` carries it out; `now_ms` tells the time of the
    node's present step in Unix milliseconds, and `failed` whether the disk refused: then the replica hears
    nothing more, and the node goes on answering. Raises OSError, sqlite3.Error or PrivityError when the disk
    refuses just now; what a peer sends never raises.
    """

    def __init__(
        self,
        network: Network,
        own: int,
        replica: Replica,
        verifier: Verifier,
        gossip: Gossip,
        answers: Answers,
        admission: Admission,
        store: Store,
        report: Reporter,
        take: Callable[[Output], None],
        flush: Callable[[], None],
        now_ms: Callable[[], int],
        failed: Callable[[], bool],
    ) -> None:
        self._network = network
        self._own = own
        self._replica = replica
        self._verifier = verifier
        self._gossip = gossip
        self._answers = answers
        self._admission = admission
        self._store = store
        self._report = report
        self._take = take
        self._flush = flush
        self._now_ms = now_ms
        self._failed = failed

    def signed(self, packet: Signed) -> None:
        """A vote, a message of a view change, where a node stands, or what it asks other nodes for."""
        message = packet.message
        if message.replica == self._own:
            return  # A broker may give us our own words back.
        if isinstance(message, Prepare | Commit) and message.sequence <= self._replica.low_watermark:
            # A stable checkpoint covers it; checking the signature would change nothing.
            self._report.drop("already executed")
            return
        if not isinstance(message, Status | Fetch | FetchRequests | FetchBatch) and (
            message.replica >= self._network.n
        ):
            self._report.drop("not a voter")
            return
        if not self._verifier.message(message, packet.signature, message.replica):
            self._report.drop("bad signature")
            return
        if isinstance(message, Fetch):
            self._answers.fetch(message, self._now_ms())
        elif isinstance(message, FetchRequests):
            self._answers.fetch_requests(message, self._now_ms())
        elif not self._failed():
            flaw = self._verifier.flaw(message) if isinstance(message, ViewChange | NewView) else ""
            self._take(self._replica.receive(packet, self._now_ms(), flaw))

    def fetched_batch(self, packet: FetchedBatch) -> None:
        """A batch that this replica asked for."""
        if not self._failed():  # Its digest is looked at where it was asked for, and that is all it needs.
            self._take(self._replica.receive(packet, self._now_ms()))

    def proposal(self, packet: Proposal) -> None:
        """The primary's pre-prepare with its batch."""
        vote = packet.pre_prepare
        if vote.replica == self._own:
            return
        if not self._verifier.message(vote, packet.signature, vote.replica):
            self._report.drop("bad signature")
        elif not self._failed():
            self._take(self._replica.receive(packet, self._now_ms()))

    def committed(self, packet: CommittedBatch) -> None:
        """A batch with its commit certificate, from whoever has it, and the transactions in it."""
        decided = packet.decided
        sequence = decided.batch.sequence
        if sequence <= self._replica.executed_sequence and decided.block_certificate is None:
            self._report.drop("already executed")
            return
        if (block := self._store.block(sequence)) is not None and block.certified_at is not None:
            self._report.drop("already certified")
            return
        if sequence > self._replica.reach:
            self._report.drop("outside watermarks")
            return
        if reason := self._verifier.decided(decided):
            self._report.drop(reason)
            return
        if self._failed():
            return
        if sequence > self._replica.executed_sequence:
            for body in packet.transactions:
                if body.transaction.id in decided.batch.requests:
                    self._admission.decided(body)
        self._take(self._replica.receive(decided, self._now_ms()))
        self._flush()  # Before the next one of the same answer is judged.

    def evidence(self, evidence: Evidence) -> None:
        """What another node can prove of a voter; from now on this one can, too."""
        if self._failed() or evidence.accused == self._own:
            return
        if reason := self._gossip.judge(evidence):
            self._report.drop(reason)
            return
        self._take(Output(persist=[EvidenceRecord(evidence)], notes=[note_of(evidence)]))
