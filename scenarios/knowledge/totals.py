"""Totals in the matrix: rows of which one learns a sum and no value, and what totals tell together.

A row is one of a total when a round on the ledger names it as the envelope of its result, and when what was
opened of it is nothing but a total. An envelope with anything else in it is read like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from node.aggregation.differencing import given_away
from node.aggregation.envelopes import FIELDS
from node.aggregation.following import rounds_on
from node.aggregation.rounds import DONE, ENDED, Round
from node.run_reading import Found, RunReading
from scenarios.knowledge.rows import Matrix, Row

TOGETHER = 12  # So many totals on one field are looked at in pairs.


def mark_totals(reading: RunReading, matrix: Matrix) -> None:
    """Let cells of totals say so, and note what follows from them."""
    rounds = list(rounds_on(reading.highest()).by_id.values())
    if not rounds:
        return
    carriers = {at.result.carrier: at for at in rounds if at.result is not None}
    shown: list[Round] = []
    for row in matrix.rows:
        at = carriers.get(row.id)
        if at is None:
            continue
        if is_total(row):
            row.aggregate = True
            shown.append(at)
            matrix.notes += _of_one(row.name, at)
        else:
            matrix.notes.append(f"{row.name}: its envelope holds more than the total")
    names = {at.id: _name(reading, at) for at in rounds}
    matrix.notes += _together(shown, names)
    if len(matrix.rows) > 1 or shown:
        matrix.notes += [
            f"{names[at.id]} ended without a total: {at.ended}" for at in rounds if at.phase == ENDED
        ]


def is_total(row: Row) -> bool:
    """Whether nothing but a total was opened of this row, or nothing at all."""
    return {path[0] for path in row.fields} <= FIELDS and all(len(path) == 1 for path in row.fields)


def sets_known_to(reading: RunReading, matrix: Matrix, name: str) -> dict[str, list[frozenset[str]]]:
    """By field: the sets of contributors of which this party has the total, by what it could open."""
    found: dict[str, list[frozenset[str]]] = {}
    for at in rounds_on(reading.highest()).by_id.values():
        if at.phase == DONE and at.result is not None and at.result.carrier.hex() in matrix:
            row = matrix.row(at.result.carrier.hex())
            if name in row.readers():
                found.setdefault(at.start.field, []).append(frozenset(at.present))
    return found


def _of_one(name: str, at: Round) -> list[str]:
    count = len(at.present)
    absent = ", ".join(at.dropped())
    return [
        f"{name}: a total of {count} values: any {count - 1} of them together know the last one's"
        + (f"; without {absent}" if absent else "")
    ]


def _together(rounds: Sequence[Round], names: dict[bytes, str]) -> list[str]:
    notes = []
    for first, second in combinations(rounds[:TOGETHER], 2):
        if first.start.field == second.start.field:
            told = given_away([frozenset(first.present), frozenset(second.present)])
            if told is not None:
                notes.append(f"{names[first.id]} and {names[second.id]} together give {told[0]}'s value away")
    return notes


def _name(reading: RunReading, at: Round) -> str:
    return Found(at.id, reading.label(at.id)).name.removesuffix("-round")
