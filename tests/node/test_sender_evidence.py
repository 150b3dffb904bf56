"""A sender who tells two readers two things is proved a liar by their nodes, and nobody else ever is."""

from __future__ import annotations

import contextlib
import os
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from node import sender_evidence
from node.canonical import DecodeError, encode
from node.chain.store import DELIVERED, NOT_PARTY, PURGED, REFUSED, UNREADABLE
from node.consortium import Network, Policy
from node.envelopes.content_key import ContentKey
from node.envelopes.envelope import Sealed, Unreadable, open_with
from node.envelopes.sender_proof import SenderProof, decode_proof, encode_proof
from node.envelopes.transaction import Blob, PrivateTransaction, core_digest, signed_bytes, slots_hash
from node.faults.two_tales import TwoTales, other_tale, tell_two_tales
from node.private_files import FILE_MODE
from node.sender_evidence import FOLDER, Blamed, judge, judge_bytes, kept_proofs, lie_in_words
from node.wire import TransactionPacket
from tests.node.network_of_nodes import PARTIES, STRANGER, CrashPlan, World, founded, ready, sealed_for
from tests.node.off_chain_world import hand_over, off_chain, outgoing, send, state
from tests.node.small_consortium import seeded

OFFER = {"value": 1_200_000, "goods": "machine tools"}
FUZZED = int(os.environ.get("PRIVITY_FRAMING", 400))
LIES = {"bob": "slots", "cyd": "wrapped_key"}


def two_tales(network: Network, *, seed: object = 0, keep: int = 0) -> TwoTales:
    """ann tells cyd something else than bob."""
    honest = sealed_for(network, OFFER, to=("bob", "cyd"), seed=seed, keep=keep)
    cyd = PARTIES["cyd"].wrapping.public
    return tell_two_tales(honest, other_tale(OFFER), [cyd], PARTIES["ann"].signing, seeded(f"lie {seed}"))


def publish(world: World, sealed: Sealed) -> bytes:
    """Hand it to everybody; the id."""
    packet = TransactionPacket(sealed.transaction, sealed.blob)
    world.publish(world.topics.transactions, encode(packet))
    return sealed.transaction.id


def settled(world: World, sealed: Sealed) -> bytes:
    identifier = publish(world, sealed)
    world.settle([identifier])
    return identifier


def proofs(world: World, name: str) -> list[bytes]:
    return [data for _, data in kept_proofs(world.home(name))]


def blames(world: World, name: str) -> list[dict[str, Any]]:
    return [each for each in world.events[name] if each["ev"] == "payload.sender_blamed"]


def test_p06_both_readers_prove_it_and_the_block_stands(tmp_path: Path) -> None:
    """P06, P49: each reader keeps a proof that needs no key to be judged; no block differs."""
    network = founded(voters=4, followers=1)
    tales = two_tales(network)
    with ready(tmp_path, network) as world:
        identifier = settled(world, tales.told)
        assert len(world.heads()) == 1
        states = {name: state(world, name, identifier) for name in network.names}
        assert states == dict.fromkeys(("ann", "bob", "cyd"), UNREADABLE) | dict.fromkeys(
            ("dan", "eve"), NOT_PARTY
        )
        assert {name for name in network.names if proofs(world, name)} == {"bob", "cyd"}
        for name, lie in LIES.items():
            (data,) = proofs(world, name)
            # A fresh judge: the genesis, and no key of anybody.
            stranger = Network(network.transaction)
            assert judge_bytes(stranger, data) == Blamed(identifier, "ann", lie)
            (event,) = blames(world, name)
            assert (event["party"], event["reason_code"], event["tx"]) == ("ann", lie, identifier.hex()[:8])
            (path,) = (world.home(name) / FOLDER).iterdir()
            assert path.stat().st_mode & 0o777 == FILE_MODE
        assert not any(blames(world, name) for name in ("ann", "dan", "eve"))


def test_p06_the_other_content_is_refused_on_its_way(tmp_path: Path) -> None:
    """P06: the second content, encrypted for the same header, is no blob of this transaction."""
    with ready(tmp_path, founded()) as world:
        tales = two_tales(world.network)
        dropped = world.hand("cyd", encode(TransactionPacket(tales.other.transaction, tales.other.blob)))
        assert dropped["blob_hash"] == 1
        assert settled(world, tales.told) and len(proofs(world, "cyd")) == 1


def test_p49_a_proof_is_durable_before_the_payload_is_judged(tmp_path: Path) -> None:
    """P49: whenever the node dies, it ends with one proof, and after a restart tells of it no second time."""
    for at in range(0, 60, 6):
        with ready(tmp_path / str(at), founded(), seed=at) as world:
            tales = two_tales(world.network)
            world.crash_plan = CrashPlan("cyd", world.effects["cyd"] + at)
            identifier = publish(world, tales.told)
            world.run(3000)
            if "cyd" not in world.up:
                world.start("cyd")
            world.settle([identifier])
            assert state(world, "cyd", identifier) == UNREADABLE
            assert len(proofs(world, "cyd")) == 1, at
            told = len(blames(world, "cyd"))
            world.stop("cyd")
            world.start("cyd")
            world.run(500)
            assert len(blames(world, "cyd")) == told


