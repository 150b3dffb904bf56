"""One node's folder, looked at from outside: its chain, its blobs, what it held when. Nothing is changed.

Works beside the running node and after it stopped. The journal is the truth, so the chain comes from there
and is executed again on the way; a last record that is being written at this moment is left out. The
indexes in SQLite are asked for the payload states alone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from consensus.certificates import BlockCertificate, CommitCertificate
from consensus.votes import Batch
from node.canonical import DecodeError
from node.chain.act import Act, ActTransaction
from node.chain.block import BlockHeader
from node.chain.journal import BlockRecord, BodiesRecord, CertifiedRecord, Journal
from node.chain.ledger import EXECUTED, Ledger
from node.chain.seal_book import SealBook
from node.consortium import Network
from node.delivery.packets import BlobDelivery
from node.delivery.shelf import FOLDER as TRANSIENT
from node.delivery.shelf import read_delivery
from node.envelopes.transaction import Blob, PrivateTransaction, decode_blob
from node.errors import PrivityError
from node.wire import AnyTransaction


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """A block as a node keeps it. `block_certificate` is None until a quorum signed the block's hash."""

    hash: bytes
    header: BlockHeader
    batch: Batch
    certificate: CommitCertificate
    block_certificate: BlockCertificate | None
    outcomes: tuple[str, ...]

    @property
    def height(self) -> int:
        return self.header.height


@dataclass(frozen=True, slots=True)
class Ordered:
    """A transaction and its first place on a ledger. `executed` is False for one that had no effect."""

    id: bytes
    transaction: AnyTransaction
    height: int
    position: int
    executed: bool


class Indexed(NamedTuple):
    """A transaction as the node's own index has it: its height, what came of it, its payload's state."""

    height: int
    outcome: str
    payload: str


class Holding(msgspec.Struct, frozen=True):
    """One line of holdings.jsonl: what was gained or erased, `t` in ms since genesis."""

    t: int
    height: int
    tx: str
    gained: str = ""
    erased: str = ""


@dataclass(slots=True)
class NodeReading:
    """What one node's folder held at the moment of reading.

    `blocks[i]` has height i + 1. `transactions` are by id, in chain order, the consortium's among them.
    """

    name: str
    folder: Path
    blocks: list[StoredBlock] = field(default_factory=list)
    transactions: dict[bytes, Ordered] = field(default_factory=dict)
    holdings: list[Holding] = field(default_factory=list)
    seals: SealBook = field(default_factory=lambda: SealBook((), 0))

    @property
    def height(self) -> int:
        return len(self.blocks)

    @property
    def head(self) -> StoredBlock | None:
        """The last block, None before the first."""
        return self.blocks[-1] if self.blocks else None

    def block(self, height: int) -> StoredBlock | None:
        """The block at this height, None if the node has none."""
        return self.blocks[height - 1] if 1 <= height <= len(self.blocks) else None

    def private(self) -> Iterator[tuple[Ordered, PrivateTransaction]]:
        """The private transactions on the ledger, in chain order, those without effect among them."""
        for ordered in self.transactions.values():
            if isinstance(ordered.transaction, PrivateTransaction):
                yield ordered, ordered.transaction

    def private_of(self, identifier: bytes) -> PrivateTransaction:
        """A private transaction that is on the ledger."""
        transaction = self.transactions[identifier].transaction
        assert isinstance(transaction, PrivateTransaction)
        return transaction

    def acts(self) -> Iterator[tuple[Ordered, Act]]:
        """The public acts on the ledger that took effect, in chain order."""
        for ordered in self.transactions.values():
            if ordered.executed and isinstance(ordered.transaction, ActTransaction):
                yield ordered, ordered.transaction.act

    def blob(self, identifier: bytes) -> Blob | None:
        """The blob of a transaction as it lies in the folder; None if it is missing or cannot be decoded."""
        try:
            return decode_blob((self.folder / "blobs" / identifier.hex()).read_bytes())
        except (OSError, DecodeError):
            return None

    def transient(self, identifier: bytes) -> BlobDelivery | None:
        """What a sender handed over for a transaction that no block has ordered here; None if nothing."""
        return read_delivery(self.folder / TRANSIENT / identifier.hex())

    def has_blob(self, identifier: bytes) -> bool:
        """Whether a blob of this transaction lies in the folder, whatever it is worth."""
        return (self.folder / "blobs" / identifier.hex()).exists()

    def payload_states(self) -> dict[bytes, str]:
        """The node's own word on each payload (store.PAYLOAD_STATES), by id; empty if it cannot be asked."""
        return {identifier: indexed.payload for identifier, indexed in self.indexed().items()}

    def indexed(self) -> dict[bytes, Indexed]:
        """The node's own index of its transactions, by id; empty if it cannot be asked."""
        rows = self._asked("SELECT id, height, outcome, payload FROM tx")
        return {identifier: Indexed(*rest) for identifier, *rest in rows}

    def owed_receipts(self) -> frozenset[bytes]:
        """The transactions of whose erasing nobody has this node's word yet, by its own index."""
        return frozenset(tx for (tx,) in self._asked("SELECT tx FROM receipt_owed"))

    def _asked(self, question: str) -> list[tuple[Any, ...]]:
        path = self.folder / "index.sqlite"
        # Without a write-ahead log nobody writes; opened as usual, SQLite would leave two files behind.
        mode = "ro" if path.with_name("index.sqlite-wal").exists() else "ro&immutable=1"
        address = f"{path.absolute().as_uri()}?mode={mode}"
        with suppress(sqlite3.Error), closing(sqlite3.connect(address, uri=True)) as database:
            return database.execute(question).fetchall()
        return []


