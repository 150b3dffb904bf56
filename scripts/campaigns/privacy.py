"""`scripts/privacy-campaign`: drawn private business under crashes of each role at each step, by seeds."""

from __future__ import annotations

import argparse
import functools
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import msgspec

from scenarios.repeating.privacy_runs import Result, run_seed
from scenarios.repeating.privacy_steps import CASES


def seeds(text: str) -> range:
    """A..B, both included."""
    first, _, last = text.partition("..")
    return range(int(first), int(last or first) + 1)


def known(path: Path) -> dict[int, Result]:
    """What an interrupted campaign has found already."""
    found: dict[int, Result] = {}
    if path.exists():
        for line in path.read_bytes().splitlines():
            try:
                result = msgspec.json.decode(line, type=Result)
            except msgspec.DecodeError:
                continue  # Cut short when it was interrupted.
            found[result.seed] = result
    return found


def told(results: list[Result], home: Path) -> list[str]:
    """The figures, and each failure with the commands that repeat it."""
    struck = Counter(case for result in results for case in set(result.struck))
    features = Counter(feature for result in results for feature in result.features)
    failed = [result for result in results if result.failed]
    lines = []
    for result in failed:
        scenario = home / f"seed-{result.seed}" / "scenario.yaml"
        lines += [
            f"seed {result.seed}: {result.failed}",
            f"  again: scripts/privacy-campaign --seeds {result.seed} --fresh",
            f"  or:    privity run {scenario} --transport memory",
        ]
    lines.append(f"{len(results)} runs, {len(failed)} failed   SEEDED KEYS: not secret")
    lines.append(f"  {sum(result.blocks for result in results):,} blocks executed anew without keys;")
    lines[-1] += f" {sum(result.searched for result in results):,} secrets searched"
    lines.append(
        f"  {sum(result.refused for result in results)} with a payload that lacked receipts, as told"
    )
    lines.append(
        f"  {sum(result.diverged for result in results)} with a damaged disk, of which honest parties named"
        " the first transaction that differs"
    )
    lines.append("  runs in which a role was crashed at a step:")
    for role in dict.fromkeys(role for role, _ in CASES):
        steps = [f"{step} {struck[role, step]}" for each, step in CASES if each == role]
        lines.append(f"    {role:<12} {' · '.join(steps)}")
    lines.append("  " + " · ".join(f"{name} {count}" for name, count in sorted(features.items())))
    return lines


def main() -> int:
    """Parse, run what is not known yet, print."""
    parser = argparse.ArgumentParser(prog="scripts/privacy-campaign")
    parser.add_argument("--seeds", type=seeds, default=seeds("0..199"), metavar="A..B")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--signatures", choices=("cached", "modelled", "real"), default="cached")
    parser.add_argument("--into", type=Path, default=Path(".privity/privacy-campaign"), metavar="FOLDER")
    parser.add_argument("--fresh", action="store_true", help="run seeds again that were run before")
    arguments = parser.parse_args()
    arguments.into.mkdir(parents=True, exist_ok=True)
    path = arguments.into / "results.jsonl"
    found = {} if arguments.fresh else known(path)
    wanted = [seed for seed in arguments.seeds if seed not in found]
    work = functools.partial(run_seed, home=arguments.into, signatures=arguments.signatures)
    if path.exists() and not path.read_bytes().endswith(b"\n"):
        path.write_bytes(path.read_bytes() + b"\n")  # The last line was cut short.
    with path.open("ab") as out, ProcessPoolExecutor(arguments.jobs) as pool:
        for result in pool.map(work, wanted):
            found[result.seed] = result
            out.write(msgspec.json.encode(result) + b"\n")
            out.flush()
            if result.failed:
                print(f"seed {result.seed}: {result.failed}", file=sys.stderr, flush=True)
    results = [found[seed] for seed in arguments.seeds if seed in found]
    print("\n".join(told(results, arguments.into)))
    return int(any(result.failed for result in results))


if __name__ == "__main__":
    sys.exit(main())
