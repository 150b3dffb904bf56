"""Pre-prepares: what a backup accepts, and what a primary builds (R4, R27, R29; PBFT 4.2)."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from consensus.messages import Proposal
from consensus.votes import Batch, Prepare, PrePrepare, Request
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
    other_digest,
    prepare,
    proposal_of,
)
from tests.consensus.cluster import Cluster
from tests.consensus.wire import request, signature_of, signed


def backup(*requests: Request, **settings: Any) -> Alone:
    """Backup 1 with these requests in hand."""
    alone = Alone(1, **settings)
    alone.submit(*(requests or (R1, R2, R3)))
    return alone


def test_a_backup_prepares_a_valid_proposal() -> None:
    """A valid proposal is recorded, and answered with a prepare for its digest."""
    alone, batch = backup(), batch_of(R1, R2)
    alone.receive(proposal_of(batch))
    assert alone.accepted() == [1]
    assert alone.messages(Prepare) == [prepare(1, batch)]


def _altered(**changes: Any) -> Proposal:
    """A valid proposal with some fields of its pre-prepare changed, and signed as it stands."""
    batch = batch_of(R1)
    fields: dict[str, Any] = {"epoch": 0, "view": 0, "sequence": 1, "digest": batch.digest(), "replica": 0}
    vote = PrePrepare(**(fields | changes))
    return Proposal(vote, signature_of(vote.replica, vote), batch)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"epoch": 1}, "other epoch"),
        ({"view": 1}, ""),
        ({"view": 4}, ""),
        ({"replica": 2}, "not from the primary"),
        ({"replica": 1}, "not from the primary"),
        ({"replica": 4}, "not from the primary"),
        ({"sequence": 2}, "batch is for another sequence number"),
        ({"digest": other_digest()}, "digest does not match the batch"),
    ],
)
def test_a_proposal_with_one_wrong_field_is_ignored(changes: dict[str, Any], reason: str) -> None:
    """Whichever field of a pre-prepare is wrong, no vote follows, and the right one is still welcome."""
    alone = backup()
    alone.receive(_altered(**changes))
    assert alone.reasons() == [reason] * bool(reason)  # A later view is kept for when it begins.
    assert (alone.records, alone.messages(Prepare)) == ([], [])
    alone.receive(_altered())
    assert len(alone.messages(Prepare)) == 1


def test_the_digest_covers_every_field_of_a_batch() -> None:
    """Sequence number, proposer, time, requests and their order: one digest stands for one batch (R28)."""
    batches = [
        batch_of(R1, R2),
        batch_of(R2, R1),
        batch_of(R1),
        batch_of(R1, R2, sequence=2),
        batch_of(R1, R2, time_ms=START_MS + 1),
        batch_of(R1, R2, proposer=1),
    ]
    assert len({batch.digest() for batch in batches}) == len(batches)


def test_the_digest_does_not_cover_the_view() -> None:
    """A batch that is proposed again in a later view keeps its digest (R28)."""
    batch = batch_of(R1)
    digests = {proposal_of(batch, view=view).pre_prepare.digest for view in (0, 1, 7)}
    assert digests == {batch.digest()}


def test_a_replica_ignores_a_proposal_in_its_own_name() -> None:
    """What the network plays back to a primary changes nothing."""
    alone = Alone(0)
    alone.submit(R1)
    (proposal,) = alone.proposals()
    before = len(alone.records)
    alone.receive(proposal)
    assert alone.reasons() == ["not from the primary"]
    assert len(alone.records) == before


def test_a_pre_prepare_needs_its_batch() -> None:
    """A pre-prepare that comes as a bare vote is no proposal."""
    alone = backup()
    alone.receive(proposal_of(batch_of(R1)).pre_prepare)
    assert alone.reasons() == ["pre-prepare without its batch"]


def test_the_first_pre_prepare_of_a_sequence_number_counts() -> None:
    """A second, different one gets no prepare, a repeated one no second prepare."""
    alone, first = backup(), batch_of(R1)
    alone.receive(proposal_of(first), proposal_of(batch_of(R2)), proposal_of(first))
    assert alone.reasons() == ["second pre-prepare", "repeated"]
    assert alone.messages(Prepare) == [prepare(1, first)]


def test_a_second_pre_prepare_cannot_replace_one_that_waits_for_bodies() -> None:
    """The first counts even before it can be accepted."""
    alone = backup(R2)
    alone.receive(proposal_of(batch_of(R1)), proposal_of(batch_of(R2)))
    assert alone.messages(Prepare) == []
    alone.submit(R1)
    assert alone.messages(Prepare) == [prepare(1, batch_of(R1))]


def test_no_prepare_before_all_bodies_are_in_hand() -> None:
    """A prepare is cast when the last body that the batch names is there (R7)."""
    alone, batch = backup(R1), batch_of(R1, R2, R3)
    alone.receive(proposal_of(batch))
    assert alone.replica.wants(R2.id) and alone.replica.wants(R3.id) and not alone.replica.wants(R1.id)
    alone.submit(R3)
    assert alone.messages(Prepare) == []
    alone.submit(R2)
    assert alone.messages(Prepare) == [prepare(1, batch)]
    assert not alone.replica.wants(R2.id)


def test_proposals_are_accepted_in_sequence_order() -> None:
    """A proposal that overtook its parent waits for it."""
    alone = backup()
    first, second = batch_of(R1), batch_of(R2, sequence=2, time_ms=START_MS + 1)
    alone.receive(proposal_of(second))
    assert alone.messages(Prepare) == []
    alone.receive(proposal_of(first))
    assert alone.messages(Prepare) == [prepare(1, first), prepare(1, second)]


def refusal(alone: Alone, batch: Batch) -> list[str]:
    """Why a backup refuses a batch; it must not vote for it then."""
    alone.receive(proposal_of(batch))
    refused = alone.reasons("refused")
    votes = [vote for vote in alone.messages(Prepare) if vote.sequence == batch.sequence]
    assert len(votes) == (0 if refused else 1)
    return refused


def test_a_proposal_is_refused_once_and_for_all() -> None:
    """A refusal is noted once, however often the replica looks at what it could accept."""
    alone = backup()
    assert len(refusal(alone, batch_of())) == 1
    alone.run_for(10_000)
    alone.submit(request(77))
    assert len(alone.reasons("refused")) == 1


def test_an_empty_batch_is_refused() -> None:
    """Null requests only fill gaps after a view change; nobody proposes one."""
    assert refusal(backup(), batch_of()) == ["empty batch"]


def test_a_batch_in_the_name_of_another_proposer_is_refused() -> None:
    """The proposer in the batch is the primary."""
    assert refusal(backup(), batch_of(R1, proposer=2)) == ["proposer is not the primary"]


def test_a_request_twice_in_a_batch_is_refused() -> None:
    """Each request is named once."""
    assert refusal(backup(), batch_of(R1, R2, R1)) == ["request twice in a batch"]


@pytest.mark.parametrize(("count", "reasons"), [(3, []), (4, ["too many requests"])])
def test_the_limit_of_requests(count: int, reasons: list[str]) -> None:
    """As many requests as `max_batch`, and no more (R29)."""
    requests = [request(number) for number in range(count)]
    assert refusal(backup(*requests, max_batch=3), batch_of(*requests)) == reasons


@pytest.mark.parametrize(("last", "reasons"), [(40, []), (41, ["batch too large"])])
def test_the_limit_of_bytes(last: int, reasons: list[str]) -> None:
    """As many bytes as `max_batch_bytes`, and no more (R29)."""
    requests = [request(1, size=60), request(2, size=last)]
    assert refusal(backup(*requests, max_batch_bytes=100), batch_of(*requests)) == reasons


def test_one_large_request_fills_a_batch_alone() -> None:
    """A request above the limit of bytes can still be ordered, by itself; the mempool limits its size."""
    large = request(1, size=1000)
    assert refusal(backup(large, max_batch_bytes=100), batch_of(large)) == []


@pytest.mark.parametrize(
    ("valid_from", "valid_until", "reasons"),
    [
        (1, 1, []),
        (2, 9, ["request outside its window"]),
        (1, 2, []),
    ],
)
def test_the_window_of_a_request(valid_from: int, valid_until: int, reasons: list[str]) -> None:
    """Sequence number 1 orders what may be ordered there."""
    windowed = request(1, valid_from=valid_from, valid_until=valid_until)
    assert refusal(backup(windowed), batch_of(windowed)) == reasons


def test_a_request_whose_window_has_passed_is_refused() -> None:
    """Sequence number 2 does not order what was valid until 1."""
    early = request(7, valid_until=1)
    alone = backup(R1, early)
    alone.receive(proposal_of(batch_of(R1)))
    assert refusal(alone, batch_of(early, sequence=2, time_ms=START_MS + 1)) == ["request outside its window"]


@pytest.mark.parametrize(("step_ms", "reasons"), [(1, []), (0, ["time not after the parent's"])])
def test_time_grows_from_an_accepted_parent(step_ms: int, reasons: list[str]) -> None:
    """A batch is later than its parent, be it by a millisecond (R27)."""
    alone = backup()
    alone.receive(proposal_of(batch_of(R1)))
    assert refusal(alone, batch_of(R2, sequence=2, time_ms=START_MS + step_ms)) == reasons


@pytest.mark.parametrize(("step_ms", "reasons"), [(1, []), (0, ["time not after the parent's"])])
def test_time_grows_from_an_executed_parent(step_ms: int, reasons: list[str]) -> None:
    """The parent may be executed and gone from memory."""
    alone = backup()
    decide(alone, batch_of(R1))
    assert alone.replica.executed_sequence == 1
    assert refusal(alone, batch_of(R2, sequence=2, time_ms=START_MS + step_ms)) == reasons


def test_time_grows_from_the_genesis_time() -> None:
    """The first batch is later than the time that the driver started with."""
    alone = Alone(1)
    alone = alone.restart(time_ms=START_MS)
    alone.submit(R1)
    assert refusal(alone, batch_of(R1, time_ms=START_MS)) == ["time not after the parent's"]


def test_a_proposal_from_the_future_waits_and_is_not_refused() -> None:
    """A time ahead by more than `max_skew_ms` is taken when the own clock has come close (R27)."""
    alone, batch = backup(max_skew_ms=500), batch_of(R1, time_ms=START_MS + 501)
    alone.receive(proposal_of(batch))
    assert (alone.messages(Prepare), alone.reasons("refused")) == ([], [])
    assert alone.replica.deadline_ms is not None
    alone.run_for(0)
    assert alone.messages(Prepare) == []
    alone.run_for(1)
    assert alone.messages(Prepare) == [prepare(1, batch)]


def test_a_further_request_has_a_proposal_that_waits_for_its_time_looked_at() -> None:
    """Whatever comes does, although a backup that times an older request has nothing else to do for it."""
    alone, batch = backup(R1, R2, max_skew_ms=500), batch_of(R1, time_ms=START_MS + 501)
    alone.receive(proposal_of(batch))
    assert alone.messages(Prepare) == []
    alone.now_ms += 1
    alone.submit(R3)
    assert alone.messages(Prepare) == [prepare(1, batch)]


def test_a_backup_orders_requests_one_by_one_whenever_they_came() -> None:
    """Requests after the oldest one only wait, and are as good as it for the next proposals."""
    alone = backup(R1)
    deadline = alone.replica.deadline_ms
    alone.now_ms += 5
    assert not alone.submit(R2, R3)
    assert alone.replica.deadline_ms == deadline
    batches = [batch_of(each, sequence=s, time_ms=START_MS + s) for s, each in enumerate((R3, R1, R2), 1)]
    alone.receive(*map(proposal_of, batches))
    assert alone.messages(Prepare) == [prepare(1, batch) for batch in batches]


def test_a_proposal_ahead_by_the_permitted_skew_is_accepted() -> None:
    """The limit itself is allowed."""
    assert refusal(backup(max_skew_ms=500), batch_of(R1, time_ms=START_MS + 500)) == []
    alone = backup(max_skew_ms=500)
    alone.receive(proposal_of(batch_of(R1, time_ms=START_MS + 500)))
    assert len(alone.messages(Prepare)) == 1


def test_a_request_in_flight_is_not_accepted_again() -> None:
    """A request is ordered at one sequence number: executed at two, its body could never be found (R24)."""
    alone = backup()
    alone.receive(proposal_of(batch_of(R1)))
    twice = batch_of(R2, R1, sequence=2, time_ms=START_MS + 1)
    assert refusal(alone, twice) == ["request already proposed"]


def test_a_request_in_flight_is_known_after_a_restart() -> None:
    """The same when the first proposal was accepted before a restart."""
    alone = backup()
    alone.receive(proposal_of(batch_of(R1)))
    alone = alone.restart()
    alone.submit(R1, R2)
    twice = batch_of(R2, R1, sequence=2, time_ms=START_MS + 1)
    assert refusal(alone, twice) == ["request already proposed"]


def test_a_refused_proposal_is_still_executed_when_a_quorum_decides_it() -> None:
    """A quorum's word is stronger than an own opinion."""
    alone, batch = backup(), batch_of(R1, proposer=2)
    assert refusal(alone, batch) != []
    alone.receive(*(commit(replica, batch) for replica in (0, 2, 3)))
    assert [decision.batch for decision in alone.decisions] == [batch]


