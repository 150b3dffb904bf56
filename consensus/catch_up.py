"""Taking what a peer says was decided: it counts for exactly what its certificates prove (R23)."""

from __future__ import annotations

from consensus import checkpoints, fetching
from consensus.certificates import Decided
from consensus.state import State


def on_decided(state: State, decided: Decided) -> bool:
    """Take a decided batch. Whether it proves anything; executing it is the next step."""
    certificate = decided.certificate
    sequence = certificate.sequence
    reason = decided.invalid(state.settings.n)
    if certificate.epoch != state.settings.epoch:
        reason = "other epoch"
    if reason:
        state.ignore(reason, sequence, certificate.digest)
        return False
    if sequence <= state.executed:
        # From a view that this replica has just entered it shows at least that the view works.
        state.proven(certificate.view)
        if decided.block_certificate is not None:
            checkpoints.take_certificate(state, decided.block_certificate)
        else:
            state.ignore("already executed", sequence, certificate.digest)
    elif state.out_of_reach(sequence):
        state.ignore("outside watermarks", sequence, certificate.digest)
    else:
        slot = state.slot(sequence)
        state.proven(certificate.view)
        if slot.certificate is None:
            slot.certificate = certificate
            have = len(certificate.signatures)
            state.note("committed", sequence, certificate.digest, have=have, need=state.quorum)
        if slot.certificate.digest == certificate.digest:
            slot.batches[certificate.digest] = decided.batch
            slot.block_certificate = slot.block_certificate or decided.block_certificate
    return True


def go_on(state: State) -> None:
    """A peer has sent all that it wanted to send at once: ask for more, if that led somewhere."""
    if state.executed > state.fetch_mark:
        # Only an answer that led somewhere keeps its sender first in line.
        state.fetch_tries = 0
        fetching.fetch(state)
