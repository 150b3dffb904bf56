"""Purge receipts off chain arrive, whatever is lost, and an acknowledgement is worth what it says (P43)."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from node.canonical import encode
from node.chain.deeds import MAX_PURGED
from node.chain.store import Store
from node.delivery.packets import (
    PurgedHere,
    PurgeReceiptTaken,
    SealedPurgeReceipt,
    SignedPurgedHere,
    purged_bytes,
    taken_bytes,
)
from node.erasing.purging import read_purge_receipts
from node.erasing.repeating import AGAIN_MS, GATHER_MS, LONGEST_MS, MORE_MS, Repeating
from node.node import Node
from node.wire import Packet, decode_packet
from tests.node.network_of_nodes import PARTIES, World, founded, ready, sealed_for
from tests.node.off_chain_world import off_chain, send
from tests.node.test_purge_acts import purge, receipts

BOB, NOT_WANTED = 1, {"acknowledgement is not wanted": 1}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Four nodes with off-chain payloads, at height 1."""
    with ready(tmp_path, off_chain()) as world:
        yield world


def ordered(world: World, *, seed: object = 0) -> bytes:
    """A payload of ann's that bob has; what it is called."""
    tx = send(world, ["bob"], seed=seed)
    world.settle([tx])
    world.run(2000)
    return tx


def kept(world: World) -> set[str]:
    """Whose receipts ann keeps."""
    return {name for _, name in read_purge_receipts(world.home("ann"), world.network)}


def owed(world: World, name: str = "bob") -> list[bytes]:
    return world.node(name)._store.receipts_due(99)


def lose(world: World, kind: type, times: int) -> list[bytes]:
    """Let the first so many packets of a kind be lost; those that were published, as they come."""
    seen: list[bytes] = []

    def tap(receiver: str, topic: str, data: bytes) -> bytes | None:
        if not isinstance(decode_packet(data), kind):
            return data
        seen.append(data)
        return None if len(seen) <= times else data

    world.tap = tap
    return seen


def said(world: World, kind: type) -> list[tuple[str, Packet]]:
    return [(name, packet) for name, _, packet in world.said if isinstance(packet, kind)]


@pytest.mark.parametrize("kind", [SealedPurgeReceipt, PurgeReceiptTaken])
def test_p43_each_of_the_two_packets_may_be_lost_many_times(world: World, kind: type) -> None:
    """It is said again until it is acknowledged, with growing pauses, and then no more."""
    tx = ordered(world)
    seen = lose(world, kind, 4)
    purge(world, tx)
    world.run(60_000)
    assert len(seen) == 5 and kept(world) == {"ann", "bob"} and owed(world) == []
    assert len(said(world, SealedPurgeReceipt)) == 5
    assert world.node("bob")._private._purge_receipts.deadline_ms is None


def test_p43_a_sender_that_was_away_for_long_gets_it(world: World) -> None:
    """Down before it is said the first time; meanwhile it costs a packet in ten seconds, and no more."""
    tx = ordered(world)
    purge(world, tx)
    world.stop("ann")
    world.run(300_000)
    assert owed(world) == [tx] and 25 <= len(said(world, SealedPurgeReceipt)) <= 40
    world.start("ann")
    world.run(LONGEST_MS + 1000)
    assert kept(world) == {"ann", "bob"} and owed(world) == []


@pytest.mark.parametrize("power_cut", [False, True])
def test_p43_a_crash_of_who_gives_it_before_it_is_acknowledged(world: World, power_cut: bool) -> None:
    """Said, and gone before the acknowledgement came: it is said again after the start."""
    tx = ordered(world)
    lose(world, PurgeReceiptTaken, 1)
    purge(world, tx)
    world.run_until(lambda: bool(said(world, PurgeReceiptTaken)))
    world.crash("bob", power_cut=power_cut)
    world.start("bob")
    assert owed(world) == [tx]
    world.run(2 * GATHER_MS)
    assert owed(world) == [] and len(said(world, SealedPurgeReceipt)) == 2


@pytest.mark.parametrize("sender", ["eve", "ann"])
def test_p43_a_power_cut_that_takes_the_block_of_the_purge_loses_no_receipt(
    tmp_path: Path, sender: str
) -> None:
    """Erased and noted; the block is gone, the index with it: executed again, nothing is left to erase."""
    with ready(tmp_path, off_chain(4, followers=1)) as world:
        tx = send(world, ["eve"] if sender == "ann" else ["bob"], sender=sender)
        world.settle([tx])
        world.run(2000)
        purge(world, tx, by=sender)
        height = world.node("eve").ledger.height
        assert owed(world, "eve") == [tx]
        world.crash("eve", power_cut=True)
        world.start("eve")
        assert world.node("eve").ledger.height < height and owed(world, "eve") == []
        world.settle()
        world.run(LONGEST_MS)
        given = {name for _, name in read_purge_receipts(world.home(sender), world.network)}
        assert "eve" in given and owed(world, "eve") == []


