"""Payloads that are kept for a while (P42): then no node has them, none takes them back, the chain stands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.canonical import encode
from node.chain.reading import read_node
from node.chain.store import DELIVERED, MISSING, NOT_PARTY, PURGED, Store
from node.envelopes.envelope import Sealed
from node.envelopes.transaction import encode_blob
from node.wire import CommittedBatch, TransactionPacket, decode_packet
from tests.node.network_of_nodes import World, founded, ready, sealed_for

NETWORK = founded(voters=4)
KEEP = 3
SECRET = "the patient has gone to Trieste"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Four voters at height 1."""
    with ready(tmp_path, NETWORK) as world:
        yield world


def short_lived(**arguments: object) -> Sealed:
    """A transaction of ann's for bob that is kept for KEEP blocks."""
    return sealed_for(NETWORK, {"note": SECRET}, seed="short", keep=KEEP, **arguments)  # type: ignore[arg-type]


def grow(world: World, blocks: int) -> None:
    """Let this many more blocks be executed, by whoever is up."""
    for number in range(blocks):
        world.settle(world.send(1, seed=("grow", world.now_ms, number), valid=(1, 49)))


def ordered(world: World, sealed: Sealed) -> bytes:
    """Order it, let everybody look at it, and give its id."""
    identifier = world.submit(sealed)
    world.settle([identifier])
    return identifier


def state(world: World, name: str, identifier: bytes) -> str:
    """What a node's index says of a payload."""
    row = world.node(name)._store.transaction(identifier)
    assert row is not None
    return row.payload


def left_on_disk(folder: Path, sealed: Sealed) -> list[str]:
    """The files below a folder that hold the ciphertext, a wrapped key, the content key or the text."""
    needles = [sealed.content_key, SECRET.encode(), sealed.blob.ciphertext[:32], sealed.blob.ciphertext[-32:]]
    for slot in sealed.blob.slots:
        needles += [slot[:32], slot[32:]]
    needles += [leaf.salt for leaf in sealed.payload.leaves]
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and any(needle in path.read_bytes() for needle in needles):
            found.append(path.relative_to(folder).as_posix())
    return found


def erased(world: World, name: str, identifier: bytes) -> list[tuple[str, int]]:
    """What a node noted as erased of a transaction, with its height then."""
    path = world.home(name) / "holdings.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    entries = [json.loads(line) for line in lines]
    return [(e["erased"], e["height"]) for e in entries if e["tx"] == identifier.hex() and "erased" in e]


def test_p42_after_its_height_no_node_has_anything_of_it(world: World) -> None:
    """It is there and read up to height + keep - 1; then a search of all folders finds nothing."""
    sealed = short_lived()
    identifier = ordered(world, sealed)
    height = world.height("ann")
    grow(world, KEEP - 1)
    assert state(world, "bob", identifier) == DELIVERED
    assert {path.split("/")[0] for path in left_on_disk(world.folder, sealed)} == set(NETWORK.names)
    grow(world, 1)
    assert {state(world, name, identifier) for name in NETWORK.names} == {PURGED}
    assert left_on_disk(world.folder, sealed) == []
    for name in NETWORK.names:
        kinds = ["blob", "key"] if name in ("ann", "bob") else ["blob"]
        assert erased(world, name, identifier) == [(kind, height + KEEP) for kind in kinds]
        view = world.node(name).private_view
        assert view.counts[PURGED] == 1 == world.node(name)._store.count_payloads()[PURGED]
        assert identifier not in view._fresh and not view.is_missing(identifier)
        assert [e["tx"] for e in world.events[name] if e["ev"] == "priv.purge"] == [identifier.hex()[:8]]


def test_p42_the_rest_of_the_ledger_stands(world: World) -> None:
    """Other payloads stay; the chain executes again from the journals, and the header is there to show."""
    other = ordered(world, sealed_for(NETWORK, {"amount": 7}, seed="other"))
    identifier = ordered(world, short_lived())
    grow(world, KEEP)
    assert state(world, "bob", other) == DELIVERED and world.node("bob")._store.has_blob(other)
    for name in NETWORK.names:
        reading = read_node(world.home(name), NETWORK)
        assert reading.head is not None and reading.head.hash == world.node(name).ledger.head
        assert identifier in reading.transactions and reading.blob(identifier) is None
        assert reading.payload_states()[identifier] == PURGED


def test_p42_nobody_can_bring_it_back(world: World) -> None:
    """Whoever sends it: it is dropped for its reason, and nothing is stored."""
    sealed = short_lived()
    ordered(world, sealed)
    grow(world, KEEP)
    packet = encode(TransactionPacket(sealed.transaction, sealed.blob))
    for name in NETWORK.names:
        assert world.hand(name, packet) == {"payload purged": 1}
    world.run(3000)
    assert left_on_disk(world.folder, sealed) == []


def test_p42_before_its_height_the_same_packet_is_nothing_new(world: World) -> None:
    """The gate shuts at the height and not earlier: until then it is one of the usual repeats."""
    sealed = short_lived()
    ordered(world, sealed)
    grow(world, KEEP - 1)
    packet = encode(TransactionPacket(sealed.transaction, sealed.blob))
    assert world.hand("bob", packet) == {"already executed": 1}


def test_p42_a_primary_that_orders_it_again_gets_no_copy_stored(world: World) -> None:
    """While a replica wants the body of a proposal it takes the body, and leaves the erased payload out."""
    sealed = short_lived()
    identifier = ordered(world, sealed)
    grow(world, KEEP)
    bob = world.node("bob")
    bob._replica.wants = lambda wanted: wanted == identifier  # type: ignore[method-assign, assignment]
    assert (
        world.hand("bob", encode(TransactionPacket(sealed.transaction, sealed.blob)))["payload purged"] == 1
    )
    waiting = bob._mempool.get(identifier)
    assert waiting is not None and waiting.blob is None
    assert left_on_disk(world.home("bob"), sealed) == []


