"""`privity logs`: what the nodes of a run did, and when."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from node.duration import parse_duration_ms
from node.errors import INTERRUPTED, WRONG_USAGE, PrivityError
from node.logs.event_fields import DIGEST_DIGITS
from node.logs.event_names import EVENTS, LEVELS
from node.logs.events import Event
from node.logs.filters import Filter, parse_heights, parse_patterns, tx_prefix
from node.logs.lines import Lines
from node.logs.view import Follower, Reading, follow, json_line, read_run_events
from node.run_folder import LATEST, OPERATOR, RunFolder, tx_digits
from node.terminal import colour_wanted, needs_ascii, paint, quiet_pipe
from node.text import did_you_mean
from node.verbs.completion import log_names, one_of, run_numbers, transaction_names

POLL_S = 0.1

_COLOURS = {"warn": "yellow", "error": "red"}


def _event_names(incomplete: str) -> list[str]:
    return [name for name in EVENTS if name.startswith(incomplete)]


def logs(
    nodes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NODE", help="Only these nodes; operator is one too.", autocompletion=log_names
        ),
    ] = None,
    following: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on as events come, until the run stops.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(metavar="11s", help="From this moment of the run on; -10s: the last ten seconds."),
    ] = None,
    tx: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this transaction: its id, or its hash's first digits.",
            autocompletion=transaction_names,
        ),
    ] = None,
    block: Annotated[
        str | None, typer.Option(metavar="3,6", help="Only these heights, and their transactions; or 3..6.")
    ] = None,
    view: Annotated[int | None, typer.Option(min=0, help="Only this view.")] = None,
    ev: Annotated[
        list[str] | None,
        typer.Option(metavar="'pbft.*'", help="Only these events.", autocompletion=_event_names),
    ] = None,
    level: Annotated[
        str,
        typer.Option(help=f"At least this level: {', '.join(LEVELS)}.", autocompletion=one_of(*LEVELS)),
    ] = "debug",
    gaps: Annotated[
        str | None, typer.Option(metavar="1s", help="A line where nothing happened for so long.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON Lines, one event a line.")] = False,
    run: Annotated[str, typer.Option(metavar="0007", help="Which run.", autocompletion=run_numbers)] = LATEST,
    ascii_only: Annotated[bool, typer.Option("--ascii", help="No symbols outside ASCII.")] = False,
) -> None:
    """What happened, in order: the events of all nodes, or of those named."""
    folder = RunFolder.find(run=run)
    gap_ms = parse_duration_ms(gaps, where="--gaps") if gaps else None
    since_ms = parse_duration_ms(since.removeprefix("-"), where="--since") if since else None
    wanted = _filter(folder, nodes or [], tx or [], block, view, ev or [], level)
    labels = _Labels(folder)
    lines = Lines(
        nodes=_known_nodes(folder),
        labels=labels.by_prefix,
        gap_ms=gap_ms,
        ascii_only=needs_ascii(sys.stdout, ascii_only),
    )
    source = Follower(folder) if following else read_run_events(folder)
    batches = [source.events] if isinstance(source, Reading) else follow(source, lambda: time.sleep(POLL_S))
    shown = read = 0
    whole = False  # Whoever reads our output may go away first.
    try:
        with quiet_pipe():
            for batch in batches:
                if since and since_ms is not None and batch and not read:
                    # With a minus it counts back from the newest event.
                    wanted.since_ms = batch[-1]["t"] - since_ms if since.startswith("-") else since_ms
                read += len(batch)
                labels.refresh()
                shown += _print(batch, wanted, lines, as_json)
            whole = True
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    if source.unreadable:
        print(f"! {source.unreadable} lines could not be read", file=sys.stderr)
    if whole and not shown:
        why = f"none of its {read} events matches" if read else "it has no events yet"
        print(f"run {folder.number}: {why}", file=sys.stderr)


def register(app: typer.Typer) -> None:
    """Mount the verb on the command line."""
    app.command("logs")(logs)


def _print(batch: list[Event], wanted: Filter, lines: Lines, as_json: bool) -> int:
    lines.learn(batch)
    events = wanted.take(batch)
    colour = colour_wanted(sys.stdout) and not as_json
    for event in events:
        *gap, line = [json_line(event)] if as_json else lines.show([event])
        for text in (*gap, paint(line, _COLOURS.get(event["lvl"]), wanted=colour)):
            sys.stdout.write(text + "\n")
    sys.stdout.flush()
    return len(events)


def _filter(
    folder: RunFolder,
    nodes: list[str],
    tx: list[str],
    block: str | None,
    view: int | None,
    ev: list[str],
    level: str,
) -> Filter:
    known = _known_nodes(folder)
    for name in nodes:
        if name not in known:
            nearest = did_you_mean(name, known)
            raise PrivityError(
                "E-PARTY",
                f"no node named {name} in run {folder.number}" + (f"; {nearest}" if nearest else ""),
                why=f"there are: {' '.join(known)}" if known else "no node has a folder yet",
                exit_code=WRONG_USAGE,
            )
    if level not in LEVELS:
        raise typer.BadParameter(f"{level} is no level; write {', '.join(LEVELS)}", param_hint="--level")
    try:
        heights = parse_heights(block) if block else frozenset()
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--block") from None
    try:
        patterns = parse_patterns(ev)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--ev") from None
    return Filter(
        nodes=frozenset(nodes),
        tx=frozenset(prefix for text in tx for prefix in _prefixes(folder, text)),
        ids=frozenset(label.id for text in tx for label in folder.matching(text) if label.id),
        heights=heights,
        view=view,
        patterns=patterns,
        level=level,
    )


def _prefixes(folder: RunFolder, text: str) -> list[str]:
    """The digits to look for. A hash that this operator did not submit may still be in the logs."""
    submitted = [tx_prefix(label) for label in folder.matching(text)]
    if digits := tx_digits(text):
        return submitted or [digits[:DIGEST_DIGITS]]
    return submitted or [tx_prefix(folder.resolve(text))]


class _Labels:
    """What the operator calls the transactions, read again as more are submitted."""

    def __init__(self, folder: RunFolder) -> None:
        self.by_prefix: dict[str, str] = {}
        self._folder = folder
        self._offset = 0

    def refresh(self) -> None:
        """Take in what was submitted since the last time."""
        labels, self._offset = self._folder.transactions_from(self._offset)
        self.by_prefix |= {tx_prefix(label): label.id for label in labels if label.id}


def _known_nodes(folder: RunFolder) -> list[str]:
    return [*folder.node_names(), *([OPERATOR] if folder.operator_events.exists() else [])]
