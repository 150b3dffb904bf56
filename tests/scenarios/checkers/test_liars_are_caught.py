"""The checkers against replicas that lie and are held to the rules all the same: each lie has its name."""

from __future__ import annotations

from random import Random

import pytest

from scenarios.checkers.checkers import Checkers, InvariantBroken
from scenarios.virtual.adversaries import ADVERSARIES
from scenarios.virtual.adversaries.liar import starter
from scenarios.virtual.bare_host import BareHost
from scenarios.virtual.host import Starter
from scenarios.virtual.world import World

PLACE = 0


def world_with(host: Starter, seed: int, *, faulty: tuple[int, ...] = ()) -> tuple[World, Checkers]:
    """Four replicas, the first of them this one; the network loses what leaves it now and then."""
    world = World(
        4,
        seed=seed,
        hosts={PLACE: host},
        start=False,
        signatures="modelled",
        view_timeout_ms=400,
        block_every_ms=20,
    )
    public = [keys.signing.public.raw for keys in world.keys]
    checkers = Checkers(4, world.network_id, public, window=128, faulty=faulty, check=world.signatures.check)
    world.watching.add([checkers])
    for member in world.members:
        world.start(member)
    return world, checkers


def storm(world: World) -> None:
    """Requests, and isolation of one backup after the other, so that views change."""
    for round_ms in range(0, 6_000, 1_000):
        world.at(round_ms, lambda: world.submit())
        world.at(round_ms + 300, lambda: world.submit())
        world.at(round_ms + 200, lambda place=round_ms // 1_000 % 4: world.network.isolate(place))  # type: ignore[misc]
        world.at(round_ms + 950, world.network.heal)
    world.run_for(7_000)


def liar(name: str, seed: int) -> Starter:
    return starter(lambda host: ADVERSARIES[name](host, Random(f"{name}/{seed}")))


# What a lie breaks. Silence, censorship, slowness and false heights break no rule that can be seen outside.
SEEN_AS = {
    "equivocating primary": {"I4", "I6"},
    "equivocating voter": {"I4", "I6"},
    "preparing primary": {"I5", "I6"},
    "wrong digest": {"I5", "I6"},
    "out of window": {"I6", "I12"},
    "stale views": {"I5", "I6"},
    "future views": {"I6"},
    "flood": {"I6", "I12"},
    "invalid view-change": {"I4", "I5", "I6"},
    "invalid new-view": {"I5", "I6"},
}


@pytest.mark.parametrize("name", SEEN_AS)
def test_a_lie_is_reported_under_its_invariant(name: str) -> None:
    """At the event where it happens, against the replica that lied."""
    for seed in range(20):
        try:
            world, _ = world_with(liar(name, seed), seed)
            storm(world)
        except InvariantBroken as broken:
            assert broken.invariant in SEEN_AS[name]
            assert broken.replica == PLACE
            return
    pytest.fail(f"{name} was never seen")


@pytest.mark.parametrize("name", ADVERSARIES)
def test_a_declared_liar_is_nobodys_bug(name: str) -> None:
    """It lies, the others agree and go on, and no checker complains (I0)."""
    lied = 0
    for seed in range(3):
        world, checkers = world_with(liar(name, seed), seed, faulty=(PLACE,))
        storm(world)
        world.heal()
        world.run_until(world.all_done, 120_000)
        lied += world.seats[PLACE].happened["lied"]
        assert checkers.summary["I1"] >= 9
    assert lied > 0


EVIDENCE = {
    "equivocating primary": "E4",  # It prepares both batches, and no backup sees both proposals.
    "equivocating voter": "E1",
    "preparing primary": "E4",
    "invalid view-change": "E3",
    "invalid new-view": "E3",
}


@pytest.mark.parametrize("name", EVIDENCE)
def test_what_can_be_proven_is_proven(name: str) -> None:
    """A correct replica keeps the evidence, which the checkers verify on their own (I10, R30)."""
    found = 0
    for seed in range(6):
        world, checkers = world_with(liar(name, seed), seed, faulty=(PLACE,))
        storm(world)
        found += checkers.summary.get(f"evidence {EVIDENCE[name]}", 0)
    assert found > 0


class Impatient(BareHost):
    """Sends before anything is durable."""

    def _persist(self, outputs: list[object]) -> None:  # type: ignore[override]
        later, self._later = getattr(self, "_later", []), list(outputs)
        if later:
            super()._persist(later)


class OfItsOwnMind(BareHost):
    """Executes batches into other blocks than everybody else."""

    def _execute(self, decision: object) -> None:  # type: ignore[override]
        self._head = bytes(32) if self._height == 2 else self._head
        super()._execute(decision)  # type: ignore[arg-type]


@pytest.mark.parametrize(("host", "names"), [(Impatient, {"I6"}), (OfItsOwnMind, {"I1", "I9"})])
def test_a_broken_driver_is_reported(host: Starter, names: set[str]) -> None:
    """What is said before it is written down; another block after the same batches."""
    world, _ = world_with(host, 1)
    with pytest.raises(InvariantBroken) as broken:
        storm(world)
    assert broken.value.invariant in names


def test_more_than_f_liars_are_out_of_the_model() -> None:
    """Forks are counted then, and nobody is blamed for them (I0)."""
    _, checkers = world_with(liar("silent", 1), 1, faulty=(0, 1))
    assert checkers.facts.out_of_model
    checkers.facts.broken("I1", "a fork", 0)
    assert checkers.summary["fork"] == 1
    with pytest.raises(InvariantBroken):
        checkers.facts.broken("I6", "still a bug of a correct replica", 0)


def test_a_secret_on_the_wire_is_found() -> None:
    """A canary in clear, in a packet or a record (I11)."""
    checkers = Checkers(4, bytes(32), [], window=8, check=lambda *_: True, secrets=[b"canary-0001"])
    with pytest.raises(InvariantBroken, match="I11"):
        checkers.sent(0, 0, None, b"\x91\xa1 canary-0001")
