"""The coordinator's part of a round: it opens and closes the stages and learns the total.

It holds one key of its own for the round, with which it opens the releases, and no share: what it can compute
is the sum of those present, and any single value is behind masks of which it lacks one half. It can delay,
leave out whom it likes and end a round; it cannot have two sums of one round, nor a wrong one believed.
"""

from __future__ import annotations

from dataclasses import dataclass

from node.aggregation.rounds import DEALING, JOINING, RELEASING, SENDING, Round, Rounds
from node.aggregation.unmasking import Unmasked, unmask
from node.chain.round_deeds import (
    DEALT,
    JOINED,
    LEAST_CONTRIBUTORS,
    PRESENT,
    WHY_ENDED,
    RoundDeed,
    RoundEnd,
    RoundFix,
    RoundStart,
)
from node.envelopes.entropy import Entropy
from node.envelopes.wrapping import WrappingKey

PATIENCE_MS = 4000
"""How long each stage waits for those who have not done their part."""


@dataclass(frozen=True, slots=True, repr=False)
class Announce:
    """The total is known: to be sent to `present` in an envelope, and its hash recorded."""

    total: int
    salt: bytes
    present: tuple[str, ...]

    def __repr__(self) -> str:
        return "Announce(secret)"


class Coordinator:
    """One coordinator of one round."""

    def __init__(
        self,
        name: str,
        contributors: tuple[str, ...],
        field: str,
        entropy: Entropy,
        *,
        minimum: int = LEAST_CONTRIBUTORS,
        patience_ms: int = PATIENCE_MS,
    ) -> None:
        self.name = name
        self._share_key = WrappingKey.generate(entropy)
        self._patience_ms = patience_ms
        self._phase = ""
        self._since_ms = 0
        self._refused = 0  # How many of its deeds had no effect.
        self._answered = ""  # The phase in which it spoke last: it says each thing once.
        self.unmasked = Unmasked()
        self._releases_seen = 0
        self.start = RoundStart(tuple(sorted(contributors)), field, minimum, self._share_key.public.raw)

    def react(self, rounds: Rounds, at: Round, now_ms: int) -> list[RoundDeed | Announce]:
        """What it says now that the round stands like this. `now_ms` is any clock that does not run back."""
        if at.phase != self._phase:
            self._phase, self._since_ms = at.phase, now_ms
        refused = sum(place.author == self.name for place, _ in at.refused)
        if refused > self._refused:  # As when somebody is proved a liar between its word and its block.
            self._refused, self._answered = refused, ""
        if at.over or self._answered == at.phase:
            return []
        waited = now_ms - self._since_ms >= self._patience_ms
        said = self._in_phase(rounds, at, waited=waited)
        if said:
            self._answered = at.phase
        return said

    def _in_phase(self, rounds: Rounds, at: Round, *, waited: bool) -> list[RoundDeed | Announce]:
        if at.phase == JOINING:
            return self._close(
                at, JOINED, tuple(at.joined), at.start.contributors, "too few registered", waited
            )
        if at.phase == DEALING:
            honest = tuple(name for name in at.deals if name not in at.blamed)
            due = tuple(name for name in at.members if name not in at.blamed)
            return self._close(at, DEALT, honest, due, "too few dealt shares", waited)
        if at.phase == SENDING:
            ready = waited or set(at.values) >= set(at.dealers)
            if ready and len(at.values) >= at.least and rounds.tells(at, at.values):
                return [RoundEnd(at.id, WHY_ENDED.index("would give a value away"))]
            return self._close(at, PRESENT, tuple(at.values), at.dealers, "too few values", waited)
        return self._sum(at, waited=waited) if at.phase == RELEASING else []

    def _close(
        self, at: Round, stage: int, done: tuple[str, ...], due: tuple[str, ...], why: str, waited: bool
    ) -> list[RoundDeed | Announce]:
        """Go on once all are done, or with enough of them once it has waited; else end it."""
        if not waited and not set(done) >= set(due):
            return []
        if len(done) < at.least:
            return [RoundEnd(at.id, WHY_ENDED.index(why))]
        return [RoundFix(at.id, stage, tuple(sorted(done)))]

    def _sum(self, at: Round, *, waited: bool) -> list[RoundDeed | Announce]:
        if len(at.releases) >= max(at.needed, self._releases_seen + 1):
            self._releases_seen = len(at.releases)
            self.unmasked = unmask(at, self.name, self._share_key)
            if self.unmasked.total is not None:
                return [Announce(self.unmasked.total, self.unmasked.salt, at.present)]
        if not waited:
            return []
        why = "shares do not fit" if self.unmasked.liars else "too few released"
        return [RoundEnd(at.id, WHY_ENDED.index(why))]

    def secrets(self) -> list[tuple[str, bytes]]:
        """What nobody else may ever hold, with its kind: for the scan for leaks."""
        return [("share key", self._share_key.secret_bytes())]

    def __repr__(self) -> str:
        return f"Coordinator({self.name})"
