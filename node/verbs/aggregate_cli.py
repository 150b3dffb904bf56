"""`privity aggregate`: a coordinator learns the total of what others hold, and none of the values."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated, Any

import typer

from node.aggregation.contributor import Verdict
from node.aggregation.masks import VALUE_LIMIT
from node.chain.round_deeds import FIELD_LIMIT, LEAST_CONTRIBUTORS, MOST_CONTRIBUTORS
from node.duration import parse_duration_ms
from node.errors import CHECK_FAILED, UNCONFIRMED, WRONG_USAGE, PrivityError
from node.run_folder import LATEST, RunFolder
from node.run_reading import RunReading
from node.verbs.aggregating import Told, Wanted, aggregate
from node.verbs.completion import node_names, run_numbers
from node.verbs.disclose_cli import show_result
from node.verbs.run_client import refuse_stopped
from node.verbs.send_input import public_words, read_fields
from node.verbs.sending import check_label

SCHEMA = "privity.aggregate/1"
_ALLOWED = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")


def aggregate_verb(
    field: Annotated[
        str, typer.Argument(metavar="FIELD", help="What is summed; a name that everybody sees.")
    ],
    coordinator: Annotated[
        str, typer.Option("--as", metavar="P", help="Who learns the total.", autocompletion=node_names)
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="P=N", help="A contributor's value, a whole number; at least 4."),
    ] = None,
    data: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="The values by contributor, in JSON or YAML.")
    ] = None,
    label: Annotated[str, typer.Option("--id", metavar="NAME", help="What to call the total.")] = "",
    minimum: Annotated[
        int,
        typer.Option(
            min=LEAST_CONTRIBUTORS, max=MOST_CONTRIBUTORS, help="With fewer values there is no total."
        ),
    ] = LEAST_CONTRIBUTORS,
    timeout: Annotated[str, typer.Option(metavar="60s", help="How long to wait.")] = "60s",
    as_json: Annotated[bool, typer.Option("--json", help=f"One document, schema {SCHEMA}.")] = False,
    run: Annotated[str, typer.Option(metavar="0007", help="Which run.", autocompletion=run_numbers)] = LATEST,
    ascii_only: Annotated[bool, typer.Option("--ascii", help="No symbols outside ASCII.")] = False,
) -> None:
    """Let a coordinator learn the total of several parties' values, and no single one of them."""
    timeout_s = parse_duration_ms(timeout, where="--timeout") / 1000
    reading = RunReading(RunFolder.find(run=run))
    reading.party(coordinator, "--as")
    values = read_fields(settings or [], data, sys.stdin.buffer)
    wanted = _wanted(reading, field, coordinator, values, label, minimum)
    refuse_stopped(reading)
    told = asyncio.run(aggregate(reading, wanted, timeout_s))
    show_result(_lines(told), _document(reading, told), as_json=as_json, ascii_only=ascii_only)
    if told.wrong:
        raise typer.Exit(CHECK_FAILED)
    if not told.done:
        raise typer.Exit(UNCONFIRMED)


