"""The virtual world: bare replicas through normal days and bad ones, all from one seed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

from scenarios.virtual.bare_host import BareHost
from scenarios.virtual.network import Rule
from scenarios.virtual.observer import Watcher
from scenarios.virtual.seat import Seat
from scenarios.virtual.topology import complete
from scenarios.virtual.world import Stuck, World

ROOT = Path(__file__).parents[3]
BUSY_DAY = """
from scenarios.virtual.world import World
world = World(4, seed=5, topology="lossy", block_every_ms=50)
for step in range(10):
    world.submit()
    world.run_for(100)
world.crash(0, power_cut=True)
world.submit()
world.run_for(4000)
world.heal()
world.run_until(world.all_done, 60_000)
print(world.trace_hash, world.delivered)
"""


class Agreement(Watcher):
    """That nobody executes anything else at a height, and nothing is said before it is durable."""

    def __init__(self) -> None:
        self.blocks: dict[int, tuple[bytes, bytes, bytes]] = {}
        self.calls: dict[str, int] = {}
        self.dirty: set[int] = set()

    def executed(
        self, at_us: int, replica: int, height: int, block: bytes, state_root: bytes, digest: bytes
    ) -> None:
        """One block for each height."""
        assert self.blocks.setdefault(height, (block, state_root, digest)) == (block, state_root, digest)

    def persisted(self, at_us: int, replica: int, body: bytes) -> None:
        """Own votes are records of tag 1."""
        if body[1] == 1:
            self.dirty.add(replica)

    def flushed(self, at_us: int, replica: int) -> None:
        """Now it is durable."""
        self.dirty.discard(replica)

    def stopped(self, at_us: int, replica: int, how: str) -> None:
        """What was not durable is of no consequence."""
        self.dirty.discard(replica)
        self.calls[how] = self.calls.get(how, 0) + 1

    def sent(self, at_us: int, replica: int, to: int | None, data: bytes) -> None:
        """R20."""
        assert replica not in self.dirty, (at_us, replica)


def world(n: int = 4, **options: Any) -> World:
    """A quick one that is checked."""
    settings = {"signatures": "modelled", "block_every_ms": 20, "view_timeout_ms": 500}
    return World(n, observers=[Agreement()], **(settings | options))


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 10])
def test_a_request_is_executed_everywhere(n: int) -> None:
    """By voters and a follower, with one chain."""
    small = world(n, followers=1)
    for _ in range(5):
        small.submit()
        small.run_for(40)
    small.run_until(small.all_done, 5000)
    assert set(small.heights().values()) == {small.seats[0].height} and small.seats[0].height >= 2
    assert small.seats[n].records.replay() and "view_change" not in small.noted()


@pytest.mark.parametrize("topology", ["lan", "lossy", "wan"])
@pytest.mark.parametrize("signatures", ["cached", "modelled"])
def test_networks_and_signatures_of_every_kind(topology: str, signatures: str) -> None:
    """A request gets through all of them, and the network did what its name says."""
    far = world(topology=topology, signatures=signatures, view_timeout_ms=2000)
    for _ in range(5):
        far.submit()
    far.run_until(far.all_done, 30_000)
    assert bool(far.network.happened) == (topology == "lossy")


def test_one_seed_is_one_run_whatever_the_hash_seed() -> None:
    """In processes of their own, to the byte; another seed is another run."""

    def hash_of(program: str, hash_seed: str) -> str:
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, check=True
        )
        return done.stdout.decode()

    hashes = {hash_of(BUSY_DAY, hash_seed) for hash_seed in ("0", "1", "4711")}
    assert len(hashes) == 1
    assert hash_of(BUSY_DAY.replace("seed=5", "seed=6"), "0") not in hashes


def test_without_seeded_crypto_there_is_no_trace_hash() -> None:
    """Its bytes would be others the next time."""
    assert world(crypto="os").trace_hash is None
    assert world(crypto="seeded").trace_hash is not None


def test_a_crashed_primary_is_replaced_and_comes_back() -> None:
    """Three of four go on without it, and it catches up."""
    short = world()
    short.crash(0, power_cut=True)
    short.submit()
    short.run_until(lambda: min(short.seats[place].height for place in (1, 2, 3)) == 1, 5000)
    assert not short.up(0) and not short.all_done()
    short.restart(0)
    short.run_until(short.all_done, 5000)
    assert short.noted()["new_view"] >= 3


@pytest.mark.parametrize("torn", [False, True])
def test_a_crash_at_every_effect_of_the_primary(torn: bool) -> None:
    """Between any two effects, or in the middle of an append: nothing is lost and nobody disagrees."""
    crashed = 0
    for effect in range(60):
        hurt = world(seed=effect)
        hurt.crash_at(0, effect, torn=torn)
        for _ in range(3):
            hurt.submit()
            hurt.run_for(30)
        crashed += not hurt.up(0)
        hurt.run_for(300)
        hurt.heal()
        hurt.run_until(hurt.all_done, 10_000)
    assert crashed > 20


def test_everybody_crashes_at_some_effect_and_the_chain_goes_on() -> None:
    """All four lose their memory at once; what was decided stays."""
    for seed in range(10):
        hurt = world(seed=seed)
        hurt.submit()
        hurt.run_until(hurt.all_done, 5000)
        for place in range(4):
            hurt.crash_at(place, seed + place)
        hurt.submit()
        hurt.run_for(1000)
        assert not any(hurt.up(place) for place in range(4))
        hurt.heal()
        hurt.run_until(hurt.all_done, 10_000)


def test_a_power_cut_takes_what_was_not_durable() -> None:
    """A crash of the process alone does not."""
    for power_cut in (False, True):
        hurt = world()
        hurt.submit()
        hurt.run_until(lambda hurt=hurt: hurt.seats[1].records.dirty, 5000)
        before = len(hurt.seats[1].records)
        hurt.crash(1, power_cut=power_cut)
        assert (len(hurt.seats[1].records) < before) == power_cut
        hurt.restart(1)
        hurt.run_until(hurt.all_done, 10_000)


def test_a_wiped_replica_is_silent_until_it_may_speak() -> None:
    """It follows at once, and votes again once a checkpoint covers all that it can have said (R22)."""
    lost = world(window=8)
    for _ in range(3):
        lost.submit()
        lost.run_for(50)
    lost.crash(3)
    lost.restart(3, wiped=True)
    for _ in range(30):
        lost.submit()
        lost.run_for(100)
        if "speaks" in lost.seats[3].happened:
            break
    lost.run_until(lost.all_done, 5000)
    assert lost.seats[3].happened["silent"] == 2 and lost.seats[3].happened["speaks"] == 1
    said = len([body for body in lost.seats[3].records.replay() if body[1] == 1])
    lost.crash(3)
    lost.restart(3)
    lost.submit()
    lost.run_until(lost.all_done, 5000)
    assert lost.seats[3].happened["silent"] == 2
    assert len([body for body in lost.seats[3].records.replay() if body[1] == 1]) > said


def test_a_paused_replica_misses_nothing() -> None:
    """What arrives waits for it, and so do its timers."""
    slow = world()
    slow.pause(2)
    slow.submit()
    slow.run_for(2000)
    assert slow.seats[2].height == 0 and slow.seats[1].height == 1
    slow.resume(2)
    slow.run_for(50)
    assert slow.seats[2].height == 1


def test_a_clock_that_is_wrong_does_not_stop_anybody() -> None:
    """Ahead, behind, and set back in the middle of a run."""
    off = world(max_skew_ms=500)
    off.skew(1, 300)
    off.skew(2, -10_000)
    for _ in range(3):
        off.submit()
        off.run_for(100)
    off.skew(1, -5000)
    off.submit()
    off.run_until(off.all_done, 20_000)


def test_a_busy_replica_takes_its_next_packet_later() -> None:
    """The price of signatures shows in the time until a decision, and in nothing else."""

    def time_us(verify_us: int) -> int:
        timed = world(10, topology="lan", verify_us=verify_us, sign_us=0)
        timed.submit()
        timed.run_until(timed.all_done, 60_000, every_us=100)
        return timed.now_us

    assert time_us(0) < time_us(500) < time_us(5000)


def test_a_partition_heals() -> None:
    """Two and two decide nothing; together they do."""
    torn = world()
    torn.network.partition("split", [0, 1], [2, 3])
    torn.submit()
    torn.run_for(5000)
    assert set(torn.heights().values()) == {0} and torn.network.happened["partitioned"] > 100
    torn.heal()
    torn.run_until(torn.all_done, 30_000)


def test_a_kind_of_message_that_is_lost_for_ever_does_not_stop_the_others() -> None:
    """Without a proposal of replica 0 there is another primary."""
    deaf = world()
    deaf.network.rule("no proposals", Rule(frozenset([0]), None, frozenset(["pre-prepare"]), drop=1.0))
    deaf.submit()
    deaf.run_until(deaf.all_done, 10_000)
    assert deaf.noted()["view_change"] >= 3


class Silent(BareHost):
    """A host of another make: it hears everything and says nothing."""

    def flush(self) -> None:
        """Say nothing."""
        self._outputs.clear()


def test_a_faulty_host_takes_a_place() -> None:
    """It is not waited for."""
    bad = world(hosts={0: Silent})
    bad.submit()
    bad.run_until(bad.all_done, 10_000)
    assert bad.correct == {1, 2, 3} and bad.heights()[0] == 0


def test_twins_are_two_places_of_one_replica() -> None:
    """Both hear what is for the one, not each other, and three correct replicas agree."""
    double = world()
    twin = double.add_twin(3)
    heard = []
    double.network.tap(lambda at_us, source, target, data: heard.append((source, target)) or data)
    double.submit()
    double.run_until(double.all_done, 10_000)
    double.run_for(1000)
    assert twin == 4 and double.correct == {0, 1, 2} and double.heights()[twin] == 1
    assert {(0, 3), (0, 4), (4, 0)} <= set(heard)


def test_a_host_that_raises_is_told_with_seed_time_and_replica() -> None:
    """It is a bug of ours, whatever it was given."""

    class Clumsy(BareHost):
        def handle(self, data: bytes, now_ms: int) -> None:
            raise ZeroDivisionError("oops")

    broken = world(seed=77, hosts={2: Clumsy})
    broken.submit()
    with pytest.raises(ZeroDivisionError) as caught:
        broken.run_for(1000)
    assert "replica 2" in caught.value.__notes__[0] and "seed 77" in caught.value.__notes__[0]


def test_a_timer_that_does_not_act_is_found() -> None:
    """A due tick that leaves the deadline where it is would never end."""

    class Hanging(BareHost):
        @property
        def deadline_ms(self) -> int | None:
            return self._now_ms

    with pytest.raises(AssertionError, match="must act and move on"):
        world(hosts={1: Hanging}).run_for(1000)


def test_waiting_for_what_never_comes_ends() -> None:
    """By time or by events, and tells where everybody stands."""
    idle = world()
    with pytest.raises(Stuck, match="not within 100 ms: seed 0"):
        idle.run_until(lambda: False, 100)
    with pytest.raises(Stuck, match="more events than allowed: seed 0"):
        idle.run_until(lambda: False, 1_000_000, event_limit=50)


def test_a_graph_of_one_s_own_is_a_topology() -> None:
    """Any networkx graph over the replicas."""
    own = world(topology=complete(4))
    own.submit()
    own.run_until(own.all_done, 5000)


def bad_day(seed: int) -> World:
    """Loss, duplication, partitions, crashes with restarts, of the primary too; at most f are down."""
    n = 4 + seed % 4
    random = Random(f"{seed}/day")
    day = world(n, seed=seed, topology=("lan", "lossy", "wan")[seed % 3], window=(16, 128)[seed % 2])
    for _ in range(20):
        for _ in range(random.randrange(4)):
            day.submit(to=None if random.random() < 0.7 else [random.randrange(n)])
        down = [place for place in range(n) if not day.up(place)]
        waiting = [seat.place for seat in day.seats if seat.crash_at is not None and day.up(seat.place)]
        draw = random.random()
        if draw < 0.3 and len(down) + len(waiting) < (n - 1) // 3:
            primary = max(seat.host.replica.view for seat in day.seats if day.up(seat.place)) % n  # type: ignore[union-attr]
            place = primary if random.random() < 0.5 else random.randrange(n)
            if random.random() < 0.5:
                day.crash(place, power_cut=random.random() < 0.5)
            elif day.up(place):
                day.crash_at(place, random.randrange(40), torn=random.random() < 0.5)
        elif draw < 0.6 and down:
            day.restart(random.choice(down))
        elif draw < 0.75:
            day.network.rule("bad", Rule(drop=0.1 + 0.3 * random.random(), duplicate=0.1))
        elif draw < 0.85:
            places = random.sample(range(n), n)
            cut = random.randrange(1, n)
            day.network.partition("split", places[:cut], places[cut:])
        else:
            day.network.rule("bad")
            day.network.join_again("split")
        day.run_for(random.randrange(50, 1500))
    day.heal()
    day.run_until(day.all_done, 60_000)
    return day


@pytest.mark.parametrize("first", [1, 11, 21, 31, 41])
def test_after_bad_days_everything_is_executed_everywhere(first: int) -> None:
    """Fifty seeds; and they were bad days indeed."""
    happened: set[str] = set()
    for seed in range(first, first + 10):
        day = bad_day(seed)
        happened |= {*day.happened, *day.noted(), *day.network.happened}
    assert {"crash", "crash point", "new_view", "fetch", "lost", "partitioned"} <= happened


def test_seat_is_all_that_a_host_gets() -> None:
    """A starter is a function of a seat."""
    seats: list[Seat] = []

    def starter(seat: Seat) -> BareHost:
        seats.append(seat)
        return BareHost(seat)

    World(2, starter=starter, signatures="modelled")
    assert [seat.replica_id for seat in seats] == [0, 1] and all(seat.correct for seat in seats)


def test_blocks_that_nobody_keeps_are_gone_and_a_restart_goes_on_without_them() -> None:
    """Memory is bounded; the chain continues where it was."""
    long = world(keep_blocks=20, block_every_ms=1, max_batch=1)
    for _ in range(6):
        for _ in range(100):
            long.submit()
        long.run_until(long.all_done, 20_000)
    long.crash(1)
    long.restart(1)
    assert long.heights()[1] == 600
    for _ in range(200):
        long.submit()
    long.run_until(long.all_done, 20_000)
    assert set(long.heights().values()) == {800}
    assert all(len(seat.records) < 4000 for seat in long.seats)
