"""A party's own ledger, followed for rounds of aggregation: what its own node executed, nothing else."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from node.aggregation.rounds import Place, Rounds
from node.chain.act import ActTransaction
from node.chain.journal import BodiesRecord, Journal
from node.chain.ledger import EXECUTED
from node.chain.reading import NodeReading
from node.chain.store import Store, TransactionRow
from node.errors import PrivityError
from node.wire import AnyTransaction


class LedgerFollower:
    """The rounds on the ledger in one node's folder, read anew from where the last look ended."""

    def __init__(self, folder: Path, network_id: bytes) -> None:
        self.folder = folder
        self._network_id = network_id
        self._height = 0
        self.rounds = Rounds()
        self.seen: set[bytes] = set()  # Acts on the ledger, by id.

    def look(self) -> None:
        """Take in the blocks that came since the last look. A folder that cannot be read now waits."""
        with suppress(sqlite3.Error, OSError, PrivityError):
            with closing(Store(self.folder, read_only=True)) as store:
                rows = store.transactions_after(self._height)
            if rows:
                path = self.folder / "journal"
                with closing(Journal.open_read_only(path, self._network_id)) as journal:
                    bodies = list(_bodies(journal, rows))
                for row, transaction in zip(rows, bodies, strict=True):
                    self._height = row.height
                    if isinstance(transaction, ActTransaction) and row.outcome == EXECUTED:
                        place = Place(row.id, transaction.act.sender, row.height)
                        self.rounds.apply(place, transaction.act.deed)
                        self.seen.add(row.id)


def transaction_at(folder: Path, network_id: bytes, row: TransactionRow) -> AnyTransaction:
    """The transaction of an index row, from the journal in a node's folder. Raises OSError, PrivityError."""
    with closing(Journal.open_read_only(folder / "journal", network_id)) as journal:
        return next(_bodies(journal, [row]))


def _bodies(journal: Journal, rows: list[TransactionRow]) -> Iterator[AnyTransaction]:
    at, record = -1, None
    for row in rows:
        if row.body_at != at:
            at, record = row.body_at, journal.read(row.body_at)
        assert isinstance(record, BodiesRecord)
        yield record.transactions[row.body_position]


def rounds_on(reading: NodeReading) -> Rounds:
    """The rounds on a node's ledger, from a reading of all of it."""
    rounds = Rounds()
    for ordered, act in reading.acts():
        rounds.apply(Place(ordered.id, act.sender, ordered.height), act.deed)
    return rounds
