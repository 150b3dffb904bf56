"""What a receiver makes of the disclosures that reach it: each is held against its own ledger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from node.canonical import DecodeError
from node.chain.standing import Standing
from node.chain.store import Store, TransactionRow
from node.consortium import Network
from node.envelopes.disclosure import PACKAGE_FIELD, Part, Shown, check, package_in
from node.envelopes.payload import Payload
from node.envelopes.rule import rule_alone, rule_leaf
from node.envelopes.transaction import PrivateTransaction

NO_TX = bytes(32)
NO_CONSENT = "no consent"


@dataclass(frozen=True, slots=True)
class Judged:
    """A package that reached a receiver: of which transaction, by whom, and why it was refused, if so."""

    tx: bytes
    discloser: str
    refused: str = ""
    rule: Part | None = None  # What proves the owner's rule, where that is why.


class Disclosures:
    """Judges the carriers that one party opens. `body` gives a private transaction that was ordered.

    A function of the party's chain, whenever it looks: the disclosed transaction must stand before its
    carrier, and of two carriers with one package the first counts. What its owner's rule does not let the
    discloser show is refused by who was shown the rule with it.
    """

    def __init__(
        self,
        network: Network,
        store: Store,
        name: str,
        body: Callable[[bytes], PrivateTransaction | None],
        standing: Standing,
    ) -> None:
        self._standing = standing
        self._mandatory = name in network.consortium.policy.always_to
        self._store = store
        self._name = name
        self._body = body

    def judge(self, identifier: bytes, carrier: PrivateTransaction, payload: Payload) -> Judged | None:
        """The judgement of an opened payload, None if it brings no package or is this party's own."""
        core = carrier.header.core
        fields = {leaf.path[0]: leaf.value for leaf in payload.leaves if leaf.path == (PACKAGE_FIELD,)}
        if not fields or core.sender == self._name:
            return None
        try:
            package = package_in(fields)
        except DecodeError as error:
            return Judged(NO_TX, core.sender, error.reason)
        assert package is not None
        if self._mandatory and self._name not in package.receivers:
            return None  # It reads all that is sent, and this was not made for it.
        before = self._store.transaction(package.tx)
        place = self._store.transaction(identifier)
        if before is None or place is None or _place(before) >= _place(place):
            return Judged(package.tx, core.sender, "not on the ledger before")
        transaction = self._body(package.tx)
        if transaction is None:
            return Judged(package.tx, core.sender, "not on the ledger before")
        found = check(package, transaction.header, core, self._name)
        if not isinstance(found, Shown):
            return Judged(package.tx, core.sender, found)
        if self._store.first_carrier(package.discloser, package.nonce, identifier) != identifier:
            return Judged(package.tx, core.sender, "shown before")
        owner = transaction.header.core.sender
        asked = (package.tx, owner, rule_leaf(found.leaves), core.sender)
        if self._name in self._standing.forbids(*asked, [self._name], _place(place)):
            return Judged(package.tx, core.sender, NO_CONSENT, rule_alone(package.opening))
        return Judged(package.tx, core.sender)


def _place(row: TransactionRow) -> tuple[int, int]:
    return row.height, row.position
