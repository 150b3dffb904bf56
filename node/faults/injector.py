"""The faults of one node: a value between the node and its network, stepped like the node itself.

Packets and the time go in, what becomes of them comes out, each with a delay in microseconds. Randomness
comes from outside, so that a seeded run repeats exactly.

Each packet meets the faults of its link once. A broadcast meets them at the receiver, who knows the source
from the topic; a packet to a replica's inbox at the sender, who knows the target. What clients say and hear
is between the broker and this node: disconnection concerns it, and the conditions of the network.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

from node.canonical import DecodeError
from node.chain.act import ActTransaction
from node.consortium import Network
from node.envelopes.transaction import PrivateTransaction
from node.faults.fault import (
    NETWORK,
    Censor,
    Delay,
    Disconnect,
    Duplicate,
    Equivocate,
    Fault,
    Flood,
    Loss,
    Partition,
    Reorder,
    Silent,
    Skew,
    Slow,
)
from node.faults.links import CLIENT, Links
from node.faults.misbehaviour import Misbehaviour, Sign
from node.message_kinds import kind_of
from node.topics import Topics
from node.wire import TransactionPacket, decode_packet

MOST_FAULTS = 256


class Injector:
    """What is wrong with one node at present. While `idle` nothing is, and nobody need ask further.

    `sign` signs with the node's own key, `is_primary` tells whether its replica leads. `touched` counts by
    fault how many packets were altered, held back, doubled or dropped; a clock that is set wrong counts once.
    """

    def __init__(
        self, replica_id: int, network: Network, sign: Sign, random: Random, is_primary: Callable[[], bool]
    ) -> None:
        self.touched: Counter[str] = Counter()
        self.idle = True
        self.skew_us = 0
        self._own = replica_id
        self._names = frozenset(network.names)
        self._is_primary = is_primary
        self._faults: list[Fault] = []
        self._links = Links(random, self.touched)
        self._misbehaviour = Misbehaviour(replica_id, network, sign, random, self.touched)
        self._disconnected: list[Disconnect] = []
        self._censors: list[Censor] = []
        topics = Topics(network.id)
        members = range(len(network.members))
        self._replicas = len(members)
        self._transactions = topics.transactions
        self._own_broadcast = topics.broadcast(replica_id)
        self._inboxes = [topics.inbox_of(i) for i in members]
        self._by_inbox = {topic: i for i, topic in enumerate(self._inboxes)}
        self._by_broadcast = {topics.broadcast(i): i for i in members}

    # What the operator says.

    @property
    def active(self) -> list[str]:
        """The ids of the faults that have begun and not ended, without the conditions of the network."""
        return [name for name in dict.fromkeys(fault.id for fault in self._faults) if name != NETWORK]

    def flaw(self, fault: Fault) -> str:
        """Why this node cannot have such a fault, or nothing."""
        if any(replica >= self._replicas for replica in fault.replicas()):
            return "names a replica that this network does not have"
        if isinstance(fault, Censor) and not self._names.issuperset(fault.parties):
            return "names a party that this network does not have"
        if len(self._faults) >= MOST_FAULTS:
            return "is one fault too many"
        return ""

    def begin(self, fault: Fault, now_us: int) -> None:
        """Let a fault begin. Said again, the same words change nothing."""
        assert not self.flaw(fault), self.flaw(fault)
        if fault not in self._faults:
            self._faults.append(fault)
            if isinstance(fault, Skew) and fault.by_us:
                self.touched[fault.id] += 1
            self._arrange(now_us)

    def end(self, name: str, now_us: int) -> int:
        """Let a fault end; how many packets it touched. What is held back by it still comes."""
        self._faults = [fault for fault in self._faults if fault.id != name]
        self._arrange(now_us)
        return self.touched[name]

    def heal(self, now_us: int) -> None:
        """Let every fault end. The conditions of the network stay as they are."""
        self._faults = [fault for fault in self._faults if fault.id == NETWORK]
        self._arrange(now_us)

    def _arrange(self, now_us: int) -> None:
        faults = self._faults
        self.idle = not faults
        self.skew_us = sum(fault.by_us for fault in faults if isinstance(fault, Skew))
        self._disconnected = [fault for fault in faults if isinstance(fault, Disconnect)]
        self._censors = [fault for fault in faults if isinstance(fault, Censor)]
        links = [each for each in faults if isinstance(each, Partition | Delay | Loss | Duplicate | Reorder)]
        self._links.set(links)
        lies = [each for each in faults if isinstance(each, Equivocate | Silent | Slow | Flood)]
        self._misbehaviour.set(lies, now_us)

    # What passes.

    def outgoing(self, topic: str, packet: bytes, now_us: int) -> list[tuple[int, str, bytes]]:
        """What leaves instead of a packet that the node hands out: delay, topic and packet of each."""
        if self.idle:
            return [(0, topic, packet)]
        if self._is_cut_off():
            return []
        to = None if topic == self._own_broadcast else self._by_inbox.get(topic, CLIENT)
        leaving: list[tuple[int, str, bytes]] = []
        for later_us, hearer, said in self._misbehaviour.says(to, packet, now_us):
            if hearer is None or hearer == CLIENT:
                leaving.append((later_us, topic, said))
                continue
            inbox = self._inboxes[hearer]
            for delay_us in self._links.carry(self._own, hearer, said, now_us + later_us):
                leaving.append((later_us + delay_us, inbox, said))
        return leaving

    def incoming(self, topic: str, packet: bytes, now_us: int) -> list[tuple[int, bytes]]:
        """What reaches the node instead of a packet that came: the delay and the packet of each."""
        if self.idle:
            return [(0, packet)]
        if self._is_cut_off() or (self._censors and self._is_censored(packet)):
            return []
        source = CLIENT if topic == self._transactions else self._by_broadcast.get(topic)
        if source is None or source == self._own:
            return [(0, packet)]
        return [(later_us, packet) for later_us in self._links.carry(source, self._own, packet, now_us)]

    def _is_cut_off(self) -> bool:
        for fault in self._disconnected:
            self.touched[fault.id] += 1
        return bool(self._disconnected)

    def _is_censored(self, packet: bytes) -> bool:
        if kind_of(packet) != "request" or not self._is_primary():
            return False
        try:
            said = decode_packet(packet)
        except DecodeError:
            return False  # The node drops it, and tells why.
        if not isinstance(said, TransactionPacket):
            return False
        if isinstance(said.transaction, PrivateTransaction):
            sender = said.transaction.header.core.sender
        elif isinstance(said.transaction, ActTransaction):
            sender = said.transaction.act.sender
        else:
            return False
        censoring = [fault for fault in self._censors if sender in fault.parties]
        for fault in censoring:
            self.touched[fault.id] += 1
        return bool(censoring)

    # What happens by itself.

    @property
    def due_us(self) -> int | None:
        """When the next `tick` is wanted, None for never."""
        return self._misbehaviour.due_us

    def tick(self, now_us: int) -> list[tuple[str, bytes]]:
        """What the node says although nobody asked it to: the topic and the packet of each."""
        said = self._misbehaviour.floods(now_us)
        if said and self._is_cut_off():
            return []
        return [(self._own_broadcast, packet) for packet in said]
