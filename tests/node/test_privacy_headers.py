"""What headers give away: failure modes P03, P05, P07, P10; and what is left after a purge, P44."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import msgpack
import msgspec
import pytest

from node.canonical import encode
from node.chain.reading import read_node
from node.envelopes import content_key
from node.envelopes.envelope import NotAParty, Sealed, Unreadable, unseal
from node.envelopes.payload import Payload
from node.envelopes.transaction import (
    CoreHeader,
    PrivateTransaction,
    PublicHeader,
    SealPart,
    owner_of,
    signed_bytes,
)
from node.wire import TransactionPacket
from tests.node import network_of_nodes as nodes
from tests.node.small_consortium import PARTIES, WRAPPING_KEYS, check, public_bytes, resigned, seeded, send

# P03. Names of fields.


def shape(sealed: Sealed) -> object:
    """All that is not a digest, ciphertext, signature or nonce: what an observer can compare."""

    def of(value: object) -> object:
        if isinstance(value, list):
            return [of(each) for each in value]
        return ("bytes", len(value)) if isinstance(value, bytes) else value

    return of(msgpack.unpackb(encode(TransactionPacket(sealed.transaction, sealed.blob))))


def test_p03_field_names_leave_no_trace() -> None:
    """P03: two kinds of deal with other field names give headers of one shape, and no name or its hash."""
    deals: tuple[dict[str, object], ...] = (
        {"merger_with": "x", "price_per_share": 1},
        {"rent": "y", "monthly": 2},
    )
    for seed in range(50):
        first, second = (send(deal, seed=(seed, place)) for place, deal in enumerate(deals))
        assert shape(first) == shape(second)
        for sealed, deal in zip((first, second), deals, strict=True):
            public = public_bytes(sealed)
            for name in deal:
                for form in (name.encode(), msgpack.packb([name]), msgpack.packb(name)):
                    assert form not in public and hashlib.sha256(form).digest() not in public
    assert shape(send(deals[0])) != shape(send({"note": "x" * 400}))  # Another size bucket does show.


# P05. Who is in the group.


def ids_of_groups() -> Iterator[bytes]:
    """Hashes of every set of members, by name and by key, as ids of groups are made elsewhere."""
    for size in range(1, len(PARTIES) + 1):
        for group in combinations(sorted(PARTIES), size):
            keys = [WRAPPING_KEYS[name].raw for name in group]
            for parts in ([name.encode() for name in group], keys, sorted(keys)):
                for joined in (b"".join(parts), b",".join(parts), msgpack.packb(parts)):
                    yield hashlib.sha256(joined).digest()
                    yield hashlib.blake2b(joined, digest_size=32).digest()


def test_p05_no_public_id_is_a_hash_of_members() -> None:
    """P05: hashing every set of members gives nothing that is public; a header that has one is caught."""
    sealed = send({"amount": 1}, to=("bob", "carol"))
    ids = set(ids_of_groups())
    assert len(ids) > 500

    def found(public: bytes) -> bool:
        return any(public[at : at + 32] in ids for at in range(len(public) - 31))

    assert not found(public_bytes(sealed))
    group = hashlib.sha256(b"".join(WRAPPING_KEYS[name].raw for name in ("alice", "bob", "carol"))).digest()
    assert found(encode(resigned(sealed.transaction, "alice", policy=group)))


# P07. One party is told another header.

OTHER: dict[str, object] = {
    "network": bytes(32),
    "version": 2,
    "suite": 2,
    "sender": "carol",
    "nonce": bytes(16),
    "policy": bytes(32),
    "valid_from": 2,
    "valid_until": 99,
    "payload_root": bytes(32),
    "key_commit": bytes(32),
    "size_bucket": 512,
    "slot_bucket": 8,
    "keep": 7,
    "seal": SealPart("tender", (bytes(32),)),
    "ciphertext_hash": bytes(32),
    "slots_hash": bytes(32),
}


def test_p07_every_field_of_a_header_is_tried() -> None:
    """P07: the table has each field, so that a new one is not forgotten."""
    assert set(OTHER) == {*CoreHeader.__struct_fields__, *PublicHeader.__struct_fields__} - {"core"}


@pytest.mark.parametrize("field", OTHER)
def test_p07_another_header_for_one_party_is_rejected_by_it(field: str) -> None:
    """P07: altered on its way it is refused; signed anew it is another id, and opens for nobody."""
    sealed = send({"amount": 1})
    signed = resigned(sealed.transaction, "alice", **{field: OTHER[field]})
    unsigned = PrivateTransaction(signed.header, sealed.transaction.signature)
    assert check(unsigned, sealed.blob) is not None and signed.id != sealed.transaction.id
    for name in ("alice", "bob"):
        with pytest.raises((NotAParty, Unreadable)):
            unseal(signed, sealed.blob, PARTIES[name].wrapping)
    assert check(sealed.transaction, sealed.blob) is None


def test_p07_all_nodes_keep_the_header_that_was_ordered(tmp_path: Path) -> None:
    """P07: the sender tells bob of another validity than the others; every ledger has the same bytes."""
    network = nodes.founded()
    with nodes.ready(tmp_path, network) as world:
        sealed = nodes.sealed_for(network, {"amount": 1})
        core = msgspec.structs.replace(sealed.transaction.header.core, valid_until=39)
        header = msgspec.structs.replace(sealed.transaction.header, core=core)
        other = nodes_signed(header)
        assert other.id != sealed.transaction.id
        world.publish(world.topics.transactions, encode(TransactionPacket(other, sealed.blob)), to=("bob",))
        world.submit(sealed, to=("ann", "cyd", "dan"))
        world.run(5000)
        chains = []
        for name in network.names:
            reading = read_node(world.home(name), network)
            chains.append(
                [(encode(each.transaction), each.executed) for each in reading.transactions.values()]
            )
        assert all(first == second for first, second in pairwise(chains))
        executed = [effect for _, effect in chains[0][1:] if effect]
        assert len(executed) == 1


def nodes_signed(header: PublicHeader) -> PrivateTransaction:
    """The header under ann's signature."""
    return PrivateTransaction(header, nodes.PARTIES["ann"].signing.sign(signed_bytes(header)))


