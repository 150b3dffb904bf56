"""A sender who gives its readers different things under one hash: failure mode P06."""

from __future__ import annotations

import os
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import example, given, settings
from hypothesis import strategies as st
from small_consortium import (
    PARTIES,
    WRAP_INFO,
    WRAPPING_KEYS,
    check,
    hkdf,
    seeded,
    send,
    sign_blob,
    slots_of_a_lie,
)
from two_key_ciphertext import BLOCK, NONCE, two_key_ciphertext

from node.canonical import DecodeError
from node.envelopes.content_key import ContentKey
from node.envelopes.envelope import Unreadable, readers_of, unseal
from node.envelopes.payload import Payload
from node.envelopes.sender_proof import SenderProof, decode_proof, encode_proof
from node.envelopes.transaction import (
    Blob,
    CoreHeader,
    PrivateTransaction,
    core_digest,
    owner_of,
)

ALICE = PARTIES["alice"].signing.public
MEMBERS = tuple(WRAPPING_KEYS.values())
DEAL: dict[str, Any] = {"amount": 100, "blob": bytes(range(96)), "word": "a very private word"}
SEALED = send(DEAL, to=["bob", "carol"])
CORE = SEALED.transaction.header.core


def verdict(proof: SenderProof | None) -> str | None:
    """What a judge says who knows alice's and the members' public keys, and the proof as bytes."""
    assert proof is not None
    return decode_proof(encode_proof(proof)).verify(ALICE, MEMBERS)


def complaint(transaction: PrivateTransaction, blob: Blob, name: str) -> Unreadable:
    """What this party says after opening the envelope with its own key."""
    assert check(transaction, blob) is None  # In public nothing is wrong with it.
    with pytest.raises(Unreadable) as refusal:
        unseal(transaction, blob, PARTIES[name].wrapping)
    return refusal.value


LIARS_KEY, OTHER_KEY = ContentKey(seeded("liar")(32)), ContentKey(seeded("other")(32))
HONEST_PLAINTEXT = Payload.build(DEAL, seeded("honest")).plaintext()


def core_of_a_lie(**changes: Any) -> CoreHeader:
    """A header that commits to the liar's key and, unless changed, to the deal."""
    core = msgspec.structs.replace(CORE, key_commit=LIARS_KEY.commitment())
    root = Payload.build(DEAL, seeded("honest")).root(owner_of(core))
    return msgspec.structs.replace(core, payload_root=root, **changes)


def lie(core: CoreHeader, plaintext: bytes) -> tuple[PrivateTransaction, Blob]:
    """An envelope for alice, bob and carol in good public form, with any plaintext in it."""
    slots = slots_of_a_lie(core, [("alice", LIARS_KEY), ("bob", LIARS_KEY), ("carol", LIARS_KEY)])
    return sign_blob(core, Blob(LIARS_KEY.encrypt(plaintext, core_digest(core)), slots))


def test_p06_a_two_key_ciphertext_is_rejected_by_everybody() -> None:
    """P06: of one ciphertext that opens under two keys each reader rejects its half, and proves the lie."""
    core = core_of_a_lie()
    digest = core_digest(core)
    keys = hkdf(LIARS_KEY.raw, b"privity/v1/encrypt"), hkdf(OTHER_KEY.raw, b"privity/v1/encrypt")
    body = AESGCM(keys[0]).encrypt(NONCE, HONEST_PLAINTEXT, digest)[:-16]
    free = HONEST_PLAINTEXT.index(DEAL["blob"]) // BLOCK + 2  # Amid bytes of which any value parses.
    ciphertext = two_key_ciphertext(keys, body, digest, free)
    # The attack itself works: the library opens the one ciphertext under both keys, to different texts.
    assert len({AESGCM(key).decrypt(NONCE, ciphertext, digest) for key in keys}) == 2
    slots = slots_of_a_lie(core, [("alice", LIARS_KEY), ("bob", LIARS_KEY), ("carol", OTHER_KEY)])
    envelope = sign_blob(core, Blob(ciphertext, slots))
    bob, carol = complaint(*envelope, "bob"), complaint(*envelope, "carol")
    assert (bob.reason, carol.reason) == ("payload_root", "wrapped_key")
    assert (verdict(bob.proof), verdict(carol.proof)) == ("payload_root", "wrapped_key")


def test_p06_a_reader_with_another_key_is_a_lie_that_every_reader_can_prove() -> None:
    """P06: the reader who got another key proves it, and so does the one whose own payload is in order."""
    core = core_of_a_lie()
    slots = slots_of_a_lie(core, [("alice", LIARS_KEY), ("bob", LIARS_KEY), ("carol", OTHER_KEY)])
    envelope = sign_blob(core, Blob(LIARS_KEY.encrypt(HONEST_PLAINTEXT, core_digest(core)), slots))
    assert verdict(complaint(*envelope, "carol").proof) == "wrapped_key"
    assert unseal(*envelope, PARTIES["bob"].wrapping).payload.fields() == DEAL
    with pytest.raises(Unreadable, match="slots") as refusal:
        readers_of(*envelope, LIARS_KEY.raw, WRAPPING_KEYS)
    assert verdict(refusal.value.proof) == "slots"


