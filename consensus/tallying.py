"""Counting many votes at once: the quick way for a vote that leads to nothing yet, as most do.

Of a quorum's votes only the last one changes more than a count. What is not plainly such a vote (of this
epoch and view, the first of its sender, for a slot that is there, with fewer replicas heard than can lead to
anything) goes the way that every vote goes when it comes alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from consensus import checkpoints, ordering
from consensus.messages import Signed
from consensus.slot import Slot, VoteSet
from consensus.state import State
from consensus.votes import BlockVote, Commit, Prepare


class Stepped(Protocol):
    """The replica whose state it is."""

    def on_signed(self, packet: Signed) -> None:
        """Take one vote as any packet."""

    def go_on(self) -> None:
        """Do what has become possible."""


def take_votes(state: State, packets: Iterable[Signed], replica: Stepped) -> None:
    """Count votes of others; what is not plain goes to `replica.on_signed`."""
    if not state.quiet:
        # Somebody wants a note of each vote.
        for packet in packets:
            if not state.halted:
                replica.on_signed(packet)
        return
    settings = state.settings
    n, epoch, own = settings.n, settings.epoch, settings.replica
    slots, block_votes, own_blocks, claims = state.slots, state.block_votes, state.own_blocks, state.claims
    view, low, executed, fetches = state.voting_view, state.low_watermark, state.executed, state.fetch_at
    primary = view % n
    slot: Slot | None
    votes: VoteSet | None
    for packet in packets:
        vote: Any = packet.message
        kind, author, sequence = type(vote), vote.replica, vote.sequence
        votes = None
        if vote.epoch != epoch or author >= n or author == own:
            pass
        elif kind is BlockVote:
            digest = vote.block
            if sequence > executed:
                # A hint that others are ahead, unless it is known and acted upon already.
                if fetches is not None and claims.get(author, 0) >= sequence:
                    votes = block_votes.get(sequence)
            elif sequence in own_blocks:
                votes = block_votes.get(sequence)
            else:
                state.idle_votes += 1  # Its certificate is complete.
                continue
        elif vote.view == view and sequence > low and (slot := slots.get(sequence)) is not None:
            digest = vote.digest
            if kind is Commit:
                votes = slot.commits
            elif author != primary:
                votes = slot.prepares
        if votes is not None:
            bit = 1 << author
            voted = votes.voted
            if not voted & bit:
                # The same as VoteSet.add.
                votes.voted = voted = voted | bit
                by_digest = votes.by_digest
                by_digest[digest] = by_digest.get(digest, 0) | bit
                votes.votes.append(packet)
                if voted.bit_count() < votes.need:
                    continue
                if kind is Prepare:
                    ordering.prepare_counted(state, slot, vote)  # type: ignore[arg-type]
                elif kind is Commit:
                    ordering.commit_counted(state, slot, vote)  # type: ignore[arg-type]
                else:
                    checkpoints.block_vote_counted(state, votes, vote)
                    if state.low_watermark > low:
                        replica.go_on()
            elif votes.by_digest.get(digest, 0) & bit:
                state.idle_votes += 1
                continue
            else:
                replica.on_signed(packet)
        else:
            replica.on_signed(packet)
        if state.halted:
            return
        view, low, executed, fetches = state.voting_view, state.low_watermark, state.executed, state.fetch_at
        primary = view % n
