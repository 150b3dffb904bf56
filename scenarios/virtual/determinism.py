"""Whether a virtual run repeats itself: twice in processes of their own, with different hash seeds (I14)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from node.errors import CHECK_FAILED, PrivityError

SCHEMA = "privity.determinism/1"
HASH_SEEDS = ("1", "4711")


@dataclass(frozen=True, slots=True)
class Determinism:
    """What two runs of one seed had in common. `first_difference`: an event's number, from 1, and both."""

    hashes: tuple[str, str]
    events: int
    first_difference: tuple[int, str, str] | None
    verdict: str
    verdict_code: int

    @property
    def exit_code(self) -> int:
        """1 if they differ, otherwise that of the run's own verdict."""
        return CHECK_FAILED if self.differs else self.verdict_code

    @property
    def differs(self) -> bool:
        """Whether they were not the same run."""
        return self.first_difference is not None or self.hashes[0] != self.hashes[1]

    @property
    def document(self) -> dict[str, Any]:
        """As JSON."""
        first = self.first_difference
        return {
            "schema": SCHEMA,
            "same": not self.differs,
            "trace_hashes": list(self.hashes),
            "hash_seeds": list(HASH_SEEDS),
            "events": self.events,
            "first_difference": None if first is None else {"event": first[0], "runs": list(first[1:])},
            "verdict": self.verdict,
        }

    @property
    def lines(self) -> list[str]:
        """For people."""
        seeds = " and ".join(HASH_SEEDS)
        if not self.differs:
            return [
                f"✓ same run twice: {self.events:,} events, in two processes with PYTHONHASHSEED {seeds}",
                f"  trace {self.hashes[0]}",
                f"  verdict {self.verdict}",
            ]
        lines = [f"✗ two runs of one seed differ (PYTHONHASHSEED {seeds})"]
        lines += [f"  trace {trace_hash}" for trace_hash in self.hashes]
        if self.first_difference is not None:
            number, *both = self.first_difference
            lines += [f"  event {number} is the first that differs:", *(f"    {event}" for event in both)]
        return lines


def check_determinism_of(arguments: Sequence[str]) -> Determinism:
    """Run `privity` with these arguments twice and compare. Raises PrivityError if a run gives no verdict."""
    with tempfile.TemporaryDirectory(prefix="privity-determinism-") as place:
        traces, documents = [], []
        for hash_seed in HASH_SEEDS:
            home = Path(place) / hash_seed
            trace = home / "trace.jsonl"
            home.mkdir(mode=0o700)
            documents.append(_run(arguments, home, trace, hash_seed))
            traces.append(trace)
        events, first = _compare(*traces)
    return Determinism(
        hashes=(documents[0]["trace_hash"], documents[1]["trace_hash"]),
        events=events,
        first_difference=first,
        verdict=documents[0]["verdict"],
        verdict_code=documents[0]["exit_code"],
    )


def _run(arguments: Sequence[str], home: Path, trace: Path, hash_seed: str) -> dict[str, Any]:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PRIVITY_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-m", "scenarios.cli", *arguments, "--json", "--quiet", "--trace", str(trace)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        document: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise PrivityError("E-RUN", "a run to compare gave no verdict", why=last[0]) from None
    return document | {"exit_code": done.returncode}


def _compare(one: Path, other: Path) -> tuple[int, tuple[int, str, str] | None]:
    """How many events there are, and the first that differs. The first line of a trace is no event."""
    count = 0
    with one.open(encoding="utf-8") as first, other.open(encoding="utf-8") as second:
        for count, (a, b) in enumerate(zip_longest(first, second, fillvalue="nothing more")):
            if a != b:
                return count, (count, _short(a), _short(b))
    return count, None


def _short(event: str) -> str:
    event = event.rstrip()
    return event if len(event) <= 400 else event[:400] + "…"