def test_p43_a_crash_of_the_sender_between_having_it_and_saying_so(world: World) -> None:
    """It keeps the receipt, and acknowledges it when it hears it the next time."""
    tx = ordered(world)
    crashing = world.node("ann")

    def stop(receiver: str, topic: str, data: bytes) -> bytes | None:
        if isinstance(decode_packet(data), PurgeReceiptTaken) and world.up["ann"].node is crashing:
            return None
        return data

    world.tap = stop
    purge(world, tx)
    world.run_until(lambda: "bob" in kept(world))
    world.crash("ann", power_cut=True)
    world.start("ann")
    world.run(LONGEST_MS)
    assert kept(world) == {"ann", "bob"} and owed(world) == []


def test_p43_the_receipt_is_on_the_disk_before_it_is_acknowledged(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that refuses is never followed by an acknowledgement."""
    tx = ordered(world)

    def refuse(path: Path, content: bytes) -> None:
        raise OSError(28, "no space")

    monkeypatch.setattr("node.erasing.purging.replace_private", refuse)
    purge(world, tx)
    world.run(4 * GATHER_MS)
    assert owed(world) == [tx] and not said(world, PurgeReceiptTaken)


def taken(world: World, tx: bytes, signer: str, place: int = BOB) -> bytes:
    """What acknowledges a receipt that somebody else made up."""
    here = PurgedHere(place, tx)
    made_up = SignedPurgedHere(here, PARTIES[signer].signing.sign(purged_bytes(world.network.id, here)))
    return encode(PurgeReceiptTaken(sha256(taken_bytes(world.network.id, made_up)).digest()))


def test_p43_a_forged_acknowledgement_changes_nothing(world: World) -> None:
    """Who has not the receipt cannot make one: not of what is public, not with another's key."""
    tx = ordered(world)
    lose(world, SealedPurgeReceipt, 99)
    purge(world, tx)
    world.run(2 * GATHER_MS)
    public = sha256(taken_bytes(world.network.id, SignedPurgedHere(PurgedHere(BOB, tx), bytes(64))))
    for forged in (
        encode(PurgeReceiptTaken(tx)),
        encode(PurgeReceiptTaken(public.digest())),
        taken(world, tx, "cyd"),
        taken(world, tx, "ann"),
        taken(world, tx, "bob", place=2),
    ):
        assert world.hand("bob", forged) == NOT_WANTED
    (_, sealed), *_ = said(world, SealedPurgeReceipt)
    assert isinstance(sealed, SealedPurgeReceipt)
    what_flew = encode(PurgeReceiptTaken(sha256(sealed.sealed).digest()))
    assert world.hand("bob", what_flew) == NOT_WANTED and owed(world) == [tx]
    assert world.hand("bob", taken(world, tx, "bob")) == {} and owed(world) == []


def test_p43_a_replayed_acknowledgement_is_about_its_own_receipt(world: World) -> None:
    """That of one payload says nothing of the next one, of another's node, or of the same one twice."""
    first, second = ordered(world, seed=1), ordered(world, seed=2)
    seen = lose(world, PurgeReceiptTaken, 0)
    purge(world, first, seed=1)
    world.run(2 * GATHER_MS)
    (old,) = seen
    assert world.hand("bob", old) == NOT_WANTED
    lose(world, SealedPurgeReceipt, 99)
    purge(world, second, seed=2)
    world.run(2 * GATHER_MS)
    assert owed(world) == [second]
    assert world.hand("bob", old) == world.hand("cyd", old) == NOT_WANTED and owed(world) == [second]


def test_p43_the_acknowledgement_tells_strangers_nothing(world: World) -> None:
    """32 bytes to the inbox of who gave the receipt, without transaction, party or signature in it."""
    tx = ordered(world)
    purge(world, tx)
    world.run(3 * GATHER_MS)
    ((name, packet),) = said(world, PurgeReceiptTaken)
    data = encode(packet)
    assert name == "ann" and len(data) <= 40 and tx not in data
    (topic,) = {topic for _, topic, each in world.said if each is packet}
    assert topic == world.topics.inbox_of(BOB)


def test_p43_a_receipt_that_is_played_back_writes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is acknowledged once more, with a packet that is smaller than it."""
    tx = ordered(world)
    purge(world, tx)
    world.run(3 * GATHER_MS)
    (_, receipt), *_ = said(world, SealedPurgeReceipt)
    monkeypatch.setattr("node.erasing.purging.replace_private", None)
    world.said.clear()
    assert world.hand("ann", encode(receipt)) == {"repeated": 1}
    ((_, answer),) = said(world, PurgeReceiptTaken)
    assert len(encode(answer)) < len(encode(receipt))


def test_p43_who_never_comes_back_keeps_nobody_waiting(world: World) -> None:
    """What is owed to one that is gone stays due, and who sent something else has its receipt at once."""
    to_ann, to_cyd = ordered(world), send(world, ["bob"], sender="cyd", seed="other")
    world.settle([to_cyd])
    world.run(2000)
    purge(world, to_ann)
    world.stop("ann")
    world.run(20_000)
    purge(world, to_cyd, by="cyd", seed="cyd")
    world.run(3 * GATHER_MS)
    given = set(read_purge_receipts(world.home("cyd"), world.network))
    assert given == {(to_cyd, "bob"), (to_cyd, "cyd")} and owed(world) == [to_ann]


def test_p43_much_that_is_owed_to_one_that_is_gone_costs_a_page_now_and_then(tmp_path: Path) -> None:
    """All of it once, then 64 receipts each ten seconds, all in turn; quickly once it is back."""
    store = Store(tmp_path)
    ids = [number.to_bytes(32, "big") for number in range(2 * MAX_PURGED + 9)]
    store.add_receipts_due([(each, "ann") for each in ids])
    repeating, now_ms = Repeating(store, 0), 0

    def pages(until_ms: int, *, answered: bool = False) -> list[list[bytes]]:
        nonlocal now_ms
        found = []
        while (deadline := repeating.deadline_ms) is not None and deadline <= until_ms:
            now_ms = deadline
            for owner, page in repeating.due(now_ms):
                assert owner == "ann"
                found.append(page)
                if answered:
                    store.drop_receipts_due(page)
                    repeating.acknowledged(owner, now_ms)
        now_ms = until_ms
        return found

    assert [each for page in pages(2 * AGAIN_MS) for each in page][: len(ids)] == ids
    later = pages(now_ms + 10 * LONGEST_MS)
    assert 9 <= len(later) <= 12 and {each for page in later for each in page} == set(ids)
    store.add_receipts_due([(b"new" + bytes(29), "ann")])
    repeating.added(["ann"], now_ms)
    assert pages(now_ms + GATHER_MS)[0] == [b"new" + bytes(29)], "what is new waits for nothing"
    pages(now_ms + LONGEST_MS + 4 * MORE_MS, answered=True)
    assert store.receipts_due(1) == [] and repeating.deadline_ms is None
    store.close()


def test_p43_on_chain_it_is_said_again_for_as_long_as_nothing_is_ordered(tmp_path: Path) -> None:
    """No quorum for two minutes: the receipts are ordered afterwards, without another start."""
    with ready(tmp_path, founded(voters=4)) as world:
        sealed = sealed_for(world.network, {"note": "gone"})
        world.settle([world.submit(sealed)])
        purge(world, sealed.transaction.id)
        world.stop("cyd")
        world.stop("dan")
        world.run(120_000)
        assert owed(world) == owed(world, "ann") == [sealed.transaction.id]
        world.start("cyd")
        world.start("dan")
        world.run(2 * LONGEST_MS)
        assert {name for name, _ in receipts(world, "ann")} == set(world.network.names)
        assert owed(world) == owed(world, "dan") == []


def test_p43_what_is_purged_while_a_node_catches_up_is_signed_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its blob was on the shelf, for block and purge came at once: noted as erased, and a receipt is due."""
    tx = send(world, ["bob"], keep=2)
    shelf = world.home("bob") / "transient" / tx.hex()
    world.crash("bob")
    assert shelf.exists()
    world.settle([tx])
    for number in range(3):
        world.settle([send(world, ["cyd"], seed=("grow", number))])
    bob, plain = world.start("bob"), Node.has_idle_work
    assert isinstance(plain, property) and plain.fget is not None
    idle = plain.fget
    # What is idle work waits for as long as there are blocks to execute.
    monkeypatch.setattr(Node, "has_idle_work", property(lambda node: node is not bob and idle(node)))
    world.run_until(lambda: bob.ledger.height == world.node("ann").ledger.height)
    monkeypatch.undo()
    world.run(4 * GATHER_MS)
    assert not shelf.exists() and "bob" in kept(world)
    assert tx not in {each for each, _ in bob._store.holds()}
