"""The privacy matrix that a scenario announces: who will hold what of each transaction when all is done.

Rows are transactions, columns are the parties and the broker. With `payload: on_chain` every node stores
every ciphertext, so whoever is not a reader holds ciphertext without a key; with `off_chain` the ledger holds
hashes, and who is not a reader has no more than that. The broker carries the ciphertext either way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from node.cells import cell_text
from node.envelopes.disclosure import select_paths
from node.envelopes.fields import Path, flatten
from scenarios.model.aggregates import Aggregate
from scenarios.model.consents import bound, made
from scenarios.model.disclosures import Disclose
from scenarios.model.lies import withholds
from scenarios.model.plan import PlannedSend
from scenarios.model.scenario import END, Scenario
from scenarios.model.seal_timing import comes_late
from scenarios.model.seals import Until, unsealed_to

BROKER = "broker"
_READS, _COULD, _TOGETHER, _CIPHERTEXT, _COMMITMENT, _AGGREGATE = "●", "◐", "◔", "○", "#", "Σ"
_SENDER, _NAMED, _DISCLOSED, _RULE, _UNSEALED, _OPENER, _WILL = "S", "N", "D", "K", "U", "O", "W"


class Cell(NamedTuple):
    """What one holds of a transaction, and why; symbols and reasons as in node/cells.py."""

    symbol: str
    reason: str = ""
    part: tuple[int, int] | None = None  # Of who reads some fields only: how many, of how many.

    def text(self, *, ascii_only: bool = False) -> str:
        """`● S`, `○`, `● 2/5`."""
        if self.part is None:
            return cell_text(self.symbol, self.reason, ascii_only=ascii_only)
        return f"{cell_text(self.symbol, ascii_only=ascii_only)} {self.part[0]}/{self.part[1]}"


@dataclass(frozen=True, slots=True)
class Row:
    """One transaction; `cells` has one entry for each column, in their order."""

    tx: str
    cells: Mapping[str, Cell]


def columns(scenario: Scenario) -> tuple[str, ...]:
    """The parties in the order of the file, and the broker."""
    return (*scenario.names, BROKER)


def predicted(scenario: Scenario, sends: Iterable[PlannedSend], until: Until = END) -> tuple[Row, ...]:
    """A row for each total, then one for each planned transaction, in the order of sending.

    It is of when all steps before `until` are done; with a time, of transactions alone.
    """
    by_tx = shown_by_tx(each for each in scenario.disclosures if until == END or each.at_ms < until)
    spoken_of = {*by_tx, *(word.tx for word in scenario.owners_words)}
    announced = [step for step in scenario.aggregates if not withholds(scenario, step)]
    totals = tuple(_total_row(scenario, step) for step in announced) if until == END else ()
    return totals + tuple(
        Row(send.id, _cells(scenario, send, by_tx.get(send.id, ()), spoken_of, until)) for send in sends
    )


def _cells(
    scenario: Scenario, send: PlannedSend, shown: Sequence[Disclose], spoken_of: set[str], until: Until
) -> dict[str, Cell]:
    before = float("inf") if until == END else until
    if any(purge.tx == send.id and purge.at_ms < before for purge in scenario.purges):
        return {
            column: Cell(_CIPHERTEXT if column == BROKER else _COMMITMENT) for column in columns(scenario)
        }
    rule = bound(scenario, send, before) if send.id in spoken_of else set()
    due = made(scenario, send, shown)
    cells = {column: _cell(scenario, send, column, due, until) for column in columns(scenario)}
    return {
        column: Cell(_COULD, _RULE, cell.part) if column in rule and cell.symbol == _READS else cell
        for column, cell in cells.items()
    }


def _total_row(scenario: Scenario, step: Aggregate) -> Row:
    """Of a total: those who contribute learn it and the coordinator, if all of them stay to the end.

    Who is blamed for its shares before the coordinator goes on is left out, which only the run can tell.
    """
    able = {step.coordinator, *step.contributors, *step.readers}
    unread = _CIPHERTEXT if scenario.payload == "on_chain" else _COMMITMENT
    cells = {
        column: Cell(_AGGREGATE if column in able else _CIPHERTEXT if column == BROKER else unread)
        for column in columns(scenario)
    }
    return Row(step.id, cells)


def shown_by_tx(disclosures: Iterable[Disclose]) -> dict[str, list[Disclose]]:
    """The disclosures of each transaction, in their order."""
    found: dict[str, list[Disclose]] = {}
    for disclosure in disclosures:
        found.setdefault(disclosure.tx, []).append(disclosure)
    return found


def fields_read(
    send: PlannedSend, column: str, disclosures: Iterable[Disclose], unsealed: Collection[str] = ()
) -> set[Path]:
    """The fields of a transaction that a party reads once these disclosures of it have been made.

    `unsealed` are those to whom its seal is open by then.
    """
    paths = [path for path, _ in flatten(send.fields)]
    named = set(send.readers).difference(send.deceived)
    if column == send.sender or column in named or column in unsealed:
        return set(paths)
    found: set[Path] = set()
    for disclosure in disclosures:
        if column in disclosure.receivers:
            wanted = disclosure.fields
            found |= set(paths) if wanted is None else {paths[at] for at in select_paths(paths, wanted)}
    return found


def _cell(
    scenario: Scenario, send: PlannedSend, column: str, disclosures: Sequence[Disclose], until: Until
) -> Cell:
    if column == send.sender:
        return Cell(_READS, _SENDER)
    if column in send.readers and column not in send.deceived:
        return Cell(_READS, _NAMED)
    if column in unsealed_to(scenario, send, until):
        return Cell(_READS, _UNSEALED)
    shown = [each for each in disclosures if column in each.receivers]
    if not shown and (seal := scenario.seal(send.seal)) is not None:
        if column in seal.openers and column not in send.misdealt:
            return Cell(_COULD if seal.threshold == 1 else _TOGETHER, _OPENER)
        if column in seal.then_to:
            late = comes_late(scenario, seal, send, send.id)
            return Cell(_CIPHERTEXT) if late else Cell(_CIPHERTEXT, _WILL)
    if not shown:
        holds = column == BROKER or column in send.deceived or scenario.payload == "on_chain"
        return Cell(_CIPHERTEXT if holds else _COMMITMENT)
    read, of = len(fields_read(send, column, shown)), len(flatten(send.fields))
    # Whoever is shown all fields one by one cannot tell that there are no others, but reads them all.
    return Cell(_READS, _DISCLOSED) if read == of else Cell(_READS, _DISCLOSED, (read, of))
