"""What a node gives to those who ask: enough to catch up and to prove, never without bound, never on a lie's
word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from consensus.certificates import Decided
from consensus.messages import Fetch, FetchRequests, Signed
from node.answers import ANSWER_BYTES, PAUSE_MS
from node.canonical import encode
from node.wire import (
    CommittedBatch,
    TransactionPacket,
    Verifier,
    signed_bytes,
)
from tests.node.network_of_nodes import NAMES, PARTIES, World, founded, ready, sealed_for

NETWORK = founded(voters=4, followers=1)
VERIFIER = Verifier(NETWORK)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Four voters and a follower at height 1."""
    with ready(tmp_path, NETWORK) as world:
        yield world


def signed(message: Any, by: str, name: str | None = None) -> bytes:
    return encode(Signed(message, PARTIES[name or by].signing.sign(signed_bytes(NETWORK.id, message))))


def said_to(world: World, receiver: str, sender: str = "ann") -> list[Any]:
    """What a node sent to another's inbox, and forget it."""
    topic = world.topics.inbox_of(NAMES.index(receiver))
    found = [packet for who, where, packet in world.said if who == sender and where == topic]
    world.said.clear()
    return found


def batches(world: World, first: int = 1, receiver: str = "eve") -> list[CommittedBatch]:
    """What ann answers when asked for decided batches."""
    world.run(PAUSE_MS)
    world.said.clear()
    world.hand("ann", signed(Fetch(0, first, NAMES.index(receiver)), receiver))
    return [packet for packet in said_to(world, receiver) if isinstance(packet, CommittedBatch)]


# Catching up.


@pytest.mark.parametrize("late", ["bob", "eve"])
def test_who_was_away_catches_up_in_a_quiet_network(world: World, late: str) -> None:
    """A voter or a follower that comes back when nobody says anything new fetches by certificate (R23)."""
    world.crash(late)
    for seed in range(5):
        world.settle(world.send(3, seed=seed))
    world.run(10_000)
    height = world.height("ann")
    world.start(late)
    world.run_until(lambda: world.height(late) == height, within_ms=5000)
    world.settle(within_ms=5000)
    assert len(world.heads()) == 1
    assert any(isinstance(p, Signed) and isinstance(p.message, Fetch) for p in world.packets(late))


def test_who_begins_from_nothing_catches_up(tmp_path: Path) -> None:
    """A follower that starts late with an empty folder gets every block, body and blob."""
    with World(tmp_path, NETWORK, start=False) as world:
        for name in ("ann", "bob", "cyd", "dan"):
            world.start(name)
        identifiers = []
        for seed in range(4):
            identifiers += world.send(3, seed=seed, to=("eve",))
            world.settle(identifiers)
        world.run(5000)
        world.start("eve")
        world.run_until(lambda: world.have_executed(identifiers, ["eve"]), within_ms=5000)
        world.run_until(lambda: world.node("eve").private_view.counts["delivered"] == 12)


def test_a_decided_batch_comes_with_proof_and_bodies(world: World) -> None:
    """An answer to a fetch verifies by itself: both certificates, and each body with its blob."""
    world.settle(world.send(3))
    answers = batches(world)
    assert [answer.decided.batch.sequence for answer in answers] == list(range(1, world.height("ann") + 1))
    for answer in answers:
        assert VERIFIER.decided(answer.decided) is None
        assert answer.decided.block_certificate is not None
        assert tuple(b.transaction.id for b in answer.transactions) == answer.decided.batch.requests
    assert [answer.decided.last for answer in answers] == [False] * (len(answers) - 1) + [True]
    assert all(body.blob is not None for body in answers[-1].transactions)


def forgeries(answer: CommittedBatch, other: CommittedBatch) -> dict[str, CommittedBatch]:
    """What a liar could make of an honest answer."""
    decided, replace = answer.decided, msgspec.structs.replace
    certificate, block = decided.certificate, decided.block_certificate
    assert block is not None

    def with_decided(**changes: Any) -> CommittedBatch:
        return CommittedBatch(replace(decided, **changes), answer.transactions)

    def flipped(signatures: Any) -> Any:
        replica, signature = signatures[0]
        return ((replica, bytes([signature[0] ^ 1]) + signature[1:]), *signatures[1:])

    batch = decided.batch
    return {
        "another time": with_decided(batch=replace(batch, time_ms=batch.time_ms + 1)),
        "another proposer": with_decided(batch=replace(batch, proposer=1)),
        "a transaction left out": with_decided(batch=replace(batch, requests=batch.requests[1:])),
        "another order": with_decided(batch=replace(batch, requests=batch.requests[::-1])),
        "another height": with_decided(batch=replace(batch, sequence=batch.sequence + 1)),
        "a certificate of another batch": with_decided(certificate=other.decided.certificate),
        "another digest": with_decided(certificate=replace(certificate, digest=bytes(32))),
        "another view": with_decided(certificate=replace(certificate, view=1)),
        "another epoch": with_decided(certificate=replace(certificate, epoch=1)),
        "a commit too few": with_decided(
            certificate=replace(certificate, signatures=certificate.signatures[1:])
        ),
        "a commit twice": with_decided(
            certificate=replace(
                certificate, signatures=(certificate.signatures[0], *certificate.signatures[:-1])
            )
        ),
        "a signature altered": with_decided(
            certificate=replace(certificate, signatures=flipped(certificate.signatures))
        ),
        "another block": with_decided(block_certificate=replace(block, block=bytes(32))),
        "a block vote altered": with_decided(
            block_certificate=replace(block, signatures=flipped(block.signatures))
        ),
        "a block vote too few": with_decided(
            block_certificate=replace(block, signatures=block.signatures[1:])
        ),
        "block certificate of another height": with_decided(
            block_certificate=other.decided.block_certificate
        ),
    }


