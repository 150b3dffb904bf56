"""The normal case: pre-prepare, prepare, commit (PBFT 4.2).

Fresh proposals are accepted in sequence order, because the time of each is judged against its parent's;
votes are taken in any order and counted when their proposal is there (R6). Proposals that a new view
renews are accepted as soon as their batch is here: a quorum of view-changes vouches for them.
"""

from __future__ import annotations

from collections import deque

from consensus import execution, fetching
from consensus.certificates import CommitCertificate, PreparedCertificate
from consensus.messages import Proposal, Signed
from consensus.output import PreparedRecord, ProposalRecord
from consensus.slot import Slot, VoteSet
from consensus.state import State
from consensus.votes import Batch, Commit, Prepare, PrePrepare

# Packets kept of one sender for views that this replica has not entered yet; the oldest go first (R37).
EARLY_VOTES = 64


def propose(state: State) -> None:
    """As primary, put waiting requests into a batch, not more often than every `block_every_ms`."""
    settings = state.settings
    state.propose_at = None
    if not state.waiting or settings.replica != state.view % settings.n or not state.takes_part:
        return
    # Execution, bodies and checkpoints that are still missing will call again.
    if state.executed < state.low_watermark or state.accepted < state.renewed_top:
        return
    if state.accepted >= state.high_watermark or state.accepted - state.executed >= settings.in_flight:
        return
    if state.last_proposal_ms is not None:
        due = state.last_proposal_ms + settings.block_every_ms
        if state.now_ms < due:
            state.propose_at = due
            return
    sequence = state.accepted + 1
    parent_ms = _parent_time(state, sequence)
    requests = _choose(state, sequence)
    if not requests or parent_ms is None:
        return
    batch = Batch(sequence, settings.replica, max(state.now_ms, parent_ms + 1), requests)
    pre_prepare = PrePrepare(settings.epoch, state.view, sequence, batch.digest(), settings.replica)
    proposal = Proposal(pre_prepare, state.sign(pre_prepare), batch)
    state.last_proposal_ms = state.now_ms
    slot = state.slot(sequence)
    slot.propose(pre_prepare, proposal.signature)
    slot.batches[pre_prepare.digest] = batch
    slot.own.append(proposal)
    # _accept records the proposal; only then may it leave.
    _accept(state, slot, batch)
    state.accepted = sequence
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
    if _is_early(state, vote.view):
        _keep_early(state, vote.replica, proposal)
        return
    if reason := _reason_to_ignore_proposal(state, vote, batch):
        state.ignore(reason, sequence, vote.digest, vote.replica)
        return
    slot = state.slot(sequence)
    if slot.pre_prepare is not None:
        same = slot.digest == vote.digest
        state.ignore("repeated" if same else "second pre-prepare", sequence, vote.digest, vote.replica)
        if not same:
            first = Signed(slot.pre_prepare, slot.pre_prepare_signature)
            state.accuse("E1", first, Signed(vote, proposal.signature))
        elif slot.batch is None:
            take_batch(state, slot, batch)  # It comes just as well as by a fetch.
        return
    if sequence <= state.executed:
        state.ignore("already executed", sequence, vote.digest, vote.replica)
        return
    slot.propose(vote, proposal.signature)
    slot.batches[vote.digest] = batch
    state.note("pre_prepare", sequence, vote.digest, vote.replica, have=len(batch.requests))
    if state.missing(batch.requests):
        fetching.want_bodies(state, batch)
    advance(state)
    execution.execute_ready(state)


def _reason_to_ignore_proposal(state: State, vote: PrePrepare, batch: Batch) -> str:
    if vote.view != state.view or not state.active:
        return "other view"
    if vote.replica != state.primary or vote.replica == state.settings.replica:
        return "not from the primary"
    if vote.sequence <= state.low_watermark:
        return "already executed"
    if state.outside_watermarks(vote.sequence):
        fetching.heard_of(state, vote.replica, vote.sequence - 1)
        return "outside watermarks"
    if batch.sequence != vote.sequence:
        return "batch is for another sequence number"
    if batch.digest() != vote.digest:
        return "digest does not match the batch"
    return ""


def advance(state: State) -> None:
    """Accept proposals in order, as far as they are complete and valid."""
    state.recheck_at = None
    if not state.active:
        return
    while (slot := state.slots.get(state.accepted + 1)) is not None and slot.pre_prepare is not None:
        if not slot.accepted and not (
            accept_renewed(state, slot) if slot.renewed else _accept_fresh(state, slot)
        ):
            return
        state.accepted = slot.sequence


def _accept_fresh(state: State, slot: Slot) -> bool:
    batch = slot.batch
    if slot.refused or batch is None or state.missing(batch.requests):
        return False
    parent_ms = _parent_time(state, slot.sequence)
    if parent_ms is None:
        return False
    if reason := _reason_to_refuse(state, batch, parent_ms):
        slot.refused = True
        state.note("refused", slot.sequence, slot.digest, batch.proposer, reason=reason)
        return False
    if batch.time_ms > state.now_ms + state.settings.max_skew_ms:
        # Not a reason to refuse for good: this clock may be the slow one.
        state.recheck_at = batch.time_ms - state.settings.max_skew_ms
        return False
    _accept(state, slot, batch)
    _prepare(state, slot)
    return True


