"""Retransmission: each kind of message may be lost, once or for long (R38)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from consensus.certificates import BlockCertificate
from consensus.messages import Fetch, FetchRequests, Proposal, Signed, Status
from consensus.votes import BlockVote, Commit, Prepare
from tests.consensus.alone import (
    R1,
    R2,
    START_MS,
    Alone,
    batch_of,
    block_vote,
    certify,
    commit,
    decide,
    prepare,
    proposal_of,
)
from tests.consensus.cluster import Cluster, Faults
from tests.consensus.wire import Answer, Bodies, Packet, request

BATCH = batch_of(R1)


def is_kind(kind: type) -> Callable[[Packet], bool]:
    """A test for packets of one kind."""
    if kind in (Proposal, Bodies, Answer):
        return lambda packet: isinstance(packet, kind)
    return lambda packet: isinstance(packet, Signed) and isinstance(packet.message, kind)


KINDS = [Proposal, Prepare, Commit, BlockVote, Status, Fetch, FetchRequests, Answer, Bodies]
# These are only sent when something else is lost too: a replica that hears no votes fetches, and one
# that clients do not reach asks for bodies.
UNLESS_DEAF = (Fetch, Answer)


def _lossy(kind: type) -> Cluster:
    cluster = Cluster(4, followers=1)
    chosen = is_kind(kind)
    if kind in UNLESS_DEAF:
        cluster.drop = lambda source, target, packet: (
            chosen(packet)
            or (target == 3 and isinstance(packet, Signed) and isinstance(packet.message, Commit))
        )
    else:
        cluster.drop = lambda source, target, packet: chosen(packet)
    return cluster


def _targets(kind: type) -> list[int] | None:
    return [0, 1, 2, 4] if kind in (FetchRequests, Bodies) else None


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_message_lost_for_ten_seconds(kind: type) -> None:
    """Whatever is lost for long, all goes on when it is lost no more."""
    cluster = _lossy(kind)
    cluster.request(to=_targets(kind))
    cluster.run_for(10_000)
    assert cluster.happened["dropped"] > 0
    if kind in (Proposal, Prepare, Commit):
        assert set(cluster.heights().values()) == {0}
    assert kind is not BlockVote or not cluster.all_certified()
    cluster.heal()
    cluster.run_until(cluster.all_executed, 10_000)
    cluster.run_until(cluster.all_certified, 10_000)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", [0, 1, 4])
def test_the_first_message_of_a_kind_to_one_replica_is_lost(kind: type, target: int) -> None:
    """Losing one packet costs a retransmission, and never the decision."""
    chosen, cluster = is_kind(kind), Cluster(4, followers=1)

    def drop_first(source: int, to: int, packet: Packet) -> bool:
        return to == target and chosen(packet) and not cluster.happened["dropped"]

    cluster.drop = drop_first
    for number in range(3):
        cluster.request(at_ms=1010 + 100 * number)
    cluster.run_until(cluster.all_executed, 5_000)
    cluster.run_until(cluster.all_certified, 5_000)


@pytest.mark.parametrize("loss", [0.1, 0.3, 0.5, 0.7])
@pytest.mark.parametrize("n", [4, 5, 7])
def test_any_rate_of_loss_below_all(n: int, loss: float) -> None:
    """Requests commit everywhere, however many packets are lost."""
    cluster = Cluster(n, followers=1, faults=Faults(loss=loss), seed=n)
    for number in range(3):
        cluster.request(at_ms=1010 + 100 * number)
    cluster.run_until(cluster.all_certified, 1)
    cluster.run_until(cluster.all_executed, 300_000)
    assert cluster.happened["lost"] > 10


def _times_of(alone: Alone, kind: type, duration_ms: int) -> list[int]:
    """When messages of a kind are sent from now on, in milliseconds from now."""
    start, times = alone.now_ms, []
    while alone.now_ms < start + duration_ms:
        before = len(alone.messages(kind))
        alone.run_for(1)
        if len(alone.messages(kind)) > before:
            times.append(alone.now_ms - start)
    return times


def test_undecided_votes_are_repeated_at_growing_intervals_up_to_a_limit() -> None:
    """500 ms after the first time, then twice as long each time, never more than `resend_max_ms`."""
    alone = Alone(1, resend_ms=500, resend_max_ms=8000, view_timeout_ms=60_000)
    alone.submit(R1)
    alone.receive(proposal_of(BATCH))
    assert _times_of(alone, Prepare, 40_000) == [500, 1500, 3500, 7500, 15_500, 23_500, 31_500, 39_500]


def test_a_decision_brings_back_the_first_pace() -> None:
    """What is undecided after a decision is repeated as soon as if it were new."""
    alone = Alone(1, resend_ms=500, view_timeout_ms=60_000)
    alone.submit(R1, R2)
    second = batch_of(R2, sequence=2, time_ms=START_MS + 1)
    alone.receive(proposal_of(BATCH), proposal_of(second))
    alone.run_for(10_000)
    alone.receive(*(commit(i, BATCH) for i in (0, 2, 3)))
    assert len(alone.decisions) == 1
    assert _times_of(alone, Prepare, 2_000) == [500, 1500]


def test_decisions_do_not_put_off_what_is_lost() -> None:
    """Under steady load a lost block vote is repeated all the same."""
    alone = Alone(1, resend_ms=500)
    for sequence in range(1, 11):
        each = request(sequence)
        alone.submit(each)
        decide(alone, batch_of(each, sequence=sequence, time_ms=START_MS + sequence))
        if sequence > 1:
            alone.receive(*(block_vote(i, sequence, alone.blocks[sequence]) for i in (0, 2, 3)))
        alone.run_for(200)
    votes = [vote for vote in alone.messages(BlockVote) if vote.sequence == 1]
    assert len(votes) >= 3


def test_a_lost_certificate_is_completed_under_load() -> None:
    """Block votes to one replica are lost once; it completes the certificate while blocks go on."""
    cluster = Cluster(4)
    cluster.drop = lambda source, target, packet: (
        target == 3 and isinstance(packet, Signed) and isinstance(packet.message, BlockVote)
    )
    for number in range(60):
        cluster.request(at_ms=1010 + 100 * number)
    cluster.run_for(400)
    assert cluster.heights()[3] >= 1
    cluster.drop = lambda source, target, packet: False
    cluster.run_for(4_000)
    certificate: BlockCertificate | None = cluster.nodes[3].disk.blocks[0].block_certificate
    assert certificate is not None
    assert not cluster.all_executed()  # The load is still on.


def test_what_is_decided_is_repeated_no_more() -> None:
    """An executed and certified replica is quiet but for its status."""
    alone = Alone(1)
    alone.submit(R1)
    decide(alone, BATCH)
    alone.receive(*(block_vote(i, 1, alone.blocks[1]) for i in (0, 2, 3)))
    alone.sent.clear()
    alone.run_for(30_000)
    assert len(alone.sent) == len(alone.messages(Status)) == 30


def test_a_repetition_names_the_oldest_votes() -> None:
    """At most eight sequence numbers at a time, the oldest ones, so that a repetition is small."""
    alone = Alone(1)
    for sequence in range(1, 13):
        each = request(sequence)
        alone.submit(each)
        alone.receive(proposal_of(batch_of(each, sequence=sequence, time_ms=START_MS + sequence)))
    alone.sent.clear()
    alone.run_for(500)
    assert [vote.sequence for vote in alone.messages(Prepare)] == list(range(1, 9))


def test_prepare_and_commit_are_repeated_together() -> None:
    """Whoever lacks a commit may lack the prepare as well."""
    alone = Alone(1)
    alone.submit(R1)
    alone.receive(proposal_of(BATCH), prepare(2, BATCH))
    alone.sent.clear()
    alone.run_for(500)
    assert alone.messages(Prepare, Commit) == [prepare(1, BATCH), commit(1, BATCH)]


def test_a_primary_repeats_its_proposal() -> None:
    """As it was, until a checkpoint covers it."""
    alone = Alone(0)
    alone.submit(R1)
    alone.run_for(500)
    first, again = alone.proposals()
    assert first == again
    batch = first.batch
    alone.receive(*(prepare(i, batch) for i in (1, 2)), *(commit(i, batch) for i in (1, 2)))
    alone.run_for(500)
    assert alone.proposals() == [first] * 3
    certify(alone, 1)
    alone.run_for(30_000)
    assert alone.proposals() == [first] * 3


def test_duplicates_and_disorder_change_nothing() -> None:
    """Every packet twice, in any order within a second: each request is executed once."""
    cluster = Cluster(4, faults=Faults(duplication=1.0, delay_ms=(1, 1000)))
    for number in range(5):
        cluster.request(at_ms=1010 + 100 * number)
    cluster.run_until(cluster.all_executed, 60_000)
    cluster.run_until(cluster.all_certified, 60_000)
    assert cluster.happened["doubled"] > 50
