"""When a replica gives up waiting for the primary (PBFT 4.4, 4.5.2; R19).

In a view that works the timer is on the oldest request that may be ordered: progress of others does not
help it. In a view that is asked for, or entered and not proven by a commit yet, the timer is on the view;
it starts when a quorum wants the view and lasts T * 2 ** k, at most Tmax, for the k-th failed view in a row.
"""

from __future__ import annotations

from consensus import execution, view_change
from consensus.output import Relay
from consensus.state import State

RELAY_AT_ONCE = 64
SHARE_AT_ONCE = 8


def arm(state: State) -> None:
    """Set the view timer to what is waited for now."""
    settings, orderable = state.settings, state.orderable
    state.view_at = None
    if orderable and state.relay_at is None and state.active and not state.is_primary:
        # Followers do that as well: they may be the only ones who have the request.
        oldest_ms = next(iter(orderable.values()))
        state.relay_at = max(oldest_ms + settings.view_timeout_ms // 2, state.now_ms)
    if not state.speaks or settings.n == 1:
        return
    if state.unproven and not orderable and state.executed >= state.renewed_top:
        state.unproven = False  # Nothing is left that the view could prove itself with.
    if not state.active or state.unproven:
        if state.view_wanted_ms is not None:
            patience_ms = settings.view_timeout_ms << min(state.failed_views, 32)
            state.view_at = state.view_wanted_ms + min(patience_ms, settings.longest_view_timeout_ms)
    elif orderable:
        oldest_ms = next(iter(orderable.values()))
        state.view_at = max(oldest_ms, state.proven_ms) + settings.view_timeout_ms


def expired(state: State) -> None:
    """The view timer is due: ask for the next view."""
    execution.drop_expired(state)
    if not state.active or state.unproven:
        state.failed_views += 1
        view_change.leave(state, state.view + 1, "new view is overdue")
    elif state.orderable:
        arm(state)  # What was waited for may have expired itself.
        if state.view_at is not None and state.now_ms >= state.view_at:
            view_change.leave(state, state.view + 1, "oldest request is overdue")


def relay(state: State) -> None:
    """The oldest request waits for half the time: perhaps the primary never had it (PBFT 4.1)."""
    execution.drop_expired(state)
    half_ms = state.settings.view_timeout_ms // 2
    state.relay_at = state.now_ms + half_ms
    if not state.orderable or state.is_primary or not state.active:
        state.relay_at = None
        return
    overdue = []
    for identifier, since_ms in state.orderable.items():
        if since_ms > state.now_ms - half_ms:
            state.relay_at = min(state.relay_at, since_ms + half_ms)
            break
        if identifier in state.waiting:
            overdue.append(identifier)
    if overdue:
        state.out.send.append(Relay(tuple(overdue[:RELAY_AT_ONCE]), state.primary))
        state.note("timeout", reason="oldest request is overdue", replica=state.primary, have=len(overdue))


def share(state: State) -> None:
    """This replica waits for a view that nobody else wants: others may lack what it waits for (R26).

    Who gets the oldest requests will have them ordered, or times them too and joins.
    """
    oldest = tuple(state.orderable)[:SHARE_AT_ONCE]
    if oldest and state.view_wanted_ms is None:
        others = [replica for replica in range(state.settings.n) if replica != state.settings.replica]
        state.out.send.extend(Relay(oldest, replica) for replica in others)
