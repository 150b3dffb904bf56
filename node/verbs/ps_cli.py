"""`privity ps`: where each node stands, by its own signed word."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from consensus.messages import Status
from node.client import Client
from node.errors import INTERRUPTED
from node.run_folder import LATEST, RunFolder
from node.run_reading import RunReading, short_id
from node.terminal import needs_ascii, quiet_pipe, table
from node.text import plain
from node.verbs.completion import run_numbers
from node.verbs.run_client import connected, refuse_stopped

SCHEMA = "privity.ps/1"
ANSWER_S = 2.0
WATCH_S = 1.0

UP, DOWN, BEHIND, DIFFERS = "up", "down", "behind", "differs"


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One node as it was a moment ago. `status` is None when it did not answer in time."""

    name: str
    role: str
    votes: bool
    status: Status | None
    state: str
    behind: int = 0


def judged(reading: RunReading, statuses: dict[str, Status]) -> list[NodeStatus]:
    """A state for each node: up, down, behind the highest, or with another block at the same height."""
    highest = max((status.sequence for status in statuses.values()), default=0)
    heads = {status.block for status in statuses.values() if status.sequence == highest}
    found = []
    for member in reading.network.members:
        status = statuses.get(member.name)
        behind = 0 if status is None else highest - status.sequence
        if status is None:
            state = DOWN
        elif behind:
            state = BEHIND
        else:
            state = UP if len(heads) == 1 else DIFFERS
        found.append(NodeStatus(member.name, member.role, member.votes, status, state, behind))
    return found


async def ask(reading: RunReading, client: Client) -> list[NodeStatus]:
    """Ping every node, each signed with its own party's key; the answers are signed by the nodes."""
    askers = [(name, reading.keys(name).signing) for name in reading.network.names]
    return judged(reading, await client.statuses(askers, ANSWER_S))


def ps(
    watch: Annotated[bool, typer.Option("--watch", help="Again and again, until Ctrl-C.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help=f"One document, schema {SCHEMA}; with --watch one a line.")
    ] = False,
    run: Annotated[str, typer.Option(metavar="0007", help="Which run.", autocompletion=run_numbers)] = LATEST,
    ascii_only: Annotated[bool, typer.Option("--ascii", help="No symbols outside ASCII.")] = False,
) -> None:
    """List the nodes of a run that is there: who answers a signed ping, and where it stands."""
    reading = RunReading(RunFolder.find(run=run))
    try:
        with quiet_pipe():
            asyncio.run(_show(reading, watch, as_json, needs_ascii(sys.stdout, ascii_only)))
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


async def _show(reading: RunReading, watch: bool, as_json: bool, ascii_only: bool) -> None:
    async with connected(reading) as client:
        while True:
            nodes = await ask(reading, client)
            if as_json:
                document = ps_document(reading, nodes)
                print(json.dumps(document, indent=None if watch else 2), flush=True)
            else:
                if watch and sys.stdout.isatty():
                    print("\x1b[H\x1b[2J", end="")
                lines = ps_lines(reading, nodes)
                print("\n".join(plain(line, ascii_only=ascii_only) for line in lines), flush=True)
            if not watch:
                return
            await asyncio.sleep(WATCH_S)
            refuse_stopped(reading)


def ps_lines(reading: RunReading, nodes: list[NodeStatus]) -> list[str]:
    """The nodes as a table, and how many answered."""
    rows = [
        (
            node.name,
            node.role,
            "votes" if node.votes else "follows",
            *(
                ("?", "?", "?")
                if node.status is None
                else (str(node.status.sequence), f"{short_id(node.status.block)}…", str(node.status.view))
            ),
            f"{node.state} by {node.behind}" if node.behind else node.state,
        )
        for node in nodes
    ]
    head = ("node", "role", "", "height", "head", "view", "state")
    answered = sum(node.status is not None for node in nodes)
    lines = table(rows, head=head, right=(3, 5), gap="   ")
    return [*lines, f"run {reading.folder.number} · {answered} of {len(nodes)} answered a signed ping"]


def ps_document(reading: RunReading, nodes: list[NodeStatus]) -> dict[str, Any]:
    """The same as a document of schema `privity.ps/1`; what a silent node did not say is null."""
    return {
        "schema": SCHEMA,
        "run": reading.folder.number,
        "at": round((time.time_ns() // 1_000_000 - reading.network.created_ms) / 1000, 3),
        "nodes": [
            {
                "node": node.name,
                "role": node.role,
                "votes": node.votes,
                "height": None if node.status is None else node.status.sequence,
                "head": None if node.status is None else node.status.block.hex(),
                "state_root": None if node.status is None else node.status.state_root.hex(),
                "view": None if node.status is None else node.status.view,
                "state": node.state,
                "behind": node.behind,
            }
            for node in nodes
        ],
    }


def register(app: typer.Typer) -> None:
    """Mount the verb on the command line."""
    app.command("ps")(ps)
