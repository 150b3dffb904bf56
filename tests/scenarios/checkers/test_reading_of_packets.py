"""What the checkers make of bytes that no correct replica says: nothing, and never an error."""

from __future__ import annotations

import pytest

from scenarios.checkers.reading import unpack


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x92\x01",
        b"\x91\x01\x02",
        b"\xa1\xff",
        b"\x81\x90\x00",
        b"\x81\x80\x00",
        b"\x91" * 2000,
    ],
    ids=["empty", "reserved", "cut", "more", "not-utf8", "list-as-key", "map-as-key", "deep"],
)
def test_bytes_that_are_no_value_are_none(data: bytes) -> None:
    """Whatever is wrong with them."""
    assert unpack(data) is None
