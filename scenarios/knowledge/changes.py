"""When the privacy matrix changed in the course of a run, and which of its cells did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from node.chain.deeds import Consent, Revocation
from node.run_reading import RunReading
from scenarios.knowledge.matrix import matrix_of
from scenarios.knowledge.moments import At
from scenarios.knowledge.rows import Cell, Matrix
from scenarios.knowledge.trials import Trials


@dataclass(frozen=True, slots=True)
class Change:
    """Cells that differ from the moment before: `cells` maps (row's id, column) to the cell as it was."""

    matrix: Matrix
    cells: dict[tuple[bytes, str], Cell]

    @property
    def at(self) -> At:
        return self.matrix.at


def moments_of_change(reading: RunReading) -> list[At]:
    """Every block at which a cell can differ from the block before, in order, and then the end.

    A cell changes when a private transaction is ordered, when a node gains or erases something, or when an
    owner agrees to something or takes it back; what the
    broker carried between two of these blocks is told with the later one.
    """
    heights: set[int] = set()
    for node in reading.nodes().values():
        heights |= {ordered.height for ordered, _ in node.private()}
        heights |= {holding.height for holding in node.holdings}
        for ordered, act in node.acts():
            if isinstance(act.deed, Consent | Revocation):
                heights.add(ordered.height)
                if isinstance(act.deed, Consent) and 0 < act.deed.until < node.height:
                    heights.add(act.deed.until + 1)
    return [*(At(height=height) for height in sorted(heights)), At()]


def changes(reading: RunReading, moments: Sequence[At], trials: Trials) -> Iterator[Change]:
    """What changed from each of these moments to the next; the first is only compared with."""
    for before, after in pairwise(matrix_of(reading, at, trials=trials) for at in moments):
        if cells := differing(before, after):
            yield Change(after, cells)


def differing(before: Matrix, after: Matrix) -> dict[tuple[bytes, str], Cell]:
    """The cells of two matrices of one run that are not the same, as they were before."""
    earlier = {row.id: row for row in before.rows}
    return {
        (row.id, column): earlier[row.id].cells[column]
        for row in after.rows
        if row.id in earlier  # A carrier that nobody can open any more may have a row anew.
        for column, cell in row.cells.items()
        if cell._replace(since=None) != earlier[row.id].cells[column]._replace(since=None)
    }
