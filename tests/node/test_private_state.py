"""Private objects as a function of the chain: one order, one winner, and reasons for the others."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.canonical import DecodeError
from node.envelopes.object_write import OBJECT_FIELD, check_name, writing, written_by
from node.envelopes.payload import Payload
from node.errors import PrivityError
from node.objects.private_state import APPLIED, OUTSIDER, STALE, WAITING, Write, judge
from tests.node.small_consortium import seeded


def write(number: int, expects: int, sender: str = "ann") -> Write:
    return Write(number.to_bytes(32, "big"), number, 0, sender, ("ann", "bob"), b"o" * 32, expects)


def outcomes(*writes: Write, **arguments: object) -> list[tuple[str, int]]:
    return [(each.outcome, each.version) for each in judge(writes, **arguments)]  # type: ignore[arg-type]


def test_a_stale_version_is_a_reasoned_failure() -> None:
    """It expected 3 and is 4: both numbers are known, and the next valid write counts (P54)."""
    found = outcomes(write(1, 0), write(2, 1), write(3, 2), write(4, 3), write(5, 3), write(6, 4))
    assert found == [(APPLIED, 1), (APPLIED, 2), (APPLIED, 3), (APPLIED, 4), (STALE, 4), (APPLIED, 5)]


def test_who_is_not_of_the_audience_changes_nothing() -> None:
    """P38, whatever version it names."""
    found = outcomes(write(1, 0), write(2, 1, "mallory"), write(3, 0, "mallory"), write(4, 1))
    assert found == [(APPLIED, 1), (OUTSIDER, 1), (OUTSIDER, 1), (APPLIED, 2)]


def test_what_stands_behind_a_gap_waits() -> None:
    """Nothing is judged before all before it is known, not even what would fail."""
    assert outcomes(write(1, 0), write(3, 1), write(5, 9), limit=(3, 0)) == [
        (APPLIED, 1),
        (WAITING, 1),
        (WAITING, 1),
    ]


@given(st.lists(st.integers(0, 4), max_size=12))
def test_of_concurrent_writers_one_wins(expected: list[int]) -> None:
    """P40: of any number that expect one version, the first on the chain counts; no version is skipped."""
    judged = list(judge([write(n, expects) for n, expects in enumerate(expected)]))
    winners = [each for each in judged if each.outcome == APPLIED]
    assert [each.version for each in winners] == list(range(1, len(winners) + 1))
    assert [each.write.expects for each in winners] == list(range(len(winners)))
    for expects, group in itertools.groupby(
        sorted(judged, key=lambda j: j.write.expects), lambda j: j.write.expects
    ):
        won = [each for each in group if each.outcome == APPLIED]
        assert len(won) <= 1, expects


def payload(**fields: object) -> Payload:
    return Payload.build(fields, seeded("object"))


def test_a_write_is_read_as_it_was_written() -> None:
    found = written_by(payload(price=1, **writing("loan-17", 3)))
    assert found is not None and (found.name, found.expects) == ("loan-17", 3)
    assert written_by(payload(price=1)) is None
    assert "loan" not in repr(found)


@pytest.mark.parametrize(
    "said",
    [
        {},
        "loan-17",
        {"name": "loan-17"},
        {"expects": 1},
        {"name": "", "expects": 1},
        {"name": "x" * 65, "expects": 1},
        {"name": 17, "expects": 1},
        {"name": "loan-17", "expects": -1},
        {"name": "loan-17", "expects": 1.0},
        {"name": "loan-17", "expects": True},
        {"name": "loan-17", "expects": 2**31},
        {"name": "loan-17", "expects": "1"},
        {"name": "loan-17", "expects": 1, "audience": "all"},
        {"name": {"of": "loan"}, "expects": 1},
    ],
)
def test_what_is_no_write_is_refused(said: object) -> None:
    """A malformed write is no write: the same for every reader, whoever made it (P54)."""
    with pytest.raises(DecodeError) as refused:
        written_by(payload(**{OBJECT_FIELD: said}))
    assert refused.value.reason == "object"


@pytest.mark.parametrize("name", ["", "x" * 65, "a\x1b[2J", "a\nb"])
def test_a_name_that_clients_refuse_is_not_quoted(name: str) -> None:
    with pytest.raises(PrivityError) as refused:
        check_name(name)
    assert refused.value.code == "E-OBJECT" and (not name or name not in str(refused.value))
