"""Leaving a view and entering the next (PBFT 4.4; R12 to R15, R18)."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from consensus.messages import FetchBatch, FetchedBatch, NewView, Signed, ViewChange
from consensus.output import NewViewRecord, PreparedRecord, ViewChangeRecord
from consensus.quorum import quorum
from consensus.votes import BlockVote, Commit, Prepare
from tests.consensus.alone import (
    R1,
    R2,
    START_MS,
    Alone,
    batch_of,
    block_certificate,
    block_vote,
    certify,
    commit,
    decide,
    other_digest,
    prepare,
    proposal_of,
)
from tests.consensus.cluster import Cluster
from tests.consensus.views import new_view, prepared, view_change
from tests.consensus.wire import signed

BATCH = batch_of(R1)
SECOND = batch_of(R2, sequence=2, time_ms=START_MS + 1)


def overdue(alone: Alone) -> ViewChange:
    """Let the oldest request become overdue; the view-change that follows."""
    alone.run_for(alone.settings.view_timeout_ms)
    change: ViewChange = alone.messages(ViewChange)[0]
    return change


def is_prepared(replica: int = 1, **settings: Any) -> Alone:
    """A replica that is prepared for the first batch, and not more."""
    alone = Alone(replica, **settings)
    alone.submit(R1)
    needed = quorum(alone.settings.n) - 1
    others = [i for i in range(1, alone.settings.n) if i != replica]
    alone.receive(proposal_of(BATCH), *(prepare(i, BATCH) for i in others[: needed - 1]))
    assert alone.messages(Commit) == [commit(replica, BATCH)]
    return alone


def test_who_has_left_a_view_votes_in_it_no_more() -> None:
    """Neither for a late pre-prepare, nor for prepares that would make it prepared (R12)."""
    alone = Alone(1)
    alone.submit(R1, R2)
    alone.receive(proposal_of(BATCH))
    assert overdue(alone).view == 1
    before = len(alone.messages(Prepare, Commit))
    alone.receive(prepare(2, BATCH), prepare(3, BATCH), proposal_of(SECOND))
    assert len(alone.messages(Prepare, Commit)) == before
    assert not [record for record in alone.records if isinstance(record, PreparedRecord)]


def test_commits_of_the_view_that_was_left_still_decide() -> None:
    """A quorum of commits of one view is reason enough to execute, in whatever view one is (R8)."""
    alone = is_prepared()
    overdue(alone)
    alone.receive(*(commit(i, BATCH) for i in (0, 2, 3)))
    assert len(alone.decisions) == 1


def test_a_view_change_carries_what_its_sender_was_prepared_for() -> None:
    """With the stable checkpoint and its proof (R13)."""
    alone = is_prepared()
    change = overdue(alone)
    assert (change.stable, change.low_watermark) == (None, 0)
    assert change.prepared == (prepared(BATCH, voters=(1, 2)),)


def test_executing_does_not_end_what_a_view_change_carries() -> None:
    """Only a stable checkpoint does: until then nobody else may know (R13)."""
    alone = is_prepared()
    alone.receive(*(commit(i, BATCH) for i in (0, 2, 3)))
    alone.submit(R2)
    change = overdue(alone)
    assert [proof.sequence for proof in change.prepared] == [1]


def test_a_stable_checkpoint_ends_it() -> None:
    """What a quorum has executed needs no other proof than theirs."""
    alone = is_prepared()
    alone.receive(*(commit(i, BATCH) for i in (0, 2, 3)))
    certify(alone, 1)
    alone.submit(R2)
    change = overdue(alone)
    assert (change.low_watermark, change.prepared) == (1, ())
    assert change.stable == alone.certified[0]


@pytest.mark.parametrize("views", [2, 4])
@pytest.mark.parametrize("restart", [False, True])
def test_it_is_carried_through_views_that_never_began(views: int, restart: bool) -> None:
    """All new-views lost, and a restart in between: the certificate is in every view-change (R13)."""
    alone = is_prepared(6, n=7)
    (proof,) = overdue(alone).prepared
    for view in range(1, views):
        # A quorum wants this view, its new-view never comes.
        wanted = [view_change(i, view) for i in range(5)]
        alone.receive(*wanted)
        if restart:
            alone = alone.restart()
            assert (alone.replica.view, alone.replica.active) == (view, False)
            alone.tick()
            alone.receive(*wanted)
        alone.run_for(16_000)
        (change,) = {each for each in alone.messages(ViewChange) if each.view == view + 1}
        assert change.prepared == (proof,)
    assert alone.replica.view >= views


def test_the_certificate_of_the_highest_view_is_carried() -> None:
    """Prepared again in a later view, the older proof is of no use (R13)."""
    alone = is_prepared(3)
    overdue(alone)
    alone.receive(new_view(1, [view_change(0, 1), view_change(1, 1, prepared(BATCH)), view_change(2, 1)]))
    alone.receive(prepare(0, BATCH, view=1), prepare(2, BATCH, view=1))
    assert commit(3, BATCH, view=1) in alone.messages(Commit)
    alone.receive(view_change(0, 2), view_change(2, 2))
    (change,) = [each for each in alone.messages(ViewChange) if each.view == 2]
    assert [(proof.view, proof.sequence) for proof in change.prepared] == [(1, 1)]


def test_a_view_change_is_recorded_before_it_leaves_and_repeated_as_it_was() -> None:
    """One for each view, the same bytes each time, also after a restart (R13, R20)."""
    alone = is_prepared()
    change = overdue(alone)
    assert [r.signed for r in alone.records if isinstance(r, ViewChangeRecord)] == [signed(change)]
    again = alone.restart()
    assert (again.replica.view, again.replica.active) == (1, False)
    again.run_for(20_000)
    assert set(again.messages(ViewChange)) == {change}
    assert again.messages(Prepare, Commit) == []


@pytest.mark.parametrize(
    "change",
    [
        view_change(2, 1, prepared(BATCH, voters=(1,))),
        view_change(2, 1, prepared(BATCH, voters=(0, 1))),
        view_change(2, 1, prepared(BATCH, voters=(2, 2))),
        view_change(2, 1, prepared(BATCH, voters=(1, 4))),
        view_change(2, 1, prepared(BATCH, view=1)),
        view_change(2, 1, prepared(BATCH), prepared(BATCH)),
        view_change(2, 1, prepared(SECOND), prepared(BATCH)),
        view_change(2, 1, prepared(batch_of(R1, sequence=200))),
        view_change(2, 1, prepared(BATCH, epoch=1)),
        view_change(2, 1, stable=block_certificate(3, other_digest(), (0, 1))),
        view_change(2, 1, stable=block_certificate(3, other_digest(), (0, 1, 2), epoch=1)),
        view_change(2, 1, prepared(BATCH), stable=block_certificate(1, other_digest(), (0, 1, 2))),
    ],
)
def test_an_invalid_view_change_is_dropped_whole_and_hides_no_valid_one(change: ViewChange) -> None:
    """It proves that its sender is faulty; the others' count as if it had never come (R14, R30)."""
    alone = Alone(1)
    alone.receive(change)
    assert (alone.reasons("evidence"), len(alone.reasons())) == (["E3"], 1)
    alone.receive(view_change(3, 1))
    assert alone.replica.view == 0
    alone.receive(view_change(0, 1))
    assert (alone.replica.view, alone.replica.active) == (1, True)


