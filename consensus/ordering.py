"""The normal case: pre-prepare, prepare, commit (PBFT 4.2).

Proposals are accepted in sequence order, because the time of each is judged against its parent's;
votes are taken in any order and counted when their proposal is there (R6).
"""

from __future__ import annotations

from consensus import execution, fetching
from consensus.certificates import CommitCertificate, PreparedCertificate
from consensus.messages import Batch, Commit, Prepare, PrePrepare, Proposal
from consensus.output import PreparedRecord, ProposalRecord
from consensus.slot import Slot
from consensus.state import State


def propose(state: State) -> None:
    """As primary, put waiting requests into a batch, not more often than every `block_every_ms`."""
    settings = state.settings
    state.propose_at = None
    if not state.is_primary or state.halted or not state.waiting:
        return
    if state.accepted - state.executed >= min(settings.in_flight, settings.window):
        return  # Execution will call again.
    if state.last_proposal_ms is not None:
        due = state.last_proposal_ms + settings.block_every_ms
        if state.now_ms < due:
            state.propose_at = due
            return
    sequence = state.accepted + 1
    requests = _choose(state, sequence)
    if not requests:
        return
    batch = Batch(sequence, settings.replica, max(state.now_ms, _parent_time(state, sequence) + 1), requests)
    pre_prepare = PrePrepare(settings.epoch, state.view, sequence, batch.digest(), settings.replica)
    proposal = Proposal(pre_prepare, state.sign(pre_prepare), batch)
    state.last_proposal_ms = state.now_ms
    slot = state.slot(sequence)
    slot.proposal = proposal
    slot.own.append(proposal)
    # _accept records the proposal; only then may it leave.
    _accept(state, slot, batch)
    state.send(proposal)
    state.note("pre_prepare", sequence, slot.digest, have=len(requests))
    _check_prepared(state, slot)
    if state.waiting:
        state.propose_at = state.now_ms + settings.block_every_ms


def _choose(state: State, sequence: int) -> tuple[bytes, ...]:
    """The oldest waiting requests that may be ordered here, within the limits of a batch (R29)."""
    chosen: list[bytes] = []
    size = 0
    for identifier in state.waiting:
        request = state.requests[identifier].request
        if not request.valid_from <= sequence <= request.valid_until:
            continue
        size += request.size
        if chosen and size > state.settings.max_batch_bytes:
            break
        chosen.append(identifier)
        if len(chosen) == state.settings.max_batch:
            break
    return tuple(chosen)


def on_proposal(state: State, proposal: Proposal) -> None:
    """Take a pre-prepare with its batch (R4)."""
    vote, batch = proposal.pre_prepare, proposal.batch
    sequence = vote.sequence
    if reason := _reason_to_ignore_proposal(state, vote, batch):
        state.ignore(reason, sequence, vote.digest, vote.replica)
        return
    slot = state.slot(sequence)
    if slot.proposal is not None:
        same = slot.digest == vote.digest
        state.ignore("repeated" if same else "second pre-prepare", sequence, vote.digest, vote.replica)
        return
    slot.proposal = proposal
    state.note("pre_prepare", sequence, vote.digest, vote.replica, have=len(batch.requests))
    if state.missing(batch.requests):
        fetching.want_bodies(state, batch)
    advance(state)
    execution.execute_ready(state)


def _reason_to_ignore_proposal(state: State, vote: PrePrepare, batch: Batch) -> str:
    if vote.view != state.view:
        return "other view"
    if vote.replica != state.primary or vote.replica == state.settings.replica:
        return "not from the primary"
    if state.outside_watermarks(vote.sequence):
        return "outside watermarks"
    if batch.sequence != vote.sequence:
        return "batch is for another sequence number"
    if batch.digest() != vote.digest:
        return "digest does not match the batch"
    return ""


def advance(state: State) -> None:
    """Accept what can be accepted, in sequence order."""
    state.recheck_at = None
    while (slot := state.slots.get(state.accepted + 1)) is not None:
        if not slot.accepted:
            if slot.proposal is None or slot.refused or state.missing(slot.proposal.batch.requests):
                return
            batch = slot.proposal.batch
            if reason := _reason_to_refuse(state, batch):
                slot.refused = True
                state.note("refused", slot.sequence, slot.digest, batch.proposer, reason=reason)
                return
            if batch.time_ms > state.now_ms + state.settings.max_skew_ms:
                # Not a reason to refuse for good: this clock may be the slow one.
                state.recheck_at = batch.time_ms - state.settings.max_skew_ms
                return
            _accept(state, slot, batch)
            _prepare(state, slot)
        else:
            state.accepted = slot.sequence


def _parent_time(state: State, sequence: int) -> int:
    parent = state.slots.get(sequence - 1)
    if parent is None or parent.proposal is None:
        return state.executed_time_ms
    return parent.proposal.batch.time_ms


def _reason_to_refuse(state: State, batch: Batch) -> str:
    """Why this proposal is never accepted: for what is in the batch, or open here already (R27)."""
    requests = batch.requests
    if not requests:
        return "empty batch"
    if batch.proposer != state.primary:
        return "proposer is not the primary"
    if len(requests) > state.settings.max_batch:
        return "too many requests"
    if len(frozenset(requests)) != len(requests):
        return "request twice in a batch"
    if not all(identifier in state.waiting for identifier in requests):
        return "request already proposed"  # In another open slot, or executed: one effect is enough (R24).
    known = [state.requests[identifier].request for identifier in requests]
    if len(known) > 1 and sum(request.size for request in known) > state.settings.max_batch_bytes:
        return "batch too large"
    if not all(request.valid_from <= batch.sequence <= request.valid_until for request in known):
        return "request outside its window"
    if batch.time_ms <= _parent_time(state, batch.sequence):
        return "time not after the parent's"
    return ""


