"""`privity run`, `up` and `down`: bring a consortium up, play its steps, judge it, take it down."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import shlex
import shutil
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from node.errors import FINE, INTERRUPTED, WRONG_USAGE, PrivityError
from node.run_folder import LATEST, RunFolder
from node.terminal import needs_ascii
from node.text import plain
from node.verbs.completion import one_of, run_numbers
from scenarios.faults.asked import taking_faults
from scenarios.model.scenario import Scenario
from scenarios.operating import Options
from scenarios.processes.detach import stop_supervisor
from scenarios.report.writing import write_of_run
from scenarios.session import Interrupted, Judged, Session, loop_of, new_folder
from scenarios.verbs.background import detach as detach_run
from scenarios.verbs.campaign_cli import (
    parse_seeds,
    refuse_with_seeds,
    refuse_without_seeds,
    run_by_seeds,
)
from scenarios.verbs.narration import Narrator
from scenarios.verbs.not_built import refuse_flag
from scenarios.verbs.run_options import (
    command_of,
    load,
    refuse_other_worlds,
    refuse_unwritable,
    warned,
)
from scenarios.verdict import EXIT_CODES, in_words, write_junit
from scenarios.virtual.determinism import check_determinism_of
from scenarios.virtual.entropy import SEEDED
from scenarios.virtual.signatures import MODES

T = TypeVar("T")

File = Annotated[Path, typer.Argument(metavar="FILE", help="The scenario file.")]
BrokerOption = Annotated[
    str | None, typer.Option(help="embedded, mosquitto, or mqtt://host:port; instead of the file's.")
]
PortOption = Annotated[
    int | None,
    typer.Option(help="The loopback port of a broker of ours; a free one by default.", min=1, max=65535),
]
SeedOption = Annotated[int | None, typer.Option(help="Instead of the file's seed.", min=0)]
TransportOption = Annotated[
    str | None,
    typer.Option(
        help="mqtt or memory (the virtual world); instead of the file's.",
        autocompletion=one_of("mqtt", "memory"),
    ),
]
InProcessOption = Annotated[bool, typer.Option("--in-process", help="All nodes in this process.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing while it goes well.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Nodes log at level debug.")]
AsciiOption = Annotated[bool, typer.Option("--ascii", help="No symbols beyond ASCII.")]


def run(
    file: File,
    broker: BrokerOption = None,
    broker_port: PortOption = None,
    seed: SeedOption = None,
    transport: TransportOption = None,
    in_process: InProcessOption = False,
    crypto: Annotated[
        str | None,
        typer.Option(
            help="seeded or os: keys of the virtual world; instead of the file's.",
            autocompletion=one_of("seeded", "os"),
        ),
    ] = None,
    signatures: Annotated[
        str,
        typer.Option(
            help="real, cached or modelled: signatures of the virtual world.", autocompletion=one_of(*MODES)
        ),
    ] = "cached",
    trace: Annotated[
        Path | None, typer.Option(help="Write the ordered I/O trace of the virtual world there.")
    ] = None,
    check_determinism: Annotated[
        bool,
        typer.Option("--check-determinism", help="Run twice in the virtual world; name what differs first."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One document, schema privity.run/1.")] = False,
    junit: Annotated[Path | None, typer.Option(help="Write the verdict as JUnit XML.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Stay up after the verdict, until Ctrl-C.")] = False,
    report: Annotated[
        Path | None, typer.Option(help="Write the report for the public, one HTML file.")
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(
            metavar="1..50", help="One run for each seed, in the virtual world; goes on if interrupted."
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(help="With --seeds: so many at a time; one for each processor.", min=1, max=64),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="With --seeds: do not go on with an interrupted campaign.")
    ] = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    ascii_only: AsciiOption = False,
) -> None:
    """Start, play the steps, judge the expectations, stop. The exit code is the verdict."""
    scenario = load(file, seed, transport, crypto)
    if transport is None and scenario.transport != "memory" and (seeds is not None or check_determinism):
        # Only the virtual world repeats, so asking for it is asking for that world.
        transport = "memory"
        scenario = dataclasses.replace(scenario, transport=transport)
    options = Options(
        broker=broker,
        port=broker_port,
        in_process=in_process,
        level=_level(verbose),
        signatures=signatures,
        trace=trace,
    )
    refuse_other_worlds(scenario, options, keep=keep, crypto=crypto)
    if seeds is None:
        refuse_without_seeds({"--jobs": jobs is not None, "--fresh": fresh})
    else:
        alone = {"--seed": seed is not None, "--trace": trace is not None, "--junit": junit is not None}
        alone["--report"] = report is not None
        refuse_with_seeds(scenario, {**alone, "--check-determinism": check_determinism})
        code = run_by_seeds(
            scenario,
            file,
            options,
            seeds=parse_seeds(seeds),
            jobs=jobs,
            fresh=fresh,
            transport=transport,
            crypto=crypto,
            as_json=as_json,
            quiet=quiet,
            ascii_only=ascii_only,
        )
        raise typer.Exit(code)
    if junit is not None:
        refuse_unwritable(junit, "--junit")
    if trace is not None:
        refuse_unwritable(trace, "--trace")
    if report is not None:
        refuse_unwritable(report, "--report", replaced=True)
    command = command_of(file, options, seed, transport, crypto)
    if check_determinism:
        raise typer.Exit(_check_determinism(scenario, command, as_json=as_json))
    folder = new_folder(scenario)
    narrator = Narrator(quiet=quiet, ascii_only=ascii_only)

    def tell(judged: Judged) -> None:
        if junit is not None:
            write_junit(junit, judged.document, judged.judgements, judged.incidents)
        _print_verdict(judged, as_json, quiet, command, ascii_only)

    # Whoever stops a run gets no verdict, and so never the exit code of a pass.
    verdict = _guarded(
        lambda: _in_loop(scenario, _run(scenario, file, folder, options, narrator, keep, tell, report)),
        by_down=INTERRUPTED,
    )
    raise typer.Exit(verdict if isinstance(verdict, int) else EXIT_CODES[verdict])


async def _run(
    scenario: Scenario,
    file: Path,
    folder: RunFolder,
    options: Options,
    narrator: Narrator,
    keep: bool,
    tell: Callable[[Judged], None],
    report: Path | None,
) -> str:
    def done() -> Judged:
        judged = session.judge(settled)
        tell(judged)
        if report is not None:
            for line in write_of_run(folder, report, session.run.secrets.all).lines:
                narrator.say("note", line)
        return judged

    session = Session(scenario, file, folder, options, narrator.say)
    async with session.running():
        narrator.say("note", f"           run {folder.number}     simulation: not for real data")
        for line in warned(scenario, file):
            narrator.say("note", line)
        settled = await session.play()
        if keep:
            judged = done()
            narrator.say("note", "The network stays up; Ctrl-C or `privity down` stops it.")
            await session.stay()
    if not keep:
        judged = done()
    return str(judged.document["verdict"])


def up(
    file: File,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Leave it running in the background.")
    ] = False,
    no_steps: Annotated[
        bool, typer.Option("--no-steps", help="Start only; the steps are not played.")
    ] = False,
    broker: BrokerOption = None,
    broker_port: PortOption = None,
    seed: SeedOption = None,
    transport: TransportOption = None,
    in_process: InProcessOption = False,
    open_: Annotated[bool, typer.Option("--open", help="Not built yet.", hidden=True)] = False,
    into: Annotated[str | None, typer.Option(help="A run folder made beforehand.", hidden=True)] = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    ascii_only: AsciiOption = False,
) -> None:
    """Start, play the steps, judge, and stay up until Ctrl-C or `privity down`."""
    refuse_flag("up", "--open", open_)
    scenario = load(file, seed, transport)
    if scenario.transport == "memory":
        raise PrivityError(
            "E-USAGE",
            "a virtual network does not stay up",
            where="transport: memory",
            why="its time passes only while its own process steps it, so no other command could reach it",
            next="privity run plays it to the end; --transport mqtt brings it up live",
            exit_code=WRONG_USAGE,
        )
    narrator = Narrator(quiet=quiet, ascii_only=ascii_only)
    if into is None:
        _refuse_second()
        if detach:
            raise typer.Exit(detach_run(scenario, narrator))
    folder = new_folder(scenario, into=into)
    options = Options(
        broker=broker, port=broker_port, in_process=in_process, level=_level(verbose), steps=not no_steps
    )
    raise typer.Exit(_guarded(lambda: asyncio.run(_up(scenario, file, folder, options, narrator))))


async def _up(scenario: Scenario, file: Path, folder: RunFolder, options: Options, narrator: Narrator) -> int:
    session = Session(scenario, file, folder, options, narrator.say)
    async with session.running(), taking_faults(session.run):
        narrator.say("note", f"           run {folder.number}     simulation: not for real data")
        for line in warned(scenario, file):
            narrator.say("note", line)
        if options.steps:
            settled = await session.play()
            judged = session.judge(settled)
            words = in_words(judged.document, judged.judgements, judged.incidents, f"privity run {file}")
            for line in words[1:]:
                if not line.startswith("✓"):
                    narrator.say("note", line)
            good = sum(judgement.result == "holds" for judgement in judged.judgements)
            narrator.say("note", f"{good} of {len(judged.judgements)} expectations hold.")
        folder.write_run(steps_done=True)
        narrator.say("note", "The network stays up; Ctrl-C or `privity down` stops it.")
        narrator.say("note", "next: privity who-sees · privity logs · privity send --help")
        number = await session.stay()
    narrator.say("note", "stopped; nothing is left running")
    return INTERRUPTED if number == signal.SIGINT else FINE


def down(
    run_number: Annotated[
        str,
        typer.Option(
            "--run", help="Which run; the latest that is up by default.", autocompletion=run_numbers
        ),
    ] = LATEST,
    purge: Annotated[
        bool, typer.Option("--purge", help="Delete the run's folder too: keys, logs, all.")
    ] = False,
    ascii_only: AsciiOption = False,
) -> None:
    """Stop a running consortium: nodes, recorder, broker."""
    folder = RunFolder.find(run=run_number)
    if run_number == LATEST and (running := RunFolder.running()):
        folder = running[-1]  # A run that came and went meanwhile is not what is to be stopped.
    record = folder.read_run()
    was_running = folder.is_running()
    if was_running:
        report = stop_supervisor(record["pid"], record["pid_started"])
        if report.outcome == "stuck":
            raise PrivityError(
                "E-STUCK",
                f"run {folder.number} does not stop",
                why=f"process {record['pid']} ignores even SIGKILL, as one does that a hanging disk holds up",
                next="try again when the disk answers",
            )
        with contextlib.suppress(PrivityError):  # On a full disk: that its process is gone says the same.
            folder.write_run(state="stopped")
        print(f"stopped run {folder.number} ({report.outcome}, {report.seconds:.1f} s)")
    elif not purge:
        print(f"run {folder.number} was not running")
    if purge:
        shutil.rmtree(folder.path)
        print(f"deleted run {folder.number}")


def _in_loop(scenario: Scenario, work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in the loop of the scenario's world."""
    with asyncio.Runner(loop_factory=loop_of(scenario)) as runner:
        return runner.run(work)