def test_requests_of_a_proposal_that_lost_wait_again() -> None:
    """When another batch is decided than the accepted one, its requests are not forgotten."""
    alone = backup(R1, R2, view_timeout_ms=100)
    alone.receive(proposal_of(batch_of(R1)), decided(batch_of(R2)))
    assert alone.replica.executed_sequence == 1
    alone.run_for(300)
    assert {request for relay in alone.relays() for request in relay.requests} == {R1.id}


@pytest.mark.parametrize("split", list(itertools.product((0, 1), repeat=3)))
def test_an_equivocating_primary_forks_nobody(split: tuple[int, ...]) -> None:
    """Whatever split of the backups gets which of two proposals, at most one of them is decided (R4)."""
    cluster = Cluster(4, scripts={0: lambda cluster, packet: None})
    ids = [cluster.request(), cluster.request()]
    cluster.run_for(5)
    batches = [Batch(1, 0, cluster.now_ms, (identifier,)) for identifier in ids]
    for backup_number, choice in zip((1, 2, 3), split, strict=True):
        cluster.send(0, backup_number, proposal_of(batches[choice]))
        for batch in (batches[choice], batches[1 - choice]):
            # Its own prepares count for nothing; its commits for both sides.
            cluster.send(0, backup_number, signed(prepare(0, batch)))
            cluster.send(0, backup_number, signed(commit(0, batch)))
    cluster.run_for(5_000)
    decided_by = {number for number, height in cluster.heights().items() if height}
    assert decided_by == ({1, 2, 3} if len(set(split)) == 1 else decided_by)
    assert len({cluster.nodes[number].disk.blocks[0].hash for number in decided_by}) <= 1
    assert cluster.happened["prepare from the primary"] > 0
