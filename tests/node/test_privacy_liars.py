"""What liars, relays and copiers can do to an envelope: P06, P08, P09 and P12 of the privacy failure modes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
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
    read,
    resigned,
    seeded,
    send,
    sign_blob,
)
from two_key_ciphertext import BLOCK, NONCE, two_key_ciphertext

from node.canonical import DecodeError
from node.content_key import ContentKey
from node.envelope import NotAParty, Unreadable, open_with, readers_of, unseal
from node.payload import Payload
from node.sender_proof import SenderProof, decode_proof, encode_proof
from node.transaction import (
    Blob,
    CoreHeader,
    PrivateTransaction,
    core_digest,
    decode_blob,
    decode_transaction,
    encode_blob,
    encode_transaction,
    owner_of,
    signed_bytes,
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


# P06. A sender who gives its readers different things under one hash.

LIARS_KEY, OTHER_KEY = ContentKey(seeded("liar")(32)), ContentKey(seeded("other")(32))
HONEST_PLAINTEXT = Payload.build(DEAL, seeded("honest")).plaintext()


def core_of_a_lie(**changes: Any) -> CoreHeader:
    """A header that commits to the liar's key and, unless changed, to the deal."""
    core = msgspec.structs.replace(CORE, key_commit=LIARS_KEY.commitment())
    root = Payload.build(DEAL, seeded("honest")).root(owner_of(core))
    return msgspec.structs.replace(core, payload_root=root, **changes)


def slots_of_a_lie(core: CoreHeader, wraps: Sequence[tuple[str, ContentKey]]) -> tuple[bytes, ...]:
    """For each name a slot that is derived from, and holds, the key beside it; then random bytes."""
    digest = core_digest(core)
    slots = [
        WRAPPING_KEYS[name].wrap(
            key.raw,
            info=WRAP_INFO + digest,
            ephemeral=key.ephemeral(digest, index, WRAPPING_KEYS[name].raw),
        )
        for index, (name, key) in enumerate(wraps)
    ]
    return (*slots, *(os.urandom(80) for _ in range(4 - len(slots))))


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
    "payload_root": ({}, Payload.build(DEAL | {"amount": 999}, seeded("honest")).plaintext()),
    "padding": ({}, unpadded(HONEST_PLAINTEXT).ljust(len(HONEST_PLAINTEXT), b"\x01")),
    "size_bucket": ({"size_bucket": 1024}, HONEST_PLAINTEXT.ljust(1024, b"\x00")),
    "length": ({}, bytes(len(HONEST_PLAINTEXT))),
    "malformed": ({}, (508).to_bytes(4, "big") + b"\xc1" * 508),
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
    """P06: a lie that alice signed proves nothing against bob, nor does one that nobody signed."""
    transaction, blob = lie(core_of_a_lie(), LIES["payload_root"][1])
    proof = SenderProof(transaction, blob, LIARS_KEY.raw, None)
    assert proof.verify(ALICE) == "payload_root"
    assert proof.verify(PARTIES["bob"].signing.public) is None
    unsigned = PrivateTransaction(transaction.header, SEALED.transaction.signature)
    assert SenderProof(unsigned, blob, LIARS_KEY.raw, None).verify(ALICE) is None


def test_p06_an_honest_sender_is_not_framed() -> None:
    """P06: with the true key, false keys, false readers and foreign blobs, no proof holds."""
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


@settings(max_examples=400)
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


# P08. A broker or relay that alters what it carries.


def flipped(data: bytes) -> Iterator[bytes]:
    """The data with one bit flipped, for each bit."""
    for place in range(len(data)):
        for bit in range(8):
            yield data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]


def secrets_in(text: str) -> list[str]:
    return [word for word in ("private", "amount", SEALED.content_key.hex()) if word in text]


def test_p08_no_flipped_bit_of_a_transaction_is_accepted() -> None:
    """P08: of all one-bit changes to a transaction none decodes and passes the checks, and none crashes."""
    reasons = set()
    for data in flipped(encode_transaction(SEALED.transaction)):
        try:
            reason = check(decode_transaction(data), SEALED.blob)
        except DecodeError as error:
            reason = error.reason
        assert reason is not None
        reasons.add(reason)
    assert {"signature", "network", "policy", "validity", "blob_hash", "shape", "malformed"} <= reasons


def test_p08_no_flipped_bit_of_a_blob_is_accepted_or_opened() -> None:
    """P08: of all one-bit changes to a blob none passes the checks, and no reader opens one."""
    for data in flipped(encode_blob(SEALED.blob)):
        try:
            blob = decode_blob(data)
        except DecodeError as error:
            assert secrets_in(f"{error} {error!r}") == []
            continue
        assert check(SEALED.transaction, blob) in {"blob_hash", "blob_size", "blob_slots"}
        with pytest.raises(Unreadable) as refusal:
            unseal(SEALED.transaction, blob, PARTIES["bob"].wrapping)
        assert secrets_in(f"{refusal.value} {refusal.value!r}") == []


def test_p08_nothing_altered_opens_even_if_no_signature_is_checked() -> None:
    """P08: a header changed in any bit never opens to anything: the ciphertext is bound to it."""
    opened = 0
    for data in flipped(encode_transaction(SEALED.transaction)):
        try:
            opened_with = open_with(decode_transaction(data), SEALED.blob, SEALED.content_key)
        except (DecodeError, Unreadable) as error:
            assert secrets_in(f"{error} {error!r}") == []
            continue
        assert opened_with.payload == SEALED.payload
        opened += 1
    assert opened == 64 * 8  # The signature, which is not opened with, has 64 bytes.


