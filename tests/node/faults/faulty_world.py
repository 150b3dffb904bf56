"""The world of nodes with an injector of faults between each node and the broker, as the driver has it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from consensus.evidence import Evidence
from consensus.output import EvidenceRecord
from node.chain.journal import Journal
from node.consortium import Network
from node.faults.fault import Fault
from node.faults.injector import Injector
from node.node import Node
from node.wire import signed_bytes
from tests.node.network_of_nodes import PARTIES, World


def injector_of(
    network: Network, name: str, *, leads: Callable[[], bool] = lambda: False, seed: object = 0
) -> Injector:
    """An injector with the real key of a party."""
    replica = network.position(name)
    assert replica is not None
    key = PARTIES[name].signing
    return Injector(
        replica,
        network,
        lambda message: key.sign(signed_bytes(network.id, message)),
        random.Random(f"faults of {name} {seed}"),
        leads,
    )


class FaultyWorld(World):
    """Nodes whose packets pass their injectors, both ways."""

    def __init__(self, folder: Path, network: Network, **arguments: Any) -> None:
        self.injectors: dict[str, Injector] = {}
        self._flooding: set[str] = set()
        super().__init__(folder, network, **arguments)

    def start(self, name: str) -> Node:
        """A node comes up, with no faults."""
        replica = self.network.position(name)

        def leads() -> bool:
            return self.node(name).view % self.network.n == replica

        self.injectors[name] = injector_of(self.network, name, leads=leads)
        return super().start(name)

    @property
    def now_us(self) -> int:
        return self.now_ms * 1000

    def begin(self, fault: Fault, *names: str) -> None:
        """Give a fault to these nodes, or to all."""
        for name in names or self.network.names:
            self.injectors[name].begin(fault, self.now_us)
            self._flood(name)

    def end(self, fault: str) -> int:
        """End a fault everywhere; how many packets it touched."""
        return sum(each.end(fault, self.now_us) for each in self.injectors.values())

    def touched(self, fault: str) -> int:
        """How many packets a fault has touched so far."""
        return sum(each.touched[fault] for each in self.injectors.values())

    def release(self, name: str, topic: str, data: bytes) -> None:
        for delay_us, to, said in self.injectors[name].outgoing(topic, data, self.now_us):
            self._later(delay_us, partial(self.publish, to, said))

    def arrive(self, name: str, topic: str, data: bytes) -> None:
        for delay_us, said in self.injectors[name].incoming(topic, data, self.now_us):
            self._later(delay_us, partial(super().arrive, name, topic, said))

    def clock_ms(self, name: str) -> int:
        return self.now_ms + self.injectors[name].skew_us // 1000

    def _later(self, delay_us: int, action: Callable[[], None]) -> None:
        if delay_us < 1000:
            action()
        else:
            self.at(self.now_ms + delay_us // 1000, action)

    def _flood(self, name: str) -> None:
        """As the driver does: at the time that the injector names, say what it has to say."""
        injector = self.injectors[name]
        if (due_us := injector.due_us) is None or name in self._flooding:
            return
        self._flooding.add(name)

        def act() -> None:
            self._flooding.discard(name)
            for topic, packet in injector.tick(self.now_us):
                self.publish(topic, packet)
            self._flood(name)

        self.at(max(self.now_ms, -(-due_us // 1000)), act)

    def evidence(self, name: str) -> list[Evidence]:
        """What a node keeps on its disk against others."""
        with closing(Journal.open_read_only(self.home(name) / "journal", self.network.id)) as journal:
            return [r.evidence for _, r in journal.replay() if isinstance(r, EvidenceRecord)]


@contextmanager
def ready(folder: Path, network: Network, **arguments: Any) -> Iterator[FaultyWorld]:
    """Nodes that have executed block 1 and certified it, without any fault so far."""
    world = FaultyWorld(folder, network, **arguments)
    with world:
        world.settle([network.transaction.id])
        yield world
