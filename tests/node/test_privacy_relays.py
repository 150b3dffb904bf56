"""What relays, copiers and recipients can do with an envelope: failure modes P08, P09 and P12."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from small_consortium import (
    PARTIES,
    check,
    decode_transaction,
    encode_transaction,
    read,
    resigned,
    seeded,
    send,
    sign_blob,
    slots_of_a_lie,
)

from node.canonical import DecodeError
from node.envelopes.content_key import ContentKey
from node.envelopes.envelope import NotAParty, Unreadable, open_with, unseal
from node.envelopes.payload import Payload
from node.envelopes.transaction import (
    Blob,
    PrivateTransaction,
    core_digest,
    decode_blob,
    encode_blob,
    owner_of,
)

DEAL: dict[str, Any] = {"amount": 100, "blob": bytes(range(96)), "word": "a very private word"}
SEALED = send(DEAL, to=["bob", "carol"])
CORE = SEALED.transaction.header.core


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
    assert {"signature", "network", "policy", "bucket", "blob_hash", "shape", "malformed"} <= reasons


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
    assert check(*envelope) is None
    with pytest.raises(Unreadable, match="payload_root") as refusal:
        unseal(*envelope, PARTIES["bob"].wrapping)
    assert refusal.value.proof is not None
    assert refusal.value.proof.verify(PARTIES["dave"].signing.public) == "payload_root"
    assert refusal.value.proof.verify(PARTIES["alice"].signing.public) is None


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
        send(DEAL | {"amount": 101}, sender="bob", to=["alice"]).transaction.header.core,
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
    other = Payload.build(DEAL | {"amount": 101}, seeded("forger"))
    key = ContentKey(SEALED.content_key)
    forged = Blob(key.encrypt(other.plaintext(), core_digest(CORE)), SEALED.blob.slots)
    assert check(SEALED.transaction, forged) == "blob_hash"
    with pytest.raises(Unreadable, match="blob_hash"):
        open_with(SEALED.transaction, forged, SEALED.content_key)
    with pytest.raises(Unreadable, match="content_key"):
        open_with(SEALED.transaction, SEALED.blob, bytes(32))
