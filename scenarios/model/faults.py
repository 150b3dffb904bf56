"""A fault of a checked scenario: what breaks, when, where and for how long."""

from __future__ import annotations

from dataclasses import dataclass

from scenarios.model.starts import When
from scenarios.model.units import (
    Range,
    Rate,
    format_delay,
    format_duration,
    format_offset,
    format_percent,
    format_rate,
)

# Whoever does this has lied or may have forgotten a vote, and counts as faulty for the life of the network.
_BYZANTINE = ("equivocate", "silent", "censor", "slow", "flood", "corrupt-disk")
# These are done by a party's client; its node is correct.
TWO_TALES = "two-tales"
BAD_SHARE, WITHHOLD_SHARE, INCONSISTENT_SHARES = "bad-share", "withhold-share", "inconsistent-shares"
TWO_VALUES, WRONG_TOTAL, WITHHOLD_TOTAL = "two-values", "wrong-total", "withhold-total"
LIES = (BAD_SHARE, WITHHOLD_SHARE, INCONSISTENT_SHARES, TWO_VALUES, WRONG_TOTAL, WITHHOLD_TOTAL)
CLIENT_KINDS = (TWO_TALES, *LIES)
_INSTANT = ("corrupt-disk", "broker-restart")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `for_ms` is None when it lasts to the end, or is over at once (`instant`).

    `nodes` are parties in full, and the selectors primary, backups and voters, which are looked up when the
    fault begins. A partition has `groups` in place of `nodes`, or `nodes` against all others. Empty `to` and
    `messages` mean all; `of` are those whose transactions are censored. What a kind does not have is empty.
    """

    id: str
    line: int
    at: When
    kind: str
    nodes: tuple[str, ...] = ()
    for_ms: int | None = None
    groups: tuple[tuple[str, ...], ...] = ()
    one_way: bool = False
    by_us: Range | None = None
    chance: float = 0.0
    to: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
    of: tuple[str, ...] = ()
    rate: Rate | None = None
    disk: str = "keep"

    @property
    def transactions(self) -> tuple[str, ...]:
        """The ids of its transactions: none."""
        return ()

    @property
    def byzantine(self) -> bool:
        """Whether its nodes count as faulty for good, also when it is over."""
        return self.kind in _BYZANTINE or self.disk == "lose"

    @property
    def instant(self) -> bool:
        """Whether it is over as soon as it was done."""
        return self.kind in _INSTANT

    @property
    def ends(self) -> bool:
        """Whether there is a time after it, before the run ends."""
        return self.instant or self.for_ms is not None

    def describe(self) -> str:
        """In a few words: `crash primary for 8s`, `loss 30% bank-a to bank-b`."""
        return " ".join((self.kind, *self._how(), *self._where(), *self._how_long()))

    def _how(self) -> list[str]:
        words = [format_percent(self.chance)] if self.chance else []
        if self.by_us is not None:
            words.append(format_offset(self.by_us) if self.kind == "skew" else format_delay(self.by_us))
        if self.rate is not None:
            words.append(format_rate(self.rate))
        if self.one_way:
            words.append("one way")
        return [*words, *self.messages]

    def _where(self) -> list[str]:
        sides = [" ".join(group) for group in self.groups or (self.nodes,)]
        words = [" | ".join(side for side in sides if side)]
        words += [f"to {' '.join(self.to)}"] if self.to else []
        words += [f"of {' '.join(self.of)}"] if self.of else []
        return [word for word in words if word]

    def _how_long(self) -> list[str]:
        lasting = [f"for {format_duration(self.for_ms)}"] if self.for_ms is not None else []
        return [*lasting, "without its disk"] if self.disk == "lose" else lasting
