"""Who gets a blob: readers, as the content key proves, and nobody else whatever he asks for or forges."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from consensus.messages import Fetch, FetchRequests, ReplicaMessage, Signed
from node.canonical import encode
from node.chain.store import DELIVERED, NOT_DELIVERED
from node.delivery.packets import (
    BlobAnswer,
    BlobDelivery,
    BlobRequest,
    DeliveryPacket,
    Receipt,
    SealedReceipt,
    SignedBlobRequest,
    SignedReceipt,
    delivery_bytes,
    is_delivery,
    receipt_bytes,
    request_bytes,
)
from node.delivery.receipts import bundle, holders_wanted, is_good, open_bundle, open_receipt, seal_receipt
from node.delivery.serving import FRESH_MS, PAUSE_MS
from node.envelopes.content_key import ContentKey
from node.state_check.packets import StateEnvelope
from node.wire import CommittedBatch, TransactionPacket, decode_packet, signed_bytes
from tests.node.network_of_nodes import PARTIES, STRANGER, World, ready, sealed_for
from tests.node.off_chain_world import (
    REPLY_TO,
    blob_folder,
    hand_over,
    off_chain,
    order,
    outgoing,
    send,
    state,
)
from tests.node.peer_bytes import PACKETS, damaged


def ask(
    world: World,
    asker: str,
    node: str,
    wanted: list[bytes],
    *,
    signed_by: str | None = None,
    pause: int = 2 * PAUSE_MS,
) -> bytes:
    """A signed request for blobs, handed to a node past the broker, after a pause; the packet."""
    place = world.network.position(asker)
    assert place is not None
    world.run(pause)  # A member that asks too often is not answered.
    request = BlobRequest(place, world.now_ms, tuple(wanted))
    key = STRANGER if signed_by == "stranger" else PARTIES[signed_by or asker]
    packet = encode(SignedBlobRequest(request, key.signing.sign(request_bytes(world.network.id, request))))
    world.said.clear()
    world.hand(node, packet)
    return packet


def answers(world: World, node: str) -> list[tuple[str, BlobAnswer]]:
    return [(to, packet) for who, to, packet in world.said if who == node and isinstance(packet, BlobAnswer)]


def test_who_is_no_reader_gets_nothing_and_is_recorded(tmp_path: Path) -> None:
    """A member asks every holder for every known id: no byte comes, and the log has it (P28)."""
    with ready(tmp_path, off_chain()) as world:
        known = [send(world, ["bob"], seed=number) for number in range(3)]
        world.settle(known)
        world.run(3000)
        for holder in ("ann", "bob"):
            before = world.node(holder)._private.deliveries.serving.denied["cyd"]  # type: ignore[union-attr]
            ask(world, "cyd", holder, known)
            assert not [to for who, to, _ in world.said if who == holder and to == world.topics.inbox_of(2)]
            assert world.node(holder)._private.deliveries.serving.denied["cyd"] == before + 3  # type: ignore[union-attr]
            told = [event for event in world.events[holder] if event["ev"] == "priv.denied"]
            by_cyd = [event for event in told if event["from"] == "cyd"]
            assert {event["tx"] for event in by_cyd} == {tx.hex()[:8] for tx in known}
            assert {event["reason_code"] for event in told} == {"not_a_party"}
            assert len(by_cyd) == 3  # Each once: it asks again by itself, and that only counts.
            ask(world, "cyd", holder, [bytes(32)])  # Neither does an id that nobody knows make a difference.
            assert not [to for who, to, _ in world.said if who == holder and to == world.topics.inbox_of(2)]
        ask(world, "bob", "ann", known)
        assert [to for to, _ in answers(world, "ann")] == [world.topics.inbox_of(1)] * 3


@pytest.mark.parametrize("signed_by", ["cyd", "stranger"])
def test_a_forged_request_in_a_readers_name_gets_nothing(tmp_path: Path, signed_by: str) -> None:
    """ "I am bob, send it again": without bob's signature nobody answers (P29)."""
    with ready(tmp_path, off_chain()) as world:
        tx = send(world, ["bob"])
        world.settle([tx])
        ask(world, "bob", "ann", [tx], signed_by=signed_by)
        assert not answers(world, "ann")
        assert world.reasons("ann")["bad signature"] == 1


