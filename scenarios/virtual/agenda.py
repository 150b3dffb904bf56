"""What will happen, in order: one heap, integer microseconds, and a counter that breaks ties.

An entry is `(when, number, subject, data)`. With data it is a delivery to that subject; without, the
subject is called. The number is unique, so nothing behind it is ever compared.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

Entry = tuple[int, int, Any, bytes | None]


class Agenda:
    """The one queue of a virtual world. The world and its network use `heap` directly: it is the hot path."""

    __slots__ = ("heap", "next_number")

    def __init__(self) -> None:
        self.heap: list[Entry] = []
        self.next_number: Callable[[], int] = itertools.count().__next__

    def at(self, when_us: int, action: Callable[[], None]) -> None:
        """Have an action happen at a time."""
        heappush(self.heap, (when_us, self.next_number(), action, None))

    def deliver(self, when_us: int, subject: object, data: bytes) -> None:
        """Have bytes arrive somewhere at a time."""
        heappush(self.heap, (when_us, self.next_number(), subject, data))

    def pop(self) -> Entry:
        """The next entry, taken out."""
        return heappop(self.heap)

    def __len__(self) -> int:
        return len(self.heap)
