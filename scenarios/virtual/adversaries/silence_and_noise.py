"""Saying nothing, too much, the same again, and what was never asked."""

from __future__ import annotations

from collections import deque
from random import Random
from typing import Any

import msgspec

from consensus.messages import Fetch, FetchBatch, FetchedBatch, Signed, Status, ViewChange
from consensus.votes import BlockVote, Commit, Prepare
from scenarios.virtual.adversaries.liar import Behaviour, Liar, Lies, Packet, other_digest

replace = msgspec.structs.replace
FLOOD_MOST = 2_000


class Silent(Behaviour):
    """Hears everything and says nothing."""

    def says(self, packet: Packet, to: int | None) -> Lies:
        self.did += 1
        return []


class SelectivelySilent(Behaviour):
    """Does not speak to some, always the same."""

    def __init__(self, host: Liar, random: Random) -> None:
        super().__init__(host, random)
        self._heard_by, _ = self.halves()

    def says(self, packet: Packet, to: int | None) -> Lies:
        self.did += 1
        return [(packet, each) for each in self._heard_by if to is None or to == each]


class StaleViews(Behaviour):
    """Votes in views that are past."""

    def says(self, packet: Packet, to: int | None) -> Lies:
        vote = packet.message if isinstance(packet, Signed) else None
        if isinstance(vote, Prepare | Commit) and vote.view > 0 and self.random.random() < 0.5:
            self.did += 1
            return [(self.signed(replace(vote, view=self.random.randrange(vote.view))), to)]
        return [(packet, to)]


class FutureViews(Behaviour):
    """Votes in views far ahead, and asks for them (R15, R37)."""

    def says(self, packet: Packet, to: int | None) -> Lies:
        yield packet, to
        vote = packet.message if isinstance(packet, Signed) else None
        if isinstance(vote, Prepare | Commit):
            self.did += 1
            view = vote.view + self.random.choice([1, 2, 2**20, 2**52])
            yield self.signed(replace(vote, view=view)), None
            epoch, replica = vote.epoch, vote.replica
            yield self.signed(ViewChange(epoch, view, None, (), replica)), None


class Flood(Behaviour):
    """Says a lot that is none of anybody's business, up to a bound."""

    def ticks(self) -> Lies:
        host, random = self.host, self.random
        for _ in range(20):
            if self.did >= FLOOD_MOST:
                return
            self.did += 1
            place, digest = random.randrange(1, 2**20), random.randbytes(32)
            me = host.replica_id
            message: Any = random.choice(
                [
                    Prepare(0, random.randrange(4), place, digest, me),
                    Commit(0, random.randrange(4), place, digest, me),
                    BlockVote(0, place, digest, me),
                    Status(0, random.randrange(2**30), place, digest, digest, bytes(8), me),
                    Fetch(0, random.randrange(1, 50), me),
                    FetchBatch(0, random.randrange(1, 50), digest, me),
                    ViewChange(0, random.randrange(1, 2**40), None, (), me),
                ]
            )
            yield self.signed(message), random.choice([None, *self.others])


class Replay(Behaviour):
    """Repeats what it said long ago, and what others told it, now to these and now to those."""

    def __init__(self, host: Liar, random: Random) -> None:
        super().__init__(host, random)
        self._said: deque[Packet] = deque(maxlen=200)
        self._heard: deque[bytes] = deque(maxlen=200)

    def hears(self, data: bytes) -> None:
        self._heard.append(data)

    def says(self, packet: Packet, to: int | None) -> Lies:
        self._said.append(packet)
        yield packet, to
        if self.random.random() < 0.5:
            self.lies("own words again")
            yield self.random.choice(list(self._said)), self.random.choice([None, *self.others])

    def ticks(self) -> Lies:
        if self._heard and self.random.random() < 0.5:
            self.lies("the words of others again")
            self.host.repeat(self.random.choice(list(self._heard)), self.random.choice(self.others))
        return []


class LyingAnswers(Behaviour):
    """Says that it has executed what nobody has, votes for other blocks, answers with other batches."""

    def says(self, packet: Packet, to: int | None) -> Lies:
        message = packet.message if isinstance(packet, Signed) else None
        if isinstance(message, Status):
            self.lies("another height")
            far = replace(message, sequence=message.sequence + self.random.choice([1, 5, 1000]))
            return [(self.signed(far), to)]
        if isinstance(message, BlockVote) and self.random.random() < 0.5:
            self.lies("another block")
            return [(self.signed(replace(message, block=other_digest(message.block))), to)]
        if isinstance(packet, FetchedBatch):
            self.lies("another batch")
            return [(FetchedBatch(replace(packet.batch, time_ms=7)), to)]
        return [(packet, to)]
