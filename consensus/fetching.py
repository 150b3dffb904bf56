"""Asking others for what this replica lacks: bodies that a proposal names, and batches decided without it.

Nothing is believed because somebody said it: a body is checked against its id, a batch against its
certificate. A hint of a later sequence number only makes a replica ask (R23).
"""

from __future__ import annotations

from consensus.messages import Fetch, FetchBatch, FetchedBatch, FetchRequests, NewView, Signed
from consensus.slot import Slot
from consensus.state import State
from consensus.votes import MAX_BATCH, Batch

# Bodies usually arrive by themselves, a moment after a proposal that overtook them.
BODY_WAIT_MS = 50


def want_bodies(state: State, batch: Batch) -> None:
    """Ask for the bodies that this batch names, if they do not arrive by themselves soon."""
    for identifier in state.missing(batch.requests):
        state.wanted[identifier] = batch.sequence
    if state.bodies_at is None:
        state.bodies_tries = 0
        state.bodies_at = state.now_ms + BODY_WAIT_MS


def fetch_bodies(state: State) -> None:
    """The wait is over: ask the primary, then one by one those who voted for the proposal (R7)."""
    state.bodies_at = None
    if not state.wanted:
        return
    first = min(state.wanted.values())
    slot = state.slot(first)
    sources = sources_of(state, slot)
    if sources:
        requests = tuple(state.wanted)[:MAX_BATCH]
        message = FetchRequests(state.settings.epoch, requests, state.settings.replica)
        replica = sources[state.bodies_tries % len(sources)]
        state.send(Signed(message, state.sign(message)), to=replica)
        state.note("fetch_requests", first, slot.digest, replica, have=len(requests))
        state.bodies_tries += 1
    state.bodies_at = state.now_ms + state.settings.fetch_ms


def sources_of(state: State, slot: Slot) -> list[int]:
    """Who ought to have what a slot names: the primary, and then all who voted for it (R7)."""
    own = state.settings.replica
    certificates = [slot.certificate.signatures] if slot.certificate is not None else []
    if slot.renewed and state.new_view is not None and isinstance(state.new_view.message, NewView):
        # Each certificate names a correct replica that prepared only with the whole batch in hand.
        certificates += [
            certificate.prepares
            for change, _ in state.new_view.message.view_changes
            for certificate in change.prepared
            if certificate.sequence == slot.sequence and certificate.digest == slot.digest
        ]
    signers = [replica for signatures in certificates for replica, _ in signatures]
    voters = [*slot.prepares.voters(), *slot.commits.voters(), *signers]
    return [replica for replica in dict.fromkeys([state.primary, *voters]) if replica != own]


def want_batches(state: State) -> None:
    """Ask for the batches that the new view renews and that are not here, if there are any."""
    if any(slot.renewed and slot.batch is None for slot in state.slots.values()):
        state.batches_tries = 0
        state.batches_at = state.now_ms


def fetch_batches(state: State) -> None:
    """Ask for each of them, every time another one of those who ought to have it."""
    state.batches_at = None
    settings = state.settings
    lacking = [slot for slot in state.slots.values() if slot.renewed and slot.batch is None]
    for slot in lacking:
        sources = sources_of(state, slot)
        if slot.sequence > state.low_watermark and sources:
            replica = sources[state.batches_tries % len(sources)]
            message = FetchBatch(settings.epoch, slot.sequence, slot.digest, settings.replica)
            state.send(Signed(message, state.sign(message)), to=replica)
            state.note("fetch_batch", slot.sequence, slot.digest, replica)
    if lacking:
        state.batches_tries += 1
        state.batches_at = state.now_ms + settings.fetch_ms


def give_batch(state: State, message: FetchBatch) -> None:
    """Answer another replica's question for a batch, if it is here."""
    slot = state.slots.get(message.sequence)
    batch = None if slot is None else slot.batches.get(message.digest)
    if batch is None:
        state.ignore("batch is not here", message.sequence, message.digest, message.replica)
    else:
        state.send(FetchedBatch(batch), to=message.replica)


def heard_of(state: State, replica: int, sequence: int) -> None:
    """A replica seems to have executed up to here. If that is further than this one, catch up soon."""
    if replica == state.settings.replica:
        return
    if sequence > state.claims.get(replica, 0):
        state.claims[replica] = sequence
    if sequence > state.executed and state.fetch_at is None:
        state.fetch_tries, state.fetch_mark = 0, state.executed
        state.fetch_at = state.now_ms + state.settings.fetch_ms
        state.rearm = True


def fetch_if_stuck(state: State) -> None:
    """The wait is over: fetch, unless votes arrive fast enough by themselves."""
    if state.executed > state.fetch_mark:
        state.fetch_at, state.fetch_mark = None, state.executed
        if max(state.claims.values(), default=0) > state.executed:
            state.fetch_at = state.now_ms + state.settings.fetch_ms
        return
    fetch(state)


def fetch(state: State) -> None:
    """Ask one of those who are ahead for the next decided batches; the next time ask another (R23)."""
    state.fetch_at, state.fetch_mark = None, state.executed
    claims = sorted(state.claims.items())
    questions = [(replica, state.executed + 1) for replica, sequence in claims if sequence > state.executed]
    if state.own_blocks and state.resend_wait_ms > state.settings.resend_ms:
        # A block of ours has had no certificate for long: somebody may have it whole.
        oldest = min(state.own_blocks)
        questions += [(replica, oldest) for replica, sequence in claims if sequence >= oldest]
    if not questions:
        return
    replica, first = questions[state.fetch_tries % len(questions)]
    message = Fetch(state.settings.epoch, first, state.settings.replica)
    state.send(Signed(message, state.sign(message)), to=replica)
    state.note("fetch", first, replica=replica)
    state.fetch_tries += 1
    # A lie about one's height costs us a question now and then, and nothing else.
    state.fetch_at = state.now_ms + state.settings.fetch_ms * min(state.fetch_tries, 16)
