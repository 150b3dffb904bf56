"""The privacy matrix: a row for each transaction and for each field of it, a column for each party.

A row has two things of each column: what it holds unread (`held`: ciphertext, commitment, nothing), and
what it can read (`knows`, the set of fields opened, each with reason and time). A cell is made of both.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from node.cells import cell_text
from node.chain.standing import Place
from node.envelopes.fields import Path
from node.envelopes.payload import Leaf
from node.envelopes.transaction import Blob, PrivateTransaction
from scenarios.knowledge.moments import At
from scenarios.knowledge.opening import Knowledge, Since, path_order
from scenarios.model.field_names import field_text
from scenarios.model.prediction import BROKER

SCHEMA = "privity.matrix/1"
WHOLE = "*"
READS, COULD, TOGETHER, CIPHERTEXT, COMMITMENT, NOTHING = "●", "◐", "◔", "○", "#", "·"
WITH_CIPHERTEXT = (CIPHERTEXT, COULD, TOGETHER)
AGGREGATE = "Σ"
SENDER, NAMED, DISCLOSED, RULE = "S", "N", "D", "K"
UNSEALED, OPENER, WILL_READ = "U", "O", "W"
_UNKNOWING = Knowledge()


class Cell(NamedTuple):
    """What one holds of a transaction or field, why, and since when; symbols, reasons as in node/cells.py.

    `part` is how many fields are read of how many, if not all; the second is None if nobody knows.
    """

    symbol: str
    reason: str = ""
    since: Since | None = None
    part: tuple[int, int | None] | None = None

    def text(self, *, ascii_only: bool = False) -> str:
        """`● S`, `○`; `● 2/5` for who reads two of five fields."""
        if self.part is None:
            return cell_text(self.symbol, self.reason, ascii_only=ascii_only)
        read, of = self.part
        return f"{cell_text(self.symbol, ascii_only=ascii_only)} {read}/{'?' if of is None else of}"

    def document(self) -> dict[str, Any]:
        """For `--json`; `since` has seconds since genesis. `part` is there only for who reads a part."""
        since = None
        if self.since is not None:
            since = {"seconds": round(self.since.t_ms / 1000, 3), "height": self.since.height}
        document = {"symbol": self.symbol, "reason": self.reason, "since": since}
        if self.part is not None:
            document["part"] = {"read": self.part[0], "of": self.part[1]}
        return document


@dataclass(slots=True)
class Row:
    """One transaction. `name` is its label or 8 hex digits; `transaction` is None if no ledger has it.

    `rule` is the leaf of its owner's rule, None if nobody opened one. `shown` has the disclosures by
    receiver, place and discloser of each; `bound` whom only the rule forbids to read what it can, and why.
    """

    id: bytes
    name: str
    transaction: PrivateTransaction | None
    held: dict[str, Cell] = field(default_factory=dict)
    knows: dict[str, Knowledge] = field(default_factory=dict)
    rule: Leaf | None = field(default=None, repr=False)
    shown: dict[str, list[tuple[Place, str]]] = field(default_factory=dict)
    bound: dict[str, str] = field(default_factory=dict)
    aggregate: bool = False  # Whoever opens it learns a total, and no value.
    unsealed_by: tuple[str, ...] = ()  # The openers whose shares opened it to somebody, if any did.

    def learn(self, column: str, knowledge: Knowledge) -> None:
        """Add what this column can read to what it is known to read already."""
        self.knows[column] = self.knows.get(column, _UNKNOWING) | knowledge

    @property
    def cells(self) -> dict[str, Cell]:
        """The cells of the whole transaction, in the order of the columns."""
        return {column: self._whole_cell(column, held) for column, held in self.held.items()}

    @property
    def fields(self) -> list[Path]:
        """The fields that somebody opened, in the order of the payload; no other names are known."""
        return sorted({path for known in self.knows.values() for path in known.opened}, key=path_order)

    def field_cells(self, path: Path) -> dict[str, Cell]:
        """The cells of one field."""
        found = {}
        for column, held in self.held.items():
            how = self.knows.get(column, _UNKNOWING).opened.get(path)
            found[column] = held if how is None else self._by_rule(column, self._cell(*how))
        return found

    def lines(self, *, fields: bool) -> list[tuple[str, dict[str, Cell]]]:
        """The cells of the whole, called `*`, and with `fields` those of each field by its name."""
        each = [(field_text(path), self.field_cells(path)) for path in self.fields] if fields else []
        return [(WHOLE, self.cells), *each]

    def having(self, *symbols: str) -> list[str]:
        """The columns with one of these symbols, in order."""
        return [column for column, cell in self.cells.items() if cell.symbol in symbols]

    def readers(self, name: str | None = None) -> list[str]:
        """The columns that read every field and may; with a name, as in `terms.price`, that field."""
        return [column for column in self.holders(name) if column not in self.bound]

    def holders(self, name: str | None = None) -> list[str]:
        """The same with those who hold it all the same, and whom only its owner's rule forbids to read it."""
        if name is None:
            return [column for column in self.held if self._known(column).whole]
        fields = self.fields
        return [column for column in self.held if self.knows.get(column, _UNKNOWING).covers(name, fields)]

    def key_holders(self) -> list[str]:
        """The columns that have the content key, in order: what it opens tells more than the fields."""
        return [column for column in self.held if self.knows.get(column, _UNKNOWING).key is not None]

    def _known(self, column: str) -> Knowledge:
        """What this column can read. Who opens the whole shows how many fields there are for all."""
        known = self.knows.get(column, _UNKNOWING)
        totals = [each.of for each in self.knows.values() if each.of is not None]
        return known if known.of is not None else replace(known, of=max(totals, default=None))

    def _whole_cell(self, column: str, held: Cell) -> Cell:
        known = self._known(column)
        if not known:
            return held
        part = None if known.whole else (len(known.opened), known.of)
        return self._by_rule(column, self._cell(*known.how(), part))

    def _by_rule(self, column: str, cell: Cell) -> Cell:
        return cell._replace(symbol=COULD, reason=RULE) if column in self.bound else cell

    def _cell(self, reason: str, since: Since | None, part: tuple[int, int | None] | None = None) -> Cell:
        """Of who opened it, or a part. Why one may know a total is in the round, and no reason of a cell."""
        return Cell(AGGREGATE, "", since, part) if self.aggregate else Cell(READS, reason, since, part)


