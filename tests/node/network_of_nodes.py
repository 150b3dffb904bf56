"""Whole nodes in one process: real keys, journals and indexes, and a broker that is a heap of packets.

Time is an integer and moves only when the heap says so. One seed draws what the broker does. A crash drops
a node between two effects; it comes back from its folder alone. What every run must keep (I4, I6: one vote
for one thing, and on the disk before it is said) is checked with each packet that a node hands over.
"""

from __future__ import annotations

import heapq
import itertools
import os
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from consensus.messages import Proposal, Signed
from consensus.votes import BlockVote, Commit, Prepare, PrePrepare
from node.canonical import encode
from node.chain.store import PAYLOAD_STATES, PENDING, Store
from node.consortium import Consortium, Member, Network, Policy, Rules
from node.envelopes.disclosure import RULE_FIELD
from node.envelopes.envelope import Sealed, seal
from node.envelopes.keys import PartyKeys
from node.envelopes.rule import FREE
from node.logs.events import Event, EventLog
from node.node import Node
from node.topics import Topics
from node.wire import (
    CommittedBatch,
    Inquiry,
    Packet,
    SignedInquiry,
    TransactionPacket,
    decode_packet,
    signed_bytes,
)
from tests.node.small_consortium import seeded

NAMES = ("ann", "bob", "cyd", "dan", "eve", "fay", "gus", "hal")
PARTIES = {name: PartyKeys.generate(seeded(f"node {name}")) for name in NAMES}
STRANGER = PartyKeys.generate(seeded("stranger"))
GENESIS_MS = 1_700_000_000_000
RULES = Rules(block_every_ms=20, view_timeout_ms=400, validity_window=50)


def founded(
    voters: int = 4,
    followers: int = 0,
    *,
    rules: Rules = RULES,
    salt: int = 0,
    created_ms: int = GENESIS_MS,
    policy: Policy | None = None,
) -> Network:
    """A network of the first of NAMES. Another `salt` makes another network of the same parties."""
    members = tuple(
        Member(
            name, place < voters, "", "", PARTIES[name].signing.public.raw, PARTIES[name].wrapping.public.raw
        )
        for place, name in enumerate(NAMES[: voters + followers])
    )
    consortium = Consortium(1, salt.to_bytes(16, "big"), created_ms, members, policy or Policy(), rules)
    return Network.founded(consortium, PARTIES[NAMES[0]].signing)


def sealed_for(
    network: Network,
    fields: Mapping[str, object],
    *,
    sender: str = "ann",
    to: Iterable[str] = ("bob",),
    seed: object = 0,
    valid: tuple[int, int] = (1, 40),
    keep: int = 0,
    seal_name: str | None = None,
) -> Sealed:
    """A transaction of that network."""
    return seal(
        {RULE_FIELD: FREE, **fields},
        readers=[PARTIES[name].wrapping.public for name in (sender, *to)],
        network=network.id,
        sender=sender,
        policy=network.policy_hash,
        valid_from=valid[0],
        valid_until=valid[1],
        signing_key=PARTIES[sender].signing,
        entropy=seeded(f"sealed {seed}"),
        keep=keep,
        locked=None if seal_name is None else network.locked(network.seals[seal_name]),
    )


class Crash(BaseException):
    """The process is gone, between two effects or in the middle of a write. Nobody can catch it."""


@dataclass(slots=True)
class Broker:
    """What the broker does to packets: chances for each receiver, delays in milliseconds."""

    loss: float = 0.0
    duplication: float = 0.0
    delay_ms: tuple[int, int] = (1, 8)


@dataclass(slots=True)
class CrashPlan:
    """Crash this node at its effect of that number: a journal write, a sync, or a packet handed over."""

    name: str
    at: int
    torn: bool = False  # The write is cut in the middle instead of not happening.


@dataclass(slots=True)
class Running:
    """A node that is up, with the packets that wait for it."""

    node: Node
    inbox: list[bytes] = field(default_factory=list)
    woken_at: int | None = None
    stepping: bool = False


# What stands between the broker and a receiver: receiver, topic, packet; another packet, or None for none.
Tap = Callable[[str, str, bytes], bytes | None]


def _untouched(receiver: str, topic: str, data: bytes) -> bytes | None:
    return data


