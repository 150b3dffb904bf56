"""Envelopes: who can open one, what is found inside, and what is said when something is wrong."""

from __future__ import annotations

import hashlib
import os
from itertools import pairwise
from typing import Any

import msgpack
import msgspec
import pytest
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st
from small_consortium import (
    NETWORK,
    PARTIES,
    POLICY,
    WRAPPING_KEYS,
    check,
    hkdf,
    read,
    resigned,
    seeded,
    send,
    sign_blob,
)
from test_payload import DEAL, exactly, payload_fields

from node.envelopes.content_key import ContentKey
from node.envelopes.envelope import NotAParty, Unreadable, open_with, readers_of, seal, unseal
from node.envelopes.key_slots import make_slots
from node.envelopes.keys import PartyKeys
from node.envelopes.transaction import SLOT_BUCKETS, Blob, core_digest, owner_of
from node.errors import PrivityError

SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


def small(fields: dict[str, Any]) -> bool:
    """Below the limit of depth, which other tests look at."""
    return exactly(fields).count("[") + exactly(fields).count("{") < 8


@settings(max_examples=60, deadline=None)
@given(
    payload_fields.filter(small),
    st.sets(st.sampled_from(["bob", "carol", "dave", "erin", "frank"])),
    st.integers(0, 2**64),
)
def test_readers_read_and_nobody_else(fields: dict[str, Any], to: set[str], seed: int) -> None:
    """Every party named, and the sender, opens exactly what was sent; to the others it is not theirs."""
    sealed = send(fields, to=to, seed=seed)
    assert check(sealed.transaction, sealed.blob) is None
    for name in PARTIES:
        if name in {"alice", *to}:
            opened = read(sealed, name)
            assert exactly(opened.payload.fields()) == exactly(fields)
            assert opened.payload == sealed.payload
            assert opened.content_key == sealed.content_key
        else:
            with pytest.raises(NotAParty):
                read(sealed, name)
    assert readers_of(sealed.transaction, sealed.blob, sealed.content_key, WRAPPING_KEYS) == {"alice", *to}


def test_the_envelope_is_as_documented() -> None:
    """Commitment, ciphertext, order, ephemeral keys and dummies follow from the content key as written."""
    sealed = send(DEAL, to=["bob"])
    core, digest, key = (
        sealed.transaction.header.core,
        core_digest(sealed.transaction.header.core),
        sealed.content_key,
    )
    assert core.key_commit == hkdf(key, b"privity/v1/key-commit")
    plaintext = AESGCM(hkdf(key, b"privity/v1/encrypt")).decrypt(bytes(12), sealed.blob.ciphertext, digest)
    assert plaintext == sealed.payload.plaintext()
    owner = hashlib.sha256(b"privity/v1/owner\x00" + msgpack.packb([NETWORK, "alice", core.nonce])).digest()
    assert core.payload_root == sealed.payload.root(owner)

    inside = {}
    for name in ("alice", "bob"):
        inside[WRAPPING_KEYS[name].raw] = (PARTIES[name].wrapping.secret_bytes(), key)
    for number in range(2):
        both = hkdf(key, b"privity/v1/dummy" + digest + number.to_bytes(2, "big"), 64)
        public = x25519.X25519PrivateKey.from_private_bytes(both[:32]).public_key().public_bytes_raw()
        inside[public] = (both[:32], both[32:])
    ordered = sorted(inside, key=lambda public: hkdf(key, b"privity/v1/order" + digest + public))
    for index, public in enumerate(ordered):
        slot, (private, value) = sealed.blob.slots[index], inside[public]
        seed = hkdf(key, b"privity/v1/slot" + digest + index.to_bytes(2, "big") + public)
        ephemeral = x25519.X25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
        assert slot[:32] == ephemeral
        reader = x25519.X25519PrivateKey.from_private_bytes(private)
        assert SUITE.decrypt(slot, reader, info=b"privity/v1/wrap" + digest) == value


