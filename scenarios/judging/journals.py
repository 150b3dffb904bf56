"""What honest nodes keep in their journals and in no index: views begun, proofs of lies, what was ordered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from consensus.messages import NewView
from consensus.output import EvidenceRecord, NewViewRecord
from node.chain.journal import BlockRecord, Journal
from node.consortium import Network
from node.errors import PrivityError
from node.run_folder import RunFolder


@dataclass(slots=True)
class Kept:
    """What the journals of some nodes hold, all together.

    `views` are those that a node installed, and `proofs` pairs of the kind of evidence and whom it accuses.
    `heights` has for each transaction every height that orders it. `unreadable` are nodes without a journal
    that can be read.
    """

    views: set[int] = field(default_factory=set)
    proofs: set[tuple[str, str]] = field(default_factory=set)
    heights: dict[bytes, set[int]] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)


def read_kept(folder: RunFolder, network: Network, names: Iterable[str]) -> Kept:
    """Read the journals of these nodes through."""
    kept = Kept()
    for name in names:
        try:
            journal = Journal.open_read_only(folder.node(name) / "journal", network.id)
        except OSError:
            kept.unreadable.append(name)
            continue
        try:
            for _, record in journal.replay():
                if isinstance(record, NewViewRecord):
                    message = record.signed.message
                    assert isinstance(message, NewView), type(message)
                    kept.views.add(message.view)
                elif isinstance(record, EvidenceRecord):
                    kept.proofs.add((record.evidence.kind, network.names[record.evidence.accused]))
                elif isinstance(record, BlockRecord):
                    for identifier in record.batch.requests:
                        kept.heights.setdefault(identifier, set()).add(record.header.height)
        except PrivityError:
            kept.unreadable.append(name)
        finally:
            journal.close()
    return kept
