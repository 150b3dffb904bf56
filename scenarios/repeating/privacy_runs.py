"""Carrying out the drawn scenarios of a campaign, and what is demanded of each."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec

from scenarios.repeating.once import Broken, Task, run_once
from scenarios.repeating.privacy_draw import Drawn, drawn

NOT_HANDED_IN = "were not handed in for ordering"


class Result(msgspec.Struct, frozen=True):
    """What became of a seed. `failed` is empty if all that is demanded was so.

    `struck` are role and step of each crash that ended a process; `refused` says that a payload was not
    ordered because its readers' nodes gave too few receipts, which is told and no failure.
    """

    seed: int
    failed: str
    struck: tuple[tuple[str, str], ...]
    features: tuple[str, ...]
    blocks: int = 0
    searched: int = 0
    refused: bool = False
    seconds: float = 0.0


def run_seed(seed: int, home: Path, *, signatures: str = "cached") -> Result:
    """One seed in a folder of its own, which is gone if all went well; else its scenario stays there."""
    scenario = drawn(seed)
    own = home / f"seed-{seed}"
    shutil.rmtree(own, ignore_errors=True)
    task = Task(scenario.text, f"seed-{seed}.yaml", f"privacy-{seed}", str(own), seed, signatures=signatures)
    outcome = run_once(task)
    verdict = Path(outcome.run_dir) / "verdict.json" if outcome.run_dir else None
    document = json.loads(verdict.read_bytes()) if verdict is not None and verdict.exists() else {}
    result = _judged(scenario, outcome.broken, document, outcome.seconds)
    if not result.failed:
        shutil.rmtree(own, ignore_errors=True)
    return result


def _judged(scenario: Drawn, broken: tuple[Broken, ...], document: dict[str, Any], seconds: float) -> Result:
    """Agreement, plan against matrix, canaries, key-free replay, nobody framed: it is all in the verdict."""
    faults = {fault["id"]: fault for fault in document.get("faults", ())}
    struck = tuple(
        case for name, case in scenario.crashes.items() if name in faults and not faults[name]["vacuous"]
    )
    refused = [each for each in broken if each.unsure and NOT_HANDED_IN in each.detail]
    # A second fault on a node that is down already does nothing, and is not counted.
    idle = {f"fault {name}" for name, fault in faults.items() if fault["vacuous"]}
    held_against = [each for each in broken if each not in refused and each.what not in idle]
    failed = "; ".join(f"{each.what}: {each.detail}" for each in held_against)
    if not document:
        failed = failed or "no verdict"
    return Result(
        seed=scenario.seed,
        failed=failed,
        struck=struck,
        features=scenario.features,
        blocks=document.get("blocks", 0),
        searched=document.get("canaries", {}).get("searched", 0),
        refused=bool(refused),
        seconds=seconds,
    )
