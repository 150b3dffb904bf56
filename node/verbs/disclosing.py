"""Disclosing on a running run as a party: opened with its own key, recorded first, then handed over."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

from node.chain.act import ActTransaction
from node.chain.reading import read_holdings
from node.chain.standing import Standing
from node.client import Client
from node.delivery.outgoing import submit
from node.disclosure.disclosing import Author, Disclosing, check_consent, disclose, request
from node.envelopes.envelope import NotAParty, Opened, Unreadable
from node.envelopes.keys import PartyKeys
from node.envelopes.transaction import PrivateTransaction
from node.erasing.purge_reading import due_heights
from node.errors import NOT_ALLOWED, UNCONFIRMED, WRONG_USAGE, PrivityError
from node.run_folder import CARRIER, RECORD, Label
from node.run_reading import Found, RunReading, note_reading, operator_events
from node.seals.unsealing import open_sealed
from node.verbs.run_client import connected
from node.verbs.send_input import public_words
from node.wire import Inclusion

STATUS_S = 2.0
CHECKED_S = 5.0
_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Held:
    """A transaction as one party holds and opens it."""

    found: Found
    transaction: PrivateTransaction
    height: int
    opened: Opened

    def __repr__(self) -> str:
        return f"Held({self.found.name})"


@dataclass(frozen=True, slots=True)
class Done:
    """What became of an act: its proof, its carrier's, and which receivers' nodes checked it in time."""

    act: ActTransaction
    proof: Inclusion
    carrier: Inclusion | None = None
    checked: tuple[str, ...] = ()


def ordered(reading: RunReading, tx: str, name: str) -> tuple[Found, PrivateTransaction, int]:
    """A private transaction on a party's own ledger, and its height. Raises PrivityError E-TX."""
    found = reading.find(tx)
    entry = reading.node(name).transactions.get(found.id)
    if entry is None or not isinstance(entry.transaction, PrivateTransaction):
        kind = "is not on the ledger of " + name if entry is None else "is public: there is nothing to show"
        raise PrivityError("E-TX", f"{found.name} {kind}", next=f"privity show tx {found.name}")
    return found, entry.transaction, entry.height


def hold(reading: RunReading, tx: str, name: str, keys: PartyKeys) -> Held:
    """The transaction, opened with the party's own key.

    Raises PrivityError: E-TX, E-NOT-PARTY and E-ERASED (exit 6), E-UNCONFIRMED if it cannot be told.
    """
    found, transaction, height = ordered(reading, tx, name)
    node = reading.node(name)
    blob = node.blob(found.id)
    if blob is None and (due := due_heights(node).get(found.id)) is not None:
        raise PrivityError(
            "E-ERASED",
            f"{name} has erased {found.name}, so nothing can be done with it",
            why=f"its sender asked every node to erase it at block {due[0]}",
            next=f"privity show tx {found.name}",
            exit_code=NOT_ALLOWED,
        )
    try:
        if blob is None:
            raise Unreadable("blob_hash")
        releases = node.seals.releases_of(found.id)
        opened = open_sealed(reading.network, transaction, blob, name, keys.wrapping, releases).opened
    except NotAParty:
        note_reading(reading, name, found.id, ok=False, err="E-NOT-PARTY")
        sender = transaction.header.core.sender
        raise PrivityError(
            "E-NOT-PARTY",
            f"{name} holds no key to {found.name}, so it cannot show it",
            why="only its sender and the parties it named may disclose it; who was shown it later may not",
            next=f'privity request {found.name} --as {name} --of {sender} --reason "…"',
            exit_code=NOT_ALLOWED,
        ) from None
    except Unreadable:
        raise PrivityError(
            "E-UNCONFIRMED",
            f"{name} cannot open {found.name}",
            why="the ciphertext is not here yet, or it is not what the sender committed to",
            next=f"privity show tx {found.name} --as {name}",
            exit_code=UNCONFIRMED,
        ) from None
    note_reading(reading, name, found.id, ok=True)
    return Held(found, transaction, height, opened)


def check_words(held: Held, reason: str) -> None:
    """Refuse a reason that gives a private value away. Raises PrivityError E-PRIVATE."""
    fields = held.opened.payload.fields()
    said = {name: value for name, value in fields.items() if not name.startswith("_")}
    if any(word.lower() in reason.lower() for word in public_words(said)):
        raise PrivityError(
            "E-PRIVATE",
            "a value of the payload is part of the reason",
            where="--reason",
            why="the reason stands on the ledger, where everybody can read it",
            next="give a reason that tells nothing",
            exit_code=WRONG_USAGE,
        )


