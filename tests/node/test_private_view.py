"""What a party makes of each payload: six states that are never mixed up, and none of which moves
the chain.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.canonical import encode
from node.chain.store import (
    DELIVERED,
    MISSING,
    NOT_PARTY,
    PAYLOAD_STATES,
    PENDING,
    UNKNOWN,
    UNREADABLE,
)
from node.envelopes.content_key import ContentKey
from node.envelopes.key_slots import make_slots
from node.envelopes.transaction import (
    Blob,
    PrivateTransaction,
    PublicHeader,
    ciphertext_hash,
    core_digest,
    signed_bytes,
    slots_hash,
)
from node.wire import TransactionPacket
from tests.node.network_of_nodes import PARTIES, World, founded, ready, sealed_for

NETWORK = founded(voters=4, followers=1)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Four voters and a follower at height 1."""
    with ready(tmp_path, NETWORK) as world:
        yield world


def states(world: World, name: str) -> dict[str, int]:
    """The states that some payload is in, by what the node tells and by what its index holds."""
    node = world.node(name)
    told = {state: count for state, count in node.private_view.counts.items() if count}
    stored = {state: count for state, count in node._store.count_payloads().items() if count}
    assert told == stored
    return told


def events(world: World, name: str, ev: str) -> list[dict[str, object]]:
    return [event for event in world.events[name] if event["ev"] == ev]


def garbled() -> TransactionPacket:
    """Well formed and signed by ann, for bob: but what it decrypts to is not what it commits to."""
    honest = sealed_for(NETWORK, {"amount": 1}, seed="garbled")
    core = honest.transaction.header.core
    key = ContentKey(honest.content_key)
    digest = core_digest(core)
    ciphertext = key.encrypt(os.urandom(core.size_bucket), digest)
    blob = Blob(ciphertext, honest.blob.slots)
    header = PublicHeader(core, ciphertext_hash(ciphertext), slots_hash(blob.slots))
    signature = PARTIES["ann"].signing.sign(signed_bytes(header))
    readers = [PARTIES[name].wrapping.public for name in ("ann", "bob")]
    assert blob.slots == make_slots(key, digest, readers, core.slot_bucket)
    return TransactionPacket(PrivateTransaction(header, signature), blob)


def test_the_sender_and_the_readers_get_it_and_nobody_else_does(world: World) -> None:
    """A payload is delivered to the parties named, followers too; for all others it is not_party."""
    world.settle(world.send(3, to=("bob", "eve")))
    assert {name: states(world, name) for name in NETWORK.names} == {
        "ann": {DELIVERED: 3},
        "bob": {DELIVERED: 3},
        "cyd": {NOT_PARTY: 3},
        "dan": {NOT_PARTY: 3},
        "eve": {DELIVERED: 3},
    }
    assert len(events(world, "bob", "priv.deliver")) == 3


def test_without_the_blob_it_is_missing_for_everyone(world: World) -> None:
    """Who lacks the blob cannot tell whether it is a party, says missing, and asks for it (R33, P32)."""
    world.withhold_blobs("cyd")
    (identifier,) = world.send(1, to=("bob",))
    world.settle([identifier])
    assert states(world, "cyd") == {MISSING: 1}
    assert len(events(world, "cyd", "priv.missing")) == 1
    world.tap = lambda receiver, topic, data: data
    world.run_until(lambda: states(world, "cyd") == {NOT_PARTY: 1})


def test_a_missing_blob_is_fetched_and_delivered(world: World) -> None:
    """A reader whose blob was withheld gets it from another node later, in a network with nothing
    else to do (P32).
    """
    world.withhold_blobs("bob")
    identifiers = world.send(5, to=("bob",))
    world.settle(identifiers)
    assert states(world, "bob") == {MISSING: 5}
    head = world.heads()
    world.tap = lambda receiver, topic, data: data
    world.run_until(lambda: states(world, "bob") == {DELIVERED: 5})
    assert world.heads() == head


def test_a_wrong_blob_does_not_pass_for_the_missing_one(world: World) -> None:
    """What is sent for a missing blob is held against the header, and the right one is still taken
    after it.
    """
    world.withhold_blobs("bob")
    sealed, other = (sealed_for(NETWORK, {"n": n}, seed=("wrong", n)) for n in range(2))
    identifier = world.submit(sealed)
    world.settle([identifier])
    world.tap = lambda receiver, topic, data: None
    wrong = encode(TransactionPacket(sealed.transaction, other.blob))
    assert world.hand("bob", wrong) == {"blob does not match": 1}
    assert states(world, "bob") == {MISSING: 1}
    world.hand("bob", encode(TransactionPacket(sealed.transaction, sealed.blob)))
    world.run(1)
    world.run_until(lambda: states(world, "bob") == {DELIVERED: 1})


