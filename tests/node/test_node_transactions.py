"""Which transactions a node takes: a function of public bytes, looked at before anything else
happens (R26).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from consensus.messages import FetchRequests, Proposal, Signed
from consensus.votes import Batch, PrePrepare
from node.canonical import encode
from node.consortium import ConsortiumTransaction
from node.envelopes.transaction import Blob, CoreHeader, PrivateTransaction, PublicHeader, signed_bytes
from node.wire import TransactionPacket
from node.wire import signed_bytes as signed_message
from tests.node.network_of_nodes import PARTIES, RULES, World, founded, ready, sealed_for

NETWORK = founded()
WINDOW = RULES.validity_window


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Four voters at height 1, nothing to do."""
    with ready(tmp_path, NETWORK) as world:
        world.run(2000)
        yield world


def take(world: World, packet: TransactionPacket, name: str = "bob") -> Counter[str]:
    """Hand a node a transaction; what it dropped because of it, by reason."""
    return world.hand(name, encode(packet))


def waiting(world: World, name: str = "bob") -> int:
    return len(world.node(name)._mempool)


def changed(transaction: PrivateTransaction, signer: str | None = None, **changes: Any) -> PrivateTransaction:
    """The transaction with fields of its header changed; signed anew by `signer`, or else left as it was."""
    core_names = set(CoreHeader.__struct_fields__)
    core = msgspec.structs.replace(
        transaction.header.core, **{name: value for name, value in changes.items() if name in core_names}
    )
    rest = {name: value for name, value in changes.items() if name not in core_names}
    header: PublicHeader = msgspec.structs.replace(transaction.header, core=core, **rest)
    if signer is None:
        return PrivateTransaction(header, transaction.signature)
    return PrivateTransaction(header, PARTIES[signer].signing.sign(signed_bytes(header)))


SEALED = sealed_for(NETWORK, {"amount": 1})
GOOD = TransactionPacket(SEALED.transaction, SEALED.blob)
OTHER = sealed_for(NETWORK, {"amount": 2}, seed=1)
FOREIGN = sealed_for(founded(salt=1), {"amount": 1})


def with_blob(ciphertext: bytes | None = None, slots: tuple[bytes, ...] | None = None) -> TransactionPacket:
    blob = SEALED.blob
    return TransactionPacket(
        SEALED.transaction,
        Blob(blob.ciphertext if ciphertext is None else ciphertext, blob.slots if slots is None else slots),
    )


def body(transaction: PrivateTransaction) -> TransactionPacket:
    return TransactionPacket(transaction, SEALED.blob)


REFUSED: dict[str, tuple[TransactionPacket, str]] = {
    "nobody's signature": (
        body(PrivateTransaction(SEALED.transaction.header, bytes(64))),
        "signature",
    ),
    "another member's signature": (body(changed(SEALED.transaction, "bob")), "signature"),
    "a sender without a key": (body(changed(SEALED.transaction, "ann", sender="zoe")), "unknown sender"),
    "somebody else's name": (body(changed(SEALED.transaction, "ann", sender="cyd")), "signature"),
    "a header altered": (body(changed(SEALED.transaction, nonce=bytes(range(16)))), "signature"),
    "another network": (TransactionPacket(FOREIGN.transaction, FOREIGN.blob), "network"),
    "another policy": (body(changed(SEALED.transaction, "ann", policy=bytes(32))), "policy"),
    "another version": (body(changed(SEALED.transaction, "ann", version=2)), "version"),
    "another suite": (body(changed(SEALED.transaction, "ann", suite=2)), "version"),
    "a window too long": (
        body(changed(SEALED.transaction, "ann", valid_from=1, valid_until=WINDOW + 2)),
        "validity",
    ),
    "a window that ends first": (
        body(changed(SEALED.transaction, "ann", valid_from=9, valid_until=8)),
        "validity",
    ),
    "a bucket that is none": (body(changed(SEALED.transaction, "ann", size_bucket=300)), "bucket"),
    "slots that are no bucket": (body(changed(SEALED.transaction, "ann", slot_bucket=5)), "bucket"),
    "a window that is over": (
        body(changed(SEALED.transaction, "ann", valid_from=0, valid_until=1)),
        "expired",
    ),
    "a window that is over, and no signature either": (
        body(changed(SEALED.transaction, valid_from=0, valid_until=1)),
        "expired",
    ),
    "a window far ahead": (
        body(changed(SEALED.transaction, "ann", valid_from=WINDOW + 2, valid_until=WINDOW + 3)),
        "too early",
    ),
    "another's blob": (TransactionPacket(SEALED.transaction, OTHER.blob), "blob_hash"),
    "a blob altered": (
        with_blob(bytes([SEALED.blob.ciphertext[0] ^ 1]) + SEALED.blob.ciphertext[1:]),
        "blob_hash",
    ),
    "slots swapped": (with_blob(slots=SEALED.blob.slots[::-1]), "blob_hash"),
    "a slot altered": (with_blob(slots=(bytes(80), *SEALED.blob.slots[1:])), "blob_hash"),
    "a blob cut short": (with_blob(SEALED.blob.ciphertext[:-1]), "blob_size"),
    "a slot missing": (with_blob(slots=SEALED.blob.slots[:-1]), "blob_slots"),
    "no blob": (TransactionPacket(SEALED.transaction, None), "payload missing"),
    "another consortium": (TransactionPacket(founded(salt=2).transaction, None), "already executed"),
}