# P10. One key, one nonce, one plaintext.


def test_p10_no_key_encrypts_twice_under_one_nonce(monkeypatch: pytest.MonkeyPatch) -> None:
    """P10: in 400 envelopes of one deal no pair of key and nonce, and no encapsulation, comes twice."""
    used: list[tuple[bytes, bytes]] = []
    plain = content_key.AESGCM

    class Recording:
        def __init__(self, key: bytes) -> None:
            self._key, self._cipher = key, plain(key)

        def encrypt(self, nonce: bytes, data: bytes, extra: bytes) -> bytes:
            used.append((self._key, nonce))
            return self._cipher.encrypt(nonce, data, extra)

    monkeypatch.setattr(content_key, "AESGCM", Recording)
    entropy = seeded("P10")
    sealings = [send({"amount": 1}, to=("bob", "carol"), entropy=entropy) for _ in range(400)]
    assert len(used) == 400 == len(set(used))
    encapsulations = [slot[:32] for sealed in sealings for slot in sealed.blob.slots]
    assert len(encapsulations) == 1600 == len(set(encapsulations))


def test_p10_a_retry_sends_the_same_bytes(tmp_path: Path) -> None:
    """P10: what nodes pass on is what was sealed, bit by bit, however often it is repeated."""
    network = nodes.founded()
    with nodes.ready(tmp_path, network) as world:
        sealed = nodes.sealed_for(network, {"amount": 1})
        identifier = world.submit(sealed, to=("ann",))
        world.broker.loss = 0.3
        world.settle([identifier])
        passed_on = [
            packet
            for packet in world.packets()
            if isinstance(packet, TransactionPacket) and packet.transaction.id == identifier and packet.blob
        ]
        assert passed_on and {encode(packet.blob) for packet in passed_on} == {encode(sealed.blob)}


# P44. The hash outlives the data.


def guesses(core: CoreHeader, values: range) -> Iterator[tuple[int, bytes]]:
    """Each value with its digests, in the constructions that public knowledge suggests."""
    for salt in (bytes(16), core.nonce, core.key_commit[:16]):
        head = b"\x00" + msgpack.packb([salt, ["amount"], 0])[:-1]
        for value in values:
            yield value, hashlib.sha256(head + msgpack.packb(value)).digest()
    owner = owner_of(core)
    for value in values:
        yield value, Payload.build({"amount": value}, bytes).root(owner)
        yield value, hashlib.sha256(msgpack.packb(value)).digest()
        yield value, hashlib.sha256(str(value).encode()).digest()


def confirmed(core: CoreHeader, residue: set[bytes]) -> set[int]:
    """The values that some guess finds in what is left."""
    return {value for value, digest in guesses(core, range(100_000)) if digest in residue}


def windows(data: bytes) -> set[bytes]:
    return {data[at : at + 32] for at in range(len(data) - 31)}


def test_p44_what_a_purge_leaves_tells_nothing_of_the_value(tmp_path: Path) -> None:
    """P44: after the purge 100,000 guesses against header, journals, indexes and lists confirm no value."""
    network = nodes.founded()
    with nodes.ready(tmp_path, network) as world:
        sealed = nodes.sealed_for(network, {"amount": 73_123}, keep=2)
        world.settle([world.submit(sealed)])
        for seed in range(2):
            world.settle(world.send(1, seed=("more", seed)))
        assert not any(world.node(name)._store.has_blob(sealed.transaction.id) for name in network.names)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"journal", "index.sqlite", "holdings.jsonl"} <= {path.name for path in files}
    residue: set[bytes] = set().union(*(windows(path.read_bytes()) for path in files))
    core = sealed.transaction.header.core
    assert core.payload_root in residue
    assert confirmed(core, residue) == set()
    # The guesser is no straw man: with a commitment whose salts are known it finds the one value.
    unsalted: Any = Payload.build({"amount": 73_123}, bytes).root(owner_of(core))
    assert confirmed(core, {unsalted}) == {73_123}
