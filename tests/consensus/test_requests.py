"""Requests: ordered once, put to the primary when overdue, forgotten when they expire (R24, R26)."""

from __future__ import annotations

from consensus.messages import Proposal
from tests.consensus.alone import (
    R1,
    R2,
    R3,
    R4,
    START_MS,
    Alone,
    batch_of,
    commit,
    decide,
    decided,
    prepare,
    proposal_of,
)
from tests.consensus.cluster import Cluster
from tests.consensus.wire import request


def test_a_request_given_twice_is_pending_once() -> None:
    """Clients and relays repeat themselves."""
    alone = Alone(1)
    alone.submit(R1, R1, R1)
    assert alone.replica.pending == 1


def test_a_pending_request_is_proposed_once() -> None:
    """What is in a proposal already is in no other, however often it is given."""
    alone = Alone(0, block_every_ms=10)
    alone.submit(R1)
    alone.submit(R1, R2)
    alone.run_for(10)
    alone.submit(R1, R2, R3)
    alone.run_for(1_000)
    named = [
        identifier for proposal in dict.fromkeys(alone.proposals()) for identifier in proposal.batch.requests
    ]
    assert named == [R1.id, R2.id, R3.id]


def test_a_recalled_request_is_proposed_once() -> None:
    """The same when the first proposal was made before a restart."""
    alone = Alone(0, block_every_ms=10)
    alone.submit(R1)
    again = alone.restart()
    again.submit(R1, R2)
    again.tick()
    again.run_for(1_000)
    named = {proposal.batch.sequence: proposal.batch.requests for proposal in again.proposals()}
    assert named == {1: (R1.id,), 2: (R2.id,)}


def test_an_executed_request_is_not_proposed() -> None:
    """A request that was fetched as decided leaves what waits."""
    alone = Alone(0, block_every_ms=10)
    alone.submit(R1)
    alone.submit(R2)
    first = alone.proposals()[0].batch
    alone.receive(
        decided(first, (1, 2, 3)), decided(batch_of(R2, sequence=2, time_ms=START_MS + 5), (1, 2, 3))
    )
    alone.run_for(1_000)
    assert {proposal.batch.requests for proposal in alone.proposals()} == {(R1.id,)}
    assert alone.replica.pending == 0


def test_an_overdue_request_is_put_to_the_primary() -> None:
    """After half the view timeout, not before: there is time left to order it (PBFT 4.1)."""
    alone = Alone(1, view_timeout_ms=4000)
    alone.submit(R1)
    alone.run_for(1999)
    assert alone.relays() == []
    alone.run_for(1)
    assert [(relay.requests, relay.to) for relay in alone.relays()] == [((R1.id,), 0)]


def test_a_follower_puts_an_overdue_request_to_the_primary_again_and_again() -> None:
    """It may be the only one who has the request, and it cannot ask for another view."""
    alone = Alone(4, view_timeout_ms=4000)
    alone.submit(R1)
    alone.run_for(6000)
    assert [(relay.requests, relay.to) for relay in alone.relays()] == [((R1.id,), 0)] * 3


def test_who_waits_alone_for_another_view_shares_what_it_waits_for() -> None:
    """Others may lack the request: they order it, or time it too (R26)."""
    alone = Alone(1, view_timeout_ms=2000)
    alone.submit(R1)
    alone.run_for(2000)
    assert alone.replica.view == 1
    alone.sent.clear()
    alone.run_for(500)
    assert [(relay.requests, relay.to) for relay in alone.relays()] == [((R1.id,), i) for i in (0, 2, 3)]


def test_only_overdue_requests_are_relayed() -> None:
    """A young one has time, and the primary hears of at most 64 at once, the oldest."""
    alone = Alone(1, view_timeout_ms=4000)
    old = [request(number) for number in range(100)]
    alone.submit(*old)
    alone.run_for(1000)
    alone.submit(request(100))
    alone.run_for(1000)
    assert [relay.requests for relay in alone.relays()] == [tuple(each.id for each in old[:64])]


def test_a_proposed_or_executed_request_is_not_relayed() -> None:
    """The primary has it."""
    alone = Alone(1, view_timeout_ms=40_000)
    alone.submit(R1, R2)
    decide(alone, batch_of(R1))
    alone.receive(proposal_of(batch_of(R2, sequence=2, time_ms=START_MS + 1)))
    alone.run_for(39_000)
    assert alone.relays() == []


def test_progress_of_others_does_not_put_off_an_overdue_request() -> None:
    """The oldest request keeps its own time (R19)."""
    alone = Alone(1, view_timeout_ms=4000)
    alone.submit(R1)
    _blocks(alone, 19, 100)
    assert alone.relays() == []
    _blocks(alone, 2, 100)
    assert [relay.requests for relay in alone.relays()] == [(R1.id,)]


def _blocks(alone: Alone, count: int, every_ms: int) -> None:
    """Blocks of other requests go by."""
    for _ in range(count):
        sequence = alone.replica.executed_sequence + 1
        each = request(1000 + sequence)
        alone.submit(each)
        decide(alone, batch_of(each, sequence=sequence, time_ms=START_MS + sequence))
        alone.run_for(every_ms)


def test_an_overdue_request_is_relayed_once_in_a_while_and_not_with_each_block() -> None:
    """Blocks that pass it by do not make it more urgent."""
    alone = Alone(1, view_timeout_ms=12_000)
    alone.submit(R1)
    _blocks(alone, 119, 100)
    assert len(alone.decisions) == 119
    assert len(alone.relays()) == 1


