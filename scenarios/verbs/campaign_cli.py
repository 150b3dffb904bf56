"""`privity run FILE --seeds 1..50`: the same scenario under many seeds, in the virtual world."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path

from node.errors import INTERRUPTED, WRONG_USAGE, PrivityError
from node.terminal import Progress, needs_ascii
from node.text import clean, plain
from scenarios.model.scenario import Scenario
from scenarios.operating import Options
from scenarios.repeating.campaign import Campaign, Plan
from scenarios.repeating.once import Outcome
from scenarios.repeating.summary import document_of, exit_code, in_words, line_of
from scenarios.verbs.run_options import command_of
from scenarios.virtual.entropy import SEEDED
from scenarios.virtual.run import STAMP

MOST_SEEDS = 1_000_000
_SEEDS = re.compile(r"(\d{1,18})(?:\.\.(\d{1,18}))?", re.ASCII)
_BAR = 24


def parse_seeds(text: str) -> range:
    """`1..50`, both included, or one seed."""
    match = _SEEDS.fullmatch(text.strip())
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    if not 0 <= last - first < MOST_SEEDS:
        raise PrivityError(
            "E-USAGE",
            "no range of seeds",
            where="--seeds",
            why=f"it is written 1..50, the lower one first, and holds at most {MOST_SEEDS:,}",
            exit_code=WRONG_USAGE,
        )
    return range(first, last + 1)


def refuse_with_seeds(scenario: Scenario, given: dict[str, bool]) -> None:
    """What means nothing for many runs at once is a mistake, and not ignored."""
    if scenario.transport != "memory":
        raise PrivityError(
            "E-USAGE",
            "many seeds need the virtual world",
            where="--seeds",
            why="a live run takes real time and ports, and its seed does not decide how it goes",
            next="add --transport memory",
            exit_code=WRONG_USAGE,
        )
    for option in (option for option, there in given.items() if there):
        raise PrivityError(
            "E-USAGE",
            f"{option} means nothing with --seeds",
            where=option,
            why="it is for one run",
            next="leave it out, or name one seed with --seed",
            exit_code=WRONG_USAGE,
        )


def refuse_without_seeds(given: dict[str, bool]) -> None:
    """What means nothing for one run."""
    for option in (option for option, there in given.items() if there):
        raise PrivityError(
            "E-USAGE",
            f"{option} means nothing without --seeds",
            where=option,
            why="it is for many runs",
            exit_code=WRONG_USAGE,
        )


def run_by_seeds(
    scenario: Scenario,
    file: Path,
    options: Options,
    *,
    seeds: range,
    jobs: int | None,
    fresh: bool,
    transport: str | None,
    crypto: str | None,
    as_json: bool,
    quiet: bool,
    ascii_only: bool,
) -> int:
    """Run them all, tell each as it ends and the whole at the end; the exit code."""
    plan = Plan(
        text=file.read_text(encoding="utf-8-sig"),
        file=str(file),
        name=scenario.name,
        seeds=seeds,
        crypto=scenario.crypto,
        signatures=options.signatures,
    )
    campaign = Campaign.begin(plan, fresh=fresh)
    resumed = len(campaign.outcomes)
    if resumed:
        _note(f"goes on with {campaign.path}: {resumed} of {len(seeds)} seeds are done; --fresh starts over")
    teller = _Teller(len(seeds), plan.file, as_json=as_json, quiet=quiet, ascii_only=ascii_only)
    for outcome in campaign.outcomes.values():
        teller.count(outcome)
    try:
        for outcome in campaign.run(min(jobs or os.cpu_count() or 1, len(seeds))):
            teller.tell(outcome)
    except KeyboardInterrupt:
        teller.progress.clear()
        done = len(campaign.outcomes)
        _note(f"stopped after {done} of {len(seeds)} seeds; the same command goes on there")
        return INTERRUPTED
    teller.progress.clear()
    document = document_of(
        campaign, lambda seed: command_of(file, options, seed, transport, crypto), resumed=resumed
    )
    if as_json:
        print(json.dumps(document, ensure_ascii=False))
    else:
        stamp = [f"  {STAMP}"] if scenario.crypto == SEEDED else []
        for line in [*in_words(document), *stamp]:
            print(plain(clean(line), ascii_only=teller.ascii))
    return exit_code(document)


class _Teller:
    """A line for each run on stdout, and on stderr how far it is."""

    def __init__(self, total: int, file: str, *, as_json: bool, quiet: bool, ascii_only: bool) -> None:
        self.progress = Progress()
        self.ascii = needs_ascii(sys.stdout, ascii_only)
        self._total, self._file = total, file
        self._lines = not as_json
        self._quiet = quiet
        self._begin_s = time.monotonic()
        self._before = 0  # Done by an earlier command.
        self._done = 0
        self._bad = 0

    def count(self, outcome: Outcome) -> None:
        """One that was done already."""
        self._before += 1
        self._add(outcome)

    def tell(self, outcome: Outcome) -> None:
        """One that ended now."""
        self._add(outcome)
        if self._lines and not (self._quiet and outcome.verdict == "pass"):
            self.progress.clear()
            print(plain(clean(line_of(outcome, self._file)), ascii_only=self.ascii), flush=True)
        if not self._quiet:
            self.progress.update(self._bar())

    def _add(self, outcome: Outcome) -> None:
        self._done += 1
        self._bad += outcome.verdict != "pass"

    def _bar(self) -> str:
        full = _BAR * self._done // self._total
        fresh = max(1, self._done - self._before)
        left_s = (time.monotonic() - self._begin_s) / fresh * (self._total - self._done)
        said = f"{self._done} of {self._total} · {self._bad} did not pass · {left_s:.0f} s left"
        return f"[{'#' * full}{'.' * (_BAR - full)}] {said}"


def _note(text: str) -> None:
    print(plain(clean(text), ascii_only=needs_ascii(sys.stderr)), file=sys.stderr, flush=True)
