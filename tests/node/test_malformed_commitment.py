"""A sender who commits to what no payload can be, and shows a part or the whole of it (P45)."""

from __future__ import annotations

import math
from hashlib import sha256

import msgspec
import pytest

from node.envelopes.disclosure import RULE_FIELD, Part, Shown, Whole, opened
from node.envelopes.payload import TREE, Leaf, Payload
from node.envelopes.rule import FORBIDDEN, FREE
from node.envelopes.transaction import PublicHeader, owner_of, signed_bytes
from tests.node.small_consortium import seeded
from tests.node.test_disclosure import HEADER, packed


def committed(*more: tuple[tuple[str, ...], object], nodes: int = 4) -> tuple[PublicHeader, Payload]:
    """A header that commits to the rule and these leaves, as its sender likes them."""
    salts = seeded("liar")
    leaves = tuple(Leaf(salts(16), path, value) for path, value in (((RULE_FIELD,), FREE), *more))
    padding = tuple(salts(32) for _ in range(nodes - len(leaves)))
    tree_root = TREE.root([*(leaf.hash() for leaf in leaves), *padding])
    payload = Payload(salts(16), leaves, padding, tree_root)
    core = msgspec.structs.replace(HEADER.core, payload_root=payload.root(owner_of(HEADER.core)))
    return msgspec.structs.replace(HEADER, core=core), payload


def shown(header: PublicHeader, payload: Payload, *, whole: bool) -> Shown | str:
    """What a receiver makes of all its leaves, opened with their true hashes."""
    places = range(len(payload.leaves))
    opening: Part | Whole = Whole(payload.salt, payload.leaves, payload.padding)
    if not whole:
        leaves = tuple(enumerate(payload.leaves))
        opening = Part(payload.count_hash(), 4, leaves, TREE.beside(payload.nodes(), places))
    package = msgspec.structs.replace(packed(), tx=sha256(signed_bytes(header)).digest(), opening=opening)
    return opened(package, header)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(
    "more",
    [
        ((("price",), 800), (("price",), 900)),
        (((RULE_FIELD,), FORBIDDEN), (("price",), 800)),
        ((("price",), math.inf),),
        ((("price",), 2**64 - 1),),
        ((("price",), ["kept", "in", "one", "leaf"]),),
    ],
    ids=["one field twice", "two rules", "no number", "too large", "a list in a leaf"],
)
def test_p45_what_no_payload_can_be_shows_nothing(
    more: tuple[tuple[tuple[str, ...], object], ...], whole: bool
) -> None:
    """Its hashes are right, and who is shown it could be told two things by one commitment."""
    assert isinstance(shown(*committed((("price",), 800)), whole=whole), Shown)
    assert shown(*committed(*more), whole=whole) == "malformed fields"


@pytest.mark.parametrize("nodes", [2, 3, 5, 8, 256])
def test_p45_a_whole_has_the_padding_of_its_number_of_fields(nodes: int) -> None:
    """One set of fields has one shape of tree: its sender cannot mark what it shows by another."""
    assert isinstance(shown(*committed((("price",), 800)), whole=True), Shown)
    assert shown(*committed((("price",), 800), nodes=nodes), whole=True) == "malformed fields"
