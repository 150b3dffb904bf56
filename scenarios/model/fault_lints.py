"""Warnings about faults: more than the consortium tolerates, and those that nothing will notice.

Who leads when a fault begins is not known beforehand, so the worst is assumed: another each time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scenarios.model.faults import LIES, Fault
from scenarios.model.lies import tells
from scenarios.model.names import SELECTORS
from scenarios.model.plan import PlannedSend
from scenarios.model.scenario import EvidenceKept, Progress, Scenario, Stall
from scenarios.model.units import format_duration
from scenarios.model.warnings import Warning
from scenarios.model.wording import listed

_STOPPED = ("crash", "restart", "pause", "disconnect", "partition")


@dataclass(frozen=True, slots=True)
class _Harm:
    """Voters that a fault makes faulty from `start` to `end`: some by name, and so many unknown ones."""

    fault: Fault
    start: float
    end: float
    named: frozenset[str]
    unknown: int


def fault_lints(scenario: Scenario, sends: Sequence[PlannedSend]) -> Iterator[Warning]:
    """Every warning about the faults of a scenario."""
    harms = [_harm(fault, scenario.voters) for fault in scenario.faults if _counts(fault)]
    yield from _too_many_at_once(scenario, harms)
    yield from _out_of_model(scenario, [harm for harm in harms if harm.fault.byzantine])
    yield from _unnoticed(scenario, sends)


def _too_many_at_once(scenario: Scenario, harms: Sequence[_Harm]) -> Iterator[Warning]:
    stalls = {rule.during for rule in scenario.expectations if isinstance(rule, Stall)}
    for begun in sorted(harms, key=lambda harm: harm.start):
        active = [harm for harm in harms if harm.start <= begun.start < harm.end]
        count = _most(active, len(scenario.voters))
        if count > scenario.faulty_voters and not any(harm.fault.id in stalls for harm in active):
            ids = [harm.fault.id for harm in active]
            when = "" if begun.start < 0 else f" at {format_duration(int(begun.start))}"
            who = "1 voter" if count == 1 else f"{count} voters"
            yield Warning(
                "W-FAULTS",
                f"{who} may be faulty at once{when} ({listed(ids)}), and f is {scenario.faulty_voters};"
                " expect a stall, or have fewer",
                begun.fault.line,
            )


def _out_of_model(scenario: Scenario, liars: Sequence[_Harm]) -> Iterator[Warning]:
    count = _most(liars, len(scenario.voters))
    if count > scenario.faulty_voters:
        ids = listed([harm.fault.id for harm in liars])
        who = "1 voter lies or forgets" if count == 1 else f"{count} voters lie or forget"
        message = f"out of model: {who} ({ids}), and f is {scenario.faulty_voters}; nothing is promised then"
        yield Warning("W-BYZANTINE", message, liars[0].fault.line)


def _unnoticed(scenario: Scenario, sends: Sequence[PlannedSend]) -> Iterator[Warning]:
    """A replica that has nothing to do does not miss an idle primary; a liar needs something to lie about."""
    for fault in scenario.faults:
        if fault.kind in LIES and not tells(scenario, fault, sends):
            message = (
                f"{fault.id}: no step that begins meanwhile gives {listed(fault.nodes)} such a lie to tell"
            )
            yield Warning("W-LATE", message, fault.line)
    if any(send.trigger is not None for send in sends):
        return  # Nobody knows when that will be.
    last_ms = max((send.at_ms for send in sends), default=0)
    spoken_of = {
        name
        for rule in scenario.expectations
        if isinstance(rule, Progress | Stall | EvidenceKept)
        for name in (rule.during, getattr(rule, "after", None))
    }
    for fault in scenario.faults:
        if fault.kind in LIES:
            continue
        if isinstance(fault.at, int) and fault.at > last_ms and fault.id not in spoken_of:
            message = f"{fault.id} begins after the last transaction ({format_duration(last_ms)})"
            yield Warning("W-LATE", f"{message}, and no expectation is about it", fault.line)


def _counts(fault: Fault) -> bool:
    return fault.kind in _STOPPED or fault.byzantine


def _harm(fault: Fault, voters: Sequence[str]) -> _Harm:
    # A fault that waits for a height or a view may come at any time.
    start = float(fault.at) if isinstance(fault.at, int) else -math.inf
    forever = fault.byzantine or fault.for_ms is None or not isinstance(fault.at, int)
    end = math.inf if forever else start + (fault.for_ms or 0)
    if fault.groups:
        sides = [frozenset(group) & frozenset(voters) for group in fault.groups]
        largest = max(sides, key=len)
        return _Harm(fault, start, end, frozenset().union(*sides) - largest, 0)
    named = frozenset(fault.nodes) & frozenset(voters)
    unknown = _selected(fault.nodes, len(voters))
    if fault.kind == "partition" and 2 * (len(named) + unknown) > len(voters):
        # The others are the smaller side. One way makes no difference: who is not heard or does not hear
        # takes no part, and the larger side goes on without it.
        others = max(0, len(voters) - len(named) - unknown)
        known = frozenset(voters) - named if not unknown else frozenset()
        return _Harm(fault, start, end, known, 0 if known else others)
    return _Harm(fault, start, end, named, unknown)


def _selected(nodes: Sequence[str], voters: int) -> int:
    """How many voters the selectors among these mean."""
    sizes = dict(zip(SELECTORS, (1, voters - 1, voters), strict=True))
    return min(voters, sum(sizes[node] for node in nodes if node in sizes))


def _most(harms: Sequence[_Harm], voters: int) -> int:
    """How many voters these harm at most."""
    named: frozenset[str] = frozenset().union(*(harm.named for harm in harms))
    return min(voters, len(named) + sum(harm.unknown for harm in harms))
