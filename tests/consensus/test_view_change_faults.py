"""View changes with everything against them: what may be decided survives, liars hide nothing (PBFT 4.4)."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from consensus.messages import FetchBatch, FetchedBatch, NewView, Proposal, Signed
from consensus.quorum import quorum
from consensus.votes import BlockVote, Commit
from tests.consensus.alone import R1, R2, START_MS, Alone, batch_of, commit, decided, prepare, proposal_of
from tests.consensus.cluster import Cluster
from tests.consensus.views import new_view, prepared, view_change
from tests.consensus.wire import Answer, Packet

BATCH, OTHER = batch_of(R1), batch_of(R2)
LATER = batch_of(R2, sequence=2, time_ms=START_MS + 1)


def message_of(packet: Packet) -> Any:
    """The signed message of a packet, if it is one."""
    return packet.message if isinstance(packet, Signed) else None


def views_of(cluster: Cluster) -> list[int]:
    """The views that all are in, or ask for."""
    return [node.replica.view for node in cluster.nodes.values() if node.up]


@pytest.mark.parametrize("n", [4, 5, 7])
@pytest.mark.parametrize("views", [2, 4])
def test_what_was_prepared_outlives_views_that_never_began(views: int, n: int) -> None:
    """All commits and new-views are lost, all restart in between: the first batch keeps its place (R13)."""
    cluster = Cluster(n, view_timeout_ms=200, seed=views)
    committed: dict[int, bytes] = {}
    lost: set[int] = set()

    def drop(source: int, target: int, packet: Packet) -> bool:
        message = message_of(packet)
        if isinstance(message, Commit):
            committed[source] = message.digest
        elif isinstance(message, NewView):
            lost.add(message.view)
        return isinstance(message, Commit | NewView)

    cluster.drop = drop
    first = cluster.request()
    cluster.run_until(lambda: len(committed) == n, 2_000)
    second = cluster.request()
    cluster.run_until(lambda: min(views_of(cluster)) >= views // 2, 30_000)
    cluster.crash_all()
    cluster.restart_all()
    cluster.run_until(lambda: min(views_of(cluster)) >= views, 60_000)
    assert lost and set(cluster.heights().values()) == {0}
    cluster.heal()
    cluster.run_until(lambda: cluster.all_executed(first, second), 60_000)
    assert {node.disk.blocks[0].batch.digest() for node in cluster.nodes.values()} == set(committed.values())


@pytest.mark.parametrize("n", [4, 6])
def test_no_checkpoint_is_stable_and_the_view_changes(n: int) -> None:
    """Blocks without a certificate stay in the log, and a replica that lacks them gets them (R10)."""
    cluster = Cluster(n, view_timeout_ms=300, max_batch=1, block_every_ms=0, window=16)
    last = n - 1
    cluster.drop = lambda source, target, packet: (
        isinstance(message_of(packet), BlockVote)
        or (target == last and isinstance(message_of(packet), Commit))
    )
    before = [cluster.request() for _ in range(6)]
    others = [number for number in cluster.nodes if number != last]
    cluster.run_until(lambda: all(set(before) <= cluster.check.executed[i] for i in others), 5_000)
    assert {cluster.nodes[i].replica.low_watermark for i in others} == {0}
    cluster.crash(0)
    cluster.drop = lambda source, target, packet: (
        isinstance(message_of(packet), BlockVote) or isinstance(packet, Answer)
    )
    after = cluster.request(to=range(1, n))
    everything = {*before, after}
    cluster.run_until(lambda: all(everything <= cluster.check.executed[i] for i in range(1, n)), 30_000)
    assert min(views_of(cluster)) >= 1
    cluster.heal()
    cluster.run_until(lambda: cluster.all_executed() and cluster.all_certified(), 30_000)


def test_the_proposer_is_gone_and_the_body_is_found_by_its_digest() -> None:
    """Whoever prepared has batch and bodies; the next view asks them for what it renews (R7)."""
    cluster = Cluster(4, view_timeout_ms=300)
    asked = 0

    def drop(source: int, target: int, packet: Packet) -> bool:
        nonlocal asked
        asked += isinstance(message_of(packet), FetchBatch)
        cut_off = target == 3 and isinstance(packet, Proposal) and packet.pre_prepare.view == 0
        return cut_off or (isinstance(message_of(packet), Commit) and message_of(packet).view == 0)

    cluster.drop = drop
    hidden = cluster.request(to=[0, 1, 2])
    cluster.run_for(100)
    cluster.crash(0)
    cluster.run_until(lambda: all(hidden in cluster.check.executed[i] for i in (1, 2, 3)), 10_000)
    assert asked > 0


TRUE = view_change(3, 2, prepared(BATCH))
FORGED = (
    view_change(1, 2, prepared(OTHER, view=1, voters=(0,))),
    view_change(1, 2, prepared(OTHER, view=1, voters=(0, 1))),
    view_change(1, 2, prepared(OTHER, view=2)),
)


@pytest.mark.parametrize("forged", FORGED)
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_forged_certificate_does_not_hide_the_true_one_for_its_place(
    forged: Any, order: tuple[int, ...]
) -> None:
    """In whatever order they come, and though the forged one is of a later view (R14)."""
    alone = Alone(2)
    words = [forged, TRUE, view_change(0, 2)]
    alone.receive(*(words[place] for place in order))
    (message,) = alone.messages(NewView)
    assert [change.replica for change, _ in message.view_changes] == [0, 2, 3]
    assert [(entry.sequence, entry.digest) for entry, _ in message.pre_prepares] == [(1, BATCH.digest())]
    assert alone.reasons("evidence") == ["E3"]


def test_a_true_certificate_of_a_later_view_wins_over_an_earlier_one() -> None:
    """Both are whole, from different replicas, for one place (R14, R16)."""
    alone = Alone(2)
    alone.receive(view_change(1, 2, prepared(OTHER, view=1, voters=(0, 3))), TRUE)
    (message,) = alone.messages(NewView)
    assert [entry.digest for entry, _ in message.pre_prepares] == [OTHER.digest()]


def left(*packets: Any) -> Alone:
    """A replica that was prepared for the first batch and has left view 0."""
    alone = Alone(3)
    alone.submit(R1)
    alone.receive(proposal_of(BATCH), prepare(1, BATCH))
    alone.run_for(alone.settings.view_timeout_ms)
    assert (alone.replica.view, alone.replica.active) == (1, False)
    alone.receive(*packets)
    return alone


DECIDED = decided(BATCH)
BEGUN = new_view(1, [view_change(0, 1), view_change(1, 1, prepared(BATCH)), view_change(2, 1)])
VOTES = (*(prepare(i, BATCH, view=1) for i in (0, 2)), *(commit(i, BATCH, view=1) for i in (0, 1, 2)))
OLD_COMMITS = tuple(commit(i, BATCH) for i in (0, 1, 2))


@pytest.mark.parametrize("order", list(itertools.permutations([(DECIDED,), (BEGUN, *VOTES), OLD_COMMITS])))
def test_what_comes_by_two_ways_in_a_view_change_is_executed_once(order: tuple[Any, ...]) -> None:
    """A fetched decision, the old view's commits and the new view's, in every order (R9)."""
    alone = left(*(packet for part in order for packet in part))
    assert [decision.batch for decision in alone.decisions] == [BATCH]
    assert (alone.replica.executed_sequence, alone.replica.view, alone.replica.active) == (1, 1, True)


def test_a_batch_above_a_gap_keeps_its_digest_and_its_place() -> None:
    """Prepared at 2 and not at 1: the gap is the null request, and 2 is what it was (R28)."""
    alone = Alone(3)
    alone.submit(R1, R2)
    changes = [view_change(0, 1), view_change(1, 1, prepared(LATER)), view_change(2, 1)]
    alone.receive(new_view(1, changes), FetchedBatch(LATER))
    gap = batch_of(sequence=1, time_ms=0)
    for batch in (gap, LATER):
        alone.receive(*(prepare(i, batch, view=1) for i in (0, 2)))
        alone.receive(*(commit(i, batch, view=1) for i in (0, 1, 2)))
    assert [decision.batch for decision in alone.decisions] == [gap, LATER]
    assert alone.replica.pending == 1


def test_an_old_batch_is_renewed_after_clocks_have_gone_far() -> None:
    """No clock is asked for what a certificate vouches for, nor is a batch too old for its parent (R27)."""
    cluster = Cluster(4, view_timeout_ms=300, max_skew_ms=100)
    cluster.drop = lambda source, target, packet: isinstance(message_of(packet), Commit | NewView)
    first = cluster.request()
    cluster.run_for(20_000)
    assert set(cluster.heights().values()) == {0}
    cluster.heal()
    cluster.run_until(lambda: cluster.all_executed(first), 30_000)
    (time_ms,) = {node.disk.blocks[0].batch.time_ms for node in cluster.nodes.values()}
    assert cluster.now_ms - time_ms > 20_000 > 100 * cluster.settings(0).max_skew_ms


def test_fewer_than_a_quorum_of_view_changes_begin_nothing() -> None:
    """For every n a quorum is needed, and 2f + 1 is not always one (R3, R16)."""
    for n in (4, 5, 6, 7, 8):
        alone = Alone(1, n=n)
        others = [i for i in range(n) if i != 1]
        for count, replica in enumerate(others, start=1):
            alone.receive(view_change(replica, 1))
            assert bool(alone.messages(NewView)) == (count + 1 >= quorum(n)), (n, count)
