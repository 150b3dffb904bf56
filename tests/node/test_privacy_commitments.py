"""What a non-party learns from the public bytes: failure modes P01, P02, P04, P16 and P17."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import combinations

import msgpack
import pytest
from small_consortium import PARTIES, WRAP_INFO, WRAPPING_KEYS, public_bytes, resigned, seeded, send

from node.envelopes.content_key import ContentKey
from node.envelopes.envelope import Sealed
from node.envelopes.keys import WrappingKey
from node.envelopes.payload import SIZE_BUCKETS, TREE, Leaf, Payload
from node.envelopes.transaction import core_digest, owner_of

# P01. The auction of a well-known sample: every field but the price is known, and the price is a guess.

BIDS = {"bob": 800, "carol": 500, "dave": 700, "erin": 900}
PRICES = range(36_000)


def bid(bidder: str, price: int) -> dict[str, object]:
    return {"bidder": bidder, "objectType": "bid", "org": f"{bidder}-org", "price": price}


def windows(data: bytes, size: int) -> set[bytes]:
    """Every run of that many bytes."""
    return {data[start : start + size] for start in range(len(data) - size + 1)}


def digests_of_guesses(sealed: Sealed) -> Iterator[tuple[int, bytes]]:
    """Price and digest for every price, in every construction that public knowledge suggests.

    A salt that is no secret is as good as none: zeros, and each 16 bytes of the core header.
    """
    core = sealed.transaction.header.core
    owner, sha256 = owner_of(core), hashlib.sha256
    salts = [bytes(16), core.nonce, core.key_commit[:16]]
    for salt in salts:
        fixed = [Leaf(salt, leaf.path, leaf.value).hash() for leaf in sealed.payload.leaves[:3]]
        left = sha256(b"\x01" + fixed[0] + fixed[1]).digest()
        head = b"\x00" + msgpack.packb([salt, ["price"], 0])[:-1]
        tail = b"\x02" + sha256(b"\x03" + bytes([0, 0, 0, 4]) + salt).digest()
        for price in PRICES:
            leaf = sha256(head + msgpack.packb(price)).digest()
            right = sha256(b"\x01" + fixed[2] + leaf).digest()
            tree_root = sha256(b"\x01" + left + right).digest()
            yield price, leaf
            yield price, sha256(tail + tree_root + owner).digest()
    known = sealed.payload.fields()
    front = f'{{"objectType":"bid","price":%d,"org":"{known["org"]}","bidder":"{known["bidder"]}"}}'
    for price in PRICES:
        yield price, sha256((front % price).encode()).digest()


def bids_found(sealings: list[Sealed]) -> dict[str, set[int]]:
    """The prices that some guess confirms, for each bidder."""
    found = {}
    for sealed in sealings:
        public = windows(public_bytes(sealed), 32)
        bidder = sealed.transaction.header.core.sender
        found[bidder] = {price for price, digest in digests_of_guesses(sealed) if digest in public}
    return found


def with_root(sealed: Sealed, payload: Payload) -> Sealed:
    """The same envelope with the commitment of another payload in its header."""
    core = sealed.transaction.header.core
    transaction = resigned(sealed.transaction, core.sender, payload_root=payload.root(owner_of(core)))
    return Sealed(transaction, sealed.blob, sealed.content_key, payload)


def test_p01_guessing_finds_no_bid() -> None:
    """P01: a million guesses from public bytes and the full schema find none of four bids; unsalted, all."""
    sealings = [send(bid(name, price), sender=name, to=[], seed=name) for name, price in BIDS.items()]
    assert bids_found(sealings) == {name: set() for name in BIDS}
    # The attacker is no straw man: against a commitment with known salts the same guesses find every bid.
    unsalted = [with_root(sealed, Payload.build(sealed.payload.fields(), bytes)) for sealed in sealings]
    assert bids_found(unsalted) == {name: {price} for name, price in BIDS.items()}


# P02. Salts.


def test_p02_salts_are_never_used_twice() -> None:
    """P02: of 10,000 leaves in 2,500 payloads no two share a salt, and each salt has 16 bytes."""
    entropy = seeded("P02")
    payloads = [Payload.build(bid("bob", 800), entropy) for _ in range(2500)]
    salts = [salt for payload in payloads for salt in (payload.salt, *(leaf.salt for leaf in payload.leaves))]
    assert len(salts) == len(set(salts)) == 12_500
    assert {len(salt) for salt in salts} == {16}


def guess_price(hidden: bytes, salts: set[bytes]) -> set[int]:
    """The prices for which a leaf with one of these salts has the hidden hash."""
    return {price for salt in salts for price in PRICES if Leaf(salt, ("price",), price).hash() == hidden}


def test_p02_disclosed_fields_do_not_help_to_guess_the_others() -> None:
    """P02: with three of four leaves, the payload's salt and all hashes shown, the fourth stays hidden."""
    payload = Payload.build(bid("bob", 800), seeded("disclosed"))
    *shown, price_leaf = payload.leaves
    assert price_leaf.path == ("price",)
    hidden = TREE.path(payload.nodes(), 2)[0]  # What the path of the third leaf shows of the fourth.
    assert hidden == price_leaf.hash()
    known = {bytes(16), payload.salt, *(leaf.salt for leaf in shown)}
    assert guess_price(hidden, known) == set()
    assert guess_price(hidden, {price_leaf.salt}) == {800}


