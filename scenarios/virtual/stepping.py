"""The loop of a virtual world: takes what is next, and steps the process that it concerns.

A step is what a driver does: take all packets that came, let due timers act, carry out what follows. It
happens at one moment; the time that it takes on a real machine passes before its packets leave and before
the next one begins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from heapq import heappop

from scenarios.virtual.agenda import Agenda
from scenarios.virtual.host import Crash
from scenarios.virtual.inbox import NEVER
from scenarios.virtual.node_host import GENESIS_MS
from scenarios.virtual.observer import Watching
from scenarios.virtual.seat import Seat
from scenarios.virtual.signatures import Signatures
from scenarios.virtual.trace import TraceHash

PACKETS_AT_ONCE = 256
OVERDUE_AT_ONCE = 1000
EVENT_LIMIT = 50_000_000


class Stuck(AssertionError):
    """What was waited for did not come in time."""


class Stepping:
    """The part of the world that moves time."""

    signatures: Signatures

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.now_us = 0
        self.agenda = Agenda()
        self.events = 0
        self.delivered = 0
        self.happened: Counter[str] = Counter()
        self.watching = Watching()
        self._trace = TraceHash()

    def describe(self) -> str:
        """Where everybody stands, for what goes wrong."""
        return f"seed {self.seed}, {self.now_us} µs, {self.events} events"

    def clock_ms(self, seat: Seat) -> int:
        """What the clock of a place shows."""
        return GENESIS_MS + (self.now_us + seat.skew_us) // 1000

    def _run(self, end_us: int, event_limit: int) -> None:
        heap, last = self.agenda.heap, self.events + event_limit
        while heap and heap[0][0] <= end_us:
            if self.events >= last:
                raise Stuck(f"more events than allowed: {self.describe()}")
            self.events += 1
            self.now_us, _, action = heappop(heap)
            action()

    def run_to(self, end_us: int) -> None:
        """Let everything happen that is due by this time; time stands at what raises."""
        self._run(end_us, EVENT_LIMIT)
        self.now_us = end_us

    def wake(self, seat: Seat) -> None:
        """Have a process step as soon as it can: something about it changed from outside."""
        if seat.host is not None and not seat.paused:
            self._wake(seat, max(self.now_us, seat.busy_us))

    def _wake(self, seat: Seat, at_us: int) -> None:
        """Have a place step at a time, unless it does so earlier."""
        if at_us < seat.woken_us:
            seat.woken_us = at_us
            self.agenda.at(at_us, partial(self._woken, seat, at_us))
        # Nothing can wake it before it is done with what it computes.
        seat.inbox.wake_below_us = 0 if seat.woken_us <= seat.busy_us else seat.woken_us

    def wake_at(self, seat: Seat, at_us: int) -> None:
        """Something arrives at a place at a time: it steps then, or when it is done with what it computes."""
        if seat.paused and seat.host is not None:
            seat.inbox.wake_below_us = 0  # Whoever resumes it has it look.
        else:
            self._wake(seat, at_us if at_us > seat.busy_us else seat.busy_us)

    def _woken(self, seat: Seat, at_us: int) -> None:
        if seat.woken_us != at_us:
            return
        seat.woken_us = NEVER
        if seat.host is None:
            self._forget_arrivals(seat)
        elif not seat.paused:
            if seat.busy_us > self.now_us:
                self._wake(seat, seat.busy_us)
            else:
                self._step(seat)

    def _forget_arrivals(self, seat: Seat) -> None:
        """Nobody was up to hear what arrived so far at a place."""
        lost = seat.inbox.drop(self.now_us)
        if lost:
            self.events += lost
            self.happened["arrived where nobody was up"] += lost
        self._await(seat, NEVER)

    def _await(self, seat: Seat, due_us: int) -> None:
        """Have a place step for the next packet or for its next timer."""
        next_us = seat.inbox.next_us
        if due_us < next_us:
            next_us = due_us
        if next_us == NEVER:
            seat.inbox.wake_below_us = seat.woken_us
        else:
            self._wake(seat, next_us if next_us > seat.busy_us else seat.busy_us)

    def _step(self, seat: Seat) -> None:
        """As a driver does: take what came, let due timers act, carry out what follows."""
        host = seat.host
        assert host is not None
        now_us = self.now_us
        self.signatures.charged_us = 0
        packets = seat.inbox.take(now_us, PACKETS_AT_ONCE)
        self.events += len(packets)
        try:
            if packets:
                self.delivered += len(packets)
                host.take(packets, GENESIS_MS + (now_us + seat.skew_us) // 1000)
            if seat.due_us <= now_us:
                self._tick(seat)
            elif not host.stirred:
                # Most votes lead to nothing yet: nothing to carry out, no timer moved.
                seat.busy_us = now_us + self.signatures.charged_us
                self._await(seat, seat.due_us)
                return
            host.flush()
            while host.has_idle_work:
                host.idle()
                host.flush()
        except Crash:
            self._crashed(seat)
            return
        except BaseException as error:
            self._explain(error, seat)
            raise
        self._after_step(seat)

    def note_delivered(self, seat: Seat, packets: Sequence[bytes]) -> None:
        """A place handles packets, and nothing came of them yet."""
        self._trace.add_all(b"d", self.now_us, seat.place, packets)
        for call in self.watching.delivered:
            call(self.now_us, seat.replica_id, packets)

    def note_persisted(self, seat: Seat, bodies: Sequence[bytes]) -> None:
        """A place appended records to its journal."""
        now_us = self.now_us
        self._trace.add_all(b"p", now_us, seat.place, bodies)
        for call in self.watching.persisted:
            call(now_us, seat.replica_id, bodies)

    def _tick(self, seat: Seat) -> None:
        host, now_ms = seat.host, self.clock_ms(seat)
        assert host is not None
        for call in self.watching.ticked:
            call(self.now_us, seat.replica_id)
        host.tick(now_ms)
        again_ms = host.deadline_ms
        if again_ms is not None and again_ms <= now_ms:
            # With no pause between proposals there may be several to make.
            seat.overdue += 1
            assert seat.overdue < OVERDUE_AT_ONCE, (
                f"a timer that is due must act and move on: {again_ms} at {now_ms}"
            )
        else:
            seat.overdue = 0

    def _after_step(self, seat: Seat) -> None:
        host = seat.host
        if host is None:
            return
        seat.busy_us = self.now_us + self.signatures.charged_us
        due_ms = host.deadline_ms
        if due_ms is None:
            seat.due_us = NEVER
        else:
            due_us = (due_ms - GENESIS_MS) * 1000 - seat.skew_us
            seat.due_us = due_us if due_us > seat.busy_us else seat.busy_us
        self._await(seat, seat.due_us)

    def _explain(self, error: BaseException, seat: Seat) -> None:
        error.add_note(f"replica {seat.replica_id} at {self.now_us} µs, seed {self.seed}")

    def _down(self, seat: Seat, how: str) -> None:
        seat.host, seat.woken_us, seat.busy_us = None, NEVER, 0
        seat.inbox.drop(self.now_us)  # What waited is gone with its memory.
        self._await(seat, NEVER)
        for call in self.watching.stopped:
            call(self.now_us, seat.replica_id, how)

    def _crashed(self, seat: Seat) -> None:
        seat.crash_at = None
        seat.crash(power_cut=False)
        self.happened["crash"] += 1
        self.happened["crash point"] += 1
        self._down(seat, "crash")
