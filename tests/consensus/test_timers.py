"""When a replica gives up waiting, and for how long it waits the next time (R19)."""

from __future__ import annotations

import pytest

from consensus.messages import Signed, ViewChange
from consensus.votes import Batch, Request
from tests.consensus.alone import R1, R2, R3, START_MS, Alone, batch_of, commit, decide, decided, proposal_of
from tests.consensus.cluster import Cluster
from tests.consensus.views import new_view, view_change
from tests.consensus.wire import request


def left_at(alone: Alone, duration_ms: int) -> list[int]:
    """When views are left from now on, in milliseconds from now."""
    start, times, views = alone.now_ms, [], {alone.replica.view}
    while alone.now_ms < start + duration_ms:
        alone.run_for(10)
        if alone.replica.view not in views:
            views.add(alone.replica.view)
            times.append(alone.now_ms - start)
    return times


def test_the_oldest_request_has_one_timeout() -> None:
    """Not less, and not more however much else is ordered meanwhile (R19 i)."""
    alone = Alone(1, view_timeout_ms=2000)
    alone.submit(R1)
    for step in range(1, 20):
        alone.run_for(100)
        other = request(100 + step)
        alone.submit(other)
        decide(alone, batch_of(other, sequence=step, time_ms=START_MS + step))
    assert alone.replica.view == 0
    alone.run_for(100)
    assert alone.replica.view == 1


def test_nothing_pending_nothing_timed() -> None:
    """An idle primary is not missed, nor one whose requests may not be ordered yet."""
    alone = Alone(1, view_timeout_ms=100)
    alone.submit(request(7, valid_from=50))
    alone.run_for(60_000)
    assert (alone.replica.view, alone.messages(ViewChange)) == (0, [])


def test_a_view_that_only_this_replica_wants_is_not_timed() -> None:
    """Otherwise its views would run away from everybody else's (R19 iii)."""
    alone = Alone(3, view_timeout_ms=500)
    alone.submit(R1)
    alone.run_for(60_000)
    assert alone.replica.view == 1


def test_waiting_doubles_up_to_a_limit() -> None:
    """T, 2 T, 4 T, 8 T, 8 T from the moment a quorum wants each view (R19 iii)."""
    alone = Alone(6, n=7, view_timeout_ms=1000, view_timeout_max_ms=8000)
    alone.submit(R1)
    alone.run_for(1000)
    waits = []
    for view in range(1, 6):
        alone.receive(*(view_change(i, view) for i in range(5)))
        (wait,) = left_at(alone, 8500)[:1]
        waits.append(wait)
    assert waits == [1000, 2000, 4000, 8000, 8000]


def failed_twice(*requests: Request) -> Alone:
    """One of seven, of whose views 1 and 2 neither began; it asks for view 3."""
    alone = Alone(6, n=7, view_timeout_ms=1000)
    alone.submit(*requests)
    alone.run_for(1000)
    for view in (1, 2):
        alone.receive(*(view_change(i, view) for i in range(5)))
        left_at(alone, 4500)
    assert alone.replica.view == 3
    return alone


def begin_view(alone: Alone) -> None:
    """The view that it asks for begins."""
    view = alone.replica.view
    alone.receive(new_view(view, [view_change(i, view) for i in range(5)], n=7))


def see_through(alone: Alone, batch: Batch) -> None:
    """The others commit a batch in its view."""
    view = alone.replica.view
    alone.receive(proposal_of(batch, view=view, replica=view))
    alone.receive(*(commit(i, batch, view=view) for i in range(5)))


def test_a_commit_brings_back_the_first_timeout() -> None:
    """The exponent is 0 again once a view has worked (R19 v)."""
    alone = failed_twice(R1, R2)
    begin_view(alone)
    see_through(alone, batch_of(R1, proposer=3, time_ms=alone.now_ms))
    assert left_at(alone, 1500) == [1000]
    alone.receive(*(view_change(i, 4) for i in range(5)))
    assert left_at(alone, 1500) == [1000]


def test_a_commit_brings_it_back_also_in_a_view_that_began_with_nothing_to_do() -> None:
    """What was pending was decided meanwhile, so the view had nothing to prove; its first commit counts."""
    alone = failed_twice(R1)
    first = batch_of(R1)
    alone.receive(decided(first, range(5)))
    begin_view(alone)
    alone.submit(R2, R3)
    see_through(alone, batch_of(R2, sequence=2, proposer=3, time_ms=alone.now_ms))
    assert len(alone.decisions) == 2
    assert left_at(alone, 1500) == [1000]
    alone.receive(*(view_change(i, 4) for i in range(5)))
    assert left_at(alone, 1500) == [1000]


def test_a_new_view_that_commits_nothing_is_left() -> None:
    """With something pending, having begun is not enough (R19 iii)."""
    alone = Alone(3, view_timeout_ms=1000)
    alone.submit(R1)
    alone.receive(new_view(1, [view_change(0, 1), view_change(1, 1), view_change(2, 1)]))
    assert left_at(alone, 1500) == [1000]


def test_with_nothing_pending_a_new_view_is_enough() -> None:
    """Nobody waits for a view to prove itself when there is nothing to do."""
    alone = Alone(3, view_timeout_ms=1000)
    alone.receive(new_view(1, [view_change(0, 1), view_change(1, 1), view_change(2, 1)]))
    alone.run_for(60_000)
    assert alone.replica.view == 1


@pytest.mark.parametrize("n", [4, 5, 7])
def test_all_view_changes_lost_once_and_then_heal(n: int) -> None:
    """They are repeated, so replicas do not wait for each other for ever (R19 iv)."""
    cluster = Cluster(n)
    cluster.crash(0)
    lost: set[int] = set()

    def drop(source: int, target: int, packet: object) -> bool:
        if isinstance(packet, Signed) and isinstance(packet.message, ViewChange) and source not in lost:
            if target == max(i for i in cluster.nodes if i != source):
                lost.add(source)
            return True
        return False

    cluster.drop = drop
    identifier = cluster.request(to=range(1, n))
    cluster.run_until(lambda: all(identifier in cluster.check.executed[i] for i in range(1, n)), 30_000)
    assert cluster.happened["dropped"] > 0


def test_who_timed_out_of_a_view_shows_others_why() -> None:
    """One that saw a quorum and went on gives the view-changes to those who lack them (R19 iv)."""
    alone = Alone(3, view_timeout_ms=1000)
    alone.submit(R1)
    alone.run_for(1000)
    alone.receive(view_change(0, 1), view_change(2, 1))
    left_at(alone, 1500)
    assert alone.replica.view == 2
    alone.sent.clear()
    alone.receive(view_change(0, 1))
    shown = [send.packet.message for send in alone.sent if getattr(send, "to", None) == 0]  # type: ignore[union-attr]
    assert {(message.replica, message.view) for message in shown} == {(2, 1), (3, 1)}