def test_order_of_the_readers_given_does_not_matter() -> None:
    """The same entropy and the same readers in another order, or one twice, give the same bytes."""
    first = send(DEAL, to=["bob", "carol", "dave"])
    assert send(DEAL, to=["dave", "bob", "carol", "bob", "alice"]).blob == first.blob


@pytest.mark.parametrize("others", [0, 3, 4, 7, 8, 15, 16, 31])
def test_slots_fill_their_bucket(others: int) -> None:
    """The number of slots is the smallest bucket that holds the readers, and each of them finds its own."""
    parties = [PartyKeys.generate(seeded(f"party {number}")) for number in range(others + 1)]
    sealed = seal(
        DEAL,
        readers=[party.wrapping.public for party in parties],
        network=NETWORK,
        sender="alice",
        policy=POLICY,
        valid_from=0,
        valid_until=9,
        signing_key=PARTIES["alice"].signing,
        entropy=os.urandom,
    )
    assert len(sealed.blob.slots) == min(bucket for bucket in SLOT_BUCKETS if bucket > others)
    assert sealed.transaction.header.core.slot_bucket == len(sealed.blob.slots)
    assert check(sealed.transaction, sealed.blob) is None
    for party in parties:
        assert unseal(sealed.transaction, sealed.blob, party.wrapping).payload.fields() == DEAL
    candidates = {str(number): party.wrapping.public for number, party in enumerate(parties)} | WRAPPING_KEYS
    found = readers_of(sealed.transaction, sealed.blob, sealed.content_key, candidates)
    assert found == {str(number) for number in range(others + 1)}


def test_too_many_readers_are_refused() -> None:
    """At most 31 readers beside the sender: the 32nd is an error of the user, with its code."""
    keys = [PartyKeys.generate(seeded(number)).wrapping.public for number in range(33)]
    with pytest.raises(PrivityError) as refusal:
        seal(
            DEAL,
            readers=keys,
            network=NETWORK,
            sender="alice",
            policy=POLICY,
            valid_from=0,
            valid_until=9,
            signing_key=PARTIES["alice"].signing,
            entropy=os.urandom,
        )
    assert refusal.value.code == "E-LIMIT"
    assert "not 32" in refusal.value.what


def test_too_much_is_refused() -> None:
    """A payload over the largest size bucket is an error of the user, with its code."""
    with pytest.raises(PrivityError) as refusal:
        send({"text": "x" * 65536})
    assert refusal.value.code == "E-LIMIT"


def test_an_altered_blob_is_not_mistaken_for_somebody_elses() -> None:
    """A reader whose slot was damaged on the way says unreadable, not "not mine", and blames nobody."""
    sealed = send(DEAL)
    for index in range(4):
        slots = list(sealed.blob.slots)
        slots[index] = bytes([slots[index][0] ^ 1]) + slots[index][1:]
        for name in ("alice", "bob", "carol"):
            with pytest.raises(Unreadable) as refusal:
                unseal(sealed.transaction, Blob(sealed.blob.ciphertext, tuple(slots)), PARTIES[name].wrapping)
            assert (refusal.value.reason, refusal.value.proof) == ("blob_hash", None)


def test_a_stranger_with_the_content_key_reads() -> None:
    """Whoever is given the content key opens the payload; another key opens nothing and proves nothing."""
    sealed = send(DEAL)
    assert open_with(sealed.transaction, sealed.blob, sealed.content_key).payload == sealed.payload
    for use in (open_with, lambda *all_three: readers_of(*all_three, WRAPPING_KEYS)):
        with pytest.raises(Unreadable) as refusal:
            use(sealed.transaction, sealed.blob, bytes(32))
        assert (refusal.value.reason, refusal.value.proof) == ("content_key", None)
        with pytest.raises(Unreadable) as refusal:
            use(sealed.transaction, send(DEAL, seed=1).blob, sealed.content_key)
        assert (refusal.value.reason, refusal.value.proof) == ("blob_hash", None)


