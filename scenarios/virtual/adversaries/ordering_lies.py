"""Lies about order: two batches for one place, votes for nothing, batches that nobody may accept."""

from __future__ import annotations

from typing import Any

import msgspec

from consensus.messages import Proposal, Signed
from consensus.votes import Commit, Prepare
from scenarios.virtual.adversaries.liar import Behaviour, Lies, Packet, other_digest
from scenarios.virtual.host import Crash

replace = msgspec.structs.replace


class EquivocatingPrimary(Behaviour):
    """As primary tells some backups one batch and the others another, and prepares both."""

    def says(self, packet: Packet, to: int | None) -> Lies:
        if not isinstance(packet, Proposal):
            yield packet, to
            return
        vote, batch = packet.pre_prepare, packet.batch
        kept = batch.requests[: self.random.randint(0, max(0, len(batch.requests) - 1))]
        other = self.proposed(
            vote, replace(batch, time_ms=batch.time_ms + 1, requests=kept or batch.requests)
        )
        if self.random.random() < 0.2:
            self.lies("both to all")
            yield packet, to
            yield other, to
        else:
            yield from self.told_apart(packet, other)
        if self.random.random() < 0.3:
            self.lies("prepares both")
            for each in (packet, other):
                first = each.pre_prepare
                fields = (first.epoch, first.view, first.sequence, first.digest, first.replica)
                yield self.signed(Prepare(*fields)), None


class EquivocatingVoter(Behaviour):
    """Votes for two digests, each towards another part of the others."""

    def says(self, packet: Packet, to: int | None) -> Lies:
        vote = packet.message if isinstance(packet, Signed) else None
        if isinstance(vote, Prepare | Commit) and self.random.random() < 0.7:
            lie = replace(vote, digest=other_digest(vote.digest))
            return self.told_apart(packet, self.signed(lie))
        return [(packet, to)]


class PreparingPrimary(Behaviour):
    """Prepares its own proposals, as if a pre-prepare were not its vote (R5)."""

    def says(self, packet: Packet, to: int | None) -> Lies:
        yield packet, to
        if isinstance(packet, Proposal):
            vote = packet.pre_prepare
            self.did += 1
            fields = (vote.epoch, vote.view, vote.sequence, vote.digest, vote.replica)
            yield self.signed(Prepare(*fields)), None


class WrongDigest(Behaviour):
    """Votes for digests of nothing, and proposes batches under the digest of another."""

    def says(self, packet: Packet, to: int | None) -> Lies:
        vote = packet.message if isinstance(packet, Signed) else None
        if isinstance(vote, Prepare | Commit) and self.random.random() < 0.5:
            self.did += 1
            return [(self.signed(replace(vote, digest=other_digest(vote.digest))), to)]
        if isinstance(packet, Proposal) and self.random.random() < 0.5:
            self.did += 1
            return [(Proposal(packet.pre_prepare, packet.signature, replace(packet.batch, time_ms=1)), to)]
        return [(packet, to)]


class InvalidBatch(Behaviour):
    """Proposes what no correct backup accepts: requests twice, unknown, none at all, at impossible times."""

    def says(self, packet: Packet, to: int | None) -> Lies:
        if not isinstance(packet, Proposal) or self.random.random() < 0.3:
            return [(packet, to)]
        batch = packet.batch
        changes: dict[str, dict[str, Any]] = {
            "requests twice": {"requests": batch.requests * 2},
            "no request": {"requests": ()},
            "an unknown request": {"requests": (*batch.requests, bytes([self.did % 256]) * 32)},
            "a time long past": {"time_ms": 0},
            "a time far ahead": {"time_ms": batch.time_ms + 10_000_000},
            "another proposer": {"proposer": (batch.proposer + 1) % len(self.host.members)},
        }
        kind = self.random.choice(list(changes))
        self.lies(kind)
        lie = replace(batch, **changes[kind])
        return [(self.proposed(packet.pre_prepare, lie), to)]


class OutOfWindow(Behaviour):
    """Proposes and votes at the edges of the window and far beyond it (R11)."""

    def says(self, packet: Packet, to: int | None) -> Lies:
        yield packet, to
        window, low = self.host.seat.settings.window, self.host.replica.low_watermark
        places = {"low": low, "high": low + window, "above high": low + window + 1, "far": 2**52}
        name = self.random.choice([name for name, place in places.items() if place > 0])
        place = places[name]
        if isinstance(packet, Proposal):
            self.lies(name)
            yield self.proposed(packet.pre_prepare, replace(packet.batch, sequence=place)), None
        elif isinstance(packet, Signed) and isinstance(packet.message, Prepare | Commit):
            self.lies(name)
            yield self.signed(replace(packet.message, sequence=place)), None


class Censor(Behaviour):
    """Does not notice half of all requests, and as primary does not order them (R19 i)."""

    def takes(self, request: Any) -> bool:
        censored = bool(request.id[0] & 1)
        self.did += censored
        return not censored


class SlowPrimary(Behaviour):
    """As primary holds each proposal back for nearly as long as the others wait."""

    def says(self, packet: Packet, to: int | None) -> Lies:
        if not isinstance(packet, Proposal):
            return [(packet, to)]
        self.did += 1
        host = self.host
        delay_ms = host.seat.settings.view_timeout_ms * 8 // 10

        def later() -> None:
            if host.seat.host is host:
                try:
                    host.say(packet, to)
                except Crash:
                    host.seat.world.crash(host.seat.place)

        host.seat.world.after(delay_ms, later)
        return []
