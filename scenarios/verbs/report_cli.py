"""`privity report`: one HTML file of a run, for the public or for one party."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from node.errors import CHECK_FAILED, FINE
from node.run_folder import LATEST, RunFolder
from node.terminal import needs_ascii
from node.text import clean, plain
from node.verbs.completion import node_names, run_numbers
from scenarios.report.writing import write_report
from scenarios.verbs.run_options import refuse_unwritable

PUBLIC = "public"


def report(
    run: Annotated[str, typer.Option(metavar="0007", help="Which run.", autocompletion=run_numbers)] = LATEST,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to; report-0007.html by default."),
    ] = None,
    audience: Annotated[
        str,
        typer.Option(
            metavar="public|PARTY",
            help="For whom: a party's report adds the content that its own key opens.",
            autocompletion=node_names,
        ),
    ] = PUBLIC,
    ascii_only: Annotated[bool, typer.Option("--ascii", help="No symbols beyond ASCII.")] = False,
) -> None:
    """Write one HTML file: verdict, matrix, agreement, faults. It opens from disk, without a network."""
    folder = RunFolder.find(run=run)
    path = output or Path(f"report-{folder.number}.html")
    refuse_unwritable(path, "--output", replaced=True)
    written = write_report(folder, path, None if audience == PUBLIC else audience)
    for line in written.lines:
        print(plain(clean(line), ascii_only=needs_ascii(sys.stdout, ascii_only)))
    raise typer.Exit(CHECK_FAILED if written.found else FINE)


def register(app: typer.Typer) -> None:
    """Mount the verb on the command line."""
    app.command()(report)
