"""The privacy matrix of a run: who holds what of each transaction, found out by trying to decrypt.

No list of recipients is read. For each party its own wrapping key is held against the blobs in its own
folder, or, for a moment before it erased one, against the copy in the operator's capture; the broker is
given what the recorder saw it carry, and no key at all. Rows are transactions in chain order, columns are
the parties as in the genesis, and then the broker.
"""

from __future__ import annotations

from collections.abc import Iterable

from node.envelopes.transaction import PrivateTransaction
from node.errors import PrivityError
from node.run_folder import RunFolder
from node.run_reading import Found, RunReading
from scenarios.knowledge.broker_column import fill_broker
from scenarios.knowledge.disclosures import Carriers
from scenarios.knowledge.moments import At
from scenarios.knowledge.party_column import PartyColumn
from scenarios.knowledge.rows import Matrix, Row
from scenarios.knowledge.rules import apply_rules
from scenarios.knowledge.totals import mark_totals
from scenarios.knowledge.trials import Trials
from scenarios.model.prediction import BROKER


def build_matrix(folder: RunFolder, at: str | At = "end", only: Iterable[str] | None = None) -> Matrix:
    """The matrix of a run, running or stopped, at a moment (`11s`, `block 9`, `end`).

    `only` limits it to these transactions, each named as everywhere: by label or by first digits.
    Raises PrivityError: E-TX, E-DURATION, E-NO-RUN, E-JOURNAL.
    """
    return matrix_of(RunReading(folder), at if isinstance(at, At) else At.parse(at), only)


def matrix_of(
    reading: RunReading, at: At, only: Iterable[str] | None = None, trials: Trials | None = None
) -> Matrix:
    """The same, for a run that is read already; `trials` are kept by who asks at many moments."""
    trials = trials or Trials(reading)
    parties = tuple(reading.network.names)
    matrix = Matrix(reading.folder.number, at, (*parties, BROKER))
    for found, transaction in _rows(reading, only):
        matrix.add(Row(found.id, found.name, transaction))
    matrix.captured = trials.broker.blobs
    carriers = Carriers(reading, matrix)
    for name in parties:
        PartyColumn(reading, matrix, name, carriers, trials).fill()
    apply_rules(matrix, reading)
    if only is None:
        carriers.drop_rows()
    mark_totals(reading, matrix)
    fill_broker(reading, matrix, trials.broker)
    if at.height is not None and at.height > (highest := reading.highest().height):
        matrix.notes.append(f"there is no block {at.height}: the ledger is {highest} high; this is its end")
    return matrix


def _rows(
    reading: RunReading, only: Iterable[str] | None
) -> Iterable[tuple[Found, PrivateTransaction | None]]:
    """Transactions on any ledger, in chain order, and then those submitted that are on none."""
    public: dict[bytes, PrivateTransaction | None] = {}
    for node in sorted(reading.nodes().values(), key=lambda node: -node.height):
        for ordered, transaction in node.private():
            public.setdefault(ordered.id, transaction)
    if only is not None:
        chosen = [reading.find(tx) for tx in only]
        for found in chosen:
            _refuse_public(reading, found)
        return [(found, public.get(found.id)) for found in chosen]
    for label in reading.labels:
        if label.kind:
            continue  # A public record, or a carrier that no ledger has yet.
        public.setdefault(bytes.fromhex(label.tx), None)
    return [(Found(identifier, reading.label(identifier)), each) for identifier, each in public.items()]


def _refuse_public(reading: RunReading, found: Found) -> None:
    ordered = reading.highest().transactions.get(found.id)
    if ordered is not None and not isinstance(ordered.transaction, PrivateTransaction):
        raise PrivityError(
            "E-TX",
            f"{reading.name_of(ordered)} is public: everybody reads all of it",
            next=f"privity show tx {reading.name_of(ordered)}",
        )
