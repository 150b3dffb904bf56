"""Catching up by certificates, for voters, followers and restarts, busy or idle (R23, block part)."""

from __future__ import annotations

import pytest

from consensus.messages import Fetch, Status
from consensus.votes import NO_DIGEST
from tests.consensus.alone import (
    R1,
    R2,
    R3,
    START_MS,
    Alone,
    batch_of,
    block_certificate,
    block_vote,
    commit,
    decide,
    decided,
    proposal_of,
    status,
)
from tests.consensus.cluster import Cluster, Faults
from tests.consensus.wire import Answer, Packet, block_hash, request, signed

BATCHES = [batch_of(each, sequence=i, time_ms=START_MS + i) for i, each in enumerate((R1, R2, R3), start=1)]


def questions(alone: Alone) -> list[tuple[int | None, int]]:
    """Whom it asked, and from which sequence number on."""
    first = [message.sequence for message in alone.messages(Fetch)]
    return list(zip(alone.asked(Fetch), first, strict=True))


def test_a_status_is_sent_now_and_then_also_when_idle() -> None:
    """One for each `status_ms`, whatever else happens or does not."""
    alone = Alone(1, status_ms=1000)
    alone.run_for(10_000)
    assert len(alone.messages(Status)) == 10


def test_a_replica_that_is_behind_asks_one_that_is_ahead() -> None:
    """After `fetch_ms` without progress, from the first sequence number that it lacks."""
    alone = Alone(1, fetch_ms=300)
    alone.receive(status(3, 2))
    alone.run_for(299)
    assert questions(alone) == []
    alone.run_for(1)
    assert questions(alone) == [(3, 1)]


def test_one_that_does_not_answer_is_followed_by_another() -> None:
    """Each question goes to the next of those who are ahead, at growing intervals."""
    alone = Alone(1, fetch_ms=300)
    alone.receive(status(0, 2), status(2, 2), status(3, 5))
    alone.run_for(20_000)
    assert [to for to, _ in questions(alone)][:4] == [0, 2, 3, 0]
    assert 5 < len(questions(alone)) < 15


def test_nobody_is_asked_when_nobody_is_ahead() -> None:
    """An equal height is no reason to ask."""
    alone = Alone(1)
    alone.receive(status(3, 0))
    alone.run_for(20_000)
    assert questions(alone) == []


def test_nobody_is_asked_while_votes_arrive_by_themselves() -> None:
    """A replica that moves on waits for another while."""
    alone = Alone(1, fetch_ms=300)
    alone.submit(R1)
    alone.receive(status(3, 1))
    alone.run_for(200)
    decide(alone, BATCHES[0])
    alone.receive(*(block_vote(i, 1, alone.blocks[1]) for i in (0, 2, 3)))
    alone.run_for(20_000)
    assert questions(alone) == []


@pytest.mark.parametrize("ahead", [commit(3, batch_of(R1, sequence=140)), block_vote(3, 2, NO_DIGEST)])
def test_votes_from_far_ahead_are_a_hint_too(ahead: object) -> None:
    """Who votes above the window, or for a block, has executed what is below."""
    alone = Alone(1)
    alone.receive(ahead)  # type: ignore[arg-type]
    alone.run_for(1000)
    assert questions(alone)[0] == (3, 1)


def test_an_answer_that_led_somewhere_is_followed_by_the_next_question_at_once() -> None:
    """The last decision of an answer asks for more."""
    alone = Alone(1)
    alone.submit(R1, R2)
    alone.receive(status(3, 9))
    alone.run_for(300)
    alone.receive(decided(BATCHES[0]), decided(BATCHES[1], last=True))
    assert questions(alone) == [(3, 1), (3, 3)]


def test_a_liar_that_repeats_old_decisions_is_not_asked_for_ever() -> None:
    """An answer that leads nowhere costs its sender its place: the others are asked too."""
    alone = Alone(1)
    alone.submit(R1)
    alone.receive(decided(BATCHES[0]))
    alone.receive(status(0, 90), status(2, 2), status(3, 2))
    for _ in range(60):
        asked = len(questions(alone))
        alone.run_for(100)
        if [to for to, _ in questions(alone)[asked:]] == [0]:
            alone.receive(decided(BATCHES[0], last=True))  # True, old, and of no use.
    assert {to for to, _ in questions(alone)} == {0, 2, 3}
    assert len(questions(alone)) < 20


