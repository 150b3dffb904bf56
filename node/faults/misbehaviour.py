"""A node that holds its real key and says what it should not: two things, nothing, too late, too much.

It acts on what a correct node hands out, after the votes in it are on the disk. So what was contradicted is
the node's own word, and after the fault it goes on as a correct node.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

import msgspec

from consensus.messages import Proposal, ReplicaMessage, Signed
from consensus.votes import Commit, Prepare
from node.canonical import encode
from node.consortium import Network
from node.faults.fault import Equivocate, Flood, Silent, Slow
from node.message_kinds import kind_of
from node.wire import decode_packet

# What one tick says at most. A flood that falls behind is not made up for.
FLOOD_AT_ONCE = 256
VOTES = frozenset({"prepare", "commit"})

Sign = Callable[[ReplicaMessage], bytes]
Lie = Equivocate | Silent | Slow | Flood
# Later by, to a replica or to all (None) or to a client (negative), the packet.
Word = tuple[int, int | None, bytes]

replace = msgspec.structs.replace


class Misbehaviour:
    """The lies of one replica, and what they make of each packet."""

    def __init__(
        self, replica_id: int, network: Network, sign: Sign, random: Random, touched: Counter[str]
    ) -> None:
        self._own = replica_id
        self._members = range(len(network.members))
        self._n = network.n
        self._epoch = network.settings(replica_id).epoch
        self._sign = sign
        self._random = random
        self._touched = touched
        self._lies: list[Lie] = []
        self._floods: dict[str, tuple[int, int]] = {}  # By id: when the next packet is due, and the interval.
        self._proposals_us = 0  # When the last proposal that is held leaves.

    def set(self, lies: list[Lie], now_us: int) -> None:
        """These are the active ones from now on."""
        self._lies = lies
        floods = {lie.id: 1_000_000 // lie.rate for lie in lies if isinstance(lie, Flood)}
        self._floods = {
            name: (self._floods.get(name, (now_us, 0))[0], interval_us)
            for name, interval_us in floods.items()
        }

    # What the node hands out.

    def says(self, to: int | None, packet: bytes, now_us: int) -> list[Word]:
        """What this replica says in the place of a packet."""
        words: list[Word] = [(0, to, packet)]
        for lie in self._lies:
            if isinstance(lie, Equivocate):
                words = [each for word in words for each in self._two_things(lie, word)]
            elif isinstance(lie, Slow):
                words = [self._late(lie, word, now_us) for word in words]
            elif isinstance(lie, Silent):
                words = [each for word in words for each in self._not_to(lie, word)]
        return words

    def _two_things(self, lie: Equivocate, word: Word) -> list[Word]:
        """One half hears the truth, the other a lie, and one of the first half hears both.

        The first half is the larger one, so that four voters still decide, and proof of the lie stays with
        somebody who is heard. Who is in which half moves on with each sequence number.
        """
        later_us, to, packet = word
        others = [voter for voter in range(self._n) if voter != self._own]
        found = self._contradiction(packet) if to is None and self._own < self._n and others else None
        if found is None:
            return [word]
        sequence, lying = found
        self._touched[lie.id] += 1
        first = sequence % len(others)
        others = others[first:] + others[:first]
        half = (len(others) + 1) // 2
        followers = self._members[self._n :]
        told = [(later_us, each, packet) for each in (*others[:half], *followers)]
        return [*told, *((later_us, each, lying) for each in (others[half - 1], *others[half:]))]

    def _contradiction(self, packet: bytes) -> tuple[int, bytes] | None:
        """The sequence number of a proposal or vote, and another one in its place: always the same."""
        kind = kind_of(packet)
        if kind != "pre-prepare" and kind not in VOTES:
            return None
        said = decode_packet(packet)
        if isinstance(said, Proposal):
            batch = replace(said.batch, time_ms=said.batch.time_ms + 1)
            proposed = replace(said.pre_prepare, digest=batch.digest())
            return batch.sequence, encode(Proposal(proposed, self._sign(proposed), batch))
        assert isinstance(said, Signed)
        vote = said.message
        if not isinstance(vote, Prepare | Commit):
            return None
        other = replace(vote, digest=bytes(byte ^ 0x55 for byte in vote.digest))
        return vote.sequence, encode(Signed(other, self._sign(other)))

    def _late(self, lie: Slow, word: Word, now_us: int) -> Word:
        later_us, to, packet = word
        if kind_of(packet) != "pre-prepare":
            return word
        self._touched[lie.id] += 1
        self._proposals_us = max(now_us + later_us + lie.by_us, self._proposals_us)
        return self._proposals_us - now_us, to, packet

    def _not_to(self, lie: Silent, word: Word) -> list[Word]:
        later_us, to, packet = word
        if lie.targets is None or to in lie.targets:
            self._touched[lie.id] += 1
            return []
        if to is not None:
            return [word]
        self._touched[lie.id] += 1
        hearers = [each for each in self._members if each != self._own and each not in lie.targets]
        return [(later_us, each, packet) for each in hearers]

    # What it says besides.

    @property
    def due_us(self) -> int | None:
        """When `floods` wants to be called, None for never."""
        return min((due_us for due_us, _ in self._floods.values()), default=None)

    def floods(self, now_us: int) -> list[bytes]:
        """What is due of every flood."""
        said: list[bytes] = []
        for name, (due_us, interval_us) in self._floods.items():
            if due_us > now_us:
                continue
            count = min((now_us - due_us) // interval_us + 1, FLOOD_AT_ONCE)
            due_us += count * interval_us
            self._floods[name] = (due_us if due_us > now_us else now_us + interval_us, interval_us)
            self._touched[name] += count
            said += [self._useless() for _ in range(count)]
        return said

    def _useless(self) -> bytes:
        """What nobody can use: bytes of nothing, a vote that nobody signed, a vote of another epoch.

        None of it contradicts anything: a flood is no equivocation.
        """
        kind = self._random.randrange(3)
        if kind == 0:
            return self._random.randbytes(self._random.randint(1, 200))
        sequence, digest = self._random.randrange(1, 1 << 20), self._random.randbytes(32)
        if kind == 1:
            # Of a sequence number that no checkpoint can cover yet, or its signature would not be looked at.
            vote = Commit(self._epoch, 0, (1 << 40) + sequence, digest, self._own)
            return encode(Signed(vote, self._random.randbytes(64)))
        vote = Commit(self._epoch + 1, 0, (1 << 40) + sequence, digest, self._own)
        return encode(Signed(vote, self._sign(vote)))