def test_p49_an_honest_run_keeps_no_proof(tmp_path: Path) -> None:
    """P49: whoever reads what it should has nothing to prove, and so nothing that could leak."""
    with ready(tmp_path, founded(voters=4, followers=1)) as world:
        identifiers = [
            settled(world, sealed_for(world.network, OFFER, to=("bob", "cyd"), seed=n)) for n in range(3)
        ]
        assert {state(world, "bob", each) for each in identifiers} == {DELIVERED}
        assert not any(proofs(world, name) or blames(world, name) for name in world.network.names)
        assert not any((world.home(name) / FOLDER).exists() for name in world.network.names)


def test_p49_who_got_another_key_shows_nothing_of_the_content() -> None:
    """P49: the proof of the deceived holds the wrong key alone; with it nobody opens what the others read."""
    network = founded()
    tales = two_tales(network)
    proof = SenderProof(
        tales.told.transaction, tales.told.blob, tales.other.content_key, PARTIES["cyd"].wrapping.public.raw
    )
    assert judge(network, proof) == Blamed(tales.told.transaction.id, "ann", "wrapped_key")
    digest = core_digest(proof.transaction.header.core)
    assert ContentKey(proof.content_key).decrypt(proof.blob.ciphertext, digest) is None
    with pytest.raises(Unreadable, match="content_key"):
        open_with(proof.transaction, proof.blob, proof.content_key)
    secrets = [leaf.salt for leaf in tales.told.payload.leaves] + [tales.told.content_key, b"machine tools"]
    assert not any(secret in encode_proof(proof) for secret in secrets)


def test_p48_who_leaves_out_the_mandatory_reader_is_proved_so(tmp_path: Path) -> None:
    """P48: readers who refuse a payload for want of the regulator keep the proof, on chain and off."""
    for payload in ("on_chain", "off_chain"):
        network = founded(voters=4, followers=1, policy=Policy(payload=payload, always_to=("eve",)))
        with ready(tmp_path / payload, network) as world:
            sealed = sealed_for(network, OFFER, to=("bob",))
            if payload == "on_chain":
                settled(world, sealed)
                assert state(world, "bob", sealed.transaction.id) == REFUSED
            else:
                assert not hand_over(world, outgoing(network, sealed, ("bob",)), 600)
            (data,) = proofs(world, "bob")
            assert judge_bytes(network, data) == Blamed(sealed.transaction.id, "ann", "mandatory_reader")


def test_p06_off_chain_nothing_is_receipted_and_the_lie_is_kept(tmp_path: Path) -> None:
    """P06: handed over before any block, it gets no receipt, is never ordered, and is proved all the same."""
    with ready(tmp_path, off_chain(4)) as world:
        tales = two_tales(world.network)
        out = outgoing(world.network, tales.told, ("bob", "cyd"))
        assert not hand_over(world, out, 1500) and not out.receipts
        for name, lie in LIES.items():
            (data,) = proofs(world, name)
            assert judge_bytes(world.network, data) == Blamed(tales.told.transaction.id, "ann", lie)
            assert len(blames(world, name)) == 1  # However often it is delivered.
        assert send(world, ("bob", "cyd"), seed="clean")


def test_p42_a_proof_goes_with_the_payload(tmp_path: Path) -> None:
    """P42: a proof opens the payload, so it is erased with it; one that no height could erase is not kept."""
    with ready(tmp_path, founded()) as world:
        identifier = settled(world, two_tales(world.network, keep=2).told)
        assert proofs(world, "bob")
        for seed in range(3):
            settled(world, sealed_for(world.network, {"n": seed}, seed=f"more {seed}"))
        assert state(world, "bob", identifier) == PURGED
        assert not proofs(world, "bob") and not proofs(world, "cyd")
    with ready(tmp_path / "off", off_chain(4)) as world:
        tales = two_tales(world.network, keep=2)
        assert not hand_over(world, outgoing(world.network, tales.told, ("bob", "cyd")), 600)
        assert blames(world, "bob") and not proofs(world, "bob")


