"""A replica whose packets pass through a behaviour before they leave."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from random import Random
from typing import Any

import msgspec

from consensus.messages import FetchedBatch, Proposal, ReplicaMessage, Signed
from consensus.output import Relay, Send
from consensus.votes import Batch, PrePrepare, encode
from scenarios.virtual.bare_host import BareHost
from scenarios.virtual.host import Starter
from scenarios.virtual.seat import Seat

Packet = Signed | Proposal | FetchedBatch
Lies = Iterable[tuple[Packet, int | None]]


class Behaviour:
    """Follows the protocol. Subclasses lie, and count in `did` how often."""

    def __init__(self, host: Liar, random: Random) -> None:
        self.host = host
        self.random = random

    @property
    def did(self) -> int:
        """How often this replica lied in its whole life."""
        return self.host.seat.happened["lied"]

    @did.setter
    def did(self, count: int) -> None:
        self.host.seat.happened["lied"] = count

    def lies(self, kind: str) -> None:
        """Count a lie, and of which kind it is."""
        self.did += 1
        self.host.seat.happened[f"lied: {kind}"] += 1

    def says(self, packet: Packet, to: int | None) -> Lies:
        """What is sent in place of a packet, to whom; None is everybody."""
        return [(packet, to)]

    def hears(self, data: bytes) -> None:
        """A packet of another replica or of a client came in."""

    def ticks(self) -> Lies:
        """What is said besides whenever a timer acts."""
        return []

    def takes(self, request: Any) -> bool:
        """Whether a client's request is noticed."""
        return True

    # What lies are made of.

    @property
    def others(self) -> list[int]:
        """All other replicas."""
        return [i for i in self.host.members if i != self.host.replica_id]

    def signed(self, message: ReplicaMessage) -> Signed:
        """A message with this replica's real signature, whatever it says."""
        return Signed(message, self.host.sign(message))

    def proposed(self, vote: PrePrepare, batch: Batch) -> Proposal:
        """The proposal of a batch in the place of another."""
        vote = msgspec.structs.replace(vote, sequence=batch.sequence, digest=batch.digest())
        return Proposal(vote, self.host.sign(vote), batch)

    def halves(self) -> tuple[list[int], list[int]]:
        """The others, in two parts, by chance."""
        others = list(self.others)
        self.random.shuffle(others)
        cut = self.random.randint(1, max(1, len(others) - 1))
        return sorted(others[:cut]), sorted(others[cut:])

    def told_apart(self, first: Packet, second: Packet) -> Iterator[tuple[Packet, int | None]]:
        """One thing to some, another to the rest."""
        self.did += 1
        here, there = self.halves()
        for to in here:
            yield first, to
        for to in there:
            yield second, to


class Liar(BareHost):
    """A bare host with a behaviour."""

    def __init__(self, seat: Seat, make: Callable[[Liar], Behaviour]) -> None:
        self.members = list(seat.world.members)
        self.seat = seat
        self.replica_id = seat.replica_id
        self.sign = seat.sign
        self.behaviour = make(self)
        super().__init__(seat)

    def _send(self, send: Any) -> None:
        if isinstance(send, Relay):
            super()._send(send)
            return
        for packet, to in self.behaviour.says(send.packet, send.to):
            self.say(packet, to)

    def say(self, packet: Packet, to: int | None) -> None:
        """Release a packet as it is."""
        super()._send(Send(packet, to))

    def repeat(self, data: bytes, to: int) -> None:
        """Release bytes as they once came in, whoever signed them."""
        self.seat.send(self.seat.topics.inbox_of(to), data)

    def handle(self, data: bytes, now_ms: int) -> None:
        self.behaviour.hears(data)
        super().handle(data, now_ms)

    def tick(self, now_ms: int) -> None:
        super().tick(now_ms)
        for packet, to in self.behaviour.ticks():
            self.say(packet, to)

    def _on_request(self, request: Any) -> None:
        if self.behaviour.takes(request):
            super()._on_request(request)


def starter(make: Callable[[Liar], Behaviour]) -> Starter:
    """Starts liars of one behaviour."""
    return lambda seat: Liar(seat, make)


def other_digest(digest: bytes) -> bytes:
    """A digest of nothing."""
    return bytes(byte ^ 0x55 for byte in digest)


__all__ = ["Behaviour", "Liar", "Lies", "Packet", "encode", "other_digest", "starter"]
