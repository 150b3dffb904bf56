"""The privacy matrix at the start, at every change, and at the end; metadata and what can be inferred."""

from __future__ import annotations

from itertools import pairwise

from node.cells import cell_meaning
from scenarios.knowledge.changes import Change, changes, moments_of_change
from scenarios.knowledge.matrix import matrix_of
from scenarios.knowledge.moments import At
from scenarios.knowledge.rows import NOTHING, Matrix
from scenarios.knowledge.rows import Cell as Held
from scenarios.knowledge.rows import Row as MatrixRow
from scenarios.knowledge.view import BROKER_SEES, BROKER_SEES_OFF_CHAIN, METADATA, inference_of, metadata_rows
from scenarios.report.elements import Cell, Html, Row, bullets, element, join, paragraphs, table
from scenarios.report.material import Material
from scenarios.report.shortening import left_out, shortened

CHANGES = 40  # So many moments are shown.
# A reader who only wants the outcome jumps there; before it a long run has pages of changes.
END = "report:end"
EMPTY = 20  # A table of more rows with nothing in them is a sentence.
_KINDS = {"●": "reads", "◐": "could", "◔": "could", "Σ": "total", "○": "cipher", "#": "hash", "·": "none"}


def matrices(material: Material) -> Html:
    """Before the first transaction, then cell by cell what changed when, then as it was at the end."""
    if not material.matrix.rows:
        return paragraphs("No private transaction was submitted.")
    start = matrix_of(material.reading, At(height=0), trials=material.trials)
    parts = [
        paragraphs(
            "Found out by trying: each party's own key on what lies in its own folder, and for the broker "
            "what passed it. A cell has a symbol, its meaning in words, and for a reader also a letter.",
            "This page tells who reads what, which the ledger hides from all but the readers.",
        ),
        element("p", element("a", "As it was at the end", href=f"#{END}")),
        element("h3", "At the start, before the first private transaction"),
        _start(material, start),
        element("h3", "What changed, by event order"),
        *_changed(material),
        element("h3", "At the end", id_=END),
        _whole(material, material.matrix, anchors=True),
    ]
    if material.matrix.notes:
        parts.append(bullets(f"! {note}" for note in dict.fromkeys(material.matrix.notes)))
    return join(parts)


def _start(material: Material, matrix: Matrix) -> Html:
    """A table, unless it were a long one full of nothing."""
    held = any(cell.symbol != NOTHING for row in matrix.rows for cell in row.cells.values())
    if held or len(matrix.rows) <= EMPTY:
        return _whole(material, matrix)
    everybody = ", ".join(matrix.columns)
    return paragraphs(f"{NOTHING} nothing, of each of the {len(matrix.rows)} transactions: {everybody}.")


def _whole(material: Material, matrix: Matrix, anchors: bool = False) -> Html:
    shown, hidden = shortened(matrix.rows)
    when = "at the end" if matrix.at.is_end else f"at {matrix.at}"
    rows = [_row(row, anchor=row.name if anchors else "") for row in shown]
    parts = [table(f"Who could read what {when}", ["tx", *matrix.columns], rows)]
    at = "" if matrix.at.is_end else f' --at "{matrix.at}"'
    if note := left_out(hidden, "transactions", f"privity who-sees --run {material.folder.number} --csv{at}"):
        parts.append(paragraphs(note))
    return join(parts)


def _row(row: MatrixRow, *, anchor: str = "") -> Row:
    return Row(row.name, [_cell(cell) for cell in row.cells.values()], anchor=anchor)


def _cell(cell: Held, before: Held | None = None) -> Cell:
    shown = cell.text()
    words = cell_meaning(f"{cell.symbol} {cell.reason}".rstrip())
    if cell.part is not None:
        words = f"a part of the fields; {words}"
    kind = _KINDS[cell.symbol]
    if before is None:
        return Cell(shown, words, kind)
    return Cell(shown, f"{words}; was {before.text()}", f"{kind} changed")


def _changed(material: Material) -> list[Html]:
    """A table for each moment. Of a long run the first and the last moments, compared with the one before."""
    moments = [At(height=0), *moments_of_change(material.reading)]
    pairs, hidden = shortened(list(pairwise(moments)), CHANGES)
    parts: list[Html] = []
    for before, after in pairs:
        parts += [
            _moment(material, change)
            for change in changes(material.reading, (before, after), material.trials)
        ]
    if not parts:
        return [paragraphs("Nothing changed.")]
    if hidden:
        first = f'--at "block {moments[CHANGES].height}"'
        more = f"privity who-sees --run {material.folder.number} {first}, and so on"
        parts.append(paragraphs(left_out(hidden, "moments", more)))
    return parts


def _moment(material: Material, change: Change) -> Html:
    """The rows that changed; cells that did are marked and say what they were."""
    touched = {identifier for identifier, _ in change.cells}
    rows = [row for row in change.matrix.rows if row.id in touched]
    shown, hidden = shortened(rows)
    made = [
        Row(
            row.name,
            [_cell(cell, change.cells.get((row.id, column))) for column, cell in row.cells.items()],
        )
        for row in shown
    ]
    when = "end" if change.at.is_end else str(change.at)
    caption = f"At {when}: {len(change.cells)} cells changed{_time(material, change.at)}"
    parts = [table(caption, ["tx", *change.matrix.columns], made)]
    if hidden:
        more = f'privity who-sees --run {material.folder.number} --at "{when}" --csv'
        parts.append(paragraphs(left_out(hidden, "transactions", more)))
    return join(parts)


def _time(material: Material, at: At) -> str:
    if at.height is None or (t_ms := material.course.committed.get(at.height)) is None:
        return ""
    return f" (committed at {t_ms / 1000:.3f}s)"


def metadata(material: Material) -> Html:
    """Who learns sender, recipients, time and size, and what follows from that."""
    if not material.metadata:
        return paragraphs("No private transaction is on a ledger.")
    shown, hidden = shortened(metadata_rows(material.metadata, material.matrix))
    rows = [Row(name, cells) for name, *cells in shown]
    sees = (*BROKER_SEES, *BROKER_SEES_OFF_CHAIN) if material.reading.network.off_chain else BROKER_SEES
    parts = [
        table("Who learns it without reading the content", METADATA, rows),
        paragraphs(" ".join(sees) + "."),
        element("h3", "What can be inferred"),
        _inference(material),
    ]
    if hidden:
        more = f"privity who-sees --run {material.folder.number} --metadata --json"
        parts.insert(1, paragraphs(left_out(hidden, "transactions", more)))
    return join(parts)


def _inference(material: Material) -> Html:
    """One line for each thing that can be inferred, with the transactions it can be inferred of."""
    found: dict[str, list[str]] = {}
    for each in material.metadata:
        for line in inference_of(each, len(material.matrix.columns) - 1):
            found.setdefault(line, []).append(each.name)
    if not found:
        return paragraphs("Nothing from the number of key slots.")
    return bullets(f"{_some(names)}: {line}" for line, names in found.items())


def _some(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
