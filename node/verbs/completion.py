"""What a shell offers for an unfinished word: runs, nodes and transactions, as the run folder has them.

Completion must never fail aloud, so a run that is gone or damaged offers nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable

import typer

from node.consortium import Network
from node.errors import PrivityError
from node.run_folder import LATEST, OPERATOR, RunFolder, privity_home
from node.run_reading import RunReading
from node.verbs.show_object import object_names

_RUN_OPTIONS = ("run", "run_number")


def one_of(*words: str) -> Callable[[str], list[str]]:
    """The words of a closed set."""
    return lambda incomplete: _beginning(words, incomplete)


def run_numbers(incomplete: str) -> list[str]:
    """The numbers of all runs, newest first."""
    runs = privity_home() / "runs"
    with contextlib.suppress(OSError):
        names = sorted((path.name for path in runs.iterdir() if path.name.isdigit()), reverse=True)
        return _beginning(names, incomplete)
    return []


def node_names(context: typer.Context, incomplete: str) -> list[str]:
    """The nodes of the run that is meant."""
    return _of_run(context, incomplete, RunFolder.node_names)


def log_names(context: typer.Context, incomplete: str) -> list[str]:
    """The nodes of the run that is meant, and the operator, who has a log too."""
    return _of_run(context, incomplete, lambda folder: [*folder.node_names(), OPERATOR])


def transaction_names(context: typer.Context, incomplete: str) -> list[str]:
    """The transactions that were handed in, by label or else by hash."""
    return _of_run(
        context, incomplete, lambda folder: (label.id or label.tx[:8] for label in folder.transactions())
    )


def seal_names(context: typer.Context, incomplete: str) -> list[str]:
    """The seals of the run that is meant."""
    return _of_run(context, incomplete, lambda folder: Network.load(folder.genesis).seals)


def shown_names(context: typer.Context, incomplete: str) -> list[str]:
    """What `show` can show of the kind that stands before it."""
    kind = str(context.params.get("kind") or "")
    if kind == "tx":
        return transaction_names(context, incomplete)
    if kind == "object":
        return _objects(context, incomplete)
    if kind == "seal":
        return seal_names(context, incomplete)
    return node_names(context, incomplete) if kind in ("node", "party") else []


def _objects(context: typer.Context, incomplete: str) -> list[str]:
    """Names of private objects are for their parties alone: none before somebody says as whom."""
    party = context.params.get("seen_as")
    if not party:
        return []
    with contextlib.suppress(PrivityError, OSError):
        return _beginning(object_names(RunReading(run_of(context)), str(party)), incomplete)
    return []


def _of_run(
    context: typer.Context, incomplete: str, names: Callable[[RunFolder], Iterable[str]]
) -> list[str]:
    with contextlib.suppress(PrivityError, OSError):
        return _beginning(names(run_of(context)), incomplete)
    return []


def run_of(context: typer.Context) -> RunFolder:
    """The run that the words before mean, or the latest. Raises PrivityError."""
    given = next((context.params[name] for name in _RUN_OPTIONS if context.params.get(name)), LATEST)
    return RunFolder.find(run=str(given))


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
