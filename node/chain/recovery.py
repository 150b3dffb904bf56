"""Coming back from the disk alone: the journal is read once, and everything else follows from it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field, replace

from consensus.certificates import BlockCertificate
from consensus.output import (
    Decision,
    EvidenceRecord,
    HaltedRecord,
    LostDiskRecord,
    NewViewRecord,
    PreparedRecord,
    ProposalRecord,
    Record,
    ViewChangeRecord,
    VoteRecord,
)
from consensus.votes import BlockVote
from node.chain.act import ActTransaction
from node.chain.journal import BlockRecord, BodiesRecord, CertifiedRecord, Journal
from node.chain.ledger import EXECUTED, Ledger
from node.chain.standing import Standing
from node.chain.store import NO_PAYLOAD, PAYLOAD_STATES, PENDING, PURGED, BlockRow, Store, TransactionRow
from node.consortium import Network
from node.envelopes.transaction import PrivateTransaction
from node.errors import PrivityError
from node.wire import AnyTransaction


@dataclass(slots=True)
class Recovered:
    """What a node knew before it stopped.

    `stable` is the highest block certificate, `decided` what was executed above it. `records` are the
    replica's own: votes, proposals and prepared certificates above the stable checkpoint, block votes
    without certificate, the last view-changes and new-view, and all that holds for ever. `bodies` maps the
    id of each transaction recorded and not yet executed to it and to its place in the journal. `reindexed`
    are the private transactions, with their heights, whose blocks the indexes did not know. `standing` is
    what owners said in public.
    """

    ledger: Ledger
    stable: BlockCertificate | None = None
    decided: list[Decision] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    bodies: dict[bytes, tuple[AnyTransaction, int, int]] = field(default_factory=dict)
    reindexed: list[tuple[bytes, int]] = field(default_factory=list)
    standing: Standing = field(default_factory=Standing)


class _IndexesDiffer(Exception):
    """The indexes and the journal tell two stories; the journal is right."""


def recover(journal: Journal, store: Store, network: Network) -> Recovered:
    """Replay the journal, and rebuild the indexes from it if they disagree. Raises PrivityError E-JOURNAL."""
    try:
        return _replay(journal, store, network)
    except (_IndexesDiffer, sqlite3.DatabaseError):
        store.rebuild()
        return _replay(journal, store, network)


def _replay(journal: Journal, store: Store, network: Network) -> Recovered:
    recovered = Recovered(Ledger(network))
    indexed = store.height
    own = OwnRecords()
    certified: set[int] = set()
    for offset, record in journal.replay():
        if isinstance(record, BodiesRecord):
            for position, transaction in enumerate(record.transactions):
                recovered.bodies.setdefault(transaction.id, (transaction, offset, position))
        elif isinstance(record, BlockRecord):
            _replay_block(recovered, store, record, offset, indexed)
            recovered.decided.append(Decision(record.batch, record.certificate))
        elif isinstance(record, CertifiedRecord):
            height = record.certificate.sequence
            own.certified(record.certificate)
            recovered.decided = [each for each in recovered.decided if each.batch.sequence > own.low]
            row = store.block(height)
            if row is None or height in certified:
                continue
            certified.add(height)
            if row.certified_at is None:
                store.set_certified(height, offset)
            elif row.certified_at != offset:
                raise _IndexesDiffer
        else:
            own.add(record)
    if journal.is_new and indexed:
        raise _lost(indexed)
    if indexed > recovered.ledger.height or store.count_certified() > len(certified):
        raise _IndexesDiffer  # A power cut may take from the journal what the indexes have already.
    recovered.records = own.in_order()
    recovered.stable = own.stable
    return recovered


class OwnRecords:
    """Of a replica's records those that still count, however long the journal is."""

    def __init__(self) -> None:
        self.stable: BlockCertificate | None = None
        self._count = 0
        self._kept: dict[int, tuple[int, Record]] = {}  # By number: the height it is about, and the record.
        self._block_votes: dict[int, tuple[int, Record]] = {}  # By height.
        self._view_changes: list[tuple[int, Record]] = []
        self._last: dict[type, tuple[int, Record]] = {}
        self._for_ever: list[tuple[int, Record]] = []

    @property
    def low(self) -> int:
        """The height of the stable checkpoint."""
        return 0 if self.stable is None else self.stable.sequence

    def add(self, record: Record) -> None:
        """The next record of the journal."""
        self._count += 1
        numbered = (self._count, record)
        if isinstance(record, HaltedRecord | EvidenceRecord):
            self._for_ever.append(numbered)
        elif isinstance(record, ViewChangeRecord):
            # Two: others may still wait for the view before (R19 iv).
            self._view_changes = [*self._view_changes[-1:], numbered]
        elif isinstance(record, NewViewRecord | LostDiskRecord):
            self._last[type(record)] = numbered
        elif isinstance(record, VoteRecord) and isinstance(record.vote, BlockVote):
            self._block_votes[record.vote.sequence] = numbered
        elif _sequence(record) > self.low:
            self._kept[self._count] = (_sequence(record), record)

    def certified(self, certificate: BlockCertificate) -> None:
        """A block certificate: what lies below needs no vote any more."""
        self._block_votes.pop(certificate.sequence, None)
        if certificate.sequence > self.low:
            self.stable = certificate
            self._kept = {
                number: (sequence, record)
                for number, (sequence, record) in self._kept.items()
                if sequence > certificate.sequence
            }

    def in_order(self) -> list[Record]:
        """All that are kept, as the journal had them."""
        numbered = [*self._for_ever, *self._view_changes, *self._last.values(), *self._block_votes.values()]
        numbered += [(number, record) for number, (_, record) in self._kept.items()]
        return [record for _, record in sorted(numbered, key=lambda each: each[0])]


