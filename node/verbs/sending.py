"""Sending one private transaction as a party: sealed in this process, with this party's keys and no others.

What comes back is believed only with its proof: the commit certificate of the batch and the block
certificate of the block, both checked here (R25).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from node.client import Client
from node.delivery.outgoing import submit
from node.envelopes.envelope import Sealed, seal
from node.envelopes.keys import PartyKeys
from node.envelopes.rule import FREE, with_rule
from node.errors import WRONG_USAGE, PrivityError
from node.logs.event_fields import is_label
from node.run_folder import Label
from node.run_reading import RunReading, operator_events, short_id
from node.verbs.run_client import connected
from node.wire import Inclusion

STATUS_S = 2.0
TAKEN_S = 5.0
WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be sent, and as whom. `to` is without the sender; `label` may be empty.

    After `keep` blocks every node erases it; 0 is never. `redisclose` is the rule for its readers. Under a
    `seal`, those in `to` need not wait for its opening.
    """

    sender: str
    to: tuple[str, ...]
    fields: Mapping[str, object]
    label: str = ""
    keep: int = 0
    redisclose: str = FREE
    seal: str = ""

    def __repr__(self) -> str:
        return f"Order(sender={self.sender!r}, to={self.to!r}, label={self.label!r})"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of it. `proof` is None if nobody waited for it; `took_ms` is from publishing to proof."""

    tx: bytes
    order: Order
    size_bytes: int
    slots: int
    proof: Inclusion | None
    took_ms: int
    own_node_answered: bool
    receipts: tuple[str, ...] = ()  # Off chain: the other readers whose nodes had it before it was ordered.

    @property
    def name(self) -> str:
        """The label, or 8 hex digits."""
        return self.order.label or short_id(self.tx)


def check_label(reading: RunReading, label: str, words: Sequence[str]) -> None:
    """Refuse an id that cannot be one, is taken, or gives a private value away (`words`).

    Raises PrivityError (wrong usage): E-NAME, E-ID, E-PRIVATE.
    """
    if not is_label(label):
        raise PrivityError(
            "E-NAME",
            "this cannot be the id of a transaction",
            where="--id",
            why="an id is made of short words of a-z and 0-9, joined by - . or _, 48 characters at most",
            next="write --id visit-2, for instance",
            exit_code=WRONG_USAGE,
        )
    if any(word.lower() in label for word in words):
        raise PrivityError(
            "E-PRIVATE",
            "a value of the payload is part of the id",
            where="--id",
            why="ids stand in logs, which everybody may read",
            next="choose an id that tells nothing",
            exit_code=WRONG_USAGE,
        )
    if any(each.id == label for each in reading.labels) or label in _planned(reading):
        raise PrivityError(
            "E-ID",
            f"a transaction of run {reading.folder.number} has the id {label} already",
            where="--id",
            next=f"choose another; privity show tx {label} shows that one",
            exit_code=WRONG_USAGE,
        )


async def send(
    reading: RunReading, order: Order, keys: PartyKeys, *, wait: bool = True, timeout_s: float = WAIT_S
) -> Receipt:
    """Seal, publish, and wait for the proof. `keys` are the sender's.

    Raises PrivityError: E-NOT-RUNNING and E-BROKER when surely nothing was sent, E-UNCONFIRMED when it may
    have been ordered all the same, E-RECEIPTS when too few readers' nodes have it and nothing was ordered,
    E-PAYLOAD and E-LIMIT for what cannot be sealed.
    """
    async with connected(reading) as client:
        statuses = await client.statuses([(order.sender, keys.signing)], STATUS_S)
        own = statuses.get(order.sender)
        # A node that is down still has its disk, and the others order the transaction.
        height = own.sequence if own is not None else reading.node(order.sender).height
        sealed = _seal(reading, order, keys, height)
        identifier = sealed.transaction.id
        log = operator_events(reading)
        try:
            started = time.monotonic()
            now_ms = time.time_ns() // 1_000_000 - reading.network.created_ms
            # Noted before it is published: what may be on the ledger can be found again by its label.
            reading.folder.add_transaction(
                Label(id=order.label, tx=identifier.hex(), sender=order.sender, to=order.to, t=max(0, now_ms))
            )
            name = order.label or short_id(identifier)
            given = await submit(client, reading.network, sealed, keys, order.to, name)
            whom = reading.network.names if order.seal else order.to
            receipts = tuple(each for each in whom if each in given and each != order.sender)
            core = sealed.transaction.header.core
            log.emit(
                "tx.submit",
                tx=identifier,
                id=order.label or None,
                party=order.sender,
                readers_n=len(order.to),
                bytes=core.size_bucket,
            )
            proof = await _proof(client, order, keys, sealed, timeout_s if wait else None)
            took_ms = round((time.monotonic() - started) * 1000)
            if proof is not None:
                log.emit(
                    "send.certified",
                    tx=identifier,
                    id=order.label or None,
                    h=proof.header.height,
                    v=proof.certificate.view,
                    blk=proof.header.hash(),
                    dur_ms=took_ms,
                )
        finally:
            log.close()
        return Receipt(
            identifier,
            order,
            core.size_bucket,
            core.slot_bucket,
            proof,
            took_ms,
            own_node_answered=bool(own),
            receipts=receipts,
        )


def _seal(reading: RunReading, order: Order, keys: PartyKeys, height: int) -> Sealed:
    network = reading.network
    public = network.wrapping_keys
    return seal(
        with_rule(order.fields, order.redisclose),
        readers=[public[name] for name in (order.sender, *order.to)],
        network=network.id,
        sender=order.sender,
        policy=network.policy_hash,
        # From the height that is known, not the next: a node that is a block behind must not refuse it.
        valid_from=height,
        valid_until=height + max(1, network.rules.validity_window // 2),
        signing_key=keys.signing,
        entropy=os.urandom,
        keep=order.keep,
        locked=network.locked(network.seals[order.seal]) if order.seal else None,
    )


async def _proof(
    client: Client, order: Order, keys: PartyKeys, sealed: Sealed, timeout_s: float | None
) -> Inclusion | None:
    identifier = sealed.transaction.id
    if timeout_s is None:
        if not await client.delivered(TAKEN_S):
            raise _unconfirmed(sealed, order, "the broker did not confirm that it has it")
        return None
    asker = (order.sender, keys.signing)
    proofs = await client.certified([identifier], asker, timeout_s)
    if identifier not in proofs:
        why = "fewer voters than the quorum may be up"
        raise _unconfirmed(sealed, order, f"no proof of its order came within {timeout_s:g} s; {why}")
    return proofs[identifier]


def _unconfirmed(sealed: Sealed, order: Order, why: str) -> PrivityError:
    name = order.label or short_id(sealed.transaction.id)
    until = sealed.transaction.header.core.valid_until
    return PrivityError(
        "E-UNCONFIRMED",
        f"{name} was sent and is not confirmed: it may still be ordered",
        why=f"{why}; it stays valid until block {until}",
        next=f"privity show tx {name} tells whether it was; sending it again would make a second one",
    )


def _planned(reading: RunReading) -> set[str]:
    """The ids that the scenario's own steps use, sent already or not."""
    planned: set[str] = set()
    with suppress(OSError, ValueError, KeyError, TypeError):
        for line in reading.folder.plan.read_text(encoding="utf-8").splitlines():
            planned.add(json.loads(line)["id"])
    return planned
