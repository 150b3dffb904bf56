"""`scripts/shrink-demo`: plants a mistake in a copy of the core, finds it by seeds, shrinks what did."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from copying import mutated
from table import MUTANTS

SCENARIO = Path(__file__).with_name("many-faults.yaml")
MOST_FAULTS = 3


def privity(folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and output of the command, as the copy in this folder has it."""
    # -P: the copy's packages and no others, wherever this is started.
    done = subprocess.run(
        [sys.executable, "-P", "-m", "scenarios.cli", *arguments],
        env={**os.environ, "PYTHONPATH": str(folder), "PRIVITY_HOME": str(folder / "home")},
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def main() -> int:
    """Plant, find, shrink; 1 if nothing was found or too much is left."""
    parser = argparse.ArgumentParser(prog="scripts/shrink-demo")
    parser.add_argument("--mutant", default="digest of prepares ignored", help="as scripts/mutants names it")
    parser.add_argument("--seeds", default="1..200", help="where to look (%(default)s)")
    parser.add_argument("--budget", default="200", help="runs to shrink with (%(default)s)")
    arguments = parser.parse_args()
    chosen = [mutant for mutant in MUTANTS if mutant.name == arguments.mutant]
    if not chosen:
        parser.error("no mutant of that name")
    with tempfile.TemporaryDirectory(prefix="privity-shrink-demo-") as place:
        folder = mutated(chosen[0], Path(place))
        _, out = privity(
            folder, "run", str(SCENARIO), "--seeds", arguments.seeds, "--signatures", "modelled", "--json"
        )
        campaign: dict[str, Any] = json.loads(out)
        print(f"planted: {arguments.mutant} ({chosen[0].rule})")
        print(f"{campaign['fail']} of {campaign['runs']} seeds fail")
        # The last of them: older folders are deleted when there are many.
        failed = [each for each in campaign["failures"] if each["verdict"] == "fail" and each["kept"]]
        if not failed:
            return 1
        run = failed[-1]["kept"]
        smaller = folder / "smaller.yaml"
        code, out = privity(folder, "shrink", run, "-o", str(smaller), "--budget", arguments.budget, "--json")
        if code:
            return 1
        found: dict[str, Any] = json.loads(out)
        print(f"seed {failed[-1]['seed']} breaks {found['broken']['what']}, and so does the shrunk file:")
        print(smaller.read_text(encoding="utf-8"))
        code, _ = privity(folder, *found["again"].split()[1:], "-q")
        again = "it fails again" if code == 1 else "it does not fail again"
        faults = found["after"]["faults"]
        print(f"{found['before']['faults']} faults became {faults}, and {again}")
        return int(faults > MOST_FAULTS or code != 1)


if __name__ == "__main__":
    sys.exit(main())