def _sequence(record: Record) -> int:
    if isinstance(record, VoteRecord):
        return record.vote.sequence
    if isinstance(record, ProposalRecord):
        return record.proposal.pre_prepare.sequence
    assert isinstance(record, PreparedRecord)
    return record.certificate.sequence


def _replay_block(recovered: Recovered, store: Store, record: BlockRecord, offset: int, indexed: int) -> None:
    height, batch = record.header.height, record.batch
    bodies = [recovered.bodies.get(identifier) for identifier in batch.requests]
    if height != recovered.ledger.height + 1 or any(body is None for body in bodies):
        raise _inconsistent(height)
    found = [body for body in bodies if body is not None]
    applied = recovered.ledger.apply(batch, [transaction for transaction, _, _ in found])
    if applied.header != record.header:
        raise _inconsistent(height)
    rows = [
        transaction_row(transaction, height, position, outcome, at, body_position)
        for position, ((transaction, at, body_position), outcome) in enumerate(
            zip(found, applied.outcomes, strict=True)
        )
    ]
    for row, (transaction, _, _) in zip(rows, found, strict=True):
        if isinstance(transaction, ActTransaction) and row.outcome == EXECUTED:
            act = transaction.act
            recovered.standing.add(row.id, (height, row.position), act.sender, act.deed)
    block = block_row(record, applied.block, offset)
    if height > indexed:
        store.add_block(block, rows)
        recovered.reindexed += [(row.id, height) for row in rows if row.payload == PENDING]
    elif not _is_indexed(store, block, rows):
        raise _IndexesDiffer
    for identifier in batch.requests:
        recovered.bodies.pop(identifier, None)


def _is_indexed(store: Store, block: BlockRow, rows: list[TransactionRow]) -> bool:
    """Whether the indexes have this block and its transactions; certificate and payloads may differ."""
    found = store.block(block.height)
    if found is None or replace(found, certified_at=None) != block:
        return False
    for row in rows:
        indexed = store.transaction(row.id)
        if indexed is None:
            return False
        if row.outcome != EXECUTED and indexed.height < block.height:
            continue  # Ordered again, it keeps its first place.
        states = PAYLOAD_STATES if row.payload == PENDING else (NO_PAYLOAD, PURGED)
        # A purge on the ledger brings its height forward; the node applies these anew at every start.
        purge_at = indexed.purge_at if 0 < indexed.purge_at < (row.purge_at or 1 << 62) else row.purge_at
        if indexed.payload not in states or replace(indexed, payload=row.payload) != replace(
            row, purge_at=purge_at
        ):
            return False
    return True


def block_row(record: BlockRecord, block: bytes, offset: int) -> BlockRow:
    """How a block is indexed before its certificate is complete."""
    header = record.header
    return BlockRow(header.height, block, header.state_root, header.time_ms, offset, None)


def transaction_row(
    transaction: AnyTransaction, height: int, position: int, outcome: str, body_at: int, body_position: int
) -> TransactionRow:
    """How a transaction is indexed when its block is executed."""
    private = isinstance(transaction, PrivateTransaction) and outcome == EXECUTED
    payload = PENDING if private else NO_PAYLOAD
    keep = transaction.header.core.keep if isinstance(transaction, PrivateTransaction) else 0
    purge_at = height + keep if keep else 0
    return TransactionRow(
        transaction.id, height, position, outcome, body_at, body_position, payload, purge_at
    )


def _lost(height: int) -> PrivityError:
    return PrivityError(
        "E-JOURNAL",
        "the journal is gone; this node does not vote",
        where="journal",
        why=f"its indexes tell of {height} blocks, so it has voted, and forgotten for what",
        next="put the journal back; without it the node may come back only under a new key",
    )


def _inconsistent(height: int) -> PrivityError:
    return PrivityError(
        "E-JOURNAL",
        "the journal contradicts itself; this node does not vote",
        where=f"block {height}",
        why="executing it again leads to another block than the one recorded",
        next="keep the file for inquiry; the node may come back only under a new key",
    )