async def author(reading: RunReading, client: Client, name: str, keys: PartyKeys) -> Author:
    """The party as author of acts that are valid from now on."""
    own = (await client.statuses([(name, keys.signing)], STATUS_S)).get(name)
    # A node that is down still has its disk, and the others order the act.
    height = max(1, own.sequence if own is not None else reading.node(name).height)
    until = height + max(1, reading.network.rules.validity_window // 2)
    return Author(name, keys, reading.network, os.urandom, height, until)


def prepare(
    reading: RunReading,
    by: Author,
    held: Held,
    receivers: Sequence[str],
    reason: str,
    fields: Sequence[str] | None,
    answers: bytes | None = None,
) -> Disclosing:
    """The disclosure, made and not yet published. Raises as `disclose` and `check_consent` there do."""
    height = max(by.valid_from, reading.node(by.name).height)
    standing, header = Standing.of(reading.node(by.name).acts()), held.transaction.header
    check_consent(held.opened.payload, header, by.name, receivers, standing, height)
    return disclose(
        by,
        held.opened.payload,
        held.transaction.header,
        ordered_at=held.height,
        receivers=receivers,
        reason=reason,
        fields=fields,
        answers=answers,
    )


async def hand_over(
    reading: RunReading, client: Client, by: Author, made: Disclosing, timeout_s: float
) -> Done:
    """Have the record ordered, then the carrier: nobody reads before everybody can know who showed it.

    Raises PrivityError E-UNCONFIRMED, saying how far it got; off chain also E-RECEIPTS, for the carrier.
    """
    proof = await record(reading, client, by, made.record, made.package.receivers, timeout_s)
    carrier, before = made.carrier.transaction, _shown(reading, made)
    _remember(reading, carrier.id, by.name, made.package.receivers, CARRIER)
    readers = reading.network.with_mandatory(by.name, made.package.receivers)
    await submit(client, reading.network, made.carrier, by.keys, readers, carrier.id.hex()[:8])
    found = await client.certified([carrier.id], (by.name, by.keys.signing), timeout_s)
    if carrier.id not in found:
        what = "the disclosure is recorded, and what it shows is not confirmed: it may still be ordered"
        raise PrivityError("E-UNCONFIRMED", what, next="privity who-sees tells whether it came")
    deadline, checked = time.monotonic() + CHECKED_S, dict.fromkeys(made.package.receivers, False)
    while not all(checked.values()) and time.monotonic() < deadline:
        now = _shown(reading, made)
        checked = {name: now[name] > before[name] for name in checked}
        if not all(checked.values()):
            await asyncio.sleep(_POLL_S)
    return Done(made.record, proof, found[carrier.id], tuple(name for name, done in checked.items() if done))


async def ask(
    reading: RunReading, name: str, keys: PartyKeys, tx: bytes, of: str, reason: str, timeout_s: float
) -> Done:
    """Have a request ordered. Raises PrivityError: E-REASON, E-UNCONFIRMED, E-BROKER, E-NOT-RUNNING."""
    async with connected(reading) as client:
        by = await author(reading, client, name, keys)
        act = request(by, tx, of, reason)
        return Done(act, await record(reading, client, by, act, (of,), timeout_s))


async def record(
    reading: RunReading,
    client: Client,
    by: Author,
    act: ActTransaction,
    to: Sequence[str],
    timeout_s: float,
) -> Inclusion:
    """Have an act ordered, and wait for the proof. Raises PrivityError E-UNCONFIRMED."""
    _remember(reading, act.id, by.name, to, RECORD)
    client.submit(act, None)
    log = operator_events(reading)
    log.emit("tx.submit", tx=act.id, party=by.name)
    log.close()
    proofs = await client.certified([act.id], (by.name, by.keys.signing), timeout_s)
    if act.id not in proofs:
        raise PrivityError(
            "E-UNCONFIRMED",
            f"{act.id.hex()[:8]} was handed in and is not confirmed: it may still be ordered",
            why=f"no proof came within {timeout_s:g} s; it stays valid until block {by.valid_until}",
            next="privity why tells what the network waits for; nothing private was handed over yet",
        )
    return proofs[act.id]


def _remember(reading: RunReading, tx: bytes, sender: str, to: Sequence[str], kind: str) -> None:
    """Noted before it is published: what may be on the ledger can be found again."""
    now_ms = time.time_ns() // 1_000_000 - reading.network.created_ms
    reading.folder.add_transaction(Label("", tx.hex(), sender, tuple(to), max(0, now_ms), kind))


def _shown(reading: RunReading, made: Disclosing) -> dict[str, int]:
    """How often each receiver's node has noted that it was shown this transaction, and that it is true."""
    tx, found = made.package.tx.hex(), {}
    for name in made.package.receivers:
        holdings = read_holdings(reading.folder.node(name))
        found[name] = sum(each.gained == "shown" and each.tx == tx for each in holdings)
    return found