def test_a_forged_answer_is_refused_whatever_was_forged(tmp_path: Path) -> None:
    """A decided batch with any part altered, exchanged or left out is not executed, and the honest one is
    (R23).
    """
    with ready(tmp_path / "1", NETWORK) as world:
        world.settle(world.send(3))
        honest = batches(world, 2)[0]
        first = batches(world, 1)[0]
        height = honest.decided.batch.sequence
    with World(tmp_path / "2", NETWORK, start=False) as world:
        world.start("eve")
        world.run(1)
        world.hand("eve", encode(first))
        assert world.height("eve") == 1
        for what, forged in forgeries(honest, first).items():
            dropped = world.hand("eve", encode(forged))
            assert sum(dropped.values()) == 1, what
            assert world.height("eve") == 1, what
        assert world.hand("eve", encode(honest)) == Counter()
        assert world.height("eve") == height == 2


def test_bodies_in_an_answer_are_checked_too(tmp_path: Path) -> None:
    """A certificate does not make its bodies good: one with a bad signature is asked for elsewhere."""
    with ready(tmp_path / "1", NETWORK) as world:
        world.settle(world.send(1))
        first, honest = batches(world)
        stray = sealed_for(NETWORK, {"n": 1}, seed="stray")
    body = honest.transactions[0]
    bad = TransactionPacket(msgspec.structs.replace(body.transaction, signature=bytes(64)), body.blob)
    extra = TransactionPacket(stray.transaction, stray.blob)
    with World(tmp_path / "2", NETWORK, start=False) as world:
        node = world.start("eve")
        world.run(1)
        world.hand("eve", encode(first))
        assert world.hand("eve", encode(CommittedBatch(honest.decided, (bad, extra)))) == {"signature": 1}
        assert world.height("eve") == 1 and len(node._mempool) == 0
        world.hand("eve", encode(body))
        assert world.height("eve") == 2


def test_a_batch_that_is_certified_already_is_not_verified_again(world: World) -> None:
    """A repeated answer about a block whose certificate is here costs one look, and no signature check."""
    world.settle(world.send(1))
    answer = batches(world, 2)[0]
    certificate = answer.decided.certificate
    junk = msgspec.structs.replace(certificate, signatures=((0, bytes(64)), (1, bytes(64)), (2, bytes(64))))
    packet = CommittedBatch(
        Decided(answer.decided.batch, junk, answer.decided.block_certificate, True), answer.transactions
    )
    assert world.hand("bob", encode(packet)) == {"already certified": 1}


def test_one_answer_is_bounded_and_the_next_goes_on(tmp_path: Path) -> None:
    """However far behind somebody is, one answer holds about a megabyte, and asking goes on from there."""
    large = {"text": "x" * 60_000}
    with ready(tmp_path, NETWORK) as world:
        world.crash("eve")
        for seed in range(20):
            world.settle([world.submit(sealed_for(NETWORK, large, seed=seed))])
        answers = batches(world)
        size = sum(len(encode(body)) for answer in answers for body in answer.transactions)
        assert ANSWER_BYTES / 2 < size <= ANSWER_BYTES
        assert len(answers) < world.height("ann")
        world.start("eve")
        world.run_until(lambda: world.height("eve") == world.height("ann"), within_ms=5000)


def test_who_asks_too_often_waits_a_moment(world: World) -> None:
    """A replica gets one answer of each kind in a pause, and others get theirs."""
    world.settle(world.send(2))
    world.run(1000)
    question = signed(Fetch(0, 1, NAMES.index("eve")), "eve")
    world.said.clear()
    for _ in range(10):
        world.hand("ann", question)
    assert len(said_to(world, "eve")) == world.height("ann")
    world.hand("ann", signed(Fetch(0, 1, NAMES.index("bob")), "bob"))
    assert len(said_to(world, "bob")) == world.height("ann")
    world.run(PAUSE_MS)
    world.said.clear()
    world.hand("ann", question)
    assert len(said_to(world, "eve")) == world.height("ann")


def test_bodies_are_given_by_id(world: World) -> None:
    """Asked for bodies, a node sends those it has, waiting or executed, with their blobs."""
    sealed = sealed_for(NETWORK, {"n": 1})
    executed = world.submit(sealed)
    world.settle([executed])
    waiting = sealed_for(NETWORK, {"n": 2}, seed=1)
    world.hand("ann", encode(TransactionPacket(waiting.transaction, waiting.blob)))
    world.said.clear()
    unknown = sha256(b"unknown").digest()
    question = FetchRequests(0, (executed, unknown, waiting.transaction.id), NAMES.index("eve"))
    world.hand("ann", signed(question, "eve"))
    assert said_to(world, "eve") == [
        TransactionPacket(sealed.transaction, sealed.blob),
        TransactionPacket(waiting.transaction, waiting.blob),
    ]


@pytest.mark.parametrize("content", [b"", b"\x92\xc4", b"garbage" * 100])
def test_a_blob_damaged_on_the_disk_is_not_given_and_harms_nobody(world: World, content: bytes) -> None:
    """A node whose copy of a blob is damaged sends the body without it, and goes on."""
    (identifier,) = world.send(1)
    world.settle([identifier])
    (world.home("ann") / "blobs" / identifier.hex()).write_bytes(content)
    world.said.clear()
    world.hand("ann", signed(FetchRequests(0, (identifier,), NAMES.index("eve")), "eve"))
    (packet,) = said_to(world, "eve")
    assert packet.transaction.id == identifier and packet.blob is None
    assert world.node("ann").failed == ""


# Inquiries and proofs.