@dataclass(slots=True)
class Matrix:
    """Who held what at one moment. `notes` say in words what the cells cannot."""

    run: str
    at: At
    columns: tuple[str, ...]
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    untried: set[str] = field(default_factory=set)  # Parties of whom it cannot be told what they read.
    captured: dict[bytes, Blob] = field(default_factory=dict)  # Ciphertexts that some node has erased.
    erased: set[bytes] = field(default_factory=set)  # What some party had erased by then.
    _by_name: dict[str, Row] = field(default_factory=dict, repr=False)

    def add(self, row: Row) -> None:
        """Append a row."""
        self.rows.append(row)
        self._by_name[row.id.hex()] = row
        self._by_name.setdefault(row.name, row)

    def drop(self, identifiers: Collection[bytes]) -> None:
        """Take these rows out again."""
        rows, self.rows, self._by_name = self.rows, [], {}
        for row in rows:
            if row.id not in identifiers:
                self.add(row)

    def row(self, tx: str) -> Row:
        """The row of a transaction, by name or by its 64 hex digits. Raises KeyError."""
        return self._by_name[tx]

    def __contains__(self, tx: str) -> bool:
        return tx in self._by_name

    def readers(self, tx: str, field: str | None = None) -> set[str]:
        """The parties that read all of the content, or this field of it. The broker is given no key, so it
        is never one of them: that none passed it is for the leak scan to show.
        """
        return set(self.row(tx).readers(field))

    def partly_reading(self, tx: str, field: str | None = None) -> set[str]:
        """The parties that read anything of it; of the field, if one is named."""
        row = self.row(tx)
        if field is None:
            return set(row.having(READS, COULD))
        return {column for column, known in row.knows.items() if known.touches(field)}

    def ordered(self, tx: str) -> bool:
        """Whether every party's own ledger had this transaction at that moment."""
        return not set(self.row(tx).having(NOTHING)) - {BROKER}

    def document(self) -> dict[str, Any]:
        """The matrix as a document of schema `privity.matrix/1`, a row for each transaction and field."""
        return {
            "schema": SCHEMA,
            "run": self.run,
            "at": str(self.at),
            "columns": list(self.columns),
            "rows": [
                {"tx": row.name, "field": name, "cells": _documents(cells, self.columns)}
                for row in self.rows
                for name, cells in row.lines(fields=True)
            ],
        }


def _documents(cells: dict[str, Cell], columns: Collection[str]) -> dict[str, Any]:
    return {column: cells[column].document() for column in columns}
