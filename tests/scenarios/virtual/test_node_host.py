"""Whole nodes in the virtual world: the same journal, ledger and envelopes as live."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from node.logs.events import Event
from scenarios.checkers.checkers import Checkers
from scenarios.virtual.entropy import stream
from scenarios.virtual.network import Rule
from scenarios.virtual.node_host import NodeHost, found, submit_private
from scenarios.virtual.observer import Watcher
from scenarios.virtual.world import World


class Chain(Watcher):
    """What was executed at each height, the same by all."""

    def __init__(self) -> None:
        self.blocks: dict[int, tuple[bytes, bytes, bytes]] = {}

    def executed(
        self, at_us: int, replica: int, height: int, block: bytes, state_root: bytes, digest: bytes
    ) -> None:
        """One block for each height."""
        assert self.blocks.setdefault(height, (block, state_root, digest)) == (block, state_root, digest)


def nodes_in(folder: Path, seed: int = 0, followers: int = 0, **options: Any) -> World:
    """Four voting nodes with a quick pace."""
    rules = {"block_every_ms": 20, "view_timeout_ms": 500}
    nodes = found(4, followers, folder, stream(seed, "keys"), **rules)
    return World(4, followers, seed=seed, nodes=nodes, observers=[Chain()], **options)


def node(world: World, place: int) -> Any:
    """A node that is up."""
    host = world.seats[place].host
    assert isinstance(host, NodeHost)
    return host.node


def test_a_private_transaction_is_executed_by_all_and_read_by_two(tmp_path: Path) -> None:
    """Founding first, then the transaction; a follower and a stranger to it hold ciphertext."""
    world = nodes_in(tmp_path, followers=1)
    submit_private(world, {"amount": 5}, sender=0, to=[1])
    world.run_until(world.all_done, 5000)
    world.run_for(500)
    read = {place: node(world, place).private_view.counts["delivered"] for place in range(5)}
    assert read == {0: 1, 1: 1, 2: 0, 3: 0, 4: 0}
    assert set(world.heights().values()) == {2}
    world.close()


def test_one_seed_is_one_run_to_the_byte(tmp_path: Path) -> None:
    """Ciphertext and signatures too; with the system's entropy there is no hash."""

    def day(name: str, seed: int, crypto: str = "seeded") -> str | None:
        world = nodes_in(tmp_path / name, seed, topology="lossy", crypto=crypto)
        for number in range(3):
            submit_private(world, {"amount": number})
            world.run_for(100)
        world.crash(0, power_cut=True)
        world.run_for(1000)
        world.heal()
        world.run_until(world.all_done, 20_000)
        world.close()
        return world.trace_hash

    assert day("a", 1) == day("b", 1) != day("c", 2)
    assert day("d", 1, "os") is None


@pytest.mark.parametrize("torn", [False, True])
def test_a_crash_at_many_effects_of_the_primary(tmp_path: Path, torn: bool) -> None:
    """A record, a sync, a packet, an execution; or half of a record in the journal."""
    crashed = 0
    for effect in range(0, 60, 3):
        world = nodes_in(tmp_path / str(effect), effect, signatures="modelled")
        world.crash_at(0, effect, torn=torn)
        for number in range(2):
            submit_private(world, {"amount": number}, sender=2, to=[3])
            world.run_for(50)
        crashed += not world.up(0)
        world.run_for(600)
        world.heal()
        world.run_until(world.all_done, 20_000)
        world.close()
    assert crashed >= 10


@pytest.mark.parametrize("seed", range(6))
def test_after_bad_days_everything_is_executed_everywhere(tmp_path: Path, seed: int) -> None:
    """Loss and duplication, a primary that crashes, then all at once; every invariant is checked."""
    events: Counter[str] = Counter()

    def on_event(name: str, event: Event) -> None:
        events[str(event["ev"])] += 1

    nodes = found(4, 0, tmp_path, stream(seed, "keys"), block_every_ms=20, view_timeout_ms=500)
    nodes.on_event = on_event
    world = World(
        4, seed=seed, nodes=nodes, topology="lossy", observers=[Chain()], signatures="modelled", start=False
    )
    public = [keys.signing.public.raw for keys in world.keys]
    window = world.settings(0).window
    checkers = Checkers(4, world.network_id, public, window=window, check=world.signatures.check)
    world.watching.add([checkers])
    for place in range(4):
        world.start(place)
    world.network.rule("bad", Rule(drop=0.2, duplicate=0.1))
    for number in range(4):
        submit_private(world, {"amount": number}, at=[number])
        world.run_for(300)
    world.crash(node(world, 1).view % 4, power_cut=bool(seed % 2))
    world.run_for(3000)
    for place in range(4):
        world.crash(place, power_cut=bool(seed % 2))
    world.heal()
    submit_private(world, {"amount": 99})
    world.run_until(world.all_done, 30_000)
    assert events["node.start"] == 8 and events["block.commit"] >= 8
    assert checkers.summary["I8"] >= 8
    world.close()