def test_p06_a_wrong_key_wrapped_without_trace_is_proved_by_the_other_readers() -> None:
    """P06: a reader whose wrong key is derived from nothing rejects without proof; another reader has one."""
    core = core_of_a_lie()
    slots = list(slots_of_a_lie(core, [("alice", LIARS_KEY), ("bob", LIARS_KEY)]))
    slots[2] = WRAPPING_KEYS["carol"].wrap(
        bytes(32), info=WRAP_INFO + core_digest(core), ephemeral=os.urandom(32)
    )
    envelope = sign_blob(core, Blob(LIARS_KEY.encrypt(HONEST_PLAINTEXT, core_digest(core)), tuple(slots)))
    carol = complaint(*envelope, "carol")
    assert (carol.reason, carol.proof) == ("wrapped_key", None)
    with pytest.raises(Unreadable) as refusal:
        readers_of(*envelope, LIARS_KEY.raw, WRAPPING_KEYS)
    assert verdict(refusal.value.proof) == "slots"


def test_p06_a_good_slot_beside_a_wrong_one_is_found() -> None:
    """P06: a reader with two slots, the first of them wrong, still reads."""
    core = core_of_a_lie()
    slots = slots_of_a_lie(core, [("bob", OTHER_KEY), ("bob", LIARS_KEY)])
    envelope = sign_blob(core, Blob(LIARS_KEY.encrypt(HONEST_PLAINTEXT, core_digest(core)), slots))
    assert unseal(*envelope, PARTIES["bob"].wrapping).payload.fields() == DEAL


def unpadded(plaintext: bytes) -> bytes:
    return plaintext[: 4 + int.from_bytes(plaintext[:4], "big")]


LIES: dict[str, tuple[dict[str, Any], bytes]] = {
    "payload_root": ({}, Payload.build(DEAL | {"amount": 101}, seeded("honest")).plaintext()),
    "padding": ({}, unpadded(HONEST_PLAINTEXT).ljust(len(HONEST_PLAINTEXT), b"\x01")),
    "size_bucket": ({"size_bucket": 512}, HONEST_PLAINTEXT.ljust(512, b"\x00")),
    "length": ({}, bytes(len(HONEST_PLAINTEXT))),
    "malformed": ({}, (252).to_bytes(4, "big") + b"\xc1" * 252),
}


@pytest.mark.parametrize("reason", LIES)
def test_p06_what_decrypts_but_was_not_committed_to_is_a_proof(reason: str) -> None:
    """P06: every reader rejects another payload, a marked plaintext or rubbish, and proves it."""
    changes, plaintext = LIES[reason]
    envelope = lie(core_of_a_lie(**changes), plaintext)
    for name in ("alice", "bob", "carol"):
        found = complaint(*envelope, name)
        assert (found.reason, verdict(found.proof)) == (reason, reason)


def test_p06_what_does_not_decrypt_is_a_proof() -> None:
    """P06: a ciphertext of rubbish, signed, is proved against its sender."""
    core = core_of_a_lie()
    slots = slots_of_a_lie(core, [("bob", LIARS_KEY)])
    found = complaint(*sign_blob(core, Blob(bytes(core.size_bucket + 16), slots)), "bob")
    assert (found.reason, verdict(found.proof)) == ("ciphertext", "ciphertext")


def test_p06_a_proof_blames_only_its_signer() -> None:
    """P06, P49: a lie that alice signed proves nothing against bob, nor does one that nobody signed."""
    transaction, blob = lie(core_of_a_lie(), LIES["payload_root"][1])
    proof = SenderProof(transaction, blob, LIARS_KEY.raw, None)
    assert proof.verify(ALICE) == "payload_root"
    assert proof.verify(PARTIES["bob"].signing.public) is None
    unsigned = PrivateTransaction(transaction.header, SEALED.transaction.signature)
    assert SenderProof(unsigned, blob, LIARS_KEY.raw, None).verify(ALICE) is None


def test_p06_an_honest_sender_is_not_framed() -> None:
    """P06, P49: with the true key, false keys, false readers and foreign blobs, no proof holds."""
    other = send(DEAL, seed="other")
    key = ContentKey(SEALED.content_key)
    digest = core_digest(CORE)
    inside = [content for number in range(2) for content in key.dummy(digest, number)]
    keys = [SEALED.content_key, other.content_key, bytes(32), *inside]
    readers = [None, bytes(32), *(member.raw for member in MEMBERS)]
    for blob in (SEALED.blob, other.blob):
        for content_key in keys:
            for reader in readers:
                assert verdict(SenderProof(SEALED.transaction, blob, content_key, reader)) is None


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_p06_no_change_to_a_harmless_proof_makes_it_one(data: st.DataObject) -> None:
    """P06: a byte changed anywhere in a proof about an honest envelope gives no proof against the sender."""
    proof = SenderProof(SEALED.transaction, SEALED.blob, SEALED.content_key, WRAPPING_KEYS["bob"].raw)
    changed = bytearray(encode_proof(proof))
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        again = decode_proof(bytes(changed))
    except DecodeError:
        return
    assert again.verify(ALICE, MEMBERS) is None


@given(st.binary(max_size=300))
@example(encode_proof(SenderProof(SEALED.transaction, SEALED.blob, bytes(32), None))[:-1])
def test_p06_no_bytes_make_the_judge_fall_over(data: bytes) -> None:
    """P06: bytes that are no proof are refused with DecodeError."""
    with pytest.raises(DecodeError):
        decode_proof(data)
