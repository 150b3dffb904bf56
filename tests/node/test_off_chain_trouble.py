"""Nodes and clients that die in between, payloads that nobody has, and many of them at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.canonical import decode
from node.chain.store import DELIVERED, MISSING, NOT_DELIVERED
from node.delivery.packets import BlobDelivery
from node.delivery.reconciler import LATE_LONGEST_MS, TICK_MS, Reconciler
from node.delivery.shelf import Shelf
from tests.node.network_of_nodes import CrashPlan, ready, sealed_for
from tests.node.off_chain_world import blob_folder, hand_over, off_chain, order, outgoing, send, state


@pytest.mark.parametrize("victim", ["ann", "bob", "cyd"])
@pytest.mark.parametrize("at", range(0, 24, 3))
@pytest.mark.parametrize("power_cut", [False, True])
def test_a_node_that_dies_at_any_step_ends_with_the_payload(
    tmp_path: Path, victim: str, at: int, power_cut: bool
) -> None:
    """Sender's, reader's or another's node: killed at one of its effects and started again (P32)."""
    with ready(tmp_path, off_chain()) as world:
        sealed = sealed_for(world.network, {"amount": 1}, to=["bob", "dan"])
        out = outgoing(world.network, sealed, ["bob", "dan"])
        world.crash_plan = CrashPlan(victim, world.effects[victim] + at)
        assert hand_over(world, out)
        tx = order(world, sealed)
        world.run(2000)
        world.crash_plan = None
        if victim in world.up:  # It had fewer effects than that.
            world.crash(victim, power_cut=power_cut)
        world.start(victim)
        world.settle([tx])
        world.run_until(lambda: {state(world, name, tx) for name in ("ann", "bob", "dan")} == {DELIVERED})
        world.run_until(lambda: state(world, "cyd", tx) == NOT_DELIVERED)


def test_a_reader_killed_after_its_receipt_still_has_what_it_promised(tmp_path: Path) -> None:
    """Receipted, then a crash before anything is ordered: the transient store brings it back (P32)."""
    with ready(tmp_path, off_chain()) as world:
        sealed = sealed_for(world.network, {"amount": 1}, to=["bob"])
        out = outgoing(world.network, sealed, ["bob"])
        assert hand_over(world, out, only=lambda topic: topic == world.topics.inbox_of(1))
        world.crash("bob", power_cut=True)
        world.start("bob")
        tx = order(world, sealed)
        world.settle([tx])
        world.run_until(lambda: state(world, "bob", tx) == DELIVERED)
        # The sender's own node had nothing; it knows that it must have it, and bob has it.
        world.run_until(lambda: state(world, "ann", tx) == DELIVERED)


def test_a_blob_that_rotted_on_the_disk_is_got_again(tmp_path: Path) -> None:
    """Another blob in its place, or half of it: it does not pass for the right one, and is replaced."""
    with ready(tmp_path, off_chain()) as world:
        known = [send(world, ["bob"], seed=number) for number in range(3)]
        world.settle(known)
        world.run_until(lambda: all(state(world, "bob", tx) == DELIVERED for tx in known))
        right = [(tmp_path / "bob" / "blobs" / tx.hex()).read_bytes() for tx in known]
        world.stop("bob")
        (tmp_path / "bob" / "blobs" / known[0].hex()).write_bytes(right[1])
        (tmp_path / "bob" / "blobs" / known[2].hex()).write_bytes(right[2][:50])
        (tmp_path / "bob" / "index.sqlite").unlink()
        world.start("bob")
        world.run_until(lambda: all(state(world, "bob", tx) == DELIVERED for tx in known))
        assert [(tmp_path / "bob" / "blobs" / tx.hex()).read_bytes() for tx in known] == right


def test_a_client_that_dies_before_ordering_leaves_nothing_behind(tmp_path: Path) -> None:
    """The blob goes from the transient store with the last height at which it could be ordered."""
    with ready(tmp_path, off_chain()) as world:
        sealed = sealed_for(world.network, {"amount": 1}, to=["bob"], valid=(1, 3))
        assert hand_over(world, outgoing(world.network, sealed, ["bob"]))
        assert blob_folder(world, "bob") == {sealed.transaction.id.hex()}
        for number in range(3):
            world.settle([send(world, ["dan"], sender="cyd", seed=number)])
        world.run(2500)
        assert blob_folder(world, "bob") == set()
        kept = (tmp_path / "bob" / "holdings.jsonl").read_text()
        assert '"erased":"blob"' in kept


