"""What a node tells those who ask where it stands, and where a transaction is: proofs that stand alone."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from consensus.certificates import BlockCertificate
from consensus.messages import Signed, Status
from consensus.votes import BlockVote
from node.answers import MAX_WATCHED
from node.broker_url import BrokerUrl
from node.canonical import encode
from node.client import Client
from node.wire import (
    Frame,
    Inclusion,
    Inquiry,
    SignedInquiry,
    Verifier,
    signed_bytes,
)
from tests.node.network_of_nodes import NAMES, PARTIES, STRANGER, World, founded, ready, sealed_for
from tests.node.small_consortium import seeded

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


def inclusions(world: World, topic: str) -> list[Inclusion]:
    return [packet for packet in world.inboxes[topic] if isinstance(packet, Inclusion)]


def proof_of(world: World, seed: object = "proof") -> tuple[bytes, Inclusion]:
    (identifier,) = world.send(2, seed=seed)[:1]
    world.settle([identifier])
    topic = world.ask("ann", "bob", [identifier])
    world.run(50)
    return identifier, inclusions(world, topic)[-1]


def test_a_member_is_told_where_a_node_stands(world: World) -> None:
    """A signed inquiry of a member is answered with a signed status that repeats its token."""
    topic = world.ask("eve", "bob", token=b"question", echo=b"question")
    world.run(50)
    (answer,) = world.inboxes[topic]
    assert isinstance(answer, Signed) and isinstance(answer.message, Status)
    status = answer.message
    assert (status.sequence, status.block, status.state_root) in world.heads()
    assert (status.echo, status.replica) == (b"question", NAMES.index("bob"))
    assert VERIFIER.message(status, answer.signature, status.replica)


def test_a_question_that_is_said_again_is_not_answered_again(world: World) -> None:
    """Anybody at the broker can repeat a member's inquiry; it makes the node do nothing."""
    for _ in range(3):
        topic = world.ask("eve", "bob", token=b"question", echo=b"replayed")
        world.run(50)
    assert len(world.inboxes[topic]) == 1


def test_a_stranger_is_told_nothing(world: World) -> None:
    """Without a member's signature over this very inquiry there is no answer."""
    inquiry = Inquiry(0, b"stranger", b"stranger", (NETWORK.transaction.id,))
    for signature in (
        bytes(64),
        STRANGER.signing.sign(signed_bytes(NETWORK.id, inquiry)),
        PARTIES["bob"].signing.sign(signed_bytes(NETWORK.id, inquiry)),
        PARTIES["ann"].signing.sign(signed_bytes(founded(salt=1).id, inquiry)),
    ):
        assert world.hand("bob", encode(SignedInquiry(inquiry, signature))) == {"bad signature": 1}
    assert world.inboxes[world.topics.inbox(b"stranger")] == []


def test_who_asked_is_told_when_the_block_is_certified(world: World) -> None:
    """An inquiry about a transaction not yet ordered is answered once, when its block's certificate
    is whole.
    """
    sealed = sealed_for(NETWORK, {"n": 1})
    topic = world.ask("ann", "bob", [sealed.transaction.id])
    world.run(50)
    assert inclusions(world, topic) == []
    world.settle([world.submit(sealed)])
    (proof,) = inclusions(world, topic)
    assert sealed.transaction.id in proof.batch.requests
    assert VERIFIER.inclusion(proof) is None
    world.settle(world.send(1, seed=1))
    assert len(inclusions(world, topic)) == 1


def altered_proofs(proof: Inclusion, other: Inclusion) -> Iterator[tuple[str, Inclusion]]:
    """The proof with one field after the other changed, and with each part taken from another proof."""

    def changed(value: Any) -> Any:
        if isinstance(value, int):
            return value + 1
        if isinstance(value, bytes):
            return bytes([value[0] ^ 1]) + value[1:]
        return value[1:]

    for part in ("batch", "certificate", "header", "block_certificate"):
        struct = getattr(proof, part)
        yield f"another {part}", msgspec.structs.replace(proof, **{part: getattr(other, part)})
        for name in struct.__struct_fields__:
            new = msgspec.structs.replace(struct, **{name: changed(getattr(struct, name))})
            yield f"{part}.{name}", msgspec.structs.replace(proof, **{part: new})
        if hasattr(struct, "signatures"):
            replica, signature = struct.signatures[0]
            wrong = ((replica, changed(signature)), *struct.signatures[1:])
            new = msgspec.structs.replace(struct, signatures=wrong)
            yield f"a signature of {part}", msgspec.structs.replace(proof, **{part: new})


