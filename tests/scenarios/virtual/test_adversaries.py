"""Byzantine replicas: each kind of the fault model is there, is drawn by the campaign, and really lies."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from scenarios.virtual.adversaries import ADVERSARIES, draw, small_scope
from scenarios.virtual.adversaries.liar import Behaviour, Liar, starter
from scenarios.virtual.campaign import Options, run
from scenarios.virtual.network import Rule
from scenarios.virtual.world import World

# What the fault model asks for. Twins are in test_twins.py: they are two correct replicas with one key.
NAMED = {
    "equivocating primary",
    "equivocating voter",
    "preparing primary",
    "silent",
    "selectively silent",
    "wrong digest",
    "invalid batch",
    "stale views",
    "future views",
    "invalid view-change",
    "invalid new-view",
    "out of window",
    "censor",
    "slow primary",
    "flood",
    "replay",
    "lying answers",
}
SMALL_SCOPE = "small scope"


def test_every_adversary_of_the_fault_model_is_there_and_is_drawn() -> None:
    """By name, from few draws; small-scope mutations besides."""
    assert set(ADVERSARIES) == NAMED
    random = Random(1)
    drawn = Counter(draw(random)[0] for _ in range(400))
    assert set(drawn) == NAMED | {SMALL_SCOPE}
    assert min(drawn.values()) >= 5


def test_the_campaign_has_liars_of_many_kinds_that_lie() -> None:
    """Among some seeds; and a run tells which liars it had."""
    told: Counter[str] = Counter()
    seeds = [seed for seed in range(60) if Options.drawn_from(seed).byzantine][:20]
    for seed in seeds:
        outcome = run(seed, signatures="modelled")
        assert outcome.broken == ""
        if outcome.seen["lied"]:
            told.update(outcome.liars.values())
    assert len(told) >= 8


def made(name: str, host: Liar, seed: int) -> Behaviour:
    """One adversary."""
    random = Random(f"{name}/{seed}")
    return small_scope(host, random) if name == SMALL_SCOPE else ADVERSARIES[name](host, random)


def lies_of(name: str, seeds: int) -> Counter[str]:
    """What the first primary did in some runs with lost packets and isolated backups, by kind."""
    told: Counter[str] = Counter()
    for seed in range(seeds):
        world = World(
            4,
            seed=seed,
            hosts={0: starter(lambda host, seed=seed: made(name, host, seed))},  # type: ignore[misc]
            signatures="modelled",
            view_timeout_ms=300,
            block_every_ms=20,
            window=8,
        )
        for round_ms in range(0, 8_000, 1_000):
            for at_ms in (0, 190, 300):
                world.at(round_ms + at_ms, lambda world=world: world.submit())  # type: ignore[misc]
            away = round_ms // 1_000 % 4
            world.at(round_ms + 200, lambda world=world, away=away: world.network.isolate(away))  # type: ignore[misc]
            if round_ms // 1_000 % 2:  # What is prepared then stays undecided over the change of view.
                lost = Rule(kinds=frozenset({"commit"}), drop=1.0)
                world.at(round_ms + 150, lambda world=world, lost=lost: world.network.rule("lost", lost))  # type: ignore[misc]
            world.at(round_ms + 950, world.network.heal)
        world.run_for(9_000)
        world.heal()
        world.run_until(world.all_done, 120_000)
        told.update(world.seats[0].happened)
    return told


# Of those that lie in several ways, each way; of the others, that they lie.
WAYS: dict[str, set[str]] = {
    **{name: set() for name in NAMED},
    "invalid batch": {
        "requests twice",
        "no request",
        "an unknown request",
        "a time long past",
        "a time far ahead",
        "another proposer",
    },
    "equivocating primary": {"both to all", "prepares both"},
    "out of window": {"low", "high", "above high", "far"},
    "replay": {"own words again", "the words of others again"},
    "lying answers": {"another height", "another block"},
    "invalid view-change": {
        "unproven_low",
        "nothing",
        "drop",
        "bad_signature",
        "too_few",
        "late_view",
        "twice",
        "far",
    },
    "invalid new-view": {
        "of another primary",
        "too_few",
        "one_twice",
        "forged_change",
        "unproven_change",
        "extra",
        "another_view",
        "missing",
        "null",
        "swapped",
    },
    SMALL_SCOPE: {"view", "sequence", "digest", "epoch"},
}


@pytest.mark.parametrize("name", WAYS)
def test_it_lies_in_every_way_it_knows_and_stops_nobody(name: str) -> None:
    """And the three others execute everything in the end."""
    told: Counter[str] = Counter()
    for seeds in (4, 40):
        told = lies_of(name, seeds)
        if told["lied"] and all(told[f"lied: {way}"] for way in WAYS[name]):
            break
    assert told["lied"] > 0
    assert {way for way in WAYS[name] if not told[f"lied: {way}"]} == set()
