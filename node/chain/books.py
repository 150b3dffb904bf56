"""Everything a node writes down: journal, indexes, blobs, holdings; and the ledger that follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from consensus.certificates import BlockCertificate
from consensus.output import Decision, ProposalRecord, Record
from node.chain.act import Act, ActTransaction
from node.chain.journal import BlockRecord, BodiesRecord, CertifiedRecord, Journal
from node.chain.ledger import EXECUTED, Applied, Ledger
from node.chain.recovery import Recovered, block_row, transaction_row
from node.chain.store import Store
from node.envelopes.transaction import PrivateTransaction
from node.mempool import Mempool, Waiting


@dataclass(frozen=True, slots=True)
class Executed:
    """A block that was executed and written down, and what took effect of it: private transactions, acts."""

    record: BlockRecord
    applied: Applied
    private: tuple[tuple[bytes, Waiting], ...]
    acts: tuple[tuple[bytes, Act], ...]


class Books:
    """Writes for one node. Raises OSError or sqlite3.Error when the disk refuses."""

    def __init__(self, journal: Journal, store: Store, mempool: Mempool, recovered: Recovered) -> None:
        self._journal = journal
        self._store = store
        self._mempool = mempool
        self.ledger: Ledger = recovered.ledger
        self.standing = recovered.standing
        self._bodies_at = {identifier: (at, place) for identifier, (_, at, place) in recovered.bodies.items()}

    def has_body(self, identifier: bytes) -> bool:
        """Whether the journal holds the body of this transaction, which is not executed yet."""
        return identifier in self._bodies_at

    def persist(self, records: Sequence[Record]) -> None:
        """Make the replica's records durable, with the bodies that its proposals name (R7, R20)."""
        for record in records:
            if isinstance(record, ProposalRecord):
                self._record_bodies(record.proposal.batch.requests)
            self._journal.append(record)
        if records:
            self._journal.sync()

    def _record_bodies(self, requests: Sequence[bytes]) -> None:
        """Write bodies and blobs of a batch before voting for it, so that this node can serve them."""
        fresh = []
        for identifier in requests:
            waiting = self._mempool.get(identifier)
            if waiting is None:
                continue
            if waiting.blob is not None and not waiting.blob_stored:
                self._store.put_blob(identifier, waiting.blob)
                waiting.blob_stored = True
            if not waiting.recorded:
                waiting.recorded = True
                fresh.append((identifier, waiting.transaction))
        if fresh:
            at = self._journal.append(BodiesRecord(tuple(transaction for _, transaction in fresh)))
            for place, (identifier, _) in enumerate(fresh):
                self._bodies_at[identifier] = (at, place)

    def execute(self, decision: Decision, since_ms: int) -> Executed:
        """Execute the next decision and write the block down. Its transactions leave the mempool."""
        batch = decision.batch
        self._record_bodies(batch.requests)
        bodies = [(identifier, self._mempool.remove(identifier)) for identifier in batch.requests]
        found = [(identifier, waiting) for identifier, waiting in bodies if waiting is not None]
        assert len(found) == len(batch.requests), "the replica executes only what it has whole"
        applied = self.ledger.apply(batch, [waiting.transaction for _, waiting in found])
        record = BlockRecord(applied.header, batch, decision.certificate)
        at = self._journal.append(record)
        results = list(zip(found, applied.outcomes, strict=True))
        height = batch.sequence
        rows = [
            transaction_row(waiting.transaction, height, position, outcome, *self._bodies_at.pop(identifier))
            for position, ((identifier, waiting), outcome) in enumerate(results)
        ]
        stored = [(identifier, height) for identifier, waiting in found if waiting.blob_stored]
        self.hold("blob", stored, since_ms)
        self._store.add_block(block_row(record, applied.block, at), rows)
        effective = [entry for entry, outcome in results if outcome == EXECUTED]
        private = tuple(
            (identifier, waiting)
            for identifier, waiting in effective
            if isinstance(waiting.transaction, PrivateTransaction)
        )
        acts = tuple(
            (identifier, waiting.transaction.act)
            for identifier, waiting in effective
            if isinstance(waiting.transaction, ActTransaction)
        )
        for row, ((identifier, waiting), outcome) in zip(rows, results, strict=True):
            if isinstance(waiting.transaction, ActTransaction) and outcome == EXECUTED:
                act = waiting.transaction.act
                self.standing.add(identifier, (height, row.position), act.sender, act.deed)
        return Executed(record, applied, private, acts)

    def certify(self, certificate: BlockCertificate) -> None:
        """Put a block certificate beside its block."""
        at = self._journal.append(CertifiedRecord(certificate))
        self._store.set_certified(certificate.sequence, at)

    def hold(
        self, what: str, found: Sequence[tuple[bytes, int]], since_ms: int, *, erased: bool = False
    ) -> None:
        """Note what this node gained, or erased: transaction ids, each with a height.

        `since_ms` counts from genesis.
        """
        word = "erased" if erased else "gained"
        self._store.note_holdings(
            [
                {"t": since_ms, "height": height, word: what, "tx": identifier.hex()}
                for identifier, height in found
            ]
        )
