"""What is learned of a transaction without reading it: sender, recipients, time, size, and by whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from node.envelopes.envelope import NotAParty, Unreadable, readers_of, unseal
from node.envelopes.transaction import SLOT_BUCKETS
from node.errors import PrivityError
from node.run_reading import RunReading
from node.seals.seal import Seal
from scenarios.knowledge.rows import NOTHING, Matrix, Row


@dataclass(frozen=True, slots=True)
class Metadata:
    """Who learns which fact of one transaction, as columns of the matrix.

    `size_bytes` is the padded size, all that anybody sees of it. `slots` is the number of key slots, dummies
    included. `recipients` is whom the readers themselves find in the slots; None when nobody here reads it
    or the slots do not add up. Of what lies under a `seal` they are public, as the seal is.
    """

    name: str
    sender: list[str]
    recipients_known_to: list[str]
    time: list[str]
    size: list[str]
    size_bytes: int
    slots: int
    recipients: list[str] | None
    seal: Seal | None = None

    def document(self) -> dict[str, Any]:
        """For `--json`. The recipients' names are left out: they are for the readers alone."""
        return {
            "tx": self.name,
            "sender": self.sender,
            "recipients": self.recipients_known_to,
            "time": self.time,
            "size": self.size,
            "size_bytes": self.size_bytes,
            "slots": self.slots,
        }


def metadata_of(reading: RunReading, matrix: Matrix) -> list[Metadata]:
    """The metadata of each row whose transaction some ledger has.

    Whoever has the header or carried it learns sender, time and padded size. Whoever reads the content
    holds its key and with it recomputes the slots, so that readers know of one another.
    """
    found = []
    for row in matrix.rows:
        if row.transaction is None:
            continue
        seen = [column for column, cell in row.cells.items() if cell.symbol != NOTHING]
        core, seal = row.transaction.header.core, reading.network.sealed_for(row.transaction)
        found.append(
            Metadata(
                name=row.name,
                sender=seen,
                recipients_known_to=row.key_holders() if seal is None else seen,
                time=seen,
                size=seen,
                size_bytes=core.size_bucket,
                slots=core.slot_bucket,
                recipients=_recipients(reading, matrix, row) if seal is None else None,
                seal=seal,
            )
        )
    return found


def possible_readers(slots: int, others: int) -> tuple[int, int]:
    """How few and how many readers beside the sender the number of slots leaves possible.

    `others` is the number of parties beside the sender.
    """
    smaller = [bucket for bucket in SLOT_BUCKETS if bucket < slots]
    return (smaller[-1] if smaller else 0), min(slots - 1, others)


def _recipients(reading: RunReading, matrix: Matrix, row: Row) -> list[str] | None:
    """Whom a reader finds in the slots, by recomputing them with the content key that he unwrapped."""
    assert row.transaction is not None
    for name in row.key_holders():
        blob = reading.node(name).blob(row.id) or matrix.captured.get(row.id)
        if blob is None:
            continue  # Gone since, or the key came another way.
        try:
            opened = unseal(row.transaction, blob, reading.keys(name).wrapping)
            wrapping_keys = reading.network.wrapping_keys
            found = readers_of(row.transaction, blob, opened.content_key, wrapping_keys)
        except (NotAParty, Unreadable, PrivityError):
            continue
        return [each for each in reading.network.names if each in found]
    return None
