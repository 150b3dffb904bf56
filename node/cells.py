"""The cells of the privacy matrix: what one holds, and why, as symbol, letter and word."""

from __future__ import annotations

from typing import NamedTuple


class Holding(NamedTuple):
    """What a party, or the broker, holds of one content."""

    symbol: str
    letter: str
    meaning: str


HOLDINGS = (
    Holding("●", "R", "reads the content"),
    Holding("◐", "K", "could read alone: holds a key, only a rule forbids"),
    Holding("◔", "J", "could read, but only together with others"),
    Holding("Σ", "A", "learns only an aggregate"),
    Holding("○", "C", "ciphertext, no key"),
    Holding("#", "H", "commitment only"),
    Holding("·", "-", "nothing"),
)
REASONS = {
    "S": "sender",
    "N": "named party",
    "O": "opener of the seal",
    "W": "will read when the seal opens",
    "U": "unsealed",
    "D": "disclosed later",
    "K": "only its owner's rule forbids it",
    "X": "leaked by an injected fault",
}
BY_SYMBOL = {holding.symbol: holding for holding in HOLDINGS}

# Each text that a cell can have: the symbol alone, or symbol and reason.
CELLS = frozenset(
    text for holding in HOLDINGS for text in (holding.symbol, *(f"{holding.symbol} {r}" for r in REASONS))
)


def cell_text(symbol: str, reason: str = "", *, ascii_only: bool = False) -> str:
    """'● S', or '[R] S' for a terminal without these symbols."""
    shown = f"[{BY_SYMBOL[symbol].letter}]" if ascii_only else symbol
    return f"{shown} {reason}" if reason else shown


def cell_meaning(cell: str) -> str:
    """The words for a cell such as '● S': 'reads the content (sender)'."""
    symbol, _, reason = cell.partition(" ")
    meaning = BY_SYMBOL[symbol].meaning
    return f"{meaning} ({REASONS[reason]})" if reason else meaning