# P04. Equality.


def test_p04_the_same_payload_twice_looks_like_two_payloads() -> None:
    """P04: two sealings of one payload for the same parties share no 8 bytes beyond what is meant public."""

    def secret_parts(sealed: Sealed) -> list[bytes]:
        header = sealed.transaction.header
        core = header.core
        parts = [core.nonce, core.payload_root, core.key_commit, header.ciphertext_hash, header.slots_hash]
        return [
            *parts,
            sealed.transaction.signature,
            sealed.transaction.id,
            sealed.blob.ciphertext,
            *sealed.blob.slots,
        ]

    entropy = seeded("P04")
    runs = [send(bid("bob", 800), to=["bob", "carol"], entropy=entropy) for _ in range(20)]
    seen = [set().union(*(windows(part, 8) for part in secret_parts(sealed))) for sealed in runs]
    for one, other in combinations(seen, 2):
        assert one & other == set()
    for sealed in runs:  # Nor does one sealing repeat itself inside.
        parts = secret_parts(sealed)
        assert sum(len(part) - 7 for part in parts) == len(set().union(*(windows(part, 8) for part in parts)))


# P16. Sizes.


def sizes(sealed: Sealed) -> tuple[int, ...]:
    """Every length that can be seen in public."""
    header, blob = sealed.transaction.header, sealed.blob
    core = header.core
    return (
        len(public_bytes(sealed)),
        core.size_bucket,
        core.slot_bucket,
        len(blob.ciphertext),
        *(len(slot) for slot in blob.slots),
        len(sealed.transaction.signature),
    )


SECRETS: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "lengths of text": ({"word": "no"}, {"word": "n" * 90}),
    "numbers": ({"price": 1}, {"price": 2**62}),
    "number of fields": ({"a": 1}, {"a": 1, "b": 2, "c": 3, "d": 4}),
    "shape": ({"a": []}, {"a": [{"b": None}, [1.5]]}),
    "names": ({"x": "y"}, {"a-long-name-that-says-a-lot": "y"}),
}


@pytest.mark.parametrize("case", SECRETS)
def test_p16_sizes_tell_the_bucket_and_nothing_finer(case: str) -> None:
    """P16: two secrets of one bucket give the same public sizes in each of 100 sealings."""
    entropy = seeded("P16")
    seen = {sizes(send(secret, entropy=entropy)) for secret in SECRETS[case] for _ in range(100)}
    assert len(seen) == 1
    assert {size for one in seen for size in one[3:4]} == {SIZE_BUCKETS[0] + 16}


def test_p16_the_number_of_readers_shows_as_a_bucket_only() -> None:
    """P16: one to three readers beside the sender give the same public sizes."""
    seen = {sizes(send({"a": 1}, to=to, seed=len(to))) for to in ([], ["bob"], ["bob", "carol", "dave"])}
    assert len(seen) == 1


# P17. Readers.


def test_p17_no_key_of_a_reader_is_in_the_public_bytes() -> None:
    """P17: not even eight bytes of any party's public or private keys occur in what everybody sees."""
    keys = set[bytes]()
    for party in PARTIES.values():
        for key in (party.signing.public.raw, party.wrapping.public.raw):
            keys |= windows(key, 8)
        for key in (party.signing.secret_bytes(), party.wrapping.secret_bytes()):
            keys |= windows(key, 8)
    for seed in range(20):
        sealed = send({"a": 1}, to=["bob", "carol"], seed=seed)
        assert windows(public_bytes(sealed), 8) & keys == set()


