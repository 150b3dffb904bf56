"""What comes from the broker counts only if it is well formed, within limits, and signed by whom it names
(R1).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consensus.certificates import CommitCertificate, Decided
from consensus.messages import Fetch, FetchRequests, Proposal, Signed, Status
from consensus.votes import MAX_BATCH, MAX_REPLICAS, Batch, BlockVote, Commit, Prepare, PrePrepare
from node.canonical import DecodeError, encode
from node.consortium import Network
from node.envelopes.signing import SigningKey
from node.envelopes.transaction import Blob
from node.logs.event_names import REASONS
from node.wire import (
    MAX_ASKED,
    MAX_FRAME,
    MAX_PACKET,
    CommittedBatch,
    Frame,
    Inquiry,
    SignedInquiry,
    TransactionPacket,
    decode_frame,
    decode_packet,
    signed_bytes,
)
from tests.node.network_of_nodes import (
    GENESIS_MS,
    NAMES,
    PARTIES,
    STRANGER,
    World,
    founded,
    ready,
    sealed_for,
)

NETWORK = founded(voters=4, followers=1)
OTHER_NETWORK = founded(voters=4, followers=1, salt=1)
DIGEST = sha256(b"some digest").digest()
SEALED = sealed_for(NETWORK, {"amount": 1})
BATCH = Batch(1, 0, GENESIS_MS + 1, (SEALED.transaction.id,))
CYD = 2
MESSAGES: list[Any] = [
    PrePrepare(0, 0, 1, BATCH.digest(), 0),
    Prepare(0, 0, 1, BATCH.digest(), CYD),
    Commit(0, 0, 1, BATCH.digest(), CYD),
    BlockVote(0, 1, DIGEST, CYD),
    Status(0, 0, 3, DIGEST, DIGEST, bytes(8), CYD),
    Fetch(0, 1, CYD),
    FetchRequests(0, (NETWORK.transaction.id,), CYD),
    Inquiry(CYD, b"reply-to", b"an echo.", (SEALED.transaction.id,)),
]
KINDS = [type(message).__name__ for message in MESSAGES]


def speaker(message: Any) -> int:
    number = message.party if isinstance(message, Inquiry) else message.replica
    assert isinstance(number, int)
    return number


def key_of(replica: int) -> SigningKey:
    return PARTIES[NAMES[replica]].signing


def packet_of(message: Any, signature: bytes) -> bytes:
    """The packet in which a message of this kind travels."""
    if isinstance(message, PrePrepare):
        return encode(Proposal(message, signature, BATCH))
    if isinstance(message, Inquiry):
        return encode(SignedInquiry(message, signature))
    return encode(Signed(message, signature))


def sign(message: Any, key: SigningKey | None = None, network: Network = NETWORK) -> bytes:
    return (key or key_of(speaker(message))).sign(signed_bytes(network.id, message))


def altered(message: Any) -> Iterator[tuple[str, Any]]:
    """The message with one field after the other changed."""
    for name in message.__struct_fields__:
        value = getattr(message, name)
        if name in ("replica", "party"):
            other: Any = NAMES.index("dan")
        elif isinstance(value, int):
            other = value + 1
        elif isinstance(value, bytes):
            other = bytes([value[0] ^ 1]) + value[1:]
        else:
            other = (*value, sha256(b"one more").digest())
        yield name, msgspec.structs.replace(message, **{name: other})


@pytest.fixture
def bob(tmp_path: Path) -> Iterator[World]:
    """A world in which only bob is up; what the others would say is up to the test."""
    with World(tmp_path, NETWORK, start=False, level="debug") as world:
        world.start("bob")
        world.run(1)
        world.said.clear()
        yield world


def take(world: World, data: bytes) -> Counter[str]:
    """Hand bob a packet; what he dropped because of it, by reason."""
    return world.hand("bob", data)


def heard(world: World) -> list[str]:
    """What bob and his log said since the last call."""
    found = [type(packet).__name__ for packet in world.packets("bob")]
    found += [event["ev"] for event in world.events["bob"] if event["ev"] != "net.drop"]
    world.said.clear()
    world.events["bob"].clear()
    return found


@pytest.mark.parametrize("message", MESSAGES, ids=KINDS)
def test_a_message_signed_by_whom_it_names_is_taken(bob: World, message: Any) -> None:
    """A well-formed message with the signature of the member that it names is not refused."""
    assert take(bob, packet_of(message, sign(message))) == Counter()


@pytest.mark.parametrize("message", MESSAGES, ids=KINDS)
def test_a_message_altered_in_any_field_counts_for_nothing(bob: World, message: Any) -> None:
    """With any one field changed on the way, the signature is refused and nothing follows (R1)."""
    signature = sign(message)
    heard(bob)
    for name, other in altered(message):
        assert take(bob, packet_of(other, signature)) == Counter({"bad signature": 1}), name
        assert heard(bob) == [], name


@pytest.mark.parametrize("message", MESSAGES, ids=KINDS)
def test_an_altered_signature_counts_for_nothing(bob: World, message: Any) -> None:
    """A signature with one bit changed, and the empty one of zeros, are refused."""
    signature = sign(message)
    heard(bob)
    for place in (0, 31, 32, 63):
        wrong = bytearray(signature)
        wrong[place] ^= 1
        assert take(bob, packet_of(message, bytes(wrong))) == Counter({"bad signature": 1})
    assert take(bob, packet_of(message, bytes(64))) == Counter({"bad signature": 1})
    assert heard(bob) == []


@pytest.mark.parametrize("message", MESSAGES, ids=KINDS)
def test_nobody_speaks_for_another(bob: World, message: Any) -> None:
    """A message signed by another member, or by a stranger, than the one it names is refused."""
    heard(bob)
    for key in (PARTIES["dan"].signing, PARTIES["eve"].signing, STRANGER.signing):
        assert take(bob, packet_of(message, sign(message, key))) == Counter({"bad signature": 1})
    assert heard(bob) == []


@pytest.mark.parametrize("message", MESSAGES, ids=KINDS)
def test_what_was_signed_for_another_network_means_nothing_here(bob: World, message: Any) -> None:
    """The same members, keys and numbers in another network: refused."""
    assert take(bob, packet_of(message, sign(message, network=OTHER_NETWORK))) == Counter(
        {"bad signature": 1}
    )


def test_a_vote_of_one_kind_is_no_vote_of_another(bob: World) -> None:
    """A prepare's signature does not make a commit, although both have the same fields."""
    prepare = Prepare(0, 0, 1, DIGEST, CYD)
    commit = Commit(0, 0, 1, DIGEST, CYD)
    assert take(bob, packet_of(commit, sign(prepare))) == Counter({"bad signature": 1})
    assert take(bob, packet_of(prepare, sign(commit))) == Counter({"bad signature": 1})
    domains = {signed_bytes(NETWORK.id, message)[:20] for message in MESSAGES}
    assert len(domains) == len(MESSAGES)


