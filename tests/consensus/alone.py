"""One replica alone, with the packets that its peers would send it made by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from consensus.certificates import BlockCertificate, CommitCertificate, Decided
from consensus.messages import FetchedBatch, Proposal, ReplicaMessage, Signed, Status
from consensus.output import Output, ProposalRecord, Relay, Send
from consensus.replica import Replica
from consensus.state import Settings
from consensus.votes import Batch, BlockVote, Commit, Message, Prepare, PrePrepare, Request
from tests.consensus.wire import block_hash, request, signature_of, signed, signer

START_MS = 1000


class Alone:
    """A replica under test: what it was told, and all that it asked for, step by step.

    It acts as a driver without a network: it keeps records, executes, and collects what is sent.
    `execute=False` leaves execution to the test.
    """

    def __init__(self, replica: int = 1, n: int = 4, *, execute: bool = True, **settings: Any) -> None:
        self.settings = Settings(n, replica, **settings)
        self.now_ms = START_MS
        self.execute = execute
        self.records: list[Any] = []
        self.sent: list[Send | Relay] = []
        self.decisions: list[Any] = []
        self.certified: list[BlockCertificate] = []
        self.expired: list[bytes] = []
        self.notes: list[Any] = []
        self.blocks = [bytes(32)]
        self.replica = Replica(self.settings, signer(replica))
        self.replica.tick(self.now_ms)  # Its first status is of no interest here.

    def take(self, output: Output) -> Output:
        """Do what a driver does with an output."""
        self.records += output.persist
        self.sent += output.send
        self.notes += output.notes
        self.certified += output.certified
        self.expired += output.expired
        for decision in output.execute:
            self.decisions.append(decision)
            if self.execute:
                self.blocks.append(block_hash(self.blocks[-1], decision.batch))
                sequence, block = decision.batch.sequence, self.blocks[-1]
                self.take(
                    self.replica.executed(sequence, block, block, decision.block_certificate, self.now_ms)
                )
        return output

    def receive(self, *packets: Signed | Proposal | Decided | FetchedBatch | ReplicaMessage) -> Output:
        """Hand over packets; a bare message is signed by the replica that it names. The last output."""
        output = Output()
        for packet in packets:
            whole = (
                packet if isinstance(packet, Signed | Proposal | Decided | FetchedBatch) else signed(packet)
            )
            output = self.take(self.replica.receive(whole, self.now_ms))
        return output

    def submit(self, *requests: Request) -> Output:
        """Hand over requests. The last output."""
        output = Output()
        for each in requests:
            output = self.take(self.replica.submit(each, self.now_ms))
        return output

    def tick(self, after_ms: int = 0) -> Output:
        """Let time pass in one leap, then tick."""
        self.now_ms += after_ms
        return self.take(self.replica.tick(self.now_ms))

    def run_for(self, duration_ms: int) -> None:
        """Let time pass, with a tick at each deadline."""
        end = self.now_ms + duration_ms
        while True:
            deadline = self.replica.deadline_ms
            if deadline is not None and deadline > end:
                break
            self.now_ms = self.now_ms if deadline is None else max(self.now_ms, deadline)
            self.take(self.replica.tick(self.now_ms))
            again = self.replica.deadline_ms
            assert again is not None and again > self.now_ms, "a timer that is due must act and move on"
        self.now_ms = end

    def restart(self, **changes: Any) -> Alone:
        """The replica as it comes back from its records and its chain, before its first tick."""
        fresh = type(self).__new__(type(self))
        fresh.__dict__.update(self.__dict__)
        fresh.records, fresh.sent, fresh.decisions, fresh.notes = list(self.records), [], [], []
        fresh.blocks, fresh.certified = list(self.blocks), list(self.certified)
        arguments: dict[str, Any] = {
            "executed": len(self.blocks) - 1,
            "time_ms": self.decisions[-1].batch.time_ms if self.decisions else 0,
            "block": self.blocks[-1],
            "records": self.records,
        }
        fresh.replica = Replica(self.settings, signer(self.settings.replica), **(arguments | changes))
        return fresh

    def messages(self, *kinds: type[Message]) -> list[Any]:
        """All messages of some kinds that were sent, repeated ones included."""
        signed_ones = [send.packet for send in self.sent if isinstance(send, Send)]
        return [p.message for p in signed_ones if isinstance(p, Signed) and isinstance(p.message, kinds)]

    def asked(self, kind: type[Message]) -> list[int | None]:
        """Whom messages of one kind were sent to, one by one."""
        asked: list[int | None] = []
        for send in self.sent:
            if isinstance(send, Send) and isinstance(send.packet, Signed):
                asked += [send.to] * isinstance(send.packet.message, kind)
        return asked

    def proposals(self) -> list[Proposal]:
        """All proposals that were sent."""
        sends = [send.packet for send in self.sent if isinstance(send, Send)]
        return [packet for packet in sends if isinstance(packet, Proposal)]

    def relays(self) -> list[Relay]:
        """All relays that were asked for."""
        return [send for send in self.sent if isinstance(send, Relay)]

    def reasons(self, event: str = "ignored") -> list[str]:
        """The reasons in all notes of one event."""
        return [note.reason for note in self.notes if note.event == event]

    def accepted(self) -> list[int]:
        """The sequence numbers of the proposals that it recorded."""
        records = [record for record in self.records if isinstance(record, ProposalRecord)]
        return [record.proposal.pre_prepare.sequence for record in records]


def batch_of(*requests: Request, sequence: int = 1, time_ms: int = START_MS, proposer: int = 0) -> Batch:
    """A batch with these requests."""
    return Batch(sequence, proposer, time_ms, tuple(each.id for each in requests))


def proposal_of(batch: Batch, *, view: int = 0, epoch: int = 0, replica: int = 0) -> Proposal:
    """The primary's proposal of a batch."""
    vote = PrePrepare(epoch, view, batch.sequence, batch.digest(), replica)
    return Proposal(vote, signature_of(replica, vote), batch)


