"""A copy of the packages with a mistake in it."""

from __future__ import annotations

import shutil
from pathlib import Path

from mistake import Mutant

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("consensus", "node", "scenarios", "tests")


class DoesNotApply(Exception):
    """A mutant's text is not in the source any more: the table must follow the code."""


def mutated(mutant: Mutant | None, folder: Path) -> Path:
    """A copy of the packages with this mistake in it. Raises DoesNotApply."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for change in () if mutant is None else mutant.changes:
        path = folder / change.file
        source = path.read_text()
        if source.count(change.old) != 1:
            raise DoesNotApply(
                f"{change.file} holds {source.count(change.old)} times: {change.old.strip()!r}"
            )
        path.write_text(source.replace(change.old, change.new))
    return folder
