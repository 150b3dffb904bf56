"""What a primary builds, and at what pace (R4, R27, R29; PBFT 4.2)."""

from __future__ import annotations

from consensus.output import ProposalRecord
from consensus.votes import Commit, Prepare
from tests.consensus.alone import R1, R2, R3, START_MS, Alone, batch_of, commit, decide, prepare
from tests.consensus.wire import request


def test_a_primary_proposes_what_is_submitted() -> None:
    """The proposal is recorded before it leaves, and every backup accepts it."""
    alone = Alone(0)
    output = alone.submit(R1)
    (proposal,) = alone.proposals()
    assert output.persist == [ProposalRecord(proposal)]
    assert proposal.batch == batch_of(R1)
    backup = Alone(1)
    backup.submit(R1)
    backup.receive(proposal)
    assert backup.accepted() == [1]


def test_a_backup_proposes_nothing() -> None:
    """Only the primary does."""
    alone = Alone(1)
    alone.submit(R1, R2)
    alone.run_for(1000)
    assert alone.proposals() == []


def test_a_follower_neither_proposes_nor_votes() -> None:
    """A follower records and counts, and says nothing."""
    alone = Alone(4)
    alone.submit(R1)
    decide(alone, batch_of(R1))
    alone.run_for(3000)
    assert len(alone.decisions) == 1
    assert alone.messages(Prepare, Commit) == [] and alone.proposals() == []


def test_a_primary_keeps_to_its_pace() -> None:
    """Two proposals are `block_every_ms` apart, however much waits; idle time makes none."""
    alone = Alone(0, block_every_ms=200)
    alone.submit(R1)
    alone.submit(R2)
    alone.run_for(199)
    assert [proposal.batch.sequence for proposal in alone.proposals()] == [1]
    alone.run_for(1)
    assert [proposal.batch.requests for proposal in alone.proposals()] == [(R1.id,), (R2.id,)]


def _sequences(alone: Alone) -> list[int]:
    return list(dict.fromkeys(proposal.batch.sequence for proposal in alone.proposals()))


def test_a_primary_keeps_few_sequence_numbers_in_flight() -> None:
    """It stops at `in_flight` undecided ones, and goes on when one is executed."""
    alone = Alone(0, in_flight=2, block_every_ms=10)
    for number in range(1, 6):
        alone.submit(request(number))
        alone.run_for(20)
    assert _sequences(alone) == [1, 2]
    first = alone.proposals()[0].batch
    alone.receive(*(prepare(i, first) for i in (1, 2)), *(commit(i, first) for i in (1, 2)))
    alone.run_for(20)
    assert _sequences(alone) == [1, 2, 3]


def test_a_batch_stops_at_the_limit_of_requests() -> None:
    """A primary puts `max_batch` requests into a batch, the oldest ones."""
    alone = Alone(0, max_batch=2, block_every_ms=10)
    alone.submit(request(0))
    alone.submit(R1, R2, R3)
    alone.run_for(10)
    assert alone.proposals()[1].batch.requests == (R1.id, R2.id)


def test_a_batch_stops_at_the_limit_of_bytes() -> None:
    """A primary stops before `max_batch_bytes` are passed."""
    alone = Alone(0, max_batch_bytes=100, block_every_ms=10)
    alone.submit(request(0, size=1))
    sized = [request(1, size=60), request(2, size=40), request(3, size=1)]
    alone.submit(*sized)
    alone.run_for(10)
    assert alone.proposals()[1].batch.requests == (sized[0].id, sized[1].id)


def test_a_batch_holds_only_requests_whose_window_is_open() -> None:
    """What may not be ordered here waits, and what may is not held up by it."""
    alone = Alone(0, block_every_ms=10)
    later = request(9, valid_from=2)
    alone.submit(later)
    assert alone.proposals() == []
    alone.submit(R1)
    assert alone.proposals()[0].batch.requests == (R1.id,)
    alone.run_for(10)
    assert alone.proposals()[1].batch.requests == (later.id,)


def test_a_primary_does_not_order_what_has_expired() -> None:
    """A request valid until 1 is no part of batch 2."""
    alone = Alone(0, block_every_ms=10, max_batch=1)
    alone.submit(R1, request(9, valid_until=1), R2)
    alone.run_for(20)
    assert alone.proposals()[1].batch.requests == (R2.id,)


def test_the_time_of_a_batch_is_the_primarys_clock_and_grows() -> None:
    """A batch has the primary's time, or its parent's and a millisecond if that is later."""
    alone = Alone(0, block_every_ms=0)
    alone = alone.restart(time_ms=START_MS + 300)
    alone.tick()
    alone.submit(R1)
    alone.submit(R2)
    assert [proposal.batch.time_ms for proposal in alone.proposals()] == [START_MS + 301, START_MS + 302]
    alone.tick(1000)
    alone.submit(R3)
    assert alone.proposals()[-1].batch.time_ms == START_MS + 1000
