"""What a checker knows beforehand, and what it says when an invariant is broken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from scenarios.checkers.signing import Check


class InvariantBroken(AssertionError):
    """A correct replica did what none may do, at a virtual time in microseconds."""

    def __init__(self, invariant: str, what: str, at_us: int, replica: int | None = None) -> None:
        super().__init__(f"{invariant} at {at_us} µs, replica {replica}: {what}")
        self.invariant, self.what, self.at_us, self.replica = invariant, what, at_us, replica


def smallest_quorum(n: int) -> int:
    """The smallest size whose sets share more than f of n members, found by trying."""
    return next(size for size in range(1, n + 1) if 2 * size - n > most_faulty(n))


def most_faulty(n: int) -> int:
    """The largest f with n > 3 f, found by trying."""
    return max(f for f in range(n) if n > 3 * f)


@dataclass(slots=True)
class Facts:
    """The network, who is correct (I0), and counters of what was seen and checked."""

    n: int
    network_id: bytes
    check: Check
    window: int
    epoch: int = 0
    faulty: dict[int, str] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)
    checked: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.quorum = smallest_quorum(self.n)
        self.f = most_faulty(self.n)
        self.correct = [voter not in self.faulty for voter in range(self.n)]
        self.correct_bits = sum(1 << voter for voter in range(self.n) if self.correct[voter])

    quorum: int = 0
    f: int = 0
    correct: list[bool] = field(default_factory=list)
    correct_bits: int = 0  # The same, one bit for each voter.

    def declare_faulty(self, replicas: Iterable[int], why: str) -> None:
        """These are not correct any more: Byzantine, twinned, or without what they had written down."""
        for replica in replicas:
            self.faulty.setdefault(replica, why)
            if replica < self.n:
                self.correct[replica] = False
                self.correct_bits &= ~(1 << replica)

    @property
    def out_of_model(self) -> bool:
        """More than f voters are faulty: forks are counted, and are nobody's bug."""
        return sum(1 for replica in self.faulty if replica < self.n) > self.f

    def is_correct(self, replica: int) -> bool:
        """Whether this one is held to the rules; followers too, while nothing is known against them."""
        return self.correct[replica] if replica < self.n else replica not in self.faulty

    def broken(self, invariant: str, what: str, at_us: int, replica: int | None = None) -> None:
        """Say so, unless agreement cannot be expected any more."""
        if self.out_of_model and invariant in ("I1", "I2", "I3", "I9"):
            self.seen["fork"] += invariant in ("I1", "I2")
            return
        raise InvariantBroken(invariant, what, at_us, replica)
