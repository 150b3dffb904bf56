"""What is derived from a content key, or wrapped, depends on all that it is about (P09, P10, P50)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from node.envelopes.content_key import ContentKey
from node.envelopes.shares import Share, open_from_opener, open_from_sender
from node.envelopes.transaction import owner_digest, slots_hash
from node.envelopes.wrapping import WrappingKey
from tests.node.small_consortium import seeded

ONE, OTHER = b"\1" * 32, b"\2" * 32
KEY = ContentKey(ONE)


def share_commitment(number: int, value: bytes, salt: bytes, owner: bytes) -> bytes:
    return Share(number, value, salt).commitment(owner)


DERIVED: dict[str, tuple[Callable[..., Any], tuple[Any, ...], tuple[Any, ...]]] = {
    "place": (KEY.place, (ONE, ONE), (OTHER, OTHER)),
    "ephemeral": (KEY.ephemeral, (ONE, 1, ONE), (OTHER, 2, OTHER)),
    "dummy": (KEY.dummy, (ONE, 1), (OTHER, 2)),
    "receipt": (KEY.receipt_ephemeral, (1,), (2,)),
    "receipts salt": (KEY.receipts_salt, (ONE,), (OTHER,)),
    "receipts key": (KEY.receipts_key, (ONE[:16],), (OTHER[:16],)),
    "share": (KEY.share, (ONE, 1), (OTHER, 2)),
    "share salt": (KEY.share_salt, (ONE, 1), (OTHER, 2)),
    "owner": (owner_digest, (ONE, "ann", ONE[:16]), (OTHER, "bob", OTHER[:16])),
    "slots": (slots_hash, ((ONE,), (ONE,)), ((OTHER,), (OTHER,))),
    "share's hash": (share_commitment, (1, ONE, ONE[:16], ONE), (2, OTHER, OTHER[:16], OTHER)),
}


@pytest.mark.parametrize("what", DERIVED)
def test_p10_what_is_derived_differs_wherever_what_it_is_for_does(what: str) -> None:
    """P09: and what is hashed for one owner, number or salt is nothing for another."""
    made_of, these, others = DERIVED[what]
    found = {repr(made_of(*these))}
    for place, other in enumerate(others):
        found.add(repr(made_of(*these[:place], other, *these[place + 1 :])))
    assert len(found) == 1 + len(others)


def test_p50_a_wrapped_share_opens_for_its_place_and_purpose_only() -> None:
    """Under another number, transaction or direction it is nothing, so nobody can hand it on as his own."""
    key = WrappingKey.generate(seeded("opener"))
    share = Share(2, ONE, OTHER[:16])
    dealt, released = share.for_opener(key.public, ONE), share.for_reader(key.public, ONE)
    assert open_from_sender(key, dealt, 2, ONE) == share == open_from_opener(key, released, 2, ONE)
    for opens, wrapped in ((open_from_sender, dealt), (open_from_opener, released)):
        assert opens(key, wrapped, 3, ONE) is None
        assert opens(key, wrapped, 2, OTHER) is None
    assert open_from_opener(key, dealt, 2, ONE) is None is open_from_sender(key, released, 2, ONE)


def test_p50_no_two_wraps_of_a_share_have_one_ephemeral_key() -> None:
    """P17: wraps for two readers that began alike would show that they hold the same."""
    keys = [WrappingKey.generate(seeded(f"reader {number}")).public for number in range(3)]
    shares = [Share(number, ONE, OTHER[:16]) for number in (1, 2)]
    wraps = [share.for_reader(key, tx) for share in shares for key in keys for tx in (ONE, OTHER)]
    wraps += [share.for_opener(key, ONE) for share in shares for key in keys]
    assert len({wrapped[:32] for wrapped in wraps}) == len(wraps) == 18
