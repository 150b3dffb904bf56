"""Two matrices compared, cell by cell: who reads what in one run and did not in the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from node.text import clean, plain
from scenarios.knowledge.opening import Knowledge
from scenarios.knowledge.rows import NOTHING, Cell, Matrix, Row

SCHEMA = "privity.matrix-diff/1"
_UNKNOWING = Knowledge()


class Change(NamedTuple):
    """One cell that is not what it was. `more` says that something is read that was not."""

    tx: str
    column: str
    before: Cell
    after: Cell
    more: bool

    def line(self, *, ascii_only: bool = False) -> str:
        """`loan-1: clearing  # -> ● N since block 5`."""
        before, after = (cell.text(ascii_only=ascii_only) for cell in (self.before, self.after))
        fields = " (other fields)" if before == after else ""
        since = self.after.since
        when = ""
        if since is not None:
            place = f"block {since.height}" if since.height is not None else f"{since.t_ms / 1000:.1f}s"
            when = f" since {place}"
        return f"{clean(self.tx)}: {self.column}  {before} -> {after}{fields}{when}"


@dataclass(slots=True)
class Difference:
    """What changed from one run to another, rows in the order of the later matrix.

    Transactions are the same if they have the same name: the id of their step. Those of one run only are
    named, and nothing else is said of them.
    """

    before: str
    after: str
    at: str
    changes: list[Change] = field(default_factory=list)
    only_before: list[str] = field(default_factory=list)
    only_after: list[str] = field(default_factory=list)

    @property
    def readers_added(self) -> list[Change]:
        """The changes by which somebody reads more."""
        return [change for change in self.changes if change.more]

    def about(self, tx: str) -> Difference:
        """What of it concerns one transaction."""
        return Difference(
            self.before,
            self.after,
            self.at,
            [change for change in self.changes if change.tx == tx],
            [name for name in self.only_before if name == tx],
            [name for name in self.only_after if name == tx],
        )

    def document(self) -> dict[str, Any]:
        """A document of schema `privity.matrix-diff/1`; cells as in `privity.matrix/1`."""
        return {
            "schema": SCHEMA,
            "run": self.after,
            "against": self.before,
            "at": self.at,
            "changed": [
                {
                    "tx": each.tx,
                    "column": each.column,
                    "before": each.before.document(),
                    "after": each.after.document(),
                    "reader_added": each.more,
                }
                for each in self.changes
            ],
            "only_in": {"run": self.only_after, "against": self.only_before},
            "readers_added": len(self.readers_added),
        }


def difference(before: Matrix, after: Matrix) -> Difference:
    """Compare by name. When something was gained is no difference: no two runs agree on that."""
    found = Difference(before.run, after.run, str(after.at))
    old, new = ({row.name: row for row in matrix.rows} for matrix in (before, after))
    found.only_before = [name for name in old if name not in new]
    found.only_after = [name for name in new if name not in old]
    columns = dict.fromkeys((*after.columns, *before.columns))
    for name, row in new.items():
        if name in old:
            found.changes += _changes(name, old[name], row, columns)
    return found


def difference_lines(found: Difference, *, ascii_only: bool = False) -> list[str]:
    """In words: each changed cell, what is in one run only, and what it comes to."""
    lines = [change.line(ascii_only=ascii_only) for change in found.changes]
    for run, names in ((found.before, found.only_before), (found.after, found.only_after)):
        if names:
            lines.append(f"in run {run} only: {clean(' '.join(names))}")
    cells = _counted(len(found.changes), "cell") if found.changes else "no cell"
    more = len(found.readers_added)
    readers = f"{_counted(more, 'reader')} added" if more else "no reader added"
    lines.append(f"{cells} changed from run {found.before} to run {found.after}: {readers}")
    return [plain(line, ascii_only=ascii_only) for line in lines]


def _changes(name: str, old: Row, new: Row, columns: dict[str, None]) -> list[Change]:
    before, after = old.cells, new.cells
    found = []
    for column in columns:
        was, now = before.get(column, Cell(NOTHING)), after.get(column, Cell(NOTHING))
        knew, knows = old.knows.get(column, _UNKNOWING), new.knows.get(column, _UNKNOWING)
        all_before, all_now = column in old.readers(), column in new.readers()
        new_fields = knows.opened.keys() - knew.opened.keys()
        # Who read all of it before reads no more now, whatever the fields are called.
        more = not all_before and (all_now or bool(new_fields))
        if was.text() != now.text() or more:
            found.append(Change(name, column, was, now, more))
    return found


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
