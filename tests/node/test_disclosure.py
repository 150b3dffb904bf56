"""Packages: what they show is true, whole when they say so, and for their receivers alone (P02, P45-P47)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.canonical import DecodeError, encode
from node.envelopes.disclosure import (
    NO_TERMS,
    PACKAGE_FIELD,
    Package,
    Part,
    Shown,
    Whole,
    carried,
    check,
    opened,
    pack,
    package_in,
)
from node.envelopes.envelope import Sealed
from node.envelopes.merkle import Tree
from node.envelopes.payload import TREE, Leaf
from node.envelopes.rule import FREE, RULES, rule_alone, with_rule
from node.errors import PrivityError
from tests.node.small_consortium import seal_with_nonce, send

SAID = {"price": 800, "good": "steel", "terms": {"days": 30, "parts": [1, 2]}, "_canary": b"c" * 16}
DEAL = with_rule(SAID, FREE)
RULE = {("_redisclose",): FREE}
SEALED = send(DEAL, to=("bob",))
HEADER = SEALED.transaction.header
NONCE = bytes(range(16))


def packed(*fields: str, to: tuple[str, ...] = ("carol",), sealed: Sealed = SEALED) -> Package:
    return pack(
        sealed.payload,
        sealed.transaction.header,
        discloser="alice",
        receivers=to,
        nonce=NONCE,
        fields=fields or None,
    )


def carrier(package: Package, *, sender: str = "alice", nonce: bytes = NONCE) -> Sealed:
    """The private transaction that brings it."""
    return seal_with_nonce(carried(package), nonce, sender=sender, to=package.receivers)


def judged(package: Package, receiver: str = "carol", **how: Any) -> Shown | str:
    return check(package, HEADER, carrier(package, **how).transaction.header.core, receiver)


def shown(package: Package) -> dict[tuple[str | int, ...], object]:
    found = judged(package)
    assert isinstance(found, Shown), found
    return {leaf.path: leaf.value for leaf in found.leaves}


def opening(package: Package, **changes: Any) -> Package:
    """The same package with another opening."""
    return msgspec.structs.replace(package, opening=msgspec.structs.replace(package.opening, **changes))


def test_chosen_fields_are_shown_and_no_others() -> None:
    """A name stands for the leaves below it; the canary is nobody's field."""
    assert shown(packed("price")) == RULE | {("price",): 800}
    assert shown(packed("terms", "good")) == RULE | {
        ("good",): "steel",
        ("terms", "days"): 30,
        ("terms", "parts", 0): 1,
        ("terms", "parts", 1): 2,
    }
    assert shown(packed("terms.parts[1]")) == RULE | {("terms", "parts", 1): 2}
    found = judged(packed())
    assert isinstance(found, Shown) and found.whole and len(found.leaves) == 7
    assert not judged(packed("price", "good", "terms")).whole  # type: ignore[union-attr]


@pytest.mark.parametrize("field", ["prices", "pric", "terms.part", "_canary", "", "terms.parts[2]"])
def test_a_field_that_is_not_there_is_an_error_without_its_name(field: str) -> None:
    with pytest.raises(PrivityError) as refusal:
        packed("price", field)
    assert refusal.value.code == "E-FIELD" and "field 2 of 2" in refusal.value.where
    assert not field or field not in " ".join(refusal.value.lines()).split("next")[0]


def test_a_part_holds_nothing_of_the_other_fields() -> None:
    """P02, P47: no salt, value, path or key of what stays hidden; and no number of fields."""
    part = packed("price")
    data = encode(part)
    for leaf in SEALED.payload.leaves:
        if leaf.path not in (("price",), ("_redisclose",)):
            assert leaf.salt not in data
            assert encode(leaf.path[0]) not in data
    assert SEALED.content_key not in data and SEALED.payload.salt not in data
    assert isinstance(part.opening, Part) and part.opening.count_hash == SEALED.payload.count_hash()
    # The same size, the same bytes beside it in kind: four fields and five are told apart by nothing.
    more = send({**DEAL, "x": 1}, to=("bob",))
    other = packed("price", sealed=more).opening
    assert isinstance(other, Part) and len(encode(other)) == len(encode(part.opening))


