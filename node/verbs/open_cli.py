"""`privity open` and `privity challenge`: unseal what openers hold together; name one who keeps its share."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from node.duration import parse_duration_ms
from node.errors import WRONG_USAGE, PrivityError
from node.run_folder import LATEST, RunFolder
from node.run_reading import RunReading
from node.seals.opening import find_seal
from node.seals.seal import Seal
from node.verbs.completion import node_names, run_numbers, seal_names
from node.verbs.disclose_cli import show_result
from node.verbs.opening import Opened, challenge_opener, open_seal
from node.verbs.run_client import refuse_stopped

SCHEMA = "privity.open/1"
CHALLENGE_SCHEMA = "privity.challenge/1"

_Seal = Annotated[str, typer.Argument(metavar="SEAL", help="Its name.", autocompletion=seal_names)]
_Timeout = Annotated[str, typer.Option(metavar="30s", help="How long to wait.")]
_Run = Annotated[str, typer.Option(metavar="0007", help="Which run.", autocompletion=run_numbers)]
_Ascii = Annotated[bool, typer.Option("--ascii", help="No symbols outside ASCII.")]


def open_command(
    seal: _Seal,
    openers: Annotated[
        list[str],
        typer.Option(
            "--as", metavar="P", help="The opener; several: repeat, or a,b.", autocompletion=node_names
        ),
    ],
    timeout: _Timeout = "30s",
    as_json: Annotated[bool, typer.Option("--json", help=f"One document, schema {SCHEMA}.")] = False,
    run: _Run = LATEST,
    ascii_only: _Ascii = False,
) -> None:
    """Open a seal as one of its openers: the request goes on the record, and if it counts, shares follow."""
    timeout_s = parse_duration_ms(timeout, where="--timeout") / 1000
    reading = RunReading(RunFolder.find(run=run))
    names = [reading.party(name.strip(), "--as") for each in openers for name in each.split(",")]
    wanted = find_seal(reading.network, seal)
    refuse_stopped(reading)

    async def everybody() -> list[Opened]:
        parts = [open_seal(reading, name, reading.keys(name), wanted, timeout_s) for name in names]
        results = await asyncio.gather(*parts, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return [result for result in results if not isinstance(result, BaseException)]

    done = asyncio.run(everybody())
    document = {
        "schema": SCHEMA,
        "run": reading.folder.number,
        "seal": wanted.name,
        "openers": [_part(each) for each in done],
        "gave": list(_gave(done, wanted)),
        "threshold": wanted.threshold,
        "open": len(_gave(done, wanted)) >= wanted.threshold,
    }
    show_result(_lines(wanted, done), document, as_json=as_json, ascii_only=ascii_only)


def challenge_command(
    seal: _Seal,
    author: Annotated[
        str, typer.Option("--as", metavar="P", help="The party that lacks it.", autocompletion=node_names)
    ],
    of: Annotated[str, typer.Option(metavar="P", help="Which opener.", autocompletion=node_names)],
    timeout: _Timeout = "30s",
    as_json: Annotated[
        bool, typer.Option("--json", help=f"One document, schema {CHALLENGE_SCHEMA}.")
    ] = False,
    run: _Run = LATEST,
    ascii_only: _Ascii = False,
) -> None:
    """Say on the record that an opener's shares are missing or unreadable: it answers, or it is named."""
    timeout_s = parse_duration_ms(timeout, where="--timeout") / 1000
    reading = RunReading(RunFolder.find(run=run))
    reading.party(author, "--as")
    wanted = find_seal(reading.network, seal)
    if reading.party(of, "--of") not in wanted.openers or of == author:
        raise PrivityError(
            "E-NOT-OPENER", f"{of} owes {author} no share of {seal}", where="--of", exit_code=WRONG_USAGE
        )
    refuse_stopped(reading)
    heights = asyncio.run(challenge_opener(reading, author, reading.keys(author), wanted, of, timeout_s))
    document = {
        "schema": CHALLENGE_SCHEMA,
        "run": reading.folder.number,
        "seal": seal,
        "as": author,
        "of": of,
        "heights": heights,
    }
    lines = [f"nothing to complain about: {author} has a good share of {of} for all under {seal}"]
    if heights:
        what = "1 payload" if len(heights) == 1 else f"{len(heights)} payloads"
        lines = [f"✓ recorded in block {heights[-1]}: {author} lacks the share of {of} for {what}"]
        lines.append(f"  next  privity show seal {seal} tells whether {of} answers in time")
    show_result(lines, document, as_json=as_json, ascii_only=ascii_only)


def _part(done: Opened) -> dict[str, Any]:
    return {
        "as": done.opener,
        "request": done.request.hex(),
        "height": done.height,
        "released": done.released,
        "missing": done.missing,
    }


def _gave(done: Sequence[Opened], seal: Seal) -> list[str]:
    every = {name for each in done for name in each.gave}
    return [name for name in seal.openers if name in every]


def _lines(seal: Seal, done: Sequence[Opened]) -> list[str]:
    lines = []
    for each in done:
        lines.append(f"✓ asked     block {each.height}: {each.opener} asked to open {seal.name}")
        if each.released:
            whom = ", ".join(seal.then_to)
            shares = "1 share" if len(each.released) == 1 else f"{len(each.released)} shares"
            lines.append(f"✓ released  block {max(each.released)}: {shares}, wrapped for {whom} alone")
        if each.missing:
            lines.append(f"! {each.opener}'s node lacks the ciphertext of {each.missing}: nothing to release")
    gave = _gave(done, seal)
    count = f"{len(gave)} of {seal.threshold}"
    if len(gave) >= seal.threshold:
        lines.append(f"✓ open      {', '.join(seal.then_to)} read what came in time")
    else:
        rest = [name for name in seal.openers if name not in gave]
        lines.append(f"  {count} openers have released their shares; wanting: {', '.join(rest)}")
    lines.append(f"  next  privity show seal {seal.name}")
    return lines


def register(app: typer.Typer) -> None:
    """Mount the verbs on the command line."""
    app.command("open")(open_command)
    app.command("challenge")(challenge_command)
