"""The node itself as a host of the virtual world: real ledger, journal, indexes and envelopes.

The world sees what the node writes through the two calls of its journal. Its files are real ones, in a folder
for each place; a power cut takes from the journal what was not synced, and leaves the indexes, which a node
builds anew when they are ahead.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from node.canonical import encode
from node.chain.journal import BlockRecord, Journal, JournalRecord
from node.consortium import Consortium, Member, Network, Policy, Rules
from node.envelopes.entropy import Entropy
from node.envelopes.envelope import seal
from node.envelopes.keys import PartyKeys
from node.logs.events import Event, EventLog
from node.node import Node
from node.wire import TransactionPacket
from scenarios.virtual.host import Crash
from scenarios.virtual.seat import Seat
from scenarios.virtual.signatures import ChargedSigningKey, ChargedVerifyKey, Signatures

if TYPE_CHECKING:
    from scenarios.virtual.world import World

GENESIS_MS = 1_700_000_000_000


@dataclass(slots=True)
class Nodes:
    """A founded network with all its keys, and the folder under which each place has its own."""

    network: Network
    keys: list[PartyKeys]
    folder: Path
    on_event: Callable[[str, Event], None] | None = None
    level: str = "info"

    def charged(self, signatures: Signatures) -> Nodes:
        """The same with keys that go through the signatures of a world."""
        network = Network(self.network.transaction)
        keys = []
        for replica, own in enumerate(self.keys):
            public = ChargedVerifyKey(own.signing.public, partial(signatures.verify, replica))
            signing = ChargedSigningKey(own.signing, public, partial(signatures.sign, replica))
            network.verify_keys[replica] = public
            keys.append(PartyKeys(signing, own.wrapping))
        return Nodes(network, keys, self.folder, self.on_event, self.level)


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
        self._home = nodes.folder / f"place-{seat.place:02}"
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = nodes.network.names[seat.replica_id]
        on_event = nodes.on_event
        world = seat.world
        events = EventLog(
            None,
            run="0001",
            node=name,
            start_ms=nodes.network.created_ms,
            wall=lambda: world.clock_ms(seat),
            strict=True,
            level=nodes.level,
            sink=None if on_event is None else lambda event: on_event(name, event),
            names=nodes.network.names,
        )
        self.node = Node(nodes.network, name, seat.keys, self._home, seat.send, events, world.clock_ms(seat))
        seat.height = self.node.ledger.height
        self._watch(self.node._journal)

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

        # The names of the instance, not of the class: other journals of this process stay as they are.
        vars(journal).update(append=watched_append, sync=watched_sync)

    @property
    def deadline_ms(self) -> int:
        """When the next tick is wanted."""
        return self.node.deadline_ms

    @property
    def has_idle_work(self) -> bool:
        """Whether payloads wait to be looked at."""
        return self.node.has_idle_work

    def idle(self) -> None:
        """Look at a few payloads."""
        self.node.idle()

    def handle(self, data: bytes, now_ms: int) -> None:
        """Take one packet."""
        self.node.handle(data, now_ms)

    def tick(self, now_ms: int) -> None:
        """Let timers act."""
        self.node.tick(now_ms)

    def flush(self) -> None:
        """Persist, send, execute what follows."""
        self.node.flush()

    def close(self) -> None:
        """Stop in good order."""
        self.node.close()

    def crash(self, *, power_cut: bool) -> bool:
        """Be gone. After a power cut the journal ends where it was last synced; whether that cost any."""
        end = self.node._journal.end
        self.node._journal.close()
        self.node._store.close()
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
