"""What PBFT says beforehand of faults that are on together: whether the network goes on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from consensus.quorum import max_faulty, quorum
from scenarios.faults.record import FaultRecord

# Nodes of these take no part in the order. Those that lie take part, and count as faulty.
_AWAY = frozenset(("crash", "restart", "pause", "disconnect", "corrupt-disk", "silent"))
_BROKER = frozenset(("broker-restart", "broker-outage"))


@dataclass(frozen=True, slots=True)
class Prediction:
    """Whether blocks can still be made: `away` voters take no part, `faulty` ones may lie or forget."""

    away: int
    faulty: int
    voters: int
    goes_on: bool
    broker: bool
    primary: bool
    cut: bool  # Some of those that are away run, and are cut off.

    @property
    def text(self) -> str:
        """`2 of 7 down: continues`, `3 of 7 down: stops, correctly`."""
        if self.broker:
            return "no broker, so no voter hears another: stops, correctly"
        how = "missing" if self.cut else "down"
        parts = [f"{self.away} of {self.voters} {how}"] if self.away or not self.faulty else []
        parts += [f"{self.faulty} of {self.voters} may lie"] if self.faulty else []
        what = " and ".join(parts)
        if self.faulty > max_faulty(self.voters):
            return f"{what}: more than {max_faulty(self.voters)} liars, nothing is promised"
        if not self.goes_on:
            return f"{what}: stops, correctly"
        return f"{what}: continues" + (", after a view change: it is the primary" if self.primary else "")


def predict(records: Iterable[FaultRecord], voters: Sequence[str], primary: str) -> Prediction:
    """What follows from these faults, which are or were on, among `voters` of whom `primary` leads."""
    away: set[str] = set()
    faulty: set[str] = set()
    broker = cut = False
    for record in records:
        if record.counts:
            faulty |= set(record.nodes) & set(voters)  # For good, also when it is over.
        if not record.active:
            continue
        broker |= record.kind in _BROKER
        if record.kind in _AWAY and not record.to:
            away |= set(record.nodes)
        elif record.kind == "partition":
            sides = [set(group) & set(voters) for group in record.groups]
            largest = max(sides, key=len, default=set())
            cut_off = set().union(*sides) - largest
            away |= cut_off
            cut |= bool(cut_off)
    gone = away & set(voters)
    goes_on = not broker and len(voters) - len(gone) >= quorum(len(voters))
    return Prediction(len(gone), len(faulty - gone), len(voters), goes_on, broker, primary in gone, cut)
