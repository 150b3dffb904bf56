"""A chain executed anew from a journal alone: no key, no blob, no index (P25).

Who replays is given the path of one file and the network, which is public. So whatever a node's blocks owe to
its private key, or to what that key opens, is missing here, and the blocks come out otherwise.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from node.chain.block import BlockHeader
from node.chain.journal import BlockRecord, BodiesRecord, Journal
from node.chain.ledger import Ledger
from node.consortium import Network
from node.wire import AnyTransaction


@dataclass(frozen=True, slots=True)
class ReplayedBlock:
    """A block as the journal has it, and as executing the same batch makes it; None if a body is missing."""

    recorded: BlockHeader
    executed: BlockHeader | None

    @property
    def equal(self) -> bool:
        """Whether the two are one block, down to hash and state root."""
        return self.executed == self.recorded


def replay_blocks(path: Path, network: Network) -> list[ReplayedBlock]:
    """Every block of this journal, executed in order; the first that differs is the last one.

    Raises OSError when there is no such file, PrivityError E-JOURNAL when it is damaged.
    """
    ledger = Ledger(network)
    bodies: dict[bytes, AnyTransaction] = {}
    blocks: list[ReplayedBlock] = []
    with closing(Journal.open_read_only(path, network.id)) as journal:
        for _, record in journal.replay():
            if isinstance(record, BodiesRecord):
                for transaction in record.transactions:
                    bodies.setdefault(transaction.id, transaction)
            elif isinstance(record, BlockRecord):
                blocks.append(ReplayedBlock(record.header, _executed(ledger, record, bodies)))
                if not blocks[-1].equal:
                    break  # All that follows would differ, too, by its parent.
    return blocks


def _executed(ledger: Ledger, record: BlockRecord, bodies: dict[bytes, AnyTransaction]) -> BlockHeader | None:
    requests = record.batch.requests
    if record.batch.sequence != ledger.height + 1 or any(each not in bodies for each in requests):
        return None
    return ledger.apply(record.batch, [bodies[each] for each in requests]).header
