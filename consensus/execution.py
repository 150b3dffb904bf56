"""Executing what is decided, in order and once (R9).

One path delivers batches, whoever decided them: a quorum of commits that came one by one, or a
certificate that a peer sent.
"""

from __future__ import annotations

from consensus import fetching
from consensus.messages import Batch
from consensus.output import Decision
from consensus.state import State


def execute_ready(state: State) -> None:
    """Hand over every decided batch that is next in order and complete."""
    while (slot := state.slots.get(state.executed + 1)) is not None and slot.certificate is not None:
        batch = slot.batch_of(slot.certificate.digest)
        if batch is None:
            # Decided without us: whoever signed the certificate can send the batch.
            for replica, _ in slot.certificate.signatures:
                fetching.heard_of(state, replica, slot.sequence)
            return
        if state.missing(batch.requests):
            fetching.want_bodies(state, batch)
            return
        state.out.execute.append(Decision(batch, slot.certificate, slot.block_certificate))
        _finish(state, batch)


def _finish(state: State, batch: Batch) -> None:
    state.executed = batch.sequence
    # The null request has its parent's time.
    state.executed_time_ms = batch.time_ms if batch.requests else state.executed_time_ms
    state.accepted = max(state.accepted, state.executed)
    for identifier in batch.requests:
        state.requests.pop(identifier, None)
        state.waiting.pop(identifier, None)
        state.recalled.pop(identifier, None)
    if state.wanted:
        state.wanted = {
            body: sequence for body, sequence in state.wanted.items() if sequence > batch.sequence
        }
    slot = state.slots.pop(batch.sequence)
    if slot.accepted and slot.proposal is not None:
        for identifier in slot.proposal.batch.requests:
            state.recalled.pop(identifier, None)
            if identifier in state.requests:
                # The primary proposed another batch to others, and theirs was decided: it waits again.
                state.waiting[identifier] = None
    if not state.slots and not state.own_blocks:
        state.resend_at = None
    state.progress()
    if batch.sequence % 16 == 0:
        drop_expired(state)


def drop_expired(state: State) -> None:
    """Forget requests that no later sequence number may order."""
    expired = [
        identifier
        for identifier in state.waiting
        if state.requests[identifier].request.valid_until <= state.executed
    ]
    for identifier in expired:
        del state.requests[identifier]
        del state.waiting[identifier]
    state.out.expired.extend(expired)
