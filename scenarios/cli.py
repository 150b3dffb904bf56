"""The `privity` command: every verb, and the one place where an error becomes words and an exit code."""

from __future__ import annotations

import sqlite3
import sys
import traceback
from pathlib import Path

import typer
from typer._click.exceptions import ClickException, NoArgsIsHelpError

from node import cli as node_cli
from node.errors import INTERRUPTED, PrivityError
from node.terminal import needs_ascii, quiet_pipe
from node.text import clean, plain
from scenarios import VERSION
from scenarios.verbs import (
    core_shell_cli,
    fault_cli,
    file_cli,
    help_cli,
    not_built,
    replay_cli,
    report_cli,
    run_cli,
    shrink_cli,
    who_sees_cli,
    why_cli,
)

app = typer.Typer(
    name="privity",
    help="Who sees what: a permissioned ledger with private transactions, on your own machine.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
    suggest_commands=True,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def privity(
    version: bool = typer.Option(False, "--version", help="Print the version.", is_eager=True),
) -> None:
    """Who sees what: a permissioned ledger with private transactions, on your own machine."""
    if version:
        print(f"privity {VERSION}")
        raise typer.Exit


for module in (
    file_cli,
    run_cli,
    replay_cli,
    shrink_cli,
    node_cli,
    who_sees_cli,
    report_cli,
    why_cli,
    fault_cli,
    core_shell_cli,
    help_cli,
    not_built,
):
    module.register(app)


def main() -> int:
    """Run the command; the exit code."""
    try:
        with quiet_pipe():
            code = app(prog_name="privity", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except PrivityError as error:
        return _told(error)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except NoArgsIsHelpError as error:
        error.show()
        return int(error.exit_code)
    except ClickException as error:
        return _told(_of_usage(error))
    except (OSError, sqlite3.Error) as error:
        # A path and the system's or SQLite's own words, nothing of a payload.
        return _told(
            PrivityError(
                "E-DISK",
                "the disk refused",
                where=str(getattr(error, "filename", "") or ""),
                why=getattr(error, "strerror", None) or str(error),
                next="free some space, or mend what it says, and try again",
            )
        )
    except Exception as error:
        # A mistake of this program. Where it is, and of what kind; the text of the error may quote a payload.
        at = traceback.extract_tb(error.__traceback__)[-1]
        return _told(
            PrivityError(
                "E-BUG",
                "Privity itself failed",
                where=f"{Path(at.filename).name}:{at.lineno}",
                why=type(error).__name__,
                next="please report it, with the command and the place",
            )
        )


def _of_usage(error: ClickException) -> PrivityError:
    """What the parser of the command line refuses, in the form of all our errors."""
    context = getattr(error, "ctx", None)
    what = error.format_message().replace("Value error, ", "").rstrip(".")
    command = "privity" if context is None else context.command_path
    return PrivityError("E-USAGE", what, next=f"{command} --help", exit_code=int(error.exit_code))


def _told(error: PrivityError) -> int:
    """Print the error as a user sees it; its exit code."""
    simple = needs_ascii(sys.stderr, "--ascii" in sys.argv)
    for line in error.lines():
        print(plain(clean(line), ascii_only=simple), file=sys.stderr)
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
