"""Payloads: which fields they hold, how they are committed to, and the one plaintext that each has."""

from __future__ import annotations

import datetime
import decimal
import hashlib
from collections.abc import Callable
from typing import Any

import msgpack
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from small_consortium import seeded

from node.canonical import DecodeError, encode
from node.envelopes.fields import DEPTH_LIMIT, LEAF_LIMIT, flatten, nest
from node.envelopes.payload import SIZE_BUCKETS, TREE, Leaf, Payload, node_count, size_bucket
from node.errors import PrivityError

OWNER = hashlib.sha256(b"an owner").digest()
DEAL = {"price": 800, "parts": [{"name": "wheel", "count": 4}, "bell"], "note": "", "paid": False}

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=64)
plain = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text
    | st.binary(max_size=20)
)
values = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=16,
)
payload_fields = st.dictionaries(names, values, max_size=8)


def exactly(value: object) -> str:
    """A form in which 1, 1.0 and True differ, as do 0.0 and -0.0, and the order of a map does not count."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name!r}: {exactly(value[name])}" for name in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(exactly, value)) + "]"
    return repr(value)


def depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return max((1 + depth(item) for item in inner), default=0)


def built(fields: dict[str, Any], seed: object = 0) -> Payload:
    return Payload.build(fields, seeded(seed))


def plaintext_of(content: object, bucket: int | None = None) -> bytes:
    """A plaintext with this content, made without the code under test."""
    return framed(msgpack.packb(content), bucket)


def framed(packed: bytes, bucket: int | None = None) -> bytes:
    bucket = bucket or min(size for size in SIZE_BUCKETS if size >= 4 + len(packed))
    return (len(packed).to_bytes(4, "big") + packed).ljust(bucket, b"\x00")


# Fields.


@settings(deadline=None)
@given(payload_fields.filter(lambda fields: depth(fields) <= DEPTH_LIMIT))
@example({})
@example({"a": {}, "b": [], "c": [[], {}, [{}]], "d": {"e": {}}})
@example({"number": 1.0, "whole": 1, "truth": True, "zero": -0.0})
@example({"list": list(range(200)), "a": "", "A": None})
def test_fields_survive_exactly(fields: dict[str, Any]) -> None:
    """Fields come back from a plaintext with every value in its own type, empty maps and lists too."""
    parsed = Payload.parse(built(fields).plaintext())
    assert exactly(fields) == exactly(parsed.fields())
    assert built(fields) == parsed


def test_leaves_are_sorted_by_path() -> None:
    """Names come in the order of their UTF-8 bytes and positions by number, whatever the order written."""
    fields = {"z": 1, "b": {"é": 1, "z": 2, "Z": 3, "\U0001f600": 4, "\uffee": 5}, "a": list("abcdefghijkl")}
    paths = [leaf.path for leaf in built(fields).leaves]
    assert paths == [
        *(("a", position) for position in range(12)),
        *(("b", name) for name in sorted(fields["b"], key=str.encode)),  # type: ignore[arg-type]
        ("z",),
    ]
    assert built(fields).root(OWNER) == built(dict(reversed(fields.items()))).root(OWNER)


def test_fields_given_back_are_nobody_elses() -> None:
    """Changing the fields that were given back changes nothing in the payload."""
    payload = built({"list": [], "map": {}, "deep": {"list": [1]}})
    fields = payload.fields()
    fields["list"].append(1)
    fields["map"]["a"] = 1
    fields["deep"]["list"].clear()
    assert payload.fields() == {"list": [], "map": {}, "deep": {"list": [1]}}


class Loaded(int):
    """An integer as some loaders give it: a subclass that remembers how it was written."""


def test_subclasses_become_plain_values() -> None:
    """Numbers, texts and tuples of loaders are taken as the plain values that they stand for."""
    words = type("Words", (str,), {})
    loaded = {words("a"): Loaded(7), "b": (words("x"),), "c": bytearray(b"y")}
    assert flatten(loaded) == [(("a",), 7), (("b", 0), "x"), (("c",), b"y")]
    assert {int, str, bytes} == {
        type(value) for _, value in flatten({"a": Loaded(7), "b": words(), "c": b""})
    }


REFUSED: dict[str, tuple[object, str]] = {
    "not a map": ([1, 2], "E-PAYLOAD"),
    "text": ("price", "E-PAYLOAD"),
    "nothing": (None, "E-PAYLOAD"),
    "a name that is a number": ({1: 2}, "E-PAYLOAD"),
    "an empty name": ({"": 1}, "E-LIMIT"),
    "a name of 65 characters": ({"n" * 65: 1}, "E-LIMIT"),
    "NaN": ({"a": float("nan")}, "E-PAYLOAD"),
    "infinity": ({"a": [float("-inf")]}, "E-PAYLOAD"),
    "2 ** 63": ({"a": 2**63}, "E-PAYLOAD"),
    "- 2 ** 63 - 1": ({"a": -(2**63) - 1}, "E-PAYLOAD"),
    "a decimal": ({"a": decimal.Decimal(1)}, "E-PAYLOAD"),
    "a date": ({"a": datetime.date(2026, 1, 1)}, "E-PAYLOAD"),
    "a set": ({"a": {1}}, "E-PAYLOAD"),
    "half of a surrogate pair": ({"a": "\ud800"}, "E-PAYLOAD"),
    "a name with half of a pair": ({"\udfff": 1}, "E-PAYLOAD"),
    "257 leaves": ({"a": list(range(257))}, "E-LIMIT"),
    "nine levels": ({"a": [[[[[[[[1]]]]]]]]}, "E-LIMIT"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_payload_can_hold_is_refused(case: str) -> None:
    """Wrong types, wrong numbers and too much of anything are refused with a code of the catalogue."""
    fields, code = REFUSED[case]
    with pytest.raises(PrivityError) as refusal:
        Payload.build(fields, seeded(0))  # type: ignore[arg-type]
    assert code == refusal.value.code
    assert refusal.value.exit_code == 2


def test_the_limits_themselves_are_allowed() -> None:
    """256 leaves, eight levels, 64 characters and the 64-bit bounds can be sent."""
    fields = {
        "list": list(range(LEAF_LIMIT - 4)),
        "a": [[[[[[[1]]]]]]],
        "n" * 64: 2**63 - 1,
        "low": -(2**63),
        "": 0,
    }
    del fields[""]
    fields["last"] = None
    assert len(flatten(fields)) == LEAF_LIMIT
    assert exactly(fields) == exactly(Payload.parse(built(fields).plaintext()).fields())


def test_a_map_that_holds_itself_is_refused() -> None:
    """Endless nesting meets the depth limit, not the end of the stack."""
    fields: dict[str, Any] = {}
    fields["again"] = fields
    with pytest.raises(PrivityError) as refusal:
        flatten(fields)
    assert refusal.value.code == "E-LIMIT"


def test_refusals_count_fields_and_quote_none() -> None:
    """The message says which field by number, as written, and has neither name nor value."""
    with pytest.raises(PrivityError) as refusal:
        flatten({"first": 1, "account-4711": {"x": 1, "a": decimal.Decimal("398500.25")}})
    message = "\n".join(refusal.value.lines())
    assert "payload field 2.2 is of type Decimal" in message
    assert "4711" not in message and "398500" not in message


# Commitment.


def inner(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def test_the_root_is_as_documented() -> None:
    """The root computed by hand, with another MessagePack library, is the payload's."""
    payload = built({"price": 800, "who": ["a", None]})
    hashes = [
        hashlib.sha256(b"\x00" + msgpack.packb([leaf.salt, list(leaf.path), leaf.value])).digest()
        for leaf in payload.leaves
    ]
    assert [leaf.path for leaf in payload.leaves] == [("price",), ("who", 0), ("who", 1)]
    nodes = [*hashes, *payload.padding]
    tree_root = inner(inner(nodes[0], nodes[1]), inner(nodes[2], nodes[3]))
    count = (3).to_bytes(4, "big")
    count_hash = hashlib.sha256(b"\x03" + count + payload.salt).digest()
    assert hashlib.sha256(b"\x02" + count_hash + tree_root + OWNER).digest() == payload.root(OWNER)


