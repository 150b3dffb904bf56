"""Contributors and coordinators of a round who lie: with their real keys, and by the machines of honest ones.

Each tells `lied` when it lies. What follows is in rounds.py, unmasking.py and seats.py: the first two lies
stand on the ledger for everybody, a wrong total is found by each contributor, as is one that is kept back.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from node.aggregation.boxes import box
from node.aggregation.contributor import Contributor, Secrets
from node.aggregation.coordinator import Announce, Coordinator
from node.aggregation.masks import MODULUS
from node.aggregation.rounds import Round, Rounds
from node.chain.round_deeds import SHARE_BYTES, RoundDeal, RoundDeed, RoundValue

Lied = Callable[[], None]


class LyingContributor(Contributor):
    """One that says when it lies."""

    lied: Lied


class Misdealer(LyingContributor):
    """Deals the first of the others two shares that are not those it committed to."""

    def _deal(self, at: Round, secrets: Secrets) -> RoundDeal:
        honest = super()._deal(at, secrets)
        victim = next(name for name in at.members if name != self.name)
        seed, key = self._entropy(SHARE_BYTES), self._entropy(SHARE_BYTES)
        wrong = box(at.id, self.name, victim, at.joined[victim].share_key, seed, key)
        boxes = tuple(
            wrong if name == victim else right for name, right in zip(at.members, honest.boxes, strict=True)
        )
        self.lied()
        return msgspec.structs.replace(honest, boxes=boxes)


class TwoValued(LyingContributor):
    """Puts in two values; the first is its own."""

    def react(self, at: Round) -> list[RoundDeed]:
        deeds = super().react(at)
        for deed in [each for each in deeds if isinstance(each, RoundValue)]:
            self.lied()
            deeds.append(msgspec.structs.replace(deed, masked=(deed.masked + 1) % MODULUS))
        return deeds


class LyingCoordinator(Coordinator):
    """One that says when it lies."""

    lied: Lied


class WrongTotal(LyingCoordinator):
    """Announces one more than the sum, on the ledger and in the envelope alike."""

    def react(self, rounds: Rounds, at: Round, now_ms: int) -> list[RoundDeed | Announce]:
        said = super().react(rounds, at, now_ms)
        return [self._other(each) if isinstance(each, Announce) else each for each in said]

    def _other(self, thing: Announce) -> Announce:
        self.lied()
        return Announce(thing.total + 1, thing.salt, thing.present)


class WithheldTotal(LyingCoordinator):
    """Learns the total and says nothing more."""

    def react(self, rounds: Rounds, at: Round, now_ms: int) -> list[RoundDeed | Announce]:
        said = super().react(rounds, at, now_ms)
        if any(isinstance(each, Announce) for each in said):
            self.lied()
        return [each for each in said if not isinstance(each, Announce)]
