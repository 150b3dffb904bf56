"""What the world gives one replica's process, and how the world sees what the process does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from consensus.messages import ReplicaMessage
from consensus.output import Note
from consensus.state import Settings
from node.envelopes.keys import PartyKeys
from node.topics import Topics
from scenarios.virtual.bare_wire import Known, Wire
from scenarios.virtual.host import Crash, Host, Starter
from scenarios.virtual.inbox import NEVER, Inbox
from scenarios.virtual.records import Records
from scenarios.virtual.signatures import Signatures

if TYPE_CHECKING:
    from scenarios.virtual.world import World

# Notes of the normal case, which nobody counts.
QUIET = frozenset(("prepare", "commit", "pre_prepare", "prepared", "committed", "certified", "stable"))


class Seat:
    """A place in the world where a replica runs, crashes and comes back. Twins are two places of one replica.

    A host uses: `replica_id`, `settings`, `topics`, `keys`, `sign`, `know`, `signatures`, `send`, `records`
    with `append` and `flush_records`, `executed`, `noted`. The rest is the world's.
    """

    def __init__(
        self,
        world: World,
        place: int,
        replica_id: int,
        settings: Settings,
        keys: PartyKeys,
        starter: Starter,
        *,
        correct: bool,
    ) -> None:
        self.world = world
        self.place = place
        self.replica_id = replica_id
        self.settings = settings
        self.keys = keys
        self.starter = starter
        self.correct = correct
        self.network_id = world.network_id
        self.topics: Topics = world.topics
        self.signatures: Signatures = world.signatures
        self.wire: Wire = world.wire
        self.know: Callable[[bytes], Known] = world.wire.know
        # This replica's signature under a message.
        self.sign: Callable[[ReplicaMessage], bytes] = partial(world.wire.sign, replica_id)
        self.broadcast = self.topics.broadcast(replica_id)
        self.records = Records()
        self.happened: Counter[str] = Counter()
        # The process.
        self.host: Host | None = None
        self.paused = False
        self.busy_us = 0  # Until then it computes, and takes no packet.
        self.inbox = Inbox(partial(world.wake_at, self))
        self.woken_us = NEVER  # When the agenda has it step.
        self.overdue = 0  # Ticks in a row that left the deadline behind.
        self.due_us = NEVER  # When its next timer is due, by the time of the world.
        self.skew_us = 0
        # Crash points.
        self.effects = 0
        self.crash_at: int | None = None
        self.crash_torn = False
        self.height = 0

    def send(self, topic: str, data: bytes) -> None:
        """Hand a packet to the network: for the own broadcast topic, an inbox, or the transactions."""
        if self.crash_at is None:
            self.effects += 1
        else:
            self.effect()
        self.world.sent(self, topic, data)

    def hears(self, packets: Sequence[bytes]) -> None:
        """These packets are handled: the world takes note of it before anything comes of them."""
        self.world.note_delivered(self, packets)

    def append(self, *bodies: bytes) -> None:
        """Append records to the bare journal, one effect each: a crash may come before any of them."""
        first = self.effects
        self.effects = first + len(bodies)
        if self.crash_at is None:
            self.records.extend(bodies)
            self.world.note_persisted(self, bodies)
            return
        if first <= self.crash_at < self.effects:
            # Half a record is none.
            bodies = bodies[: self.crash_at - first]
            self.records.extend(bodies)
            self.appended(*bodies)
            self.effects = self.crash_at + 1
            raise Crash
        self.records.extend(bodies)
        self.appended(*bodies)

    def appended(self, *bodies: bytes) -> None:
        """Records were appended to this replica's journal."""
        if bodies:
            self.world.note_persisted(self, bodies)

    def flush_records(self) -> None:
        """Make the bare journal durable."""
        self.effect()
        self.records.flush()
        self.flushed()

    def flushed(self) -> None:
        """All that was appended is durable."""
        world = self.world
        for call in world.watching.flushed:
            call(world.now_us, self.replica_id)

    def crash(self, *, power_cut: bool) -> bool:
        """The process is gone; whether a power cut took something with it."""
        crash = getattr(self.host, "crash", None)
        if crash is not None:
            return bool(crash(power_cut=power_cut))
        return power_cut and bool(self.records.power_cut())

    def executing(self) -> None:
        """The next batch is about to be executed."""
        self.effect()

    def executed(
        self, height: int, block: bytes, state_root: bytes, digest: bytes, requests: Sequence[bytes]
    ) -> None:
        """A batch was executed."""
        self.height = height
        self.world.executed(self, height, block, state_root, digest, requests)

    def noted(self, note: Note) -> None:
        """The core says why it did something; hosts leave out what is `QUIET`."""
        self.happened[note.reason if note.event == "ignored" else note.event] += 1
        if self.world.on_note is not None:
            self.world.on_note(self.replica_id, note)

    def effect(self, *, tearable: bool = False) -> bool:
        """Count an effect. Raises Crash at the one to crash at; True if that one is to be done by half."""
        number, self.effects = self.effects, self.effects + 1
        if number == self.crash_at:
            if self.crash_torn and tearable:
                return True
            raise Crash
        return False
