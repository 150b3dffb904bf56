"""`privity core-shell`: drive one replica of the consensus core from a script, JSON Lines in and out."""

from __future__ import annotations

import json
import sys

import typer

from node.errors import WRONG_USAGE, PrivityError
from scenarios.core_shell.shell import Shell
from scenarios.core_shell.words import BadLine


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("core-shell")(core_shell)


def core_shell() -> None:
    """Drive one replica of the consensus core: JSON Lines on stdin and stdout (see consensus/README.md)."""
    first = sys.stdin.readline()
    try:
        line = json.loads(first)
        if not isinstance(line, dict):
            raise BadLine("the first line is a JSON object", '{"n": 4, "replica": 1, "test_keys": "seed"}')
        shell = Shell(line)
    except (json.JSONDecodeError, BadLine, AssertionError, TypeError) as error:
        raise PrivityError(
            "E-USAGE",
            "the first line does not describe a replica",
            where="line 1",
            why=error.what if isinstance(error, BadLine) else "it is not what is expected there",
            next='begin with {"n": 4, "replica": 1, "test_keys": "seed"}',
            exit_code=WRONG_USAGE,
        ) from None
    print(json.dumps(shell.greeting), flush=True)
    for text in sys.stdin:
        if text.strip():
            print(json.dumps(shell.answer(text)), flush=True)
