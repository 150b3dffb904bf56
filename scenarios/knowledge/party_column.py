"""One party's column of the matrix: what lies in its folder, and what its key makes of it."""

from __future__ import annotations

from contextlib import suppress

from node.chain.reading import NodeReading, Ordered
from node.envelopes.envelope import NotAParty, Unreadable
from node.envelopes.rule import rule_leaf
from node.envelopes.transaction import Blob, check_blob
from node.errors import PrivityError
from node.run_reading import RunReading
from node.seals.unsealing import SealBroken
from scenarios.knowledge.disclosures import Carriers
from scenarios.knowledge.opening import How, Knowledge, Since, of_payload
from scenarios.knowledge.rows import (
    CIPHERTEXT,
    COMMITMENT,
    NAMED,
    NOTHING,
    OPENER,
    SENDER,
    UNSEALED,
    WILL_READ,
    Cell,
    Matrix,
    Row,
)
from scenarios.knowledge.trials import Trials, erased_at


class PartyColumn:
    """One party's column: its folder, its key, and nothing that is anybody else's."""

    def __init__(
        self, reading: RunReading, matrix: Matrix, name: str, carriers: Carriers, trials: Trials
    ) -> None:
        self._matrix = matrix
        self._trials = trials
        self._carriers = carriers
        self._name = name
        self._node: NodeReading = reading.node(name)
        self._created_ms = reading.network.created_ms
        self._has_key = False
        try:
            trials.key(name)
            self._has_key = True
        except PrivityError as error:
            matrix.untried.add(name)
            matrix.notes.append(f"{name} reads nothing here, because its keys cannot be used: {error.why}")
        # All that was ever gained counts for `since`; what was gained by then and not erased can be tried.
        self._gained: dict[str, Since] = {}
        self._held: set[str] = set()
        self._erased = erased_at(self._node)
        for holding in self._node.holdings:
            if holding.gained == "blob":
                self._gained.setdefault(holding.tx, Since(holding.t, holding.height))
            if matrix.at.reached(holding.t, holding.height):
                if holding.gained == "blob":
                    self._held.add(holding.tx)
                elif holding.erased == "blob":
                    self._held.discard(holding.tx)
                    matrix.erased.add(bytes.fromhex(holding.tx))

    def fill(self) -> None:
        """Say of every row what this party holds, and what it can read."""
        for row in self._matrix.rows:
            since, blob = self._since(row), self._blob(row)
            row.held[self._name] = self._held_of(row, blob, since)
            self._note_erased(row, blob)
            under = self._under_seal(row, blob, since)
            if under is None:
                row.learn(self._name, self._unsealed(row, blob, since))
            else:
                row.held[self._name], known = under
                row.learn(self._name, known)
        # What was shown in carriers, also in those that the matrix is not about.
        rows = {row.id for row in self._matrix.rows}
        for ordered, transaction in self._node.private():
            if ordered.id not in rows and self._has_key:
                other = Row(ordered.id, ordered.id.hex()[:8], transaction)
                blob = self._blob(other)
                if self._carriers.recorded(ordered.id):
                    self._note_erased(other, blob)
                with suppress(NotAParty, Unreadable):
                    if blob is not None:
                        payload = self._trials.payload(self._name, ordered.id, transaction, blob)
                        self._carriers.bring(self._name, other.id, transaction, payload, self._since(other))

    def _held_of(self, row: Row, blob: Blob | None, since: Since | None) -> Cell:
        ordered = self._node.transactions.get(row.id)
        if blob is None and self._held_and_erased_since(row):
            return Cell(CIPHERTEXT, "", since)
        if row.transaction is not None and blob is not None and not check_blob(row.transaction.header, blob):
            return Cell(CIPHERTEXT, "", since)
        if since is not None and ordered is not None and self._matrix.at.reached(*_moment(since)):
            return Cell(COMMITMENT, "", since)
        return Cell(NOTHING)

    def _blob(self, row: Row) -> Blob | None:
        """What lies there of it and was held at that moment."""
        # A blob of which nothing is noted lies there now, and from nobody knows when.
        if row.id.hex() not in self._held and not self._matrix.at.is_end:
            return None
        blob = self._node.blob(row.id)
        if blob is None and self._held_and_erased_since(row):
            blob = self._matrix.captured.get(row.id)
        return blob

    def _held_and_erased_since(self, row: Row) -> bool:
        return row.id.hex() in self._held and row.id in self._erased and self._node.blob(row.id) is None

    def _note_erased(self, row: Row, blob: Blob | None) -> None:
        """Say how it was told what this party read then of what it erased since."""
        if not self._held_and_erased_since(row):
            return
        if blob is None:
            self._matrix.untried.add(self._name)
            self._matrix.notes.append(
                f"{row.name}: {self._name} held the ciphertext then and erased it since; whether it could"
                " read it cannot be tried any more"
            )
        else:
            self._matrix.notes.append(
                f"{row.name} is erased by now: what could be read then was tried with the operator's capture"
            )

    def _unsealed(self, row: Row, blob: Blob | None, since: Since | None) -> Knowledge:
        """What comes of the blob with this party's key."""
        transaction = row.transaction
        if transaction is None and (waiting := self._node.transient(row.id)) and row.id.hex() in self._held:
            # Handed over and never ordered: it can be read all the same.
            transaction, blob = waiting.transaction, waiting.blob
        if transaction is None or blob is None or not self._has_key:
            return Knowledge()
        reason = SENDER if transaction.header.core.sender == self._name else NAMED
        try:
            payload = self._trials.payload(self._name, row.id, transaction, blob)
        except NotAParty:
            return Knowledge()
        except Unreadable as error:
            if not error.reason.startswith("blob_"):  # Else the blob is not the one that was ordered.
                # A proof settles it: by the sender's doing, no key of this party opens what was committed to.
                if error.proof is None:
                    self._matrix.untried.add(self._name)
                self._matrix.notes.append(
                    f"{row.name}: {self._name} holds a key, and what it opens is not what the sender"
                    " committed to" + (", which it can prove" if error.proof is not None else "")
                )
            return Knowledge()
        self._carriers.bring(self._name, row.id, transaction, payload, since)
        row.rule = rule_leaf(payload.leaves)
        return of_payload(payload, How(reason, since))

    def _under_seal(self, row: Row, blob: Blob | None, since: Since | None) -> tuple[Cell, Knowledge] | None:
        """The cell and the knowledge of what lies under a seal; None for what does not, or is not here.

        Whoever sent it, or has a slot, is no matter of the seal.
        """
        transaction = row.transaction
        if transaction is None or blob is None or not self._has_key:
            return None
        network, bid = self._trials.network, self._node.seals.bid(row.id)
        seal = network.sealed_for(transaction)
        if seal is None or check_blob(transaction.header, blob) is not None:
            return None
        held = Cell(CIPHERTEXT, "", since)
        if self._name in seal.then_to and (bid is None or not bid.late):
            held = Cell(CIPHERTEXT, WILL_READ, since)
        if (symbol := self._trials.share_symbol(self._name, row.id, transaction, blob)) is not None:
            held = Cell(symbol, OPENER, since)
        try:
            found = self._trials.unsealed(self._name, row.id, transaction, blob)
        except SealBroken as broken:
            self._matrix.notes.append(
                f"{row.name}: its sender's shares are not those of its key, which anybody can see"
                f" ({broken.reason})"
            )
            return held, Knowledge()
        except (NotAParty, Unreadable):
            return held, Knowledge()
        if found.last is None:
            return None
        opened = Since(found.last.time_ms - self._created_ms, found.last.at[0])
        if not self._matrix.at.reached(*_moment(opened)):
            return held, Knowledge()
        row.unsealed_by = found.openers
        self._carriers.bring(self._name, row.id, transaction, found.opened.payload, opened)
        return held, of_payload(found.opened.payload, How(UNSEALED, opened))

    def _since(self, row: Row) -> Since | None:
        ordered = self._node.transactions.get(row.id)
        return self._gained.get(row.id.hex()) or self._ordered_since(ordered)

    def _ordered_since(self, ordered: Ordered | None) -> Since | None:
        """The time of its block, where nothing tells when exactly this node executed it."""
        block = None if ordered is None else self._node.block(ordered.height)
        return None if block is None else Since(block.header.time_ms - self._created_ms, block.height)


def _moment(since: Since) -> tuple[int, int]:
    assert since.height is not None, "only the broker knows no height"
    return since.t_ms, since.height
