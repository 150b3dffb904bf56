"""Network conditions and the expectations about faults and speed, as a scenario has them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.model.loading import load_scenario, parse_scenario
from scenarios.model.scenario import (
    EvidenceKept,
    Expectation,
    Height,
    Latency,
    Messages,
    MetadataKnown,
    NetworkConditions,
    Progress,
    Scenario,
    Stall,
    ViewChanges,
)
from scenarios.model.schema import scenario_schema
from scenarios.model.units import (
    Range,
    UnitError,
    format_delay,
    format_offset,
    format_percent,
    parse_delay,
    parse_offset,
    parse_percent,
)

GOOD = Path(__file__).parent / "good"
HEAD = "privity: 1\nparties: {alice: , bob: , carol: , dave: }\n"
STEPS = (
    "steps:\n"
    "  - {do: load, id: traffic, as: alice, to: [bob], count: 2}\n"
    "  - {do: send, id: rent, as: alice, to: [bob], data: {a: 1}}\n"
    "  - {do: fault, id: split, at: 1s, kind: partition, nodes: [bob], for: 2s}\n"
)


def with_network(network: str) -> Scenario:
    """Four parties on this network."""
    return parse_scenario(f"{HEAD}network: {network}\n", "t.yaml")


def expected(rule: str) -> Expectation:
    """This rule, resolved."""
    (found,) = parse_scenario(f"{HEAD}{STEPS}expect:\n  - {{{rule}}}\n", "t.yaml").expectations
    return found


# Units.


def test_a_chance_is_a_part_of_one() -> None:
    """Percent become a number from 0 to 1."""
    assert [parse_percent(text) for text in ("0%", "0.5%", "30 %", "100%")] == [0.0, 0.005, 0.3, 1.0]


@pytest.mark.parametrize("value", [1, 0.5, "1", "1.2345%", "-1%", "101%", "%", None, True, "1%%"])
def test_what_is_no_chance_is_refused(value: object) -> None:
    """A chance has its sign, at most three decimals, and is from 0% to 100%."""
    with pytest.raises(UnitError) as caught:
        parse_percent(value)
    assert caught.value.code == "E-VALUE"


def test_a_delay_is_microseconds() -> None:
    """One time is a range of itself, and fractions of a millisecond count."""
    written = ("5ms", "5ms..20ms", "0.25ms..1s", "1.5 s", "0ms")
    meant = [(5000, 5000), (5000, 20_000), (250, 1_000_000), (1_500_000, 1_500_000), (0, 0)]
    assert meant == [tuple(parse_delay(text)) for text in written]


@pytest.mark.parametrize("value", [5, "5", "5..20ms", "5ms..", "20ms..5ms", "5ms..20", "601s", "-5ms", None])
def test_what_is_no_delay_is_refused(value: object) -> None:
    """Both ends have their unit, the shorter one first, and 10 minutes are the most."""
    with pytest.raises(UnitError) as caught:
        parse_delay(value)
    assert caught.value.code == "E-DURATION"


@given(st.integers(0, 600_000_000), st.integers(0, 600_000_000), st.integers(0, 100_000))
def test_what_is_written_is_read_back(first: int, second: int, thousandths: int) -> None:
    """Delays, offsets and chances survive being written out."""
    delay = Range(min(first, second), max(first, second))
    assert delay == parse_delay(format_delay(delay))
    for offset in (max(1, first), -max(1, first)):
        assert parse_offset(format_offset(Range(offset, offset))) == Range(offset, offset)
    chance = thousandths / 1000 / 100
    assert parse_percent(format_percent(chance)) == pytest.approx(chance, abs=1e-9)


# Network.


def test_without_a_word_the_network_adds_nothing() -> None:
    """By default packets take what the transport takes, none is lost, and keys are nobody's concern."""
    scenario = parse_scenario(HEAD, "t.yaml")
    assert scenario.conditions == NetworkConditions(None, None, 0.0, 0.0, 0.0, {}, {})
    assert (scenario.transport, scenario.crypto) == ("mqtt", "seeded")


def test_conditions_are_numbers() -> None:
    """Delays are in microseconds, chances from 0 to 1, a preset keeps its name."""
    conditions = with_network("{delay: 5ms..20ms, loss: 1%, duplicate: 0.5%, reorder: 2%}").conditions
    assert conditions == NetworkConditions(None, Range(5000, 20_000), 0.01, 0.005, 0.02, {}, {})
    assert with_network("{preset: wan, loss: 1%}").conditions.preset == "wan"