@pytest.mark.parametrize("n", [4, 5, 7])
def test_one_replica_moves_nobody(n: int) -> None:
    """However high the views that it asks for (R15)."""
    alone = Alone(1, n=n)
    for view in (1, 2, 5, 2**30, 2**52):
        alone.receive(view_change(2, view))
    alone.run_for(10_000)
    assert (alone.replica.view, alone.messages(ViewChange)) == (0, [])


def test_a_weak_quorum_is_joined_in_the_smallest_of_its_views() -> None:
    """At least one of them is correct; no timer is needed (R15)."""
    alone = Alone(1)
    alone.receive(view_change(2, 9))
    assert alone.replica.view == 0
    alone.receive(view_change(3, 5))
    assert [change.view for change in alone.messages(ViewChange)] == [5]
    assert alone.reasons("view_change") == ["joined others"]


def test_views_never_decrease() -> None:
    """Old view-changes, and new-views of views that were passed, move nobody back."""
    alone = Alone(3)
    alone.receive(view_change(1, 6), view_change(2, 6))
    assert alone.replica.view == 6
    alone.receive(view_change(1, 5), view_change(2, 5))
    alone.receive(new_view(1, [view_change(0, 1), view_change(1, 1), view_change(2, 1)]))
    assert (alone.replica.view, alone.replica.active) == (6, False)


def test_of_each_sender_only_so_many_view_changes_are_kept() -> None:
    """Its highest and the one for this view: a spammer cannot fill the memory (R37)."""

    def size_after(views: range) -> int:
        alone = Alone(1)
        for view in views:
            alone.receive(view_change(2, 2**30 + view))
        return len(pickle.dumps(alone.replica))

    assert size_after(range(500)) <= size_after(range(2)) + 100


