"""Verbs and flags that are planned and not built: refused by name, never silently ignored."""

from __future__ import annotations

from collections.abc import Callable

import typer

from node.errors import WRONG_USAGE, PrivityError

VERBS = {
    "verify": "checking evidence offline",
    "export": "events as csv, parquet, shiviz or mermaid",
    "ui": "the dashboard",
    "watch": "a live view in the terminal",
    "console": "a Python prompt attached to a run",
    "fork": "going on from an earlier height",
    "map": "configuration files for other platforms",
}


def not_yet(what: str, where: str) -> PrivityError:
    """The refusal of something known and not built."""
    return PrivityError(
        "E-NOT-YET",
        f"{what} is not built yet",
        where=where,
        next="privity --help lists what is",
        exit_code=WRONG_USAGE,
    )


def refuse_flag(verb: str, flag: str, given: bool) -> None:
    """Raise E-NOT-YET if a flag that is not built was given."""
    if given:
        raise not_yet(flag, f"privity {verb}")


def register(app: typer.Typer) -> None:
    """Mount a refusal for each verb that is not built; `--help` does not list them."""
    for verb, about in VERBS.items():
        app.command(
            verb,
            hidden=True,
            help=f"Not built yet: {about}.",
            context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
        )(_refusal(verb, about))


def _refusal(verb: str, about: str) -> Callable[[typer.Context], None]:
    def refuse(context: typer.Context) -> None:
        raise not_yet(f"{verb} ({about})", f"privity {verb}")

    return refuse