def _wanted(
    reading: RunReading, field: str, coordinator: str, values: dict[str, Any], label: str, minimum: int
) -> Wanted:
    """What was asked for, if it can be. Raises PrivityError (wrong usage); no message quotes a value."""
    if not 1 <= len(field) <= FIELD_LIMIT or not set(field) <= _ALLOWED:
        raise PrivityError(
            "E-NAME",
            "this cannot be the name of what is summed",
            where="FIELD",
            why=f"it is public: 1 to {FIELD_LIMIT} of A-Z, a-z, 0-9, _, . and -",
            exit_code=WRONG_USAGE,
        )
    for name in values:
        reading.party(name, "--set")
    if coordinator in values:
        raise PrivityError(
            "E-PARTY",
            f"{coordinator} coordinates and cannot contribute",
            where="--as",
            why="with its own value it would know one of the others less hidden",
            exit_code=WRONG_USAGE,
        )
    if coordinator in reading.network.consortium.policy.always_to:
        raise PrivityError(
            "E-PARTY",
            f"{coordinator} must read all that is sent, so it would read every value",
            where="--as",
            next="name another coordinator",
            exit_code=WRONG_USAGE,
        )
    if len(values) < max(LEAST_CONTRIBUTORS, minimum):
        raise PrivityError(
            "E-FEW",
            f"{len(values)} contributors, and at least {max(LEAST_CONTRIBUTORS, minimum)} are needed",
            where="--set",
            why="it would give values away: every node refuses such a round",
            next="privity explain E-FEW",
            exit_code=WRONG_USAGE,
        )
    if len(values) > MOST_CONTRIBUTORS:
        raise PrivityError(
            "E-LIMIT", f"at most {MOST_CONTRIBUTORS} contributors are possible", exit_code=WRONG_USAGE
        )
    if not all(type(value) is int and abs(value) <= VALUE_LIMIT for value in values.values()):
        raise PrivityError(
            "E-PAYLOAD",
            "a value is no whole number between -(2^53 - 1) and 2^53 - 1",
            where="--set",
            next="write --set bank-a=1000000",
            exit_code=WRONG_USAGE,
        )
    label = label or _free_label(reading)
    words = public_words(values)
    for each in (label, f"{label}-round", *(f"{label}-{name}" for name in values)):
        check_label(reading, each, words)
    return Wanted(coordinator, field, dict(sorted(values.items())), label, minimum)


def _free_label(reading: RunReading) -> str:
    """A label that is not taken: total, total-2 and so on. The field's name may be no label."""
    taken = {label.id for label in reading.labels}
    number = 1
    while (name := "total" if number == 1 else f"total-{number}") in taken:
        number += 1
    return name


def _lines(told: Told) -> list[str]:
    wanted, at = told.wanted, told.round
    if at is None:
        return ["✗ no total    the round is on no ledger yet", "  next  privity why"]
    lines = []
    if told.wrong:
        lines.append(f"✗ total      found wrong by {', '.join(told.wrong)}")
    elif told.done:
        count, of = len(at.present), len(at.start.contributors)
        lines.append(f"✓ total      of {count} of {of} values   block {at.height}-{at.last_height}")
        right = [name for name, verdict in told.verdicts.items() if verdict is Verdict.RIGHT]
        lines.append(f"  checked    {', '.join(right)} computed it from the ledger, and it is the same")
    else:
        lines.append(
            f"✗ no total   {at.ended or f'not over: {at.phase}'}   block {at.height}-{at.last_height}"
        )
    lines += [f"  absent     {name}: {why}" for name, why in at.dropped().items()]
    lines += [f"  blamed     {name}: {why}" for name, why in told.first_blames().items()]
    lines.append(f"  who learns {wanted.coordinator} and those in it; everybody else has a hash")
    lines.append("  no promise that a value is true: one out of range shows in a dispute alone")
    shown = f"privity show tx {wanted.label} --as {wanted.coordinator} · " if told.carrier else ""
    lines.append(f"  next       {shown}privity show tx {wanted.label}-round")
    return lines


def _document(reading: RunReading, told: Told) -> dict[str, Any]:
    wanted, at = told.wanted, told.round
    return {
        "schema": SCHEMA,
        "run": reading.folder.number,
        "id": wanted.label,
        "as": wanted.coordinator,
        "field": wanted.field,
        "done": told.done,
        "round": None if at is None else at.id.hex(),
        "phase": None if at is None else at.phase,
        "ended": None if at is None else at.ended or None,
        "present": [] if at is None else list(at.present),
        "absent": {} if at is None else at.dropped(),
        "blamed": told.first_blames(),
        "found_wrong_by": told.wrong,
        "carrier": told.carrier.hex() or None,
    }


def register(app: typer.Typer) -> None:
    """Mount the verb on the command line."""
    app.command("aggregate")(aggregate_verb)