def test_a_decision_without_its_bodies_is_not_executed() -> None:
    """The bodies are asked for, and the decision kept until they come."""
    alone = Alone(1)
    alone.receive(decided(BATCHES[0]))
    assert alone.decisions == []
    alone.submit(R1)
    assert len(alone.decisions) == 1


def test_a_quorum_for_an_unknown_batch_makes_a_replica_ask() -> None:
    """Commits without the proposal decide; the batch is fetched from those who signed."""
    alone = Alone(1)
    alone.submit(R1)
    alone.receive(*(commit(replica, BATCHES[0]) for replica in (0, 2, 3)))
    alone.run_for(300)
    assert questions(alone) == [(0, 1)]
    alone.receive(decided(BATCHES[0]))
    assert len(alone.decisions) == 1


def test_an_open_block_is_asked_for_when_votes_do_not_come() -> None:
    """A block without a certificate is a reason to ask, though nobody is ahead."""
    alone = Alone(1)
    alone.submit(R1)
    decide(alone, BATCHES[0])
    alone.receive(status(2, 1), status(3, 0))
    alone.run_for(2_000)
    assert questions(alone)[0] == (2, 1)
    alone.receive(decided(BATCHES[0], block=block_certificate(1, alone.blocks[1], (0, 2, 3)), last=True))
    asked = len(questions(alone))
    alone.run_for(20_000)
    assert len(questions(alone)) == asked


def test_an_open_block_holds_up_no_catching_up() -> None:
    """While others are ahead, they are asked for what comes next, not only for the old block again."""
    alone = Alone(1, resend_ms=100)
    alone.submit(R1)
    decide(alone, BATCHES[0])
    alone.receive(*(status(replica, 50) for replica in (0, 2, 3)))
    alone.run_for(3_000)
    assert {sequence for _, sequence in questions(alone)} == {1, 2}


# Whole clusters.


def one_behind(n: int, behind: int, *, followers: int = 0, crash: bool) -> Cluster:
    """A cluster in which one replica missed five blocks, and traffic has stopped."""
    cluster = Cluster(n, followers=followers)
    if crash:
        cluster.crash(behind)
    else:
        cluster.drop = lambda source, target, packet: behind in (source, target)
    others = [number for number in cluster.nodes if number != behind]
    for number in range(5):
        cluster.request(at_ms=cluster.now_ms + 300 * number, to=others)
    cluster.run_for(4_000)
    assert cluster.heights() == {number: 0 if number == behind else 5 for number in cluster.nodes}
    return cluster


@pytest.mark.parametrize("bodies", [True, False])
@pytest.mark.parametrize("crash", [True, False])
@pytest.mark.parametrize(
    ("n", "behind", "followers"), [(4, 3, 0), (4, 4, 1), (5, 2, 0), (6, 5, 0), (7, 8, 2)]
)
def test_a_replica_catches_up_in_an_idle_network(
    n: int, behind: int, followers: int, crash: bool, bodies: bool
) -> None:
    """Cut off or down, voter or follower, with bodies sent along or not: it gets blocks and certificates."""
    cluster = one_behind(n, behind, followers=followers, crash=crash)
    cluster.answer_with_bodies = bodies
    cluster.heal()
    cluster.run_until(cluster.all_certified, 10_000)
    assert cluster.happened["answer"] >= 5


def test_catching_up_under_load() -> None:
    """A replica that comes back while blocks are made arrives at the same head."""
    cluster = one_behind(4, 3, crash=True)
    for number in range(20):
        cluster.request(at_ms=cluster.now_ms + 100 * number)
    cluster.heal()
    cluster.run_until(cluster.all_executed, 10_000)
    cluster.run_until(cluster.all_certified, 10_000)


def test_a_replica_further_behind_than_a_window_catches_up() -> None:
    """Answer by answer, with a window smaller than what it missed."""
    cluster = Cluster(4, window=3, block_every_ms=20, max_batch=1)
    cluster.crash(3)
    for _ in range(30):
        cluster.request(to=[0, 1, 2])
    cluster.run_for(6_000)
    assert cluster.heights()[3] == 0 and cluster.heights()[0] == 30
    cluster.heal()
    cluster.run_until(cluster.all_certified, 10_000)


def test_the_primary_catches_up_with_what_it_proposed() -> None:
    """A primary whose commits were all lost fetches what the others decided."""
    cluster = Cluster(4)
    cluster.drop = lambda source, target, packet: target == 0
    cluster.request()
    cluster.run_for(2_000)
    assert cluster.heights() == {0: 0, 1: 1, 2: 1, 3: 1}
    cluster.heal()
    cluster.run_until(cluster.all_certified, 10_000)


