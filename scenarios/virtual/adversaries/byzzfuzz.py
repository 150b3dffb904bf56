"""Small-scope mutations (ByzzFuzz, OOPSLA 2023): one field, by one, or an earlier value, now and then.

Few faulty rounds with few small changes find the mistakes of real implementations sooner than wild ones do.
"""

from __future__ import annotations

from collections import defaultdict
from random import Random
from typing import Any

import msgspec

from consensus.messages import FetchedBatch, Proposal
from scenarios.virtual.adversaries.liar import Behaviour, Liar, Lies, Packet

replace = msgspec.structs.replace
FIELDS = ("view", "sequence", "digest", "block", "epoch")
MOST_ROUNDS, MOST_CHANGES = 6, 3


class SmallScope(Behaviour):
    """Follows the protocol but for a few of its messages."""

    def __init__(self, host: Liar, random: Random) -> None:
        super().__init__(host, random)
        self._chance = random.choice([0.05, 0.2])
        self._left = MOST_ROUNDS * MOST_CHANGES
        self._earlier: dict[str, list[Any]] = defaultdict(list)

    def says(self, packet: Packet, to: int | None) -> Lies:
        if isinstance(packet, FetchedBatch):
            yield packet, to
            return
        message: Any = packet.pre_prepare if isinstance(packet, Proposal) else packet.message
        names = [name for name in FIELDS if hasattr(message, name)]
        mutate = self._left > 0 and names and self.random.random() < self._chance
        changed = self._mutated(message, names) if mutate else None
        for name in names:
            self._earlier[name].append(getattr(message, name))
        if changed is None or changed == message:
            yield packet, to
            return
        self.lies(next(name for name in names if getattr(changed, name) != getattr(message, name)))
        self._left -= 1
        lie: Packet
        if isinstance(packet, Proposal):
            lie = Proposal(changed, self.host.sign(changed), packet.batch)
        else:
            lie = self.signed(changed)
        victims = self.random.sample(self.others, self.random.randint(1, len(self.others)))
        for each in self.others if to is None else [to]:
            yield (lie if each in victims else packet), each

    def _mutated(self, message: Any, names: list[str]) -> Any:
        name = self.random.choice(names)
        value = getattr(message, name)
        earlier = self._earlier[name]
        if earlier and (isinstance(value, bytes) or self.random.random() < 0.5):
            return replace(message, **{name: self.random.choice(earlier[-8:])})
        if isinstance(value, bytes):
            return None
        return replace(message, **{name: max(1, value + self.random.choice([-1, 1]))})


def small_scope(host: Liar, random: Random) -> Behaviour:
    """The behaviour, with its chances drawn."""
    return SmallScope(host, random)