def test_a_hidden_number_is_not_found_by_guessing() -> None:
    """P02: with all that the part shows, no guess of the price gives a hash beside it."""
    part = packed("good").opening
    assert isinstance(part, Part)
    leaf = next(leaf for _, leaf in part.leaves if leaf.path == ("good",))
    salts = [leaf.salt, bytes(16), part.count_hash[:16], HEADER.core.nonce]
    seen = set(part.beside)
    for price in range(2000):
        for salt in salts:
            guess = hashlib.sha256(b"\x00" + msgpack.packb([salt, ["price"], price])).digest()
            assert guess not in seen
    honest = next(leaf for leaf in SEALED.payload.leaves if leaf.path == ("price",))
    control = hashlib.sha256(b"\x00" + msgpack.packb([honest.salt, ["price"], 800])).digest()
    assert control in {*SEALED.payload.nodes()}, "the guesses are made as leaves are"


def _part(package: Package) -> Part:
    assert isinstance(package.opening, Part)
    return package.opening


def _whole(package: Package) -> Whole:
    assert isinstance(package.opening, Whole)
    return package.opening


def _leaf(leaf: Leaf, **changes: Any) -> Leaf:
    return msgspec.structs.replace(leaf, **changes)


PART, WHOLE = packed("price", "terms"), packed()
FIRST, *REST = _part(PART).leaves
ALL = _whole(WHOLE).leaves
LIES: dict[str, Callable[[], Package]] = {
    "another value": lambda: opening(PART, leaves=((FIRST[0], _leaf(FIRST[1], value=801)), *REST)),
    "another type": lambda: opening(PART, leaves=((FIRST[0], _leaf(FIRST[1], value=800.0)), *REST)),
    "another name": lambda: opening(PART, leaves=((FIRST[0], _leaf(FIRST[1], path=("fee",))), *REST)),
    "another salt": lambda: opening(PART, leaves=((FIRST[0], _leaf(FIRST[1], salt=bytes(16))), *REST)),
    "moved": lambda: opening(PART, leaves=((FIRST[0] - 1, FIRST[1]), *REST)),
    "duplicated": lambda: opening(PART, leaves=(FIRST, FIRST, *REST)),
    "duplicated elsewhere": lambda: opening(PART, leaves=((0, FIRST[1]), FIRST, *REST)),
    "left out of a part": lambda: opening(PART, leaves=tuple(REST)),
    "swapped": lambda: opening(PART, leaves=(*REST, FIRST)),
    "a hash altered": lambda: opening(PART, beside=(bytes(32), *_part(PART).beside[1:])),
    "a hash too many": lambda: opening(PART, beside=(*_part(PART).beside, bytes(32))),
    "a hash too few": lambda: opening(PART, beside=_part(PART).beside[:-1]),
    "another size": lambda: opening(PART, size=16),
    "another count": lambda: opening(PART, count_hash=bytes(32)),
    "whole, one left out": lambda: opening(WHOLE, leaves=ALL[1:]),
    "whole, one taken for padding": lambda: opening(
        WHOLE, leaves=ALL[:-1], padding=(ALL[-1].hash(), *_whole(WHOLE).padding)
    ),
    "whole, altered": lambda: opening(WHOLE, leaves=(_leaf(ALL[0], value=b"d" * 16), *ALL[1:])),
    "whole, one twice": lambda: opening(WHOLE, leaves=(*ALL, ALL[0])),
    "whole, moved": lambda: opening(WHOLE, leaves=(ALL[1], ALL[0], *ALL[2:])),
    "whole, other padding": lambda: opening(WHOLE, padding=(bytes(32), *_whole(WHOLE).padding[1:])),
    "whole, other salt": lambda: opening(WHOLE, salt=bytes(16)),
}


@pytest.mark.parametrize("lie", LIES)
def test_every_lie_is_refused(lie: str) -> None:
    """P45: an altered, moved, duplicated or dropped leaf, and a "whole" that is none."""
    assert isinstance(judged(PART), Shown) and isinstance(judged(WHOLE), Shown)
    assert judged(LIES[lie]()) in ("commitment does not match", "a field comes twice", "malformed fields")


def test_the_whole_of_one_that_was_made_shorter_is_no_whole() -> None:
    """P45: fields of a power of two have no padding: the count is what betrays the missing half."""
    sealed = send({f"f{i}": i for i in range(8)}, to=("bob",))
    header, payload = sealed.transaction.header, sealed.payload
    honest = packed(sealed=sealed)
    for kept in (payload.leaves[:4], payload.leaves[4:]):
        short = opening(honest, leaves=kept, padding=())
        assert check(short, header, carrier(short).transaction.header.core, "carol") == (
            "commitment does not match"
        )


def without(part: Part, path: str, sealed: Sealed = SEALED) -> Part:
    """A part from which a modified client, which has the whole, cut one leaf; its proof is still good."""
    leaves = tuple((place, leaf) for place, leaf in part.leaves if leaf.path != (path,))
    assert len(leaves) == len(part.leaves) - 1
    beside = TREE.beside(sealed.payload.nodes(), [place for place, _ in leaves])
    return Part(part.count_hash, part.size, leaves, beside)


