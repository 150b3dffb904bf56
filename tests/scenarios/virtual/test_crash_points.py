"""A crash at every effect boundary (R20): whatever was written or said last, nobody contradicts itself."""

from __future__ import annotations

import pytest

from scenarios.checkers.checkers import Checkers
from scenarios.virtual.world import World

LIMIT_MS = 120_000


def watched() -> tuple[World, Checkers]:
    """Four replicas whose first primary is slow to be heard, so that a view change is on the way."""
    world = World(4, seed=1, start=False, signatures="modelled", view_timeout_ms=400, block_every_ms=20)
    public = [keys.signing.public.raw for keys in world.keys]
    checkers = Checkers(4, world.network_id, public, window=128, check=world.signatures.check)
    world.watching.add([checkers])
    for member in world.members:
        world.start(member)
    for _ in range(3):
        world.submit()
    world.at(30, lambda: world.network.isolate(0))
    world.at(20, lambda: world.submit())
    world.at(40, lambda: world.submit())
    world.at(1_500, world.network.heal)
    return world, checkers


def effects_of(place: int) -> int:
    """How many effects a replica has in the run without a crash."""
    world, checkers = watched()
    world.run_for(1_600)
    world.run_until(world.all_done, LIMIT_MS)
    assert checkers.summary["new view"] > 0
    return world.seats[place].effects


@pytest.mark.parametrize("power_cut", [False, True])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_replica_crashes_at_each_of_its_effects(place: int, power_cut: bool) -> None:
    """The old primary, the new one, a backup: it comes back, and everything is executed once everywhere."""
    crashed = views = 0
    for effect in range(effects_of(place)):
        world, checkers = watched()
        world.crash_at(place, effect, torn=bool(effect % 2))
        world.run_until(lambda world=world: not world.up(place), LIMIT_MS)  # type: ignore[misc]
        if power_cut:
            world.seats[place].records.power_cut()
        crashed += world.happened["crash point"]
        world.run_for(effect % 7 * 100)
        world.heal()
        world.run_until(world.all_done, LIMIT_MS)
        views += checkers.summary.get("new view", 0)
    assert crashed == effects_of(place) > 30
    assert views > 0


@pytest.mark.parametrize("place", [0, 1])
def test_all_four_lose_power_at_each_effect_of_one(place: int) -> None:
    """The whole network at once, with nothing but its disks: the chain goes on and nothing is lost."""
    executed_before = 0
    for effect in range(effects_of(place)):
        world, checkers = watched()
        world.crash_at(place, effect)
        world.run_until(lambda world=world: not world.up(place), LIMIT_MS)  # type: ignore[misc]
        heights = world.heights()
        world.seats[place].records.power_cut()
        for other in world.members:
            world.crash(other, power_cut=True)
        executed_before += max(heights.values()) > 0
        world.heal()
        world.run_until(world.all_done, LIMIT_MS)
        assert checkers.summary["restart"] == 4
    assert executed_before > 0
