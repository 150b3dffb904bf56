"""Whom to ask next for blobs that are not here: two lists, so that what nobody has never starves the rest.

What was ordered a moment ago is asked for in quick rounds, the sender's node first and then every other
member. What all of them left unanswered twice goes to the deprioritised list, and is asked for more and
more rarely, for ever: its holders may be away for long. As long as answers come in, nothing goes there.
"""

from __future__ import annotations

from dataclasses import dataclass

from node.delivery.packets import MAX_WANTED

TICK_MS = 250
ROUNDS = 2
MOST_AT_ONCE = 512
LATE_AT_ONCE = MAX_WANTED
LATE_FIRST_MS = 1_000
LATE_LONGEST_MS = 60_000
MOST_LATE = 100_000
IN_ONE_TICK = 8  # Quick rounds end after this many ticks each, however many members there are.


@dataclass(slots=True)
class _Wanted:
    first: int  # The member that is asked first.
    known: bool  # It is for us, for sure: never given up.
    asked: int = 0


class Reconciler:
    """For the member at position `own` of so many. Times are in milliseconds."""

    def __init__(self, members: int, own: int) -> None:
        self._members = members
        self._own = own
        self._width = max(1, (members - 1 + IN_ONE_TICK - 1) // IN_ONE_TICK)
        self._now: dict[bytes, _Wanted] = {}
        self._late: dict[bytes, _Wanted] = {}
        self._served = False
        self._tick_at = 0
        self._late_at = 0
        self._late_pause_ms = LATE_FIRST_MS

    def __len__(self) -> int:
        return len(self._now) + len(self._late)

    @property
    def quick(self) -> int:
        """How many are asked for in quick rounds."""
        return len(self._now)

    def deadline_ms(self) -> int | None:
        """When `due` has something to ask; None while nothing is wanted."""
        times = ([self._tick_at] if self._now else []) + ([self._late_at] if self._late else [])
        return min(times, default=None)

    def want(self, identifier: bytes, first: int, now_ms: int, *, known: bool = False) -> None:
        """Ask for this in quick rounds from the next tick on, unless that happens already."""
        late = self._late.pop(identifier, None)
        if identifier in self._now or self._members < 2:
            return
        if not self._now:
            self._tick_at = now_ms + TICK_MS
        self._now[identifier] = late or _Wanted(first, known)
        self._now[identifier].known |= known

    def want_late(self, identifier: bytes, first: int, now_ms: int) -> None:
        """Put this on the deprioritised list. The oldest goes when it is full."""
        if self._members < 2:
            return
        self._put_late(identifier, _Wanted(first, known=False), now_ms)

    def have(self, identifier: bytes, *, served: bool = False) -> None:
        """It is here, or nobody needs it any more. `served`: somebody gave it on being asked."""
        self._now.pop(identifier, None)
        self._late.pop(identifier, None)
        if served:
            self._served = True
            self._late_pause_ms, self._late_at = LATE_FIRST_MS, 0

    def due(self, now_ms: int) -> tuple[dict[int, list[bytes]], list[bytes]]:
        """What to ask which member for, by position, and what was given up: it is asked for rarely now."""
        asks: dict[int, list[bytes]] = {}
        given_up: list[bytes] = []
        if self._now and now_ms >= self._tick_at:
            self._tick_at = now_ms + TICK_MS
            served, self._served = self._served, False
            for identifier in list(self._now)[:MOST_AT_ONCE]:
                wanted = self._now.pop(identifier)
                if wanted.asked >= ROUNDS * (self._members - 1) and not served and not wanted.known:
                    self._put_late(identifier, wanted, now_ms)
                    given_up.append(identifier)
                    continue
                self._ask(asks, identifier, wanted, self._width)
                self._now[identifier] = wanted  # To the end of the queue.
        if self._late and now_ms >= self._late_at:
            self._late_at = now_ms + self._late_pause_ms
            self._late_pause_ms = min(LATE_LONGEST_MS, self._late_pause_ms * 3 // 2)
            for identifier in list(self._late)[:LATE_AT_ONCE]:
                wanted = self._late.pop(identifier)
                self._ask(asks, identifier, wanted, 1)
                self._late[identifier] = wanted
        return asks, given_up

    def _put_late(self, identifier: bytes, wanted: _Wanted, now_ms: int) -> None:
        if not self._late:
            self._late_at = now_ms + self._late_pause_ms
        self._late[identifier] = wanted
        if len(self._late) > MOST_LATE:
            del self._late[next(iter(self._late))]

    def _ask(self, asks: dict[int, list[bytes]], identifier: bytes, wanted: _Wanted, count: int) -> None:
        places = [(wanted.first + step) % self._members for step in range(self._members)]
        others = [place for place in places if place != self._own]
        for _ in range(min(count, len(others))):
            asked = asks.setdefault(others[wanted.asked % len(others)], [])
            if len(asked) >= MAX_WANTED:
                return  # One request to each member in a tick; it keeps its turn.
            asked.append(identifier)
            wanted.asked += 1
