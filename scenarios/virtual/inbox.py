"""What is under way to one place: packets with the time at which each arrives.

Whoever computes takes no packet, so most arrivals make nothing happen at their own time. They are put aside
unsorted, those of about half a millisecond together, and sorted when the place steps; only an arrival that
must wake the place costs more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from operator import itemgetter

NEVER = 1 << 62
SPAN_BITS = 9
Arrival = tuple[int, bytes]

_when: Callable[[Arrival], int] = itemgetter(0)


class Inbox:
    """The packets of one place. `wake` is called for what arrives before `wake_below_us`.

    The network does what `put` does itself when it sends to many: the hot path.
    """

    __slots__ = ("_arrived", "spans", "wake", "wake_below_us")

    def __init__(self, wake: Callable[[int], None]) -> None:
        self.wake = wake
        self.wake_below_us = NEVER
        # By time without its last bits, in order of sending; always the same object.
        self.spans: defaultdict[int, list[Arrival]] = defaultdict(list)
        self._arrived: list[bytes] = []  # In order of arrival: more than could be taken at once.

    def put(self, when_us: int, data: bytes) -> None:
        """Have a packet arrive at a time."""
        self.spans[when_us >> SPAN_BITS].append((when_us, data))
        if when_us < self.wake_below_us:
            self.wake(when_us)

    def take(self, now_us: int, most: int) -> list[bytes]:
        """What has arrived by now and was not taken yet, in order of arrival; ties in order of sending."""
        arrived, spans, present = self._arrived, self.spans, now_us >> SPAN_BITS
        due: list[Arrival] = []
        for passed in [span for span in spans if span < present]:
            due += spans.pop(passed)
        if present in spans:
            last = spans.pop(present)
            rest = [arrival for arrival in last if arrival[0] > now_us]
            if rest:
                spans[present] = rest
                last = [arrival for arrival in last if arrival[0] <= now_us]
            due += last
        if due:
            due.sort(key=_when)  # Those of one time are of one span: they stay in order of sending.
            arrived += [data for _, data in due]
        if len(arrived) > most:
            self._arrived = arrived[most:]
            return arrived[:most]
        self._arrived = []
        return arrived

    @property
    def next_us(self) -> int:
        """When there is something to take: at once (0), at a time, or never."""
        if self._arrived:
            return 0
        return min(self.spans[min(self.spans)])[0] if self.spans else NEVER

    def drop(self, now_us: int) -> int:
        """Lose what has arrived by now. How many packets that were."""
        return len(self.take(now_us, NEVER))
