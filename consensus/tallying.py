"""Counting many votes at once: the quick way for a vote that leads to nothing yet, as most do.

Of a quorum's votes only the last one changes more than a count. What is not plainly such a vote (of this
epoch and view, the first of its sender, for a slot that is there, with fewer replicas heard than can lead to
anything) goes the way that every vote goes when it comes alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from consensus.messages import Signed
from consensus.slot import VoteSet
from consensus.state import State
from consensus.votes import BlockVote, Commit, Prepare


def take_votes(state: State, packets: Iterable[Signed], take_whole: Callable[[Signed, str], None]) -> None:
    """Count votes of others; `take_whole` gets those that may lead to something."""
    if not state.quiet:
        # Somebody wants a note of each vote.
        for packet in packets:
            if not state.halted:
                take_whole(packet, "")
        return
    settings = state.settings
    n, epoch, own = settings.n, settings.epoch, settings.replica
    slots, block_votes, own_blocks, claims = state.slots, state.block_votes, state.own_blocks, state.claims
    view, low, executed, fetches = state.voting_view, state.low_watermark, state.executed, state.fetch_at
    primary = view % n
    votes: VoteSet | None
    for packet in packets:
        vote = packet.message
        kind, replica, sequence = type(vote), vote.replica, vote.sequence  # type: ignore[union-attr]
        votes = None
        if kind is BlockVote:
            digest = vote.block  # type: ignore[union-attr]
            if sequence > executed:
                # A hint that others are ahead, unless it is known and acted upon already.
                if fetches is not None and claims.get(replica, 0) >= sequence:
                    votes = block_votes.get(sequence)
            elif sequence in own_blocks:
                votes = block_votes.get(sequence)
            elif vote.epoch == epoch and replica < n:
                state.idle_votes += 1  # Its certificate is complete.
                continue
        elif sequence > low and vote.view == view:  # type: ignore[union-attr]
            digest = vote.digest  # type: ignore[union-attr]
            slot = slots.get(sequence)
            if slot is not None:
                if kind is Commit:
                    votes = slot.commits
                elif kind is Prepare and replica != primary:
                    votes = slot.prepares
        if votes is not None and replica < n and replica != own and vote.epoch == epoch:
            bit = 1 << replica
            voted = votes.voted
            if voted & bit:
                if votes.by_digest.get(digest, 0) & bit:
                    state.idle_votes += 1
                    continue
            elif (voted := voted | bit).bit_count() < votes.need:
                # The same as VoteSet.add.
                votes.voted = voted
                by_digest = votes.by_digest
                by_digest[digest] = by_digest.get(digest, 0) | bit
                votes.votes.append(packet)
                continue
        take_whole(packet, "")
        if state.halted:
            return
        view, low, executed, fetches = state.voting_view, state.low_watermark, state.executed, state.fetch_at
        primary = view % n