def test_a_later_request_gets_its_full_time() -> None:
    """When the oldest is executed, the next one's own arrival counts."""
    alone = Alone(1, view_timeout_ms=4000)
    alone.submit(R1)
    alone.run_for(1500)
    alone.submit(R2)
    decide(alone, batch_of(R1))
    alone.run_for(1999)
    assert alone.relays() == []
    alone.run_for(1)
    assert [relay.requests for relay in alone.relays()] == [(R2.id,)]


def test_a_request_that_may_not_be_ordered_yet_is_not_overdue() -> None:
    """Only heights can make it valid, so waiting for them is nobody's fault; nor does it spin the timer."""
    alone = Alone(1, view_timeout_ms=2000)
    alone.submit(request(1, valid_from=50))
    alone.run_for(20_000)
    assert (alone.relays(), [note for note in alone.notes if note.event == "timeout"]) == ([], [])
    deadline = alone.replica.deadline_ms
    assert deadline is not None and deadline > alone.now_ms


def test_a_primary_relays_nothing_to_itself() -> None:
    """It proposes."""
    alone = Alone(0)
    alone.submit(request(1, valid_from=50))
    alone.run_for(20_000)
    assert alone.relays() == []


def test_a_request_that_only_a_backup_has_is_ordered() -> None:
    """The relay brings it to the primary."""
    cluster = Cluster(4)
    cluster.request(to=[2])
    cluster.run_until(cluster.all_executed, 5_000)
    assert cluster.happened["relay"] == 1


def test_a_request_that_only_the_primary_has_is_ordered() -> None:
    """The backups ask for its body."""
    cluster = Cluster(4, followers=1)
    cluster.request(to=[0])
    cluster.run_until(cluster.all_executed, 2_000)
    assert cluster.happened["fetch_requests"] >= 4


def test_an_expired_request_is_forgotten_and_reported() -> None:
    """When no later sequence number may order it, its timer ends too (R26)."""
    alone = Alone(1, view_timeout_ms=4000)
    short = request(50, valid_until=2)
    alone.submit(short)
    _blocks(alone, 1, 0)
    alone.run_for(2_000)
    assert (alone.expired, len(alone.relays())) == ([], 1)
    _blocks(alone, 1, 0)
    alone.run_for(2_000)
    assert (alone.expired, len(alone.relays()), alone.replica.view) == ([short.id], 1, 0)
    assert alone.replica.pending == 0


def test_expired_requests_are_forgotten_while_blocks_go_on() -> None:
    """A primary, too, forgets them, at every sixteenth sequence number."""
    alone = Alone(0, block_every_ms=0, max_batch=1)
    alone.submit(request(0))
    alone.submit(request(50, valid_from=60, valid_until=70), request(51, valid_until=1))
    for sequence in range(1, 17):
        if sequence > 1:
            alone.submit(request(100 + sequence))
            alone.run_for(1)
        batch = next(p.batch for p in alone.proposals() if p.batch.sequence == sequence)
        alone.receive(*(prepare(i, batch) for i in (1, 2)), *(commit(i, batch) for i in (1, 2)))
    assert alone.replica.executed_sequence == 16
    assert alone.expired == [request(51).id]


def test_a_request_that_has_expired_already_is_not_taken() -> None:
    """It could never be ordered."""
    alone = Alone(1)
    alone.submit(R1)
    decide(alone, batch_of(R1))
    alone.submit(request(50, valid_until=1))
    assert alone.replica.pending == 0
    alone.submit(request(51, valid_until=2))
    assert alone.replica.pending == 1


def test_a_request_in_an_accepted_proposal_does_not_expire() -> None:
    """It may still be decided, and then its body is needed."""
    alone = Alone(1, view_timeout_ms=100)
    last = request(50, valid_until=2)
    alone.submit(R1, last, R2)
    alone.receive(proposal_of(batch_of(R1)))
    alone.receive(proposal_of(batch_of(last, sequence=2, time_ms=START_MS + 1)))
    alone.receive(*(commit(i, batch_of(R1)) for i in (0, 2, 3)))
    alone.run_for(1_000)
    assert alone.expired == []
    assert alone.replica.pending == 2


def test_a_request_is_ordered_within_its_window_in_a_cluster() -> None:
    """Not before its first sequence number, and not after its last."""
    cluster = Cluster(4, block_every_ms=10, max_batch=1)
    later = cluster.request(valid_from=4)
    never = cluster.request(at_ms=5_000, valid_until=3)
    del cluster.submitted[never]
    for _ in range(6):
        cluster.request()
    cluster.run_until(cluster.all_executed, 5_000)
    cluster.run_for(4_000)
    places = {i: block.batch.sequence for block in cluster.nodes[0].disk.blocks for i in block.batch.requests}
    assert places[later] >= 4
    assert never not in places


def test_the_oldest_requests_come_first() -> None:
    """A primary orders what came first first."""
    alone = Alone(0, block_every_ms=10, max_batch=1)
    alone.submit(R1, R2, R3, R4)
    alone.run_for(100)
    assert [p.batch.requests[0] for p in dict.fromkeys(alone.proposals())] == [R1.id, R2.id, R3.id, R4.id]
    assert isinstance(alone.proposals()[0], Proposal)