def test_missing_payloads_do_not_slow_blocks(tmp_path: Path) -> None:
    """A hundred transactions that nobody was given: blocks come within a tenth of the time without (P35)."""
    took = []
    for folder, unavailable in (("baseline", 0), ("missing", 100)):
        with ready(tmp_path / folder, off_chain(), seed=3) as world:
            for number in range(unavailable):
                order(world, sealed_for(world.network, {"amount": 1}, to=["bob"], seed=("gone", number)))
            world.run(1000)
            start = world.now_ms
            for number in range(20):
                sealed = sealed_for(world.network, {"amount": 1}, to=["bob"], seed=number)
                tx = order(world, sealed)
                world.run_until(lambda tx=tx: world.have_executed([tx]))  # type: ignore[misc]
            took.append(world.now_ms - start)
            assert world.node("ann").private_view.counts[MISSING] >= unavailable
    assert took[1] <= took[0] * 1.1, took


def test_one_that_nobody_has_starves_nobody(tmp_path: Path) -> None:
    """One unservable entry, the oldest, and 1000 servable ones: all recovered in bounded rounds (P36)."""
    reconciler = Reconciler(4, 1)
    poison, servable = bytes(32), {number.to_bytes(32, "big") for number in range(1, 1001)}
    for identifier in (poison, *sorted(servable)):
        reconciler.want(identifier, 0, 0)
    now_ms, rounds = 0, 0
    while servable and rounds < 40:
        now_ms, rounds = now_ms + TICK_MS, rounds + 1
        asks, _ = reconciler.due(now_ms)
        assert all(len(wanted) <= 64 for wanted in asks.values())
        for identifier in asks.get(3, ()):  # Only one member holds them.
            if identifier in servable:
                servable.discard(identifier)
                reconciler.have(identifier, served=True)
    assert not servable and rounds <= 40
    given_up: list[bytes] = []
    for _ in range(10):
        now_ms += TICK_MS
        given_up += reconciler.due(now_ms)[1]
    assert given_up == [poison] and not reconciler.quick
    # It is asked for rarely from now on, and for ever.
    asked = sum(bool(reconciler.due(now_ms + second * 1000)[0]) for second in range(1, 1000))
    assert 1000_000 // LATE_LONGEST_MS <= asked < 60
    fresh = b"f" * 32
    reconciler.want(fresh, 0, now_ms + 10**6)
    assert fresh in reconciler.due(now_ms + 10**6 + TICK_MS)[0][0]


def test_a_reader_that_was_away_gets_hundreds_back_beside_a_poisoned_one(tmp_path: Path) -> None:
    """Bob was down for 120 payloads, and one before them was never given to anybody (P36)."""
    with ready(tmp_path, off_chain()) as world:
        world.crash("bob")
        poison = order(world, sealed_for(world.network, {"amount": 1}, to=["bob"], seed="poison"))
        world.settle([poison])
        many = [
            sealed_for(world.network, {"amount": 1}, to=["bob", "cyd"], seed=number) for number in range(120)
        ]
        assert all(hand_over(world, outgoing(world.network, each, ["bob", "cyd"])) for each in many)
        given = [order(world, each) for each in many]
        world.settle(given)
        world.start("bob")
        world.run_until(lambda: all(state(world, "bob", tx) == DELIVERED for tx in given), 30_000)
        assert state(world, "bob", poison) in (MISSING, NOT_DELIVERED)


def test_the_transient_store_is_bounded_for_each_sender(tmp_path: Path) -> None:
    """A sender that hands over without end is refused at the bound, and costs no other sender anything."""
    network = off_chain()
    shelf = Shelf(tmp_path, most_per_sender=2)

    def delivery(sender: str, seed: int) -> BlobDelivery:
        sealed = sealed_for(network, {"amount": seed}, sender=sender, to=["bob"], seed=seed)
        out = outgoing(network, sealed, ["bob"], sender=sender)
        return decode(BlobDelivery, out.deliveries()[0][1], 1 << 20)

    first = delivery("ann", 0)
    assert [shelf.add(each) for each in (first, delivery("ann", 1), delivery("ann", 2))] == [
        None,
        None,
        "over limit",
    ]
    assert shelf.add(delivery("cyd", 3)) is None
    again = Shelf(tmp_path, most_per_sender=2)
    assert len(again) == 3 and again.get(first.transaction.id) == first
    again.remove(first.transaction.id)
    assert again.add(delivery("ann", 4)) is None
