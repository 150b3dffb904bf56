"""What reaches a node and is not for it, is not what it says, or is over, stays on no disk, in no memory."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from consensus.messages import FetchRequests, Signed
from node.canonical import encode
from node.chain.store import DELIVERED, PURGED
from node.delivery.packets import BlobAnswer
from node.delivery.receipts import bundle
from node.envelopes.content_key import ContentKey
from node.envelopes.transaction import encode_blob
from node.node import Node
from node.wire import TransactionPacket, signed_bytes
from tests.node.network_of_nodes import PARTIES, founded, ready, sealed_for
from tests.node.off_chain_world import REPLY_TO, blob_folder, off_chain, order, outgoing, state
from tests.node.sealed_world import NETWORK as SEALED_NETWORK
from tests.node.sealed_world import sealed_bid


def test_p31_what_lies_under_a_seal_is_kept_and_receipted_by_its_keepers_alone(tmp_path: Path) -> None:
    """A bidder's own delivery, played to everybody: who is no keeper drops it and says nothing."""
    with ready(tmp_path, SEALED_NETWORK) as world:
        sealed = sealed_bid("bob", 3)
        (_, packet), *_ = outgoing(world.network, sealed, (), sender="bob").deliveries()
        for name in ("eve", "fay"):
            assert dict(world.hand(name, packet)) == {"not a party": 1}
            assert not blob_folder(world, name)
        assert not [who for who, to, _ in world.said if to == world.topics.inbox(REPLY_TO)]
        assert not world.hand("cyd", packet)
        assert blob_folder(world, "cyd") == {sealed.transaction.id.hex()}
        # After it is ordered nobody can push it to them either.
        world.settle([order(world, sealed)])
        answer = BlobAnswer(sealed.transaction, sealed.blob, bundle(sealed.transaction.id, [], _any_key()))
        assert world.hand("eve", encode(answer))
        assert not blob_folder(world, "eve")


def _any_key() -> ContentKey:
    return ContentKey(bytes(32))


def test_p08_an_answer_that_is_another_blob_is_not_kept(tmp_path: Path) -> None:
    """Nobody signs an answer: what does not meet the ordered header is dropped before it touches the disk."""
    with ready(tmp_path, off_chain()) as world:
        sealed, other = (sealed_for(world.network, {"amount": n}, seed=n) for n in range(2))
        tx = order(world, sealed)
        world.settle([tx])
        world.run(500)
        receipts = bundle(tx, [], ContentKey(sealed.content_key))
        slots = (sealed.blob.slots[1], sealed.blob.slots[0], *sealed.blob.slots[2:])
        swapped = msgspec.structs.replace(sealed.blob, slots=slots)
        for wrong in (other.blob, swapped):
            answer = encode(BlobAnswer(sealed.transaction, wrong, receipts))
            assert dict(world.hand("bob", answer)) == {"blob does not match": 1}
            assert not blob_folder(world, "bob")
        world.hand("bob", encode(BlobAnswer(sealed.transaction, sealed.blob, receipts)))
        assert blob_folder(world, "bob") == {tx.hex()}


def test_p42_what_waits_once_more_is_erased_with_the_first(tmp_path: Path) -> None:
    """A proposal names a transaction again that is on the ledger: its blob goes from memory, too, in time."""
    network = founded()
    with ready(tmp_path, network) as world:
        sealed = sealed_for(network, {"amount": 7}, keep=2)
        tx = world.submit(sealed)
        world.settle([tx])
        world.run_until(lambda: state(world, "bob", tx) == DELIVERED)
        node = world.node("cyd")
        assert node._mempool.add(tx, sealed.transaction, sealed.blob, "ann", needed=True) is None
        request = FetchRequests(1, (tx,), 1)
        asked = encode(Signed(request, PARTIES["bob"].signing.sign(signed_bytes(network.id, request))))
        blob = encode_blob(sealed.blob)

        def given() -> list[bool]:
            world.run(100)
            world.said.clear()
            world.hand("cyd", asked)
            packets = [packet for _, _, packet in world.said if isinstance(packet, TransactionPacket)]
            return [packet.blob is not None and encode_blob(packet.blob) == blob for packet in packets]

        assert given() == [True]
        world.settle(world.send(1, seed="one"))
        world.settle(world.send(1, seed="two"))
        assert given() == [False]


def test_p42_a_block_that_orders_it_again_brings_no_erased_blob_back(tmp_path: Path) -> None:
    """A liar gives a late node the batch with an erased blob: of what it knows it takes the header."""
    network = founded()
    with ready(tmp_path, network) as world:
        sealed = sealed_for(network, {"amount": 7}, keep=1)
        tx = world.submit(sealed)
        world.settle([tx])
        world.settle(world.send(1, seed="one"))
        node = world.node("cyd")
        assert state(world, "cyd", tx) == PURGED
        node._admission.decided(TransactionPacket(sealed.transaction, sealed.blob))
        waiting = node._mempool.get(tx)
        assert waiting is not None and waiting.blob is None
        assert not (world.home("cyd") / "blobs" / tx.hex()).exists()


def test_p42_what_was_erased_before_anybody_looked_at_it_is_in_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node so busy with blocks that a payload falls due before it is looked at: its bytes are let go."""
    network = founded()
    with ready(tmp_path, network) as world:
        monkeypatch.setattr(Node, "has_idle_work", property(lambda node: False))
        tx = world.submit(sealed_for(network, {"amount": 7}, keep=1))
        world.settle([tx])
        view = world.node("bob").private_view
        assert tx in view._fresh and view._fresh_bytes > 0
        world.settle(world.send(1, seed="one"))
        assert tx not in view._fresh and view._fresh_bytes == sum(
            len(waiting.blob or b"") for waiting, _ in view._fresh.values()
        )
        monkeypatch.undo()
        world.settle(world.send(1, seed="two"))
        world.run_until(lambda: not world.node("bob").has_idle_work)
        assert state(world, "bob", tx) == PURGED
