"""Executing what is decided, in order and once (R9).

One path delivers batches, whoever decided them: a quorum of commits that came one by one, or a
certificate that a peer sent.
"""

from __future__ import annotations

from consensus import fetching
from consensus.output import Decision
from consensus.slot import Slot
from consensus.state import State
from consensus.votes import Batch

DROP_EXPIRED_EVERY = 16


def execute_ready(state: State) -> None:
    """Hand over every decided batch that is next in order and complete."""
    while (slot := state.slots.get(state.executed + 1)) is not None and slot.certificate is not None:
        batch = slot.batches.get(slot.certificate.digest)
        if batch is None:
            # Decided without us: whoever signed the certificate can send the batch.
            for replica, _ in slot.certificate.signatures:
                fetching.heard_of(state, replica, slot.sequence)
            return
        if state.missing(batch.requests):
            fetching.want_bodies(state, batch)
            return
        state.out.execute.append(Decision(batch, slot.certificate, slot.block_certificate))
        _finish(state, slot, batch)


def _finish(state: State, slot: Slot, batch: Batch) -> None:
    """The slot stays until a checkpoint covers it: what it proves may be needed in another view (R13)."""
    state.executed = batch.sequence
    # What a new view renews may be older than what was put before it meanwhile; the null request has no time.
    state.executed_time_ms = max(state.executed_time_ms, batch.time_ms)
    state.accepted = max(state.accepted, state.executed)
    if slot.accepted and slot.batch is not None and slot.batch is not batch:
        # The primary proposed another batch to others, and theirs was decided: it waits again.
        for identifier in slot.batch.requests:
            state.proposed.pop(identifier, None)
            if identifier in state.requests:
                state.waiting[identifier] = None
    for identifier in batch.requests:
        forget(state, identifier)
    if state.wanted:
        state.wanted = {
            body: sequence for body, sequence in state.wanted.items() if sequence > batch.sequence
        }
    if state.early:
        let_ripen(state)
    if batch.sequence <= state.low_watermark:
        del state.slots[batch.sequence]
    state.progress()
    if batch.sequence % DROP_EXPIRED_EVERY == 0:
        drop_expired(state)


def forget(state: State, identifier: bytes) -> None:
    """A request is executed, or can no longer be."""
    state.requests.pop(identifier, None)
    state.waiting.pop(identifier, None)
    state.proposed.pop(identifier, None)
    state.orderable.pop(identifier, None)
    state.early.pop(identifier, None)


def let_ripen(state: State) -> None:
    """Time those requests from now on that the next sequence number may order."""
    for identifier in list(state.early):
        if state.requests[identifier].request.valid_from <= state.executed + 1:
            del state.early[identifier]
            state.orderable[identifier] = state.now_ms


def drop_expired(state: State) -> None:
    """Forget requests that no later sequence number may order."""
    expired = [
        identifier
        for identifier in state.waiting
        if state.requests[identifier].request.valid_until <= state.executed
    ]
    for identifier in expired:
        forget(state, identifier)
    state.out.expired.extend(expired)
