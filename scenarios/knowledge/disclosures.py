"""What parties learn from disclosures: found by opening each carrier with the receiver's own key.

The public records say who showed what to whom. They are believed in nothing here: knowledge is what a
package proves against the header on the ledger, also to somebody whom it was not made for. What the records
say otherwise, or do not say at all, is noted.
"""

from __future__ import annotations

from contextlib import suppress

from node.canonical import DecodeError
from node.chain.deeds import Disclosure, tells_of
from node.chain.standing import Place
from node.envelopes.disclosure import PACKAGE_FIELD, Package, Shown, opened, package_in, unfit
from node.envelopes.envelope import NotAParty, Unreadable, unseal
from node.envelopes.payload import Payload
from node.envelopes.rule import rule_leaf
from node.envelopes.transaction import PrivateTransaction
from node.errors import PrivityError
from node.run_reading import RunReading
from scenarios.knowledge.opening import How, Knowledge, Since, disclosed
from scenarios.knowledge.rows import DISCLOSED, Matrix, Row
from scenarios.model.payloads import CANARY_FIELD


def shown_by(matrix: Matrix, payload: Payload, since: Since | None) -> tuple[Row, Knowledge] | None:
    """The row that an opened carrier is about, and what it proves of it to whoever has it."""
    found = {leaf.path[0]: leaf.value for leaf in payload.leaves if leaf.path == (PACKAGE_FIELD,)}
    with suppress(DecodeError):
        package = package_in(found)
        if package is not None and package.tx.hex() in matrix:
            row = matrix.row(package.tx.hex())
            shown = None if row.transaction is None else opened(package, row.transaction.header)
            if isinstance(shown, Shown):
                return row, disclosed(shown, How(DISCLOSED, since))
    return None


class Carriers:
    """The carriers of a run. Each column brings what it opened; the matrix learns what that proves."""

    def __init__(self, reading: RunReading, matrix: Matrix) -> None:
        self._reading = reading
        self._matrix = matrix
        self._records: dict[bytes, list[tuple[str, Disclosure]]] = {}  # Author and record, by carrier.
        for _, act in reading.highest().acts():
            if isinstance(act.deed, Disclosure):
                self._records.setdefault(act.deed.carrier, []).append((act.sender, act.deed))
        self._pure: set[bytes] = set()  # Those that hold a package and nothing else.

    def bring(
        self,
        name: str,
        identifier: bytes,
        carrier: PrivateTransaction,
        payload: Payload,
        since: Since | None,
    ) -> None:
        """A party opened this payload; if it carries a package, add what it learns from it."""
        found = {leaf.path[0]: leaf.value for leaf in payload.leaves if leaf.path == (PACKAGE_FIELD,)}
        if not found:
            return
        if _is_pure(payload):
            self._pure.add(identifier)
        core = carrier.header.core
        try:
            package = package_in(found)
        except DecodeError:
            self._note(f"{name} was given by {core.sender} what is no disclosure")
            return
        assert package is not None
        self._learn(name, identifier, carrier, package, since)

    def _learn(
        self,
        name: str,
        identifier: bytes,
        carrier: PrivateTransaction,
        package: Package,
        since: Since | None,
    ) -> None:
        tx = package.tx.hex()
        if tx not in self._matrix or (row := self._matrix.row(tx)).transaction is None:
            return
        core, header = carrier.header.core, row.transaction.header
        shown = opened(package, header)
        if not isinstance(shown, Shown):
            self._note(f"{row.name}: what {core.sender} showed to {name} is not what was ordered")
            return
        if name != core.sender:
            row.learn(name, disclosed(shown, How(DISCLOSED, since)))
            row.rule = row.rule or rule_leaf(shown.leaves)
            if (place := self._place(identifier)) is not None:
                row.shown.setdefault(name, []).append((place, core.sender))
            mandatory = name in self._reading.network.consortium.policy.always_to
            reason = unfit(package, header, core, name)
            if reason and not (mandatory and name not in package.receivers):
                self._note(f"{row.name}: {name} has a disclosure that it must refuse: {reason}")
        records = [deed for author, deed in self._records.get(identifier, ()) if author == core.sender]
        if not records:
            self._note(f"{row.name}: {core.sender} showed it to others, and no ledger says so")
        elif not any(tells_of(deed, package, identifier) for deed in records):
            self._note(f"{row.name}: the ledger says of {core.sender}'s disclosure what is not true")

    def _place(self, identifier: bytes) -> Place | None:
        ordered = self._reading.highest().transactions.get(identifier)
        return None if ordered is None else (ordered.height, ordered.position)

    def recorded(self, identifier: bytes) -> bool:
        """Whether a public record names this transaction as the carrier of a disclosure."""
        return identifier in self._records

    def drop_rows(self) -> None:
        """Carriers have no rows of their own: what they show stands in the row of what they show."""
        self._pure |= {row.id for row in self._matrix.rows if self._opens_as_carrier(row)}
        self._matrix.drop(self._pure)

    def _opens_as_carrier(self, row: Row) -> bool:
        """Whether a recorded carrier is one, at a moment when those who can open it did not hold it yet."""
        for author, deed in self._records.get(row.id, ()):
            for name in (author, *deed.receivers):
                blob = self._reading.node(name).blob(row.id) or self._matrix.captured.get(row.id)
                if blob is not None and row.transaction is not None:
                    with suppress(NotAParty, Unreadable, PrivityError):
                        key = self._reading.keys(name).wrapping
                        return _is_pure(unseal(row.transaction, blob, key).payload)
        return False

    def _note(self, text: str) -> None:
        if text not in self._matrix.notes:
            self._matrix.notes.append(text)


def _is_pure(payload: Payload) -> bool:
    """Whether it holds a package and nothing else that anybody said."""
    return {leaf.path for leaf in payload.leaves} - {(CANARY_FIELD,)} == {(PACKAGE_FIELD,)}
