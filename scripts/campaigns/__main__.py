"""`scripts/campaign`: many seeds or all cases of Twins, a line for each failure, and what happened."""

from __future__ import annotations

import argparse
import functools
import statistics
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from scenarios.virtual.campaign import Outcome, run
from scenarios.virtual.twins import Case, TwinsOutcome, cases, run_twins

TOLD = (
    "view change",
    "new view",
    "restart",
    "decision passed on",
    "records lost",
    "wiped",
    "lied",
    "equivocation heard",
    "evidence E1",
    "evidence E2",
    "evidence E3",
    "evidence E4",
)


def seeds(text: str) -> range:
    """A..B, both included."""
    first, _, last = text.partition("..")
    return range(int(first), int(last or first) + 1)


def one(seed: int, n: int | None, signatures: str) -> tuple[int, Outcome | str]:
    """The outcome of a seed, or what fell over."""
    try:
        return seed, run(seed, n, signatures=signatures)
    except Exception as error:
        return seed, f"{type(error).__name__}: {error} {getattr(error, '__notes__', '')}"


def campaign(arguments: argparse.Namespace) -> int:
    """Run the seeds."""
    happened: Counter[str] = Counter()
    waits: list[int] = []
    failed = 0
    work = functools.partial(one, n=arguments.n, signatures=arguments.signatures)
    with ProcessPoolExecutor(arguments.jobs) as pool:
        for seed, outcome in pool.map(work, arguments.seeds, chunksize=10):
            broken = outcome if isinstance(outcome, str) else outcome.broken
            if broken:
                failed += 1
                size = "" if arguments.n is None else f" --n {arguments.n}"
                print(f"{broken}\n  again: scripts/campaign --seeds {seed}{size}", flush=True)
            if isinstance(outcome, Outcome):
                waits.append(outcome.healed_after_ms)
                happened.update(name for name, count in outcome.seen.items() if count)
    print(f"{len(arguments.seeds)} runs, {failed} failed, signatures {arguments.signatures}")
    print("  SEEDED KEYS: not secret")
    for name in TOLD:
        print(f"  {name:<20} in {happened[name]:>6} runs")
    if waits:
        median, most = statistics.median(waits), max(waits)
        print(f"  done after healing   {median:,.0f} ms median, {most:,} ms at most (virtual)")
    return int(failed > 0)


def one_case(case: Case) -> tuple[Case, TwinsOutcome | str]:
    """The outcome of a case, or what was broken."""
    try:
        return case, run_twins(case)
    except Exception as error:
        return case, f"{type(error).__name__}: {error}"


def twins(arguments: argparse.Namespace) -> int:
    """Run all cases of Twins."""
    failed, outcomes = 0, []
    with ProcessPoolExecutor(arguments.jobs) as pool:
        for case, outcome in pool.map(one_case, cases(), chunksize=32):
            if isinstance(outcome, str):
                failed += 1
                print(f"{outcome}\n  case {case}", flush=True)
            else:
                outcomes.append(outcome)
    print(f"{len(outcomes) + failed} cases, {failed} failed")
    print(f"  contradictions met by a correct replica in {sum(each.equivocations > 0 for each in outcomes)}")
    print(f"  evidence in {sum(each.evidence > 0 for each in outcomes)}")
    print(f"  more than one view change in {sum(each.view > 1 for each in outcomes)}")
    return int(failed > 0)


def main() -> int:
    """Parse and run."""
    parser = argparse.ArgumentParser(prog="scripts/campaign")
    parser.add_argument("--seeds", type=seeds, default=seeds("0..199"), metavar="A..B")
    parser.add_argument("--n", type=int, choices=range(4, 9), help="voters; drawn from the seed if not given")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--signatures", choices=("cached", "modelled", "real"), default="cached")
    parser.add_argument("--twins", action="store_true", help="all cases of Twins at n = 4 instead")
    arguments = parser.parse_args()
    return twins(arguments) if arguments.twins else campaign(arguments)


if __name__ == "__main__":
    sys.exit(main())