@pytest.mark.parametrize(
    ("leaves", "nodes"), [(0, 4), (1, 4), (4, 4), (5, 8), (8, 8), (9, 16), (129, 256), (256, 256)]
)
def test_trees_are_padded_to_powers_of_two(leaves: int, nodes: int) -> None:
    """The lowest level has 4, 8, 16 ... 256 nodes, those that are no leaves being random."""
    payload = built({"list": list(range(leaves))} if leaves else {})
    assert nodes == node_count(leaves) == len(payload.nodes())
    assert nodes - leaves == len(set(payload.padding))


def test_a_leaf_proves_its_place_in_the_commitment() -> None:
    """A leaf and its path verify against the tree that the root commits to."""
    payload = built(DEAL)
    nodes = payload.nodes()
    for index, leaf in enumerate(payload.leaves):
        path = TREE.path(nodes, index)
        assert TREE.verify(leaf.hash(), index, len(nodes), path, payload.tree_root)


@given(st.sampled_from(["salt", "path", "value"]), st.integers(0, 4))
def test_every_part_of_a_leaf_is_committed_to(part: str, index: int) -> None:
    """Another salt, path or value in one leaf is another hash."""
    leaf = built(DEAL).leaves[index]
    parts: dict[str, Any] = {"salt": leaf.salt, "path": leaf.path, "value": leaf.value}
    parts[part] = {"salt": bytes(16), "path": ("other",), "value": "other"}[part]
    assert Leaf(**parts).hash() != leaf.hash()