def test_p42_a_late_peer_executes_the_blocks_without_the_payload(world: World) -> None:
    """Away until all others erased it, dan gets blocks and no blob, has the same head and asks no more."""
    world.stop("dan")
    sealed = short_lived()
    identifier = ordered(world, sealed)
    grow(world, KEEP + 1)
    world.start("dan")
    world.run_until(lambda: len(world.heads()) == 1)
    world.run(3000)
    assert state(world, "dan", identifier) == PURGED
    assert not world.node("dan").private_view.is_missing(identifier)
    assert left_on_disk(world.folder, sealed) == []
    batches = [packet for packet in world.packets() if isinstance(packet, CommittedBatch)]
    bodies = [body for batch in batches for body in batch.transactions if body.transaction.id == identifier]
    assert bodies and all(body.blob is None for body in bodies)


def test_p42_a_liar_who_serves_it_to_a_late_peer_plants_nothing(world: World) -> None:
    """Somebody kept the blob and puts it into every answer to dan: having caught up, he has not got it."""
    world.stop("dan")
    sealed = short_lived()
    identifier = ordered(world, sealed)
    grow(world, KEEP + 1)

    def with_blob(receiver: str, topic: str, data: bytes) -> bytes:
        packet = decode_packet(data)
        if receiver == "dan" and isinstance(packet, CommittedBatch):
            bodies = tuple(
                TransactionPacket(
                    body.transaction, sealed.blob if body.transaction.id == identifier else body.blob
                )
                for body in packet.transactions
            )
            world.happened["planted"] += any(body.transaction.id == identifier for body in bodies)
            return encode(CommittedBatch(packet.decided, bodies))
        return data

    world.tap = with_blob
    world.start("dan")
    world.run_until(lambda: len(world.heads()) == 1)
    world.run(3000)
    assert world.happened["planted"] and state(world, "dan", identifier) == PURGED
    assert left_on_disk(world.folder, sealed) == []


def test_p42_a_missing_payload_is_no_longer_asked_for_once_due(world: World) -> None:
    """A node that never had it records the same state, notes nothing as erased, and stops asking."""
    world.withhold_blobs("cyd")
    identifier = ordered(world, short_lived())
    assert state(world, "cyd", identifier) == MISSING
    grow(world, KEEP)
    assert state(world, "cyd", identifier) == PURGED and erased(world, "cyd", identifier) == []
    assert identifier not in world.node("cyd").private_view.missing(100)


@pytest.mark.parametrize("at", ["erase_blob", "note_holdings", "set_payloads"])
def test_p42_a_crash_within_a_purge_is_made_up_for(
    world: World, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """Stopped before erasing, noting or recording, the next start does the rest: erased once, noted once."""
    sealed = short_lived()
    identifier = ordered(world, sealed)
    height = world.height("bob")
    grow(world, KEEP - 1)

    class Stopped(BaseException):
        pass

    plain = getattr(Store, at)

    def stopping(store: Store, *arguments: object) -> object:
        if store is bob._store and bob.ledger.height == height + KEEP:
            raise Stopped
        return plain(store, *arguments)

    bob = world.node("bob")
    monkeypatch.setattr(Store, at, stopping)
    with pytest.raises(Stopped):
        grow(world, 1)
    monkeypatch.undo()
    world.crash("bob")
    world.start("bob")
    world.run_until(lambda: len(world.heads()) == 1)
    assert state(world, "bob", identifier) == PURGED
    assert erased(world, "bob", identifier) == [("blob", height + KEEP), ("key", height + KEEP)]
    assert left_on_disk(world.home("bob"), sealed) == []


def test_p42_what_fell_due_while_nobody_looked_is_erased_at_the_start(world: World) -> None:
    """A blob put back into the folder, and indexes gone: the start erases it and the states are back."""
    sealed = short_lived()
    identifier = ordered(world, sealed)
    grow(world, KEEP)
    world.stop("bob")
    (world.home("bob") / "index.sqlite").unlink()
    (world.home("bob") / "blobs" / identifier.hex()).write_bytes(encode_blob(sealed.blob))
    assert left_on_disk(world.home("bob"), sealed)
    world.start("bob")
    assert left_on_disk(world.home("bob"), sealed) == []
    assert state(world, "bob", identifier) == PURGED
    world.run(2000)
    assert world.node("bob").private_view.counts[PURGED] == 1 and len(world.heads()) == 1


def test_p42_what_is_never_ordered_leaves_no_blob_for_ever(world: World) -> None:
    """Recorded for a vote, and expired without a block: the blob goes with the transaction."""
    sealed = short_lived(valid=(1, 4))
    identifier = sealed.transaction.id
    bob = world.node("bob")
    bob._store.put_blob(identifier, encode_blob(sealed.blob))
    bob._private.retention.let_go(identifier, sealed.transaction)
    assert left_on_disk(world.home("bob"), sealed) == []
    # What is on the ledger stays until its own height.
    kept = ordered(world, sealed_for(NETWORK, {"amount": 1}, seed="kept", keep=9))
    bob._private.retention.let_go(kept, sealed_for(NETWORK, {"amount": 1}, seed="kept", keep=9).transaction)
    assert bob._store.has_blob(kept)


def test_who_is_no_reader_purges_like_the_others(world: World) -> None:
    """Keep is public: whoever has the ciphertext erases it, reader or not."""
    identifier = ordered(world, short_lived())
    assert state(world, "cyd", identifier) == NOT_PARTY
    grow(world, KEEP)
    assert state(world, "cyd", identifier) == PURGED
    assert not world.node("cyd")._store.has_blob(identifier)