class World:
    """Some nodes, their broker and their clock. Used as a context manager: it ends with all files closed."""

    def __init__(
        self,
        folder: Path,
        network: Network,
        *,
        seed: int = 0,
        broker: Broker | None = None,
        level: str = "info",
        start: bool = True,
    ) -> None:
        self.folder = folder
        self.network = network
        self.topics = Topics(network.id)
        self.now_ms = GENESIS_MS
        self.broker = broker or Broker()
        self.level = level
        self.happened: Counter[str] = Counter()
        self.events: dict[str, list[Event]] = defaultdict(list)
        self.said: list[tuple[str, str, Packet]] = []  # Everything handed to the broker: who, where, what.
        self.inboxes: dict[str, list[Packet]] = defaultdict(list)  # Of clients, by topic.
        self.tap: Tap = _untouched
        self.crash_plan: CrashPlan | None = None
        self.effects: Counter[str] = Counter()
        self.up: dict[str, Running] = {}
        self._stepping: str | None = None
        self._durable: dict[str, int] = {}
        self._voted: dict[tuple[object, ...], bytes] = {}
        self._random = random.Random(f"world {seed}")
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._patch = pytest.MonkeyPatch()
        if start:
            for name in network.names:
                self.start(name)

    def __enter__(self) -> World:
        write = os.pwrite
        self._patch.setattr(os, "pwrite", lambda *arguments: self._write(write, *arguments))
        self._patch.setattr(os, "fdatasync", self._sync)
        return self

    def __exit__(self, *exception: object) -> None:
        self._patch.undo()
        for name in list(self.up):
            self.stop(name)

    # Nodes.

    def home(self, name: str) -> Path:
        """The folder of a node."""
        return self.folder / name

    def node(self, name: str) -> Node:
        """A node that is up."""
        return self.up[name].node

    def start(self, name: str) -> Node:
        """Bring a node up with what its folder holds, and nothing else."""
        home = self.home(name)
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        events = EventLog(
            None,
            run="0001",
            node=name,
            start_ms=GENESIS_MS,
            wall=lambda: self.now_ms,
            strict=True,
            level=self.level,
            sink=self.events[name].append,
            names=self.network.names,
        )
        node = Node(
            self.network,
            name,
            PARTIES[name],
            home,
            lambda topic, data: self._publish(name, topic, data),
            events,
            self.now_ms,
        )
        self._durable[name] = (home / "journal").stat().st_size
        self.up[name] = Running(node)
        self._wake(name, self.now_ms)
        return node

    def stop(self, name: str) -> None:
        """Stop a node in good order."""
        self.up.pop(name).node.close()

    def crash(self, name: str, *, power_cut: bool = False) -> None:
        """Drop a node. After a power cut its journal ends where it was last synced."""
        running = self.up.pop(name)
        running.node._journal.close()
        running.node._store.close()
        self.happened["crash"] += 1
        if power_cut and (self.home(name) / "journal").stat().st_size > self._durable[name]:
            os.truncate(self.home(name) / "journal", self._durable[name])
            self.happened["unsynced bytes lost"] += 1

    # Time.

    def run(self, milliseconds: int) -> None:
        """Let this much time pass."""
        end = self.now_ms + milliseconds
        while self._heap and self._heap[0][0] <= end:
            self._next()
        self.now_ms = end

    def run_until(self, condition: Callable[[], bool], within_ms: int = 20_000) -> None:
        """Let time pass until the condition holds; an error if that takes too long."""
        end = self.now_ms + within_ms
        while not condition():
            assert self._heap and self._heap[0][0] <= end, self.describe()
            self._next()

    def describe(self) -> str:
        """Where everybody stands, for an assertion that fails."""
        heights = {name: running.node.ledger.height for name, running in self.up.items()}
        return f"at {self.now_ms - GENESIS_MS} ms: {heights}, {dict(self.happened)}"

    def hand(self, name: str, data: bytes) -> Counter[str]:
        """Hand a node one packet at once, past the broker; what it dropped because of it, by reason."""
        node = self.node(name)
        before, self._stepping = node.report.dropped.copy(), name
        try:
            node.handle(data, self.now_ms)
            node.flush()
        finally:
            self._stepping = None
        self._wake(name, max(node.deadline_ms, self.now_ms + 1))
        return node.report.dropped - before

    def at(self, when_ms: int, action: Callable[[], None]) -> None:
        """Do this then."""
        heapq.heappush(self._heap, (when_ms, next(self._order), action))

    def _next(self) -> None:
        self.now_ms, _, action = heapq.heappop(self._heap)
        action()

    def _wake(self, name: str, when_ms: int) -> None:
        running = self.up[name]
        if running.woken_at is None or when_ms < running.woken_at:
            running.woken_at = when_ms
            self.at(when_ms, lambda: self._step(name, running, when_ms))

    def _step(self, name: str, running: Running, when_ms: int) -> None:
        """What the driver does: all that came, timers that are due, effects, and then the payloads."""
        if self.up.get(name) is not running or running.woken_at != when_ms:
            return
        node, running.woken_at = running.node, None
        inbox, running.inbox = running.inbox, []
        self._stepping = name
        try:
            now_ms = self.clock_ms(name)
            for data in inbox:
                node.handle(data, now_ms)
            if now_ms >= node.deadline_ms:
                node.tick(now_ms)
            node.flush()
            while node.has_idle_work:
                node.idle()
        except Crash:
            self.crash(name)
            return
        finally:
            self._stepping = None
        ahead_ms = self.clock_ms(name) - self.now_ms
        self._wake(name, max(node.deadline_ms - ahead_ms, self.now_ms + 1))

    def clock_ms(self, name: str) -> int:
        """What a node takes for the time."""
        return self.now_ms

    # The broker.

    def _publish(self, name: str, topic: str, data: bytes) -> None:
        if self._effect(name):
            raise Crash
        packet = decode_packet(data)
        self._check(name, packet)
        self.said.append((name, topic, packet))
        self.release(name, topic, data)

    def release(self, name: str, topic: str, data: bytes) -> None:
        """What a node hands over leaves it."""
        self.publish(topic, data)

    def publish(self, topic: str, data: bytes, *, to: Iterable[str] | None = None) -> None:
        """Anybody publishes anything; the broker does not care who. `to` cuts the audience short."""
        heard = False
        for receiver, replica in zip(self.network.names, range(64), strict=False):
            if topic in self._topics_of(replica) and (to is None or receiver in to):
                heard = True
                self._deliver(receiver, topic, data)
        if not heard and to is None:
            self.inboxes[topic].append(decode_packet(data))

    def _topics_of(self, replica: int) -> list[str]:
        others = [self.topics.broadcast(other) for other in range(len(self.network.members))]
        return [self.topics.transactions, self.topics.inbox_of(replica), *others]

    def _deliver(self, receiver: str, topic: str, data: bytes) -> None:
        tapped = self.tap(receiver, topic, data)
        if tapped is None or self._random.random() < self.broker.loss:
            self.happened["lost"] += 1
            return
        copies = 1
        if self._random.random() < self.broker.duplication:
            self.happened["duplicated"] += 1
            copies = 2
        for _ in range(copies):
            due = self.now_ms + self._random.randint(*self.broker.delay_ms)
            self.at(due, lambda: self.arrive(receiver, topic, tapped))

    def arrive(self, receiver: str, topic: str, data: bytes) -> None:
        """A packet is at a node's door."""
        running = self.up.get(receiver)
        if running is None:
            self.happened["lost"] += 1
            return
        running.inbox.append(data)
        self._wake(receiver, self.now_ms)

    def withhold_blobs(self, receiver: str) -> None:
        """From now on no blob reaches this node, whoever sends it."""

        def without(packet: Packet) -> Packet:
            if isinstance(packet, TransactionPacket) and packet.blob is not None:
                self.happened["blob withheld"] += 1
                return TransactionPacket(packet.transaction, None)
            if isinstance(packet, CommittedBatch):
                bodies = tuple(TransactionPacket(each.transaction, None) for each in packet.transactions)
                return CommittedBatch(packet.decided, bodies)
            return packet

        self.tap = lambda name, topic, data: (
            encode(without(decode_packet(data))) if name == receiver else data
        )

    # Effects.

    def _effect(self, name: str) -> bool:
        """Count an effect of a node; whether it is the one to crash at, in the middle."""
        plan = self.crash_plan
        if plan is not None and plan.name == name and plan.at == self.effects[name]:
            self.crash_plan = None
            if not plan.torn:
                raise Crash
            return True
        self.effects[name] += 1
        return False

    def _write(
        self, write: Callable[[int, bytes, int], int], descriptor: int, data: bytes, offset: int
    ) -> int:
        if self._stepping is not None and self._effect(self._stepping):
            write(descriptor, data[: len(data) // 2], offset)
            raise Crash
        return write(descriptor, data, offset)

    def _sync(self, descriptor: int) -> None:
        """Power cuts are played, by the length that was synced: nothing waits for a disk."""
        if self._stepping is not None:
            if self._effect(self._stepping):
                raise Crash
            self._durable[self._stepping] = os.fstat(descriptor).st_size

    def _check(self, name: str, packet: Packet) -> None:
        if isinstance(packet, Proposal):
            said: Any = packet.pre_prepare
            recorded = encode(packet)[2:]
        elif isinstance(packet, Signed) and isinstance(packet.message, Prepare | Commit | BlockVote):
            said = packet.message
            recorded = encode(packet)[2:]
        else:
            return
        view = 0 if isinstance(said, BlockVote) else said.view
        value = said.block if isinstance(said, BlockVote) else said.digest
        key = (name, type(said), view, said.sequence)
        assert self._voted.setdefault(key, value) == value, f"{name} contradicts itself: {key}"
        journal = (self.home(name) / "journal").read_bytes()
        assert recorded in journal[: self._durable[name]], f"{name} says what it has not recorded: {key}"
        self.happened[type(said).__name__] += 1

    # Clients.

    def submit(self, sealed: Sealed, *, to: Iterable[str] | None = None) -> bytes:
        """Publish a transaction with its blob; its id."""
        packet = TransactionPacket(sealed.transaction, sealed.blob)
        self.publish(self.topics.transactions, encode(packet), to=to)
        return sealed.transaction.id

    def send(self, count: int = 1, *, seed: object = 0, **arguments: Any) -> list[bytes]:
        """Submit that many transactions of one leaf."""
        return [
            self.submit(sealed_for(self.network, {"amount": i}, seed=(seed, i), **arguments))
            for i in range(count)
        ]

    def ask(
        self,
        party: str,
        node: str,
        about: Iterable[bytes] = (),
        *,
        token: bytes = b"answer-1",
        echo: bytes = b"",
    ) -> str:
        """A signed inquiry of a party to a node; the topic where the answers will be.

        Each has an echo of its own unless one is given: a question asked twice is answered once.
        """
        asker, asked = self.network.position(party), self.network.position(node)
        assert asker is not None and asked is not None
        echo = echo or next(self._order).to_bytes(8, "big")
        inquiry = Inquiry(asker, token, echo, tuple(about))
        signature = PARTIES[party].signing.sign(signed_bytes(self.network.id, inquiry))
        self.publish(self.topics.inbox_of(asked), encode(SignedInquiry(inquiry, signature)))
        return self.topics.inbox(token)

    # What tests look at.

    def height(self, name: str) -> int:
        return self.node(name).ledger.height

    def heads(self) -> set[tuple[int, bytes, bytes]]:
        """Height, head and state root of all that are up: one element when they agree."""
        return {
            (r.node.ledger.height, r.node.ledger.head, r.node.ledger.state_root) for r in self.up.values()
        }

    def have_executed(self, identifiers: Iterable[bytes], names: Iterable[str] | None = None) -> bool:
        """Whether these transactions are on the ledger of all these nodes."""
        nodes = [self.node(name) for name in (self.up if names is None else names)]
        return all(
            node._store.transaction(identifier) is not None for identifier in identifiers for node in nodes
        )

    def settle(self, identifiers: Iterable[bytes] = (), within_ms: int = 20_000) -> None:
        """Until all that are up have executed these, stand at one head, and hold its certificate."""
        wanted = list(identifiers)

        def settled() -> bool:
            return (
                len(self.heads()) == 1
                and self.have_executed(wanted)
                and all(not running.node._store.uncertified(0) for running in self.up.values())
            )

        self.run_until(settled, within_ms)

    def reasons(self, name: str) -> Counter[str]:
        """What a node dropped, by reason."""
        return self.node(name).report.dropped

    def packets(self, name: str | None = None) -> Iterator[Packet]:
        """What was handed to the broker, by this node or by all."""
        return (packet for who, _, packet in self.said if name is None or who == name)

    def indexes(self, name: str) -> tuple[list[object], list[object]]:
        """All that the indexes of a node say of the chain, without the states of payloads."""
        store: Store = self.node(name)._store
        transactions: list[object] = []
        for row in store.all_transactions():
            payload = "payload" if row.payload in PAYLOAD_STATES else row.payload
            transactions.append((row.id, row.height, row.position, row.outcome, row.body_at, payload))
        return list(store.blocks()), transactions


@contextmanager
def ready(folder: Path, network: Network, **arguments: Any) -> Iterator[World]:
    """A world whose nodes have executed block 1 and certified it."""
    with World(folder, network, **arguments) as world:
        world.settle([network.transaction.id])
        assert all(world.height(name) == 1 for name in world.up), world.describe()
        yield world


__all__ = [
    "GENESIS_MS",
    "PARTIES",
    "PENDING",
    "Broker",
    "Crash",
    "CrashPlan",
    "PrePrepare",
    "World",
    "founded",
    "ready",
    "sealed_for",
]
