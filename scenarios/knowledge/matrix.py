"""The privacy matrix of a run: who holds what of each transaction, found out by trying to decrypt.

No list of recipients is read. For each party its own wrapping key is held against the blobs in its own
folder, or, for a moment before it erased one, against the copy in the operator's capture; the broker is
given what the recorder saw it carry, and no key at all. Rows are transactions in chain order, columns are
the parties as in the genesis, and then the broker.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from functools import cached_property

from node.chain.reading import NodeReading, Ordered
from node.consortium import Network
from node.envelopes.envelope import NotAParty, Unreadable, open_with, unseal
from node.envelopes.keys import WrappingKey
from node.envelopes.payload import Payload
from node.envelopes.rule import rule_leaf
from node.envelopes.shares import combine
from node.envelopes.transaction import Blob, PrivateTransaction, check_blob
from node.errors import PrivityError
from node.run_folder import RunFolder
from node.run_reading import Found, RunReading
from node.seals.unsealing import SealBroken, Unsealed, open_sealed, own_share
from scenarios.knowledge.broker_view import BrokerView, read_broker
from scenarios.knowledge.disclosures import Carriers
from scenarios.knowledge.moments import At
from scenarios.knowledge.opening import How, Knowledge, Since, of_payload
from scenarios.knowledge.rows import (
    CIPHERTEXT,
    COMMITMENT,
    COULD,
    NAMED,
    NOTHING,
    OPENER,
    SENDER,
    TOGETHER,
    UNSEALED,
    WILL_READ,
    WITH_CIPHERTEXT,
    Cell,
    Matrix,
    Row,
)
from scenarios.knowledge.rules import apply_rules
from scenarios.knowledge.totals import mark_totals
from scenarios.model.prediction import BROKER

NAMED_AT_MOST = 8
"""Of transactions that one note is about; the cells say the same of all."""


def build_matrix(folder: RunFolder, at: str | At = "end", only: Iterable[str] | None = None) -> Matrix:
    """The matrix of a run, running or stopped, at a moment (`11s`, `block 9`, `end`).

    `only` limits it to these transactions, each named as everywhere: by label or by first digits.
    Raises PrivityError: E-TX, E-DURATION, E-NO-RUN, E-JOURNAL.
    """
    return matrix_of(RunReading(folder), at if isinstance(at, At) else At.parse(at), only)


def matrix_of(
    reading: RunReading, at: At, only: Iterable[str] | None = None, trials: Trials | None = None
) -> Matrix:
    """The same, for a run that is read already; `trials` are kept by who asks at many moments."""
    trials = trials or Trials(reading)
    parties = tuple(reading.network.names)
    matrix = Matrix(reading.folder.number, at, (*parties, BROKER))
    for found, transaction in _rows(reading, only):
        matrix.add(Row(found.id, found.name, transaction))
    matrix.captured = trials.broker.blobs
    carriers = Carriers(reading, matrix)
    for name in parties:
        _Column(reading, matrix, name, carriers, trials).fill()
    apply_rules(matrix, reading)
    if only is None:
        carriers.drop_rows()
    mark_totals(reading, matrix)
    _fill_broker(reading, matrix, trials.broker)
    if at.height is not None and at.height > (highest := reading.highest().height):
        matrix.notes.append(f"there is no block {at.height}: the ledger is {highest} high; this is its end")
    return matrix


def _rows(
    reading: RunReading, only: Iterable[str] | None
) -> Iterable[tuple[Found, PrivateTransaction | None]]:
    """Transactions on any ledger, in chain order, and then those submitted that are on none."""
    public: dict[bytes, PrivateTransaction | None] = {}
    for node in sorted(reading.nodes().values(), key=lambda node: -node.height):
        for ordered, transaction in node.private():
            public.setdefault(ordered.id, transaction)
    if only is not None:
        chosen = [reading.find(tx) for tx in only]
        for found in chosen:
            _refuse_public(reading, found)
        return [(found, public.get(found.id)) for found in chosen]
    for label in reading.labels:
        if label.kind:
            continue  # A public record, or a carrier that no ledger has yet.
        public.setdefault(bytes.fromhex(label.tx), None)
    return [(Found(identifier, reading.label(identifier)), each) for identifier, each in public.items()]


def _refuse_public(reading: RunReading, found: Found) -> None:
    ordered = reading.highest().transactions.get(found.id)
    if ordered is not None and not isinstance(ordered.transaction, PrivateTransaction):
        raise PrivityError(
            "E-TX",
            f"{reading.name_of(ordered)} is public: everybody reads all of it",
            next=f"privity show tx {reading.name_of(ordered)}",
        )


class Trials:
    """What comes of each party's key on each blob of its own, and what the broker carried, found out once.

    Only when something was held differs from moment to moment: keys and what they open do not.
    """

    def __init__(self, reading: RunReading) -> None:
        self._reading = reading
        self._outcomes: dict[tuple[str, bytes], Payload | NotAParty | Unreadable] = {}
        self._unsealed: dict[tuple[str, bytes], Unsealed | NotAParty | Unreadable] = {}
        self._shares: dict[tuple[str, bytes], str | None] = {}
        self._keys: dict[str, WrappingKey | PrivityError] = {}

    @cached_property
    def broker(self) -> BrokerView:
        """What the recorder saw the broker carry, with the ciphertexts that some node has erased since."""
        gone = {identifier for node in self._reading.nodes().values() for identifier in erased_at(node)}
        return read_broker(self._reading.folder.capture, capture_offset_ms(self._reading), gone)

    def key(self, name: str) -> WrappingKey:
        """The party's wrapping key. Raises E-KEYS."""
        if name not in self._keys:
            try:
                self._keys[name] = self._reading.keys(name).wrapping
            except PrivityError as error:
                self._keys[name] = error
        found = self._keys[name]
        if isinstance(found, PrivityError):
            raise found
        return found

    @property
    def network(self) -> Network:
        return self._reading.network

    def unsealed(self, name: str, identifier: bytes, transaction: PrivateTransaction, blob: Blob) -> Unsealed:
        """What a party's key makes, in the end, of what lies under a seal, with the releases on its ledger.

        Raises NotAParty, Unreadable, E-KEYS.
        """
        found = self._unsealed.get((name, identifier))
        if found is None:
            releases = self._reading.node(name).seals.releases_of(identifier)
            try:
                found = open_sealed(self.network, transaction, blob, name, self.key(name), releases)
            except (NotAParty, Unreadable) as outcome:
                found = outcome
            self._unsealed[name, identifier] = found
        if isinstance(found, Exception):
            raise found
        return found

    def share_symbol(
        self, name: str, identifier: bytes, transaction: PrivateTransaction, blob: Blob
    ) -> str | None:
        """Whether an opener could read it alone, or with others: shares are unwrapped and combined to see.

        None for who is no opener, or whose share leads nowhere.
        """
        if (name, identifier) not in self._shares:
            self._shares[name, identifier] = self._try_shares(name, transaction, blob)
        return self._shares[name, identifier]

    def _try_shares(self, name: str, transaction: PrivateTransaction, blob: Blob) -> str | None:
        seal = self.network.sealed_for(transaction)
        if seal is None or name not in seal.openers:
            return None
        shares = []
        for opener in (name, *(other for other in seal.openers if other != name)):
            try:
                shares.append(own_share(self.network, transaction, blob, opener, self.key(opener)))
            except (NotAParty, Unreadable, PrivityError):
                if opener == name:
                    return None
            if len(shares) == seal.threshold:
                break
        with suppress(Unreadable):
            if len(shares) == seal.threshold:
                open_with(transaction, blob, combine(shares))
                return COULD if seal.threshold == 1 else TOGETHER
        return None

    def payload(self, name: str, identifier: bytes, transaction: PrivateTransaction, blob: Blob) -> Payload:
        """What a party's key makes of the blob in its own folder. Raises NotAParty, Unreadable, E-KEYS."""
        found = self._outcomes.get((name, identifier))
        if found is None:
            try:
                found = unseal(transaction, blob, self.key(name)).payload
            except (NotAParty, Unreadable) as outcome:
                found = outcome
            self._outcomes[name, identifier] = found
        if isinstance(found, Exception):
            raise found
        return found


