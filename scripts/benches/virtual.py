"""How many consensus messages the virtual world handles in a second of CPU, with every invariant checked.

Bare replicas on a LAN, one core, signatures cached: the runs of a size repeat one seed, so from the second on
each distinct signature has been made and verified in this process; `cold_messages_per_cpu_s` is the first.
A message is one delivery of a distinct consensus message from another replica, decoded and stepped; requests,
statuses, repeated and ignored ones and timers do not count.

`scripts/bench virtual [N...]` measures these sizes, `--memory` instead how much memory a long run holds.
"""

from __future__ import annotations

import gc
import os
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from scenarios.checkers.checkers import Checkers
from scenarios.virtual.world import World

SIZES = (4, 16, 32, 64, 128)
RUNS = 5
MESSAGES = 120_000  # A run is at least as long as that at each size.
IN_FLIGHT = 16
# Above this size one run is all there is time for: it shows that a decision is made, and in how much memory.
LARGEST_REPEATED = 128
SHORT, LONG = 10_000, 100_000  # Decisions after which memory is looked at.
MOST_GROWTH = 0.1
IGNORED = ("repeated", "already certified", "already executed", "other view", "outside watermarks")


def watched_world(n: int, signatures: str = "cached") -> tuple[World, Checkers]:
    """A world of this size that is ready to order, with all that is checked."""
    world = World(
        n,
        seed=n,
        start=False,
        signatures=signatures,
        block_every_ms=0,
        max_batch=1,
        in_flight=IN_FLIGHT,
        view_timeout_ms=600_000,
        keep_blocks=256,
    )
    public = [keys.signing.public.raw for keys in world.keys]
    checkers = Checkers(
        n, world.network_id, public, window=world.settings(0).window, check=world.signatures.check
    )
    world.watching.add([checkers])
    for member in world.members:
        world.start(member)
    world.run_for(10)
    return world, checkers


def decide(world: World, decisions: int) -> None:
    """Keep as many requests waiting as can be ordered, until so many are."""
    while world.seats[0].height < decisions:
        while len(world.clients.unfinished) < 2 * IN_FLIGHT:
            world.submit()
        world.run_for(1)


def measured(n: int, decisions: int, *, signatures: str = "cached") -> tuple[float, int, int]:
    """CPU seconds, messages and decisions of one run."""
    world, checkers = watched_world(n, signatures)
    gc.collect()
    begin = time.process_time()
    decide(world, decisions)
    seconds = time.process_time() - begin
    stepped = sum(seat.host.stepped for seat in world.seats)  # type: ignore[union-attr]
    ignored = sum(seat.happened[reason] for seat in world.seats for reason in IGNORED)
    ignored += sum(seat.host.replica.idle_votes for seat in world.seats)  # type: ignore[union-attr]
    assert checkers.summary["I1"] >= decisions  # They watched all the time.
    return seconds, stepped - ignored, world.seats[0].height


def memory() -> dict[str, Any]:
    """The resident size after many decisions of four replicas, and after ten times as many."""
    world, _ = watched_world(4)
    sizes = []
    for decisions in (SHORT, LONG):
        decide(world, decisions)
        gc.collect()
        sizes.append(rss_mib())
        print(f"{decisions:,} decisions made", file=sys.stderr)
    growth = sizes[1] / sizes[0] - 1
    return {
        "n": 4,
        f"rss_mib_after_{SHORT}": round(sizes[0], 1),
        f"rss_mib_after_{LONG}": round(sizes[1], 1),
        "growth_percent": round(100 * growth, 1),
        "bounded": growth <= MOST_GROWTH,
    }


def rss_mib() -> float:
    """The memory that this process has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def peak_rss_mib() -> int:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def results(arguments: list[str]) -> list[dict[str, Any]]:
    """One row for each size, or one about memory."""
    if arguments == ["--memory"]:
        return [memory()]
    if not all(argument.isdigit() and int(argument) > 0 for argument in arguments):
        sys.exit("usage: scripts/bench virtual [--json] [--memory | N...]")
    sizes = [int(argument) for argument in arguments] or list(SIZES)
    rows = []
    for n in sizes:
        # Not more than the memory of signatures holds, or the second run would not be warm; and so many that
        # what is still in flight in the end is not most of it.
        decisions = min(600, max(2 * IN_FLIGHT, MESSAGES // (2 * n * n)))
        rates, costs, per_decision = [], [], 0.0
        if n > LARGEST_REPEATED:
            decisions = 1
        for _ in range(RUNS + 1 if n <= LARGEST_REPEATED else 1):
            seconds, messages, decided = measured(n, decisions)
            rates.append(messages / seconds)
            costs.append(1000 * seconds / decided)
            per_decision = messages / decided
        rows.append(
            {
                "n": n,
                "messages_per_cpu_s": round(statistics.median(rates[1:] or rates)),
                "cpu_ms_per_decision": round(statistics.median(costs[1:] or costs), 3),
                "peak_rss_mib": peak_rss_mib(),
                "decisions": decisions,
                "messages_per_decision": round(per_decision, 1),
                "cold_messages_per_cpu_s": round(rates[0]),
            }
        )
        print(f"n = {n} measured", file=sys.stderr)
    return rows
