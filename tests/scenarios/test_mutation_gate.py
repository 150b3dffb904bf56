"""The mutation gate in short: known mistakes of a core are reported, and the table follows the code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
GATE = ROOT / "scripts" / "mutation"


def gate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(GATE), *arguments], capture_output=True, text=True, check=False, cwd=ROOT
    )


def test_a_few_known_mistakes_are_reported() -> None:
    """The core itself is not; `scripts/mutants` tries all."""
    done = gate("--quick", "--seeds", "60")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "4 of 4 reported"


def test_every_mutant_still_applies() -> None:
    """The text that it replaces stands exactly once in the source."""
    code = (
        "from table import MUTANTS; from pathlib import Path\n"
        "print([m.name for m in MUTANTS for c in m.changes if Path(c.file).read_text().count(c.old) != 1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(GATE)},
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout.strip() == "[]"
