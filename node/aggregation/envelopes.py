"""The envelope that brings the total: an ordinary private transaction of the coordinator, for the present.

Its fields are `total`, `contributors` (how many values are in it) and `salt`, with which any reader holds it
against the hash on the ledger, also one that lost its part of the round.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from node.aggregation.boxes import total_hash
from node.aggregation.coordinator import Announce
from node.aggregation.following import transaction_at
from node.aggregation.masks import MODULUS
from node.aggregation.rounds import Round
from node.canonical import DecodeError
from node.chain.store import Store
from node.consortium import Network
from node.envelopes.entropy import Entropy
from node.envelopes.envelope import NotAParty, Opened, Sealed, Unreadable, seal, unseal
from node.envelopes.keys import PartyKeys, WrappingKey
from node.envelopes.rule import FREE, with_rule
from node.envelopes.transaction import PrivateTransaction, decode_blob
from node.errors import PrivityError

NO_CARRIER = bytes(32)
"""In place of the id of an envelope that reached nobody."""
FIELDS = frozenset(("total", "contributors", "salt"))


def fields_of(thing: Announce) -> dict[str, Any]:
    """What the envelope says."""
    return {
        "total": thing.total,
        "contributors": len(thing.present),
        "salt": thing.salt,
    }


def seal_total(
    network: Network,
    thing: Announce,
    coordinator: str,
    keys: PartyKeys,
    readers: Sequence[str],
    height: int,
    entropy: Entropy,
    beside: Mapping[str, Any] | None = None,
) -> Sealed:
    """The envelope, for these readers. `beside` are fields of a run's own, like its canary."""
    return seal(
        with_rule(fields_of(thing) | dict(beside or {}), FREE),
        readers=[network.wrapping_keys[name] for name in (coordinator, *readers)],
        network=network.id,
        sender=coordinator,
        policy=network.policy_hash,
        valid_from=height,
        valid_until=height + network.rules.validity_window,
        signing_key=keys.signing,
        entropy=entropy,
    )


def opened_from(folder: Path, network: Network, carrier: bytes, key: WrappingKey) -> Opened | None:
    """The envelope as it lies in a node's own folder, opened with its own key; None if it cannot be."""
    with suppress(sqlite3.Error, OSError, PrivityError, DecodeError, NotAParty, Unreadable):
        with closing(Store(folder, read_only=True)) as store:
            row = store.transaction(carrier)
        if row is None:
            return None
        transaction = transaction_at(folder, network.id, row)
        if isinstance(transaction, PrivateTransaction):
            blob = decode_blob((folder / "blobs" / carrier.hex()).read_bytes())
            return unseal(transaction, blob, key)
    return None


def fits(fields: Mapping[str, Any], at: Round) -> bool:
    """Whether what an envelope says is what stands on the ledger."""
    total, salt = fields.get("total"), fields.get("salt")
    if at.result is None or type(total) is not int or type(salt) is not bytes or len(salt) != 32:
        return False
    if not -MODULUS // 2 <= total < MODULUS // 2 or fields.get("contributors") != len(at.present):
        return False
    return total_hash(at.id, salt, total) == at.result.total
