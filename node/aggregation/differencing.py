"""Whether totals over different sets of contributors, taken together, give a single value away.

Each total is an equation in the contributors' values: the sum over its set. Whoever knows some totals and, as
a contributor, his own value, can solve for another one's value exactly when its unit vector lies in the span
of what he knows. Two sets that differ by one contributor are the plainest case; three totals can do it too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from fractions import Fraction

Row = list[Fraction]


def given_away(sets: Iterable[Set[str]]) -> tuple[str, str] | None:
    """A contributor whose value these totals give away and to whom: a name, or "" for whoever has them all.

    None if no value is given away to anybody. A contributor counts as knowing its own value and nothing more.
    """
    known = dict.fromkeys(frozenset(each) for each in sets)  # The same question twice tells nothing new.
    names = sorted(frozenset().union(*known))
    rows = _reduced([[Fraction(name in each) for name in names] for each in known])
    for knower in ("", *names):
        own = [_unit(names, knower)] if knower else []
        reduced = _reduced([*rows, *own])
        for row in reduced:
            seen = [name for name, part in zip(names, row, strict=True) if part]
            if len(seen) == 1 and seen[0] != knower:
                return seen[0], knower
    return None


def _unit(names: Sequence[str], name: str) -> Row:
    return [Fraction(each == name) for each in names]


def _reduced(rows: Sequence[Row]) -> list[Row]:
    """The reduced row echelon form, without rows of zeros: it has a unit vector if the span has one."""
    left, done = [list(row) for row in rows], list[Row]()
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((row for row in left if row[column]), None)
        if pivot is None:
            continue
        left.remove(pivot)
        pivot = [part / pivot[column] for part in pivot]
        left = [_without(row, pivot, column) for row in left]
        done = [*(_without(row, pivot, column) for row in done), pivot]
    return done


def _without(row: Row, pivot: Row, column: int) -> Row:
    factor = row[column]
    return [part - factor * own for part, own in zip(row, pivot, strict=True)] if factor else row