def test_what_is_resent_reaches_readers_only_and_keeps_them_the_same(tmp_path: Path) -> None:
    """A reader that lost its blobs gets back exactly those, and no further reader comes of it (P29)."""
    with ready(tmp_path, off_chain()) as world:
        mine = [send(world, ["bob"], seed=number) for number in range(3)]
        others = [send(world, ["dan"], sender="cyd", seed=number) for number in range(3)]
        world.settle([*mine, *others])
        world.run(3000)
        before = {name: blob_folder(world, name) for name in world.network.names}
        world.stop("bob")
        for path in (tmp_path / "bob" / "blobs").iterdir():
            path.unlink()
        (tmp_path / "bob" / "index.sqlite").unlink()
        world.start("bob")
        world.run_until(lambda: all(state(world, "bob", tx) == DELIVERED for tx in mine))
        world.run_until(lambda: all(state(world, "bob", tx) == NOT_DELIVERED for tx in others))
        assert {name: blob_folder(world, name) for name in world.network.names} == before


def test_a_blob_for_others_is_neither_kept_nor_answered(tmp_path: Path) -> None:
    """The sender's own delivery, at a node that is no reader: silence, and a named reason (P24, P31)."""
    with ready(tmp_path, off_chain()) as world:
        sealed = sealed_for(world.network, {"amount": 1}, to=["bob"])
        out = outgoing(world.network, sealed, ["bob"])
        packet = out.deliveries()[0][1]
        world.said.clear()
        assert world.hand("cyd", packet) == {"not a party": 1}
        assert not [to for who, to, _ in world.said if to == world.topics.inbox(REPLY_TO)]
        assert blob_folder(world, "cyd") == set()
        world.hand("bob", packet)
        assert [who for who, to, _ in world.said if to == world.topics.inbox(REPLY_TO)] == ["bob"]
        # After ordering a member pushes it: it is not kept either.
        tx = order(world, sealed)
        world.settle([tx])
        world.run(2500)
        empty = bundle(tx, [], ContentKey(sealed.content_key))
        dropped = world.hand("cyd", encode(BlobAnswer(sealed.transaction, sealed.blob, empty)))
        assert dropped == {"not a party": 1}
        assert blob_folder(world, "cyd") == set()


def test_a_delivery_is_answered_only_to_the_inbox_that_its_sender_signed(tmp_path: Path) -> None:
    """Who plays a delivery back with an inbox of his own learns nothing, altered blobs are refused."""
    with ready(tmp_path, off_chain()) as world:
        sealed = sealed_for(world.network, {"amount": 1}, to=["bob"])
        other = sealed_for(world.network, {"amount": 1}, to=["bob"], seed="other")
        signed = PARTIES["ann"].signing.sign(
            delivery_bytes(world.network.id, sealed.transaction.id, REPLY_TO)
        )
        redirected = BlobDelivery(sealed.transaction, sealed.blob, b"attacker", signed)
        assert world.hand("bob", encode(redirected)) == {"bad signature": 1}
        altered = BlobDelivery(sealed.transaction, other.blob, REPLY_TO, signed)
        assert world.hand("bob", encode(altered)) == {"blob_hash": 1}
        assert blob_folder(world, "bob") == set()


def test_a_blob_on_the_ledgers_topic_is_refused(tmp_path: Path) -> None:
    """Over-distribution by the public topic: the packet is refused whole, and no node stores it (P31)."""
    with ready(tmp_path, off_chain()) as world:
        sealed = sealed_for(world.network, {"amount": 1}, to=["bob"])
        packet = encode(TransactionPacket(sealed.transaction, sealed.blob))
        for name in world.network.names:
            assert world.hand(name, packet) == {"payload belongs to its readers": 1}
        world.run(1000)
        assert {world.height(name) for name in world.up} == {1}
        assert all(blob_folder(world, name) == set() for name in world.up)


