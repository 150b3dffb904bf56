"""The node itself as a host of the virtual world: real ledger, journal, indexes and envelopes.

The world sees what the node writes through the two calls of its journal. Its files are real ones, in a folder
for each place; a power cut takes from the journal what was not synced, and leaves the indexes, which a node
builds anew when they are ahead.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from node.canonical import encode
from node.chain.journal import BlockRecord, Journal, JournalRecord
from node.consortium import Consortium, Member, Network, Policy, Rules
from node.envelopes.entropy import Entropy
from node.envelopes.envelope import seal
from node.envelopes.keys import PartyKeys
from node.faults.fault import Fault as Disturbance
from node.faults.injector import Injector
from node.logs.events import Event, EventLog
from node.node import Node
from node.reporting import LOST_ON_PURPOSE
from node.wire import TransactionPacket
from scenarios.virtual.host import Crash
from scenarios.virtual.seat import Seat
from scenarios.virtual.signatures import ChargedSigningKey, ChargedVerifyKey, Signatures

if TYPE_CHECKING:
    from scenarios.virtual.world import World

GENESIS_MS = 1_700_000_000_000


@dataclass(slots=True)
class Nodes:
    """A founded network with all its keys, and the folder under which each place has its own.

    `run` is the number of the run whose folder of nodes it is: places have the names of their parties then,
    and keep logs there.
    """

    network: Network
    keys: list[PartyKeys]
    folder: Path
    on_event: Callable[[str, Event], None] | None = None
    level: str = "info"
    run: str | None = None

    def charged(self, signatures: Signatures) -> Nodes:
        """The same with keys that go through the signatures of a world."""
        network = Network(self.network.transaction)
        keys = []
        for replica, own in enumerate(self.keys):
            public = ChargedVerifyKey(own.signing.public, partial(signatures.verify, replica))
            signing = ChargedSigningKey(own.signing, public, partial(signatures.sign, replica))
            network.verify_keys[replica] = public
            keys.append(PartyKeys(signing, own.wrapping))
        return replace(self, network=network, keys=keys)


def found(voters: int, followers: int, folder: Path, draw: Entropy, **rules: Any) -> Nodes:
    """A fresh network of parties that are called after their place. `rules` are those of the consortium."""
    keys = [PartyKeys.generate(draw) for _ in range(voters + followers)]
    members = tuple(
        Member(f"r{place:02}", place < voters, "", "", own.signing.public.raw, own.wrapping.public.raw)
        for place, own in enumerate(keys)
    )
    consortium = Consortium(1, draw(16), GENESIS_MS, members, Policy(), Rules(**rules))
    return Nodes(Network.founded(consortium, keys[0].signing), keys, folder)


class NodeHost:
    """A `node.Node` on a seat; satisfies `Host`."""

    stirred = True  # A node does not tell; so each step carries out what there is.

    def __init__(self, seat: Seat) -> None:
        nodes = seat.world.nodes
        assert nodes is not None, "the world was not founded for nodes"
        self.replica_id = seat.replica_id
        self._seat = seat
        name = nodes.network.names[seat.replica_id]
        self._home = nodes.folder / (f"place-{seat.place:02}" if nodes.run is None else name)
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        on_event = nodes.on_event
        world = seat.world
        self._events = events = EventLog(
            None if nodes.run is None else self._home / "events.jsonl",
            run=nodes.run or "0001",
            node=name,
            start_ms=nodes.network.created_ms,
            wall=lambda: world.clock_ms(seat),
            strict=True,
            level=nodes.level,
            sink=None if on_event is None else lambda event: on_event(name, event),
            names=nodes.network.names,
        )
        self.node = Node(nodes.network, name, seat.keys, self._home, self._send, events, world.clock_ms(seat))
        self.injector = Injector(
            seat.replica_id,
            nodes.network,
            seat.sign,
            Random(f"{world.seed}/injector/{seat.place}/{world.now_us}"),
            lambda: self.node.view % nodes.network.n == seat.replica_id,
        )
        seat.height = self.node.ledger.height
        self._watch(self.node._journal)

    def _send(self, topic: str, packet: bytes) -> None:
        """What the node hands out, as its faults let it leave."""
        injector, seat = getattr(self, "injector", None), self._seat
        if injector is None or injector.idle:
            seat.send(topic, packet)
            return
        now_us = seat.world.now_us
        leaving = injector.outgoing(topic, packet, now_us)
        if not leaving:
            self.node.report.drop(LOST_ON_PURPOSE)
        for delay_us, to, said in leaving:
            if delay_us:
                seat.world.agenda.at(now_us + delay_us, partial(self._send_late, to, said))
            else:
                seat.send(to, said)

    def _send_late(self, topic: str, packet: bytes) -> None:
        if self._seat.host is self:
            self._seat.world.signatures.charged_us = 0
            self._seat.send(topic, packet)

    def disturb(self, disturbance: Disturbance) -> None:
        """Let a fault of this node begin."""
        world = self._seat.world
        world.hear_faults()
        self.injector.begin(disturbance, world.now_us)
        world.wake(self._seat)

    def undisturb(self, identifier: str) -> int:
        """Let it end; how many packets it touched."""
        return self.injector.end(identifier, self._seat.world.now_us)

    def _watch(self, journal: Journal) -> None:
        """Let the world see each record, and cut in between, before the node has it back."""
        seat, append, sync = self._seat, journal.append, journal.sync
        self._durable = journal.end
        path = self._home / "journal"

        def watched_append(record: JournalRecord) -> int:
            torn = seat.effect(tearable=True)
            if executes := isinstance(record, BlockRecord):
                seat.executing()
            at = append(record)
            if torn:
                os.truncate(path, (at + journal.end) // 2)
                raise Crash
            seat.appended(encode(record))
            if executes:
                assert isinstance(record, BlockRecord)
                header = record.header
                requests = record.batch.requests
                digest = record.certificate.digest
                seat.executed(header.height, header.hash(), header.state_root, digest, requests)
            return at

        def watched_sync() -> None:
            seat.effect()
            sync()
            self._durable = journal.end
            seat.flushed()

        # What a power cut takes away here is counted: no record waits for a disk, thousands of times a run.
        journal.waits_for_disk = False
        # The names of the instance, not of the class: other journals of this process stay as they are.
        vars(journal).update(append=watched_append, sync=watched_sync)

    @property
    def deadline_ms(self) -> int:
        """When the next tick is wanted."""
        due_us = self.injector.due_us
        if due_us is None:
            return self.node.deadline_ms
        return min(self.node.deadline_ms, GENESIS_MS - (-(due_us + self._seat.skew_us) // 1000))

    @property
    def has_idle_work(self) -> bool:
        """Whether payloads wait to be looked at."""
        return self.node.has_idle_work

    def idle(self) -> None:
        """Look at a few payloads."""
        self.node.idle()

    def take(self, packets: Sequence[bytes], now_ms: int) -> None:
        """Take what came."""
        hears, handle = self._seat.hears, self.node.handle
        for data in packets:
            hears((data,))
            handle(data, now_ms)

    def tick(self, now_ms: int) -> None:
        """Let timers act."""
        due_us, now_us = self.injector.due_us, self._seat.world.now_us
        if due_us is not None and due_us <= now_us:
            for topic, packet in self.injector.tick(now_us):
                self._seat.send(topic, packet)
        self.node.tick(now_ms)

    def flush(self) -> None:
        """Persist, send, execute what follows."""
        self.node.flush()

    def close(self) -> None:
        """Stop in good order."""
        self.node.close()
        self._events.close()

    def crash(self, *, power_cut: bool) -> bool:
        """Be gone. After a power cut the journal ends where it was last synced; whether that cost any."""
        end = self.node._journal.end
        self.node._journal.close()
        self.node._store.close()
        self._events.close()
        if power_cut and end > self._durable:
            os.truncate(self._home / "journal", self._durable)
            return True
        return False


def submit_private(
    world: World,
    fields: Mapping[str, object],
    *,
    sender: int = 0,
    to: Sequence[int] = (1,),
    at: Sequence[int] | None = None,
) -> bytes:
    """Seal a private transaction of one party for others, and give it to all or to some places; its id."""
    nodes = world.nodes
    assert nodes is not None, "the world was not founded for nodes"
    height = max(world.heights().values())
    sealed = seal(
        fields,
        readers=[nodes.keys[party].wrapping.public for party in dict.fromkeys((sender, *to))],
        network=nodes.network.id,
        sender=nodes.network.names[sender],
        policy=nodes.network.policy_hash,
        valid_from=height + 1,
        valid_until=height + nodes.network.rules.validity_window,
        signing_key=nodes.keys[sender].signing,
        entropy=world.entropy_of("envelopes"),
    )
    packet = encode(TransactionPacket(sealed.transaction, sealed.blob))
    world.clients.offer(sealed.transaction.id, packet, at)
    return sealed.transaction.id
