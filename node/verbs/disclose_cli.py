"""`privity disclose` and `privity request`: show a private content to further parties, or ask for it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from node.chain.deeds import Disclosure
from node.disclosure.disclosing import Author, Disclosing, check_stated
from node.duration import parse_duration_ms
from node.errors import WRONG_USAGE, PrivityError
from node.run_folder import LATEST, RunFolder
from node.run_reading import RunReading, short_id
from node.terminal import needs_ascii, quiet_pipe
from node.text import plain
from node.verbs.completion import node_names, run_numbers, transaction_names
from node.verbs.disclosing import Done, Held, ask, author, check_words, hand_over, hold, ordered, prepare
from node.verbs.run_client import connected, refuse_stopped

SCHEMA = "privity.disclose/1"
REQUEST_SCHEMA = "privity.request/1"

_Tx = Annotated[
    str, typer.Argument(metavar="TX", help="Its id or hash digits.", autocompletion=transaction_names)
]
_Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; everybody can read it on the ledger.")]
_Timeout = Annotated[str, typer.Option(metavar="30s", help="How long to wait.")]
_Run = Annotated[str, typer.Option(metavar="0007", help="Which run.", autocompletion=run_numbers)]
_Ascii = Annotated[bool, typer.Option("--ascii", help="No symbols outside ASCII.")]


def disclose(
    tx: _Tx,
    discloser: Annotated[
        str, typer.Option("--as", metavar="P", help="The party that shows it.", autocompletion=node_names)
    ],
    to: Annotated[
        list[str],
        typer.Option(metavar="P", help="To whom; several: repeat, or a,b.", autocompletion=node_names),
    ],
    reason: _Reason,
    fields: Annotated[
        list[str] | None,
        typer.Option("--field", metavar="F", help="One field, like terms.days; several: repeat. Else all."),
    ] = None,
    answers: Annotated[
        str | None, typer.Option(metavar="TX", help="The request that it answers, by id or hash digits.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: it cannot be undone.")] = False,
    timeout: _Timeout = "30s",
    as_json: Annotated[bool, typer.Option("--json", help=f"One document, schema {SCHEMA}.")] = False,
    run: _Run = LATEST,
    ascii_only: _Ascii = False,
) -> None:
    """Show a private transaction, or fields of it, to further parties: with proof, and on the record."""
    timeout_s = parse_duration_ms(timeout, where="--timeout") / 1000
    reading = RunReading(RunFolder.find(run=run))
    reading.party(discloser, "--as")
    names = [name.strip() for each in to for name in each.split(",")]
    receivers = tuple(dict.fromkeys(reading.party(name, "--to") for name in names))
    if discloser in receivers:
        raise PrivityError("E-PARTY", f"{discloser} reads it already", where="--to", exit_code=WRONG_USAGE)
    check_stated(reason)
    refuse_stopped(reading)
    keys = reading.keys(discloser)
    held = hold(reading, tx, discloser, keys)
    check_words(held, reason)
    request_id = None if answers is None else reading.find(answers).id

    async def make() -> tuple[Author, Disclosing]:
        async with connected(reading) as client:
            by = await author(reading, client, discloser, keys)
            return by, prepare(reading, by, held, receivers, reason, fields, request_id)

    async def show() -> Done:
        async with connected(reading) as client:
            return await hand_over(reading, client, by, made, timeout_s)

    by, made = asyncio.run(make())
    deed = made.record.act.deed
    assert isinstance(deed, Disclosure)
    _confirm(held, deed, yes=yes, ascii_only=ascii_only)
    done = asyncio.run(show())
    document = _document(reading, discloser, deed, done)
    show_result(_lines(held, discloser, deed, done), document, as_json=as_json, ascii_only=ascii_only)


def request(
    tx: _Tx,
    asker: Annotated[
        str, typer.Option("--as", metavar="P", help="The party that asks.", autocompletion=node_names)
    ],
    of: Annotated[str, typer.Option(metavar="P", help="Who is asked.", autocompletion=node_names)],
    reason: _Reason,
    timeout: _Timeout = "30s",
    as_json: Annotated[bool, typer.Option("--json", help=f"One document, schema {REQUEST_SCHEMA}.")] = False,
    run: _Run = LATEST,
    ascii_only: _Ascii = False,
) -> None:
    """Ask a party, on the record, to be shown a private transaction."""
    timeout_s = parse_duration_ms(timeout, where="--timeout") / 1000
    reading = RunReading(RunFolder.find(run=run))
    reading.party(asker, "--as")
    if reading.party(of, "--of") == asker:
        raise PrivityError("E-PARTY", "nobody asks itself", where="--of", exit_code=WRONG_USAGE)
    check_stated(reason)
    refuse_stopped(reading)
    found, _, _ = ordered(reading, tx, asker)
    done = asyncio.run(ask(reading, asker, reading.keys(asker), found.id, of, reason, timeout_s))
    height, digits = done.proof.header.height, short_id(done.act.id)
    document = {
        "schema": REQUEST_SCHEMA,
        "run": reading.folder.number,
        "request": done.act.id.hex(),
        "tx": found.id.hex(),
        "as": asker,
        "of": of,
        "reason": reason,
        "height": height,
    }
    lines = [
        f"✓ recorded in block {height}: who ({asker}), of whom ({of}), what ({found.name}), why, when",
        f'  next  privity disclose {found.name} --as {of} --to {asker} --answers {digits} --reason "…"',
    ]
    show_result(lines, document, as_json=as_json, ascii_only=ascii_only)


def _confirm(held: Held, deed: Disclosure, *, yes: bool, ascii_only: bool) -> None:
    """Ask before what cannot be undone. Raises PrivityError E-USAGE, nothing was sent then."""
    whom = ", ".join(deed.receivers)
    what = "all of it" if deed.whole else f"{deed.fields} field{'' if deed.fields == 1 else 's'}"
    text = (
        f"! This cannot be undone. {whom} will hold {what}, with salts and proof that it matches"
        f" block {held.height}."
    )
    print(plain(text, ascii_only=needs_ascii(sys.stderr, ascii_only)), file=sys.stderr)
    if yes:
        return
    if not sys.stdin.isatty():
        raise PrivityError(
            "E-USAGE",
            "this is not done without a yes, and there is no terminal to ask at",
            where="privity disclose",
            next="add --yes",
        )
    if not typer.confirm("  continue?", err=True):
        raise PrivityError("E-USAGE", "nothing was disclosed", where="privity disclose")


def _lines(held: Held, discloser: str, deed: Disclosure, done: Done) -> list[str]:
    what = "salts + count = " if deed.whole else "salts + branches lead to "
    commitment = f"commitment {short_id(held.transaction.header.core.payload_root)}…"
    lines = []
    for name in deed.receivers:
        if name in done.checked:
            lines.append(f"✓ {name} checked: {what}{commitment}")
        else:
            lines.append(f"· {name} has not checked it yet; its node may be down or behind")
    whom, name = ", ".join(deed.receivers), held.found.name
    facts = f"who ({discloser}), to whom ({whom}), what ({name}), why, when"
    lines.append(f"✓ recorded in block {done.proof.header.height}: {facts}")
    assert done.carrier is not None
    lines.append(f"  handed over in block {done.carrier.header.height}   next  privity who-sees {name}")
    return lines


def _document(reading: RunReading, discloser: str, deed: Disclosure, done: Done) -> dict[str, Any]:
    assert done.carrier is not None
    return {
        "schema": SCHEMA,
        "run": reading.folder.number,
        "record": done.act.id.hex(),
        "tx": deed.tx.hex(),
        "carrier": deed.carrier.hex(),
        "as": discloser,
        "to": list(deed.receivers),
        "fields": deed.fields,
        "whole": deed.whole,
        "reason": deed.reason,
        "answers": None if deed.answers is None else deed.answers.hex(),
        "height": done.proof.header.height,
        "carrier_height": done.carrier.header.height,
        "checked": list(done.checked),
    }


def show_result(lines: Sequence[str], document: dict[str, Any], *, as_json: bool, ascii_only: bool) -> None:
    """Print what became of an act: lines for people, or the document."""
    spell = needs_ascii(sys.stdout, ascii_only)
    with quiet_pipe():
        if as_json:
            print(json.dumps(document, indent=2, ensure_ascii=spell))
        else:
            print("\n".join(plain(line, ascii_only=spell) for line in lines))


def register(app: typer.Typer) -> None:
    """Mount the verbs on the command line."""
    app.command("disclose")(disclose)
    app.command("request")(request)