def test_p49_a_liar_fills_no_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P49: of one sender a bounded number of proofs is kept; a restart counts those that are there."""
    monkeypatch.setattr(sender_evidence, "KEPT_OF_EACH", 2)
    with ready(tmp_path, founded()) as world:
        for seed in range(2):
            settled(world, two_tales(world.network, seed=seed).told)
        world.stop("bob")
        world.start("bob")
        settled(world, two_tales(world.network, seed=3).told)
        assert (len(proofs(world, "bob")), len(blames(world, "bob"))) == (2, 3)


def test_p49_a_file_that_proves_nothing_blames_nobody(tmp_path: Path) -> None:
    """P49: rubbish in the folder, and a proof about an honest sender, are no evidence when read again."""
    network = founded()
    sealed = sealed_for(network, OFFER, to=("bob", "cyd"))
    harmless = SenderProof(sealed.transaction, sealed.blob, sealed.content_key, None)
    folder = tmp_path / FOLDER
    folder.mkdir()
    (folder / "00").write_bytes(b"\x91" * 300)
    (folder / sealed.transaction.id.hex()).write_bytes(encode_proof(harmless))
    assert [judge_bytes(network, data) for _, data in kept_proofs(tmp_path)] == [None, None]


def test_p49_a_judge_of_another_network_is_told_nothing() -> None:
    """P49: what was signed under another network or policy proves nothing here."""
    tales = two_tales(founded())
    proof = SenderProof(tales.told.transaction, tales.told.blob, tales.told.content_key, None)
    assert judge(founded(), proof) is not None
    for other in (founded(salt=1), founded(policy=Policy(always_to=("dan",)))):
        assert judge(other, proof) is None


def forgery(draw: random.Random, network: Network, honest: list[Sealed]) -> bytes:
    """What somebody with all public bytes, every reader's keys and keys of its own could show as a proof."""
    sealed, other = draw.choice(honest), draw.choice(honest)
    keys = [sealed.content_key, other.content_key, draw.randbytes(32)]
    digest = core_digest(sealed.transaction.header.core)
    keys += ContentKey(sealed.content_key).dummy(digest, draw.randrange(4))
    readers = [None, draw.randbytes(32), STRANGER.wrapping.public.raw]
    readers += [party.wrapping.public.raw for party in PARTIES.values()]
    slots = list(sealed.blob.slots)
    match draw.randrange(6):
        case 0:
            draw.shuffle(slots)
        case 1:
            slots[draw.randrange(len(slots))] = draw.choice(other.blob.slots)
        case 2:
            false = ContentKey(draw.randbytes(32))
            tales = tell_two_tales(
                sealed, OFFER, [PARTIES["cyd"].wrapping.public], STRANGER.signing, draw.randbytes
            )
            slots, keys = list(tales.told.blob.slots), [*keys, false.raw, tales.other.content_key]
    blob = Blob(draw.choice([sealed.blob.ciphertext, other.blob.ciphertext]), tuple(slots))
    if draw.random() < 0.4:
        blob = draw.choice([sealed.blob, other.blob])
    header, signature = sealed.transaction.header, sealed.transaction.signature
    match draw.randrange(4):
        case 0:
            header = msgspec.structs.replace(header, slots_hash=slots_hash(blob.slots))
        case 1:  # Signed by who shows it, in the name of the honest sender.
            header = msgspec.structs.replace(header, slots_hash=slots_hash(blob.slots))
            others = [PARTIES[name] for name in ("ann", "bob", "cyd") if name != header.core.sender]
            signer = draw.choice([STRANGER, *others])
            signature = signer.signing.sign(signed_bytes(header))
    transaction = PrivateTransaction(header, signature)
    data = bytearray(encode_proof(SenderProof(transaction, blob, draw.choice(keys), draw.choice(readers))))
    for _ in range(draw.choice([0, 0, 1, 3])):
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(data)


def test_p49_nobody_honest_is_framed_in_many_tries() -> None:
    """P49: of forgeries with everything that readers, liars and onlookers have, none blames the honest.

    PRIVITY_FRAMING says how many tries. That the judge can convict is seen beside it, each time.
    """
    network = founded()
    honest = [
        sealed_for(network, OFFER | {"n": n}, sender=sender, to=to, seed=f"{sender} {n}")
        for n, (sender, to) in enumerate(
            [("ann", ("bob", "cyd")), ("bob", ("cyd",)), ("dan", ("ann", "bob"))]
        )
    ]
    draw = random.Random("framing")
    whole = 0
    for _ in range(FUZZED):
        data = forgery(draw, network, honest)
        assert judge_bytes(network, data) is None
        with contextlib.suppress(DecodeError):
            decode_proof(data)
            whole += 1
    assert whole > FUZZED // 2, "most of them are proofs in form"
    lying = two_tales(network)
    proof = SenderProof(lying.told.transaction, lying.told.blob, lying.told.content_key, None)
    assert judge(network, proof) == Blamed(lying.told.transaction.id, "ann", "slots")


def test_every_lie_has_words() -> None:
    """What is proved is said to people; a lie without words of its own is one about the form."""
    words = {
        lie_in_words(lie)
        for lie in ("wrapped_key", "slots", "mandatory_reader", "ciphertext", "payload_root")
    }
    assert len(words) == 5 and lie_in_words("leaf_count") == "encrypted what is no payload"
