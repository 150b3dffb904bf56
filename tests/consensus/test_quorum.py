"""Quorum sizes (R3; PBFT 1): one leaf module, every n from 1 to 50."""

import pytest

from consensus.quorum import max_faulty, prepares_needed, quorum, weak_quorum
from tests.consensus.cluster import Cluster

SIZES = range(1, 51)


@pytest.mark.parametrize("n", SIZES)
def test_two_quorums_share_a_correct_replica(n: int) -> None:
    """Two quorums share more than f replicas."""
    assert 2 * quorum(n) - n > max_faulty(n)


@pytest.mark.parametrize("n", SIZES)
def test_the_correct_replicas_alone_form_a_quorum(n: int) -> None:
    """With f replicas silent the others are enough."""
    assert n - quorum(n) >= max_faulty(n)


@pytest.mark.parametrize("n", SIZES)
def test_a_quorum_is_as_small_as_can_be(n: int) -> None:
    """One vote less, and two quorums might share faulty replicas only."""
    assert 2 * (quorum(n) - 1) - n <= max_faulty(n)


@pytest.mark.parametrize("n", SIZES)
def test_f_is_the_most_that_n_replicas_tolerate(n: int) -> None:
    """n > 3f, and not n > 3(f + 1)."""
    assert 3 * max_faulty(n) < n <= 3 * (max_faulty(n) + 1)


@pytest.mark.parametrize("n", SIZES)
def test_a_weak_quorum_holds_one_correct_replica(n: int) -> None:
    """A weak quorum is one more than may be faulty."""
    assert weak_quorum(n) == max_faulty(n) + 1


@pytest.mark.parametrize("n", SIZES)
def test_a_lock_and_a_quorum_always_meet(n: int) -> None:
    """No quorum can be formed beside the correct commits of another one."""
    assert quorum(n) + (quorum(n) - max_faulty(n)) > n


@pytest.mark.parametrize("n", SIZES)
def test_the_pre_prepare_is_one_vote_of_the_quorum(n: int) -> None:
    """A prepared certificate holds quorum - 1 prepares."""
    assert prepares_needed(n) == quorum(n) - 1


@pytest.mark.parametrize(
    ("n", "size"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 4), (6, 4), (7, 5), (8, 6), (50, 34)]
)
def test_known_sizes(n: int, size: int) -> None:
    """Some sizes, counted by hand."""
    assert quorum(n) == size


@pytest.mark.parametrize("n", [4, 5, 6, 7, 8])
def test_a_quorum_of_replicas_decides(n: int) -> None:
    """A request commits when as many replicas are up as a quorum needs."""
    cluster = Cluster(n)
    for number in range(quorum(n), n):
        cluster.crash(number)
    wanted = cluster.request()
    cluster.run_for(5_000)
    for number in range(quorum(n)):
        assert wanted in cluster.check.executed[number]


@pytest.mark.parametrize("n", [4, 5, 6, 7, 8])
def test_one_replica_less_decides_nothing(n: int) -> None:
    """Nothing commits when one replica fewer is up than a quorum needs."""
    cluster = Cluster(n)
    for number in range(quorum(n) - 1, n):
        cluster.crash(number)
    cluster.request()
    cluster.run_for(5_000)
    assert set(cluster.heights().values()) == {0}
    assert cluster.happened["pre_prepare"] > 0


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_small_consortium_decides_at_once(n: int) -> None:
    """One, two and three replicas decide without waiting for any timer, though they tolerate little."""
    cluster = Cluster(n)
    cluster.request()
    cluster.run_until(cluster.all_executed, 100)
