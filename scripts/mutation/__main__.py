"""`scripts/mutants`: makes each mistake in a copy of the packages and lets the campaign hunt for it."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from copying import ROOT, mutated
from mistake import Mutant
from table import MUTANTS, QUICK


def hunted(mutant: Mutant | None, seeds: int) -> tuple[dict[str, object], float]:
    """What the campaign found, and the seconds it took."""
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        mutated(mutant, Path(folder))
        command = [sys.executable, str(ROOT / "scripts" / "mutation" / "hunt.py"), "0", str(seeds)]
        environment = {**os.environ, "PYTHONPATH": folder, "PYTHONHASHSEED": "0"}
        if mutant is not None and mutant.directed:
            return directed(mutant.directed, Path(folder), environment), time.monotonic() - begin
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, cwd=folder, check=False
        )
        if done.returncode != 0:
            return {
                "seed": 0,
                "tried": 1,
                "broken": done.stderr.strip().splitlines()[-1],
            }, time.monotonic() - begin
        found: dict[str, object] = json.loads(done.stdout)
        return found, time.monotonic() - begin


def directed(test: str, folder: Path, environment: dict[str, str]) -> dict[str, object]:
    """What a directed test says of a mutated copy."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider", test]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=folder, check=False)
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED ")]
    broken = "directed: " + failed[0].partition("::")[2] if failed else ""
    return {"seed": 0 if failed else None, "tried": 0, "broken": broken}


def reported(chosen: list[Mutant], seeds: int) -> dict[str, object] | None:
    """What is found against the core as it is, by the campaign or by the directed tests of these mistakes."""
    found, _ = hunted(None, seeds)
    if found["seed"] is not None:
        return found
    with tempfile.TemporaryDirectory() as folder:
        mutated(None, Path(folder))
        environment = {**os.environ, "PYTHONPATH": folder, "PYTHONHASHSEED": "0"}
        for test in sorted({mutant.directed for mutant in chosen if mutant.directed}):
            found = directed(test, Path(folder), environment)
            if found["seed"] is not None:
                return found
    return None


def main() -> int:
    """Hunt for all, print a table; 1 if one survives or the core itself is reported."""
    parser = argparse.ArgumentParser(prog="scripts/mutants")
    parser.add_argument("--quick", action="store_true", help="a few that are found soon")
    parser.add_argument("--only", metavar="NAME", help="those whose name holds this")
    parser.add_argument("--seeds", type=int, default=1500, help="give up after so many (%(default)s)")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    chosen = [
        mutant
        for mutant in MUTANTS
        if (not arguments.quick or mutant.name in QUICK) and (arguments.only or "") in mutant.name
    ]
    if control := reported(chosen, 20 if arguments.quick else 200):
        print(f"the core itself is reported: {control}")
        return 1
    survivors = 0
    print(f"{'mutant':<48} {'rule':<9} {'seeds':>6} {'s':>5}  reported as")
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for mutant, (found, seconds) in zip(
            chosen, pool.map(lambda mutant: hunted(mutant, arguments.seeds), chosen), strict=True
        ):
            survives = found["seed"] is None
            survivors += survives
            told = "SURVIVES" if survives else str(found["broken"])[:60]
            print(
                f"{mutant.name:<48} {mutant.rule:<9} {found['tried']:>6} {seconds:>5.0f}  {told}", flush=True
            )
    print(f"{len(chosen) - survivors} of {len(chosen)} reported")
    return int(survivors > 0)


if __name__ == "__main__":
    sys.exit(main())
