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


def test_the_same_seed_gives_the_same_trace_under_every_hash_seed() -> None:
    """Three processes with three PYTHONHASHSEEDs deliver, persist, send and execute the same bytes."""
    code = "from tests.consensus.test_determinism import trace_of; print(trace_of(7))"
    traces = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for hash_seed in ("0", "1", "12345")
    }
    assert traces == {trace_of(7)}


def test_another_seed_gives_another_trace() -> None:
    """The trace hash sees what the seed changes."""
    assert trace_of(7) != trace_of(8)


def test_no_clock_and_no_global_randomness_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run gives the same trace in a process in which reading either is an error."""
    expected = trace_of(9)

    def fail(*arguments: object) -> NoReturn:
        raise AssertionError("read")

    for module, names in [
        (time, ["time", "time_ns", "monotonic", "monotonic_ns", "perf_counter"]),
        (random, ["random", "randint", "choice", "shuffle"]),
        (os, ["urandom"]),
    ]:
        for name in names:
            monkeypatch.setattr(module, name, fail)
    trace = trace_of(9)
    monkeypatch.undo()
    assert trace == expected
