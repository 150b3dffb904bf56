"""What is on record of a transaction beside its arrival: missing purge receipts, breaches of its rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from node.disclosure.breach_reading import Breach, breaches_of
from node.erasing.purge_reading import Purged, purges_of
from node.run_reading import RunReading
from scenarios.knowledge.matrix import matrix_of
from scenarios.knowledge.moments import At
from scenarios.why.reach import Missing
from scenarios.why.receipts import MissingReceipt, missing_receipts
from scenarios.why.wording import line


@dataclass(frozen=True, slots=True)
class OnRecord:
    """Of one transaction. `bound` are parties that read what only a rule forbids (cell K), each with why."""

    purged: Purged | None = None
    receipts: tuple[MissingReceipt, ...] = ()
    breaches: tuple[Breach, ...] = ()
    bound: tuple[tuple[str, str], ...] = ()

    def lines(self) -> list[str]:
        """Below the answer of `privity why TX`."""
        return [
            *(line("owed", f"purge receipt of {each.text}") for each in self.receipts),
            *(line("broke", each.line()) for each in self.breaches),
            *(line("rule", f"{name} can still read it alone: {why}") for name, why in self.bound),
        ]

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {
            "purged": None if self.purged is None else self.purged.document(),
            "missing_receipts": [each.document() for each in self.receipts],
            "breaches": [each.document() for each in self.breaches],
            "bound": [{"node": name, "why": why} for name, why in self.bound],
        }


NOTHING_ON_RECORD = OnRecord()


def on_record(reading: RunReading, tx: bytes, away: Mapping[str, Missing]) -> OnRecord:
    """Of a transaction that is on the ledger; of any other nothing."""
    chain = reading.highest()
    if tx not in chain.transactions:
        return NOTHING_ON_RECORD
    purged = next(iter(purges_of(reading, tx)), None)
    receipts = () if purged is None else missing_receipts(reading, purged, away)
    bound: tuple[tuple[str, str], ...] = ()
    if any(getattr(act.deed, "tx", None) == tx for _, act in chain.acts()):
        matrix = matrix_of(reading, At.parse("end"), [tx.hex()])
        bound = tuple(item for row in matrix.rows for item in sorted(row.bound.items()))
    return OnRecord(purged, receipts, tuple(breaches_of(reading, tx)), bound)