@pytest.mark.parametrize("rule", RULES)
def test_p45_terms_cannot_be_cut_out_of_a_part(rule: str) -> None:
    """Whatever the rule says, a part that does not open it is refused, also where it is free."""
    sealed = send(with_rule(SAID, rule), to=("bob",))
    core = carrier(packed("price", "good", sealed=sealed)).transaction.header.core
    honest = packed("price", "good", sealed=sealed)
    cut = msgspec.structs.replace(honest, opening=without(_part(honest), "_redisclose", sealed))
    shorter = msgspec.structs.replace(honest, opening=without(_part(honest), "good", sealed))
    header = sealed.transaction.header
    assert isinstance(opened(cut, header), Shown), "its hashes are right: only the terms are missing"
    assert check(cut, header, core, "carol") == NO_TERMS
    assert isinstance(check(shorter, header, core, "carol"), Shown)
    alone = rule_alone(_part(honest))
    assert alone is not None and [leaf.value for _, leaf in alone.leaves] == [rule]


def test_without_a_rule_only_the_whole_can_be_shown() -> None:
    """A client of another make sealed none: the whole proves that there is none, a part could not."""
    sealed = send(SAID, to=("bob",))
    with pytest.raises(PrivityError, match="E-FIELD"):
        packed("price", sealed=sealed)
    whole = packed(sealed=sealed)
    core = carrier(whole).transaction.header.core
    found = check(whole, sealed.transaction.header, core, "carol")
    assert isinstance(found, Shown) and found.whole and len(found.leaves) == 6


def test_it_is_for_its_receivers_and_from_its_discloser() -> None:
    """P46: made for carol, it is refused by dave, from bob, and in a second carrier."""
    package = packed("price")
    assert isinstance(judged(package), Shown)
    assert judged(package, "dave") == "made for another receiver"
    assert judged(package, sender="bob") == "not sent by its discloser"
    assert judged(package, nonce=bytes(16)) == "made for another carrier"
    again = msgspec.structs.replace(package, nonce=bytes(16))
    assert isinstance(judged(again, nonce=bytes(16)), Shown), "whoever may read can make another one"
    for changes, reason in (
        ({"version": 2}, "unknown version"),
        ({"network": bytes(32)}, "other network"),
        ({"tx": bytes(32)}, "other transaction"),
        ({"receivers": ("carol", "bob")}, "made for another receiver"),
        ({"receivers": ("carol", "carol")}, "made for another receiver"),
    ):
        assert judged(msgspec.structs.replace(package, **changes)) == reason


def test_a_payload_says_whether_it_is_a_carrier() -> None:
    assert package_in({"price": 1}) is None
    assert package_in(carried(PART)) == PART
    for wrong in ("text", b"", b"\x90", encode(PART) + b"\x00"):
        with pytest.raises(DecodeError):
            package_in({PACKAGE_FIELD: wrong})


def test_nothing_secret_is_in_its_words() -> None:
    for each in (PART, PART.opening, WHOLE.opening, judged(PART)):
        assert repr(each) == f"{type(each).__name__}(secret)"


@given(st.data(), st.integers(1, 40))
def test_several_leaves_have_one_proof(data: st.DataObject, size: int) -> None:
    """For any tree and choice: the true leaves give the root, others or another place do not."""
    tree = Tree(b"\x07", b"\x08")
    leaves = [tree.leaf(b"%d" % i) for i in range(size)]
    places = data.draw(st.sets(st.integers(0, size - 1), min_size=1))
    beside, root = tree.beside(leaves, places), tree.root(leaves)
    known = {place: leaves[place] for place in places}
    assert tree.root_over(known, size, beside) == root
    wrong = data.draw(st.sampled_from(sorted(places)))
    assert tree.root_over(known | {wrong: tree.leaf(b"x")}, size, beside) != root
    assert tree.root_over(known, size, (*beside, bytes(32))) is None
    if beside:
        assert tree.root_over(known, size, beside[:-1]) is None
    if len(places) == 1:
        assert beside == tree.path(leaves, *places)


def test_many_fields_fit() -> None:
    """A hundred of two hundred and fifty-six leaves: one proof, not a hundred."""
    sealed = send(with_rule({f"f{i:03}": i for i in range(255)}, FREE), to=("bob",))
    package = packed(*[f"f{i:03}" for i in range(1, 255, 2)], sealed=sealed)
    assert isinstance(package.opening, Part) and len(package.opening.beside) == 128
    assert len(encode(package)) < 9000 < 128 * 8 * 32
