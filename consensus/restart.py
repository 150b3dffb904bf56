"""Coming back after a restart: what was recorded is said again, byte by byte, and nothing else (R20)."""

from __future__ import annotations

from consensus import checkpoints, fetching, lost_disk, ordering, view_change
from consensus.messages import NewView, Signed, ViewChange
from consensus.output import (
    Decision,
    EvidenceRecord,
    HaltedRecord,
    LostDiskRecord,
    NewViewRecord,
    PreparedRecord,
    ProposalRecord,
    Record,
    ViewChangeRecord,
    VoteRecord,
)
from consensus.state import State
from consensus.votes import BlockVote, Prepare, PrePrepare


def recall_decision(state: State, decision: Decision) -> None:
    """What was executed and is not covered by a stable checkpoint yet: other replicas may ask for it."""
    sequence = decision.batch.sequence
    if state.low_watermark < sequence <= state.executed:
        slot = state.slot(sequence)
        slot.certificate = decision.certificate
        slot.batches[decision.certificate.digest] = decision.batch


def recall(state: State, record: Record) -> None:
    """Put one record of the time before the restart back in its place; they come in the order of old."""
    if isinstance(record, VoteRecord):
        _recall_vote(state, record)
    elif isinstance(record, ProposalRecord):
        _recall_proposal(state, record)
    elif isinstance(record, PreparedRecord):
        _recall_prepared(state, record)
    elif isinstance(record, ViewChangeRecord):
        _recall_view_change(state, record.signed)
    elif isinstance(record, NewViewRecord):
        message = record.signed.message
        assert isinstance(message, NewView)
        if message.view >= state.view:
            view_change.install(state, record.signed, message)
    elif isinstance(record, HaltedRecord):
        state.halted = checkpoints.OTHER_BLOCK
    elif isinstance(record, LostDiskRecord):
        state.silent_until = record.until
        lost_disk.speak_if_safe(state)
    else:
        assert isinstance(record, EvidenceRecord)
        evidence = record.evidence
        state.accused.add((evidence.kind, evidence.accused, evidence.view, evidence.sequence))


def _recall_proposal(state: State, record: ProposalRecord) -> None:
    proposal = record.proposal
    vote = proposal.pre_prepare
    if vote.sequence <= state.low_watermark:
        # Not what is above the window: the certificate that had moved it may be lost, the promise is not.
        return
    slot = state.recalled_slot(vote.sequence)
    slot.batches[vote.digest] = proposal.batch
    if vote.view != state.voting_view:
        return
    slot.propose(vote, proposal.signature, renewed=slot.renewed)
    slot.accepted = True
    if vote.sequence > state.executed:
        state.proposed.update(dict.fromkeys(proposal.batch.requests))
    if vote.replica == state.settings.replica and not slot.renewed:
        slot.own.append(proposal)


def _recall_prepared(state: State, record: PreparedRecord) -> None:
    certificate = record.certificate
    if certificate.sequence <= state.low_watermark:
        return
    slot = state.recalled_slot(certificate.sequence)
    known = slot.prepared_certificate
    if known is None or certificate.view > known.view:
        slot.prepared_certificate = certificate
    if certificate.view == state.voting_view:
        slot.prepared = True
        for vote, signature in certificate.votes()[1:]:
            slot.prepares.add(vote.replica, vote.digest, Signed(vote, signature))


def _recall_vote(state: State, record: VoteRecord) -> None:
    vote, signed = record.vote, Signed(record.vote, record.signature)
    if isinstance(vote, BlockVote):
        state.own_block_votes[vote.sequence] = signed
        if vote.sequence <= state.executed:
            state.own_blocks[vote.sequence] = vote.block
        return
    if vote.view != state.voting_view or vote.sequence <= state.low_watermark:
        return
    slot = state.recalled_slot(vote.sequence)
    slot.own.append(signed)
    if not isinstance(vote, PrePrepare):
        votes = slot.prepares if isinstance(vote, Prepare) else slot.commits
        votes.add(vote.replica, vote.digest, signed)


def _recall_view_change(state: State, signed: Signed) -> None:
    message = signed.message
    assert isinstance(message, ViewChange)
    if message.view > state.view:
        if not state.active and state.own_view_change is not None:
            state.passed_view, state.passed = state.view, {message.replica: state.own_view_change}
        state.view, state.active = message.view, False
        state.own_view_change = signed
        state.view_changes[message.replica] = {message.view: signed}


def start(state: State) -> None:
    """The first tick: count what was recalled, and have it said again."""
    state.status_at = state.proven_ms = state.now_ms
    while (slot := state.slots.get(state.accepted + 1)) is not None and slot.accepted:
        state.accepted = slot.sequence
    for sequence in sorted(state.slots):
        ordering.resume(state, state.slots[sequence])
        if state.active and state.slots[sequence].renewed:
            ordering.accept_renewed(state, state.slots[sequence])
    for sequence, block in sorted(state.own_blocks.items()):
        checkpoints.open_block(state, sequence, block)
    if state.slots or state.own_blocks or not state.active:
        state.resend_at = state.now_ms
    for slot in state.slots.values():
        agreed = slot.agreed
        if slot.sequence > state.executed and agreed is not None and state.missing(agreed.requests):
            fetching.want_bodies(state, agreed)
    fetching.want_batches(state)
