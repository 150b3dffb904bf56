"""The hash of a run: what it tells apart."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scenarios.virtual.trace import BUFFERED, TraceHash


def hash_of(tell: Callable[[TraceHash], None]) -> str:
    """The hash after some things were told."""
    trace = TraceHash()
    tell(trace)
    return trace.value


@pytest.mark.parametrize(
    "other",
    [
        lambda t: t.add_all(b"d", 5, 1, [b"a", b"bc"]),
        lambda t: t.add_all(b"d", 5, 1, [b"abc"]),
        lambda t: t.add_all(b"d", 5, 1, [b"ab", b"c", b""]),
        lambda t: t.add_all(b"d", 5, 1, [b"ab", b"d"]),
        lambda t: t.add_all(b"d", 5, 2, [b"ab", b"c"]),
        lambda t: t.add_all(b"d", 6, 1, [b"ab", b"c"]),
        lambda t: t.add_all(b"p", 5, 1, [b"ab", b"c"]),
        lambda t: t.add_all(b"d", 5, 1, [b"c", b"ab"]),
    ],
)
def test_bytes_order_place_time_and_kind_all_count(other: Callable[[TraceHash], None]) -> None:
    """Also where one thing ends and the next begins."""
    assert hash_of(other) != hash_of(lambda t: t.add_all(b"d", 5, 1, [b"ab", b"c"]))


def test_when_it_hashes_changes_nothing() -> None:
    """Things are put aside and hashed many at once; looking at the value hashes what there is."""
    often, seldom = TraceHash(), TraceHash()
    for number in range(3 * BUFFERED):
        for trace in (often, seldom):
            trace.add_all(b"p", number, 0, [b"%d" % number] * (1 + number % 3))
        if number % 1000 == 0:
            assert often.value
    assert often.value == seldom.value