def test_the_count_the_salt_and_the_owner_are_committed_to() -> None:
    """The root changes with the number of real leaves, with the payload's salt and with the owner."""
    payload = built(DEAL)
    as_padding = payload.leaves[-1].hash()
    fewer = Payload(payload.salt, payload.leaves[:-1], (as_padding, *payload.padding), payload.tree_root)
    salted = Payload(bytes(16), payload.leaves, payload.padding, payload.tree_root)
    roots = {payload.root(OWNER), fewer.root(OWNER), salted.root(OWNER), payload.root(bytes(32))}
    assert fewer.nodes() == payload.nodes()
    assert len(roots) == 4


# Plaintext.


def test_the_plaintext_is_as_documented() -> None:
    """Length, MessagePack of salt, leaves and padding nodes, then zeros up to the bucket."""
    payload = built({"price": 800, "who": ["a", None]})
    leaves = [[leaf.salt, list(leaf.path), leaf.value] for leaf in payload.leaves]
    assert plaintext_of([payload.salt, leaves, list(payload.padding)]) == payload.plaintext()


@pytest.mark.parametrize("bucket", SIZE_BUCKETS)
def test_plaintexts_fill_their_bucket(bucket: int) -> None:
    """A content that just fits takes the bucket and one byte more takes the next, up to the largest."""
    overhead = len(encode([bytes(16), [[bytes(16), ["a"], b"x" * 300]], [bytes(32)] * 3])) - 300 + 4
    if bucket == 256:
        overhead -= 1  # A length of 8 bits.
    fits = built({"a": b"x" * (bucket - overhead)})
    assert bucket == len(fits.plaintext())
    assert fits == Payload.parse(fits.plaintext())
    larger = built({"a": b"x" * (bucket - overhead + 1)})
    if bucket < SIZE_BUCKETS[-1]:
        assert 2 * bucket == len(larger.plaintext())
    else:
        with pytest.raises(PrivityError) as refusal:
            larger.plaintext()
        assert refusal.value.code == "E-LIMIT"


SALT = bytes(16)
LEAF = [SALT, ["a"], 1]
NODES = [bytes([number]) * 32 for number in range(3)]

