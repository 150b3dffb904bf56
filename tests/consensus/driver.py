"""The driver of one replica in the virtual world: disk, crashes, and what a driver answers itself."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from consensus.certificates import BlockCertificate, CommitCertificate, Decided
from consensus.messages import Fetch, FetchRequests, Signed
from consensus.output import Decision, Output, ProposalRecord, Record, Relay
from consensus.replica import Replica
from consensus.votes import Batch, Request, encode
from tests.consensus.wire import (
    Answer,
    Bodies,
    authentic,
    block_hash,
    decode_packet,
    flaw_of,
    signer,
)

if TYPE_CHECKING:
    from tests.consensus.cluster import Cluster

ANSWER_AT_ONCE = 4
_decode_record = msgspec.msgpack.Decoder(Record).decode


@dataclass(slots=True)
class Block:
    """One executed batch on a disk."""

    batch: Batch
    certificate: CommitCertificate
    hash: bytes
    block_certificate: BlockCertificate | None


@dataclass(slots=True)
class Disk:
    """What survives a crash: records, blocks and bodies, as bytes or by value."""

    records: list[bytes] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    bodies: dict[bytes, Request] = field(default_factory=dict)
    executed: set[bytes] = field(default_factory=set)
    lost: bool = False  # It was wiped: the replica has forgotten what it said.


class Crash(Exception):
    """The replica stops between two effects."""


class Node:
    """The driver of one replica: carries out effects in order, and answers what is the driver's to answer."""

    def __init__(self, cluster: Cluster, number: int) -> None:
        self.cluster = cluster
        self.number = number
        self.disk = Disk()
        self.boundary = 0  # How many effects it has carried out in its whole life.
        self.crash_at: int | None = None
        self.wake_at: int | None = None
        self.up = False
        self.start()

    def start(self) -> None:
        """Come up with what the disk holds, and nothing else."""
        disk = self.disk
        self.mempool = {key: body for key, body in disk.bodies.items() if key not in disk.executed}
        self.outputs: deque[Output] = deque()
        self.up = True
        head = disk.blocks[-1] if disk.blocks else None
        certified = (block.block_certificate for block in reversed(disk.blocks))
        stable = next((certificate for certificate in certified if certificate is not None), None)
        self.replica = Replica(
            self.cluster.settings(self.number),
            signer(self.number),
            executed=len(disk.blocks),
            time_ms=head.batch.time_ms if head else 0,
            block=head.hash if head else bytes(32),
            stable=stable,
            decided=[
                Decision(block.batch, block.certificate)
                for block in disk.blocks[0 if stable is None else stable.sequence :]
            ],
            records=[_decode_record(record) for record in disk.records],
            lost_disk=disk.lost,
        )
        for block in disk.blocks[-self.cluster.settings(self.number).window :]:
            if block.block_certificate is None:
                sequence, digest = block.batch.sequence, block.hash
                self.step(functools.partial(self._executed, sequence, digest, None))
        for body in list(self.mempool.values()):
            self.step(lambda body=body: self.replica.submit(body, self.cluster.now_ms))  # type: ignore[misc]
        self.step(lambda: self.replica.tick(self.cluster.now_ms))

    def step(self, action: Callable[[], Output]) -> None:
        """Step the replica and carry out what it asks, unless a crash cuts it short."""
        if not self.up:
            return
        try:
            self.outputs.append(action())
            while self.outputs:
                self._carry_out(self.outputs.popleft())
        except Crash:
            self.stop()
            return
        if (deadline := self.replica.deadline_ms) is not None and deadline != self.wake_at:
            self.wake_at = deadline
            self.cluster.at(deadline, lambda: self._wake(deadline))

    def stop(self) -> None:
        """Lose everything that is not on the disk."""
        self.up = False
        self.wake_at = None
        self.cluster.happened["crash"] += 1

    def _wake(self, deadline: int) -> None:
        if self.up and self.wake_at == deadline:
            self.wake_at = None
            self.step(lambda: self.replica.tick(self.cluster.now_ms))
            again = self.replica.deadline_ms
            assert not self.up or again is None or again > deadline, (
                "a timer that is due must act and move on"
            )

    def _between_effects(self) -> None:
        if self.boundary == self.crash_at:
            self.crash_at = None
            raise Crash
        self.boundary += 1

    def _carry_out(self, output: Output) -> None:
        cluster = self.cluster
        for record in output.persist:
            self._between_effects()
            cluster.trace(b"persist", self.number, encode(record))
            self.disk.records.append(encode(record))
            if isinstance(record, ProposalRecord):
                for identifier in record.proposal.batch.requests:
                    if identifier in self.mempool:
                        self.disk.bodies[identifier] = self.mempool[identifier]
            cluster.check.persisted(self.number, record)
        for send in output.send:
            self._between_effects()
            if isinstance(send, Relay):
                cluster.happened["relay"] += 1
                cluster.send(self.number, send.to, Bodies(self._bodies(send.requests)))
            else:
                cluster.check.sent(self.number, send.packet)
                cluster.publish(self.number, send.packet, send.to)
        for decision in output.execute:
            self._between_effects()
            batch = decision.batch
            cluster.trace(b"execute", self.number, encode(batch) + encode(decision.certificate))
            cluster.check.executes(self.number, decision)
            parent = self.disk.blocks[-1].hash if self.disk.blocks else bytes(32)
            block = block_hash(parent, batch)
            self.disk.blocks.append(Block(batch, decision.certificate, block, None))
            for identifier in batch.requests:
                self.disk.bodies[identifier] = self.mempool.pop(identifier)
                self.disk.executed.add(identifier)
            self.outputs.append(self._executed(batch.sequence, block, decision.block_certificate))
        for certificate in output.certified:
            self._between_effects()
            assert certificate.block == self.disk.blocks[certificate.sequence - 1].hash
            self.disk.blocks[certificate.sequence - 1].block_certificate = certificate
        for identifier in output.expired:
            self.mempool.pop(identifier, None)
        for note in output.notes:
            cluster.happened[note.reason if note.event == "ignored" else note.event] += 1
            if cluster.on_note is not None:
                cluster.on_note(self.number, note)

    def _executed(self, sequence: int, block: bytes, known: BlockCertificate | None) -> Output:
        return self.replica.executed(sequence, block, block, known, self.cluster.now_ms)

    def take(self, data: bytes) -> None:
        """A packet arrived: decode, check signatures, answer it or hand it to the replica."""
        try:
            packet = decode_packet(data)
        except (ValueError, msgspec.DecodeError):
            self.cluster.happened["malformed"] += 1
            return
        if not authentic(packet):
            self.cluster.happened["forged"] += 1
            return
        now_ms = self.cluster.now_ms
        if isinstance(packet, Bodies):
            for body in packet.requests:
                self.submit(body)
        elif isinstance(packet, Answer):
            self.step(lambda: self.replica.receive(packet.decided, now_ms))
        elif isinstance(packet, Signed) and isinstance(packet.message, Fetch):
            self._answer_fetch(packet.message)
        elif isinstance(packet, Signed) and isinstance(packet.message, FetchRequests):
            found = self._bodies(packet.message.requests)
            if found:
                self.cluster.send(self.number, packet.message.replica, Bodies(found))
        else:
            self.step(lambda: self.replica.receive(packet, now_ms, flaw_of(packet)))

    def submit(self, body: Request) -> None:
        """A client's or a peer's request, unless it is executed already."""
        # A batch of an earlier view may hold what was executed since; its body is needed all the same (R24).
        known = body.id in self.disk.executed and not self.replica.wants(body.id)
        if self.up and body.id not in self.mempool and not known:
            self.mempool[body.id] = body
            self.step(lambda: self.replica.submit(body, self.cluster.now_ms))

    def _bodies(self, identifiers: Iterable[bytes]) -> tuple[Request, ...]:
        known = (self.mempool.get(each) or self.disk.bodies.get(each) for each in identifiers)
        return tuple(body for body in known if body is not None)

    def _answer_fetch(self, message: Fetch) -> None:
        blocks = self.disk.blocks[message.sequence - 1 :][:ANSWER_AT_ONCE]
        for block in blocks:
            if self.cluster.answer_with_bodies:
                self.cluster.send(self.number, message.replica, Bodies(self._bodies(block.batch.requests)))
            answer = Decided(block.batch, block.certificate, block.block_certificate, block is blocks[-1])
            self.cluster.happened["answer"] += 1
            self.cluster.send(self.number, message.replica, Answer(answer))
