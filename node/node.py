"""One party's machine, as a value that is stepped: the same code on a real broker and in virtual time.

Packets and the time go in; what must be durable is written, what may be said is handed to `send`, what is
decided is executed. Nothing here waits, reads a clock or draws a random number.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from consensus.evidence import Evidence
from consensus.messages import (
    NO_TOKEN,
    FetchedBatch,
    FetchRequests,
    Proposal,
    ReplicaMessage,
    Signed,
    Status,
)
from consensus.output import Decision, Output, Relay, Send
from consensus.replica import Replica
from node.admission import Admission
from node.answers import Answers
from node.canonical import DecodeError, encode
from node.chain.act import ActTransaction
from node.chain.books import Books
from node.chain.journal import Journal
from node.chain.ledger import Ledger
from node.chain.recovery import recover
from node.chain.store import Store
from node.consortium import Network
from node.disk_errors import DISK_ERRORS, is_full
from node.envelopes.keys import PartyKeys
from node.gossip import Gossip, say_new
from node.inquiries import Inquiries
from node.key_use import has_lost_its_disk
from node.logs.events import EventLog
from node.membership import position_of
from node.mempool import Mempool
from node.private_business import PrivateBusiness
from node.replica_packets import ReplicaPackets
from node.reporting import Numbers, Reporter
from node.topics import Topics
from node.wire import (
    CommittedBatch,
    EvidencePacket,
    Packet,
    SignedInquiry,
    TransactionPacket,
    Verifier,
    decode_packet,
    signed_bytes,
)

HOUSEKEEPING_MS = 1000
MISSING_AT_ONCE = 64
LOOK_AT_ONCE = 8

SendTo = Callable[[str, bytes], None]


class Node:
    """The node of one party. `folder` is its own, and nobody else opens it for writing.

    `send(topic, packet)` takes a packet for the broker and returns at once. A failing disk does not raise:
    the node falls silent, as `failed` tells, and goes on answering what it has stored (fault table of PBFT).
    """

    def __init__(
        self,
        network: Network,
        name: str,
        keys: PartyKeys,
        folder: Path,
        send: SendTo,
        events: EventLog,
        now_ms: int,
    ) -> None:
        position = position_of(network, name, keys)
        self._network = network
        self._keys = keys
        self._send = send
        self._now_ms = now_ms
        self.failed = ""
        self.replica_id = position
        self._epoch = network.settings(position).epoch
        self.topics = Topics(network.id)
        self.report = Reporter(events, network, position)
        self.report.emit("node.start")
        self._journal = Journal(folder / "journal", network.id)
        self._store = Store(folder)
        self._verifier = Verifier(network)
        self._mempool = Mempool(off_chain=network.off_chain)
        try:
            recovered = recover(self._journal, self._store, network)
            new = self._journal.is_new
            lost_disk = has_lost_its_disk(folder / "keys", journal_is_new=new)
        except BaseException:
            self._store.close()
            self._journal.close()
            raise
        self.ledger: Ledger = recovered.ledger
        self._books = Books(self._journal, self._store, self._mempool, recovered)
        self._pending = Output()
        self._replica = Replica(
            network.settings(position),
            self._sign,
            executed=self.ledger.height,
            time_ms=self.ledger.time_ms,
            block=self.ledger.head,
            state_root=self.ledger.state_root,
            stable=recovered.stable,
            decided=recovered.decided,
            records=recovered.records,
            lost_disk=lost_disk,
        )
        self._gossip = Gossip(network.n, network.rules.window, self._verifier.quoted, recovered.records)
        self._answers = Answers(
            self._journal, self._store, self._mempool, self.topics, send, off_chain=network.off_chain
        )
        self._inquiries = Inquiries(
            self._verifier, self._answers, self.topics, self.status, send, self.report
        )
        self._private = PrivateBusiness(
            network,
            name,
            keys,
            folder,
            self._store,
            self._mempool,
            self._books,
            self._answers,
            self.report,
            send,
            self._publish_own,
            lambda: self._now_ms,
        )
        self.private_view = self._private.view
        self._admission = Admission(
            network,
            self._mempool,
            self._books,
            self._store,
            self._replica,
            self._private,
            self.report,
            self._take,
            lambda: self._now_ms,
            lambda: bool(self.failed),
        )
        self._packets = ReplicaPackets(
            network,
            position,
            self._replica,
            self._verifier,
            self._gossip,
            self._answers,
            self._admission,
            self._store,
            self.report,
            self._take,
            self.flush,
            lambda: self._now_ms,
            lambda: bool(self.failed),
        )
        self._housekeeping_at = now_ms
        self._ask_next = 0
        for identifier, (transaction, _, _) in recovered.bodies.items():
            self._admission.keep(identifier, transaction, None, needed=True)
        # The stop may have come between the journal and what is written beside it.
        found = [entry for entry in recovered.reindexed if self._store.has_blob(entry[0])]
        self._books.hold("blob", found, self._since_ms)
        self._private.retention.make_up()
        self._resume()

    def _resume(self) -> None:
        """Sign again for blocks that have no certificate yet; in the very beginning, want block 1."""
        for block in self._store.uncertified(self.ledger.height - self._network.rules.window):
            self._answers.remember(block.height)
            self._take(self._replica.executed(block.height, block.hash, block.state_root, None, self._now_ms))
        founding = self._network.transaction
        if self.ledger.height == 0 and founding.id not in self._mempool:
            self._admission.keep(founding.id, founding, None, needed=True)

    def _sign(self, message: ReplicaMessage) -> bytes:
        return self._keys.signing.sign(signed_bytes(self._network.id, message))

    @property
    def view(self) -> int:
        """The view that this node's replica is in, or asks for."""
        return self._replica.view

    @property
    def silent(self) -> bool:
        """Whether it casts no vote because its disk was lost (R22)."""
        return self._replica.silent

    @property
    def active(self) -> bool:
        """Whether it takes part in that view."""
        return self._replica.active

    # What the driver calls.

    @property
    def deadline_ms(self) -> int:
        """When the next `tick` is wanted."""
        due = [self._housekeeping_at]
        if not self.failed:
            due += [
                each for each in (self._replica.deadline_ms, self._private.deadline_ms) if each is not None
            ]
        return min(due)

    def handle(self, data: bytes, now_ms: int) -> None:
        """Take one packet from the broker. Never raises for what it holds. `flush` carries out the rest."""
        self._now_ms = max(now_ms, self._now_ms)
        try:
            self._take_packet(decode_packet(data))
        except DecodeError as error:
            self.report.drop(error.reason)
        except DISK_ERRORS as error:
            self._stop_voting(error)

    def _take_packet(self, packet: Packet) -> None:
        if isinstance(packet, Signed):
            self._packets.signed(packet)
        elif isinstance(packet, TransactionPacket):
            self._admission.offered(packet)
        elif isinstance(packet, Proposal):
            self._packets.proposal(packet)
        elif isinstance(packet, CommittedBatch):
            self._packets.committed(packet)
        elif isinstance(packet, FetchedBatch):
            self._packets.fetched_batch(packet)
        elif isinstance(packet, SignedInquiry):
            self._inquiries.take(packet)
        elif isinstance(packet, EvidencePacket):
            self._packets.evidence(packet.evidence)
        elif not self._private.take(packet):
            self.report.drop("unknown kind")

    def tick(self, now_ms: int) -> None:
        """Let timers act. Wanted at `deadline_ms`, harmless at any time."""
        self._now_ms = max(now_ms, self._now_ms)
        if not self.failed:
            self._take(self._replica.tick(self._now_ms))
            self._keep_private_appointments()
        if self._now_ms >= self._housekeeping_at:
            self._housekeeping_at = self._now_ms + HOUSEKEEPING_MS
            if not self._network.off_chain:
                self._ask_for_missing()
            self.report_state()

    def _keep_private_appointments(self) -> None:
        """Ask for payloads that are not here, and sign for those that were erased."""
        try:
            given_up = self._private.reconcile(expire=self._now_ms >= self._housekeeping_at)
        except DISK_ERRORS as error:
            self._stop_voting(error)
        else:
            self._private.tell_given_up(given_up)
        try:
            self._private.sign_purges()
        except DISK_ERRORS as error:
            self._stop_voting(error)

    def _publish_own(self, act: ActTransaction) -> None:
        """Hand in an act of this node's own, as any client would."""
        packet = TransactionPacket(act, None)
        self._send(self.topics.transactions, encode(packet))
        self._admission.offered(packet)

    def flush(self) -> None:
        """Carry out what the steps since the last flush led to: persist, then send, then execute (R20)."""
        try:
            while self._pending and not self.failed:
                output, self._pending = self._pending, Output()
                records = self._gossip.fresh(output.persist)
                self._books.persist(records)
                say_new(records, self._say_evidence)
                for send in output.send:
                    self._send_out(send)
                for decision in output.execute:
                    self._execute(decision)
                for certificate in output.certified:
                    self._books.certify(certificate)
                    self._answers.certified(certificate)
                for identifier in output.expired:
                    if (waiting := self._mempool.remove(identifier)) is not None:
                        self._private.retention.let_go(identifier, waiting.transaction)
                    self.report.emit("tx.expired", "warn", tx=identifier)
                for note in output.notes:
                    self.report.note(note)
        except DISK_ERRORS as error:
            self._stop_voting(error)

    def _stop_voting(self, error: Exception) -> None:
        """Counting went ahead of the disk: nothing that follows from this step may be seen outside."""
        self._pending = Output()
        if not self.failed:
            full = is_full(error)
            self.failed = "disk full" if full else "other"
            hint = "free-space" if full else None
            self.report.emit("disk.error", "error", reason_code=self.failed, hint=hint)

    def idle(self) -> None:
        """Nothing more urgent to do: look at a few payloads, if some wait."""
        try:
            found = self._private.work(LOOK_AT_ONCE, check_states=not self.failed)
        except DISK_ERRORS as error:
            self._stop_voting(error)
            return
        self._private.tell(found)

    @property
    def has_idle_work(self) -> bool:
        """Whether `idle` would find something to do."""
        private = self._private
        return private.busy or (private.checks_states and not self.failed)

    def report_state(self, *, always: bool = False) -> None:
        """Write `node.state`: this node in numbers."""
        numbers = Numbers(
            height=self.ledger.height,
            view=self._replica.view,
            head=self.ledger.head,
            mempool=len(self._mempool),
            low=self._replica.low_watermark,
            high=self._replica.high_watermark,
            payloads=dict(self.private_view.counts),
        )
        self.report.state(numbers, always=always)

    def close(self) -> None:
        """Stop in good order. What was not said yet is not said any more; the journal has all that counts."""
        self.report_state(always=True)
        self.report.emit("node.stop")
        self._store.close()
        self._journal.close()

    def _say_evidence(self, evidence: Evidence) -> None:
        if self.replica_id < self._network.n:  # Nobody listens to what a follower says to all.
            self._send(self.topics.broadcast(self.replica_id), encode(EvidencePacket(evidence)))

    def status(self, echo: bytes = NO_TOKEN) -> Signed:
        """Where this node stands on its own disk, signed."""
        height, head, state_root = self.ledger.height, self.ledger.head, self.ledger.state_root
        if self.failed and (block := self._store.block(self._store.height)) is not None:
            # The disk refused, perhaps the very block that the ledger has executed.
            height, head, state_root = block.height, block.hash, block.state_root
        message = Status(self._epoch, self._replica.view, height, head, state_root, echo, self.replica_id)
        return Signed(message, self._sign(message))

    # Effects.

    def _take(self, output: Output) -> None:
        """Add an output to what the next flush carries out."""
        pending = self._pending
        pending.persist += output.persist
        pending.send += output.send
        pending.execute += output.execute
        pending.certified += output.certified
        pending.expired += output.expired
        pending.notes += output.notes

    def _send_out(self, send: Send | Relay) -> None:
        if isinstance(send, Relay):
            for identifier in send.requests:
                packet = self._answers.transaction(identifier)
                if packet is not None:
                    self._send(self.topics.inbox_of(send.to), encode(packet))
            return
        topic = self.topics.broadcast(self.replica_id) if send.to is None else self.topics.inbox_of(send.to)
        self._send(topic, encode(send.packet))

    def _execute(self, decision: Decision) -> None:
        executed = self._books.execute(decision, self._since_ms)
        header, block, height = executed.record.header, executed.applied.block, executed.record.header.height
        self._answers.remember(height, executed.record)
        for identifier, waiting in executed.private:
            self._private.ordered(identifier, waiting, height)
            self.report.emit("tx.commit", "debug", tx=identifier, h=height)
        for identifier, act in executed.acts:
            self.report.emit("tx.commit", "debug", tx=identifier, h=height)
            self._private.acted(identifier, act, height)
        self.report.emit(
            "block.commit",
            h=height,
            v=decision.certificate.view,
            blk=block,
            parent=header.parent,
            state_root=header.state_root,
            txs=len(decision.batch.requests),
        )
        if height == 1:
            self.report.emit("node.ready", h=height, blk=block)
        self._private.executed(executed)
        known = decision.block_certificate
        self._take(self._replica.executed(height, block, header.state_root, known, self._now_ms))

    @property
    def _since_ms(self) -> int:
        """Now, in milliseconds since the genesis."""
        return self._now_ms - self._network.created_ms

    def _ask_for_missing(self) -> None:
        """Ask one other node after another for blobs that are not here, readable or not: to ask only for
        one's own would tell who the readers are.
        """
        wanted = self.private_view.missing(MISSING_AT_ONCE)
        others = [i for i in range(len(self._network.members)) if i != self.replica_id]
        if wanted and others:
            message = FetchRequests(self._epoch, tuple(wanted), self.replica_id)
            replica = others[self._ask_next % len(others)]
            self._ask_next += 1
            packet = Signed(message, self._sign(message))
            self._send(self.topics.inbox_of(replica), encode(packet))
