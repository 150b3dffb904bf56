"""Checkpoints: after executing, voters sign what they arrived at (PBFT 4.3, R10).

A checkpoint is taken at every sequence number: a block vote names the block's hash, which covers parent and
state, so a quorum of them, the block certificate, makes the checkpoint stable. It proves besides what came of
the batch, which no proposal can name because several heights may be in flight (R28).
"""

from __future__ import annotations

from consensus import fetching, lost_disk
from consensus.certificates import BlockCertificate
from consensus.messages import Signed
from consensus.output import HaltedRecord
from consensus.slot import VoteSet
from consensus.state import State
from consensus.votes import BlockVote

OTHER_BLOCK = "own block differs from the certificate"


def executed(
    state: State, sequence: int, block: bytes, state_root: bytes, known: BlockCertificate | None
) -> None:
    """The driver executed a decision and arrived at this block.

    `known` is the certificate that came with a fetched decision, if one did.
    """
    assert sequence <= state.executed, (sequence, state.executed)
    if sequence > state.block_sequence:
        state.block_sequence, state.block, state.state_root = sequence, block, state_root
    _close_old_blocks(state)
    if known is not None:
        state.own_block_votes.pop(sequence, None)
        state.block_votes.pop(sequence, None)
        if known.block != block:
            _halt(state, sequence, block)
        else:
            state.out.certified.append(known)
            _stabilise(state, known)
        return
    open_block(state, sequence, block)


def open_block(state: State, sequence: int, block: bytes) -> None:
    """Vote for an own block, and collect votes until its certificate is complete."""
    state.own_blocks[sequence] = block
    _close_old_blocks(state)
    settings = state.settings
    if sequence in state.own_blocks and state.speaks:
        vote = BlockVote(settings.epoch, sequence, block, settings.replica)
        signed = state.own_block_votes.get(sequence)
        if signed is None:
            signed = state.own_block_votes[sequence] = state.cast(vote)
        elif signed.message != vote:
            _halt(state, sequence, block)
            return
        _votes(state, sequence).add(settings.replica, block, signed)
    state.arm_resend()
    _check_certified(state, sequence)


def _close_old_blocks(state: State) -> None:
    """Give up open blocks below the window: later certificates cover them, since each names its parent."""
    oldest = state.executed - state.settings.window
    if oldest <= 0:
        return
    for old in [old for old in state.own_blocks if old <= oldest]:
        del state.own_blocks[old]
        state.own_block_votes.pop(old, None)
        state.block_votes.pop(old, None)


def on_block_vote(state: State, vote: BlockVote, signed: Signed) -> None:
    """Take another voter's word on a block."""
    reason = ""
    if vote.replica >= state.settings.n:
        reason = "not a voter"
    elif vote.sequence <= state.executed and vote.sequence not in state.own_blocks:
        reason = "already certified"
    elif vote.sequence > max(state.high_watermark, state.executed):
        reason = "outside watermarks"
    if vote.sequence > state.executed:
        fetching.heard_of(state, vote.replica, vote.sequence)
    if not reason and not (votes := _votes(state, vote.sequence)).add(vote.replica, vote.block, signed):
        reason = "repeated"
        if not votes.same(vote.replica, vote.block):
            # No accusation: a bug that makes execution differ from run to run does this to honest ones (R30).
            reason = "second vote differs"
            state.note("alarm", vote.sequence, vote.block, vote.replica, reason="two blocks of one voter")
    if reason:
        state.ignore(reason, vote.sequence, vote.block, vote.replica)
        return
    block_vote_counted(state, votes, vote)


def block_vote_counted(state: State, votes: VoteSet, vote: BlockVote) -> None:
    """What follows from a block vote that was just counted."""
    if votes.count(vote.block) >= state.quorum:
        _check_certified(state, vote.sequence)


def take_certificate(state: State, certificate: BlockCertificate) -> None:
    """Take a whole certificate for a block that this replica has executed without one."""
    own = state.own_blocks.get(certificate.sequence)
    if own is None:
        return
    if own != certificate.block:
        _halt(state, certificate.sequence, own)
        return
    _close(state, certificate)


def _votes(state: State, sequence: int) -> VoteSet:
    votes = state.block_votes.get(sequence)
    if votes is None:
        votes = state.block_votes[sequence] = VoteSet(state.quorum)
    return votes


def _check_certified(state: State, sequence: int) -> None:
    own = state.own_blocks.get(sequence)
    votes = state.block_votes.get(sequence)
    if own is None or votes is None:
        return
    for block in votes.by_digest:
        have = votes.count(block)
        if have >= state.quorum:
            if block != own:
                _halt(state, sequence, own)
                return
            _close(
                state,
                BlockCertificate(state.settings.epoch, sequence, block, votes.signatures(block)),
            )
            return


def _close(state: State, certificate: BlockCertificate) -> None:
    sequence = certificate.sequence
    del state.own_blocks[sequence]
    state.own_block_votes.pop(sequence, None)
    state.block_votes.pop(sequence, None)
    state.out.certified.append(certificate)
    if not state.quiet:
        have = len(certificate.signatures)
        state.note("certified", sequence, certificate.block, have=have, need=state.quorum)
    _stabilise(state, certificate)
    state.rest_if_done()
    state.progress()


def _stabilise(state: State, certificate: BlockCertificate) -> None:
    """The own state is proven up to here: nothing before it is voted on or kept any more (R10, R11)."""
    if certificate.sequence > state.low_watermark:
        raise_low_watermark(state, certificate)
        state.note("stable", certificate.sequence, certificate.block)
        lost_disk.speak_if_safe(state)


def raise_low_watermark(state: State, certificate: BlockCertificate) -> None:
    """Move the window, although this replica may not have the state yet (R18 i); keep the proof (R18 ii)."""
    assert certificate.sequence > state.low_watermark, (certificate.sequence, state.low_watermark)
    own = state.own_blocks.get(certificate.sequence)
    state.stable = certificate
    state.low_watermark = certificate.sequence
    _clear_slots(state)
    state.accepted = max(state.accepted, state.low_watermark)
    state.rest_if_done()
    if own is not None and own != certificate.block:
        _halt(state, certificate.sequence, own)
    if state.executed < state.low_watermark:
        for replica, _ in certificate.signatures:
            fetching.heard_of(state, replica, certificate.sequence)


def _clear_slots(state: State) -> None:
    """Drop what is executed and proven; nothing at or below that gets a slot again."""
    slots, floor = state.slots, min(state.low_watermark, state.executed)
    if state.cleared is None:  # What was recalled at the start may be of any sequence number.
        for sequence in [sequence for sequence in slots if sequence <= floor]:
            del slots[sequence]
    else:
        for sequence in range(state.cleared + 1, floor + 1):
            slots.pop(sequence, None)
    state.cleared = floor


def _halt(state: State, sequence: int, own: bytes) -> None:
    """A quorum arrived at another block: this replica is wrong, and must not vote on (R10)."""
    state.halted = OTHER_BLOCK
    state.out.persist.append(HaltedRecord(sequence, own))
    state.note("halted", sequence, own, reason=state.halted)


def resend(state: State, limit: int) -> None:
    """Repeat the oldest own block votes that are not part of a certificate yet."""
    for sequence in sorted(state.own_block_votes)[:limit]:
        packet: Signed = state.own_block_votes[sequence]
        state.send(packet)
