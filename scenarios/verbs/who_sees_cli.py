"""`privity who-sees`: the privacy matrix of a run, by trying to decrypt with each party's own keys."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from node.errors import WRONG_USAGE, PrivityError
from node.run_folder import LATEST, RunFolder
from node.run_reading import RunReading
from node.terminal import needs_ascii, quiet_pipe
from node.verbs.completion import run_numbers, transaction_names
from scenarios.knowledge.matrix import matrix_of
from scenarios.knowledge.metadata import metadata_of
from scenarios.knowledge.moments import At
from scenarios.knowledge.view import csv_text, matrix_lines, metadata_lines, notes_lines, transaction_lines

_NOT_YET = {
    "--if-stolen": "what a stolen key would open",
    "--diff": "comparing the matrix with another run's",
}


def who_sees(
    tx: Annotated[
        str | None,
        typer.Argument(
            metavar="TX",
            help="Only this transaction: its id, or its hash's first digits.",
            autocompletion=transaction_names,
        ),
    ] = None,
    at: Annotated[
        str, typer.Option(metavar="11s", help="At this moment of the run: 11s, 'block 9' or end.")
    ] = "end",
    metadata: Annotated[
        bool, typer.Option("--metadata", help="Also who learns sender, recipients, time and size.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="As CSV.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One document, schema privity.matrix/1.")] = False,
    if_stolen: Annotated[str | None, typer.Option(metavar="P", hidden=True, help="Not built yet.")] = None,
    diff: Annotated[str | None, typer.Option(metavar="RUN", hidden=True, help="Not built yet.")] = None,
    run: Annotated[str, typer.Option(metavar="0007", help="Which run.", autocompletion=run_numbers)] = LATEST,
    ascii_only: Annotated[
        bool, typer.Option("--ascii", help="Letters in brackets instead of symbols.")
    ] = False,
) -> None:
    """Who can read what: tried with each party's own key on what lies in its own folder, broker included."""
    for flag, value in (("--if-stolen", if_stolen), ("--diff", diff)):
        if value is not None:
            raise PrivityError(
                "E-NOT-YET", f"who-sees {flag} is not built yet", why=_NOT_YET[flag], exit_code=WRONG_USAGE
            )
    if as_csv and as_json:
        raise typer.BadParameter("choose one of --csv and --json")
    moment = At.parse(at)
    reading = RunReading(RunFolder.find(run=run))
    matrix = matrix_of(reading, moment, None if tx is None else [tx])
    wants_metadata = metadata or (tx is not None and not as_csv and not as_json)
    learned = metadata_of(reading, matrix) if wants_metadata else []
    spell = needs_ascii(sys.stdout, ascii_only)
    on_chain = not reading.network.off_chain
    with quiet_pipe():
        if as_json:
            document = matrix.document()
            if metadata:
                document["metadata"] = [each.document() for each in learned]
            print(json.dumps(document, indent=2, ensure_ascii=spell))
        elif as_csv:
            print(csv_text(matrix, ascii_only=spell), end="")
        elif tx is not None:
            lines = transaction_lines(
                matrix, learned[0] if learned else None, on_chain=on_chain, ascii_only=spell
            )
            lines += metadata_lines(learned, matrix, on_chain=on_chain, ascii_only=spell) if metadata else []
            print("\n".join(lines))
        else:
            lines = matrix_lines(matrix, ascii_only=spell)
            lines += metadata_lines(learned, matrix, on_chain=on_chain, ascii_only=spell)
            print("\n".join(lines))
    if as_json or as_csv:
        for line in notes_lines(matrix):
            print(line, file=sys.stderr)


def register(app: typer.Typer) -> None:
    """Mount the verb on the command line."""
    app.command("who-sees")(who_sees)
