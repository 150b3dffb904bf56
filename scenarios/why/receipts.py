"""Which purge receipts are missing, and why: who is down, or behind, or has it still, and who is owed it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from node.erasing.purge_reading import Purged, purges_of
from node.run_reading import RunReading
from scenarios.faults import record as fault_record
from scenarios.why.reach import Missing, kept_away
from scenarios.why.wording import missing_document, why

AWAY, BEHIND, KEPT = "away", "behind", "kept"
OWED = "owed"  # Signed, and who is owed it has not got it.
SILENT = "silent"  # Erased, and not signed.


@dataclass(frozen=True, slots=True)
class MissingReceipt:
    """One that `node` is obliged to give and nobody has. `away` keeps it: its node, or who is owed it."""

    node: str
    state: str
    owner: str
    height: int
    on_chain: bool
    away: Missing | None

    @property
    def text(self) -> str:
        """`bob: erased it and signed; ann, who is owed the receipt, crashed at 3.2 s by fault away, ...`."""
        return f"{self.node}: {self._why()}"

    def _why(self) -> str:
        match self.state:
            case "away" if self.away is not None:
                return why(self.away)
            case "behind":
                return f"has not got block {self.height}, from which on it is erased"
            case "kept":
                return "has it still"
            case "owed" if self.on_chain:
                return "erased it and signed; its receipt waits for a block"
            case "owed" if self.away is not None:
                return f"erased it and signed; {self.owner}, who is owed the receipt, {why(self.away)}"
            case "owed":
                return f"erased it and signed; its receipt is on the way to {self.owner}"
        return "erased it, and gave no receipt"

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {
            "node": self.node,
            "state": self.state,
            "owed_to": None if self.on_chain else self.owner,
            "missing": None if self.away is None else missing_document(self.away),
            "text": self.text,
        }


def missing_receipts(
    reading: RunReading, purged: Purged, away: Mapping[str, Missing]
) -> tuple[MissingReceipt, ...]:
    """Of one purge. `away` are the nodes that something keeps away, by name."""
    found = []
    for name in purged.missing:
        node, because = reading.node(name), away.get(name)
        if purged.tx in node.owed_receipts() and because is None:
            state, because = OWED, away.get(purged.sender)
        elif because is not None:
            state = AWAY
        elif name in purged.kept and node.height >= purged.height:
            state = KEPT
        else:
            state = BEHIND if node.height < purged.height else SILENT
        on_chain = not reading.network.off_chain
        found.append(MissingReceipt(name, state, purged.sender, purged.height, on_chain, because))
    return tuple(found)


def receipts_of_run(reading: RunReading, only: Iterable[bytes]) -> list[tuple[bytes, MissingReceipt]]:
    """All that are missing of these transactions now, with the transaction, by what the run's folder has."""
    wanted = set(only)
    lacking = [each for each in purges_of(reading) if each.missing and each.tx in wanted]
    if not lacking:
        return []
    voters = [member.name for member in reading.network.members if member.votes]
    away = kept_away(fault_record.read(reading.folder.faults), voters)
    return [(each.tx, one) for each in lacking for one in missing_receipts(reading, each, away)]
