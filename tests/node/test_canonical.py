"""One meaning has one encoding, and a decoder never raises anything but DecodeError."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from node.canonical import DecodeError, decode, encode


class Vote(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=1):
    view: Annotated[int, msgspec.Meta(ge=0)]
    digest: Annotated[bytes, msgspec.Meta(min_length=2, max_length=2)]
    name: str


class Bundle(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=2):
    votes: tuple[Vote, ...]


EITHER = msgspec.msgpack.Decoder(Vote | Bundle)
VOTE = Vote(1, b"dd", "n1")
BYTES = encode(VOTE)


def test_decoding_undoes_encoding() -> None:
    """What was encoded decodes to an equal value, by type and by ready decoder."""
    assert decode(Vote, BYTES, 100) == VOTE
    assert Bundle((VOTE, VOTE)) == decode(EITHER, encode(Bundle((VOTE, VOTE))), 100)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x94\xcc\x01" + BYTES[2:], "not_canonical"),  # The tag as a wide integer.
        (b"\xdc\x00\x04" + BYTES[1:], "not_canonical"),  # The array with a wide header.
        (BYTES.replace(b"\xc4\x02dd", b"\xc5\x00\x02dd"), "not_canonical"),
        (BYTES + b"\x00", "malformed"),
        (BYTES[:-1], "malformed"),
        (b"", "malformed"),
        (BYTES[:-2] + b"\xff1", "malformed"),  # Text that is not UTF-8.
        (b"\x91" * 50_000, "shape"),
        (BYTES.replace(b"\xc4\x02dd", b"\xc4\x01d"), "shape"),
        (b"\x93" + BYTES[1:-3], "shape"),  # A field too few.
        (b"\x95" + BYTES[1:] + b"\x00", "shape"),  # A field too many.
    ],
)
def test_any_other_encoding_is_refused(data: bytes, reason: str) -> None:
    """Wide integers and headers, trailing and missing bytes and wrong shapes are refused with a token."""
    with pytest.raises(DecodeError) as refusal:
        decode(Vote, data, 100_000)
    assert reason == refusal.value.reason


def test_repeated_map_keys_are_refused() -> None:
    """A map that names a key twice has another encoding, and is refused."""
    with pytest.raises(DecodeError, match="not_canonical"):
        decode(msgspec.msgpack.Decoder(dict[str, int]), b"\x82\xa1a\x01\xa1a\x01", 100)


def test_the_limit_comes_before_everything() -> None:
    """Input over the limit is refused for its size, whatever it holds."""
    with pytest.raises(DecodeError, match="size"):
        decode(Vote, BYTES, len(BYTES) - 1)


@given(st.binary(max_size=60))
@example(b"\xdd\xff\xff\xff\xff")
@example(b"\xdf\xff\xff\xff\xff")
@example(b"\xd7\xff" + b"\xff" * 8)  # An impossible timestamp.
@example(b"\x81\x80\x00")  # A map as the key of a map.
@example(b"\x91" * 100_000)
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    """Any bytes decode to a value that encodes to them again, or raise DecodeError."""
    for target in (Vote, EITHER, msgspec.msgpack.Decoder(Any)):
        try:
            value = decode(target, data, 1 << 20)
        except DecodeError:
            continue
        assert data == encode(value)


def test_errors_do_not_quote_their_input() -> None:
    """The text of an error is a token and has no part of the input."""
    with pytest.raises(DecodeError) as refusal:
        decode(Vote, encode([1, 1, b"dd", b"my secret"]), 100)
    assert str(refusal.value) == "shape"
    assert refusal.value.__suppress_context__
