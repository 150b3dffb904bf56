"""Leaving a view and entering the next (PBFT 4.4).

A replica that leaves a view votes in no lower one ever again (R12). Its view-change carries all that it is
bound by; a quorum of them makes the new primary's new-view, and who finds that valid enters (R16 to R18).
"""

from __future__ import annotations

from consensus import checkpoints, execution, fetching, ordering
from consensus.evidence import hides
from consensus.messages import NewView, Signed, ViewChange
from consensus.new_view import highest_stable, invalid_new_view, renewed
from consensus.output import NewViewRecord, ViewChangeRecord
from consensus.state import State
from consensus.votes import Commit, PrePrepare, null_batch


def leave(state: State, view: int, reason: str) -> None:
    """Ask for a higher view, and take no part in the present one any more."""
    assert view > state.view and state.speaks, (view, state.view)
    state.proposed.clear()  # It is open again; the next view may propose it.
    if not state.active:
        changes = {r: kept[state.view] for r, kept in state.view_changes.items() if state.view in kept}
        state.passed_view, state.passed = state.view, changes
    state.view, state.active = view, False
    state.propose_at = state.recheck_at = state.relay_at = state.batches_at = None
    state.view_wanted_ms = None
    state.unproven = False
    bound_by = [state.slots[sequence].prepared_certificate for sequence in sorted(state.slots)]
    message = ViewChange(
        state.settings.epoch,
        view,
        state.stable,
        tuple(
            certificate
            for certificate in bound_by
            if certificate is not None and certificate.sequence > state.low_watermark
        ),
        state.settings.replica,
    )
    signed = Signed(message, state.sign(message))
    state.out.persist.append(ViewChangeRecord(signed))
    state.send(signed)
    state.note("view_change", reason=reason, have=len(message.prepared))
    state.own_view_change = signed
    state.resend_wait_ms = state.settings.resend_ms
    state.resend_at = state.now_ms + state.resend_wait_ms
    _keep(state, signed, message)
    _act_on_view_changes(state)


def on_view_change(state: State, signed: Signed, message: ViewChange, flaw: str) -> None:
    """Take another voter's view-change. `flaw` is what the driver found wrong with what it quotes."""
    settings, replica = state.settings, message.replica
    if replica >= settings.n:
        state.ignore("not a voter", replica=replica)
        return
    if reason := message.invalid(settings.n, settings.window) or flaw:
        state.accuse("E3", signed)
        state.ignore(reason, replica=replica)
        return
    _look_for_hidden_commit(state, signed, message)
    reason = ""
    before = state.view_changes.get(replica, {}).get(message.view)
    if before is not None:
        reason = "repeated"
        if before.message != message:
            reason = "second view-change differs"
            state.accuse("E1", before, signed)
    if message.view < state.view or message.view <= state.voting_view:
        help_along(state, replica, message.view)
        reason = reason or "old view"
    if reason:
        state.ignore(reason, replica=replica)
        return
    _keep(state, signed, message)
    state.note("view_change_received", replica=replica, have=_count(state, message.view), need=state.quorum)
    _act_on_view_changes(state)


def _look_for_hidden_commit(state: State, signed: Signed, message: ViewChange) -> None:
    """Whether the sender committed to something that its view-change leaves out (E2)."""
    for sequence in sorted(state.slots):
        vote = state.slots[sequence].commits.first(message.replica)
        if vote is not None:
            commit = vote.message
            assert isinstance(commit, Commit)
            if hides(message, commit):
                state.accuse("E2", vote, signed)


def _keep(state: State, signed: Signed, message: ViewChange) -> None:
    """Of each voter the view-change for this replica's view, and the highest one (R15, R37)."""
    kept = state.view_changes.setdefault(message.replica, {})
    kept[message.view] = signed
    highest = max(kept)
    for view in [view for view in kept if view not in (state.view, highest)]:
        del kept[view]


def _count(state: State, view: int) -> int:
    return sum(1 for kept in state.view_changes.values() if view in kept)


def _act_on_view_changes(state: State) -> None:
    """Join others who went further, time the new view once a quorum wants it, propose it if it is ours."""
    if not state.speaks:
        return
    own = state.settings.replica
    ahead = sorted(
        max(kept) for replica, kept in state.view_changes.items() if replica != own and max(kept) > state.view
    )
    if len(ahead) >= state.weak_quorum:
        leave(state, ahead[0], "joined others")
        return
    if state.active or _count(state, state.view) < state.quorum:
        return
    if state.view_wanted_ms is None:
        state.view_wanted_ms = state.now_ms
    if state.is_primary:
        _propose_new_view(state)


