"""`privity who-sees`: the privacy matrix of a run, by trying to decrypt with each party's own keys."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from node.disclosure.breach_reading import breaches_of
from node.errors import CHECK_FAILED
from node.run_folder import LATEST, RunFolder
from node.run_reading import RunReading
from node.terminal import needs_ascii, quiet_pipe, room
from node.text import plain
from node.verbs.completion import node_names, run_numbers, transaction_names
from node.verbs.show_acts import act_line, acts_about
from scenarios.knowledge.difference import difference, difference_lines
from scenarios.knowledge.matrix import matrix_of
from scenarios.knowledge.metadata import metadata_of
from scenarios.knowledge.moments import At
from scenarios.knowledge.rows import Matrix
from scenarios.knowledge.theft import steal, theft_lines
from scenarios.knowledge.view import csv_text, matrix_lines, metadata_lines, notes_lines, transaction_lines
from scenarios.why.receipts import MissingReceipt, receipts_of_run


def who_sees(
    tx: Annotated[
        str | None,
        typer.Argument(
            metavar="TX",
            help="Only this transaction (its id, or its hash's first digits), or this load.",
            autocompletion=transaction_names,
        ),
    ] = None,
    at: Annotated[
        str, typer.Option(metavar="11s", help="At this moment of the run: 11s, 'block 9' or end.")
    ] = "end",
    metadata: Annotated[
        bool, typer.Option("--metadata", help="Also who learns sender, recipients, time and size.")
    ] = False,
    fields: Annotated[
        bool, typer.Option("--fields", help="A row for each field too, by its name; never its value.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="As CSV.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One document, schema privity.matrix/1.")] = False,
    if_stolen: Annotated[
        str | None,
        typer.Option(
            metavar="P",
            help="What a thief of this party's keys could read.",
            autocompletion=node_names,
        ),
    ] = None,
    diff: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="What changed since that run; exit code 1 if anybody reads more.",
            autocompletion=run_numbers,
        ),
    ] = None,
    run: Annotated[str, typer.Option(metavar="0007", help="Which run.", autocompletion=run_numbers)] = LATEST,
    ascii_only: Annotated[
        bool, typer.Option("--ascii", help="Letters in brackets instead of symbols.")
    ] = False,
) -> None:
    """Who can read what: tried with each party's own key on what lies in its own folder, broker included."""
    if as_csv and as_json:
        raise typer.BadParameter("choose one of --csv and --json")
    alone = {"--metadata": metadata, "--if-stolen": if_stolen is not None}
    _refuse_beside("--diff", diff, {**alone, "--fields": fields, "--csv": as_csv})
    _refuse_beside("--if-stolen", if_stolen, {"--metadata": metadata})
    moment = At.parse(at)
    reading = RunReading(RunFolder.find(run=run))
    spell = needs_ascii(sys.stdout, ascii_only)
    if diff is not None:
        _show_difference(reading, RunReading(RunFolder.find(run=diff)), moment, tx, as_json, spell)
        return
    chosen = None if tx is None else [label.id for label in reading.folder.of_load(tx)] or [tx]
    matrix = matrix_of(reading, moment, chosen)
    # Who owes a receipt is known of now only, and not of an earlier moment.
    owed = receipts_of_run(reading, matrix.erased) if moment.is_end and matrix.erased else []
    matrix.notes += _owed_notes(matrix, owed)
    theft = None
    if if_stolen is not None:
        theft = steal(reading, matrix, reading.party(if_stolen, "--if-stolen"))
    page = chosen is not None and len(chosen) == 1 and not fields and theft is None
    wants_metadata = metadata or (page and not as_csv and not as_json)
    learned = metadata_of(reading, matrix) if wants_metadata else []
    on_chain = not reading.network.off_chain
    with quiet_pipe():
        if as_json:
            document = matrix.document()
            if theft is not None:
                document["stolen"] = theft.document()
            if owed:
                names = {row.id: row.name for row in matrix.rows}
                document["missing_receipts"] = [
                    {"tx": names[tx]} | each.document() for tx, each in owed if tx in names
                ]
            if metadata:
                document["metadata"] = [each.document() for each in learned]
            print(json.dumps(document, indent=2, ensure_ascii=spell))
        elif as_csv:
            print(csv_text(matrix, fields=fields, ascii_only=spell), end="")
        elif page:
            lines = transaction_lines(
                matrix, learned[0] if learned else None, on_chain=on_chain, ascii_only=spell
            )
            lines += [plain(line, ascii_only=spell) for line in _on_record(reading, matrix)]
            lines += metadata_lines(learned, matrix, on_chain=on_chain, ascii_only=spell) if metadata else []
            print("\n".join(lines))
        else:
            lines = matrix_lines(matrix, fields=fields, ascii_only=spell, width=room(sys.stdout))
            lines += ["", *theft_lines(theft, matrix, ascii_only=spell)] if theft is not None else []
            lines += metadata_lines(learned, matrix, on_chain=on_chain, ascii_only=spell)
            print("\n".join(lines))
    if as_json or as_csv:
        for line in notes_lines(matrix):
            print(line, file=sys.stderr)


def _owed_notes(matrix: Matrix, owed: list[tuple[bytes, MissingReceipt]]) -> list[str]:
    """Which purge receipts are missing, and why: of many alike the first, and how many more."""
    names = {row.id: row.name for row in matrix.rows}
    alike: dict[str, list[str]] = {}
    for tx, each in owed:
        if tx in names:
            alike.setdefault(f"no purge receipt of {each.text}", []).append(names[tx])
    return [
        f"{first}: {text}" + (f" (and {len(more)} more transactions)" if more else "")
        for text, (first, *more) in alike.items()
    ]


def _on_record(reading: RunReading, matrix: Matrix) -> list[str]:
    """What the ledger said by then of disclosures and requests of the one transaction."""
    node, (row,) = reading.highest(), matrix.rows
    lines: list[str] = []
    for ordered, act in acts_about(node, row.id):
        block = node.block(ordered.height)
        assert block is not None
        if matrix.at.reached(block.header.time_ms - reading.network.created_ms, ordered.height):
            lines.append(f"{'' if lines else 'on record':<11}{act_line(ordered.height, act)}")
    told = len(lines)
    for breach in breaches_of(reading, row.id) if lines else ():
        lines.append(f"{'breach' if len(lines) == told else '':<11}{breach.line()}")
    return lines


def _refuse_beside(flag: str, value: str | None, others: dict[str, bool]) -> None:
    given = [other for other, is_given in others.items() if is_given]
    if value is not None and given:
        raise typer.BadParameter(f"{flag} does not go with {given[0]}")


def _show_difference(
    reading: RunReading, other: RunReading, at: At, tx: str | None, as_json: bool, spell: bool
) -> None:
    """Print what changed from the other run to this one. Exit code 1 if anybody reads more."""
    found = difference(matrix_of(other, at), matrix_of(reading, at))
    if tx is not None:
        found = found.about(reading.find(tx).name)
    with quiet_pipe():
        if as_json:
            print(json.dumps(found.document(), indent=2, ensure_ascii=spell))
        else:
            print("\n".join(difference_lines(found, ascii_only=spell)))
    if found.readers_added:
        raise typer.Exit(CHECK_FAILED)


def register(app: typer.Typer) -> None:
    """Mount the verb on the command line."""
    app.command("who-sees")(who_sees)