@pytest.mark.parametrize("liar", [1, 3])
def test_a_liar_about_its_height_keeps_nobody_from_catching_up(liar: int) -> None:
    """It claims the highest number there is, and answers with what is old, forged, or nothing."""
    claim = 2**53 - 1

    def lie(cluster: Cluster, packet: Packet) -> None:
        message = getattr(packet, "message", None)
        if isinstance(message, Fetch):
            cluster.happened["asked the liar"] += 1
            block = cluster.nodes[0].disk.blocks[0]
            old = decided(block.batch, (0, liar, 2), last=True)
            cluster.send(liar, message.replica, Answer(old))
            cluster.send(
                liar, message.replica, Answer(decided(batch_of(R3, sequence=message.sequence), (liar,)))
            )
        elif isinstance(message, Status):
            cluster.publish(liar, signed(status(liar, claim)))

    cluster = Cluster(4, followers=1, scripts={liar: lie})
    cluster.crash(4)
    for number in range(6):
        cluster.request(at_ms=cluster.now_ms + 300 * number, to=[0])
        cluster.request(
            at_ms=cluster.now_ms + 300 * number, to=[number for number in cluster.nodes if number < 4]
        )
    cluster.run_for(5_000)
    cluster.heal()
    cluster.run_until(cluster.all_certified, 20_000)
    cluster.request()
    cluster.run_until(cluster.all_certified, 20_000)
    assert cluster.happened["asked the liar"] > 0
    before = cluster.packets
    cluster.run_for(60_000)
    assert cluster.packets - before < 60 * 4 * 5 * 2  # A lie costs a question now and then.


def test_a_forged_decision_is_never_executed() -> None:
    """One vote short, a voter twice, a follower's vote, another batch: no node moves."""
    cluster = Cluster(4, scripts={3: lambda cluster, packet: None})
    wanted = cluster.request(to=[])
    batch = batch_of(request(1))
    certificate = decided(batch, (0, 3)).certificate
    for voters in [(0, 3), (0, 3, 3), (3, 0, 2), (0, 3, 5), ()]:
        cluster.send(3, 1, Answer(decided(batch, voters)))
    unsigned = decided(batch, (0, 2, 3))
    broken = type(certificate)(0, 0, 1, batch.digest(), tuple((i, bytes(64)) for i in (0, 2, 3)))
    cluster.send(3, 1, Answer(type(unsigned)(batch, broken, None, True)))
    cluster.send(3, 1, Answer(type(unsigned)(batch_of(R2), unsigned.certificate, None, True)))
    cluster.run_for(1_000)
    assert cluster.heights() == {0: 0, 1: 0, 2: 0}
    assert wanted not in cluster.check.executed[1]
    assert cluster.happened["forged"] == 1
    assert cluster.happened["too few votes"] == 2
    assert cluster.happened["voters not in ascending order"] == 2
    assert cluster.happened["voter is no member"] == 1
    assert cluster.happened["certificate is for another batch"] == 1


def test_a_true_decision_is_executed_whoever_brings_it() -> None:
    """The same with a whole quorum: what is proven needs no trust in the sender."""
    cluster = Cluster(4, scripts={0: lambda cluster, packet: None})
    cluster.request()
    cluster.run_for(10)
    cluster.check.durable[1].add(b"")
    batch = batch_of(request(1))
    cluster.scripts[3] = cluster.scripts[0]
    node = cluster.nodes.pop(3)
    cluster.send(3, 2, Answer(decided(batch, (0, 1, 3))))
    cluster.run_for(100)
    assert node.number == 3
    assert cluster.heights()[2] == 1


def test_lossy_catching_up_ends() -> None:
    """Questions and answers may be lost; another question follows."""
    cluster = one_behind(4, 2, crash=True)
    cluster.heal()
    cluster.faults = Faults(loss=0.4)
    cluster.run_until(cluster.all_certified, 60_000)
    assert cluster.happened["lost"] > 0


def test_the_block_after_a_fetched_one_chains_to_it() -> None:
    """Fetched or voted on, blocks are executed by one path and lead to one head."""
    alone = Alone(1)
    alone.submit(R1, R2)
    alone.receive(decided(BATCHES[0]))
    alone.receive(proposal_of(BATCHES[1]), *(commit(i, BATCHES[1]) for i in (0, 2, 3)))
    assert alone.blocks[2] == block_hash(block_hash(bytes(32), BATCHES[0]), BATCHES[1])
