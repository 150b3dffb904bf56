"""A round of aggregation on a running run: each party's client, with that party's keys and its own ledger."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from node.aggregation.contributor import Contributor
from node.aggregation.coordinator import Announce, Coordinator
from node.aggregation.envelopes import seal_total
from node.aggregation.following import LedgerFollower
from node.aggregation.played import Played, RoundLog, carried
from node.aggregation.rounds import Round
from node.aggregation.seats import Seat, Seats
from node.chain.act import ActTransaction
from node.chain.round_deeds import RoundStart
from node.client import Client
from node.delivery.outgoing import submit
from node.errors import PrivityError
from node.logs.events import EventLog
from node.run_folder import RECORD, Label
from node.run_reading import RunReading, operator_events
from node.verbs.run_client import connected
from node.verbs.sending import Order, send

WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which total is wanted. `values` are by contributor."""

    coordinator: str
    field: str
    values: Mapping[str, int]
    label: str
    minimum: int

    def __repr__(self) -> str:
        return f"Wanted({self.coordinator!r}, {self.field!r})"

    def record_of(self, name: str) -> str:
        """The label of the transaction in which this contributor keeps its value."""
        return f"{self.label}-{name}"


@dataclass(slots=True, kw_only=True)
class Told(Played):
    """What became of it."""

    wanted: Wanted


async def aggregate(reading: RunReading, wanted: Wanted, timeout_s: float = WAIT_S) -> Told:
    """Play a round. Raises PrivityError: E-NOT-RUNNING, E-BROKER, E-KEYS."""
    keys = {name: reading.keys(name) for name in (wanted.coordinator, *wanted.values)}
    told = Told(wanted=wanted)
    async with connected(reading) as client:
        statuses = await client.statuses([(name, each.signing) for name, each in keys.items()], 2.0)
        here = [name for name in wanted.values if name in statuses]
        records = await asyncio.gather(*(_keep(reading, wanted, name) for name in here))
        contributors = [
            Contributor(name, wanted.values[name], record, os.urandom)
            for name, record in zip(here, records, strict=True)
            if record is not None
        ]
        coordinator = Coordinator(
            wanted.coordinator, tuple(wanted.values), wanted.field, os.urandom, minimum=wanted.minimum
        )
        log = operator_events(reading)
        playing = _Playing(reading, client, told, log)

        def seat(machine: Contributor | Coordinator) -> Seat:
            ledger = LedgerFollower(reading.folder.node(machine.name), reading.network.id)
            return Seat(machine.name, keys[machine.name], ledger, machine)

        seats = Seats(
            client,
            reading.network,
            os.urandom,
            seat(coordinator),
            [seat(each) for each in contributors],
            playing.carry,
            playing.log.say,
            playing.sending,
        )
        try:
            at = await seats.play(timeout_s)
            told.end(at, seats.verdicts())
            playing.log.end()
        finally:
            log.close()
    return told


async def _keep(reading: RunReading, wanted: Wanted, name: str) -> bytes | None:
    """Seal a contributor's value for itself; the id, None if those who must read it too cannot be reached."""
    readers = reading.network.with_mandatory(name, ())
    label = wanted.record_of(name)
    order = Order(name, readers, {wanted.field: wanted.values[name]}, label)
    try:
        receipt = await send(reading, order, reading.keys(name), wait=False)
    except PrivityError as error:
        if error.code not in ("E-RECEIPTS", "E-UNCONFIRMED"):
            raise
        return None
    return receipt.tx


class _Playing:
    """What a round needs of the command: labels, log lines, the envelope of the total."""

    def __init__(self, reading: RunReading, client: Client, told: Told, log: EventLog) -> None:
        self._reading = reading
        self._client = client
        self._told = told
        self.log = RoundLog(log, told.wanted.label, told)

    def sending(self, act: ActTransaction) -> None:
        """Note what is about to be published."""
        deed, author = act.act.deed, act.act.sender
        if isinstance(deed, RoundStart):
            self._remember(f"{self._told.wanted.label}-round", act.id, author, deed.contributors, RECORD)
        self.log.sending(act)

    async def carry(self, thing: Announce, at: Round, up: Sequence[str]) -> bytes:
        """Send the total; the id of what brings it, or NO_CARRIER."""

        async def send_to(readers: Sequence[str]) -> bytes:
            return await self._send(thing, at, readers)

        return await carried(send_to, thing.present, up, lambda error: None)

    async def _send(self, thing: Announce, at: Round, present: Sequence[str]) -> bytes:
        reading, wanted = self._reading, self._told.wanted
        name, keys = wanted.coordinator, reading.keys(wanted.coordinator)
        readers = reading.network.with_mandatory(name, present)
        sealed = seal_total(reading.network, thing, name, keys, readers, at.last_height, os.urandom)
        carrier = self._told.carrier = sealed.transaction.id
        await submit(self._client, reading.network, sealed, keys, readers, wanted.label)
        self._remember(wanted.label, carrier, name, readers, "")
        return carrier

    def _remember(self, label: str, tx: bytes, sender: str, to: Sequence[str], kind: str) -> None:
        now_ms = time.time_ns() // 1_000_000 - self._reading.network.created_ms
        self._reading.folder.add_transaction(Label(label, tx.hex(), sender, tuple(to), max(0, now_ms), kind))
