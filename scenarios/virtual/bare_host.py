"""A replica without a ledger: the core, a journal, and a chain of hashes. It measures the core.

Requests are bare; executing a batch hashes it onto the chain. Everything else is as in a node: what the core
asks for is persisted, made durable once, sent, executed, in that order; a crash leaves the journal alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from consensus.certificates import BlockCertificate, CommitCertificate, Decided
from consensus.messages import Fetch, FetchRequests, Signed
from consensus.output import (
    Decision,
    LostDiskRecord,
    Output,
    ProposalRecord,
    Record,
    Relay,
    VoteRecord,
)
from consensus.replica import NOTHING, Replica
from consensus.votes import Batch, Request, encode
from scenarios.virtual import bare_wire
from scenarios.virtual.bare_records import (
    ALWAYS,
    BareBase,
    BareBlock,
    BareBodies,
    BareCertified,
    decode_record,
    height_of,
    still_needed,
    without_old,
)
from scenarios.virtual.bare_wire import BareCommitted, BareRequest
from scenarios.virtual.seat import QUIET, Seat

ANSWER_BLOCKS = 64
ANSWER_PAUSE_MS = 20
FORGET_EVERY = 256
NO_BLOCK = bytes(32)


def block_hash(parent: bytes, digest: bytes) -> bytes:
    """The block after `parent` that holds the batch with this digest."""
    return hashlib.sha256(parent + digest).digest()


class _Block:
    """One executed block in memory."""

    __slots__ = ("batch", "block", "certificate", "known")

    def __init__(self, block: bytes, batch: Batch, certificate: CommitCertificate) -> None:
        self.block = block
        self.batch = batch
        self.certificate = certificate
        self.known: BlockCertificate | None = None


class BareHost:
    """One replica with its driver; satisfies `Host`."""

    has_idle_work = False
    stirred = True

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self._at_once, self._know = seat.wire.at_once, seat.know
        self._now_ms = seat.world.clock_ms(seat)
        self.replica_id = seat.replica_id
        self.stepped = 0  # Consensus messages of others that the core took.
        self._outputs: list[Output] = []
        self._blocks: dict[int, _Block] = {}
        self._bodies: dict[bytes, Request] = {}  # Waiting, and of the blocks that are kept.
        self._mempool: dict[bytes, Request] = {}
        self._recorded: set[bytes] = set()
        self._executed: set[bytes] = set()
        self._height = 0
        self._head = NO_BLOCK
        self._base_ms = 0  # The highest time of the blocks that are gone.
        self._answered_ms: dict[tuple[int, int], int] = {}
        self._about: list[int] = []  # The height of each record of the journal.
        self._votes: dict[bytes, bytes] = {}  # Of this step, as they were recorded, by signature.
        self.replica = self._recover()

    # Coming up.

    def _recover(self) -> Replica:
        """Start from the journal alone; what a crash left unflushed is made durable before it is repeated."""
        self._seat.flush_records()
        records: list[Record] = []
        time_ms = 0
        stable: BlockCertificate | None = None
        for body in self._seat.records.replay():
            record: Any = decode_record(body)
            self._about.append(height_of(record))
            if isinstance(record, BareBase):
                self._height, self._head, self._base_ms = record.height, record.block, record.time_ms
                time_ms = self._base_ms
            elif isinstance(record, BareBodies):
                for request in record.requests:
                    self._bodies[request.id] = request
                    self._recorded.add(request.id)
            elif isinstance(record, BareBlock):
                self._add(record.block, record.batch, record.certificate)
                time_ms = max(time_ms, record.batch.time_ms)
            elif isinstance(record, BareCertified):
                certificate = record.certificate
                if (block := self._blocks.get(certificate.sequence)) is not None:
                    block.known = certificate
                if stable is None or certificate.sequence > stable.sequence:
                    stable = certificate
            else:
                records.append(record)
        settings = self._seat.settings
        low = 0 if stable is None else stable.sequence
        open_heights = {height for height, block in self._blocks.items() if block.known is None}
        replica = Replica(
            settings,
            self._seat.sign,
            executed=self._height,
            time_ms=time_ms,
            block=self._head,
            state_root=self._head,
            stable=stable,
            decided=[
                Decision(block.batch, block.certificate, block.known)
                for height, block in self._blocks.items()
                if height > low
            ],
            records=still_needed(records, low, open_heights),
            quiet=True,
            lost_disk=self._seat.records.lost and not any(isinstance(r, LostDiskRecord) for r in records),
        )
        self._seat.height = self._height
        self.replica = replica
        for height, block in self._blocks.items():
            if block.known is None and height > self._height - settings.window:
                self._take(replica.executed(height, block.block, block.block, None, self._now_ms))
        for identifier, request in self._bodies.items():
            if identifier not in self._executed:
                self._mempool[identifier] = request
                self._take(replica.submit(request, self._now_ms))
        return replica

    def _add(self, block: bytes, batch: Batch, certificate: CommitCertificate) -> None:
        self._blocks[batch.sequence] = _Block(block, batch, certificate)
        self._height, self._head = batch.sequence, block
        self._executed.update(batch.requests)

    # What the world calls.

    @property
    def deadline_ms(self) -> int | None:
        """When the next tick is wanted; at once for a replica that has had none."""
        return self.replica.deadline_ms

    def take(self, packets: Sequence[bytes], now_ms: int) -> None:
        """Take what came. Votes go to the core together, as long as nothing else comes between them."""
        seat = self._seat
        if type(self).handle is not BareHost.handle:
            # A host of another make looks at each packet itself.
            for data in packets:
                seat.hears((data,))
                self.handle(data, now_ms)
            return
        if now_ms > self._now_ms:
            self._now_ms = now_ms
        at_once, know, own, replica = self._at_once, self._know, self.replica_id, self.replica
        floor = replica.low_watermark
        votes: list[Signed] = []
        heard = 0  # How many packets the world was told of.
        for place, data in enumerate(packets):
            known = at_once(data) or know(data)
            vote = known.vote
            if vote is not None:
                if known.until > floor and known.replica != own:
                    votes.append(vote)
                continue
            if votes:
                self._count(votes)
                votes = []
            if known.kind in bare_wire.ANSWERED:
                # Something comes of it before the step is over.
                seat.hears(packets[heard : place + 1])
                heard = place + 1
            self.handle(data, now_ms)
            floor = replica.low_watermark
        if votes:
            self._count(votes)
        if heard < len(packets):
            seat.hears(packets[heard:] if heard else packets)

    def _count(self, votes: list[Signed]) -> None:
        """Give votes to the core."""
        signatures = self._seat.signatures
        signatures.charged_us += len(votes) * signatures.verify_us
        self.stepped += len(votes)
        output = self.replica.receive_votes(votes, self._now_ms)
        if output is not NOTHING:
            self._take(output)
        elif self.replica.rearmed:
            self.stirred = True

    def handle(self, data: bytes, now_ms: int) -> None:
        """Take one packet."""
        if now_ms > self._now_ms:
            self._now_ms = now_ms
        known = self._at_once(data) or self._know(data)
        kind, replica = known.kind, self.replica
        if kind <= bare_wire.PROPOSAL and known.replica == self.replica_id:
            return
        if kind == bare_wire.VOTE and known.sequence <= replica.low_watermark:
            return  # It is proven what came of it; checking would change nothing.
        if known.verifications:
            seat = self._seat
            seat.signatures.charged_us += known.verifications * seat.signatures.verify_us
        if known.reason:
            self._seat.happened[known.reason] += 1
        elif kind <= bare_wire.PROPOSAL:
            self.stepped += 1
            output = replica.receive(known.packet, self._now_ms)  # type: ignore[arg-type]
            if output is not NOTHING:
                self._take(output)
            elif replica.rearmed:
                self.stirred = True
        elif kind == bare_wire.REQUEST:
            self._on_request(known.packet.request)  # type: ignore[union-attr]
        elif kind == bare_wire.DECIDED:
            self._on_committed(known.packet)  # type: ignore[arg-type]
        elif kind == bare_wire.FETCH:
            self._on_fetch(known.message)  # type: ignore[arg-type]
        elif kind == bare_wire.FETCH_REQUESTS:
            self._on_fetch_requests(known.message)  # type: ignore[arg-type]
        else:
            self._take(replica.receive(known.packet, self._now_ms, known.flaw))  # type: ignore[arg-type]

    def tick(self, now_ms: int) -> None:
        """Let timers act."""
        if now_ms > self._now_ms:
            self._now_ms = now_ms
        self._take(self.replica.tick(self._now_ms))

    def flush(self) -> None:
        """Persist, send, execute what follows from the steps so far, in that order (R20)."""
        self.stirred = False
        while self._outputs:
            outputs, self._outputs = self._outputs, []
            self._persist(outputs)
            for output in outputs:
                for send in output.send:
                    self._send(send)
            for output in outputs:
                for decision in output.execute:
                    self._execute(decision)
                for certificate in output.certified:
                    self._about.append(certificate.sequence)
                    self._seat.append(encode(BareCertified(certificate)))
                    if (block := self._blocks.get(certificate.sequence)) is not None:
                        block.known = certificate
                    if certificate.sequence % FORGET_EVERY == 0 and self._seat.world.keep_blocks:
                        self._forget(certificate.sequence - self._seat.world.keep_blocks)
                for identifier in output.expired:
                    self._mempool.pop(identifier, None)

    def idle(self) -> None:
        """There is nothing that is not urgent."""

    def close(self) -> None:
        """There is nothing to close: the journal has all that counts."""

    # Packets.

    def _take(self, output: Output) -> None:
        """Keep an output for the next flush, if there is something to carry out."""
        self.stirred = True
        for note in output.notes:
            if note.event not in QUIET:
                self._seat.noted(note)
        if output.persist or output.send or output.execute or output.certified or output.expired:
            self._outputs.append(output)

    def _on_request(self, request: Request) -> None:
        identifier = request.id
        if identifier in self._mempool:
            return
        done = identifier in self._executed or request.valid_until <= self._height
        if done and not self.replica.wants(identifier):
            return
        self._mempool[identifier] = self._bodies[identifier] = request
        self._take(self.replica.submit(request, self._now_ms))

    def _on_committed(self, packet: BareCommitted) -> None:
        decided = packet.decided
        if decided.batch.sequence > self.replica.executed_sequence:
            for request in packet.requests:
                if request.id in decided.batch.requests:
                    self._on_request(request)
        self._take(self.replica.receive(decided, self._now_ms))
        self.flush()  # Before the next one of the same answer is judged.

    def _too_soon(self, replica: int, kind: int) -> bool:
        before = self._answered_ms.get((replica, kind))
        if before is not None and self._now_ms - before < ANSWER_PAUSE_MS:
            return True
        self._answered_ms[replica, kind] = self._now_ms
        return False

    def _on_fetch(self, message: Fetch) -> None:
        if self._too_soon(message.replica, bare_wire.FETCH):
            return
        inbox = self._seat.topics.inbox_of(message.replica)
        heights = range(message.sequence, min(self._height + 1, message.sequence + ANSWER_BLOCKS))
        blocks = [self._blocks[height] for height in heights if height in self._blocks]
        for block in blocks:
            decided = Decided(block.batch, block.certificate, block.known, block is blocks[-1])
            self._seat.send(inbox, encode(BareCommitted(decided, self._whole(block.batch.requests))))

    def _on_fetch_requests(self, message: FetchRequests) -> None:
        if not self._too_soon(message.replica, bare_wire.FETCH_REQUESTS):
            self._relay(message.requests, message.replica)

    def _relay(self, requests: Iterable[bytes], to: int) -> None:
        inbox = self._seat.topics.inbox_of(to)
        for request in self._whole(requests):
            self._seat.send(inbox, encode(BareRequest(request)))

    def _whole(self, requests: Iterable[bytes]) -> tuple[Request, ...]:
        found = (self._bodies.get(identifier) for identifier in requests)
        return tuple(request for request in found if request is not None)

    # Effects.

    def _persist(self, outputs: list[Output]) -> None:
        bodies: list[bytes] = []
        votes, about = self._votes, self._about
        votes.clear()
        for output in outputs:
            for record in output.persist:
                kind = type(record)
                if kind is ProposalRecord:
                    bodies += self._fresh_bodies(record.proposal.batch.requests)  # type: ignore[union-attr]
                body = encode(record)
                bodies.append(body)
                if kind is VoteRecord:
                    about.append(record.vote.sequence)  # type: ignore[union-attr]
                    votes[record.signature] = body  # type: ignore[union-attr]
                else:
                    about.append(height_of(record))
        if bodies:
            self._seat.append(*bodies)
            self._seat.flush_records()

    def _fresh_bodies(self, identifiers: Iterable[bytes]) -> list[bytes]:
        """The record of those of these requests that are on no record yet."""
        recorded = self._recorded
        fresh = [identifier for identifier in identifiers if identifier not in recorded]
        requests = self._whole(fresh) if fresh else ()
        if not requests:
            return []
        recorded.update(request.id for request in requests)
        self._about.append(ALWAYS)
        return [encode(BareBodies(requests))]

    def _send(self, send: Any) -> None:
        if isinstance(send, Relay):
            self._relay(send.requests, send.to)
        elif send.to is None:
            packet = send.packet
            # A vote is sent as it was recorded, byte by byte.
            known = self._votes.get(packet.signature) if type(packet) is Signed else None
            self._seat.send(self._seat.broadcast, known or encode(packet))
        else:
            self._seat.send(self._seat.topics.inbox_of(send.to), encode(send.packet))

    def _forget(self, floor: int) -> None:
        """Let blocks up to here go, and write the journal anew without them.

        Their requests are forgotten too: who hands one in again has it executed again.
        """
        if floor not in self._blocks:
            return
        head = self._blocks[floor].block
        gone_ms = (block.batch.time_ms for height, block in self._blocks.items() if height <= floor)
        self._base_ms = max(self._base_ms, *gone_ms)
        for height in [height for height in self._blocks if height <= floor]:
            for identifier in self._blocks.pop(height).batch.requests:
                self._bodies.pop(identifier, None)
                self._recorded.discard(identifier)
                self._executed.discard(identifier)
        kept = without_old(self._seat.records.replay(), self._about, floor, self._bodies)
        base = encode(BareBase(floor, head, self._base_ms))
        self._about = [ALWAYS, *(height for _, height in kept)]
        self._seat.records.replace([base, *(body for body, _ in kept)])

    def _execute(self, decision: Decision) -> None:
        seat, batch, certificate = self._seat, decision.batch, decision.certificate
        seat.executing()
        block = block_hash(self._head, certificate.digest)
        fresh = self._fresh_bodies(batch.requests)
        self._about.append(batch.sequence)
        seat.append(*fresh, encode(BareBlock(block, batch, certificate)))
        self._add(block, batch, certificate)
        for identifier in batch.requests:
            self._mempool.pop(identifier, None)
        seat.executed(batch.sequence, block, block, certificate.digest, batch.requests)
        known = decision.block_certificate
        self._take(self.replica.executed(batch.sequence, block, block, known, self._now_ms))
