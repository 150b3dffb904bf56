"""What will happen, in order: one heap, integer microseconds, and a counter that breaks ties.

Deliveries are not in here: each place has an `Inbox`, and only that it is to step is on the agenda.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from heapq import heappop, heappush

Entry = tuple[int, int, Callable[[], None]]


class Agenda:
    """The one queue of a virtual world. The number in an entry is unique: nothing behind it is compared."""

    __slots__ = ("_next_number", "heap")

    def __init__(self) -> None:
        self.heap: list[Entry] = []
        self._next_number: Callable[[], int] = itertools.count().__next__

    def at(self, when_us: int, action: Callable[[], None]) -> None:
        """Have an action happen at a time."""
        heappush(self.heap, (when_us, self._next_number(), action))

    @property
    def next_us(self) -> int | None:
        """When the next thing is due, if there is one."""
        return self.heap[0][0] if self.heap else None

    def pop(self) -> Entry:
        """The next entry, taken out."""
        return heappop(self.heap)

    def __len__(self) -> int:
        return len(self.heap)
