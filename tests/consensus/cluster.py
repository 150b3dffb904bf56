"""A small world: replicas, a network that misbehaves, disks and clients, all from one seed.

Time is an integer; one heap holds everything that will happen, and one random stream each draws
what the network does and what the faults are. `driver.py` drives each replica.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random
from typing import Any

from consensus.messages import FetchedBatch, Proposal, Signed, Status
from consensus.state import Settings
from consensus.votes import Request
from tests.consensus.driver import Node
from tests.consensus.invariants import Invariants
from tests.consensus.wire import (
    Packet,
    decode_packet,
    encode_packet,
    request,
)


@dataclass(slots=True)
class Faults:
    """How the network misbehaves: chances for each packet, delays in milliseconds."""

    loss: float = 0.0
    duplication: float = 0.0
    delay_ms: tuple[int, int] = (1, 10)


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
        self.check.correct = set(self.nodes)
        self.check.window = self.settings(0).window

    def settings(self, number: int) -> Settings:
        """The settings of one replica."""
        return Settings(self.n, number, **self._settings)

    # The network.

    def publish(self, source: int, packet: Signed | Proposal | FetchedBatch, to: int | None = None) -> None:
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