def erased_at(node: NodeReading) -> set[bytes]:
    """The transactions whose ciphertext this node has erased, at whatever moment."""
    return {bytes.fromhex(holding.tx) for holding in node.holdings if holding.erased == "blob"}


class _Column:
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


def _fill_broker(reading: RunReading, matrix: Matrix, view: BrokerView) -> None:
    until = until_ms(reading, matrix.at)
    for row in matrix.rows:
        row.held[BROKER] = _broker_cell(row, view, until, erased=row.id in matrix.erased)
    if not matrix.rows:
        return
    kept = [row.name for row in matrix.rows if row.id in matrix.erased and _has_ciphertext(row, BROKER)]
    if kept:
        more = f" and {len(kept) - NAMED_AT_MOST} more" if len(kept) > NAMED_AT_MOST else ""
        matrix.notes.append(
            f"{', '.join(kept[:NAMED_AT_MOST])}{more}: erased by the nodes; what the broker carried cannot be"
            " called back"
        )
    if not view.recorded:
        matrix.notes.append("the broker was not recorded: its column is what must have passed through it")
    elif not view.complete:
        matrix.notes.append("the recorder missed a part of what the broker carried: it may hold more")


def _has_ciphertext(row: Row, column: str) -> bool:
    return row.held[column].symbol in WITH_CIPHERTEXT


def _broker_cell(row: Row, view: BrokerView, until: int | None, *, erased: bool) -> Cell:
    """No key is tried: the broker has none, and a content key never travels unwrapped."""
    if row.id in view.carried:
        carried_ms = view.carried[row.id]
        if until is None or carried_ms <= until:
            return Cell(CIPHERTEXT, "", Since(carried_ms, None))
        return Cell(NOTHING)
    # Not in the capture, if there is one. But whatever a node got, the broker brought.
    had = (*WITH_CIPHERTEXT, COMMITMENT) if erased else WITH_CIPHERTEXT
    arrived = [cell.since for cell in row.held.values() if cell.symbol in had and cell.since]
    return Cell(CIPHERTEXT, "", Since(min(arrived).t_ms, None)) if arrived else Cell(NOTHING)


def capture_offset_ms(reading: RunReading) -> int:
    """What the times of the capture lack to count from the genesis: run.json says when it began."""
    created_ms = reading.network.created_ms
    return int(reading.run.get("capture_ms", created_ms)) - created_ms


def until_ms(reading: RunReading, at: At) -> int | None:
    """The broker knows no heights: a block's moment is when the last node had executed it."""
    if at.height is None:
        return at.t_ms
    times = [
        holding.t
        for node in reading.nodes().values()
        for holding in node.holdings
        if holding.height <= at.height
    ]
    return max(times, default=0)


def _moment(since: Since) -> tuple[int, int]:
    assert since.height is not None, "only the broker knows no height"
    return since.t_ms, since.height
