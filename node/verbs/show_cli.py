"""`privity show`: look at one transaction, block, node, party or seal, as somebody or as the public."""

from __future__ import annotations

import asyncio
import json
import sys
from enum import StrEnum
from typing import Annotated, Any

import typer

from consensus.messages import Status
from node.chain.act import ActTransaction
from node.errors import NOT_ALLOWED, UNCONFIRMED, WRONG_USAGE, PrivityError
from node.run_folder import LATEST, RunFolder
from node.run_reading import CONSORTIUM, RunReading
from node.terminal import needs_ascii, quiet_pipe
from node.text import plain
from node.verbs.completion import node_names, run_numbers, shown_names
from node.verbs.run_client import connected
from node.verbs.show_acts import act_document, act_page
from node.verbs.show_ledger import block_lines, node_lines, party_lines, view_block, view_node, view_party
from node.verbs.show_object import SCHEMA as OBJECT_SCHEMA
from node.verbs.show_object import object_lines, view_object
from node.verbs.show_seal import seal_lines, view_seal
from node.verbs.show_transaction import consortium_lines, transaction_document, transaction_lines
from node.verbs.transaction_view import (
    LATE,
    NOT_ORDERED,
    NOT_PARTY,
    PUBLIC,
    PURGED,
    READS,
    SEALED,
    SHOWN,
    view_transaction,
)

ANSWER_S = 1.0


class Kind(StrEnum):
    """What can be shown."""

    TX = "tx"
    BLOCK = "block"
    NODE = "node"
    PARTY = "party"
    OBJECT = "object"
    SEAL = "seal"


def show(
    kind: Annotated[
        Kind, typer.Argument(metavar="tx|block|node|party|object|seal", help="What kind of thing.")
    ],
    name: Annotated[
        str,
        typer.Argument(metavar="ID", help="Its id, hash digits, height or name.", autocompletion=shown_names),
    ],
    seen_as: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="P",
            help="With this party's disk and keys alone.",
            autocompletion=node_names,
        ),
    ] = None,
    svg: Annotated[str | None, typer.Option(metavar="FILE", hidden=True, help="Not built yet.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One document.")] = False,
    run: Annotated[str, typer.Option(metavar="0007", help="Which run.", autocompletion=run_numbers)] = LATEST,
    ascii_only: Annotated[bool, typer.Option("--ascii", help="No symbols outside ASCII.")] = False,
) -> None:
    """Show a transaction, block, node, party, private object or seal. Without --as: what all may see."""
    if svg is not None:
        raise _not_yet("show --svg", "pictures")
    reading = RunReading(RunFolder.find(run=run))
    if seen_as is not None:
        reading.party(seen_as, "--as")
    exit_code = 0
    if kind is Kind.TX:
        lines, document, exit_code = _transaction(reading, name, seen_as)
    elif kind is Kind.BLOCK:
        document = view_block(reading, name, seen_as)
        lines = block_lines(document)
    elif kind is Kind.SEAL:
        document = view_seal(reading, name, seen_as)
        lines = seal_lines(document)
    elif kind is Kind.NODE:
        reading.party(name)
        document = view_node(reading, name, _ask(reading, name))
        lines = node_lines(document)
    elif kind is Kind.OBJECT:
        found = view_object(reading, name, _seen_by_somebody(seen_as))
        lines, document = object_lines(found), {"schema": OBJECT_SCHEMA, "objects": found}
    else:
        document = view_party(reading, reading.party(name), seen_as)
        lines = party_lines(document)
    spell = needs_ascii(sys.stdout, ascii_only)
    with quiet_pipe():
        if as_json:
            print(json.dumps(document, indent=2, ensure_ascii=spell))
        else:
            print("\n".join(plain(line.rstrip(), ascii_only=spell) for line in lines))
    if exit_code:
        raise typer.Exit(exit_code)


def _seen_by_somebody(seen_as: str | None) -> str:
    if seen_as is None:
        raise PrivityError(
            "E-USAGE",
            "a private object has no public view",
            why="not even its name is on the ledger",
            next="say as whom: --as P",
            exit_code=WRONG_USAGE,
        )
    return seen_as


def _transaction(
    reading: RunReading, name: str, seen_as: str | None
) -> tuple[list[str], dict[str, Any], int]:
    founding = reading.network.transaction.id
    if name == CONSORTIUM or reading.find(name).id == founding:
        lines = consortium_lines(reading)
        document = {
            "schema": "privity.show-tx/1",
            "run": reading.folder.number,
            "tx": founding.hex(),
            "id": CONSORTIUM,
            "seen_as": seen_as,
            "status": "committed",
            "access": "public",
            "content": None,
            "readers": None,
        }
        return lines, document, 0
    node = reading.highest() if seen_as is None else reading.node(seen_as)
    ordered = node.transactions.get(reading.find(name).id)
    if ordered is not None and isinstance(ordered.transaction, ActTransaction):
        act = ordered.transaction.act
        document = {"schema": "privity.show-act/1", "run": reading.folder.number, "seen_as": seen_as}
        return act_page(reading, node, ordered, act), document | act_document(node, ordered, act), 0
    view = view_transaction(reading, reading.find(name), seen_as)
    lines, document = transaction_lines(view), transaction_document(reading, view)
    # Not being allowed is one thing; not being able to tell yet is another.
    exits = {
        READS: 0,
        SHOWN: 0,
        PUBLIC: 0,
        PURGED: 0,
        NOT_PARTY: NOT_ALLOWED,
        SEALED: NOT_ALLOWED,
        LATE: NOT_ALLOWED,
    }
    missing = UNCONFIRMED if view.access != NOT_ORDERED or seen_as is not None else 0
    return lines, document, exits.get(view.access, missing)


def _ask(reading: RunReading, name: str) -> Status | None:
    """The node's own signed status, or None when it does not answer or the run has stopped."""

    async def ask() -> Status | None:
        async with connected(reading) as client:
            statuses = await client.statuses([(name, reading.keys(name).signing)], ANSWER_S)
            return statuses.get(name)

    try:
        return asyncio.run(ask())
    except PrivityError as error:
        if error.code in ("E-NOT-RUNNING", "E-BROKER"):
            return None
        raise


def _not_yet(what: str, why: str) -> PrivityError:
    return PrivityError("E-NOT-YET", f"{what} is not built yet", why=why, exit_code=WRONG_USAGE)


def register(app: typer.Typer) -> None:
    """Mount the verb on the command line."""
    app.command("show")(show)