def test_a_member_that_does_not_exist_is_refused(bob: World) -> None:
    """A replica number beyond the members belongs to no key."""
    for message in MESSAGES:
        name = "party" if isinstance(message, Inquiry) else "replica"
        nobody = msgspec.structs.replace(message, **{name: 63})
        reason = "not a voter" if isinstance(message, Prepare | Commit | BlockVote) else "bad signature"
        assert take(bob, packet_of(nobody, sign(nobody, STRANGER.signing))) == Counter({reason: 1})


def test_a_follower_has_no_vote(bob: World) -> None:
    """Votes with the good signature of a member that does not vote are refused."""
    eve = NAMES.index("eve")
    for message in (
        Prepare(0, 0, 1, DIGEST, eve),
        Commit(0, 0, 1, DIGEST, eve),
        BlockVote(0, 1, DIGEST, eve),
    ):
        assert take(bob, packet_of(message, sign(message))) == Counter({"not a voter": 1})


def test_another_epoch_is_refused(bob: World) -> None:
    """A vote with a good signature for another epoch is not counted in this one."""
    for message in MESSAGES[:5]:
        other = msgspec.structs.replace(message, epoch=1)
        assert take(bob, packet_of(other, sign(other))) == Counter({"other epoch": 1})


def test_a_proposal_with_another_batch_is_refused(bob: World) -> None:
    """The pre-prepare's signature binds its batch: another one beside it is refused."""
    vote = MESSAGES[0]
    for name, other in altered(BATCH):
        reasons = take(bob, encode(Proposal(vote, sign(vote), other)))
        wrong = "batch is for another sequence number" if name == "sequence" else None
        assert reasons == Counter({wrong or "digest does not match the batch": 1})


