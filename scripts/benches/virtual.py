"""How many consensus messages the virtual world handles in a second of CPU, with every invariant checked.

Bare replicas on a LAN, one core, signatures cached: the runs of a size repeat one seed, so from the second on
each distinct signature has been made and verified in this process; `cold_messages_per_cpu_s` is the first.
A message is one delivery of a distinct consensus message from another replica, decoded and stepped; requests,
statuses, repeated and ignored ones and timers do not count.
"""

from __future__ import annotations

import gc
import resource
import statistics
import sys
import time
from typing import Any

from scenarios.checkers.checkers import Checkers
from scenarios.virtual.world import World

SIZES = (4, 16, 32, 64, 128)
RUNS = 5
MESSAGES = 120_000  # A run is about as long as that at each size.
IN_FLIGHT = 16
IGNORED = ("repeated", "already certified", "already executed", "other view", "outside watermarks")


def measured(n: int, decisions: int, *, signatures: str = "cached") -> tuple[float, int, int]:
    """CPU seconds, messages and decisions of one run."""
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
    gc.collect()
    begin = time.process_time()
    while world.seats[0].height < decisions:
        while len(world.clients.unfinished) < 2 * IN_FLIGHT:
            world.submit()
        world.run_for(1)
    seconds = time.process_time() - begin
    stepped = sum(seat.host.stepped for seat in world.seats)  # type: ignore[union-attr]
    ignored = sum(seat.happened[reason] for seat in world.seats for reason in IGNORED)
    assert checkers.summary["I1"] >= decisions  # They watched all the time.
    return seconds, stepped - ignored, world.seats[0].height


def peak_rss_mib() -> int:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def results(arguments: list[str]) -> list[dict[str, Any]]:
    """One row for each size."""
    sizes = [int(argument) for argument in arguments] or list(SIZES)
    rows = []
    for n in sizes:
        # Not more than the memory of signatures holds, or the second run would not be warm.
        decisions = min(600, max(3, MESSAGES // (3 * n * n)))
        rates, costs, per_decision = [], [], 0.0
        for _ in range(RUNS + 1):
            seconds, messages, decided = measured(n, decisions)
            rates.append(messages / seconds)
            costs.append(1000 * seconds / decided)
            per_decision = messages / decided
        rows.append(
            {
                "n": n,
                "messages_per_cpu_s": round(statistics.median(rates[1:])),
                "cpu_ms_per_decision": round(statistics.median(costs[1:]), 3),
                "peak_rss_mib": peak_rss_mib(),
                "decisions": decisions,
                "messages_per_decision": round(per_decision, 1),
                "cold_messages_per_cpu_s": round(rates[0]),
            }
        )
        print(f"n = {n} measured", file=sys.stderr)
    return rows
