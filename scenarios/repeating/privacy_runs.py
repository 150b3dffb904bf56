"""Carrying out the drawn scenarios of a campaign, and what is demanded of each."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec

from node.run_folder import RunFolder
from scenarios.repeating.damage import Damage, is_damaged
from scenarios.repeating.once import Broken, Task, run_once
from scenarios.repeating.privacy_draw import DAMAGED_MS, FIRST_WRITE, Drawn, drawn

NOT_HANDED_IN = "were not handed in for ordering"


class Result(msgspec.Struct, frozen=True):
    """What became of a seed. `failed` is empty if all that is demanded was so.

    `struck` are role and step of each crash that ended a process; `refused` says that a payload was not
    ordered because its readers' nodes gave too few receipts, which is told and no failure. `diverged` says
    that a disk was damaged and that honest parties named the first transaction on which they differ since.
    """

    seed: int
    failed: str
    struck: tuple[tuple[str, str], ...]
    features: tuple[str, ...]
    blocks: int = 0
    searched: int = 0
    refused: bool = False
    diverged: bool = False
    seconds: float = 0.0


def run_seed(seed: int, home: Path, *, signatures: str = "cached") -> Result:
    """One seed in a folder of its own, which is gone if all went well; else its scenario stays there."""
    scenario = drawn(seed)
    own = home / f"seed-{seed}"
    shutil.rmtree(own, ignore_errors=True)
    name, damage = f"privacy-{seed}", None
    if scenario.damaged:
        damage = Damage(scenario.damaged, FIRST_WRITE, DAMAGED_MS)
    task = Task(
        scenario.text, f"seed-{seed}.yaml", name, str(own), seed, signatures=signatures, damage=damage
    )
    outcome = run_once(task)
    verdict = Path(outcome.run_dir) / "verdict.json" if outcome.run_dir else None
    document = json.loads(verdict.read_bytes()) if verdict is not None and verdict.exists() else {}
    broken, unseen = outcome.broken, ""
    diverged = False
    # A crash may have made the index anew since, which heals the damage: what was told counts all the same.
    if damage is not None and document:
        diverged = bool(document.get("divergences")) or is_damaged(RunFolder(Path(outcome.run_dir)), damage)
    if diverged:
        unseen, broken = _divergence(scenario.damaged, document, broken)
    result = _judged(scenario, broken, document, outcome.seconds, unseen)
    result = msgspec.structs.replace(result, diverged=diverged and not unseen)
    if not result.failed:
        shutil.rmtree(own, ignore_errors=True)
    return result


def _divergence(
    damaged: str, document: dict[str, Any], broken: tuple[Broken, ...]
) -> tuple[str, tuple[Broken, ...]]:
    """What is wrong with how a divergence was reported, and what is broken beside it."""
    pairs = [each for each in document.get("divergences", ()) if damaged in each["between"]]
    if not pairs:
        return f"no party noticed the divergence of {damaged}", broken
    if wrong := [each["tx"] for each in document["divergences"] if each["tx"] != FIRST_WRITE]:
        return f"a divergence was put down to {wrong[0]}, not {FIRST_WRITE}", broken
    told = f"first at tx {FIRST_WRITE}"
    rest = [each for each in broken if not (each.what in ("private_state", "run") and told in each.detail)]
    return "", tuple(rest)


def _judged(
    scenario: Drawn,
    broken: tuple[Broken, ...],
    document: dict[str, Any],
    seconds: float,
    unseen: str = "",
) -> Result:
    """Agreement, plan against matrix, canaries, key-free replay, nobody framed: it is all in the verdict."""
    faults = {fault["id"]: fault for fault in document.get("faults", ())}
    struck = tuple(
        case for name, case in scenario.crashes.items() if name in faults and not faults[name]["vacuous"]
    )
    refused = [each for each in broken if each.unsure and NOT_HANDED_IN in each.detail]
    # A second fault on a node that is down already does nothing, and is not counted.
    idle = {f"fault {name}" for name, fault in faults.items() if fault["vacuous"]}
    held_against = [each for each in broken if each not in refused and each.what not in idle]
    failed = unseen or "; ".join(f"{each.what}: {each.detail}" for each in held_against)
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