def test_packets_of_a_client_are_no_business_of_a_node(bob: World, tmp_path: Path) -> None:
    """A proof of inclusion, which only clients ask for, is dropped and counted."""
    with ready(tmp_path / "others", NETWORK) as world:
        topic = world.ask("ann", "ann", [NETWORK.transaction.id])
        world.run(50)
        proof = world.inboxes[topic][-1]
    assert take(bob, encode(proof)) == Counter({"unknown kind": 1})


def test_own_words_that_come_back_are_let_pass(bob: World) -> None:
    """What a broker gives back to its author is neither counted nor refused."""
    own = Prepare(0, 0, 1, DIGEST, 1)
    heard(bob)
    assert take(bob, packet_of(own, sign(own))) == Counter()
    assert heard(bob) == []


# Form and limits, which come before signatures.


def wide(data: bytes) -> bytes:
    """The same values with the outermost array header one step wider than needed."""
    assert data[0] & 0xF0 == 0x90
    return b"\xdc\x00" + bytes([data[0] & 0x0F]) + data[1:]


@pytest.mark.parametrize("message", MESSAGES, ids=KINDS)
def test_a_second_encoding_is_refused(bob: World, message: Any) -> None:
    """Wider headers or integers than needed, and bytes behind the end, are refused: one meaning, one
    encoding.
    """
    data = packet_of(message, sign(message))
    assert take(bob, wide(data)) == Counter({"not_canonical": 1})
    assert take(bob, data[:1] + b"\xcc" + data[1:]) == Counter({"not_canonical": 1})
    assert take(bob, data + b"\x00") == Counter({"malformed": 1})
    assert take(bob, data[:-1]) == Counter({"malformed": 1})


def test_a_packet_over_the_limit_is_not_even_decoded(bob: World) -> None:
    """One byte above the limit is refused for its size, whatever it holds; at the limit its form is
    judged.
    """
    assert take(bob, b"\x00" * (MAX_PACKET + 1)) == Counter({"size": 1})
    assert take(bob, b"\xc1" * MAX_PACKET) == Counter({"malformed": 1})
    with pytest.raises(DecodeError, match="size"):
        decode_frame(b"\x00" * (MAX_FRAME + 1))


def test_too_many_of_anything_are_refused_by_form() -> None:
    """Batches, bodies, inquiries, questions and frames above their limits do not decode (R29)."""
    digests = (DIGEST,) * (MAX_BATCH + 1)
    batch = msgspec.structs.replace(BATCH, requests=digests)
    certificate = CommitCertificate(0, 0, 1, DIGEST, ())
    body = TransactionPacket(SEALED.transaction, None)
    too_much = [
        Proposal(PrePrepare(0, 0, 1, DIGEST, 0), bytes(64), batch),
        Signed(FetchRequests(0, digests, 0), bytes(64)),
        SignedInquiry(Inquiry(0, bytes(8), bytes(8), digests[: MAX_ASKED + 1]), bytes(64)),
        CommittedBatch(Decided(batch, certificate, None, True), ()),
        CommittedBatch(Decided(BATCH, certificate, None, True), (body,) * (MAX_BATCH + 1)),
        CommittedBatch(
            Decided(
                BATCH,
                msgspec.structs.replace(certificate, signatures=((0, bytes(64)),) * (MAX_REPLICAS + 1)),
                None,
                True,
            ),
            (),
        ),
    ]
    for packet in too_much:
        with pytest.raises(DecodeError, match="shape"):
            decode_packet(encode(packet))
    with pytest.raises(DecodeError, match="shape"):
        decode_frame(encode(Frame(1, 0, (b"",) * 10_001)))


def test_a_blob_over_the_limit_is_refused_by_form() -> None:
    """Ciphertext longer than the largest bucket, or more slots than the largest, do not decode."""
    blob = SEALED.blob
    for other in (Blob(bytes(65_536 + 17), blob.slots), Blob(blob.ciphertext, (bytes(80),) * 33)):
        with pytest.raises(DecodeError, match="shape"):
            decode_packet(encode(TransactionPacket(SEALED.transaction, other)))


def test_numbers_out_of_range_are_refused_by_form() -> None:
    """Negative numbers, heights of zero and numbers from 2**53 on are no counters."""
    for name, value in (
        ("sequence", 0),
        ("sequence", -1),
        ("view", 2**53),
        ("epoch", -1),
        ("replica", MAX_REPLICAS),
    ):
        message = msgspec.structs.replace(MESSAGES[1], **{name: value})
        with pytest.raises(DecodeError, match="shape"):
            decode_packet(encode(Signed(message, bytes(64))))


