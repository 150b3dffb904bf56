"""Transactions: their bytes, their id, and every reason to refuse one."""

from __future__ import annotations

import hashlib
from typing import Any

import msgpack
import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from small_consortium import (
    MAX_VALIDITY,
    NETWORK,
    PARTIES,
    POLICY,
    check,
    decode_transaction,
    encode_transaction,
    resigned,
    send,
    sign_blob,
)

from node.canonical import DecodeError, encode
from node.envelopes.keys import SigningKey
from node.envelopes.transaction import (
    BLOB_LIMIT,
    TRANSACTION_LIMIT,
    Blob,
    CoreHeader,
    PrivateTransaction,
    SealPart,
    check_transaction,
    core_digest,
    decode_blob,
    encode_blob,
    signed_bytes,
)

SEALED = send({"price": 800}, to=["bob", "carol"])
TRANSACTION, BLOB = SEALED.transaction, SEALED.blob
CORE = TRANSACTION.header.core


def test_transactions_and_blobs_survive_their_encoding() -> None:
    """What is decoded equals what was encoded."""
    assert decode_transaction(encode_transaction(TRANSACTION)) == TRANSACTION
    assert decode_blob(encode_blob(BLOB)) == BLOB


def test_the_bytes_are_as_documented() -> None:
    """Core digest, id, hashes and signature recomputed with another MessagePack library are the same."""
    tag, header, signature = msgpack.unpackb(encode_transaction(TRANSACTION))
    core, ciphertext_hash, slots_hash = header
    ciphertext, slots, shares = msgpack.unpackb(encode_blob(BLOB))
    assert tag == 1
    assert core[:4] == [NETWORK, 1, 1, "alice"] and core[5:8] == [POLICY, 1, 100]
    assert [len(core[4]), len(core[8]), len(core[9])] == [16, 32, 32]
    assert (
        core[10:] == [256, 4, 0, None]
        and shares == []
        and len(ciphertext) == 256 + 16
        and list(map(len, slots)) == [80] * 4
    )
    digest = hashlib.sha256
    assert digest(b"privity/v1/core\x00" + msgpack.packb(core)).digest() == core_digest(CORE)
    assert digest(b"privity/v1/tx\x00" + msgpack.packb(header)).digest() == TRANSACTION.id
    assert digest(b"privity/v1/ciphertext\x00" + ciphertext).digest() == ciphertext_hash
    assert digest(b"privity/v1/slots\x00" + b"".join(slots)).digest() == slots_hash
    signed = b"privity/v1/tx\x00" + msgpack.packb(header)
    assert PARTIES["alice"].signing.public.verify(signature, signed)


def test_the_id_does_not_depend_on_the_signature() -> None:
    """The signature is outside the id: another valid signature makes no second transaction."""
    other = PrivateTransaction(TRANSACTION.header, bytes(64))
    assert other.id == TRANSACTION.id


def test_the_largest_transaction_and_blob_are_within_their_limits() -> None:
    """The limits of decoding leave room for the longest name and the largest buckets."""
    core = msgspec.structs.replace(
        CORE, sender="\U0001f600" * 32, valid_from=2**53 - 2, valid_until=2**53 - 1, size_bucket=65536
    )
    seal = SealPart("s" * 32, (bytes(32),) * 16)
    core = msgspec.structs.replace(core, seal=seal)
    transaction = resigned(
        PrivateTransaction(msgspec.structs.replace(TRANSACTION.header, core=core), bytes(64)), "alice"
    )
    assert decode_transaction(encode_transaction(transaction)) == transaction
    blob = Blob(bytes(65536 + 16), (bytes(80),) * 32, (bytes(96),) * 16)
    assert decode_blob(encode_blob(blob)) == blob
    assert len(encode_blob(blob)) > BLOB_LIMIT - 40


REASONS: dict[str, dict[str, Any]] = {
    "network": {"network": bytes(32)},
    "policy": {"policy": bytes(32)},
    "validity": {"valid_from": 101},
    "bucket": {"slot_bucket": 5},
    "blob_size": {"size_bucket": 512},
    "blob_slots": {"slot_bucket": 8},
    "blob_hash": {"slots_hash": bytes(32)},
    "signature": {"valid_until": 99},
}
MORE_REASONS: list[tuple[str, dict[str, Any]]] = [
    *REASONS.items(),
    ("version", {"version": 2}),
    ("version", {"version": 0}),
    ("version", {"suite": 2}),
    ("validity", {"valid_from": 2, "valid_until": MAX_VALIDITY + 3}),
    ("bucket", {"size_bucket": 0}),
    ("bucket", {"size_bucket": 300}),
    ("bucket", {"size_bucket": 131072}),
    ("bucket", {"slot_bucket": 64}),
    ("bucket", {"slot_bucket": 0}),
    ("blob_hash", {"ciphertext_hash": bytes(32)}),
    ("signature", {"nonce": bytes(16)}),
    ("signature", {"payload_root": bytes(32)}),
    ("signature", {"key_commit": bytes(32)}),
]


def test_an_honest_transaction_is_accepted() -> None:
    """Nothing is held against a transaction that was sealed as it should be, with its blob or without."""
    assert check(TRANSACTION, BLOB) is None
    assert check(TRANSACTION, None) is None


def altered(changes: dict[str, Any]) -> PrivateTransaction:
    """The honest transaction with these fields changed, under its old signature."""
    return PrivateTransaction(resigned(TRANSACTION, "alice", **changes).header, TRANSACTION.signature)