def test_a_good_transaction_is_taken_and_ordered(world: World) -> None:
    """A transaction of a member with its blob is kept, and every node executes it."""
    assert take(world, GOOD) == Counter()
    assert waiting(world) == 1
    world.submit(SEALED)
    world.settle([SEALED.transaction.id])
    assert waiting(world) == 0


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_node_may_take_is_refused_with_its_reason(world: World, case: str) -> None:
    """A transaction that breaks one rule is refused by that rule's name, and nothing is kept (P08, P09)."""
    packet, reason = REFUSED[case]
    assert take(world, packet) == Counter({reason: 1})
    assert waiting(world) == 0


@pytest.mark.parametrize("case", REFUSED)
def test_junk_starts_no_timer_and_says_nothing(world: World, case: str) -> None:
    """What is refused moves no timer, is told to nobody, and changes no block (R26, Aardvark)."""
    node, packet = world.node("bob"), REFUSED[case][0]
    world.said.clear()
    before = node.deadline_ms
    for _ in range(3):
        take(world, packet)
    assert node.deadline_ms == before
    head = world.heads()
    world.run(3 * RULES.view_timeout_ms)
    assert world.heads() == head
    assert not any(event["ev"] == "pbft.timeout" for event in world.events["bob"])


def test_a_window_may_be_as_long_as_the_rules_say(world: World) -> None:
    """The longest window is taken, one height more is not."""
    for valid_until, reasons in ((1 + WINDOW, Counter[str]()), (2 + WINDOW, Counter({"validity": 1}))):
        sealed = sealed_for(NETWORK, {"n": 1}, valid=(1, valid_until), seed=valid_until)
        assert take(world, TransactionPacket(sealed.transaction, sealed.blob)) == reasons


def test_a_window_may_begin_as_far_ahead_as_it_is_long(world: World) -> None:
    """What may be ordered only after more than a window's length does not fill the mempool meanwhile."""
    for ahead, reasons in ((1 + WINDOW, Counter[str]()), (2 + WINDOW, Counter({"too early": 1}))):
        sealed = sealed_for(NETWORK, {"n": 1}, valid=(ahead, ahead), seed=ahead)
        assert take(world, TransactionPacket(sealed.transaction, sealed.blob)) == reasons


def test_an_executed_transaction_cannot_be_replayed(world: World) -> None:
    """Sent again after its execution, alone or under the same nonce, it is refused; the chain stands still
    (P09).
    """
    world.submit(SEALED)
    world.settle([SEALED.transaction.id])
    head = world.heads()
    assert take(world, GOOD) == Counter({"already executed": 1})
    core = SEALED.transaction.header.core
    twin = sealed_for(NETWORK, {"amount": 3}, seed=2)
    same_nonce = changed(twin.transaction, "ann", nonce=core.nonce)
    assert take(world, TransactionPacket(same_nonce, twin.blob)) == Counter({"already executed": 1})
    world.submit(SEALED)
    world.run(2000)
    assert world.heads() == head


def test_another_member_cannot_submit_what_is_not_its_own(world: World) -> None:
    """Ciphertext and commitment copied under another sender's name, window or network change
    nothing (P09).
    """
    copies = [
        changed(SEALED.transaction, "bob", sender="bob"),
        changed(SEALED.transaction, "bob", valid_until=30),
        changed(FOREIGN.transaction, "bob", sender="bob"),
    ]
    # The first is bob's own transaction now, and nobody can open it: see the private view.
    assert [take(world, body(copy), "cyd") for copy in copies] == [
        Counter(),
        Counter({"signature": 1}),
        Counter({"network": 1}),
    ]


