"""When purge receipts are said, and said again: to each who is owed some, with pauses of its own.

What is new is said soon, in pages. What was said and nobody acknowledged is said again, a page at a time and
with growing pauses, for ever: whoever is owed it may be away for long, and one that never comes back costs
one page in each of the longest pauses. Nothing here is written down: after a restart all that is due is new.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from node.chain.deeds import MAX_PURGED
from node.chain.store import Store

GATHER_MS = 500
AGAIN_MS = 3_000
LONGEST_MS = 10_000
MORE_MS = 1_000
"""Until more is said to one who acknowledged something a moment ago."""


@dataclass(slots=True)
class _Course:
    fresh_ms: int | None
    again_ms: int | None = None
    pause_ms: int = AGAIN_MS
    said: int = 0  # The place up to which all was said once.
    again: int = 0  # The place up to which it was said again in this round.


class Repeating:
    """Of one node. Times are in milliseconds. Raises sqlite3.Error."""

    def __init__(self, store: Store, now_ms: int) -> None:
        self._store = store
        self._courses = {owner: _Course(now_ms + GATHER_MS) for owner in store.owed_receipts()}

    @property
    def deadline_ms(self) -> int | None:
        """When `due` has something; None: nothing is owed."""
        times = [time for each in self._courses.values() for time in (each.fresh_ms, each.again_ms)]
        return min((time for time in times if time is not None), default=None)

    def added(self, owners: Iterable[str], now_ms: int) -> None:
        """More is owed to these."""
        for owner in owners:
            course = self._courses.setdefault(owner, _Course(None))
            if course.fresh_ms is None:
                course.fresh_ms = now_ms + GATHER_MS

    def acknowledged(self, owner: str, now_ms: int) -> None:
        """It is there, and has something: what else it is owed need not wait for long."""
        if (course := self._courses.get(owner)) is not None and course.again_ms is not None:
            course.pause_ms = AGAIN_MS
            course.again_ms = min(course.again_ms, now_ms + MORE_MS)

    def due(self, now_ms: int) -> list[tuple[str, list[bytes]]]:
        """What to say now: to whom, which transactions, at most MAX_PURGED for each."""
        found = []
        for owner in sorted(self._courses):
            course = self._courses[owner]
            page: list[tuple[int, bytes]] = []
            if course.fresh_ms is not None and now_ms >= course.fresh_ms:
                page = self._fresh(owner, course, now_ms)
            elif course.again_ms is not None and now_ms >= course.again_ms:
                page = self._again(owner, course, now_ms)
            if page:
                found.append((owner, [tx for _, tx in page]))
            elif course.fresh_ms is None and course.again_ms is None:
                del self._courses[owner]
        return found

    def _fresh(self, owner: str, course: _Course, now_ms: int) -> list[tuple[int, bytes]]:
        page = self._store.receipts_owed(owner, course.said, MAX_PURGED)
        course.fresh_ms = now_ms + GATHER_MS if len(page) == MAX_PURGED else None
        if page:
            course.said = page[-1][0]
        if page and course.again_ms is None:
            course.again_ms = now_ms + course.pause_ms
        return page

    def _again(self, owner: str, course: _Course, now_ms: int) -> list[tuple[int, bytes]]:
        page = self._store.receipts_owed(owner, course.again, MAX_PURGED)
        if not page and course.again:
            page = self._store.receipts_owed(owner, 0, MAX_PURGED)
        if not page:
            course.again_ms = None
            return page
        course.again = page[-1][0]
        course.again_ms = now_ms + course.pause_ms
        course.pause_ms = min(2 * course.pause_ms, LONGEST_MS)
        return page
