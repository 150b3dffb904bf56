"""`privity shrink`: the smallest scenario that still breaks what a failing virtual run broke."""

from __future__ import annotations

import json
import os
import shlex
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from node.errors import FINE, INTERRUPTED, WRONG_USAGE, PrivityError
from node.private_files import open_private
from node.run_folder import RunFolder
from node.terminal import Progress, needs_ascii
from node.text import clean, plain
from node.verbs.completion import run_numbers
from scenarios.kept import kept_scenario, kept_signatures
from scenarios.model.filled import brief
from scenarios.model.scenario import Scenario
from scenarios.repeating.crew import Crew
from scenarios.repeating.once import Broken
from scenarios.shrinking.candidates import Candidates, Size, document_of, scenario_of
from scenarios.shrinking.shrinker import Shrinker
from scenarios.verbs.replay_cli import found_run
from scenarios.verbs.run_options import load, refuse_mode

SCHEMA = "privity.shrink/1"


def shrink(
    what: Annotated[
        str,
        typer.Argument(
            metavar="RUN|FILE",
            help="A virtual run that failed, or a scenario file.",
            autocompletion=run_numbers,
        ),
    ],
    seed: Annotated[int | None, typer.Option(help="Of a file: instead of its seed.", min=0)] = None,
    signatures: Annotated[
        str | None, typer.Option(help="Of a file: real, cached or modelled; cached by default.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")] = Path("smaller.yaml"),
    budget: Annotated[int, typer.Option(help="At most so many runs.", min=1)] = 200,
    as_json: Annotated[bool, typer.Option("--json", help="One document, schema privity.shrink/1.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    ascii_only: Annotated[bool, typer.Option("--ascii", help="No symbols beyond ASCII.")] = False,
) -> None:
    """Cut faults, steps, nodes and numbers as long as the same expectation or invariant breaks."""
    scenario, mode = _given(what, seed, signatures)
    if output.exists():
        raise PrivityError(
            "E-FILE",
            f"{output} is there already",
            why="shrink never overwrites",
            next="give another name with --output",
            exit_code=WRONG_USAGE,
        )
    progress = Progress()

    def tell(runs: int, size: Size) -> None:
        if not quiet:
            progress.update(f"run {runs} of at most {budget}: {size}")

    try:
        with tempfile.TemporaryDirectory(prefix="privity-shrink-") as home, Crew(1) as crew:
            candidates = Candidates(crew, Path(home), scenario.name, mode, budget, tell)
            document = document_of(scenario)
            outcome = candidates.first(document)
            if candidates.wanted is None:
                raise PrivityError(
                    "E-USAGE",
                    f"seed {outcome.seed} passes",
                    where=what,
                    why="only what breaks something can be shrunk, and here everything holds",
                    next="privity run FILE --seeds 1..200 --transport memory looks for a seed that does not",
                    exit_code=WRONG_USAGE,
                )
            shrinker = Shrinker(document, candidates.breaks_the_same)
            complete = shrinker.shrink(candidates.wanted.place)
    except KeyboardInterrupt:
        progress.clear()
        raise typer.Exit(INTERRUPTED) from None
    progress.clear()
    smaller = scenario_of(shrinker.best, scenario.name)
    again = _again(output, mode)
    _write(output, _story(scenario, candidates.wanted, again, candidates.runs), brief(smaller))
    before, after = Size.of(scenario), Size.of(smaller)
    if as_json:
        document = {
            "schema": SCHEMA,
            "file": str(output),
            "broken": {"what": candidates.wanted.what, "unconfirmed": candidates.wanted.unsure},
            "before": asdict(before),
            "after": asdict(after),
            "runs": candidates.runs,
            "complete": complete,
            "again": again,
        }
        print(json.dumps(document, ensure_ascii=False))
        raise typer.Exit(FINE)
    ended = "nothing more can go" if complete else f"the budget of {budget} runs is spent"
    lines = [
        f"✓ {candidates.wanted.what}: still {_how(candidates.wanted)} after {candidates.runs} runs; {ended}",
        f"  before {before}",
        f"  after  {after}",
        f"wrote {output}",
        f"    again {again}",
    ]
    for line in lines:
        print(plain(clean(line), ascii_only=needs_ascii(sys.stdout, ascii_only)))


def _given(what: str, seed: int | None, signatures: str | None) -> tuple[Scenario, str]:
    """The scenario to shrink, and the mode of its signatures."""
    path = Path(what)
    if what.isdecimal() or what == "latest" or (path / "run.json").exists():
        folder = found_run(what)
        if seed is not None or signatures is not None:
            raise PrivityError(
                "E-USAGE",
                "a run has its seed and its signatures already",
                where="--seed" if seed is not None else "--signatures",
                why="it is shrunk as it was",
                next="name its file instead of the run",
                exit_code=WRONG_USAGE,
            )
        return _virtual(folder), kept_signatures(folder)
    mode = signatures or "cached"
    refuse_mode(mode)
    return load(path, seed, "memory"), mode


def _virtual(folder: RunFolder) -> Scenario:
    scenario = kept_scenario(folder)
    if scenario.transport != "memory":
        raise PrivityError(
            "E-USAGE",
            f"run {folder.number} ran live",
            why="only virtual runs repeat, so only they can be shrunk",
            next="name its file instead of the run: it is then run in the virtual world",
            exit_code=WRONG_USAGE,
        )
    return scenario


def _again(output: Path, mode: str) -> str:
    more = [] if mode == "cached" else ["--signatures", mode]
    return shlex.join(["privity", "run", str(output), *more])


def _how(broken: Broken) -> str:
    return "unconfirmed" if broken.unsure else "broken"


def _story(scenario: Scenario, broken: Broken, again: str, runs: int) -> list[str]:
    """The comment at the head: what the file breaks, and the command that shows it."""
    return [
        f"Shrunk from {scenario.name}, seed {scenario.seed}, in {runs} runs.",
        f"This leaves {_how(broken)}: {broken.what}. In the whole scenario it said:",
        f"    {broken.detail}",
        f"To see it: {again}",
    ]


def _write(path: Path, comment: list[str], text: str) -> None:
    try:
        # Payloads that were needed to break it are still in it.
        with os.fdopen(open_private(path, os.O_WRONLY | os.O_EXCL), "w", encoding="utf-8") as file:
            file.write("".join(f"# {clean(line)}\n" for line in comment) + text)
    except OSError as error:
        raise PrivityError(
            "E-FILE",
            "the scenario cannot be written there",
            where=str(path),
            why=error.strerror or "",
            exit_code=WRONG_USAGE,
        ) from None


def register(app: typer.Typer) -> None:
    """Mount the verb."""
    app.command()(shrink)
