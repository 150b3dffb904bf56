"""Coming back without one's records (R22).

Such a replica has forgotten what it voted for, so it counts as faulty. It may listen, catch up and answer,
and it casts no vote of any kind until a checkpoint is stable that lies above everything it can have voted on
before. That bound is the estimate of Castro's recovery (TOCS 2002): the highest sequence number that a quorum
less one of the others do not exceed and f others confirm, plus the window.
"""

from __future__ import annotations

from consensus.output import LostDiskRecord
from consensus.quorum import max_faulty
from consensus.state import State


def begin(state: State) -> None:
    """The driver says that the disk is lost. A restart in the meantime must not make it forget that."""
    state.silent_until = 0
    state.out.persist.append(LostDiskRecord(0))
    state.note("silent", reason="disk was lost")


def on_status(state: State) -> None:
    """Another replica said where it stands; that may be enough for the estimate."""
    if state.silent_until != 0:
        return
    claims = {replica: sequence for replica, sequence in state.claims.items() if replica < state.settings.n}
    estimate = _estimate(claims, state.quorum - 1, max_faulty(state.settings.n))
    if estimate is not None:
        state.silent_until = estimate + state.settings.window
        state.out.persist.append(LostDiskRecord(state.silent_until))
        state.note("silent", state.silent_until, reason="until this checkpoint")
        speak_if_safe(state)


def _estimate(claims: dict[int, int], not_exceeding: int, confirming: int) -> int | None:
    fitting = []
    for replica, sequence in claims.items():
        others = [claim for other, claim in claims.items() if other != replica]
        below = sum(claim <= sequence for claim in others)
        above = sum(claim >= sequence for claim in others)
        if below >= not_exceeding and above >= confirming:
            fitting.append(sequence)
    return max(fitting, default=None)


def speak_if_safe(state: State) -> None:
    """A checkpoint became stable: perhaps it is the one that was waited for."""
    if state.silent_until and state.low_watermark > state.silent_until:
        state.silent_until = None
        state.note("speaks", state.low_watermark)