def read_node(folder: Path, network: Network, *, trusting: bool = False) -> NodeReading:
    """Read a node's folder. A node that has not begun to write has no blocks.

    A `trusting` reader takes blocks as recorded, also those that executing makes otherwise.

    Raises PrivityError: E-NO-RUN when the folder is gone, E-JOURNAL when the journal is damaged, E-DISK when
    it cannot be opened.
    """
    reading = NodeReading(folder.name, folder)
    try:
        # First what grows last: whoever holds something has it on the chain that is read next.
        reading.holdings = read_holdings(folder)
        journal = Journal.open_read_only(folder / "journal", network.id)
    except FileNotFoundError:
        if not folder.is_dir():
            raise _gone(folder) from None
        return reading
    except OSError as error:
        raise _refused(folder, error) from None
    with closing(journal):
        try:
            _replay(journal, reading, network, trusting)
        except FileNotFoundError:
            raise _gone(folder) from None
        except OSError as error:
            raise _refused(folder, error) from None
    return reading


def _replay(journal: Journal, reading: NodeReading, network: Network, trusting: bool) -> None:
    ledger = Ledger(network)
    reading.seals = ledger.seals
    bodies: dict[bytes, AnyTransaction] = {}
    certificates: dict[int, BlockCertificate] = {}
    found: list[tuple[BlockRecord, bytes, tuple[str, ...]]] = []
    for _, record in journal.replay():
        if isinstance(record, BodiesRecord):
            for transaction in record.transactions:
                bodies.setdefault(transaction.id, transaction)
        elif isinstance(record, CertifiedRecord):
            certificates.setdefault(record.certificate.sequence, record.certificate)
        elif isinstance(record, BlockRecord):
            requests = record.batch.requests
            if record.header.height != ledger.height + 1 or any(each not in bodies for each in requests):
                raise _contradicts(reading.folder, record.header.height)
            applied = ledger.apply(record.batch, [bodies[each] for each in requests])
            if applied.header != record.header and not trusting:
                raise _contradicts(reading.folder, record.header.height)
            found.append((record, record.header.hash(), applied.outcomes))
            for position, (each, outcome) in enumerate(zip(requests, applied.outcomes, strict=True)):
                ordered = Ordered(
                    each, bodies[each], record.header.height, position, executed=outcome == EXECUTED
                )
                reading.transactions.setdefault(each, ordered)
    reading.blocks = [
        StoredBlock(
            block,
            record.header,
            record.batch,
            record.certificate,
            certificates.get(record.header.height),
            outcomes,
        )
        for record, block, outcomes in found
    ]


def read_holdings(folder: Path) -> list[Holding]:
    """What a node has noted of what it gained and erased, oldest first."""
    holdings = []
    try:
        lines = (folder / "holdings.jsonl").read_bytes().splitlines()
    except FileNotFoundError:
        return []
    for line in lines:
        with suppress(msgspec.DecodeError):  # The last line may be half written.
            holdings.append(msgspec.json.decode(line, type=Holding))
    return holdings


def _gone(folder: Path) -> PrivityError:
    return PrivityError(
        "E-NO-RUN",
        f"the folder of {folder.name} is gone",
        where=str(folder),
        why="it was deleted, or a part of it",
        next="privity up FILE starts a new run",
    )


def _refused(folder: Path, error: OSError) -> PrivityError:
    return PrivityError(
        "E-DISK",
        f"the folder of {folder.name} cannot be read",
        where=str(folder),
        why=error.strerror or "",
    )


def _contradicts(folder: Path, height: int) -> PrivityError:
    return PrivityError(
        "E-JOURNAL",
        f"the journal of {folder.name} contradicts itself",
        where=f"{folder / 'journal'}, block {height}",
        why="executing it again leads to another block than the one recorded",
    )
