"""Who is named by ledgers and in rounds, beside those against whom nodes keep a proof (proved_liars.py).

An opener is named by a challenge that it did not answer in time, a contributor by what it put on the ledger
of a round, a coordinator by the contributors that found its total wrong, or missed it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from node.chain.reading import NodeReading
from scenarios.aggregating import Summed

UNANSWERED = "did not answer a challenge for its share in time"


@dataclass(frozen=True, slots=True)
class Named:
    """`party` is named about what the file calls `id`: why, by who found it. `round`: in an aggregate."""

    party: str
    id: str
    by: Mapping[str, str]
    round: bool = False

    def document(self) -> dict[str, Any]:
        """As `run --json` has it."""
        return {"party": self.party, "id": self.id, "by": dict(self.by)}


def named_liars(
    node: NodeReading, summed: Mapping[str, Summed], name_of: Callable[[bytes], str]
) -> list[Named]:
    """All that one ledger names, and all that the contributors of a run's rounds found."""
    rounds = [
        Named(party, step, dict(found), round=True)
        for step, each in summed.items()
        for party, found in each.blamed.items()
    ]
    return [*_unanswered(node, name_of), *rounds]


def _unanswered(node: NodeReading, name_of: Callable[[bytes], str]) -> Iterator[Named]:
    found: dict[tuple[str, bytes], dict[str, str]] = {}
    for state in node.seals.states.values():
        for each in state.unanswered(node.height):
            found.setdefault((each.of, each.tx), {})[each.author] = UNANSWERED
    for (party, tx), by in found.items():
        yield Named(party, name_of(tx), by)


def named_in_words(named: Mapping[str, Any]) -> str:
    """One line of the verdict, from the document of one."""
    whys = dict.fromkeys(named["by"].values())
    said = f"{named['party']} is named about {named['id']}: {'; '.join(whys)}"
    return f"{said}   found by {', '.join(named['by'])}"