def accept_renewed(state: State, slot: Slot) -> bool:
    """Accept and vote for a proposal that a new view renews, even if it is executed already (R18 iii).

    A clock, or what is proposed elsewhere, is no reason to refuse it: its certificate is (R27).
    """
    batch = slot.batch
    if slot.accepted:
        return True
    if slot.refused or batch is None:
        return False
    if slot.sequence <= state.executed:
        if slot.certificate is not None and slot.certificate.digest != slot.digest:
            # Only with more than f faulty replicas. Whatever they say, this one keeps to what it executed.
            slot.refused = True
            state.note("alarm", slot.sequence, slot.digest, reason="new view contradicts what was executed")
            return False
    elif state.missing(batch.requests):
        fetching.want_bodies(state, batch)
        return False
    _accept(state, slot, batch)
    _prepare(state, slot)
    return True


def take_batch(state: State, slot: Slot, batch: Batch) -> None:
    """A batch that a new view or a certificate named has come."""
    slot.batches[batch.digest()] = batch
    if slot.renewed and state.active:
        accept_renewed(state, slot)
    advance(state)
    execution.execute_ready(state)


def _parent_time(state: State, sequence: int) -> int | None:
    """The time that the parent of this sequence number has, or None while it is not known."""
    if state.executed < state.low_watermark:
        return None
    parent_ms, slots = state.executed_time_ms, state.slots
    for earlier in range(state.executed + 1, sequence):
        slot = slots.get(earlier)
        if slot is None:
            return None
        # The same as Slot.agreed: several heights may be in flight, and each proposal passes here.
        proposal, certificate = slot.pre_prepare, slot.certificate
        digest = certificate.digest if certificate else proposal.digest if proposal else b""
        batch = slot.batches.get(digest)
        if batch is None:
            return None
        if batch.time_ms > parent_ms:
            parent_ms = batch.time_ms
    return parent_ms


def _reason_to_refuse(state: State, batch: Batch, parent_ms: int) -> str:
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
    if batch.time_ms <= parent_ms:
        return "time not after the parent's"
    return ""


def _accept(state: State, slot: Slot, batch: Batch) -> None:
    assert slot.pre_prepare is not None
    slot.accepted = True
    if slot.sequence > state.executed:
        for identifier in batch.requests:
            state.waiting.pop(identifier, None)
            state.proposed[identifier] = None
    state.out.persist.append(ProposalRecord(Proposal(slot.pre_prepare, slot.pre_prepare_signature, batch)))
    state.arm_resend()


def _prepare(state: State, slot: Slot) -> None:
    """Vote for an accepted proposal; the primary does not, its pre-prepare is its vote (R5)."""
    settings = state.settings
    if state.takes_part and not state.is_primary:
        vote = Prepare(settings.epoch, state.view, slot.sequence, slot.digest, settings.replica)
        signed = state.cast(vote)
        slot.own.append(signed)
        slot.prepares.add(settings.replica, slot.digest, signed)
        if not state.quiet:
            have, need = _prepares(state, slot), state.prepares_needed
            state.note("prepare", slot.sequence, slot.digest, have=have, need=need)
    _check_prepared(state, slot)


def on_prepare(state: State, vote: Prepare, signed: Signed) -> None:
    """Take a backup's vote."""
    if vote.replica == vote.view % state.settings.n:
        state.ignore("prepare from the primary", vote.sequence, vote.digest, vote.replica)
        state.accuse("E4", signed)
        return
    slot = _slot_of_vote(state, vote, signed)
    if slot is None:
        return
    if slot.prepares.add(vote.replica, vote.digest, signed):
        prepare_counted(state, slot, vote)
    else:
        _ignore_second(state, vote, signed, slot.prepares)


def prepare_counted(state: State, slot: Slot, vote: Prepare) -> None:
    """What follows from a backup's vote that was just counted."""
    if not slot.prepared and vote.digest == slot.digest:
        have = _prepares(state, slot)
        if not state.quiet:
            need = state.prepares_needed
            state.note("prepare", vote.sequence, vote.digest, vote.replica, have=have, need=need)
        if have >= state.prepares_needed:
            _check_prepared(state, slot)
            execution.execute_ready(state)


def _prepares(state: State, slot: Slot) -> int:
    return slot.prepares.count_without(slot.digest, state.voting_view % state.settings.n)


def _check_prepared(state: State, slot: Slot) -> None:
    """prepared: the pre-prepare, and matching prepares of quorum - 1 backups (PBFT 4.2, R6)."""
    if slot.prepared or not slot.accepted or not state.active:
        return
    if _prepares(state, slot) < state.prepares_needed:
        return
    assert slot.pre_prepare is not None
    slot.prepared = True
    slot.prepares.settle()
    settings, digest = state.settings, slot.digest
    certificate = PreparedCertificate(
        settings.epoch,
        state.view,
        slot.sequence,
        digest,
        state.primary,
        slot.pre_prepare_signature,
        slot.prepares.signatures(digest, without=state.primary),
    )
    slot.prepared_certificate = certificate
    state.out.persist.append(PreparedRecord(certificate))
    if not state.quiet:
        state.note("prepared", slot.sequence, digest, have=_prepares(state, slot), need=state.prepares_needed)
    _commit(state, slot)