def test_another_blob_on_the_disk_is_the_same_as_none(world: World) -> None:
    """A blob file that holds something else, whole or not, is missing, not the sender's fault: it is
    fetched.
    """
    other = encode(sealed_for(NETWORK, {"n": 2}, seed="other").blob)
    world.withhold_blobs("bob")
    identifiers = world.send(3, to=("bob",))
    world.settle(identifiers)
    view = world.node("bob").private_view
    for identifier, content in zip(identifiers, (other, other[:100], b""), strict=True):
        (world.home("bob") / "blobs" / identifier.hex()).write_bytes(content)
        view.arrived(identifier)
        view.record(view.look(1))
    assert states(world, "bob") == {MISSING: 3}
    world.tap = lambda receiver, topic, data: data
    world.run_until(lambda: states(world, "bob") == {DELIVERED: 3})


def test_what_opens_and_is_not_what_was_committed_to_is_unreadable(world: World) -> None:
    """A payload that contradicts its commitment is unreadable for its readers, and the block stands."""
    packet = garbled()
    world.publish(world.topics.transactions, encode(packet))
    world.settle([packet.transaction.id])
    assert {name: states(world, name) for name in ("ann", "bob", "cyd")} == {
        "ann": {UNREADABLE: 1},
        "bob": {UNREADABLE: 1},
        "cyd": {NOT_PARTY: 1},
    }
    (event,) = events(world, "bob", "priv.decrypt")
    assert event["reason_code"] == "commitment_does_not_match"


class BrokenKeyStore:
    """A wrapping key behind a device that does not answer."""

    def __init__(self, error: Exception) -> None:
        self._error = error
        self.public = PARTIES["bob"].wrapping.public

    def unwrap(self, wrapped: bytes, *, info: bytes) -> bytes | None:
        raise self._error


@pytest.mark.parametrize("error", [OSError(5, "io"), RuntimeError("device gone"), ValueError("slot")])
def test_a_key_store_that_fails_gives_unknown(world: World, error: Exception) -> None:
    """With the key service failing a payload is unknown, never not_party, for readers and others (P33)."""
    view = world.node("bob").private_view
    view._key = BrokenKeyStore(error)  # type: ignore[assignment]
    world.settle([*world.send(2, to=("bob",)), *world.send(1, to=("cyd",), seed=1)])
    assert states(world, "bob") == {UNKNOWN: 3}
    assert world.node("bob").failed == ""


def test_a_blob_folder_that_cannot_be_read_gives_unknown(world: World) -> None:
    """With the storage failing a payload is unknown, never missing or not_party (P33)."""
    sealed = sealed_for(NETWORK, {"amount": 1})
    identifier = sealed.transaction.id
    world.withhold_blobs("bob")
    world.submit(sealed)
    world.settle([identifier])
    (world.home("bob") / "blobs" / identifier.hex()).mkdir()
    view = world.node("bob").private_view
    view.arrived(identifier)
    view.record(view.look(1))
    assert states(world, "bob") == {UNKNOWN: 1}


def test_unknown_is_looked_at_again_after_a_restart(world: World) -> None:
    """What could not be told for want of a key is told when the key is back."""
    world.node("bob").private_view._key = BrokenKeyStore(OSError(5, "io"))  # type: ignore[assignment]
    world.settle([*world.send(2, to=("bob",)), *world.send(1, to=("cyd",), seed=1)])
    world.stop("bob")
    world.start("bob")
    world.run_until(lambda: states(world, "bob") == {DELIVERED: 2, NOT_PARTY: 1})


def test_payloads_are_looked_at_in_chain_order(world: World) -> None:
    """A private view follows the chain: first block first, and in a block first transaction first (R34)."""
    for seed in range(3):
        world.settle(world.send(4, seed=seed, to=("bob",)))
    view = world.node("bob").private_view
    store = world.node("bob")._store
    delivered = [event["tx"] for event in events(world, "bob", "priv.deliver")]
    ordered = [row.id.hex()[:8] for row in store.all_transactions()][1:]
    assert delivered == ordered
    assert not view.busy


def test_missing_ones_are_asked_for_in_turn(world: World) -> None:
    """However many blobs are missing, each is asked for before any is asked for twice (P36)."""
    world.withhold_blobs("bob")
    world.settle(world.send(6, to=("bob",)))
    view = world.node("bob").private_view
    asked = [view.missing(2) for _ in range(4)]
    assert len({identifier for three in asked[:3] for identifier in three}) == 6
    assert asked[3] == asked[0]
    assert view.missing(100) == [*asked[1], *asked[2], *asked[3]]


def test_all_states_together_are_all_private_transactions(world: World) -> None:
    """The counts of `node.state` add up to the private transactions on the ledger, whatever befell them."""
    world.withhold_blobs("bob")
    world.settle(world.send(2, to=("bob",)))
    world.tap = lambda receiver, topic, data: data
    packet = garbled()
    world.publish(world.topics.transactions, encode(packet))
    world.settle([packet.transaction.id, *world.send(2, seed=2, to=("cyd",))])
    for name in NETWORK.names:
        node = world.node(name)
        node.report_state(always=True)
        state = events(world, name, "node.state")[-1]
        assert sum(int(str(state[each])) for each in PAYLOAD_STATES) == 5
        assert state[PENDING] == 0
        assert set(states(world, name)) <= set(PAYLOAD_STATES)