def prepare(replica: int, batch: Batch, /, **changes: Any) -> Prepare:
    """A backup's prepare for a batch."""
    return Prepare(**_fields(Prepare(0, 0, batch.sequence, batch.digest(), replica), changes))


def commit(replica: int, batch: Batch, /, **changes: Any) -> Commit:
    """A replica's commit for a batch."""
    return Commit(**_fields(Commit(0, 0, batch.sequence, batch.digest(), replica), changes))


def block_vote(replica: int, sequence: int, block: bytes, epoch: int = 0) -> BlockVote:
    """A voter's word on a block."""
    return BlockVote(epoch, sequence, block, replica)


def status(replica: int, sequence: int) -> Status:
    """A replica's claim to have executed so far."""
    return Status(0, 0, sequence, bytes(32), bytes(32), bytes(8), replica)


def _fields(vote: Message, changes: dict[str, Any]) -> dict[str, Any]:
    return {name: getattr(vote, name) for name in vote.__struct_fields__} | changes


def commit_certificate(batch: Batch, voters: Iterable[int], epoch: int = 0) -> CommitCertificate:
    """The certificate of these voters' commits."""
    votes = [(replica, signature_of(replica, commit(replica, batch, epoch=epoch))) for replica in voters]
    return CommitCertificate(epoch, 0, batch.sequence, batch.digest(), tuple(votes))


def block_certificate(sequence: int, block: bytes, voters: Iterable[int], epoch: int = 0) -> BlockCertificate:
    """The certificate of these voters' block votes."""
    votes = [(i, signature_of(i, BlockVote(epoch, sequence, block, i))) for i in voters]
    return BlockCertificate(epoch, sequence, block, tuple(votes))


def decided(
    batch: Batch,
    voters: Iterable[int] = (0, 2, 3),
    *,
    block: BlockCertificate | None = None,
    last: bool = False,
    epoch: int = 0,
) -> Decided:
    """A decision with its proof, as the answer to a fetch."""
    return Decided(batch, commit_certificate(batch, voters, epoch), block, last)


def decide(alone: Alone, batch: Batch, voters: Iterable[int] = (0, 2, 3)) -> None:
    """Let the replica see one round through: proposal, prepares and commits of the others."""
    alone.receive(proposal_of(batch))
    others = [replica for replica in voters if replica != alone.settings.replica]
    alone.receive(*(prepare(replica, batch) for replica in others if replica != 0))
    alone.receive(*(commit(replica, batch) for replica in others))


def other_digest(text: str = "other") -> bytes:
    """A digest that is not of any batch here."""
    return hashlib.sha256(text.encode()).digest()


R1, R2, R3, R4 = (request(number) for number in range(1, 5))


def certify(alone: Alone, sequence: int) -> None:
    """The other voters arrived at the same block: the checkpoint becomes stable."""
    own = alone.settings.replica
    others = [replica for replica in range(alone.settings.n) if replica != own]
    alone.receive(*(block_vote(replica, sequence, alone.blocks[sequence]) for replica in others))