def test_a_proof_with_anything_altered_proves_nothing(world: World) -> None:
    """Each field of a proof of inclusion matters: with any one altered a client does not believe it (R25)."""
    _, proof = proof_of(world)
    _, other = proof_of(world, "other")
    assert VERIFIER.inclusion(proof) is None
    count = 0
    for what, forged in altered_proofs(proof, other):
        assert VERIFIER.inclusion(forged) is not None, what
        count += 1
    assert count == 4 + 4 + 5 + 9 + 4 + 2


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("batch_digest", "certificate is for another batch"),
        ("body_root", "body root does not match the batch"),
        ("height", "certificate is for another batch"),
    ],
)
def test_two_certificates_must_speak_of_one_batch(world: World, field: str, reason: str) -> None:
    """A block that a quorum really signed proves nothing about a batch that its header does not name."""
    _, proof = proof_of(world)
    value = getattr(proof.header, field)
    header = msgspec.structs.replace(
        proof.header, **{field: value + 1 if isinstance(value, int) else bytes(32)}
    )
    votes = [BlockVote(0, proof.batch.sequence, header.hash(), replica) for replica in range(3)]
    signatures = tuple(
        (vote.replica, PARTIES[NAMES[vote.replica]].signing.sign(signed_bytes(NETWORK.id, vote)))
        for vote in votes
    )
    certificate = BlockCertificate(0, proof.batch.sequence, header.hash(), signatures)
    assert VERIFIER.certificate(certificate) is None
    forged = Inclusion(proof.batch, proof.certificate, header, certificate)
    assert VERIFIER.inclusion(forged) == reason


def test_a_proof_of_another_network_proves_nothing(world: World) -> None:
    """The same proof held against another network's members fails at the first signature."""
    _, proof = proof_of(world)
    assert Verifier(founded(voters=4, followers=1, salt=1)).inclusion(proof) == "bad signature"


async def test_a_client_believes_proofs_and_signed_statuses_only(world: World) -> None:
    """What arrives at a client's inbox is believed when it verifies, whoever sent it, and else ignored."""
    identifier, proof = proof_of(world)
    _, other = proof_of(world, "other")
    client = Client.over_mqtt(NETWORK, BrokerUrl.parse("mqtt://127.0.0.1:1"), "5", seeded("client"))
    asker = ("ann", PARTIES["ann"].signing)

    async def believed(packets: list[bytes]) -> dict[bytes, Inclusion]:
        client._deliver("anywhere", Frame(1, 1, tuple(packets)))
        return await client.certified([identifier], asker, 0)

    forged = [encode(packet) for _, packet in altered_proofs(proof, other)]
    assert await believed([b"", b"junk", encode(NETWORK.transaction), *forged]) == {}
    assert await believed([encode(proof)]) == {identifier: proof}


def test_an_answer_to_an_inquiry_is_bounded(tmp_path: Path) -> None:
    """Asked about many blocks at once, a node proves about a megabyte of them, the oldest first."""
    network = founded(voters=1, rules=msgspec.structs.replace(NETWORK.rules, block_every_ms=1))
    with ready(tmp_path, network) as world:
        for seed in range(12):
            world.settle(world.send(1, seed=seed))
        identifiers = [row.id for row in world.node("ann")._store.all_transactions()]
        one = len(encode(inclusions_of(world, identifiers[:1])[0]))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("node.answers.ANSWER_BYTES", 4 * one)
            found = inclusions_of(world, identifiers)
        assert 3 <= len(found) <= 6
        assert found[0].batch.sequence == 1


def inclusions_of(world: World, about: list[bytes]) -> list[Inclusion]:
    token = sha256(bytes(len(about))).digest()[:8]
    world.inboxes.clear()
    topic = world.ask("ann", "ann", about, token=token)
    world.run(50)
    return inclusions(world, topic)


def test_watchers_are_bounded_and_the_newest_stay(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A party that asks about more than a node keeps an eye on loses its own oldest questions,
    nobody else's.
    """
    assert MAX_WATCHED >= 10_000
    monkeypatch.setattr("node.answers.MAX_WATCHED", 5)
    sealed = [sealed_for(NETWORK, {"n": n}, seed=("watched", n)) for n in range(3)]
    first, second, third = (each.transaction.id for each in sealed)
    bobs = world.ask("bob", "cyd", [first], token=b"bobs own")
    world.run(20)
    unknown = [sha256(bytes([n])).digest() for n in range(40)]
    anns = world.ask("ann", "cyd", [first, second], token=b"anns own")
    world.run(20)
    for start in range(0, 40, 10):
        world.ask("ann", "cyd", unknown[start : start + 10], token=b"anns own")
        world.run(20)
    world.ask("ann", "cyd", [third], token=b"anns own")
    world.run(20)
    answers = world.node("cyd")._answers
    assert sum(len(inboxes) for inboxes in answers._watchers.values()) == 5 + 1
    assert [len(watched) for watched in answers._watched_by.values()] == [1, 5]
    for each in sealed:
        world.settle([world.submit(each)])
    assert {request for proof in inclusions(world, anns) for request in proof.batch.requests} == {third}
    assert {request for proof in inclusions(world, bobs) for request in proof.batch.requests} == {first}
    assert len(answers._watchers) == 4 and [len(w) for w in answers._watched_by.values()] == [0, 4]
