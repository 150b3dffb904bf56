"""Execution: in order, once, whoever decided (R9)."""

from __future__ import annotations

import itertools
from typing import Any

from consensus.messages import FetchRequests
from consensus.votes import null_batch
from tests.consensus.alone import (
    R1,
    R2,
    R3,
    START_MS,
    Alone,
    batch_of,
    commit,
    decide,
    decided,
    prepare,
    proposal_of,
)
from tests.consensus.wire import request

BATCHES = [batch_of(each, sequence=i, time_ms=START_MS + i) for i, each in enumerate((R1, R2, R3), start=1)]


def test_any_order_of_decisions_executes_in_sequence_order() -> None:
    """A gap holds up what comes after it."""
    for order in itertools.permutations(BATCHES):
        alone = Alone(1)
        alone.submit(R1, R2, R3)
        for batch in order:
            alone.receive(decided(batch))
        assert [decision.batch for decision in alone.decisions] == BATCHES


def test_a_gap_holds_up_what_follows() -> None:
    """Nothing executes above an undecided sequence number."""
    alone = Alone(1)
    alone.submit(R1, R2, R3)
    alone.receive(decided(BATCHES[1]), decided(BATCHES[2]))
    assert alone.decisions == []
    assert alone.replica.executed_sequence == 0


def test_one_step_executes_all_that_a_gap_held_up() -> None:
    """The decisions of one output are in order and without gaps."""
    alone = Alone(1, execute=False)
    alone.submit(R1, R2, R3)
    alone.receive(decided(BATCHES[1]), decided(BATCHES[2]))
    output = alone.receive(decided(BATCHES[0]))
    assert [decision.batch for decision in output.execute] == BATCHES


def test_two_ways_of_deciding_execute_once() -> None:
    """A batch that is decided by votes and by a fetched certificate executes once, in either order."""
    votes: list[Any] = [proposal_of(BATCHES[0]), prepare(2, BATCHES[0])]
    votes += [commit(i, BATCHES[0]) for i in (0, 2, 3)]
    answer = decided(BATCHES[0])
    for place in range(len(votes) + 1):
        alone = Alone(1)
        alone.submit(R1)
        alone.receive(*votes[:place], answer, answer, *votes[place:], answer)
        assert len(alone.decisions) == 1, place


def test_all_messages_twice_execute_once() -> None:
    """Duplicates of what led to a decision lead to nothing."""
    alone = Alone(1)
    alone.submit(R1)
    packets: list[Any] = [proposal_of(BATCHES[0]), prepare(2, BATCHES[0])]
    packets += [commit(i, BATCHES[0]) for i in (0, 2, 3)]
    alone.receive(*(packet for packet in packets for _ in range(2)), *packets)
    assert len(alone.decisions) == 1
    assert len(alone.records) == 5  # Proposal, prepare, prepared certificate, commit, block vote.


def test_a_decision_waits_for_its_bodies() -> None:
    """A decided batch is not handed over before every body is there."""
    alone, batch = Alone(1), batch_of(R1, R2)
    alone.receive(decided(batch))
    alone.submit(R1)
    assert alone.decisions == []
    assert alone.replica.wants(R2.id)
    alone.submit(R2)
    assert [decision.batch for decision in alone.decisions] == [batch]


def test_missing_bodies_are_asked_of_everybody_who_can_have_them() -> None:
    """First the primary, then one by one those who signed the decision; never itself (R7)."""
    alone = Alone(1, fetch_ms=300)
    alone.receive(decided(BATCHES[0], (1, 2, 3)))
    alone.run_for(1500)
    asked = alone.asked(FetchRequests)
    assert asked[:4] == [0, 2, 3, 0]
    assert alone.messages(FetchRequests)[0].requests == (R1.id,)


def test_a_primary_that_lacks_bodies_asks_those_who_signed() -> None:
    """A primary that comes back behind the others has them in nobody's votes but the certificate's."""
    alone = Alone(0)
    alone.receive(decided(BATCHES[0], (1, 2, 3)))
    alone.run_for(1000)
    asked = alone.asked(FetchRequests)
    assert set(asked) == {1, 2, 3}


def test_bodies_that_a_proposal_lacks_are_asked_of_the_primary_first() -> None:
    """And then of those who voted for the proposal; not before they had time to arrive by themselves."""
    alone = Alone(1, fetch_ms=300)
    alone.receive(proposal_of(BATCHES[0]), prepare(3, BATCHES[0]), commit(2, BATCHES[0]))
    alone.run_for(49)
    assert alone.messages(FetchRequests) == []
    alone.run_for(1000)
    asked = alone.asked(FetchRequests)
    assert asked == [0, 3, 2, 0]


def test_nobody_is_asked_for_bodies_that_arrived() -> None:
    """The question ends with its reason."""
    alone = Alone(1)
    alone.receive(proposal_of(BATCHES[0]))
    alone.submit(R1)
    alone.run_for(3000)
    assert alone.messages(FetchRequests) == []


def test_a_null_request_consumes_its_sequence_number_and_no_time() -> None:
    """An empty batch executes, and the next batch may have any time after the last real one."""
    alone = Alone(1)
    alone.submit(R1, R2)
    decide(alone, BATCHES[0])
    alone.receive(decided(null_batch(2)))
    assert alone.replica.executed_sequence == 2
    after = batch_of(R2, sequence=3, time_ms=START_MS + 2)
    alone.receive(proposal_of(after))
    assert (alone.accepted(), alone.reasons("refused")) == ([1, 3], [])


def test_a_request_is_pending_until_it_is_executed() -> None:
    """Execution ends what a request waits for."""
    alone = Alone(1)
    alone.submit(R1, R2)
    assert alone.replica.pending == 2
    decide(alone, BATCHES[0])
    assert alone.replica.pending == 1


def test_a_replica_in_a_hole_catches_up_with_what_it_kept() -> None:
    """Votes and proposals above a gap are kept, and count when the gap is filled."""
    alone = Alone(1)
    alone.submit(R1, R2)
    later = BATCHES[1]
    alone.receive(proposal_of(later), *(commit(i, later) for i in (0, 2, 3)))
    assert alone.decisions == []
    alone.receive(decided(BATCHES[0]))
    assert [decision.batch for decision in alone.decisions] == BATCHES[:2]


def test_a_proposal_that_waited_for_its_parent_is_accepted_when_the_parent_is_executed() -> None:
    """It does not matter whether the parent was proposed here or fetched."""
    alone = Alone(1)
    alone.submit(R1, R2)
    alone.receive(proposal_of(BATCHES[1]), decided(BATCHES[0]))
    assert alone.accepted() == [2]


def test_large_numbers_of_requests_execute_once_each() -> None:
    """A batch names many requests, each of which leaves the pending ones once."""
    many = [request(number) for number in range(1000)]
    alone = Alone(1, max_batch=1000)
    alone.submit(*many)
    decide(alone, batch_of(*many))
    assert (len(alone.decisions), alone.replica.pending) == (1, 0)