@pytest.mark.parametrize(("reason", "changes"), MORE_REASONS)
def test_every_reason_to_refuse(reason: str, changes: dict[str, Any]) -> None:
    """Each field that is not as it should be is refused with its own token."""
    assert check(altered(changes), BLOB) == reason


@pytest.mark.parametrize("reason", [reason for reason in REASONS if reason != "signature"])
def test_a_good_signature_excuses_nothing(reason: str) -> None:
    """The same faults are refused when the sender itself signed them."""
    assert check(resigned(TRANSACTION, "alice", **REASONS[reason]), BLOB) == reason


@pytest.mark.parametrize("position", range(len(REASONS) - 1))
def test_what_costs_little_is_checked_first(position: int) -> None:
    """With several faults at once the cheapest to find is named; the signature comes last."""
    reasons = list(REASONS)
    changes: dict[str, Any] = {}
    for reason in reversed(reasons[position:]):
        changes |= REASONS[reason]
    assert check(altered(changes), BLOB) == reasons[position]


def test_the_longest_validity_is_accepted() -> None:
    """A window as long as the longest allowed, and one of a single height, are accepted."""
    for window in ({"valid_from": 7, "valid_until": 7}, {"valid_from": 7, "valid_until": 7 + MAX_VALIDITY}):
        assert check(resigned(TRANSACTION, "alice", **window), None) is None


def test_only_the_named_sender_can_have_signed() -> None:
    """Another member's signature, and another's name over one's own, are refused."""
    assert check(resigned(TRANSACTION, "bob"), BLOB) == "signature"
    assert check(resigned(TRANSACTION, "alice", sender="bob"), BLOB) == "signature"


def test_the_blob_must_be_the_one_that_was_signed() -> None:
    """A blob of another transaction, with slots in another order, too few or cut, is refused."""
    other = send({"price": 801}, seed="other").blob
    shuffled = Blob(BLOB.ciphertext, BLOB.slots[::-1])
    fewer = Blob(BLOB.ciphertext, BLOB.slots[:3])
    ragged = Blob(BLOB.ciphertext, (BLOB.slots[0] + BLOB.slots[1][:1], BLOB.slots[1][1:], *BLOB.slots[2:]))
    cut = Blob(BLOB.ciphertext[:-1], BLOB.slots)
    reasons = [check(TRANSACTION, blob) for blob in (other, shuffled, fewer, ragged, cut)]
    assert reasons == ["blob_hash", "blob_hash", "blob_slots", "blob_slots", "blob_size"]


@given(st.binary(max_size=400))
@example(encode_transaction(TRANSACTION)[:-1])
@example(encode_blob(BLOB) + b"\x00")
@example(b"\x92" + b"\xff" * 200)
def test_no_bytes_raise_anything_but_decode_error(data: bytes) -> None:
    """Any bytes are refused with DecodeError, or encode again to themselves."""
    for decode, again in ((decode_transaction, encode_transaction), (decode_blob, encode_blob)):
        try:
            value: Any = decode(data)
        except DecodeError:
            continue
        assert again(value) == data


def test_size_is_looked_at_before_content() -> None:
    """More bytes than any transaction or blob can have are refused unread."""
    for decode, limit in ((decode_transaction, TRANSACTION_LIMIT), (decode_blob, BLOB_LIMIT)):
        with pytest.raises(DecodeError, match="size"):
            decode(bytes(limit + 1))


@pytest.mark.parametrize(
    "changes",
    [
        {"network": bytes(31)},
        {"nonce": bytes(17)},
        {"sender": ""},
        {"sender": "x" * 33},
        {"valid_from": -1},
        {"valid_until": 2**53},
        {"payload_root": b""},
        {"size_bucket": 2**32},
        {"sender": b"alice"},
    ],
)
def test_fields_out_of_range_do_not_decode(changes: dict[str, Any]) -> None:
    """Lengths and ranges of the header's fields are the decoder's business."""
    core = {name: getattr(CORE, name) for name in CoreHeader.__struct_fields__} | changes
    header = [list(core.values()), TRANSACTION.header.ciphertext_hash, TRANSACTION.header.slots_hash]
    with pytest.raises(DecodeError, match="shape"):
        decode_transaction(encode([1, header, TRANSACTION.signature]))


def test_another_kind_of_transaction_does_not_decode() -> None:
    """The tag says what kind it is, and this decoder knows one kind."""
    fields = msgpack.unpackb(encode_transaction(TRANSACTION))
    with pytest.raises(DecodeError, match="shape"):
        decode_transaction(msgpack.packb([2, *fields[1:]]))


def test_the_judge_needs_the_senders_key_alone() -> None:
    """A stranger who was never a member checks signature and form with public facts."""
    stranger = SigningKey.generate(lambda count: bytes(count)).public
    arguments: dict[str, Any] = {"network": NETWORK, "policy": POLICY, "max_validity": MAX_VALIDITY}
    assert check_transaction(TRANSACTION, BLOB, sender_key=stranger, **arguments) == "signature"
    known = PARTIES["alice"].signing.public
    assert check_transaction(TRANSACTION, BLOB, sender_key=known, **arguments) is None


def test_a_transaction_signs_exactly_its_header() -> None:
    """Every part of the header is under the signature: no two headers give the same signed bytes."""
    transactions = [TRANSACTION, *(altered(changes) for _, changes in MORE_REASONS)]
    assert len({signed_bytes(transaction.header) for transaction in transactions}) == len(transactions)
    assert sign_blob(CORE, BLOB)[0] == TRANSACTION
