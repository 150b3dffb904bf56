"""`privity why`: why there is no block, or why a transaction has not arrived."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import replace
from typing import Annotated, Any

import typer

from node.errors import UNCONFIRMED, PrivityError
from node.run_folder import LATEST, RunFolder
from node.run_reading import RunReading
from node.terminal import needs_ascii, quiet_pipe
from node.text import clean, plain
from node.verbs.completion import run_numbers, transaction_names
from node.verbs.run_client import connected
from scenarios.why.diagnosis import diagnose
from scenarios.why.on_record import on_record
from scenarios.why.reading import Asked, find, read_known
from scenarios.why.rounds import diagnose_round, round_diagnosis_document, round_lines
from scenarios.why.transaction import diagnose_transaction, transaction_document, transaction_lines
from scenarios.why.wording import SCHEMA, document_of, lines_of

CONNECT_S = 2.0
ANSWER_S = 1.0


def why(
    tx: Annotated[
        str | None,
        typer.Argument(
            metavar="TX",
            help="Why this transaction has not arrived: its id, or its hash's first digits.",
            autocompletion=transaction_names,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help=f"One document, schema {SCHEMA}.")] = False,
    run: Annotated[str, typer.Option(metavar="0007", help="Which run.", autocompletion=run_numbers)] = LATEST,
    ascii_only: Annotated[bool, typer.Option("--ascii", help="No symbols outside ASCII.")] = False,
) -> None:
    """Why there is no block, or why a transaction has not arrived: who is missing, and what is next."""
    folder = RunFolder.find(run=run)
    refuse_unfounded(folder)
    reading = RunReading(folder)
    asked, now_ms = None, None
    if folder.is_running() and reading.run.get("transport") != "memory":
        asked = asyncio.run(_ask(reading))
        now_ms = time.time_ns() // 1_000_000 - reading.network.created_ms
    known = read_known(reading, now_ms=now_ms, asked=asked)
    network = diagnose(known)
    if tx is None:
        lines, document, code = lines_of(network), document_of(network), network.exit_code
    elif (total := diagnose_round(reading, tx)) is not None:
        lines, document, code = round_lines(total), round_diagnosis_document(total), total.exit_code
    else:
        one = diagnose_transaction(known, network, find(reading, known, tx))
        if one.tx is not None:
            away = {each.node: each for each in network.missing}
            one = replace(one, record=on_record(reading, one.tx, away))
        lines, document, code = transaction_lines(one), transaction_document(one), one.exit_code
    _print(lines, document, as_json=as_json, ascii_only=needs_ascii(sys.stdout, ascii_only))
    if code:
        raise typer.Exit(code)


def refuse_unfounded(folder: RunFolder) -> None:
    """Raise E-READY of a run that has no network yet, or never had one."""
    if folder.genesis.exists():
        return
    starting = folder.is_running()
    raise PrivityError(
        "E-READY",
        f"run {folder.number} is still starting" if starting else f"run {folder.number} never began",
        why="its network is not founded yet" if starting else "it ended before its network was founded",
        next="try again in a moment" if starting else "privity up FILE starts a new one",
        exit_code=UNCONFIRMED,
    )


async def _ask(reading: RunReading) -> Asked:
    """The signed word of each node that answers soon."""
    try:
        async with connected(reading, CONNECT_S) as client:
            askers = [(name, reading.keys(name).signing) for name in reading.network.names]
            return Asked(True, await client.statuses(askers, ANSWER_S))
    except PrivityError as error:
        if error.code != "E-BROKER":
            raise
        return Asked(False, {})


def _print(lines: list[str], document: dict[str, Any], *, as_json: bool, ascii_only: bool) -> None:
    with quiet_pipe():
        if as_json:
            print(json.dumps(document, indent=2, ensure_ascii=ascii_only))
        else:
            print("\n".join(plain(clean(line), ascii_only=ascii_only) for line in lines))


def register(app: typer.Typer) -> None:
    """Mount the verb."""
    app.command("why")(why)
