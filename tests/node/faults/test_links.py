"""What the links between nodes do to packets, and that the nodes live through it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from consensus.messages import Signed
from consensus.votes import Commit, Prepare
from node.canonical import encode
from node.faults.fault import (
    NETWORK,
    Delay,
    Disconnect,
    Duplicate,
    Fault,
    Loss,
    Partition,
    Reorder,
    Skew,
)
from node.faults.injector import Injector
from node.topics import Topics
from node.wire import signed_bytes
from tests.node.faults.faulty_world import FaultyWorld, injector_of, ready
from tests.node.network_of_nodes import PARTIES, founded

NET = founded()
TOPICS = Topics(NET.id)
ANN, BOB, CYD, DAN = range(4)


def vote(kind: type[Prepare] | type[Commit] = Prepare, sequence: int = 1, by: str = "bob") -> bytes:
    """A vote with the real signature of a party."""
    replica = NET.position(by)
    assert replica is not None
    message = kind(0, 0, sequence, bytes(32), replica)
    return encode(Signed(message, PARTIES[by].signing.sign(signed_bytes(NET.id, message))))


PREPARE, COMMIT = vote(Prepare), vote(Commit)


def bob_with(*faults: Fault, seed: object = 0) -> Injector:
    injector = injector_of(NET, "bob", seed=seed)
    for fault in faults:
        injector.begin(fault, 0)
    return injector


def from_ann(injector: Injector, packet: bytes = PREPARE, now_us: int = 0) -> list[tuple[int, bytes]]:
    return injector.incoming(TOPICS.broadcast(ANN), packet, now_us)


def to_ann(injector: Injector, packet: bytes = PREPARE) -> list[tuple[int, str, bytes]]:
    return injector.outgoing(TOPICS.inbox_of(ANN), packet, 0)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[FaultyWorld]:
    with ready(tmp_path, NET) as world:
        yield world


# Where a fault acts.


def test_without_a_fault_everything_passes_as_it_is() -> None:
    """A node without faults is idle, and its packets pass untouched at once."""
    bob = bob_with()
    assert bob.idle and bob.active == []
    assert from_ann(bob) == [(0, PREPARE)]
    assert to_ann(bob) == [(0, TOPICS.inbox_of(ANN), PREPARE)]


@pytest.mark.parametrize(
    "fault",
    [
        Loss(id="x"),
        Delay(id="x", by_us=(7, 7)),
        Reorder(id="x", by_us=(7, 7)),
        Duplicate(id="x", by_us=(7, 7)),
        Partition(id="x", groups=[[ANN], [BOB]]),
    ],
    ids=lambda fault: fault.kind,
)
def test_each_packet_meets_the_faults_of_its_link_once(fault: Fault) -> None:
    """A broadcast is touched by who hears it and not by who says it, a direct packet the other way."""
    bob = bob_with(fault)
    assert bob.outgoing(TOPICS.broadcast(BOB), PREPARE, 0) == [(0, TOPICS.broadcast(BOB), PREPARE)]
    assert bob.incoming(TOPICS.inbox_of(BOB), PREPARE, 0) == [(0, PREPARE)]
    assert bob.touched["x"] == 0
    assert from_ann(bob) != [(0, PREPARE)]
    assert to_ann(bob) != [(0, TOPICS.inbox_of(ANN), PREPARE)]
    assert bob.touched["x"] == 2


def test_the_faults_of_links_leave_clients_alone() -> None:
    """Transactions and answers to clients pass, whatever happens between replicas."""
    bob = bob_with(Loss(id="lost"), Partition(id="split", groups=[[BOB]]))
    client = TOPICS.inbox(b"a client")
    assert bob.incoming(TOPICS.transactions, PREPARE, 0) == [(0, PREPARE)]
    assert bob.outgoing(client, PREPARE, 0) == [(0, client, PREPARE)]
    assert bob.touched == {}


def test_the_conditions_of_the_network_concern_transactions_and_are_nobodys_fault() -> None:
    """They delay what clients send as well, and are neither listed nor counted nor healed."""
    bob = bob_with(Delay(id=NETWORK, by_us=(5, 5)), Duplicate(id=NETWORK, by_us=(2, 2)))
    assert bob.incoming(TOPICS.transactions, PREPARE, 0) == [(5, PREPARE), (7, PREPARE)]
    assert (bob.active, bob.touched) == ([], {})
    bob.heal(0)
    assert from_ann(bob) == [(5, PREPARE), (7, PREPARE)]
    bob.end(NETWORK, 0)
    assert bob.idle and from_ann(bob) == [(0, PREPARE)]


def test_nothing_passes_a_node_that_is_disconnected() -> None:
    """Disconnected, a node hears nobody and nobody hears it, clients included, until that ends."""
    bob = bob_with(Disconnect(id="off"))
    client = TOPICS.inbox(b"a client")
    assert from_ann(bob) == [] and bob.incoming(TOPICS.transactions, PREPARE, 0) == []
    assert to_ann(bob) == [] and bob.outgoing(client, PREPARE, 0) == []
    assert bob.end("off", 0) == 4
    assert from_ann(bob) == [(0, PREPARE)]


# Whom a fault concerns.


def test_only_the_links_and_kinds_that_are_named_are_touched() -> None:
    """A loss of commits from ann to bob lets her prepares pass, and the commits of cyd."""
    bob = bob_with(Loss(id="lost", sources=[ANN], targets=[BOB], kinds=["commit"]))
    assert from_ann(bob, COMMIT) == []
    assert from_ann(bob, PREPARE) == [(0, PREPARE)]
    assert bob.incoming(TOPICS.broadcast(CYD), COMMIT, 0) == [(0, COMMIT)]
    assert to_ann(bob, COMMIT) == [(0, TOPICS.inbox_of(ANN), COMMIT)]


def test_a_partition_cuts_between_groups_and_within_none() -> None:
    """Bob hears his group, and who is in no group, and nobody else."""
    bob = bob_with(Partition(id="split", groups=[[ANN], [BOB, CYD]]))
    heard = [i for i in range(4) if bob.incoming(TOPICS.broadcast(i), PREPARE, 0)]
    assert heard == [BOB, CYD, DAN]


def test_a_group_alone_is_cut_off_from_all_others() -> None:
    """A partition of one group needs no list of the rest."""
    bob = bob_with(Partition(id="split", groups=[[BOB, CYD]]))
    assert [i for i in range(4) if bob.incoming(TOPICS.broadcast(i), PREPARE, 0)] == [BOB, CYD]


def test_a_one_way_partition_silences_the_first_group_only() -> None:
    """What the first group says does not reach the others, what they say reaches it."""
    from_bob = bob_with(Partition(id="split", groups=[[BOB], [ANN]], one_way=True))
    assert from_ann(from_bob) == [(0, PREPARE)] and to_ann(from_bob) == []
    to_bob = bob_with(Partition(id="split", groups=[[ANN], [BOB]], one_way=True))
    assert from_ann(to_bob) == [] and to_ann(to_bob) == [(0, TOPICS.inbox_of(ANN), PREPARE)]


# By chance.


def test_a_chance_strikes_about_as_often_as_it_says() -> None:
    """Of 2000 packets with a chance of 0.3 between 500 and 700 are lost, and just these are counted."""
    bob = bob_with(Loss(id="lost", chance=0.3))
    arrived = sum(len(from_ann(bob)) for _ in range(2000))
    assert 1300 < arrived < 1500
    assert bob.touched["lost"] == 2000 - arrived


def test_the_same_seed_does_the_same() -> None:
    """Two runs of one seed lose, double and hold back the same packets alike; another seed differs."""
    faults = (
        Loss(id="lost", chance=0.2),
        Duplicate(id="twice", chance=0.2, by_us=(0, 900)),
        Reorder(id="order", chance=0.5, by_us=(0, 9000)),
    )

    def run(seed: int) -> list[list[tuple[int, bytes]]]:
        bob = bob_with(*faults, seed=seed)
        return [from_ann(bob, now_us=at) for at in range(100)]

    assert run(1) == run(1) != run(2)


def test_delays_keep_the_order_of_a_link_and_reordering_does_not() -> None:
    """Each is held within its range; those that a delay holds leave in the order in which they came."""
    for fault, in_order in ((Delay, True), (Reorder, False)):
        bob = bob_with(fault(id="x", by_us=(1000, 9000)))
        leave = [at + from_ann(bob, now_us=at)[0][0] for at in range(0, 20_000, 100)]
        assert (leave == sorted(leave)) is in_order
        assert all(1000 <= due - at <= 9000 for due, at in zip(leave, range(0, 20_000, 100), strict=True))


def test_a_delay_keeps_its_order_when_another_fault_begins() -> None:
    """What began before is not forgotten because something else begins."""
    bob = bob_with(Delay(id="late", by_us=(0, 100_000)))
    held = max(from_ann(bob)[0][0] for _ in range(20))
    bob.begin(Loss(id="lost", chance=0.0), 0)
    assert min(from_ann(bob)[0][0] for _ in range(20)) >= held > 0


def test_faults_of_one_id_are_one_fault_and_end_together() -> None:
    """Two rules of one id act both, the same words twice act once, and one end ends all."""
    bob = bob_with(*[Duplicate(id="x", kinds=[kind]) for kind in ("prepare", "commit", "commit")])
    assert [len(from_ann(bob, packet)) for packet in (PREPARE, COMMIT)] == [2, 2]
    assert bob.active == ["x"]
    assert bob.end("x", 0) == 2
    assert bob.idle


# Whole nodes.


@pytest.mark.parametrize(
    "fault",
    [
        Loss(id="x", chance=0.2),
        Delay(id="x", by_us=(10_000, 60_000)),
        Duplicate(id="x", chance=0.5, by_us=(0, 50_000)),
        Reorder(id="x", chance=0.5, by_us=(20_000, 90_000)),
    ],
    ids=lambda fault: fault.kind,
)
def test_four_nodes_live_with_bad_links_and_end_at_one_head(world: FaultyWorld, fault: Fault) -> None:
    """Under loss, delay, repetition and reordering transactions commit, and healed all stand at one head."""
    world.begin(fault)
    world.settle(world.send(5, seed="bad"), within_ms=60_000)
    assert world.touched("x") > 5
    world.end("x")
    before = world.touched("x")
    world.settle(world.send(5, seed="good"))
    assert world.touched("x") == before


def test_a_delay_is_seen_in_the_time_that_a_block_takes(world: FaultyWorld) -> None:
    """Three phases, each later by 50 ms, make a block later by 100 to 400 ms, in the same view."""

    def takes(seed: str) -> int:
        begin = world.now_ms
        sent = world.send(1, seed=seed)
        world.run_until(lambda: world.have_executed(sent))
        return world.now_ms - begin

    quick = takes("quick")
    world.begin(Delay(id="late", by_us=(50_000, 50_000)))
    assert 100 <= takes("late") - quick <= 400
    assert {world.node(name).view for name in world.up} == {0}


def test_the_smaller_part_of_a_partition_stands_still_and_catches_up(world: FaultyWorld) -> None:
    """Three of four go on, the fourth hears nothing until it is healed, then has all."""
    world.begin(Partition(id="split", groups=[[DAN], [ANN, BOB, CYD]]))
    sent = world.send(5)
    world.run_until(lambda: world.have_executed(sent, ["ann", "bob", "cyd"]))
    assert world.height("dan") == 1 and world.touched("split") > 0
    world.end("split")
    world.settle(sent)


def test_a_primary_that_nobody_hears_is_replaced_although_it_hears_all(world: FaultyWorld) -> None:
    """A one-way partition of the primary costs a view, and no transaction."""
    world.begin(Partition(id="split", groups=[[ANN], [BOB, CYD, DAN]], one_way=True))
    sent = world.send(3)
    world.run_until(lambda: world.have_executed(sent, ["bob", "cyd", "dan"]))
    assert world.node("bob").view >= 1
    assert world.have_executed(sent, ["ann"]) or world.node("ann").view >= 1  # It hears what they say.
    world.end("split")
    world.settle(sent)


def test_who_is_disconnected_falls_behind_and_comes_back(world: FaultyWorld) -> None:
    """A node that is cut off from the broker misses everything, and catches up once it is back."""
    world.begin(Disconnect(id="off"), "cyd")
    sent = world.send(3)
    world.run_until(lambda: world.have_executed(sent, ["ann", "bob", "dan"]))
    assert world.height("cyd") == 1
    assert world.end("off") > 0
    world.settle(sent)


def test_proposals_of_a_fast_clock_wait_until_their_time(world: FaultyWorld) -> None:
    """A primary whose clock is two seconds fast gets no vote before its timeout, and is replaced (R27)."""
    world.begin(Skew(id="fast", by_us=2_000_000), "ann")
    sent = world.send(1)
    world.run_until(lambda: world.have_executed(sent, ["bob", "cyd", "dan"]))
    assert {world.node(name).view for name in ("bob", "cyd", "dan")} == {1}
    world.injectors["ann"].heal(world.now_us)
    world.settle(sent)


def test_a_clock_that_is_a_little_wrong_is_nobodys_trouble(world: FaultyWorld) -> None:
    """A skew below the bound of 500 ms shows in the time of a block, and costs no view (R27)."""
    world.begin(Skew(id="fast", by_us=300_000), "ann")
    begin = world.now_ms
    world.settle(world.send(1))
    assert world.node("bob").ledger.time_ms >= begin + 300
    assert {world.node(name).view for name in world.up} == {0}
