"""Profiles: defaults that go together, each of which a file may override."""

from __future__ import annotations

import pytest

from scenarios.model.checking import check_document, render_check
from scenarios.model.filled import brief, filled
from scenarios.model.loading import parse_scenario
from scenarios.model.plan import plan
from scenarios.model.problems import ScenarioInvalid
from scenarios.model.profiles import PROFILES

PARTIES = "parties: {a: {}, b: {}, c: {}, d: {}, gov: {role: regulator, votes: false}}\n"
SEND = "steps:\n  - {at: 0s, do: send, id: x, as: a, to: [b], data: {n: 1}}\n"


def text(profile: str, more: str = "", parties: str = PARTIES) -> str:
    return f"privity: 1\nprofile: {profile}\n{more}{parties}{SEND}"


@pytest.mark.parametrize(
    ("profile", "payload", "copies", "redisclose", "keep", "readers", "block_every_ms"),
    [
        ("b2b", "off_chain", 0, "with-consent", 0, ("b",), 200),
        ("b2c", "on_chain", 1, "with-consent", 1000, ("b",), 500),
        ("b2g", "off_chain", 0, "forbidden", 0, ("b", "gov"), 200),
    ],
)
def test_what_each_sets(
    profile: str,
    payload: str,
    copies: int,
    redisclose: str,
    keep: int,
    readers: tuple[str, ...],
    block_every_ms: int,
) -> None:
    """And `check` says so; the filled-in file means the same, and so does the brief one."""
    scenario = parse_scenario(text(profile), "x.yaml")
    (send,) = plan(scenario)
    assert (scenario.payload, scenario.copies, scenario.block_every_ms) == (payload, copies, block_every_ms)
    assert (send.redisclose, send.keep, send.readers) == (redisclose, keep, readers)
    assert f"profile {profile}: payload {payload} · redisclose {redisclose}" in render_check(scenario)
    assert check_document(scenario)["profile"] == profile
    for again in (filled(scenario), brief(scenario)):
        other = parse_scenario(again, "x.yaml", default_name="x")
        assert plan(other) == plan(scenario)
        assert (other.payload, other.copies, other.block_every_ms) == (payload, copies, block_every_ms)
    assert parse_scenario(filled(scenario), "x.yaml").document.profile == profile


@pytest.mark.parametrize("profile", PROFILES)
def test_a_file_overrides_each_of_them(profile: str) -> None:
    """Also with what is the usual default; a step overrides both."""
    more = "privacy: {payload: on_chain, redisclose: free, keep: 7 blocks, always_to: [c]}\n"
    more += "consensus: {block_every: 50ms}\n"
    for source in (text(profile, more), brief(parse_scenario(text(profile, more), "x.yaml"))):
        scenario = parse_scenario(source, "x.yaml")
        (send,) = plan(scenario)
        assert (scenario.payload, scenario.block_every_ms, send.redisclose) == ("on_chain", 50, "free")
        assert (send.keep, send.readers) == (7, ("b", "c"))
    step = SEND.replace("to: [b],", "to: [b], redisclose: forbidden, keep: 3 blocks,")
    (send,) = plan(parse_scenario(text(profile).replace(SEND, step), "x.yaml"))
    assert (send.redisclose, send.keep) == ("forbidden", 3)


@pytest.mark.parametrize(
    ("file", "code", "words"),
    [
        (text("b2x"), "E-VALUE", "did you mean b2"),
        (text("b2g", parties="parties: {a: {}, b: {}}\n"), "E-MISSING", "role: regulator"),
        (text("b2b", "privacy: {redisclos: free}\n"), "E-KEY", "did you mean redisclose"),
        (text("b2b", "privacy: [free]\n"), "E-TYPE", "map"),
        (text("b2b").replace("profile", "profil"), "E-KEY", "did you mean profile"),
    ],
)
def test_mistakes_are_named_at_their_place(file: str, code: str, words: str) -> None:
    with pytest.raises(ScenarioInvalid) as refused:
        parse_scenario(file, "x.yaml")
    (problem,) = refused.value.problems
    assert problem.code == code and words in problem.message, problem


def test_regulators_of_a_series_are_mandatory_readers() -> None:
    parties = 'parties: {a: {}, b: {}, "gov-[a..c]": {role: regulator, votes: false}}\n'
    (send,) = plan(parse_scenario(text("b2g", parties=parties), "x.yaml"))
    assert send.readers == ("b", "gov-a", "gov-b", "gov-c")
