"""The privacy matrix of a run: who holds what of each transaction, found out by trying to decrypt.

No list of recipients is read. For each party its own wrapping key is held against the blobs in its own
folder; the broker is given what the recorder saw it carry, and no key at all. Rows are transactions in
chain order, columns are the parties as in the genesis, and then the broker.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from node.chain.reading import NodeReading, Ordered
from node.envelopes.envelope import NotAParty, Unreadable, unseal
from node.envelopes.keys import WrappingKey
from node.envelopes.transaction import PrivateTransaction
from node.errors import PrivityError
from node.run_folder import RunFolder
from node.run_reading import Found, RunReading
from scenarios.knowledge.broker_view import BrokerView, read_broker
from scenarios.knowledge.moments import At
from scenarios.model.prediction import BROKER

SCHEMA = "privity.matrix/1"
WHOLE = "*"
READS, CIPHERTEXT, COMMITMENT, NOTHING = "●", "○", "#", "·"
SENDER, NAMED = "S", "N"


class Since(NamedTuple):
    """When something was gained: ms since genesis, and the height of the node then (None for the broker)."""

    t_ms: int
    height: int | None


class Cell(NamedTuple):
    """What one holds of a transaction, why, and since when; symbols and reasons as in node/cells.py."""

    symbol: str
    reason: str = ""
    since: Since | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One transaction. `name` is its label or 8 hex digits; `transaction` is None if no ledger has it."""

    id: bytes
    name: str
    transaction: PrivateTransaction | None
    cells: dict[str, Cell]

    def having(self, *symbols: str) -> list[str]:
        """The columns with one of these symbols, in order."""
        return [column for column, cell in self.cells.items() if cell.symbol in symbols]


@dataclass(slots=True)
class Matrix:
    """Who held what at one moment. `notes` say in words what the cells cannot."""

    run: str
    at: At
    columns: tuple[str, ...]
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    untried: set[str] = field(default_factory=set)  # Parties of whom it cannot be told what they read.
    _by_name: dict[str, Row] = field(default_factory=dict, repr=False)

    def add(self, row: Row) -> None:
        """Append a row."""
        self.rows.append(row)
        self._by_name[row.id.hex()] = row
        self._by_name.setdefault(row.name, row)

    def row(self, tx: str) -> Row:
        """The row of a transaction, by name or by its 64 hex digits. Raises KeyError."""
        return self._by_name[tx]

    def __contains__(self, tx: str) -> bool:
        return tx in self._by_name

    def readers(self, tx: str) -> set[str]:
        """The parties that read the content. The broker is given no key, so it is never one of them: that
        none passed it is for the leak scan to show.
        """
        return set(self.row(tx).having(READS))

    def ordered(self, tx: str) -> bool:
        """Whether every party's own ledger had this transaction at that moment."""
        return not set(self.row(tx).having(NOTHING)) - {BROKER}

    def document(self) -> dict[str, Any]:
        """The matrix as a document of schema `privity.matrix/1`; `since` has seconds since genesis."""
        return {
            "schema": SCHEMA,
            "run": self.run,
            "at": str(self.at),
            "columns": list(self.columns),
            "rows": [
                {
                    "tx": row.name,
                    "field": WHOLE,
                    "cells": {column: _cell_document(cell) for column, cell in row.cells.items()},
                }
                for row in self.rows
            ],
        }


def build_matrix(folder: RunFolder, at: str | At = "end", only: Iterable[str] | None = None) -> Matrix:
    """The matrix of a run, running or stopped, at a moment (`11s`, `block 9`, `end`).

    `only` limits it to these transactions, each named as everywhere: by label or by first digits.
    Raises PrivityError: E-TX, E-DURATION, E-NO-RUN, E-JOURNAL.
    """
    return matrix_of(RunReading(folder), at if isinstance(at, At) else At.parse(at), only)


def matrix_of(reading: RunReading, at: At, only: Iterable[str] | None = None) -> Matrix:
    """The same, for a run that is read already."""
    parties = tuple(reading.network.names)
    matrix = Matrix(reading.folder.number, at, (*parties, BROKER))
    for found, transaction in _rows(reading, only):
        matrix.add(Row(found.id, found.name, transaction, {}))
    for name in parties:
        _Column(reading, matrix, name).fill()
    _fill_broker(reading, matrix)
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
        return [(found, public.get(found.id)) for found in map(reading.find, only)]
    for label in reading.labels:
        public.setdefault(bytes.fromhex(label.tx), None)
    return [(Found(identifier, reading.label(identifier)), each) for identifier, each in public.items()]


