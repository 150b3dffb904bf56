"""`privity replay`: a virtual run carried out again and compared, a live run played back from its log."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from node.errors import INTERRUPTED, WRONG_USAGE, PrivityError
from node.logs.filters import tx_prefix
from node.logs.lines import Lines
from node.logs.view import json_line, read_run_events
from node.run_folder import LATEST, RunFolder
from node.terminal import needs_ascii, quiet_pipe
from node.text import clean, plain
from node.verbs.completion import run_numbers
from scenarios.repeating.again import Comparison, compare_again
from scenarios.repeating.playback import FASTEST, paced, parse_speed


def replay(
    run: Annotated[
        str,
        typer.Argument(
            metavar="[RUN]", help="Which run: its number, or its folder.", autocompletion=run_numbers
        ),
    ] = LATEST,
    speed: Annotated[
        str | None,
        typer.Option(metavar="10x", help="Of a playback: 10x, 0.5x, or max; 1x on a terminal, else max."),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="One document, schema privity.replay/1; of a live run, events as JSON Lines."
        ),
    ] = False,
    ascii_only: Annotated[bool, typer.Option("--ascii", help="No symbols beyond ASCII.")] = False,
) -> None:
    """A virtual run again, compared event by event; a live run played back from its log."""
    folder = found_run(run)
    virtual = folder.read_run().get("transport") == "memory"
    if virtual and speed is not None:
        raise PrivityError(
            "E-USAGE",
            "a virtual run has no speed",
            where="--speed",
            why="it is carried out again, as fast as this machine can, and not played back",
            exit_code=WRONG_USAGE,
        )
    try:
        raise typer.Exit(
            _again(folder, as_json=as_json, ascii_only=ascii_only)
            if virtual
            else _play_back(folder, speed, as_json=as_json, ascii_only=ascii_only)
        )
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def found_run(run: str) -> RunFolder:
    """The run of that number, or in that folder."""
    path = Path(run)
    return RunFolder(path) if "/" in run or (path / "run.json").exists() else RunFolder.find(run=run)


def _again(folder: RunFolder, *, as_json: bool, ascii_only: bool) -> int:
    with tempfile.TemporaryDirectory(prefix="privity-replay-") as home:
        comparison = compare_again(folder, Path(home))
    if as_json:
        print(json.dumps(comparison.document, ensure_ascii=False))
    else:
        simple = needs_ascii(sys.stdout, ascii_only)
        for line in _in_words(comparison, simple):
            print(plain(clean(line), ascii_only=simple))
    return comparison.exit_code


def _in_words(found: Comparison, simple: bool) -> list[str]:
    lines = []
    if found.same:
        lines.append(f"✓ run {found.run} again: the same {found.events:,} events")
        lines += [f"  trace {found.hashes[0]}", f"  verdict {found.verdict}"]
    else:
        lines.append(f"✗ run {found.run} again: it went another way")
        lines += [f"  trace {found.hashes[0]} then", f"  trace {found.hashes[1]} now"]
        if found.first_event == 0:
            lines += [
                "  it was not made the same way: options or keys differ; now they are",
                f"    {found.event_now}",
            ]
        elif found.first_event is not None:
            lines += [
                f"  event {found.first_event} is the first that differs; now it is",
                f"    {found.event_now}",
            ]
        if found.logs is not None:
            shown = Lines(ascii_only=simple)
            lines.append("  the first line of the log that differs, then and now:")
            lines += [f"    {next(shown.show([each])) if each else 'nothing more'}" for each in found.logs]
    for name, (then, now) in found.versions.items():
        lines.append(f"! {name} was {then} then and is {now} now")
    return lines


def _play_back(folder: RunFolder, speed: str | None, *, as_json: bool, ascii_only: bool) -> int:
    """Print the log at its pace. Nothing is carried out: the timing of a live run is nobody's to repeat."""
    factor = parse_speed(speed or ("1x" if sys.stdout.isatty() else FASTEST))
    events = read_run_events(folder).events
    simple = needs_ascii(sys.stdout, ascii_only)
    labels = {tx_prefix(label): label.id for label in folder.transactions() if label.id}
    lines = Lines(nodes=folder.node_names(), labels=labels, ascii_only=simple)
    lines.learn(events)
    print(
        f"playback of what run {folder.number} logged: it ran live, and nothing is carried out again",
        file=sys.stderr,
        flush=True,
    )
    with quiet_pipe():
        for event in paced(events, factor, time.sleep):
            print(*([json_line(event)] if as_json else lines.show([event])), sep="\n", flush=True)
    return 0


def register(app: typer.Typer) -> None:
    """Mount the verb."""
    app.command()(replay)
