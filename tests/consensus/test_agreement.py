"""Seeded worlds: faults first, and nobody disagrees; then the network heals, and everybody goes on.

`invariants.py` checks every step. To repeat a failure, run the test with its seed, for example
`scripts/test "tests/consensus/test_agreement.py::test_any_faults_then_heal[4-0]"`; the failing run
prints the command. PRIVITY_SEEDS=200 runs more seeds than the few of every day.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from random import Random

import pytest

from consensus.messages import Proposal
from consensus.votes import Batch, Commit, Prepare, PrePrepare
from tests.consensus.alone import batch_of, block_vote, commit, other_digest, prepare, proposal_of
from tests.consensus.cluster import Cluster, Faults, Script
from tests.consensus.wire import Packet, signed

SEEDS = range(int(os.environ.get("PRIVITY_SEEDS", "8")))
SIZES = [4, 5, 6, 7, 8]


@pytest.fixture(autouse=True)
def how_to_repeat(request: pytest.FixtureRequest) -> Iterator[None]:
    """A failing test shows the command that repeats it."""
    print(f"repeat with: scripts/test '{request.node.nodeid}'")
    yield


def drawn_faults(draw: Random) -> Faults:
    """A network somewhere between good and terrible."""
    return Faults(
        loss=draw.choice([0.0, 0.05, 0.2, 0.4]),
        duplication=draw.choice([0.0, 0.1, 0.5]),
        delay_ms=(1, draw.choice([5, 50, 400])),
    )


def busy(n: int, seed: int, scripts: dict[int, Script], crashes: int) -> Cluster:
    """A cluster under load with a bad network, a partition, and crashes of some backups and a follower."""
    draw = Random(f"{seed}/faults")
    cluster = Cluster(
        n,
        followers=1,
        seed=seed,
        faults=drawn_faults(draw),
        scripts=scripts,
        window=draw.choice([4, 16, 128]),
        in_flight=draw.choice([1, 3, 8]),
        max_batch=draw.choice([2, 500]),
        block_every_ms=draw.choice([20, 200]),
        answer_with_bodies=draw.random() < 0.5,
    )
    correct = list(cluster.nodes)
    for _ in range(25):
        to = correct if draw.random() < 0.7 else draw.sample(correct, draw.randint(1, len(correct)))
        cluster.request(at_ms=1_000 + draw.randint(0, 5_000), to=sorted(to))
    backups = [number for number in correct if 0 < number < n]
    for number in [*draw.sample(backups, crashes), n]:
        for _ in range(3):
            down_ms = 1_000 + draw.randint(0, 6_000)
            cluster.at(down_ms, lambda number=number: cluster.crash(number))  # type: ignore[misc]
            up_ms = down_ms + draw.randint(1, 2_000)
            cluster.at(up_ms, lambda number=number: cluster.restart(number))  # type: ignore[misc]
    side = set(draw.sample(range(n + 1), (n + 1) // 2))
    one_way = draw.random() < 0.5

    def split() -> None:
        cluster.drop = lambda source, target, packet: (
            (source in side and target not in side) or (not one_way and target in side and source not in side)
        )

    def rejoin() -> None:
        cluster.drop = lambda source, target, packet: False

    cluster.at(2_000 + draw.randint(0, 2_000), split)
    cluster.at(4_000 + draw.randint(0, 2_000), rejoin)
    return cluster


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("n", SIZES)
def test_any_faults_then_heal(n: int, seed: int) -> None:
    """With up to f backups crashing and any network, nobody disagrees; healed, everything is executed."""
    cluster = busy(n, seed, {}, crashes=(n - 1) // 3)
    cluster.run_for(8_000)
    cluster.heal()
    cluster.run_until(cluster.all_executed, 60_000)
    cluster.run_until(cluster.all_certified, 60_000)
    assert cluster.happened["restart"] > 0 and cluster.happened["dropped"] > 0
    assert max(cluster.heights().values()) > 0


def equivocating_voter(number: int, draw: Random) -> Script:
    """A voter that tells different replicas different things, at random, about what it hears."""
    digests = [other_digest("x"), other_digest("y")]

    def act(cluster: Cluster, packet: Packet) -> None:
        if not isinstance(packet, Proposal):
            return
        batch = packet.batch
        for target in cluster.members:
            for vote in (prepare, commit):
                if draw.random() < 0.8:
                    digest = draw.choice([batch.digest(), *digests])
                    sequence = max(1, batch.sequence + draw.choice([0, 0, 0, 1, -1]))
                    view = draw.choice([0, 0, 0, 1])
                    cluster.send(
                        number,
                        target,
                        signed(vote(number, batch, digest=digest, sequence=sequence, view=view)),
                    )
            if draw.random() < 0.5:
                cluster.send(number, target, signed(block_vote(number, batch.sequence, draw.choice(digests))))
        cluster.happened["equivocation"] += 1

    return act


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("n", SIZES)
def test_an_equivocating_voter_stops_nobody(n: int, seed: int) -> None:
    """One voter votes for anything, the others go on and agree; its votes prove what it did."""
    number = 1 + seed % (n - 1)
    script = equivocating_voter(number, Random(f"{seed}/script"))
    cluster = busy(n, seed, {number: script}, crashes=(n - 1) // 3 - 1)
    cluster.run_for(8_000)
    cluster.heal()
    cluster.run_until(cluster.all_executed, 60_000)
    cluster.run_until(cluster.all_certified, 60_000)
    assert cluster.happened["equivocation"] > 0
    assert cluster.happened["halted"] == 0


def equivocating_primary() -> Script:
    """A primary that votes for whatever anybody votes for."""
    seen: set[tuple[int, bytes]] = set()

    def act(cluster: Cluster, packet: Packet) -> None:
        message = getattr(packet, "message", None)
        if not isinstance(message, Prepare | Commit) or (message.sequence, message.digest) in seen:
            return
        seen.add((message.sequence, message.digest))
        for vote in (Prepare, Commit):
            cluster.publish(0, signed(vote(0, 0, message.sequence, message.digest, 0)))

    return act


def splits(n: int) -> list[int]:
    """All splits of the backups in two, as bit masks over the backups; mirrored ones left out."""
    return [mask for mask in range(2 ** (n - 2))]


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("n", SIZES)
def test_an_equivocating_primary_never_forks(n: int, order: int) -> None:
    """For every split of the backups, with the primary's vote on both sides, one batch at most is decided.

    A view change replaces such a primary, and both requests are executed everywhere.
    """
    new_views = equivocations = evidence = 0
    for mask in splits(n):
        cluster = Cluster(n, followers=1, seed=mask, scripts={0: equivocating_primary()})
        first, second = cluster.request(), cluster.request()
        cluster.run_for(5)
        for sequence in (1, 2):
            time_ms = cluster.now_ms + sequence
            batches = [
                Batch(sequence, 0, time_ms, (identifier,))
                for identifier in ((first, second) if sequence == 1 else (second, first))
            ]
            for backup in range(1, n):
                choice = mask >> (backup - 1) & 1
                cluster.send(0, backup, proposal_of(batches[choice]))
                if order:
                    cluster.send(0, backup, proposal_of(batches[1 - choice]))
        cluster.run_until(cluster.all_executed, 20_000)
        new_views += cluster.happened["new_view"]
        equivocations += cluster.happened["second pre-prepare"]
        evidence += cluster.happened["evidence"]
    assert new_views > 0
    assert evidence > 0  # At least that the primary prepares (E4).
    assert (equivocations > 0) == bool(order)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_byzantine_primary_that_sends_nearly_right_things(seed: int) -> None:
    """Fields off by one, in random proposals and votes to random replicas: no fork, no crash."""
    draw = Random(f"{seed}/script")
    cluster = Cluster(4, followers=1, seed=seed, scripts={0: lambda cluster, packet: None}, window=4)
    ids = [cluster.request() for _ in range(6)]
    for _ in range(400):
        cluster.run_for(draw.choice([0, 1, 20]))
        target = draw.randint(1, 4)
        requests = tuple(draw.sample(ids, draw.choice([1, 1, 1, 2, 0])))
        batch = Batch(
            draw.randint(1, 4), draw.choice([0, 0, 0, 1]), 1_000 + draw.randint(0, 3) * 10, requests
        )
        vote = PrePrepare(
            draw.choice([0, 0, 0, 1]), draw.choice([0, 0, 0, 1]), batch.sequence, batch.digest(), 0
        )
        proposal = Proposal(vote, signed(vote).signature, batch)
        cluster.send(0, target, proposal if draw.random() < 0.9 else Proposal(vote, bytes(64), batch))
        for kind in (Prepare, Commit):
            cluster.send(0, target, signed(kind(0, 0, batch.sequence, batch.digest(), 0)))
    cluster.run_for(5_000)
    ignored = {"second pre-prepare", "other view", "other epoch", "prepare from the primary", "forged"}
    assert all(cluster.happened[reason] for reason in ignored)


@pytest.mark.parametrize("n", SIZES)
def test_more_than_f_silent_replicas_stop_the_chain_and_no_more(n: int) -> None:
    """Out of model: nothing is decided, and when enough come back all goes on."""
    cluster = Cluster(n, followers=1)
    for number in range(1, (n - 1) // 3 + 2):
        cluster.crash(number)
    cluster.request()
    cluster.run_for(10_000)
    quorum = next(size for size in range(1, n + 1) if 2 * size - n > (n - 1) // 3)
    alive = n - (n - 1) // 3 - 1
    assert (max(cluster.heights().values()) == 0) == (alive < quorum)
    cluster.heal()
    cluster.run_until(cluster.all_executed, 20_000)


def test_all_replicas_restart_at_once_and_go_on() -> None:
    """Every node down at the same moment, several times, under load."""
    cluster = Cluster(4, followers=1)
    for number in range(30):
        cluster.request(at_ms=1_010 + 100 * number)
    for when_ms in (1_300, 2_017, 2_905):
        cluster.at(when_ms, cluster.crash_all)
        cluster.at(when_ms + 150, cluster.restart_all)
    cluster.run_for(2_500)
    cluster.run_until(cluster.all_executed, 20_000)
    cluster.run_until(cluster.all_certified, 20_000)
    assert cluster.happened["crash"] == cluster.happened["restart"] == 15


def test_the_checker_sees_a_fork() -> None:
    """With more than f faulty the world can fork, and then the checker says so."""
    scripts: dict[int, Script] = {0: lambda cluster, packet: None, 1: lambda cluster, packet: None}
    cluster = Cluster(4, scripts=scripts)
    ids = [cluster.request(), cluster.request()]
    cluster.run_for(5)
    with pytest.raises(AssertionError, match=r"I[123]:"):
        for backup, identifier in zip((2, 3), ids, strict=True):
            batch = Batch(1, 0, cluster.now_ms, (identifier,))
            cluster.send(0, backup, proposal_of(batch))
            cluster.send(1, backup, signed(prepare(1, batch)))
            for liar in (0, 1):
                cluster.send(liar, backup, signed(commit(liar, batch)))
        cluster.run_for(5_000)
    assert batch_of().requests == ()
