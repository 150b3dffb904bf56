"""Units, names and patterns as a scenario writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.logs.event_fields import is_label, is_name
from scenarios.model.names import expand, matching, no_such_party, wrong_with_identifier, wrong_with_name
from scenarios.model.units import (
    MAX_DURATION_MS,
    Range,
    Rate,
    UnitError,
    format_duration,
    format_rate,
    format_size,
    parse_duration,
    parse_range,
    parse_rate,
    parse_size,
)


def test_durations_are_milliseconds() -> None:
    """Every unit of time comes down to whole milliseconds."""
    written = ("500ms", "12s", "1.5s", "2m", "1h", "0s")
    assert [parse_duration(text) for text in written] == [500, 12_000, 1_500, 120_000, 3_600_000, 0]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (12, "12 has no unit; write 12s"),
        ("12", "12 has no unit; write 12s"),
        (1.5, "1.5 has no unit; write 1.5s"),
        (True, "not a duration; write it like 500ms or 12s"),
        (None, "not a duration; write it like 500ms or 12s"),
        ([1], "not a duration; write it like 500ms or 12s"),
        ("12 parsecs", "12 parsecs is no duration; write it like 500ms or 12s"),
        ("-1s", "-1s is no duration; write it like 500ms or 12s"),
        ("9" * 400 + "s", "not a duration; write it like 500ms or 12s"),
        ("169h", "169h is longer than a week"),
    ],
)
def test_what_is_no_duration_is_refused(value: object, message: str) -> None:
    """The refusal of a duration says what to write."""
    with pytest.raises(UnitError) as caught:
        parse_duration(value)
    assert ("E-DURATION", message) == (caught.value.code, str(caught.value))


@pytest.mark.parametrize("value", [4, "4", "4s", "4/h", "0/s", "10001/s", "four/s", None])
def test_what_is_no_rate_is_refused(value: object) -> None:
    """A rate is 1/m to 10000/s, with its unit."""
    with pytest.raises(UnitError):
        parse_rate(value)


@pytest.mark.parametrize("value", [512, "512", "512KB", "-1B", "1.5KiB", None])
def test_what_is_no_size_is_refused(value: object) -> None:
    """A size is whole bytes or KiB, with its unit."""
    with pytest.raises(UnitError):
        parse_size(value)


@given(
    st.integers(0, MAX_DURATION_MS),
    st.integers(0, 10**9 - 1),
    st.integers(1, 10_000),
    st.sampled_from([1_000, 60_000]),
)
def test_what_is_written_is_read_back(milliseconds: int, size: int, times: int, per_ms: int) -> None:
    """Each format is read by its parser as the same value."""
    assert milliseconds == parse_duration(format_duration(milliseconds))
    assert size == parse_size(format_size(size))
    assert Rate(times, per_ms) == parse_rate(format_rate(Rate(times, per_ms)))


def test_ranges_include_both_ends() -> None:
    """A range is two whole numbers; other text is no range, and an empty one is refused."""
    assert (Range(1, 3), Range(-5, -5)) == (parse_range("1..3"), parse_range("-5..-5"))
    assert [parse_range(value) for value in ("1...3", "a..b", "1..", 3, "1.5..2")] == [None] * 5
    with pytest.raises(UnitError):
        parse_range("3..1")


def test_a_series_names_each_party() -> None:
    """`bank-[a..c]` and `[1..3]` stand for one name each; anything else for itself."""
    assert expand("bank-[a..c]") == ["bank-a", "bank-b", "bank-c"]
    assert expand("n[9..11]-x") == ["n9-x", "n10-x", "n11-x"]
    for plain in ("bank", "bank-[c..a]", "bank-[a..3]", "[a..b][c..d]", "bank-[a..b"):
        assert [plain] == expand(plain)


def test_patterns_mean_parties_in_the_order_of_the_file() -> None:
    """`*` stands for any letters, and nothing else is special."""
    names = ("bank-b", "bank-a", "clearing", "bank-c")
    assert matching("bank-*", names) == ["bank-b", "bank-a", "bank-c"]
    assert matching("bank-[a..b]", names) == ["bank-b", "bank-a"]
    assert list(names) == matching("*", names)
    assert matching("clearing", names) == ["clearing"]
    assert [] == matching("bank-?", names) == matching("bank-[ab]", names) == matching("BANK-*", names)


@given(st.text(alphabet="abz09-_.#+/ AÄ", max_size=40))
def test_a_name_fits_everywhere_or_is_refused(text: str) -> None:
    """Whatever is accepted as a name or an id can stand in a log and in a consortium."""
    if wrong_with_name(text) is None:
        assert is_name(text) and not set(text) & set("#+/_. ") and len(text) <= 32
    if wrong_with_identifier(text) is None:
        assert is_label(text) and not set(text) & set("#+/_. ")


@pytest.mark.parametrize("name", ["broker", "everyone", "operator", "primary", "backups", "random"])
def test_words_with_a_meaning_are_no_names(name: str) -> None:
    """A word that means something else cannot name a party."""
    assert str(wrong_with_name(name)).startswith(f"{name} is taken: it means ")
    assert no_such_party(name, ["alice"]).endswith("; name a party")


def test_the_nearest_party_is_offered() -> None:
    """An unknown name gets the nearest one, or the list when none is near."""
    assert no_such_party("bollt", ["acme", "bolt"]) == "no party named bollt; did you mean bolt?"
    assert no_such_party("zz", ["acme", "bolt"]) == "no party named zz; there are acme and bolt"
