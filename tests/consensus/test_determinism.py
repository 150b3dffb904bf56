"""One seed, one run: nothing depends on hashes, clocks or processes (I14)."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

import pytest

from tests.consensus.cluster import Cluster, Faults

ROOT = Path(__file__).parents[2]


def trace_of(seed: int) -> str:
    """The trace hash of a run with all kinds of faults in it."""
    cluster = Cluster(5, followers=1, seed=seed, faults=Faults(0.15, 0.1, (1, 60)))
    for number in range(12):
        cluster.request(at_ms=1010 + 90 * number, to=None if number % 3 else [number % 5])
    cluster.at(1500, lambda: cluster.crash(2))
    cluster.at(2500, lambda: cluster.restart(2))
    cluster.run_until(cluster.all_executed, 60_000)
    assert cluster.happened["lost"] > 0 and cluster.happened["restart"] == 1
    return cluster.trace_hash


def said_by(code: str, hash_seed: str = "0") -> str:
    """What a new process prints that has all of this module."""
    done = subprocess.run(
        [sys.executable, "-c", f"from tests.consensus.test_determinism import *; {code}"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def test_the_same_seed_gives_the_same_trace_under_every_hash_seed() -> None:
    """Three processes with three PYTHONHASHSEEDs deliver, persist, send and execute the same bytes."""
    traces = {said_by("print(trace_of(7))", hash_seed) for hash_seed in ("0", "1", "12345")}
    assert traces == {trace_of(7)}


def test_another_seed_gives_another_trace() -> None:
    """The trace hash sees what the seed changes."""
    assert trace_of(7) != trace_of(8)


def test_no_clock_and_no_global_randomness_is_read() -> None:
    """A run gives the same trace in a process in which reading either is an error."""
    assert said_by("print(trace_without_clock_and_randomness(9))") == trace_of(9)
    with pytest.raises(subprocess.CalledProcessError) as read:
        said_by("forbid_clock_and_randomness(); time.monotonic()")
    assert "AssertionError: read" in read.value.stderr


def trace_without_clock_and_randomness(seed: int) -> str:
    """The same, in a process that is of no use for anything else any more."""
    forbid_clock_and_randomness()
    return trace_of(seed)


def forbid_clock_and_randomness() -> None:
    """From now on whoever reads one of them in this process fails."""

    def fail(*arguments: object) -> NoReturn:
        raise AssertionError("read")

    for module, names in [
        (time, ["time", "time_ns", "monotonic", "monotonic_ns", "perf_counter"]),
        (random, ["random", "randint", "choice", "shuffle"]),
        (os, ["urandom"]),
    ]:
        for name in names:
            setattr(module, name, fail)