def test_bodies_are_given_without_blobs(tmp_path: Path) -> None:
    """Whoever asks a holder for bodies or blocks, as everybody may, gets headers (P28, P31)."""
    with ready(tmp_path, off_chain()) as world:
        tx = send(world, ["bob"])
        world.settle([tx])
        world.run_until(lambda: state(world, "ann", tx) == DELIVERED)
        questions: list[ReplicaMessage] = [FetchRequests(0, (tx,), 3), Fetch(0, 1, 3)]
        for question in questions:
            world.said.clear()
            signature = PARTIES["dan"].signing.sign(signed_bytes(world.network.id, question))
            world.hand("ann", encode(Signed(question, signature)))
            bodies: list[TransactionPacket] = []
            for packet in world.packets("ann"):
                bodies += [packet] if isinstance(packet, TransactionPacket) else []
                bodies += packet.transactions if isinstance(packet, CommittedBatch) else []
            assert tx in [body.transaction.id for body in bodies]
            assert [body.blob for body in bodies] == [None] * len(bodies)


def test_the_kind_of_a_packet_shows_in_its_bytes() -> None:
    """By it the live node keeps deliveries and state checks out of the queue of votes (R37)."""
    direct = DeliveryPacket | StateEnvelope
    kinds = [(is_delivery(data), isinstance(decode_packet(data), direct)) for data in PACKETS]
    assert kinds.count((True, True)) == 8 and kinds.count((False, False)) == len(kinds) - 8
    assert not is_delivery(b"") and not is_delivery(b"\x94")


