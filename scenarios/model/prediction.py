"""The privacy matrix that a scenario announces: who will hold what of each transaction when all is done.

Rows are transactions, columns are the parties and the broker. With `payload: on_chain` every node stores
every ciphertext, so whoever is not a reader holds ciphertext without a key; with `off_chain` the ledger holds
hashes, and who is not a reader has no more than that. The broker carries the ciphertext either way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from scenarios.model.plan import PlannedSend
from scenarios.model.scenario import Scenario

BROKER = "broker"
_READS, _CIPHERTEXT, _COMMITMENT = "●", "○", "#"
_SENDER, _NAMED = "S", "N"


class Cell(NamedTuple):
    """What one holds of a transaction, and why; symbols and reasons as in node/cells.py."""

    symbol: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One transaction; `cells` has one entry for each column, in their order."""

    tx: str
    cells: Mapping[str, Cell]


def columns(scenario: Scenario) -> tuple[str, ...]:
    """The parties in the order of the file, and the broker."""
    return (*scenario.names, BROKER)


def predicted(scenario: Scenario, sends: Iterable[PlannedSend]) -> tuple[Row, ...]:
    """A row for each planned transaction, in the order of sending."""
    return tuple(
        Row(send.id, {column: _cell(scenario, send, column) for column in columns(scenario)})
        for send in sends
    )


def _cell(scenario: Scenario, send: PlannedSend, column: str) -> Cell:
    if column == send.sender:
        return Cell(_READS, _SENDER)
    if column in send.readers:
        return Cell(_READS, _NAMED)
    return Cell(_CIPHERTEXT if column == BROKER or scenario.payload == "on_chain" else _COMMITMENT)