def _propose_new_view(state: State) -> None:
    settings = state.settings
    kept = {r: views[state.view] for r, views in sorted(state.view_changes.items()) if state.view in views}
    others = [replica for replica in kept if replica != settings.replica]
    chosen = sorted([settings.replica, *others[: state.quorum - 1]])
    changes: list[tuple[ViewChange, bytes]] = []
    for replica in chosen:
        change = kept[replica].message
        assert isinstance(change, ViewChange)
        changes.append((change, kept[replica].signature))
    entries = [
        PrePrepare(settings.epoch, state.view, sequence, digest, settings.replica)
        for sequence, digest in renewed([change for change, _ in changes])
    ]
    message = NewView(
        settings.epoch,
        state.view,
        tuple(changes),
        tuple((entry, state.sign(entry)) for entry in entries),
        settings.replica,
    )
    reason = invalid_new_view(message, settings.n, settings.window)
    assert reason is None, reason  # Everybody else will check it with the same code (R17).
    _enter(state, Signed(message, state.sign(message)), message)


def on_new_view(state: State, signed: Signed, message: NewView, flaw: str) -> None:
    """Take a new primary's proof that its view begins."""
    settings = state.settings
    if message.replica >= settings.n:
        state.ignore("not a voter", replica=message.replica)
        return
    if message.view <= state.voting_view or message.view < state.view:
        known = state.new_view
        reason = "old view"
        if known is not None and message.view == state.voting_view:
            reason = "repeated" if known.message == message else "second new-view differs"
            if known.message != message and known.message.replica == message.replica:
                state.accuse("E1", known, signed)
        state.ignore(reason, replica=message.replica)
        return
    if reason := invalid_new_view(message, settings.n, settings.window) or flaw:
        state.accuse("E3", signed)
        state.ignore(reason, replica=message.replica)
        return
    _enter(state, signed, message)


def _enter(state: State, signed: Signed, message: NewView) -> None:
    """Begin a view: move the window, renew what may be decided already, and vote for it (R18)."""
    own = message.replica == state.settings.replica
    state.out.persist.append(NewViewRecord(signed))
    if own:
        state.send(signed)
    wanted_ms = state.view_wanted_ms if state.view == message.view else None
    install(state, signed, message)
    state.note("new_view", replica=message.replica, have=len(message.pre_prepares))
    if state.halted:
        return
    pending = bool(state.orderable) or any(
        entry.sequence > state.executed for entry, _ in message.pre_prepares
    )
    state.unproven = pending
    state.view_wanted_ms = state.now_ms if wanted_ms is None else wanted_ms
    state.proven_ms = state.now_ms
    state.propose_at = state.relay_at = None
    state.last_proposal_ms = None
    state.resend_wait_ms = state.settings.resend_ms
    for entry, _ in message.pre_prepares:
        if (slot := state.slots.get(entry.sequence)) is not None:
            ordering.accept_renewed(state, slot)
    fetching.want_batches(state)
    ordering.advance(state)
    ordering.replay_early(state)
    execution.execute_ready(state)
    if state.slots:
        state.arm_resend()


def install(state: State, signed: Signed, message: NewView) -> None:
    """Put a new view in place, without a word to anybody; also after a restart."""
    state.view = state.voting_view = message.view
    state.active = True
    state.new_view = signed
    state.own_view_change = None
    for kept in state.view_changes.values():
        for view in [view for view in kept if view <= message.view]:
            del kept[view]
    state.view_changes = {replica: kept for replica, kept in state.view_changes.items() if kept}
    for slot in state.slots.values():
        slot.begin_view(state.prepares_needed, state.quorum)
    stable = highest_stable([change for change, _ in message.view_changes])
    if stable is not None and stable.sequence > state.low_watermark:
        checkpoints.raise_low_watermark(state, stable)
    state.accepted = max(state.executed, state.low_watermark)
    state.renewed_top = max((entry.sequence for entry, _ in message.pre_prepares), default=0)
    state.proposed.clear()
    for entry, signature in message.pre_prepares:
        if not state.outside_watermarks(entry.sequence):
            _renew(state, entry, signature)
    state.waiting = {identifier: None for identifier in state.requests if identifier not in state.proposed}


def _renew(state: State, entry: PrePrepare, signature: bytes) -> None:
    slot = state.slot(entry.sequence)
    slot.propose(entry, signature, renewed=True)
    nothing = null_batch(entry.sequence)
    if entry.digest == nothing.digest():
        slot.batches[entry.digest] = nothing
    if entry.sequence > state.executed and slot.batch is not None:
        state.proposed.update(dict.fromkeys(slot.batch.requests))


def help_along(state: State, replica: int, view: int) -> None:
    """Another replica is behind, in this view: show it, now and then, what took this one further (R19 iv).

    That is the new-view of a later view, or the view-changes with which this one had waited in vain for the
    same view: a replica that lacks some would otherwise wait for ever, and this one for it.
    """
    shown_ms = state.shown_ms.get(replica)
    if shown_ms is not None and state.now_ms - shown_ms < state.settings.resend_ms:
        return
    state.shown_ms[replica] = state.now_ms
    if view <= state.voting_view and state.new_view is not None:
        state.send(state.new_view, to=replica)
    elif view == state.passed_view:
        for sender in sorted(state.passed):
            if sender != replica:
                state.send(state.passed[sender], to=replica)