ILL_FORMED: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "length"),
    "only a length": (lambda: bytes(256), "length"),
    "longer than it is": (lambda: b"\xff\xff\xff\xff" + bytes(252), "length"),
    "a larger bucket than needed": (lambda: plaintext_of([SALT, [LEAF], NODES], 512), "size_bucket"),
    "no bucket": (lambda: plaintext_of([SALT, [LEAF], NODES], 300), "size_bucket"),
    "a byte in the padding": (lambda: plaintext_of([SALT, [LEAF], NODES])[:-1] + b"x", "padding"),
    "not MessagePack": (lambda: b"\x00\x00\x00\x01\xc1".ljust(256, b"\x00"), "malformed"),
    "a wide integer": (
        lambda: framed(msgpack.packb([SALT, [LEAF], NODES]).replace(b"a\x01", b"a\xcc\x01")),
        "not_canonical",
    ),
    "a single-precision float": (
        lambda: framed(msgpack.packb([SALT, [[SALT, ["a"], 1.5]], NODES], use_single_float=True)),
        "not_canonical",
    ),
    "no padding nodes": (lambda: plaintext_of([SALT, [LEAF], []]), "leaf_count"),
    "too many nodes": (lambda: plaintext_of([SALT, [LEAF], [*NODES, *NODES[:1]]]), "leaf_count"),
    "a short salt": (lambda: plaintext_of([SALT, [[SALT[1:], ["a"], 1]], NODES]), "shape"),
    "a short node": (lambda: plaintext_of([SALT, [LEAF], [*NODES[1:], b"x"]]), "shape"),
    "an empty path": (lambda: plaintext_of([SALT, [[SALT, [], 1]], NODES]), "shape"),
    "an empty name": (lambda: plaintext_of([SALT, [[SALT, [""], 1]], NODES]), "shape"),
    "a negative position": (lambda: plaintext_of([SALT, [[SALT, ["a", -1], 1]], NODES]), "shape"),
    "a boolean in a path": (lambda: plaintext_of([SALT, [[SALT, ["a", False], 1]], NODES]), "shape"),
    "nine levels": (lambda: plaintext_of([SALT, [[SALT, ["a"] * 9, 1]], NODES]), "shape"),
    "a list at the top": (lambda: plaintext_of([SALT, [[SALT, [0], 1]], NODES]), "paths"),
    "a list with a gap": (lambda: plaintext_of([SALT, [[SALT, ["a", 1], 1]], NODES]), "paths"),
    "a path twice": (lambda: plaintext_of([SALT, [LEAF, LEAF], NODES[1:]]), "paths"),
    "a value above a value": (
        lambda: plaintext_of([SALT, [LEAF, [SALT, ["a", "b"], 1]], NODES[1:]]),
        "paths",
    ),
    "a value after its inside": (
        lambda: plaintext_of([SALT, [[SALT, ["a", "b"], 1], LEAF], NODES[1:]]),
        "paths",
    ),
    "an empty map that is not": (
        lambda: plaintext_of([SALT, [[SALT, ["a"], {}], [SALT, ["a", "b"], 1]], NODES[1:]]),
        "paths",
    ),
    "wrong order": (lambda: plaintext_of([SALT, [[SALT, ["b"], 1], LEAF], NODES[1:]]), "paths"),
    "names and positions mixed": (
        lambda: plaintext_of([SALT, [[SALT, ["a", 0], 1], [SALT, ["a", "b"], 1]], NODES[1:]]),
        "paths",
    ),
    "NaN": (lambda: plaintext_of([SALT, [[SALT, ["a"], float("nan")]], NODES]), "value"),
    "an unsigned integer of 64 bits": (lambda: plaintext_of([SALT, [[SALT, ["a"], 2**63]], NODES]), "value"),
    "a map as value": (lambda: plaintext_of([SALT, [[SALT, ["a"], {"b": 1}]], NODES]), "value"),
    "a list as value": (lambda: plaintext_of([SALT, [[SALT, ["a"], [1]]], NODES]), "value"),
    "a time": (
        lambda: plaintext_of([SALT, [[SALT, ["a"], msgpack.Timestamp(1)]], NODES]),
        "value",
    ),
    "an extension": (lambda: plaintext_of([SALT, [[SALT, ["a"], msgpack.ExtType(5, b"x")]], NODES]), "value"),
}


@pytest.mark.parametrize("case", ILL_FORMED)
def test_a_payload_has_one_plaintext(case: str) -> None:
    """Whatever is not the plaintext that the payload itself gives is refused, with a token."""
    make, reason = ILL_FORMED[case]
    with pytest.raises(DecodeError) as refusal:
        Payload.parse(make())
    assert reason == refusal.value.reason


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    """Any bytes, and any bytes as content of a well-formed frame, are refused with DecodeError alone."""
    for plaintext in (
        data,
        (len(data).to_bytes(4, "big") + data).ljust(size_bucket(4 + len(data)) or 0, b"\x00"),
    ):
        with pytest.raises(DecodeError):
            Payload.parse(plaintext)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_changed_plaintext_is_refused_or_another_payload(data: st.DataObject) -> None:
    """A byte changed anywhere gives DecodeError or a payload with another root: never the same root."""
    payload = built(DEAL)
    plaintext = bytearray(payload.plaintext())
    place = data.draw(st.integers(0, len(plaintext) - 1))
    plaintext[place] ^= data.draw(st.integers(1, 255))
    try:
        changed = Payload.parse(bytes(plaintext))
    except DecodeError:
        return
    assert changed.root(OWNER) != payload.root(OWNER)


@settings(deadline=None)
@given(st.lists(st.tuples(st.lists(names | st.integers(0, 3), max_size=3), plain), max_size=6))
def test_nesting_is_the_inverse_of_flattening(leaves: list[tuple[list[str | int], object]]) -> None:
    """Leaves that nest at all are exactly those that their fields flatten to."""
    flat = [(tuple(path), value) for path, value in leaves]
    try:
        fields = nest(flat)
    except ValueError:
        return
    assert exactly([list(leaf) for leaf in flat]) == exactly([list(leaf) for leaf in flatten(fields)])


def test_nothing_secret_is_shown() -> None:
    """The repr of a payload and of a leaf have neither values nor salts."""
    payload = built({"secret": "a very private word"})
    shown = f"{payload!r} {payload.leaves!r} {payload}"
    assert "private" not in shown and payload.leaves[0].salt.hex() not in shown
    assert repr(payload.leaves[0].salt) not in shown