def test_p08_slots_exchanged_between_readers_are_noticed() -> None:
    """P08: slots or ciphertext of another envelope of the same sender are refused."""
    other = send(DEAL, to=["bob", "carol"], seed="other")
    mixed = [Blob(SEALED.blob.ciphertext, other.blob.slots), Blob(other.blob.ciphertext, SEALED.blob.slots)]
    assert [check(SEALED.transaction, blob) for blob in mixed] == ["blob_hash", "blob_hash"]


# P09. A copier who uses another's ciphertext, slots or commitment as its own.

REPLAYS: dict[str, dict[str, Any]] = {
    "another sender": {"sender": "dave"},
    "another nonce": {"nonce": bytes(16)},
    "another policy": {"policy": bytes(32)},
    "another network": {"network": bytes(32)},
    "another window": {"valid_until": 99},
}


@pytest.mark.parametrize("case", REPLAYS)
def test_p09_an_old_signature_does_not_cover_a_replay(case: str) -> None:
    """P09: a replay under another sender, nonce, policy, network or window is refused by every node."""
    replay = resigned(SEALED.transaction, "dave", **REPLAYS[case])
    unsigned = PrivateTransaction(replay.header, SEALED.transaction.signature)
    assert check(unsigned, SEALED.blob) in {"signature", "policy", "network"}


@pytest.mark.parametrize("case", REPLAYS)
def test_p09_a_replay_signed_anew_is_opened_by_nobody(case: str) -> None:
    """P09: signed by the copier, old slots and ciphertext open for no party, not even with the old key."""
    changes = {"sender": "dave"} | REPLAYS[case]
    replay = resigned(SEALED.transaction, "dave", **changes)
    assert check(replay, SEALED.blob) in {None, "policy", "network"}
    for name in PARTIES:
        with pytest.raises(NotAParty):
            unseal(replay, SEALED.blob, PARTIES[name].wrapping)
    with pytest.raises(Unreadable, match="ciphertext"):
        open_with(replay, SEALED.blob, SEALED.content_key)


@pytest.mark.parametrize("case", ["another sender", "another nonce", "another network"])
def test_p09_a_copied_commitment_cannot_be_opened(case: str) -> None:
    """P09: a copied payload root is not opened by what its true owner discloses, whatever is disclosed."""
    copy = resigned(SEALED.transaction, "dave", **({"sender": "dave"} | REPLAYS[case])).header.core
    assert copy.payload_root == CORE.payload_root
    assert SEALED.payload.root(owner_of(CORE)) == CORE.payload_root
    assert SEALED.payload.root(owner_of(copy)) != copy.payload_root


def test_p09_a_copier_who_wraps_the_stolen_key_is_proved_a_liar() -> None:
    """P09: one who knows the key and seals the copied commitment anew lies, and every reader proves it."""
    copy = msgspec.structs.replace(CORE, sender="dave", nonce=bytes(16))
    key = ContentKey(SEALED.content_key)
    slots = slots_of_a_lie(copy, [("bob", key)])
    blob = Blob(key.encrypt(SEALED.payload.plaintext(), core_digest(copy)), slots)
    envelope = sign_blob(copy, blob, "dave")
    found = complaint(*envelope, "bob")
    assert found.proof is not None
    assert found.proof.verify(PARTIES["dave"].signing.public) == "payload_root"
    assert found.proof.verify(ALICE) is None


# P12. Who said it, to those who were not there.


def test_p12_signature_and_content_key_convince_a_judge() -> None:
    """P12: a stranger with the sender's public key, the public bytes and K reads what the sender signed."""
    transaction = decode_transaction(encode_transaction(SEALED.transaction))
    blob = decode_blob(encode_blob(SEALED.blob))
    content_key = read(SEALED, "bob").content_key  # What bob hands over.
    assert check(transaction, blob) is None
    assert open_with(transaction, blob, content_key).payload.fields() == DEAL


def test_p12_a_recipient_cannot_speak_for_the_sender() -> None:
    """P12: with all its own keys, K and the sender's old signatures, a recipient attributes nothing new."""
    known = read(SEALED, "bob").payload
    forged = Payload(known.salt, known.leaves[::-1], known.padding, known.tree_root)
    changed_root = msgspec.structs.replace(CORE, payload_root=forged.root(bytes(32)))
    attempts = [
        send(DEAL | {"amount": 999}, sender="bob", to=["alice"]).transaction.header.core,
        changed_root,
        msgspec.structs.replace(CORE, nonce=bytes(16)),
        msgspec.structs.replace(CORE, key_commit=ContentKey(bytes(32)).commitment()),
    ]
    for core in attempts:
        core = msgspec.structs.replace(core, sender="alice")
        by_bob, blob = sign_blob(core, SEALED.blob, "bob")
        old_signature = PrivateTransaction(by_bob.header, SEALED.transaction.signature)
        assert [check(by_bob, blob), check(old_signature, blob)] == ["signature"] * 2


def test_p12_the_content_key_opens_one_content_only() -> None:
    """P12: no other content can be passed off as what was signed: the header fixes ciphertext and key."""
    other = Payload.build(DEAL | {"amount": 999}, seeded("forger"))
    key = ContentKey(SEALED.content_key)
    forged = Blob(key.encrypt(other.plaintext(), core_digest(CORE)), SEALED.blob.slots)
    assert check(SEALED.transaction, forged) == "blob_hash"
    with pytest.raises(Unreadable, match="blob_hash"):
        open_with(SEALED.transaction, forged, SEALED.content_key)
    with pytest.raises(Unreadable, match="content_key"):
        open_with(SEALED.transaction, SEALED.blob, bytes(32))
    assert signed_bytes(SEALED.transaction.header) not in encode_blob(SEALED.blob)
