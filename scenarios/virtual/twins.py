"""Twins (Bano et al., OPODIS 2021): one faulty replica as two correct ones with one key, parted in every way.

Four replicas and the twin of the first are five places. A case is three phases; in each, the network is cut
into two blocks, or not at all. All 16 cuts in three phases are 4,096 cases; nothing is left out by symmetry.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

from scenarios.checkers.checkers import Checkers
from scenarios.virtual.bare_host import BareHost
from scenarios.virtual.world import World

N = 4
TWINNED = 0
PLACES = range(N + 1)  # The last is the twin.
PHASES = 3
PHASE_MS = 900
VIEW_TIMEOUT_MS = 200
LIMIT_MS = 60_000

Cut = tuple[int, ...]  # The block without place 0; empty for no cut.
CUTS: tuple[Cut, ...] = tuple(
    block for size in range(N + 1) for block in itertools.combinations(PLACES[1:], size)
)
Case = tuple[Cut, ...]


class TwinsOutcome(NamedTuple):
    """What a case led to: the highest view, how often a replica met both twins' words, evidence, blocks."""

    view: int
    equivocations: int
    evidence: int
    height: int


def cases() -> Iterator[Case]:
    """All of them."""
    return itertools.product(CUTS, repeat=PHASES)


def run_twins(case: Case, seed: int = 0) -> TwinsOutcome:
    """One case with every invariant checked, then healed: the three others must agree and go on.

    Raises InvariantBroken, or Stuck.
    """
    world = World(
        N, seed=seed, start=False, signatures="modelled", view_timeout_ms=VIEW_TIMEOUT_MS, block_every_ms=20
    )
    public = [keys.signing.public.raw for keys in world.keys]
    checkers = Checkers(
        N,
        world.network_id,
        public,
        window=world.settings(0).window,
        faulty=(TWINNED,),
        check=world.signatures.check,
    )
    world.watching.add([checkers])
    for member in world.members:
        world.start(member)
    twin = world.add_twin(TWINNED)
    assert twin == PLACES[-1]
    for cut in case:
        world.network.heal()
        if cut:
            world.network.partition("cut", [place for place in PLACES if place not in cut], cut)
        # Each twin hears of a request that the other does not, so that they propose different batches.
        world.submit(to=[TWINNED, 1, 2, 3])
        world.submit(to=[twin, 3, 2, 1])
        world.run_for(PHASE_MS)
    world.heal()
    world.run_until(world.all_done, LIMIT_MS)
    seen = checkers.summary
    return TwinsOutcome(
        max(seat.host.replica.view for seat in world.seats if isinstance(seat.host, BareHost)),
        seen.get("equivocation heard", 0),
        sum(count for name, count in seen.items() if name.startswith("evidence ")),
        max(world.heights().values()),
    )