def _accept(state: State, slot: Slot, batch: Batch) -> None:
    assert slot.proposal is not None and slot.sequence == state.accepted + 1, (slot.sequence, state.accepted)
    slot.accepted = True
    state.accepted = slot.sequence
    for identifier in batch.requests:
        state.waiting.pop(identifier, None)
    state.out.persist.append(ProposalRecord(slot.proposal))
    state.arm_resend()


def _prepare(state: State, slot: Slot) -> None:
    """Vote for an accepted proposal; the primary does not, its pre-prepare is its vote (R5)."""
    settings = state.settings
    if settings.votes and not state.halted:
        vote = Prepare(settings.epoch, state.view, slot.sequence, slot.digest, settings.replica)
        signed = state.cast(vote)
        slot.own.append(signed)
        slot.prepares.add(settings.replica, slot.digest, signed.signature)
        state.note(
            "prepare", slot.sequence, slot.digest, have=_prepares(state, slot), need=state.prepares_needed
        )
    _check_prepared(state, slot)


def on_prepare(state: State, vote: Prepare, signature: bytes) -> None:
    """Take a backup's vote."""
    if vote.replica == state.primary:
        state.ignore("prepare from the primary", vote.sequence, vote.digest, vote.replica)
        return
    slot = _slot_of_vote(state, vote)
    if slot is None:
        return
    if not slot.prepares.add(vote.replica, vote.digest, signature):
        _ignore_second(state, vote, slot.prepares.first_digest(vote.replica))
        return
    if vote.digest == slot.digest and not slot.prepared:
        state.note(
            "prepare",
            vote.sequence,
            vote.digest,
            vote.replica,
            have=_prepares(state, slot),
            need=state.prepares_needed,
        )
    _check_prepared(state, slot)
    execution.execute_ready(state)


def _prepares(state: State, slot: Slot) -> int:
    return slot.prepares.count_without(slot.digest, state.primary)


def _check_prepared(state: State, slot: Slot) -> None:
    """prepared: the pre-prepare, and matching prepares of quorum - 1 backups (PBFT 4.2, R6)."""
    if slot.prepared or not slot.accepted or _prepares(state, slot) < state.prepares_needed:
        return
    assert slot.proposal is not None
    slot.prepared = True
    settings, digest = state.settings, slot.digest
    certificate = PreparedCertificate(
        settings.epoch,
        state.view,
        slot.sequence,
        digest,
        state.primary,
        slot.proposal.signature,
        slot.prepares.signatures(digest, without=state.primary),
    )
    state.out.persist.append(PreparedRecord(certificate))
    state.note("prepared", slot.sequence, digest, have=_prepares(state, slot), need=state.prepares_needed)
    _commit(state, slot)


def _commit(state: State, slot: Slot) -> None:
    settings, digest = state.settings, slot.digest
    if settings.votes and not state.halted:
        signed = state.cast(Commit(settings.epoch, state.view, slot.sequence, digest, settings.replica))
        slot.own.append(signed)
        slot.commits.add(settings.replica, digest, signed.signature)
        _check_committed(state, slot, digest)


def on_commit(state: State, vote: Commit, signature: bytes) -> None:
    """Take a replica's second vote."""
    slot = _slot_of_vote(state, vote)
    if slot is None:
        return
    if not slot.commits.add(vote.replica, vote.digest, signature):
        _ignore_second(state, vote, slot.commits.first_digest(vote.replica))
        return
    have = slot.commits.count(vote.digest)
    state.note("commit", vote.sequence, vote.digest, vote.replica, have=have, need=state.quorum)
    _check_committed(state, slot, vote.digest)
    execution.execute_ready(state)


def _check_committed(state: State, slot: Slot, digest: bytes) -> None:
    """A quorum of commits of one view for one digest decides, prepared here or not (R8)."""
    if slot.certificate is not None or slot.commits.count(digest) < state.quorum:
        return
    slot.certificate = CommitCertificate(
        state.settings.epoch, state.view, slot.sequence, digest, slot.commits.signatures(digest)
    )
    state.note("committed", slot.sequence, digest, have=slot.commits.count(digest), need=state.quorum)


def _slot_of_vote(state: State, vote: Prepare | Commit) -> Slot | None:
    """The slot that a vote belongs to, or None with the reason noted."""
    reason = ""
    if vote.replica >= state.settings.n:
        reason = "not a voter"
    elif vote.view != state.view:
        reason = "other view"
    elif vote.sequence <= state.executed:
        reason = "already executed"
    elif vote.sequence > state.high_watermark:
        reason = "outside watermarks"
        fetching.heard_of(state, vote.replica, vote.sequence - 1)
    if reason:
        state.ignore(reason, vote.sequence, vote.digest, vote.replica)
        return None
    return state.slot(vote.sequence)


def _ignore_second(state: State, vote: Prepare | Commit, first: bytes | None) -> None:
    reason = "repeated" if first == vote.digest else "second vote differs"
    state.ignore(reason, vote.sequence, vote.digest, vote.replica)


def resume(state: State, slot: Slot) -> None:
    """After a restart: count again what this replica recorded about a slot.

    The stop may have come between two records of one step: a vote that should follow is cast now.
    """
    own = state.settings.replica
    if slot.accepted and not state.is_primary and slot.prepares.first_digest(own) is None:
        _prepare(state, slot)
    _check_prepared(state, slot)
    if slot.prepared and slot.commits.first_digest(own) is None:
        _commit(state, slot)
    if slot.prepared:
        _check_committed(state, slot, slot.digest)