class _Column:
    """One party's column: its folder, its key, and nothing that is anybody else's."""

    def __init__(self, reading: RunReading, matrix: Matrix, name: str) -> None:
        self._matrix = matrix
        self._name = name
        self._node: NodeReading = reading.node(name)
        self._created_ms = reading.network.created_ms
        self._key: WrappingKey | None = None
        try:
            self._key = reading.keys(name).wrapping
        except PrivityError as error:
            matrix.untried.add(name)
            matrix.notes.append(f"{name} reads nothing here, because its keys cannot be used: {error.why}")
        # All that was ever gained counts for `since`; what was gained by then and not erased can be tried.
        self._gained: dict[str, Since] = {}
        self._held: set[str] = set()
        for holding in self._node.holdings:
            if holding.gained == "blob":
                self._gained.setdefault(holding.tx, Since(holding.t, holding.height))
            if matrix.at.reached(holding.t, holding.height):
                if holding.gained == "blob":
                    self._held.add(holding.tx)
                elif holding.erased == "blob":
                    self._held.discard(holding.tx)

    def fill(self) -> None:
        """Add this party's cell to every row."""
        for row in self._matrix.rows:
            row.cells[self._name] = self._cell(row)

    def _cell(self, row: Row) -> Cell:
        ordered = self._node.transactions.get(row.id)
        since = self._gained.get(row.id.hex()) or self._ordered_since(ordered)
        waiting = None if ordered is not None else self._node.transient(row.id)
        if waiting is not None and row.id.hex() in self._held and self._key is not None:
            # Handed over and not ordered (yet): it can be read all the same.
            with contextlib.suppress(NotAParty, Unreadable):
                unseal(waiting.transaction, waiting.blob, self._key)
                return Cell(READS, self._reason(waiting.transaction), since)
        # A blob of which nothing is noted lies there now, and from nobody knows when.
        if row.transaction is not None and (
            row.id.hex() in self._held or (self._matrix.at.is_end and self._node.has_blob(row.id))
        ):
            tried = self._try(row, row.transaction, since)
            if tried is not None:
                return tried
        if since is not None and ordered is not None and self._matrix.at.reached(*_moment(since)):
            return Cell(COMMITMENT, "", since)
        return Cell(NOTHING)

    def _try(self, row: Row, transaction: PrivateTransaction, since: Since | None) -> Cell | None:
        """What comes of the blob with this party's key; None if the blob is gone or not the one ordered."""
        blob = self._node.blob(row.id)
        if blob is None:
            return None
        if self._key is None:
            return Cell(CIPHERTEXT, "", since)
        try:
            unseal(transaction, blob, self._key)
        except NotAParty:
            return Cell(CIPHERTEXT, "", since)
        except Unreadable as error:
            if error.reason.startswith("blob_"):
                return None
            self._matrix.untried.add(self._name)
            self._matrix.notes.append(
                f"{row.name}: {self._name} holds a key, and what it opens is not what the sender committed to"
            )
            return Cell(CIPHERTEXT, "", since)
        return Cell(READS, self._reason(transaction), since)

    def _reason(self, transaction: PrivateTransaction) -> str:
        return SENDER if transaction.header.core.sender == self._name else NAMED

    def _ordered_since(self, ordered: Ordered | None) -> Since | None:
        """The time of its block, where nothing tells when exactly this node executed it."""
        block = None if ordered is None else self._node.block(ordered.height)
        return None if block is None else Since(block.header.time_ms - self._created_ms, block.height)


def _fill_broker(reading: RunReading, matrix: Matrix) -> None:
    # The capture counts from its own start; run.json says when that was.
    start_ms = reading.run.get("capture_ms", reading.network.created_ms)
    view = read_broker(reading.folder.capture, start_ms - reading.network.created_ms)
    until_ms = _until_ms(reading, matrix.at)
    for row in matrix.rows:
        row.cells[BROKER] = _broker_cell(row, view, until_ms)
    if not matrix.rows:
        return
    if not view.recorded:
        matrix.notes.append("the broker was not recorded: its column is what must have passed through it")
    elif not view.complete:
        matrix.notes.append("the recorder missed a part of what the broker carried: it may hold more")


def _broker_cell(row: Row, view: BrokerView, until_ms: int | None) -> Cell:
    """No key is tried: the broker has none, and a content key never travels unwrapped."""
    if row.id in view.carried:
        carried_ms = view.carried[row.id]
        if until_ms is None or carried_ms <= until_ms:
            return Cell(CIPHERTEXT, "", Since(carried_ms, None))
        return Cell(NOTHING)
    # Not in the capture, if there is one. But whatever a node got, the broker brought.
    arrived = [cell.since for cell in row.cells.values() if cell.symbol in (READS, CIPHERTEXT) and cell.since]
    return Cell(CIPHERTEXT, "", Since(min(arrived).t_ms, None)) if arrived else Cell(NOTHING)


def _until_ms(reading: RunReading, at: At) -> int | None:
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


def _cell_document(cell: Cell) -> dict[str, Any]:
    since = None
    if cell.since is not None:
        since = {"seconds": round(cell.since.t_ms / 1000, 3), "height": cell.since.height}
    return {"symbol": cell.symbol, "reason": cell.reason, "since": since}
