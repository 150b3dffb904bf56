"""From what is known of a network to what keeps it: whether blocks come, who is needed, and what is next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from node.errors import CHECK_FAILED, FINE, UNCONFIRMED
from scenarios.faults.record import FaultRecord
from scenarios.why.known import Ended, Known, Submitted
from scenarios.why.reach import NO_ANSWER, Missing, cut_off, missing, together
from scenarios.why.suspicions import (
    CENSORS,
    SILENT,
    SLOW,
    Suspicion,
    ViewChange,
    left_out,
    suspicions,
    view_change,
)

# How the network is: the first two are good.
WELL, IDLE = "well", "idle"
DEGRADED = "degraded"  # Blocks come, and somebody is missing.
BROKER, STOPPED, CHANGING, NO_PRIMARY = "broker", "stopped", "changing", "no-primary"
CENSORED, SLOWED, STALLED, UNKNOWN = "censored", "slow", "stalled", "unknown"
NO_BLOCKS = frozenset((BROKER, STOPPED, CHANGING, NO_PRIMARY, STALLED))

_BROKER_KINDS = ("broker-outage", "broker-restart")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One network at one moment. Times are milliseconds since the genesis.

    `correct` is whether stopping is right, None unless it stopped. `overdue_ms` is for how long a block has
    been due, 0 when none is. `heals` are faults that explain what is wrong, `left_out` what the primary
    passes over, `undelivered` what is ordered and has not got to a reader.
    """

    run: str
    state: str
    now_ms: int
    height: int
    view: int
    primary: str
    overdue_ms: int
    quorum: int
    voters: int
    tolerated: int
    have: tuple[str, ...]
    missing: tuple[Missing, ...]
    correct: bool | None
    suspected: tuple[Suspicion, ...]
    change: ViewChange | None
    waiting: tuple[Submitted, ...]
    left_out: tuple[Submitted, ...]
    heals: tuple[FaultRecord, ...]
    takes_faults: bool
    undelivered: tuple[tuple[Submitted, str], ...]
    view_timeout_ms: int
    ended: Ended | None = None

    @property
    def voters_missing(self) -> int:
        """How many voters take no part."""
        return sum(each.votes for each in self.missing)

    @property
    def well(self) -> bool:
        """Whether nothing is wrong: with a run that ended, that it left nothing open and did not fail."""
        if self.ended is None:
            return self.state in (WELL, IDLE)
        left_open = self.waiting or self.undelivered or self.ended.killed
        return not left_open and self.ended.verdict in (None, "pass")

    @property
    def exit_code(self) -> int:
        """0 all is well, 1 something is wrong, 3 it could not be told."""
        if self.well:
            return FINE
        return UNCONFIRMED if self.state == UNKNOWN else CHECK_FAILED


def diagnose(known: Known) -> Diagnosis:
    """What keeps the network, if anything does."""
    gone = missing(known)
    have = together(known, gone)
    cut = cut_off(known, gone, have)
    gone += cut
    waiting = known.waiting
    overdue_ms = _overdue_ms(known)
    away = [each.node for each in gone]
    suspected = suspicions(known, away, overdue_ms) if waiting else ()
    broker_faults = tuple(record for record in known.active if record.kind in _BROKER_KINDS)
    change = view_change(known, {each.node for each in cut})
    if known.broker_answers is False or (broker_faults and not any(node.answered for node in known.nodes)):
        state, have, suspected = BROKER, (), ()
        gone = tuple(each for each in gone if each.how != NO_ANSWER)  # Nobody could ask them.
    elif not any(node.answered or node.last_ms is not None for node in known.nodes):
        state = UNKNOWN
    elif len(have) < known.quorum:
        state, suspected = STOPPED, ()
    else:
        state = _with_a_quorum(known, away, suspected, change, overdue_ms)
    explaining = {each.fault for each in gone} | {each.fault for each in suspected}
    return Diagnosis(
        run=known.run,
        state=state,
        now_ms=known.now_ms,
        height=known.height,
        view=known.view,
        primary=known.primary,
        overdue_ms=overdue_ms,
        quorum=known.quorum,
        voters=len(known.voters),
        tolerated=known.tolerated,
        have=have,
        missing=gone,
        correct=True if state in (BROKER, STOPPED) else None,
        suspected=suspected,
        change=change,
        waiting=waiting,
        left_out=left_out(known),
        heals=broker_faults + tuple(each for each in known.active if each.id in explaining),
        takes_faults=known.takes_faults,
        undelivered=known.undelivered,
        view_timeout_ms=known.view_timeout_ms,
        ended=known.ended,
    )


def _overdue_ms(known: Known) -> int:
    """For how long a block has been due: since the oldest waits, or since the last block if that is less."""
    if not known.waiting:
        return 0
    return max(0, known.now_ms - max(known.waiting[0].at_ms, known.last_block_ms))


def _with_a_quorum(
    known: Known,
    away: Sequence[str],
    suspected: Sequence[Suspicion],
    change: ViewChange | None,
    overdue_ms: int,
) -> str:
    """The state of a network in which enough voters hear each other."""
    if not known.waiting:
        return DEGRADED if away else IDLE
    what = {each.what for each in suspected}
    # Who asks for another view alone, as one does that was cut off, moves nobody.
    if change is not None and (change.have > known.tolerated or overdue_ms >= known.view_timeout_ms):
        return CHANGING
    if CENSORS in what:
        return CENSORED
    if SLOW in what:
        return SLOWED
    if SILENT in what:
        return NO_PRIMARY if known.primary in away else STALLED
    return DEGRADED if away else WELL