def test_structure_is_judged_before_signatures(bob: World) -> None:
    """What cannot count is refused for that, although its signatures are bad too: no time is spent
    on them.
    """
    junk = tuple((replica, bytes(64)) for replica in range(3))
    certificate = CommitCertificate(0, 0, 1, BATCH.digest(), junk)
    few = msgspec.structs.replace(certificate, signatures=junk[:2])
    twice = msgspec.structs.replace(certificate, signatures=(junk[0], junk[0], junk[0]))
    stranger = msgspec.structs.replace(certificate, signatures=(*junk[:2], (4, bytes(64))))
    other = msgspec.structs.replace(certificate, digest=DIGEST)
    for wrong, reason in (
        (few, "too few votes"),
        (twice, "voters not in ascending order"),
        (stranger, "voter is no member"),
        (other, "certificate is for another batch"),
        (certificate, "bad signature"),
    ):
        packet = CommittedBatch(Decided(BATCH, wrong, None, True), ())
        assert take(bob, encode(packet)) == Counter({reason: 1})
    far = msgspec.structs.replace(BATCH, sequence=1000)
    packet = CommittedBatch(Decided(far, certificate, None, True), ())
    assert take(bob, encode(packet)) == Counter({"outside watermarks": 1})


# Anything at all.


@given(st.binary(max_size=400))
def test_arbitrary_bytes_decode_or_are_refused(data: bytes) -> None:
    """Whatever bytes come, decoding gives a packet or raises DecodeError with a known reason."""
    for decode in (decode_packet, decode_frame):
        try:
            decode(data)
        except DecodeError as error:
            assert error.reason in REASONS


def valid_packets() -> list[bytes]:
    """One valid packet of each kind."""
    packets = [packet_of(message, sign(message)) for message in MESSAGES]
    commits = [Commit(0, 0, 1, BATCH.digest(), replica) for replica in range(3)]
    certificate = CommitCertificate(
        0, 0, 1, BATCH.digest(), tuple((each.replica, sign(each)) for each in commits)
    )
    body = TransactionPacket(SEALED.transaction, SEALED.blob)
    packets.append(encode(body))
    packets.append(encode(TransactionPacket(NETWORK.transaction, None)))
    packets.append(encode(CommittedBatch(Decided(BATCH, certificate, None, True), (body,))))
    return packets


VALID = valid_packets()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(seed=st.integers(0, 2**32), junk=st.binary(max_size=60))
def test_a_node_survives_whatever_comes(bob: World, seed: int, junk: bytes) -> None:
    """Arbitrary and mutated packets raise nothing; each is taken, let pass, or counted with a known
    reason.
    """
    source = random.Random(seed)
    data = bytearray(source.choice(VALID))
    for _ in range(source.randint(1, 4)):
        place = source.randrange(len(data))
        action = source.randrange(4)
        if action == 0:
            data[place] ^= 1 << source.randrange(8)
        elif action == 1:
            data[place:place] = junk
        elif action == 2:
            del data[place : place + source.randint(1, 20)]
        else:
            data[place] = source.choice((0xC0, 0x90, 0xDD, 0xFF, 0xC6, 0x00))
        data = data or bytearray(b"\x90")
    assert set(take(bob, bytes(data))) | set(take(bob, junk)) <= set(REASONS)
    assert bob.node("bob").failed == ""


def test_corruption_on_the_way_is_like_loss(tmp_path: Path) -> None:
    """A broker that flips a bit in every fourth packet slows the network down and deceives nobody (P08)."""
    source = random.Random(5)

    def corrupt(receiver: str, topic: str, data: bytes) -> bytes:
        if source.random() > 0.25:
            return data
        wrong = bytearray(data)
        wrong[source.randrange(len(wrong))] ^= 1 << source.randrange(8)
        return bytes(wrong)

    with World(tmp_path, NETWORK) as world:
        world.tap = corrupt
        world.settle([NETWORK.transaction.id], within_ms=60_000)
        world.settle(world.send(8), within_ms=60_000)
        refused = sum((world.reasons(name) for name in world.up), Counter[str]())
        assert refused["bad signature"] > 3
        assert all(world.node(name).failed == "" for name in world.up)
