"""Many worlds, each drawn from a seed: faults and every invariant checked, then healed and progress demanded.

Safety is judged while faults are on, liveness only afterwards (R19, I13). At most f replicas are Byzantine or
lose their disk; everybody may crash, hang, be cut off and come back.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

from consensus.quorum import max_faulty
from scenarios.checkers.checkers import Checkers
from scenarios.virtual import adversaries
from scenarios.virtual.host import Starter
from scenarios.virtual.network import Rule
from scenarios.virtual.world import Stuck, World

STORM_MS = 12_000
REQUESTS = 24
SIZES = (4, 5, 6, 7, 8)


@dataclass(frozen=True, slots=True)
class Options:
    """What a run draws from its seed; shown whole, so that it can be repeated and understood."""

    n: int
    seed: int
    followers: int
    topology: str
    settings: dict[str, int]
    byzantine: tuple[tuple[int, str], ...]
    wiped: tuple[int, ...]
    crashes: tuple[tuple[int, int, int, bool], ...]  # When and whom, for how long, with power cut.
    effects: tuple[tuple[int, int, int, bool], ...]  # When, whom, at which effect, torn.
    all_down_ms: int | None
    pauses: tuple[tuple[int, int, int], ...]
    partitions: tuple[tuple[int, int, tuple[int, ...], bool], ...]  # When, how long, one side, one way.
    loss: float
    duplication: float
    delay_us: int
    skews: tuple[tuple[int, int], ...]

    @classmethod
    def drawn_from(cls, seed: int, n: int | None = None) -> Options:
        """The options of a seed."""
        draw = Random(f"{seed}/options")
        n = n or SIZES[seed % len(SIZES)]
        f = max_faulty(n)
        voters = list(range(n))
        draw.shuffle(voters)
        bad = draw.choice([0, 1, 1]) * draw.randint(1, f)
        liars = [(voter, "drawn") for voter in voters[:bad]]
        wiped = tuple(voters[bad:f]) if draw.random() < 0.15 else ()
        often = draw.random()

        def times(most: int) -> range:
            return range(draw.randint(0, most) if draw.random() < often else 0)

        def when() -> int:
            return draw.randint(0, STORM_MS)

        return cls(
            n=n,
            seed=seed,
            followers=draw.choice([0, 0, 1]),
            topology=draw.choice(["lan", "lan", "wan", "lossy"]),
            settings={
                "window": draw.choice([4, 16, 128]),
                "in_flight": draw.choice([1, 3, 8]),
                "max_batch": draw.choice([1, 3, 500]),
                "block_every_ms": draw.choice([0, 50, 200]),
            },
            byzantine=tuple(liars),
            wiped=wiped,
            crashes=tuple(
                (when(), draw.randrange(n), draw.randint(1, 5000), draw.random() < 0.5) for _ in times(8)
            ),
            effects=tuple(
                (when(), draw.randrange(n), draw.randint(0, 60), draw.random() < 0.5) for _ in times(6)
            ),
            all_down_ms=when() if draw.random() < 0.15 else None,
            pauses=tuple((when(), draw.randrange(n), draw.randint(100, 6000)) for _ in times(3)),
            partitions=tuple(
                (
                    when(),
                    draw.randint(500, 6000),
                    tuple(sorted(draw.sample(range(n), draw.randint(1, n - 1)))),
                    draw.random() < 0.4,
                )
                for _ in times(3)
            ),
            loss=draw.choice([0.0, 0.0, 0.05, 0.3]),
            duplication=draw.choice([0.0, 0.1]),
            delay_us=draw.choice([0, 0, 50_000, 400_000]),
            skews=tuple((draw.randrange(n), draw.randint(-2000, 2000)) for _ in times(2)),
        )


@dataclass(slots=True)
class Outcome:
    """What became of a run. `broken` is empty if no invariant was, and everything was executed in time."""

    options: Options
    broken: str = ""
    trace_hash: str | None = None
    bound_ms: int = 0
    healed_after_ms: int = 0
    liars: dict[int, str] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)


def bound_ms(options: Options, settings: Any) -> int:
    """B (I13): f faulty primaries in a row, one view to meet in, one that works; and time to catch up."""
    longest, resend = settings.longest_view_timeout_ms, settings.resend_max_ms
    return int((max_faulty(options.n) + 2) * (longest + resend + 8 * 400) + 20_000)


class Campaign:
    """One run from its options."""

    def __init__(self, options: Options, *, signatures: str = "cached") -> None:
        self.options = options
        self.outcome = Outcome(options)
        draw = Random(f"{options.seed}/liars")
        hosts: dict[int, Starter] = {}
        for replica, _ in options.byzantine:
            self.outcome.liars[replica], hosts[replica] = adversaries.draw(draw)
        self.world = World(
            options.n,
            options.followers,
            seed=options.seed,
            topology=options.topology,
            hosts=hosts,
            signatures=signatures,
            start=False,
            **cast(Any, options.settings),
        )
        world = self.world
        self.checkers = Checkers(
            options.n,
            world.network_id,
            [keys.signing.public.raw for keys in world.keys],
            window=world.settings(0).window,
            faulty=hosts,
            check=world.signatures.check if signatures == "modelled" else None,
        )
        world.watching.add([self.checkers])
        for member in world.members:
            world.start(member)
        self._plan()

    def _plan(self) -> None:
        options, world = self.options, self.world
        draw = Random(f"{options.seed}/work")
        for _ in range(REQUESTS):
            correct = sorted(world.correct)
            only = draw.sample(correct, draw.randint(1, len(correct))) if draw.random() < 0.3 else None
            world.at(draw.randint(0, STORM_MS), lambda only=only: self._submit(only))  # type: ignore[misc]
        for at_ms, place, down_ms, cut in options.crashes:
            world.at(at_ms, lambda p=place, c=cut: world.crash(p, power_cut=c))  # type: ignore[misc]
            world.at(at_ms + down_ms, lambda p=place: self._up(p))  # type: ignore[misc]
        for at_ms, place, effect, torn in options.effects:
            world.at(at_ms, lambda p=place, e=effect, t=torn: world.crash_at(p, e, torn=t))  # type: ignore[misc]
            world.at(at_ms + 3_000, lambda p=place: self._up(p))  # type: ignore[misc]
        if options.all_down_ms is not None:
            for place in world.members:
                world.at(options.all_down_ms, lambda p=place: world.crash(p, power_cut=True))  # type: ignore[misc]
                world.at(options.all_down_ms + 500, lambda p=place: self._up(p))  # type: ignore[misc]
        for at_ms, place, for_ms in options.pauses:
            world.at(at_ms, lambda p=place: world.pause(p))  # type: ignore[misc]
            world.at(at_ms + for_ms, lambda p=place: world.resume(p))  # type: ignore[misc]
        for number, (at_ms, for_ms, side, one_way) in enumerate(options.partitions):
            self._plan_partition(f"partition {number}", at_ms, for_ms, side, one_way=one_way)
        for place, skew_ms in options.skews:
            world.skew(place, skew_ms)
        for replica in options.wiped:
            world.at(STORM_MS // 2, lambda r=replica: self._lose_disk(r))  # type: ignore[misc]
        if options.loss or options.duplication or options.delay_us:
            rule = Rule(drop=options.loss, duplicate=options.duplication, jitter_us=options.delay_us)
            world.network.rule("storm", rule)

    def _plan_partition(
        self, name: str, at_ms: int, for_ms: int, side: tuple[int, ...], *, one_way: bool
    ) -> None:
        network = self.world.network
        rest = [member for member in self.world.members if member not in side]

        def split() -> None:
            if one_way:
                network.cut(name, side, rest)
            else:
                network.partition(name, side, rest)

        self.world.at(at_ms, split)
        self.world.at(at_ms + for_ms, lambda: network.join_again(name))

    def _submit(self, only: list[int] | None) -> None:
        self.world.submit(to=only)

    def _up(self, place: int) -> None:
        if not self.world.up(place):
            self.world.restart(place)

    def _lose_disk(self, replica: int) -> None:
        self.checkers.declare_faulty([replica], "disk wiped")
        self.world.correct.discard(replica)
        self.world.clients.distrust(replica)
        self.world.crash(replica)
        self.world.restart(replica, wiped=True)

    def run(self) -> Outcome:
        """The storm, then the calm."""
        outcome, world = self.outcome, self.world
        outcome.bound_ms = bound_ms(self.options, world.settings(0))
        try:
            world.run_for(STORM_MS + 1_000)
            world.heal()
            healed_us = world.now_us
            world.run_until(world.all_done, limit_ms=2 * outcome.bound_ms, every_us=20_000)
            outcome.healed_after_ms = (world.now_us - healed_us) // 1000
        except Stuck as error:
            outcome.broken = f"I13: {error}"
        except AssertionError as error:
            outcome.broken = f"{type(error).__name__}: {error} {getattr(error, '__notes__', '')}"
        outcome.trace_hash = world.trace_hash
        self._count()
        return outcome

    def _count(self) -> None:
        seen, world = self.outcome.seen, self.world
        seen.update(self.checkers.summary)
        seen.update(world.happened)
        for seat in world.seats:
            seen.update(seat.happened)


def run(seed: int, n: int | None = None, *, signatures: str = "cached") -> Outcome:
    """The run of a seed."""
    return Campaign(Options.drawn_from(seed, n), signatures=signatures).run()


__all__ = ["Campaign", "Options", "Outcome", "run"]
