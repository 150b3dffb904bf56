"""Some seeds of the campaign, which `scripts/campaign` runs by the thousands; each repeats to the byte."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest

from scenarios.virtual.campaign import Options, Outcome, run

SEEDS = range(60)
HASHES = "from scenarios.virtual.campaign import run; print(run({seed}, signatures='{mode}').trace_hash)"


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    """The runs of all seeds here."""
    return [run(seed, signatures="modelled") for seed in SEEDS]


def test_no_invariant_is_broken_and_all_make_progress(outcomes: list[Outcome]) -> None:
    """Safety while faults are on, progress within the bound after healing."""
    assert [(each.options.seed, each.broken) for each in outcomes if each.broken] == []
    assert all(each.healed_after_ms <= each.bound_ms for each in outcomes)


def test_the_faults_really_happened(outcomes: list[Outcome]) -> None:
    """Views, restarts, decisions passed on, lies, lost records, evidence: none of them is rare."""
    happened: Counter[str] = Counter()
    for each in outcomes:
        happened.update(name for name, count in each.seen.items() if count)
    wanted = ["new view", "restart", "decision passed on", "lied", "records lost", "equivocation heard"]
    assert {name: happened[name] for name in wanted if happened[name] < len(SEEDS) // 10} == {}
    assert {each.options.n for each in outcomes} == {4, 5, 6, 7, 8}


@pytest.mark.parametrize("mode", ["cached", "modelled"])
def test_a_seed_gives_one_trace_under_every_hash_seed(mode: str) -> None:
    """In other processes, where strings and bytes hash otherwise (I14)."""
    found = set()
    for hash_seed in ("0", "1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", HASHES.format(seed=7, mode=mode)],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        found.add(done.stdout.strip())
    assert len(found) == 1 and len(found.pop()) == 64


def test_the_options_tell_everything_that_is_drawn() -> None:
    """Two draws of one seed are equal, and their text shows every field."""
    first, second = Options.drawn_from(5), Options.drawn_from(5)
    assert first == second != Options.drawn_from(10)
    assert all(f"{name}=" in repr(first) for name in Options.__dataclass_fields__)
