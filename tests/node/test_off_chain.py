"""`payload: off_chain`, from the client's hand to the private view: readers alone hold it, and say so."""

from __future__ import annotations

from pathlib import Path

from node.chain.store import DELIVERED, MISSING, NOT_DELIVERED, PENDING
from node.wire import CommittedBatch, TransactionPacket
from tests.node.network_of_nodes import ready, sealed_for
from tests.node.off_chain_world import blob_folder, hand_over, off_chain, order, outgoing, send, state


def test_readers_alone_hold_the_ciphertext(tmp_path: Path) -> None:
    """Delivered at sender and reader; nothing of it lies with anybody else, or in a packet of the ledger."""
    with ready(tmp_path, off_chain()) as world:
        tx = send(world, ["bob"])
        world.settle([tx])
        world.run_until(lambda: [state(world, name, tx) for name in ("ann", "bob")] == [DELIVERED] * 2)
        world.run_until(lambda: [state(world, name, tx) for name in ("cyd", "dan")] == [NOT_DELIVERED] * 2)
        assert blob_folder(world, "bob") == blob_folder(world, "ann") == {tx.hex()}
        assert blob_folder(world, "cyd") == blob_folder(world, "dan") == set()
        bodies = [packet for packet in world.packets() if isinstance(packet, TransactionPacket)]
        for packet in world.packets():
            bodies += packet.transactions if isinstance(packet, CommittedBatch) else ()
        assert all(body.blob is None for body in bodies)
        assert not list((tmp_path / "bob" / "transient").iterdir())


def test_all_copies_are_waited_for(tmp_path: Path) -> None:
    """With `copies: all` nothing is ordered while a reader is down; back, it gives its receipt."""
    with ready(tmp_path, off_chain(copies=0)) as world:
        sealed = sealed_for(world.network, {"amount": 1}, to=["bob", "cyd"])
        out = outgoing(world.network, sealed, ["bob", "cyd"])
        world.crash("cyd")
        assert not hand_over(world, out)
        assert out.lacking == ["cyd"]
        world.start("cyd")
        assert hand_over(world, out)
        for topic, packet in out.passing_on():
            world.publish(topic, packet)
        tx = order(world, sealed)
        world.settle([tx])
        world.run_until(lambda: {state(world, name, tx) for name in ("ann", "bob", "cyd")} == {DELIVERED})


def test_an_offline_reader_comes_back_and_gets_it(tmp_path: Path) -> None:
    """One of two readers is down from before the delivery until after the block (P32)."""
    with ready(tmp_path, off_chain()) as world:
        world.crash("cyd")
        tx = send(world, ["bob", "cyd"])
        world.settle([tx])
        world.run(5000)
        world.start("cyd")
        world.settle([tx])
        world.run_until(lambda: state(world, "cyd", tx) == DELIVERED)
        assert blob_folder(world, "dan") == set()


def test_ordered_without_receipts_it_waits_for_them(tmp_path: Path) -> None:
    """A sender that skips the receipts: `copies: 2`, one reader got it. It is pending there, and its sender
    named; the other reader may not even know (P34). Heights grow all the while.
    """
    with ready(tmp_path, off_chain(copies=2)) as world:
        sealed = sealed_for(world.network, {"amount": 1}, to=["bob", "cyd"])
        out = outgoing(world.network, sealed, ["bob", "cyd"])
        world.tap = lambda receiver, topic, data: None if data[1] in (20, 24) and receiver != "bob" else data
        hand_over(world, out, 600)
        tx = order(world, sealed)
        world.settle([tx])
        world.run(4000)
        assert (state(world, "bob", tx), state(world, "cyd", tx)) == (PENDING, NOT_DELIVERED)
        assert state(world, "ann", tx) == MISSING  # Its own transaction: it knows that it is a reader.
        withheld = [event for event in world.events["bob"] if event["ev"] == "priv.withheld"]
        assert [event["party"] for event in withheld] == ["ann"]
        world.tap = lambda receiver, topic, data: data  # Now they can help each other.
        world.run_until(lambda: {state(world, name, tx) for name in ("ann", "bob", "cyd")} == {DELIVERED})


def test_a_withheld_payload_is_nobodys(tmp_path: Path) -> None:
    """Handed to nobody and ordered all the same: the chain goes on, and no reader says not mine (P34)."""
    with ready(tmp_path, off_chain()) as world:
        sealed = sealed_for(world.network, {"amount": 1}, to=["bob"])
        tx = order(world, sealed)
        world.settle([tx])
        world.run_until(lambda: state(world, "bob", tx) == NOT_DELIVERED)
        assert state(world, "ann", tx) == MISSING
        other = send(world, ["bob"], seed="next")
        world.settle([other])
        assert world.height("bob") > 2
        world.run_until(lambda: state(world, "bob", other) == DELIVERED)