def test_the_new_primary_begins_the_view_once_a_quorum_wants_it() -> None:
    """Its own view-change counts; the proof and the proposals are recorded before they leave (R16, R20)."""
    alone = is_prepared()
    overdue(alone)
    alone.receive(view_change(2, 1))
    assert alone.messages(NewView) == []
    alone.receive(view_change(3, 1))
    (message,) = alone.messages(NewView)
    assert [change.replica for change, _ in message.view_changes] == [1, 2, 3]
    assert [(each.sequence, each.digest) for each, _ in message.pre_prepares] == [(1, BATCH.digest())]
    assert [r.signed.message for r in alone.records if isinstance(r, NewViewRecord)] == [message]
    alone.receive(view_change(0, 1))
    assert set(alone.messages(NewView)) == {message}


def entered(replica: int = 3, *certificates: Any, stable: Any = None, **settings: Any) -> Alone:
    """A replica in view 1, which began with these certificates."""
    alone = Alone(replica, **settings)
    alone.submit(R1, R2)
    changes = [view_change(0, 1), view_change(1, 1, *certificates, stable=stable), view_change(2, 1)]
    alone.receive(new_view(1, changes))
    assert (alone.replica.view, alone.replica.active) == (1, True)
    return alone


def test_a_new_view_moves_the_window_although_the_state_is_missing() -> None:
    """Nothing at or below its stable checkpoint is voted on, and the state is asked for (R18 i)."""
    stable = block_certificate(5, other_digest(), (0, 1, 2))
    alone = entered(stable=stable)
    assert (alone.replica.low_watermark, alone.replica.executed_sequence) == (5, 0)
    late = batch_of(R1, sequence=4, proposer=1)
    alone.receive(proposal_of(late, view=1, replica=1))
    assert alone.messages(Prepare) == []
    alone.run_for(1_000)
    assert "fetch" in [note.event for note in alone.notes]


def test_the_next_view_change_carries_that_checkpoint_with_its_proof() -> None:
    """Also while its state is missing, else the certificates above it lie outside its window (R18 ii)."""
    stable = block_certificate(5, other_digest(), (0, 1, 2))
    alone = entered(stable=stable)
    alone.receive(view_change(0, 2), view_change(2, 2))
    (change,) = alone.messages(ViewChange)
    assert change.stable == stable


def test_what_is_executed_already_is_voted_for_again_and_not_executed_again() -> None:
    """Others may lack it and need the votes (R18 iii, R9)."""
    alone = Alone(3)
    alone.submit(R1)
    decide(alone, BATCH)
    executed_before = len(alone.decisions)
    alone.receive(new_view(1, [view_change(0, 1), view_change(1, 1, prepared(BATCH)), view_change(2, 1)]))
    assert prepare(3, BATCH, view=1) in alone.messages(Prepare)
    alone.receive(prepare(0, BATCH, view=1), prepare(2, BATCH, view=1))
    alone.receive(*(commit(i, BATCH, view=1) for i in (0, 1, 2)))
    assert commit(3, BATCH, view=1) in alone.messages(Commit)
    assert (len(alone.decisions), alone.replica.executed_sequence) == (executed_before, 1)


def test_fresh_proposals_follow_what_was_renewed() -> None:
    """The next sequence number is one above the last renewed (R18 iv); another for a renewed one is E1."""
    alone = entered(3, prepared(BATCH))
    alone.receive(FetchedBatch(BATCH))
    fresh = batch_of(R2, sequence=2, time_ms=START_MS + 5, proposer=1)
    alone.receive(proposal_of(fresh, view=1, replica=1))
    assert [vote.sequence for vote in alone.messages(Prepare)] == [1, 2]
    other = batch_of(R2, time_ms=START_MS + 7, proposer=1)
    alone.receive(proposal_of(other, view=1, replica=1))
    assert (alone.reasons(), alone.reasons("evidence")) == (["second pre-prepare"], ["E1"])


def test_batches_that_a_new_view_names_are_fetched_from_who_prepared_them() -> None:
    """One after the other, until somebody sends the batch with that digest (R7, R18 v)."""
    alone = entered(3, prepared(BATCH))
    alone.run_for(1_000)
    asked = alone.asked(FetchBatch)
    assert set(asked) == {1, 2} and len(asked) >= 3
    alone.receive(FetchedBatch(batch_of(R2)))
    assert alone.messages(Prepare) == []
    alone.receive(FetchedBatch(BATCH))
    assert alone.messages(Prepare) == [prepare(3, BATCH, view=1)]