def _commit(state: State, slot: Slot) -> None:
    settings, digest = state.settings, slot.digest
    if state.takes_part:
        signed = state.cast(Commit(settings.epoch, state.view, slot.sequence, digest, settings.replica))
        slot.own.append(signed)
        slot.commits.add(settings.replica, digest, signed)
        _check_committed(state, slot, digest)


def on_commit(state: State, vote: Commit, signed: Signed) -> None:
    """Take a replica's second vote. One of the view that was left still decides (R8)."""
    slot = _slot_of_vote(state, vote, signed)
    if slot is None:
        return
    if slot.commits.add(vote.replica, vote.digest, signed):
        commit_counted(state, slot, vote)
    else:
        _ignore_second(state, vote, signed, slot.commits)


def commit_counted(state: State, slot: Slot, vote: Commit) -> None:
    """What follows from a second vote that was just counted."""
    have = slot.commits.count(vote.digest)
    if not state.quiet:
        state.note("commit", vote.sequence, vote.digest, vote.replica, have=have, need=state.quorum)
    if have >= state.quorum:
        _check_committed(state, slot, vote.digest)
        execution.execute_ready(state)


def _check_committed(state: State, slot: Slot, digest: bytes) -> None:
    """A quorum of commits of one view for one digest decides, prepared here or not (R8)."""
    if slot.commits.count(digest) < state.quorum:
        return
    state.proven(state.voting_view)
    slot.commits.settle()
    if slot.certificate is not None:
        return
    slot.certificate = CommitCertificate(
        state.settings.epoch, state.voting_view, slot.sequence, digest, slot.commits.signatures(digest)
    )
    if not state.quiet:
        state.note("committed", slot.sequence, digest, have=slot.commits.count(digest), need=state.quorum)


def _slot_of_vote(state: State, vote: Prepare | Commit, signed: Signed) -> Slot | None:
    """The slot that a vote belongs to, or None with the reason noted."""
    sequence = vote.sequence
    if vote.view == state.voting_view and state.low_watermark < sequence and vote.replica < state.settings.n:
        slot = state.slots.get(sequence)
        if slot is not None:
            return slot  # By far the most common case, and the one that is measured.
    reason = ""
    if vote.replica >= state.settings.n:
        reason = "not a voter"
    elif _is_early(state, vote.view):
        _keep_early(state, vote.replica, signed)
        return None
    elif vote.view != state.voting_view:
        reason = "other view"
    elif vote.sequence <= state.low_watermark:
        reason = "already executed"
    elif vote.sequence > state.high_watermark:
        reason = "outside watermarks"
        fetching.heard_of(state, vote.replica, vote.sequence - 1)
    if reason:
        state.ignore(reason, vote.sequence, vote.digest, vote.replica)
        return None
    return state.slot(vote.sequence)


def _ignore_second(state: State, vote: Prepare | Commit, signed: Signed, votes: VoteSet) -> None:
    digest = vote.digest if votes.same(vote.replica, vote.digest) else b""
    reason = "repeated" if digest == vote.digest else "second vote differs"
    state.ignore(reason, vote.sequence, vote.digest, vote.replica)
    if digest != vote.digest:
        earlier = votes.first(vote.replica)
        assert earlier is not None
        state.accuse("E1", earlier, signed)


def _is_early(state: State, view: int) -> bool:
    """Whether a view is one that this replica may still enter."""
    return view > state.voting_view and view >= state.view


def _keep_early(state: State, sender: int, packet: Signed | Proposal) -> None:
    """Keep what others say in a view whose new-view has not arrived here yet (R6, R37)."""
    state.early_votes.setdefault(sender, deque(maxlen=EARLY_VOTES)).append(packet)


def replay_early(state: State) -> None:
    """A view was entered: take what was said in it before."""
    kept, state.early_votes = state.early_votes, {}
    for sender in sorted(kept):
        for packet in kept[sender]:
            if isinstance(packet, Proposal):
                on_proposal(state, packet)
            elif isinstance(packet.message, Prepare):
                on_prepare(state, packet.message, packet)
            elif isinstance(packet.message, Commit):
                on_commit(state, packet.message, packet)


def resume(state: State, slot: Slot) -> None:
    """After a restart: count again what this replica recorded about a slot.

    The stop may have come between two records of one step: a vote that should follow is cast now.
    """
    own = state.settings.replica
    if state.active:
        if slot.accepted and not slot.prepares.has(own):
            _prepare(state, slot)
        _check_prepared(state, slot)
        if slot.prepared and not slot.commits.has(own):
            _commit(state, slot)
    if slot.prepared:
        _check_committed(state, slot, slot.digest)