def test_damaged_packets_are_dropped_and_nothing_else_happens(tmp_path: Path) -> None:
    """Thousands of damages to every kind of packet of a delivery: a reason for each, and the node goes on."""
    with ready(tmp_path, off_chain()) as world:
        tx = send(world, ["bob"])
        world.settle([tx])
        world.run_until(lambda: state(world, "bob", tx) == DELIVERED)
        world.run(3000)
        sealed = sealed_for(world.network, {"amount": 1}, to=["bob"], seed="other")
        out = outgoing(world.network, sealed, ["bob"])
        ask(world, "bob", "ann", [tx])
        right = [out.deliveries()[0][1], out.passing_on()[0][1], encode(answers(world, "ann")[0][1])]
        request = BlobRequest(0, world.now_ms, (tx,))
        signature = PARTIES["ann"].signing.sign(request_bytes(world.network.id, request))
        right += [encode(SignedBlobRequest(request, signature)), encode(SealedReceipt(0, bytes(150)))]
        before = blob_folder(world, "bob")
        dropped = 0

        @settings(max_examples=600, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(damaged(right))
        def tried(data: bytes) -> None:
            nonlocal dropped
            dropped += sum(world.hand("bob", data).values())

        tried()
        assert dropped > 400 and not world.node("bob").failed
        assert blob_folder(world, "bob") <= before | {out.tx.hex()}


def test_a_failing_key_is_no_answer_and_no_not_mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the key service down a delivery has no receipt; once it works the payload is asked for (P33)."""
    with ready(tmp_path, off_chain()) as world:
        sealed = sealed_for(world.network, {"amount": 1}, to=["bob"])
        out = outgoing(world.network, sealed, ["bob"])

        def fails(*arguments: object, **more: object) -> None:
            raise OSError("no key service")

        with monkeypatch.context() as patch:
            patch.setattr("node.delivery.deliveries.unseal", fails)
            assert not hand_over(world, out, 600)
        assert state(world, "bob", out.tx) == "not ordered"
        assert hand_over(world, out)
        tx = order(world, sealed)
        world.run_until(lambda: state(world, "bob", tx) == DELIVERED)


def test_receipts_are_for_the_sender_and_bind_member_and_transaction() -> None:
    """The sender alone opens one, and under K the readers do; forged or moved ones do not count."""
    network = off_chain()
    sealed = sealed_for(network, {"amount": 1}, to=["bob"])
    tx, key = sealed.transaction.id, ContentKey(sealed.content_key)
    receipt = Receipt(1, tx)
    signed = SignedReceipt(receipt, PARTIES["bob"].signing.sign(receipt_bytes(network.id, receipt)))
    wrapped = seal_receipt(network, signed, 0, key)
    assert open_receipt(network, wrapped, PARTIES["ann"].wrapping) == signed
    assert [open_receipt(network, wrapped, PARTIES[name].wrapping) for name in ("bob", "cyd")] == [None] * 2
    assert tx not in wrapped and signed.signature not in encode(SealedReceipt(0, wrapped))
    assert is_good(network, signed, tx) and not is_good(network, signed, bytes(32))
    assert not is_good(network, SignedReceipt(Receipt(2, tx), signed.signature), tx)
    under_key = bundle(tx, [signed], key)
    assert open_bundle(under_key, key) == (signed,)
    assert signed.signature not in under_key.sealed
    assert open_bundle(under_key, ContentKey(bytes(32))) is None
    out = outgoing(network, sealed, ["bob"])
    assert not out.take(SealedReceipt(1, wrapped))
    stranger = SignedReceipt(receipt, STRANGER.signing.sign(receipt_bytes(network.id, receipt)))
    assert not out.take(SealedReceipt(0, seal_receipt(network, stranger, 0, key)))
    # The sender's own node and one that is no reader do not make it two copies.
    for place, name in ((0, "ann"), (2, "cyd")):
        own = Receipt(place, tx)
        good = SignedReceipt(own, PARTIES[name].signing.sign(receipt_bytes(network.id, own)))
        out.take(SealedReceipt(0, seal_receipt(network, good, 0, key)))
    assert not out.enough and set(out.receipts) == {"ann"}
    assert out.take(SealedReceipt(0, wrapped)) and out.enough


@pytest.mark.parametrize(
    ("copies", "readers", "wanted"),
    [(1, ["ann", "bob", "cyd"], 1), (2, ["bob", "cyd"], 2), (9, ["bob", "cyd"], 2), (0, ["bob", "cyd"], 2)],
)
def test_how_many_receipts_are_wanted(copies: int, readers: list[str], wanted: int) -> None:
    """As the policy says, and no more than there are other readers; its own where a sender is alone."""
    network = off_chain(copies=copies)
    assert holders_wanted(network, "ann", readers) == ({"bob", "cyd"}, wanted)
    assert holders_wanted(network, "ann", []) == ({"ann"}, 1)


def test_p29_a_recorded_request_played_back_is_answered_once(tmp_path: Path) -> None:
    """An outsider says a reader's request again: no second answer, and the reader's own next one is heard."""
    with ready(tmp_path, off_chain()) as world:
        tx = send(world, ["bob"])
        world.settle([tx])
        recorded = ask(world, "bob", "ann", [tx])
        assert len(answers(world, "ann")) == 1
        for pause in (1, PAUSE_MS + 1, 5 * PAUSE_MS, FRESH_MS // 2):
            world.run(pause)
            world.said.clear()
            assert world.hand("ann", recorded) == {"repeated": 1}
            assert not answers(world, "ann")
        world.hand("ann", recorded)  # What is said again takes nothing of what bob may ask.
        ask(world, "bob", "ann", [tx], pause=0)
        assert len(answers(world, "ann")) == 1
        world.crash("ann")
        world.start("ann")
        world.run(FRESH_MS + 1)
        world.said.clear()
        assert world.hand("ann", recorded)["expired"] == 1  # Nobody remembers it, and it is too old.
        assert not answers(world, "ann")
