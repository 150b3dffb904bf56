"""`privity fault`: break something in a run that is up, list what is broken, heal it."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import typer

from node.errors import CHECK_FAILED, WRONG_USAGE, PrivityError
from node.run_folder import LATEST, RunFolder
from node.terminal import needs_ascii, quiet_pipe, table
from node.text import clean, plain
from node.verbs.completion import node_names, run_numbers, run_of
from scenarios.faults.record import FaultRecord, read
from scenarios.mailbox import Mailbox
from scenarios.model.any_fault import FAULTS
from scenarios.model.faults import CLIENT_KINDS
from scenarios.model.names import SELECTORS
from scenarios.why.wording import seconds

SCHEMA = "privity.fault/1"
LIST, HEAL = "list", "heal"


def _kinds(incomplete: str) -> list[str]:
    return [
        kind for kind in (*FAULTS, LIST, HEAL) if kind.startswith(incomplete) and kind not in CLIENT_KINDS
    ]


def _fault_ids(context: typer.Context, incomplete: str) -> list[str]:
    with contextlib.suppress(PrivityError, OSError):
        active = [record.id for record in read(run_of(context).faults) if record.active]
        return [name for name in active if name.startswith(incomplete)]
    return []


def _whom(context: typer.Context, incomplete: str) -> list[str]:
    """After `heal` the faults that are on, else nodes and the words that stand for some."""
    if context.params.get("what") == HEAL:
        return _fault_ids(context, incomplete)
    return [*node_names(context, incomplete), *(word for word in SELECTORS if word.startswith(incomplete))]


def fault(
    what: Annotated[
        str,
        typer.Argument(
            metavar="KIND|list|heal", help="What breaks, as in a scenario file.", autocompletion=_kinds
        ),
    ],
    whom: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NODE...|ID]",
            help="Names, patterns, or primary, backups, voters; after heal: which fault, all by default.",
            autocompletion=_whom,
        ),
    ] = None,
    lasting: Annotated[
        str | None, typer.Option("--for", metavar="8s", help="How long; until it is healed by default.")
    ] = None,
    by: Annotated[str | None, typer.Option(metavar="200ms", help="How much later, or off.")] = None,
    chance: Annotated[str | None, typer.Option(metavar="30%", help="For each packet.")] = None,
    to: Annotated[
        list[str] | None,
        typer.Option(
            metavar="P", help="Only towards these; several: repeat, or a,b.", autocompletion=node_names
        ),
    ] = None,
    of: Annotated[
        list[str] | None,
        typer.Option(metavar="P", help="Of censor: whose transactions.", autocompletion=node_names),
    ] = None,
    messages: Annotated[
        list[str] | None, typer.Option(metavar="prepare,...", help="Only packets of these kinds.")
    ] = None,
    groups: Annotated[
        str | None, typer.Option(metavar="a,b:c,d", help="Of partition: the sides, instead of nodes.")
    ] = None,
    one_way: Annotated[
        bool, typer.Option("--one-way", help="Of partition: the first side is not heard, and hears.")
    ] = False,
    disk: Annotated[
        str | None, typer.Option(metavar="lose", help="Of crash, restart: it comes back without its disk.")
    ] = None,
    rate: Annotated[str | None, typer.Option(metavar="200/s", help="Of flood: packets of each.")] = None,
    identifier: Annotated[
        str | None, typer.Option("--id", metavar="NAME", help="What to call it from now on.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help=f"One document, schema {SCHEMA}.")] = False,
    run: Annotated[str, typer.Option(metavar="0007", help="Which run.", autocompletion=run_numbers)] = LATEST,
    ascii_only: Annotated[bool, typer.Option("--ascii", help="No symbols outside ASCII.")] = False,
) -> None:
    """Break something in a run that is up, as in `privity fault crash primary --for 8s`; list it, heal it."""
    fields = {
        "nodes": _split(whom),
        "for": lasting,
        "by": by,
        "chance": chance,
        "to": _split(to),
        "of": _split(of),
        "messages": _split(messages),
        "groups": None if groups is None else _sides(groups),
        "one_way": one_way or None,
        "disk": disk,
        "rate": rate,
        "id": identifier,
    }
    given = {key: value for key, value in fields.items() if value is not None}
    if what in (LIST, HEAL):
        _refuse_beside(what, given, whom or [])
    folder = _found(run)
    if what == LIST:
        document = _listed(folder)
    elif what == HEAL:
        document = _document(folder, Mailbox(folder).ask({"heal": whom[0] if whom else None}))
    else:
        document = _document(folder, Mailbox(folder).ask({"begin": {"kind": what, **given}}))
    spell = needs_ascii(sys.stdout, ascii_only)
    with quiet_pipe():
        if as_json:
            print(json.dumps(document, indent=2, ensure_ascii=spell))
        else:
            print("\n".join(plain(clean(line), ascii_only=spell) for line in _lines(what, document)))
    if any(each["note"] for each in document["faults"]) and what != LIST:
        raise typer.Exit(CHECK_FAILED)


def _found(run: str) -> RunFolder:
    """The run that is meant: without a number the latest that is up, else the latest."""
    if run == LATEST and (running := RunFolder.running()):
        return running[-1]
    return RunFolder.find(run=run)


def _split(words: Sequence[str] | None) -> list[str] | None:
    return [part.strip() for word in words for part in word.split(",")] if words else None


def _sides(text: str) -> dict[str, list[str]]:
    """`a,b:c,d` as the groups of a step; their names only matter to whoever made a mistake in one."""
    return {f"side-{number}": side.split(",") for number, side in enumerate(text.split(":"), 1)}


def _refuse_beside(what: str, given: dict[str, Any], whom: Sequence[str]) -> None:
    """`list` takes nothing, `heal` at most the id of one fault."""
    extra = [key for key in given if key != "nodes"]
    if extra or len(whom) > (what == HEAL):
        option = {"id": "--id", "one_way": "--one-way"}.get(extra[0], f"--{extra[0]}") if extra else whom[-1]
        raise PrivityError(
            "E-USAGE",
            f"{clean(option)[:40]} means nothing with {what}",
            where=f"privity fault {what}",
            next="privity fault list · privity fault heal [ID]",
            exit_code=WRONG_USAGE,
        )


def _listed(folder: RunFolder) -> dict[str, Any]:
    records = read(folder.faults)
    return _document(folder, {"faults": [msgspec.to_builtins(record) for record in records], "theory": None})


def _document(folder: RunFolder, answer: dict[str, Any]) -> dict[str, Any]:
    """The answer of a run as a document; times are seconds since the genesis."""
    records = [msgspec.convert(each, FaultRecord) for each in answer["faults"]]
    return {
        "schema": SCHEMA,
        "run": folder.number,
        "faults": [
            {
                "id": record.id,
                "kind": record.kind,
                "what": record.what,
                "nodes": list(record.nodes),
                "groups": [list(group) for group in record.groups],
                "state": _state(record),
                "began": _moment(record.began_ms),
                "heals": _moment(record.until_ms),
                "ended": _moment(record.ended_ms),
                "touched": record.touched,
                "note": record.note,
            }
            for record in records
        ],
        "theory": answer["theory"],
    }


def _moment(at_ms: int | None) -> float | None:
    return None if at_ms is None else at_ms / 1000


def _state(record: FaultRecord) -> str:
    if record.began_ms is None:
        return "waiting"
    return "on" if record.active else "healed"


def _lines(what: str, document: dict[str, Any]) -> list[str]:
    faults = document["faults"]
    if not faults:
        return ["no fault was asked for" if what == LIST else "no fault is on"]
    rows = [
        (
            each["id"],
            each["what"] or each["kind"],
            _resolved(each),
            (each["note"] and f"not carried out: {each['note']}") or _when(each),
        )
        for each in faults
    ]
    lines = table(rows, head=("fault", "what", "whom", "") if what == LIST else None)
    if document["theory"] is not None:
        lines.append(f"  theory  {document['theory']['text']}")
        lines.append(
            "  next    privity why" + ("" if what == HEAL else f" · privity fault heal {faults[0]['id']}")
        )
    return lines


def _resolved(each: dict[str, Any]) -> str:
    if each["groups"]:
        sides = " | ".join(" ".join(group) for group in each["groups"])
        return "" if sides in (each["what"] or "") else sides
    return " ".join(each["nodes"]) or ("broker" if each["began"] is not None else "")


def _when(each: dict[str, Any]) -> str:
    if each["state"] == "waiting":
        return "not begun"
    if each["state"] == "healed":
        return f"healed at {seconds(round(each['ended'] * 1000))}, touched {each['touched']}"
    began = f"on since {seconds(round(each['began'] * 1000))}"
    if each["heals"] is None:
        return f"{began}, until it is healed"
    return f"{began}, heals at {seconds(round(each['heals'] * 1000))}"


def register(app: typer.Typer) -> None:
    """Mount the verb."""
    app.command("fault")(fault)
