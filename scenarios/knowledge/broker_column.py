"""The broker's column of the matrix: what the recorder saw it carry, and no key at all."""

from __future__ import annotations

from node.run_reading import RunReading
from scenarios.knowledge.broker_view import BrokerView, until_ms
from scenarios.knowledge.opening import Since
from scenarios.knowledge.rows import CIPHERTEXT, COMMITMENT, NOTHING, WITH_CIPHERTEXT, Cell, Matrix, Row
from scenarios.model.prediction import BROKER

NAMED_AT_MOST = 8
"""Of transactions that one note is about; the cells say the same of all."""


def fill_broker(reading: RunReading, matrix: Matrix, view: BrokerView) -> None:
    """Say of every row whether the broker had its ciphertext; the parties' columns are filled before."""
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