def test_p17_dummies_have_the_form_of_slots() -> None:
    """P17: the top bit of a key is clear in dummies as in real slots, and all their other bits vary."""
    entropy = seeded("dummies")
    for to in ([], ["bob", "carol", "dave"]):
        slots = [slot for _ in range(100) for slot in send({"a": 1}, to=to, entropy=entropy).blob.slots]
        ones = [sum(slot[bit // 8] >> bit % 8 & 1 for slot in slots) for bit in range(640)]
        assert ones[255] == 0
        # 400 fair coins: less than 120 or more than 280 heads is beyond eight standard deviations.
        assert all(120 < count < 280 for bit, count in enumerate(ones) if bit != 255)


def test_p17_the_place_of_a_slot_says_nothing() -> None:
    """P17: a reader's slot stands at each of the four places about equally often."""
    entropy = seeded("places")
    places = Counter[int]()
    for _ in range(400):
        sealed = send({"a": 1}, to=["bob", "carol"], entropy=entropy)
        info = WRAP_INFO + core_digest(sealed.transaction.header.core)
        opens = [PARTIES["bob"].wrapping.unwrap(slot, info=info) is not None for slot in sealed.blob.slots]
        places[opens.index(True)] += 1
    assert sorted(places) == [0, 1, 2, 3]
    assert all(60 < count < 140 for count in places.values())  # 100 expected; 40 are 4.6 deviations.


def accuracy(sealings: Callable[[bool], Sealed]) -> float:
    """How often a linear classifier, trained on half of 800 sealings, is right about the other half."""
    coin = random.Random("coin")
    labels = [coin.random() < 0.5 for _ in range(800)]
    rows = []
    for label in labels:
        number = int.from_bytes(b"".join(sealings(label).blob.slots), "big")
        rows.append([number >> bit & 1 for bit in range(0, 4 * 640)])
    halves = [
        [row for row, label in zip(rows[:400], labels[:400], strict=True) if label is side]
        for side in (True, False)
    ]
    means = [[sum(column) / len(half) for column in zip(*half, strict=True)] for half in halves]
    weights = [yes - no for yes, no in zip(*means, strict=True)]
    middle = sum(weight * (yes + no) / 2 for weight, yes, no in zip(weights, *means, strict=True))
    guesses = [
        sum(weight for weight, bit in zip(weights, row, strict=True) if bit) > middle for row in rows[400:]
    ]
    return sum(guess is label for guess, label in zip(guesses, labels[400:], strict=True)) / 400


AUDIENCES = {
    "another reader": (["bob"], ["carol"]),
    "more readers": ([], ["bob", "carol", "dave"]),
    "other readers": (["bob", "carol"], ["dave", "erin"]),
}


@pytest.mark.parametrize("case", AUDIENCES)
def test_p17_the_readers_cannot_be_guessed(case: str) -> None:
    """P17: told apart by all bits of the slots, two audiences are guessed no better than by a coin."""
    entropy = seeded(case)
    yes, no = AUDIENCES[case]
    right = accuracy(lambda label: send({"a": 1}, to=yes if label else no, entropy=entropy))
    assert 0.4 < right < 0.6  # Four standard deviations of 400 coins.


def test_p17_slots_cannot_be_recomputed_from_public_bytes() -> None:
    """P17: who knows a reader's public key, but not the content key, cannot tell which slot is its own."""
    sealed = send({"a": 1}, to=["bob"])
    core = sealed.transaction.header.core
    digest = core_digest(core)

    def encapsulated(key: bytes) -> set[bytes]:
        """The first half of all slots that this content key would give for any party."""
        derive = ContentKey(key).ephemeral
        seeds = [derive(digest, index, public.raw) for index in range(4) for public in WRAPPING_KEYS.values()]
        return {WrappingKey.from_secret(seed).public.raw for seed in seeds}

    public = {slot[:32] for slot in sealed.blob.slots}
    for guess in (bytes(32), digest, core.key_commit, core.payload_root, sealed.transaction.id):
        assert encapsulated(guess) & public == set()
    assert len(encapsulated(sealed.content_key) & public) == 2  # With the key itself: alice's and bob's.