def test_a_transaction_that_waits_already_is_not_taken_twice(world: World) -> None:
    """The same transaction again, whole or without its blob, counts once."""
    assert [take(world, GOOD), take(world, GOOD)] == [Counter(), Counter()]
    assert take(world, TransactionPacket(SEALED.transaction, None)) == Counter()
    assert waiting(world) == 1


def test_a_flood_by_one_sender_keeps_nobody_out(world: World) -> None:
    """Above its own limit one sender is refused; another's transaction is taken and ordered
    meanwhile (R37).
    """
    for name in world.up:
        world.node(name)._mempool._sender_limits = (3, 1 << 20)
    flood = [sealed_for(NETWORK, {"n": i}, sender="dan", to=(), seed=("flood", i)) for i in range(12)]
    for sealed in flood:
        world.submit(sealed)
    wanted = world.send(1, sender="ann", seed="between")
    world.settle(wanted)
    assert world.reasons("ann")["over limit"] > 0
    world.settle([sealed.transaction.id for sealed in flood[:3]])


def test_a_flood_of_junk_does_not_fill_the_log(world: World) -> None:
    """Of a thousand refusals of one kind the first hundred are told, and then every hundredth."""
    packet, reason = REFUSED["another policy"]
    for _ in range(1000):
        take(world, packet)
    told = [event for event in world.events["bob"] if event.get("reason_code") == reason]
    assert world.reasons("bob")[reason] == 1000
    assert 200 <= len(told) <= 230
    assert {event["ev"] for event in told} == {"tx.reject", "net.drop"}


def test_a_blob_that_comes_later_completes_a_transaction(world: World) -> None:
    """A body that came by a proposal's need, without its blob, takes the blob when it comes (R34)."""
    world.withhold_blobs("cyd")
    identifier = world.submit(SEALED)
    node = world.node("cyd")
    world.run_until(lambda: identifier in node._mempool or world.have_executed([identifier], ["cyd"]))
    world.tap = lambda receiver, topic, data: data
    world.settle([identifier])
    world.submit(SEALED)
    world.run_until(lambda: node._store.has_blob(identifier))
    assert node._store.get_blob(identifier) == encode(SEALED.blob)


def test_a_body_that_a_proposal_waits_for_is_checked_all_the_same(world: World) -> None:
    """Being asked for does not make a transaction good: its signature is checked before it is kept."""
    world.tap = lambda receiver, topic, data: None if receiver == "cyd" and "/tx" in topic else data
    forged = encode(TransactionPacket(PrivateTransaction(SEALED.transaction.header, bytes(64)), SEALED.blob))
    node = world.node("cyd")
    identifier = world.submit(SEALED)
    world.run_until(lambda: node._replica.wants(identifier))
    assert world.hand("cyd", forged) == Counter({"signature": 1})
    assert identifier not in node._mempool
    world.settle([identifier])
    asked = [p.message for p in world.packets("cyd") if isinstance(p, Signed)]
    assert any(isinstance(message, FetchRequests) for message in asked)


def test_the_consortium_of_another_network_is_refused_before_block_1(tmp_path: Path) -> None:
    """Only the consortium that a node was started with can be block 1, even if the primary proposes
    another.
    """
    other = founded(salt=3).transaction
    unsigned = ConsortiumTransaction(NETWORK.consortium, bytes(64))
    batch = Batch(1, 0, NETWORK.created_ms + 1, (other.id,))
    vote = PrePrepare(0, 0, 1, batch.digest(), 0)
    signature = PARTIES["ann"].signing.sign(signed_message(NETWORK.id, vote))
    with World(tmp_path, NETWORK, start=False) as world:
        node = world.start("bob")
        world.run(1)
        assert take(world, TransactionPacket(other, SEALED.blob)) == Counter({"other consortium": 1})
        assert world.hand("bob", encode(Proposal(vote, signature, batch))) == Counter()
        assert node._replica.wants(other.id)
        assert take(world, TransactionPacket(other, None)) == Counter({"other consortium": 1})
        assert take(world, TransactionPacket(unsigned, None)) == Counter()
        kept = node._mempool.get(NETWORK.transaction.id)
        assert waiting(world) == 1 and kept is not None and kept.transaction == NETWORK.transaction