def test_who_has_a_batch_gives_it_to_who_asks() -> None:
    """By its digest, also when it was accepted in an earlier view."""
    alone = is_prepared()
    overdue(alone)
    alone.sent.clear()
    alone.receive(FetchBatch(0, 1, BATCH.digest(), 2), FetchBatch(0, 1, other_digest(), 2))
    assert [(send.packet, send.to) for send in alone.sent] == [(FetchedBatch(BATCH), 2)]  # type: ignore[union-attr]
    assert alone.reasons() == ["batch is not here"]


def test_votes_that_come_before_their_new_view_count_once_it_is_here() -> None:
    """The network may turn the order round; the sender repeats nothing for that (R6)."""
    alone = Alone(3)
    alone.submit(R1)
    alone.receive(prepare(0, BATCH, view=1), prepare(2, BATCH, view=1))
    alone.receive(*(commit(i, BATCH, view=1) for i in (0, 1, 2)))
    alone.receive(new_view(1, [view_change(0, 1), view_change(1, 1, prepared(BATCH)), view_change(2, 1)]))
    alone.receive(FetchedBatch(BATCH))
    assert commit(3, BATCH, view=1) in alone.messages(Commit)
    assert len(alone.decisions) == 1


def test_a_lagging_replica_is_shown_the_new_view_now_and_then() -> None:
    """Whoever still asks for a view that has begun gets its proof, not with every question (R19 iv)."""
    alone = entered(3)
    alone.sent.clear()
    for _ in range(5):
        alone.receive(view_change(0, 1))
    shown = [send for send in alone.sent if isinstance(getattr(send, "packet", None), Signed)]
    assert [(type(send.packet.message), send.to) for send in shown] == [(NewView, 0)]  # type: ignore[union-attr]
    alone.now_ms += 5_000
    alone.receive(view_change(0, 1))
    assert len([send for send in alone.sent if getattr(send, "to", None) == 0]) == 2


def test_a_restarted_replica_comes_back_in_the_view_that_it_entered() -> None:
    """Active, with its votes of that view and no others (R20)."""
    alone = entered(3, prepared(BATCH))
    alone.receive(FetchedBatch(BATCH))
    again = alone.restart()
    assert (again.replica.view, again.replica.active) == (1, True)
    again.submit(R1, R2)
    again.run_for(600)
    assert set(again.messages(Prepare)) == {prepare(3, BATCH, view=1)}


@pytest.mark.parametrize("n", [4, 5, 6, 7, 8])
def test_primaries_that_are_down_are_replaced_one_after_the_other(n: int) -> None:
    """f of them in a row; what is pending is executed by the first that works (R26)."""
    cluster = Cluster(n, followers=1)
    faulty = (n - 1) // 3
    for number in range(faulty):
        cluster.crash(number)
    requests = [cluster.request(to=range(faulty, n + 1)) for _ in range(3)]
    alive = range(faulty, n + 1)
    cluster.run_until(
        lambda: all(set(requests) <= cluster.check.executed[number] for number in alive), 30_000
    )
    assert {cluster.nodes[number].replica.view for number in alive} == {faulty}
    cluster.heal()
    cluster.run_until(cluster.all_executed, 30_000)


def test_what_one_replica_executed_is_decided_by_the_others_in_its_absence() -> None:
    """Decided at one replica alone, it is decided everywhere, in its place (PBFT 4.5.1)."""
    cluster = Cluster(4)
    cluster.drop = lambda source, target, packet: (
        isinstance(packet, Signed) and isinstance(packet.message, Commit | BlockVote) and target != 1
    )
    first = cluster.request()
    cluster.run_until(lambda: first in cluster.check.executed[1], 5_000)
    assert not any(first in cluster.check.executed[number] for number in (0, 2, 3))
    cluster.crash(1)
    cluster.drop = lambda source, target, packet: (
        isinstance(packet, Signed) and isinstance(packet.message, Commit) and packet.message.view == 0
    )
    second = cluster.request(to=(0, 2, 3))
    cluster.run_until(
        lambda: all({first, second} <= cluster.check.executed[number] for number in (0, 2, 3)), 30_000
    )
    assert cluster.nodes[0].replica.view > 0
    cluster.heal()
    cluster.run_until(cluster.all_executed, 30_000)


def test_a_block_vote_is_no_vote_in_a_view() -> None:
    """What was executed may be signed at any time, also between two views."""
    alone = is_prepared()
    overdue(alone)
    alone.receive(*(commit(i, BATCH) for i in (0, 2, 3)))
    assert alone.messages(BlockVote) == [block_vote(1, 1, alone.blocks[1])]
