"""From the model of a fault to a fault: names in full, and the checks that need all of the file."""

from __future__ import annotations

from collections.abc import Sequence

from scenarios.model.complaints import Complaints
from scenarios.model.fault_steps import (
    CrashStep,
    FaultStep,
    PartitionStep,
    RestartStep,
    SlowStep,
)
from scenarios.model.faults import CLIENT_KINDS, TWO_TALES, Fault
from scenarios.model.names import SELECTORS, meant
from scenarios.model.source import Path
from scenarios.model.starts import Trigger, when_of
from scenarios.model.units import Range
from scenarios.model.wording import listed

# Followers take no part in the order, so that these would do nothing there.
_VOTERS_ONLY = {"equivocate": "equivocate", "censor": "censor", "slow": "be slow to propose"}


class FaultResolver:
    """Makes faults of the steps that say them. `names` are all parties, `voters` those that vote."""

    def __init__(self, names: Sequence[str], voters: Sequence[str], complaints: Complaints) -> None:
        self._names = names
        self._voters = voters
        self._complaints = complaints

    def fault(self, step: FaultStep, path: Path, line: int) -> Fault:
        """The fault. It is good only if nothing was complained about."""
        nodes = self._nodes(getattr(step, "nodes", None))
        groups = self._groups(step, path)
        if step.kind in _VOTERS_ONLY:
            self._check_voters(step, nodes, path)
        if step.kind in CLIENT_KINDS:
            self._check_liars(step, nodes, path)
        if isinstance(step, PartitionStep) and nodes and not set(self._names) - set(nodes):
            message = "all parties are named, so that nobody stands on the other side"
            self._complaints.at((*path, "nodes"), "E-VALUE", message)
        return Fault(
            id=step.id,
            line=line,
            at=when_of(step.at),
            kind=step.kind,
            nodes=nodes,
            for_ms=getattr(step, "for_", None),
            groups=groups,
            one_way=isinstance(step, PartitionStep) and step.one_way,
            by_us=_by_us(step),
            chance=getattr(step, "chance", 0.0),
            to=self._narrowed(getattr(step, "to", "*")),
            messages=tuple(getattr(step, "messages", None) or ()),
            of=meant(getattr(step, "of", ()), self._names),
            rate=getattr(step, "rate", None),
            disk=step.disk if isinstance(step, CrashStep | RestartStep) else "keep",
        )

    def _nodes(self, patterns: str | Sequence[str] | None) -> tuple[str, ...]:
        """Selectors as they are, then parties in the order of the file, each once."""
        wanted = [patterns] if isinstance(patterns, str) else patterns or ()
        selectors = tuple(dict.fromkeys(word for word in wanted if word in SELECTORS))
        return (*selectors, *meant([word for word in wanted if word not in SELECTORS], self._names))

    def _narrowed(self, patterns: str | Sequence[str]) -> tuple[str, ...]:
        return () if patterns == "*" else meant(patterns, self._names)

    def _groups(self, step: FaultStep, path: Path) -> tuple[tuple[str, ...], ...]:
        if not isinstance(step, PartitionStep) or step.groups is None:
            return ()
        side: dict[str, str] = {}
        groups = {name: meant(patterns, self._names) for name, patterns in step.groups.items()}
        for name, parties in groups.items():
            twice = [party for party in parties if side.setdefault(party, name) != name]
            if twice:
                message = f"{twice[0]} is in {side[twice[0]]} already"
                self._complaints.at((*path, "groups", name), "E-VALUE", message)
        return tuple(groups.values())

    def _check_voters(self, step: FaultStep, nodes: Sequence[str], path: Path) -> None:
        others = [name for name in nodes if name not in self._voters and name not in SELECTORS]
        if others:
            verb = "does not vote" if len(others) == 1 else "do not vote"
            message = f"{listed(others)} {verb}; only voters can {_VOTERS_ONLY[step.kind]}"
            self._complaints.at((*path, "nodes"), "E-VALUE", message)

    def _check_liars(self, step: FaultStep, nodes: Sequence[str], path: Path) -> None:
        """Who is deceived must be known beforehand, or nobody could say who was to read what."""
        if any(name in SELECTORS for name in nodes):
            message = "clients lie, and not whoever leads or votes at that moment: name the parties"
            self._complaints.at((*path, "nodes"), "E-VALUE", message)
        what = "two tales begin" if step.kind == TWO_TALES else f"{step.kind} begins"
        if isinstance(step.at, Trigger):
            self._complaints.at((*path, "at"), "E-VALUE", f"{what} at a time, like 5s")


def _by_us(step: FaultStep) -> Range | None:
    if isinstance(step, SlowStep):
        return Range(step.by * 1000, step.by * 1000)
    by: Range | None = getattr(step, "by", None)
    return by
