"""Long tables: their beginning and their end, and in words what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

ROWS = 60  # A table of more rows is shortened to this many.
LAST = 10  # Of which from its end.


def shortened(rows: Sequence[T], most: int = ROWS, last: int = LAST) -> tuple[list[T], int]:
    """The first and the last of the rows, and how many are left out between them."""
    if len(rows) <= most:
        return list(rows), 0
    return [*rows[: most - last], *rows[-last:]], len(rows) - most


def left_out(count: int, what: str, more: str) -> str:
    """What a reader is told of rows that are not shown; `more` is where they are."""
    return (
        f"{count} {what} between the first and the last of this table are left out. All: {more}"
        if count
        else ""
    )
