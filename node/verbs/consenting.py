"""`privity consent`, `revoke` and `purge` on a running run: public acts of the owner of a transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from node.chain.act import ActTransaction
from node.chain.deeds import Purge
from node.disclosure.disclosing import Author, check_stated, consent, revoke
from node.duration import parse_duration_ms
from node.errors import NOT_ALLOWED, WRONG_USAGE, PrivityError
from node.run_folder import LATEST, RunFolder
from node.run_reading import RunReading
from node.verbs.completion import node_names, run_numbers, transaction_names
from node.verbs.disclose_cli import show_result
from node.verbs.disclosing import Done, Held, author, check_words, hold, ordered, record
from node.verbs.run_client import connected, refuse_stopped

CONSENT_SCHEMA = "privity.consent/1"
REVOKE_SCHEMA = "privity.revoke/1"
PURGE_SCHEMA = "privity.purge/1"
CONSENTED = "consent of the owner"
WITHDRAWN = "consent withdrawn"
ERASED = "erased at the sender's wish"

_Tx = Annotated[
    str, typer.Argument(metavar="TX", help="Its id or hash digits.", autocompletion=transaction_names)
]
_Owner = Annotated[str, typer.Option("--as", metavar="P", help="Who sent it.", autocompletion=node_names)]
_Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; everybody can read it on the ledger.")]
_Hidden = Annotated[bool, typer.Option("--hidden", help="Only readers recognise whom it is about.")]
_Timeout = Annotated[str, typer.Option(metavar="30s", help="How long to wait.")]
_Json = Annotated[bool, typer.Option("--json", help="One document.")]
_Run = Annotated[str, typer.Option(metavar="0007", help="Which run.", autocompletion=run_numbers)]
_Ascii = Annotated[bool, typer.Option("--ascii", help="No symbols outside ASCII.")]


def consent_command(
    tx: _Tx,
    owner: _Owner,
    to: Annotated[
        list[str],
        typer.Option(metavar="P", help="To whom; several: repeat, or a,b.", autocompletion=node_names),
    ],
    blocks: Annotated[
        int | None,
        typer.Option("--for", metavar="N", min=1, max=1 << 40, help="For N blocks; else until revoked."),
    ] = None,
    hidden: _Hidden = False,
    reason: _Reason = CONSENTED,
    timeout: _Timeout = "30s",
    as_json: _Json = False,
    run: _Run = LATEST,
    ascii_only: _Ascii = False,
) -> None:
    """Agree, on the record, that readers of your own transaction show it to these parties."""
    reading, held, whom = _own(tx, owner, to, "--to", reason, run)
    payload, identifier = held.opened.payload, held.found.id

    def make(by: Author) -> ActTransaction:
        until = 0 if blocks is None else by.valid_from + blocks
        return consent(by, identifier, payload, whom, reason, until, hidden=hidden)

    done = _act(reading, owner, whom, make, timeout)
    height = done.proof.header.height
    lasts = "until it is revoked" if blocks is None else f"for {blocks} block{'s' * (blocks != 1)}"
    lines = [
        f"✓ recorded in block {height}: {owner} agrees that {held.found.name} is shown to {', '.join(whom)},"
        f" {lasts}",
        f"  take it back  privity revoke {held.found.name} --as {owner} --of {','.join(whom)}",
    ]
    document = _document(CONSENT_SCHEMA, reading, held, done, owner, reason, hidden)
    document |= {"to": list(whom), "blocks": blocks}
    show_result(lines, document, as_json=as_json, ascii_only=ascii_only)


def revoke_command(
    tx: _Tx,
    owner: _Owner,
    of: Annotated[
        list[str],
        typer.Option(metavar="P", help="From whom; several: repeat, or a,b.", autocompletion=node_names),
    ],
    hidden: _Hidden = False,
    reason: _Reason = WITHDRAWN,
    timeout: _Timeout = "30s",
    as_json: _Json = False,
    run: _Run = LATEST,
    ascii_only: _Ascii = False,
) -> None:
    """Withdraw your own transaction from parties: they keep their key, and from now on a rule forbids."""
    reading, held, whom = _own(tx, owner, of, "--of", reason, run)
    payload, identifier = held.opened.payload, held.found.id
    done = _act(
        reading,
        owner,
        whom,
        lambda by: revoke(by, identifier, payload, whom, reason, hidden=hidden),
        timeout,
    )
    height = done.proof.header.height
    lines = [
        f"✓ recorded in block {height}: {owner} withdraws {held.found.name} from {', '.join(whom)}",
        "  nothing of it goes there any more; what was read is read, and a key that was had is still had",
        f"  see  privity who-sees {held.found.name}",
    ]
    document = _document(REVOKE_SCHEMA, reading, held, done, owner, reason, hidden) | {"of": list(whom)}
    show_result(lines, document, as_json=as_json, ascii_only=ascii_only)


def purge_command(
    tx: _Tx,
    owner: _Owner,
    reason: _Reason = ERASED,
    timeout: _Timeout = "30s",
    as_json: _Json = False,
    run: _Run = LATEST,
    ascii_only: _Ascii = False,
) -> None:
    """Have every node erase your own transaction at once: ciphertext and keys, and what carries it on."""
    reading, held, _ = _own(tx, owner, (), "--as", reason, run)
    done = _act(reading, owner, (), lambda by: by.act(Purge(held.found.id, reason)), timeout)
    height = done.proof.header.height
    off_chain = reading.network.off_chain
    lines = [
        f"✓ recorded in block {height}: every node that executes it erases what it has of {held.found.name}",
        "  its hash stays; what the broker carried, backups, and what was read are out of reach",
        f"  who signed that it did: privity show tx {held.found.name}" + f" --as {owner}" * off_chain,
    ]
    document = _document(PURGE_SCHEMA, reading, held, done, owner, reason, hidden=False)
    del document["hidden"]
    show_result(lines, document, as_json=as_json, ascii_only=ascii_only)


def _own(
    tx: str, owner: str, whom: Sequence[str], option: str, reason: str, run: str
) -> tuple[RunReading, Held, tuple[str, ...]]:
    """The transaction as its sender opens it, and the parties named. Raises PrivityError."""
    reading = RunReading(RunFolder.find(run=run))
    reading.party(owner, "--as")
    names = [name.strip() for each in whom for name in each.split(",")]
    parties = tuple(dict.fromkeys(reading.party(name, option) for name in names))
    if owner in parties:
        raise PrivityError("E-PARTY", f"{owner} is its owner", where=option, exit_code=WRONG_USAGE)
    check_stated(reason)
    refuse_stopped(reading)
    found, transaction, _ = ordered(reading, tx, owner)
    if (sender := transaction.header.core.sender) != owner:
        raise PrivityError(
            "E-CONSENT",
            f"{owner} did not send {found.name}, so it has no say in it",
            next=f"{sender} has: it is the owner, and so may consent, revoke and purge",
            exit_code=NOT_ALLOWED,
        )
    held = hold(reading, tx, owner, reading.keys(owner))
    check_words(held, reason)
    return reading, held, parties


def _act(reading: RunReading, owner: str, whom: Sequence[str], make: Any, timeout: str) -> Done:
    timeout_s = parse_duration_ms(timeout, where="--timeout") / 1000
    keys = reading.keys(owner)

    async def hand_in() -> Done:
        async with connected(reading) as client:
            by = await author(reading, client, owner, keys)
            act = make(by)
            return Done(act, await record(reading, client, by, act, whom, timeout_s))

    return asyncio.run(hand_in())


def _document(
    schema: str, reading: RunReading, held: Held, done: Done, owner: str, reason: str, hidden: bool
) -> dict[str, Any]:
    return {
        "schema": schema,
        "run": reading.folder.number,
        "record": done.act.id.hex(),
        "tx": held.found.id.hex(),
        "as": owner,
        "hidden": hidden,
        "reason": reason,
        "height": done.proof.header.height,
    }


def register(app: typer.Typer) -> None:
    """Mount the verbs on the command line."""
    app.command("consent")(consent_command)
    app.command("revoke")(revoke_command)
    app.command("purge")(purge_command)
