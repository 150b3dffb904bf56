"""A small world: replicas, a network that misbehaves, disks and clients, all from one seed.

Time is an integer; one heap holds everything that will happen, and one random stream each draws
what the network does and what the faults are. `Node` is the driver of one replica.
"""

from __future__ import annotations

import functools
import hashlib
import heapq
import itertools
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import msgspec

from consensus.certificates import BlockCertificate, CommitCertificate, Decided
from consensus.messages import Batch, Fetch, FetchRequests, Proposal, Request, Signed, Status, encode
from consensus.output import Output, ProposalRecord, Record, Relay
from consensus.replica import Replica
from consensus.state import Settings
from tests.consensus.invariants import Invariants
from tests.consensus.wire import (
    Answer,
    Bodies,
    Packet,
    authentic,
    block_hash,
    decode_packet,
    encode_packet,
    request,
    signer,
)

ANSWER_AT_ONCE = 4
_decode_record = msgspec.msgpack.Decoder(Record).decode


@dataclass(slots=True)
class Faults:
    """How the network misbehaves: chances for each packet, delays in milliseconds."""

    loss: float = 0.0
    duplication: float = 0.0
    delay_ms: tuple[int, int] = (1, 10)


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
        self.replica = Replica(
            self.cluster.settings(self.number),
            signer(self.number),
            executed=len(disk.blocks),
            time_ms=head.batch.time_ms if head else 0,
            block=head.hash if head else bytes(32),
            records=[_decode_record(record) for record in disk.records],
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
            del self.mempool[identifier]
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
            self.step(lambda: self.replica.receive(packet, now_ms))

    def submit(self, body: Request) -> None:
        """A client's or a peer's request, unless it is executed already."""
        if self.up and body.id not in self.mempool and body.id not in self.disk.executed:
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


Script = Callable[["Cluster", Packet], None]


class Cluster:
    """Voters 0 to n - 1, then followers; `scripts` says which of them are faulty, and what they do."""

    def __init__(
        self,
        n: int = 4,
        *,
        followers: int = 0,
        seed: int = 0,
        faults: Faults | None = None,
        scripts: dict[int, Script] | None = None,
        crash_at: dict[int, int] | None = None,
        answer_with_bodies: bool = True,
        **settings: Any,
    ) -> None:
        self.n = n
        self.now_ms = 1000
        self.faults = faults or Faults()
        self.answer_with_bodies = answer_with_bodies
        self.scripts = scripts or {}
        self.network = Random(f"{seed}/network")
        self.happened: Counter[str] = Counter()
        self.on_note: Callable[[int, Any], None] | None = None
        self.drop: Callable[[int, int, Packet], bool] = lambda source, target, packet: False
        self.submitted: dict[bytes, Request] = {}
        self.packets = 0
        self._clients: list[tuple[Request, list[int]]] = []
        self._numbers = itertools.count(1)
        self._settings = settings
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._hash = hashlib.sha256()
        self.check = Invariants(n, self.submitted)  # type: ignore[arg-type]
        self.members = range(n + followers)
        self.nodes: dict[int, Node] = {}
        for number in self.members:
            if number not in self.scripts:
                node = self.nodes[number] = Node(self, number)
                node.crash_at = (crash_at or {}).get(number)

    def settings(self, number: int) -> Settings:
        """The settings of one replica."""
        return Settings(self.n, number, **self._settings)

    # The network.

    def publish(self, source: int, packet: Signed | Proposal, to: int | None = None) -> None:
        """One packet to one replica, or to all others."""
        for target in self.members if to is None else [to]:
            if target != source:
                self.send(source, target, packet)

    def send(self, source: int, target: int, packet: Packet) -> None:
        """Put one packet on its way; the network may lose it, double it, and delay it."""
        if isinstance(packet, Signed | Proposal):
            self.check.on_network(packet)
        data = encode_packet(packet)
        self.trace(b"send", source, bytes([target]) + data)
        if self.drop(source, target, packet):
            self.happened["dropped"] += 1
            return
        if self.network.random() < self.faults.loss:
            self.happened["lost"] += 1
            return
        copies = 2 if self.network.random() < self.faults.duplication else 1
        self.happened["doubled"] += copies - 1
        for _ in range(copies):
            delay_ms = self.network.randint(*self.faults.delay_ms)
            self.at(self.now_ms + delay_ms, lambda: self._deliver(target, data))

    def _deliver(self, target: int, data: bytes) -> None:
        self.packets += 1
        self.trace(b"deliver", target, data)
        if target in self.scripts:
            self.scripts[target](self, decode_packet(data))
        elif self.nodes[target].up:
            self.nodes[target].take(data)

    # Time.

    def at(self, when_ms: int, action: Callable[[], None]) -> None:
        """Have something happen at a time."""
        heapq.heappush(self._heap, (max(when_ms, self.now_ms), next(self._order), action))

    def run_for(self, duration_ms: int) -> None:
        """Let everything happen that is due within this time."""
        end = self.now_ms + duration_ms
        while self._heap and self._heap[0][0] <= end:
            self.now_ms, _, action = heapq.heappop(self._heap)
            action()
        self.now_ms = end

    def run_until(self, condition: Callable[[], bool], limit_ms: int) -> None:
        """Run until something is so; an AssertionError with the state of all if it is not in time."""
        end = self.now_ms + limit_ms
        while not condition():
            assert self.now_ms < end, f"no progress in {limit_ms} ms: {self.heights()} {dict(self.happened)}"
            self.run_for(20)

    # Clients and faults.

    def request(self, at_ms: int | None = None, to: Iterable[int] | None = None, **fields: Any) -> bytes:
        """A fresh request, given to these nodes (all of them) now or at a time; its id."""
        body = request(next(self._numbers), **fields)
        self.submitted[body.id] = body
        targets = list(self.nodes if to is None else to)
        when_ms = self.now_ms if at_ms is None else at_ms

        def give() -> None:
            self._clients.append((body, targets))
            for target in targets:
                self.nodes[target].submit(body)

        self.at(when_ms, give)
        return body.id

    def crash(self, number: int) -> None:
        """Stop a node that is up."""
        if self.nodes[number].up:
            self.nodes[number].stop()

    def restart(self, number: int) -> None:
        """Start a node that is down."""
        if not self.nodes[number].up:
            self.happened["restart"] += 1
            self.nodes[number].start()
            for body, targets in self._clients:  # Clients try again with a node that comes back.
                if number in targets:
                    self.nodes[number].submit(body)

    def crash_all(self) -> None:
        """Stop everybody."""
        for number in self.nodes:
            self.crash(number)

    def restart_all(self) -> None:
        """Start everybody who is down."""
        for number in self.nodes:
            self.restart(number)

    def heal(self) -> None:
        """A network without faults, and everybody up."""
        self.faults = Faults()
        self.drop = lambda source, target, packet: False
        for node in self.nodes.values():
            node.crash_at = None
        self.restart_all()

    # What can be seen.

    def heights(self) -> dict[int, int]:
        """How many blocks each correct node has."""
        return {number: len(node.disk.blocks) for number, node in self.nodes.items()}

    def all_executed(self, *only: bytes) -> bool:
        """Whether every correct node executed these requests, or all."""
        wanted = set(only or self.submitted)
        return all(wanted <= self.check.executed[number] for number in self.nodes)

    def all_certified(self) -> bool:
        """Whether all correct nodes have the same blocks, with the certificates of all in the last window."""
        height = max(self.heights().values())
        window = self.settings(0).window
        return all(
            len(node.disk.blocks) == height and all(b.block_certificate for b in node.disk.blocks[-window:])
            for node in self.nodes.values()
        )

    def trace(self, what: bytes, number: int, data: bytes) -> None:
        """Add what happens to the hash of the run."""
        self._hash.update(b"%b %d %d %d " % (what, self.now_ms, number, len(data)))
        self._hash.update(data)

    @property
    def trace_hash(self) -> str:
        """The hash of all deliveries, persists, sends and executions so far."""
        return self._hash.hexdigest()


def is_status(packet: Packet) -> bool:
    """Whether a packet is a status."""
    return isinstance(packet, Signed) and isinstance(packet.message, Status)
