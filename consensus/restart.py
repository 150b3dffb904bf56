"""Coming back after a restart: what was recorded is said again, byte by byte, and nothing else (R20)."""

from __future__ import annotations

from consensus import blocks, fetching, ordering
from consensus.messages import BlockVote, Commit, Prepare, PrePrepare, Signed
from consensus.output import HaltedRecord, ProposalRecord, Record, VoteRecord
from consensus.state import State


def recall(state: State, record: Record) -> None:
    """Put one record of the time before the restart back in its place."""
    if isinstance(record, VoteRecord):
        _recall_vote(state, record)
    elif isinstance(record, ProposalRecord):
        proposal = record.proposal
        if proposal.pre_prepare.sequence > state.executed:
            slot = state.slot(proposal.pre_prepare.sequence)
            slot.proposal, slot.accepted = proposal, True
            state.recalled.update(dict.fromkeys(proposal.batch.requests))
            if proposal.pre_prepare.replica == state.settings.replica:
                slot.own.append(proposal)
    elif isinstance(record, HaltedRecord):
        state.halted = blocks.OTHER_BLOCK
    elif record.certificate.sequence > state.executed:
        slot = state.slot(record.certificate.sequence)
        slot.prepared = True
        for replica, signature in record.certificate.prepares:
            slot.prepares.add(replica, record.certificate.digest, signature)


def _recall_vote(state: State, record: VoteRecord) -> None:
    vote, signed = record.vote, Signed(record.vote, record.signature)
    if isinstance(vote, BlockVote):
        state.own_block_votes[vote.sequence] = signed
        if vote.sequence <= state.executed:
            state.own_blocks[vote.sequence] = vote.block
        return
    if vote.sequence <= state.executed:
        return
    slot = state.slot(vote.sequence)
    slot.own.append(signed)
    if not isinstance(vote, PrePrepare):
        votes = slot.prepares if isinstance(vote, Prepare) else slot.commits
        votes.add(vote.replica, vote.digest, record.signature)
    slot.prepared = slot.prepared or isinstance(vote, Commit)


def start(state: State) -> None:
    """The first tick: count what was recalled, and have it said again."""
    state.status_at = state.now_ms
    for sequence in sorted(state.slots):
        ordering.resume(state, state.slots[sequence])
    for sequence, block in sorted(state.own_blocks.items()):
        blocks.open_block(state, sequence, block)
    if state.slots or state.own_blocks:
        state.resend_at = state.now_ms
    for slot in state.slots.values():
        if slot.proposal is not None and state.missing(slot.proposal.batch.requests):
            fetching.want_bodies(state, slot.proposal.batch)
