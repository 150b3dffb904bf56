"""Proofs that a reader showed what its owner's rule did not let it show (P47).

A proof is the public record of the disclosure, which the discloser signed, with the rule as the sender signed
it: that one leaf of the content and the hashes beside its way to the root, so that it shows no other field.
Whoever holds the chain checks it from these and the consents that stood before the record. Readers of the
content can make it, and receivers to whom the rule was shown.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from node.canonical import DecodeError, decode, encode
from node.chain.act import ACT_LIMIT, ActTransaction, check_act
from node.chain.deeds import Disclosure
from node.chain.standing import Place, Standing
from node.chain.store import Store
from node.consortium import Network
from node.envelopes.disclosure import Part
from node.envelopes.rule import proved_rule
from node.envelopes.transaction import PrivateTransaction, check_transaction
from node.private_files import make_private_folder, open_private
from node.reporting import Reporter
from node.wire import AnyTransaction

FOLDER = "breaches"
_LIMIT = ACT_LIMIT + (16 << 10)


class BreachProof(Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """The record of a disclosure, the transaction that it shows, and the proof of its rule."""

    record: ActTransaction
    transaction: PrivateTransaction
    rule: Part

    def __repr__(self) -> str:
        return "BreachProof(secret)"


def proved_breach(proof: BreachProof, network: Network, standing: Standing, place: Place) -> list[str]:
    """To whom the author of the record showed it without consent; nobody if that is not proved.

    `place` is that of the record on the chain whose consents `standing` has. Never raises.
    """
    act, transaction = proof.record.act, proof.transaction
    deed, owner = act.deed, transaction.header.core.sender
    keys = network.verify_key(act.sender), network.verify_key(owner)
    if not isinstance(deed, Disclosure) or deed.tx != transaction.id or None in keys:
        return []
    about: dict[str, object] = {"network": network.id, "policy": network.policy_hash}
    about["max_validity"] = network.rules.validity_window
    names = frozenset(network.names)
    if check_act(proof.record, names=names, sender_key=keys[0], **about):  # type: ignore[arg-type]
        return []
    if check_transaction(transaction, None, sender_key=keys[1], **about):  # type: ignore[arg-type]
        return []
    leaf = proved_rule(deed.tx, proof.rule, transaction.header)
    if leaf is None:
        return []
    return standing.forbids(deed.tx, owner, leaf, act.sender, deed.receivers, place)


class Breaches:
    """The proofs that one node makes and keeps: a file each, named after the record.

    `body` gives an ordered transaction, `rule` what this party can prove of the rule of what a record is
    about. Raises OSError when the disk refuses.
    """

    def __init__(
        self,
        network: Network,
        store: Store,
        standing: Standing,
        folder: Path,
        body: Callable[[bytes], AnyTransaction | None],
        rule: Callable[[Disclosure], Part | None],
        report: Reporter,
    ) -> None:
        self._network = network
        self._store = store
        self._standing = standing
        self._folder = folder / FOLDER
        self._body = body
        self._rule = rule
        self._report = report
        # A stop may have come between a record and its proof.
        self._waiting: deque[bytes] = deque(each for each in standing.records if not self._kept(each))

    def recorded(self, identifier: bytes) -> None:
        """A disclosure was put on record."""
        self._waiting.append(identifier)

    @property
    def busy(self) -> bool:
        """Whether records wait to be looked at."""
        return bool(self._waiting)

    def look(self, limit: int) -> None:
        """Hold up to `limit` records against the rules that this party knows."""
        for _ in range(min(limit, len(self._waiting))):
            record = self._body(self._waiting[0])
            if isinstance(record, ActTransaction):
                rule = self._rule(record.act.deed) if isinstance(record.act.deed, Disclosure) else None
                self._examine(record, rule)
            self._waiting.popleft()

    def refused(self, carrier: bytes, rule: Part | None) -> None:
        """A carrier was refused for want of a consent: keep what proves it, if a record names the carrier."""
        for identifier in self._standing.carriers.get(carrier, ()):
            record = self._body(identifier)
            if isinstance(record, ActTransaction):
                self._examine(record, rule)

    def _examine(self, record: ActTransaction, rule: Part | None) -> None:
        deed, row = record.act.deed, self._store.transaction(record.id)
        if rule is None or row is None or not isinstance(deed, Disclosure) or self._kept(record.id):
            return
        transaction = self._body(deed.tx)
        if not isinstance(transaction, PrivateTransaction):
            return
        proof = BreachProof(record, transaction, rule)
        if proved_breach(proof, self._network, self._standing, (row.height, row.position)):
            make_private_folder(self._folder)
            with os.fdopen(
                open_private(self._folder / record.id.hex(), os.O_TRUNC | os.O_WRONLY), "wb"
            ) as file:
                file.write(encode(proof))
            self._report.emit("priv.breach", "error", tx=deed.tx, h=row.height, party=record.act.sender)

    def _kept(self, identifier: bytes) -> bool:
        return (self._folder / identifier.hex()).exists()


def read_proofs(folder: Path) -> Iterator[BreachProof]:
    """The proofs in a node's folder, unchecked; what is none is left out."""
    with suppress(FileNotFoundError):
        for path in sorted((folder / FOLDER).iterdir()):
            with suppress(OSError, DecodeError):
                yield decode(BreachProof, path.read_bytes(), _LIMIT)