def test_zones_are_near_each_other() -> None:
    """A latency holds both ways, a zone alone is within it, and patterns stand for parties."""
    scenario = load_scenario(GOOD / "three-zones.yaml")
    assert (scenario.transport, scenario.crypto) == ("memory", "os")
    conditions = scenario.conditions
    assert conditions.zones == {
        "europe": ("bank-a", "bank-b"),
        "asia": ("bank-c", "bank-d"),
        "africa": ("bank-e",),
    }
    assert conditions.delay_us == Range(40_000, 40_000)
    far = Range(80_000, 100_000)
    assert conditions.latency_us["europe", "asia"] == conditions.latency_us["asia", "europe"] == far
    assert conditions.latency_us["asia", "asia"] == Range(250, 250)
    assert ("africa", "africa") not in conditions.latency_us


def test_a_simulated_network_has_seeded_keys() -> None:
    """transport: memory repeats exactly unless crypto: os says otherwise; the file written out says which."""
    assert with_network("{transport: memory}").document.crypto == "seeded"
    assert parse_scenario(f"{HEAD}crypto: os\n", "t.yaml").crypto == "os"


# Expectations.

PLACE = ("expect[0]", 8)


@pytest.mark.parametrize(
    ("rule", "meant"),
    [
        (
            "check: progress, during: split, within: 6s",
            Progress("progress", *PLACE, during="split", after=None, within_ms=6000),
        ),
        (
            "check: progress, after: split, within: 500ms",
            Progress("progress", *PLACE, during=None, after="split", within_ms=500),
        ),
        ("check: stall, during: split", Stall("stall", *PLACE, during="split")),
        ("check: evidence", EvidenceKept("evidence", *PLACE, during=None, least=1, of=())),
        (
            "check: evidence, during: split, min: 2, of: ['[a..b]*']",
            EvidenceKept("evidence", *PLACE, during="split", least=2, of=("alice", "bob")),
        ),
        ("check: view_changes, max: 0", ViewChanges("view_changes", *PLACE, least=None, most=0)),
        ("check: view_changes, min: 2, max: 8", ViewChanges("view_changes", *PLACE, least=2, most=8)),
        (
            "check: latency, p50: 300ms, of: rent",
            Latency(
                "latency", *PLACE, p50_ms=300, p99_ms=None, max_ms=None, of="rent", transactions=("rent",)
            ),
        ),
        (
            "check: latency, p99: 2s, max: 5s",
            Latency(
                "latency",
                *PLACE,
                p50_ms=None,
                p99_ms=2000,
                max_ms=5000,
                of=None,
                transactions=("traffic-0001", "traffic-0002", "rent"),
            ),
        ),
        ("check: messages, max: 3", Messages("messages", *PLACE, most=3)),
        (
            "check: metadata, tx: rent, knows: recipients, are: [broker, bob, alice]",
            MetadataKnown(
                "metadata",
                *PLACE,
                tx="rent",
                transactions=("rent",),
                knows="recipients",
                observers=("alice", "bob", "broker"),
            ),
        ),
        (
            "check: height, min: 2, max: 9",
            Height("height", *PLACE, least=2, exactly=None, at="end", most=9),
        ),
    ],
)
def test_an_expectation_says_what_must_be_true(rule: str, meant: Expectation) -> None:
    """Names are in full, times in milliseconds, and what is left out is no bound."""
    assert meant == expected(rule)


def test_the_schema_has_defaults_as_they_are_written() -> None:
    """Editors offer 1%, 200/s and 5ms..50ms, not the numbers that they are inside."""
    definitions = scenario_schema()["$defs"]
    defaults = {
        (part, key): definitions[part]["properties"][key]["default"]
        for part, key in (
            ("NetworkSection", "loss"),
            ("FloodStep", "rate"),
            ("ReorderStep", "by"),
            ("RestartStep", "for"),
            ("CrashStep", "at"),
            ("ConsensusSection", "block_every"),
        )
    }
    assert list(defaults.values()) == ["0%", "200/s", "5ms..50ms", "1s", "0s", "200ms"]
