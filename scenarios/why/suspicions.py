"""What may be wrong although enough voters are there, as the logs suggest, and the fault that explains it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from scenarios.why.known import Known, Submitted

SILENT, CENSORS, SLOW, VIEW_CHANGE = "primary-silent", "primary-censors", "primary-slow", "view-change"

# So many blocks with later transactions before one counts as left out: messages overtake each other.
OVERTAKEN = 2
# A primary proposes at once, but at most every `block_every`. Waiting for so many times that is slow.
SLOW_TIMES = 3
SLOW_LEAST_MS = 500
LOOKED_AT = 3  # The last blocks that must all have been slow.


@dataclass(frozen=True, slots=True)
class Suspicion:
    """One thing that may be wrong, with whom, and the fault that does it, if one does."""

    what: str
    who: str
    text: str
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class ViewChange:
    """How far the change to a higher view is: who asked for it, and who is to lead there."""

    to: int
    primary: str
    voters: tuple[str, ...]
    need: int

    @property
    def have(self) -> int:
        """How many view-changes there are."""
        return len(self.voters)


def view_change(known: Known, unheard: Collection[str] = ()) -> ViewChange | None:
    """The change that is under way: the view that most of those ask for who have left the present one.

    What the `unheard` ask for, who are cut off, reaches nobody.
    """
    asking: dict[int, list[str]] = {}
    for node in known.voters:
        if node.asked > known.view and node.name not in unheard:
            asking.setdefault(node.asked, []).append(node.name)
    if not asking:
        return None
    to = max(asking, key=lambda view: (len(asking[view]), view))
    return ViewChange(to, known.voters[to % len(known.voters)].name, tuple(asking[to]), known.quorum)


def left_out(known: Known) -> tuple[Submitted, ...]:
    """Transactions that wait although later ones were ordered, in several blocks of the present view."""
    found = []
    for waiting in known.waiting:
        later_ms = waiting.at_ms + known.block_every_ms
        overtook = {
            each.height
            for each in known.submitted
            if each.height is not None and each.at_ms > later_ms and each.sender != waiting.sender
        }
        if len(overtook) >= OVERTAKEN:
            found.append(waiting)
    return tuple(found)


def slow_ms(known: Known) -> int | None:
    """For how long the primary at least let transactions wait before it proposed them; None if not slow."""
    first: dict[int, int] = {}
    for each in known.submitted:
        if each.height is not None:
            first[each.height] = min(each.at_ms, first.get(each.height, each.at_ms))
    last = [height for height in sorted(first) if height in known.proposed_ms][-LOOKED_AT:]
    waits = [known.proposed_ms[height] - first[height] for height in last]
    least_ms = max(SLOW_TIMES * known.block_every_ms, SLOW_LEAST_MS)
    return min(waits) if len(waits) == LOOKED_AT and min(waits) >= least_ms else None


def suspicions(known: Known, away: Sequence[str], overdue_ms: int) -> tuple[Suspicion, ...]:
    """What may be wrong with the primary. `away` take no part; a block is due since `overdue_ms`."""
    primary = known.primary
    by = {record.kind: record.id for record in known.active if primary in record.nodes}
    found = []
    behind = left_out(known)
    if primary in away:
        found.append(Suspicion(SILENT, primary, f"the primary of view {known.view}, {primary}, is not there"))
    elif behind:
        senders = " ".join(dict.fromkeys(each.sender for each in behind))
        text = f"the primary {primary} may be leaving out what {senders} sends: later ones were ordered"
        found.append(Suspicion(CENSORS, primary, text, by.get("censor")))
    elif (wait_ms := slow_ms(known)) is not None:
        text = f"the primary {primary} takes {wait_ms / 1000:.1f} s or more before it proposes"
        found.append(Suspicion(SLOW, primary, text, by.get("slow")))
    elif overdue_ms >= known.view_timeout_ms and view_change(known, away) is None:
        fault = next((by[kind] for kind in ("silent", "equivocate", "slow", "skew") if kind in by), None)
        text = f"the primary {primary} answers us, and its proposals do not get through"
        found.append(Suspicion(SILENT, primary, text, fault))
    return tuple(found)
