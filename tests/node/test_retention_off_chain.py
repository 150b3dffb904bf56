"""`keep` where payloads travel to their readers alone: what one erased comes back by no other way (P42)."""

from __future__ import annotations

from pathlib import Path

from node.canonical import encode
from node.chain.store import DELIVERED, PURGED
from node.delivery.packets import BlobRequest, SignedBlobRequest, request_bytes
from node.envelopes.envelope import Sealed
from tests.node.network_of_nodes import PARTIES, World, ready, sealed_for
from tests.node.off_chain_world import blob_folder, hand_over, off_chain, order, outgoing, send, state

KEEP = 3
NAMES = ("ann", "bob", "cyd", "dan")


def short_lived(world: World) -> Sealed:
    return sealed_for(world.network, {"note": "for a few blocks"}, seed="short", keep=KEEP)


def grow(world: World, blocks: int) -> None:
    for number in range(blocks):
        world.settle([send(world, seed=("grow", number))])


def test_p42_readers_erase_it_and_nobody_is_asked_for_it_again(tmp_path: Path) -> None:
    """At its height it is gone at sender and reader, in memory too, and the others stop asking for it."""
    with ready(tmp_path, off_chain()) as world:
        sealed = short_lived(world)
        out = outgoing(world.network, sealed, ["bob"])
        assert hand_over(world, out)
        tx = order(world, sealed)
        world.settle([tx])
        world.run_until(lambda: state(world, "bob", tx) == DELIVERED)
        grow(world, KEEP)
        assert {state(world, name, tx) for name in NAMES} == {PURGED}
        assert all(tx.hex() not in blob_folder(world, name) for name in NAMES)
        for name in NAMES:
            deliveries = world.node(name)._private.deliveries
            assert deliveries is not None and tx not in deliveries.readership
        asked_before = len([packet for packet in world.packets() if asks_for(packet, tx)])
        world.run(30_000)
        assert len([packet for packet in world.packets() if asks_for(packet, tx)]) == asked_before


def test_p42_a_delivery_or_an_answer_that_comes_late_is_dropped(tmp_path: Path) -> None:
    """The sender hands it over once more, and a reader asks the other: nothing is kept, nothing is given."""
    with ready(tmp_path, off_chain()) as world:
        sealed = short_lived(world)
        out = outgoing(world.network, sealed, ["bob"])
        assert hand_over(world, out)
        tx = order(world, sealed)
        world.settle([tx])
        grow(world, KEEP)
        for topic, packet in outgoing(world.network, sealed, ["bob"]).deliveries():
            world.publish(topic, packet)
        request = BlobRequest(1, world.now_ms, (tx,))
        signature = PARTIES["bob"].signing.sign(request_bytes(world.network.id, request))
        world.publish(world.topics.inbox_of(0), encode(SignedBlobRequest(request, signature)))
        world.run(5000)
        assert all(tx.hex() not in blob_folder(world, name) for name in NAMES)
        assert {state(world, name, tx) for name in NAMES} == {PURGED}


def asks_for(packet: object, tx: bytes) -> bool:
    return isinstance(packet, SignedBlobRequest) and tx in packet.request.wanted