def _check_determinism(scenario: Scenario, command: str, *, as_json: bool) -> int:
    if scenario.transport != "memory" or scenario.crypto != SEEDED:
        raise PrivityError(
            "E-USAGE",
            "only a virtual run with seeded keys repeats itself",
            where="--check-determinism",
            why=f"this one has transport: {scenario.transport} and crypto: {scenario.crypto}",
            next="add --transport memory --crypto seeded",
            exit_code=WRONG_USAGE,
        )
    result = check_determinism_of(shlex.split(command)[1:])
    if as_json:
        print(json.dumps(result.document, ensure_ascii=False))
    else:
        print("\n".join(result.lines))
    return result.exit_code


def _level(verbose: bool) -> str:
    return "debug" if verbose else "info"


def _refuse_second() -> None:
    """One network at a time and place: `send`, `ps` and `down` mean the latest run."""
    if running := RunFolder.running():
        raise PrivityError(
            "E-RUNNING",
            f"run {running[-1].number} is up already",
            why="commands without --run mean the latest run, so two at once would be confused",
            next="stop it with `privity down`, or set PRIVITY_HOME to another folder",
        )


def _guarded(work: Callable[[], T], by_down: int = FINE) -> T | int:
    """What `work` gives, or the exit code if somebody stopped us meanwhile: `by_down` for SIGTERM."""
    try:
        return work()
    except Interrupted as stopped:
        print("stopped; nothing is left running", file=sys.stderr)
        return INTERRUPTED if stopped.by == signal.SIGINT else by_down


def _print_verdict(judged: Judged, as_json: bool, quiet: bool, command: str, ascii_only: bool) -> None:
    if as_json:
        print(json.dumps(judged.document, ensure_ascii=False))
        return
    lines = in_words(judged.document, judged.judgements, judged.incidents, command)
    if quiet and judged.document["verdict"] == "pass":
        lines = lines[:1]
    for line in lines:
        print(plain(line, ascii_only=needs_ascii(sys.stdout, ascii_only)))


def register(app: typer.Typer) -> None:
    """Mount the verbs."""
    app.command()(run)
    app.command()(up)
    app.command()(down)