def test_the_slots_tell_who_reads_only_with_the_content_key() -> None:
    """A slot for a key that is no candidate is a lie about the slots, and a subset of readers shows it."""
    sealed = send(DEAL, to=["bob", "carol"])
    without_carol = {name: key for name, key in WRAPPING_KEYS.items() if name != "carol"}
    with pytest.raises(Unreadable) as refusal:
        readers_of(sealed.transaction, sealed.blob, sealed.content_key, without_carol)
    assert refusal.value.reason == "slots"


def test_slots_out_of_order_or_doubled_are_lies() -> None:
    """The order of the slots and the dummies are checked as well as the readers' own slots."""
    sealed = send(DEAL, to=["bob"], seed=1)  # One whose first 4 of 8 slots have a reader's among them.
    core, key = sealed.transaction.header.core, ContentKey(sealed.content_key)
    digest = core_digest(core)
    readers = [WRAPPING_KEYS["alice"], WRAPPING_KEYS["bob"]]
    slots = sealed.blob.slots
    swapped = [tuple((*slots[:i], slots[j], slots[i], *slots[j + 1 :])) for i, j in pairwise(range(4))]
    doubled = make_slots(key, digest, [*readers, readers[1]], 4)
    of_another_bucket = make_slots(key, digest, readers, 8)[:4]
    random_dummies = tuple(
        slot
        if any(
            PARTIES[name].wrapping.unwrap(slot, info=b"privity/v1/wrap" + digest) for name in ("alice", "bob")
        )
        else os.urandom(80)
        for slot in slots
    )
    for lie in (*swapped, doubled, of_another_bucket, random_dummies):
        transaction, blob = sign_blob(core, Blob(sealed.blob.ciphertext, lie))
        assert check(transaction, blob) is None
        with pytest.raises(Unreadable) as refusal:
            readers_of(transaction, blob, sealed.content_key, WRAPPING_KEYS)
        assert refusal.value.reason == "slots"
        assert refusal.value.proof is not None
        verdict = refusal.value.proof.verify(PARTIES["alice"].signing.public, WRAPPING_KEYS.values())
        assert verdict == "slots"


def test_the_owner_is_network_sender_and_nonce() -> None:
    """Each of the three changes the owner that the payload root is bound to."""
    transaction = send(DEAL).transaction
    changes: list[dict[str, Any]] = [{}, {"network": bytes(32)}, {"sender": "bob"}, {"nonce": bytes(16)}]
    owners = {owner_of(resigned(transaction, "alice", **change).header.core) for change in changes}
    assert len(owners) == 4


def test_every_sealing_takes_fresh_bytes() -> None:
    """Nonce, content key, salts and padding come from the entropy given, each part of it used once."""
    drawn: list[bytes] = []

    def recording(count: int) -> bytes:
        drawn.append(os.urandom(count))
        return drawn[-1]

    sealed = send({"a": 1, "b": 2}, entropy=recording)
    stream = b"".join(drawn)
    parts = [
        sealed.payload.salt,
        *(leaf.salt for leaf in sealed.payload.leaves),
        *sealed.payload.padding,
        sealed.transaction.header.core.nonce,
        sealed.content_key,
    ]
    assert stream == b"".join(parts)


def test_nothing_secret_is_shown() -> None:
    """No repr and no exception of an envelope has the content, a salt or a key."""
    sealed = send({"secret": "a very private word"})
    opened = read(sealed, "bob")
    key = ContentKey(sealed.content_key)
    transaction, blob = sign_blob(
        msgspec.structs.replace(sealed.transaction.header.core, payload_root=bytes(32)), sealed.blob
    )
    with pytest.raises(Unreadable) as lie:
        open_with(transaction, blob, sealed.content_key)
    assert lie.value.proof is not None
    shown = " ".join(
        f"{thing!r} {thing}" for thing in (sealed, opened, key, lie.value, lie.value.proof, sealed.payload)
    )
    secrets = [b"private", sealed.content_key, sealed.payload.salt, sealed.payload.leaves[0].salt]
    for secret in secrets:
        assert secret.decode("latin-1") not in shown
        assert secret.hex() not in shown
        assert repr(secret)[2:-1] not in shown
