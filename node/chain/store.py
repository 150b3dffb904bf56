"""What a node keeps beside its journal: indexes in SQLite, blobs as files, and a list of what it held when.

The indexes can be rebuilt from the journal and are, whenever they disagree with it. Blobs lie outside the
journal, one file for each transaction, so that a block verifies with its blobs purged.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from node.private_files import append_private

# States of a payload, from this party's point of view. `pending`, `missing` and `not_delivered` may change by
# themselves.
PENDING = "pending"  # Ordered; not looked at yet, or there are fewer receipts than the policy demands.
DELIVERED = "delivered"  # Unsealed, and it meets its commitment.
MISSING = "missing"  # The blob is not here; it is asked for.
UNREADABLE = "unreadable"  # It opens and does not meet its commitment; who holds key and blob can prove it.
# It opens, and a reader whom the policy demands was left out; or it came too late for its seal. No effect.
REFUSED = "refused"
PURGED = "purged"  # Kept for as long as its header says, and erased here.
SEALED = "sealed"  # Its ciphertext is here; until the seal opens to this party, its key is nobody's.
UNKNOWN = "unknown"  # This node could not tell, because its keys or its disk failed.
NOT_PARTY = "not_party"  # No key slot is ours.
# With `payload: off_chain`: nobody brought it here and nobody asked gave it. It may be none of ours, or its
# holders are away, and nobody can tell which from here; it is asked for again, more and more rarely.
NOT_DELIVERED = "not_delivered"
NO_PAYLOAD = "none"  # The consortium transaction has none, and a repeat has no effect.
PAYLOAD_STATES = (
    PENDING,
    DELIVERED,
    MISSING,
    UNREADABLE,
    REFUSED,
    UNKNOWN,
    NOT_PARTY,
    NOT_DELIVERED,
    PURGED,
    SEALED,
)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS block (
    height INTEGER PRIMARY KEY, hash BLOB NOT NULL, state_root BLOB NOT NULL, time_ms INTEGER NOT NULL,
    at INTEGER NOT NULL, certified_at INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tx (
    id BLOB PRIMARY KEY, height INTEGER NOT NULL, position INTEGER NOT NULL, outcome TEXT NOT NULL,
    body_at INTEGER NOT NULL, body_position INTEGER NOT NULL, payload TEXT NOT NULL,
    purge_at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS package (
    discloser TEXT NOT NULL, nonce BLOB NOT NULL, carrier BLOB NOT NULL,
    PRIMARY KEY (discloser, nonce)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS object_write (
    tx BLOB PRIMARY KEY, height INTEGER NOT NULL, position INTEGER NOT NULL, sender TEXT NOT NULL,
    audience TEXT NOT NULL, object BLOB NOT NULL, expects INTEGER NOT NULL, outcome TEXT NOT NULL,
    version INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS never_seen (tx BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS object_in_order ON object_write (object, height, position);
CREATE INDEX IF NOT EXISTS object_by_height ON object_write (height, position);
CREATE TABLE IF NOT EXISTS receipt_owed (
    place INTEGER PRIMARY KEY, tx BLOB NOT NULL UNIQUE, owner TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS receipt_by_owner ON receipt_owed (owner, place);
CREATE INDEX IF NOT EXISTS tx_by_height ON tx (height, position);
CREATE INDEX IF NOT EXISTS tx_by_payload ON tx (payload) WHERE payload IN ('pending', 'missing', 'unknown');
CREATE INDEX IF NOT EXISTS tx_to_purge ON tx (purge_at) WHERE purge_at > 0 AND payload <> 'purged';
"""


@dataclass(frozen=True, slots=True)
class BlockRow:
    """Where a block is in the journal. `certified_at` is None until its block certificate is there."""

    height: int
    hash: bytes
    state_root: bytes
    time_ms: int
    at: int
    certified_at: int | None


@dataclass(frozen=True, slots=True)
class TransactionRow:
    """Where a transaction is: its block, its place there, its body in the journal, its payload's state.

    `purge_at` is the height whose execution erases the payload, 0 if none does.
    """

    id: bytes
    height: int
    position: int
    outcome: str
    body_at: int
    body_position: int
    payload: str
    purge_at: int = 0


class Store:
    """One node's folder: `index.sqlite`, `blobs/`, `holdings.jsonl`."""

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        self._blobs = folder / "blobs"
        self._holdings = folder / "holdings.jsonl"
        path = folder / "index.sqlite"
        if read_only:
            self._db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
            return
        self._path = path
        self._blobs.mkdir(mode=0o700, exist_ok=True)
        self._db = self._connect()
        try:
            self._open()
        except sqlite3.DatabaseError:
            self.rebuild()  # Not a database any more; a disk that refuses writes refuses this one too.

    def _connect(self) -> sqlite3.Connection:
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        return sqlite3.connect(self._path, isolation_level=None)

    def _open(self) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=OFF", "secure_delete=ON", "busy_timeout=2000"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(_SCHEMA)

    def rebuild(self) -> None:
        """Begin the indexes anew, whatever is there now; the journal fills them again."""
        self._db.close()
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        self._db = self._connect()
        self._open()

    def close(self) -> None:
        self._db.close()

    @property
    def database(self) -> sqlite3.Connection:
        """The connection, for tables that have a module of their own; another one after `rebuild`."""
        return self._db

    # Blocks and transactions.

    @property
    def height(self) -> int:
        """The height of the last block indexed, 0 before the first."""
        return int(self._db.execute("SELECT COALESCE(MAX(height), 0) FROM block").fetchone()[0])

    def add_block(self, block: BlockRow, transactions: Iterable[TransactionRow]) -> None:
        """Index an executed block. A transaction that was executed before keeps its first place."""
        with self._db:
            self._db.execute("BEGIN")
            self._db.execute(
                "INSERT OR REPLACE INTO block VALUES (?, ?, ?, ?, ?, ?)",
                (block.height, block.hash, block.state_root, block.time_ms, block.at, block.certified_at),
            )
            self._db.executemany(
                "INSERT OR IGNORE INTO tx VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        row.id,
                        row.height,
                        row.position,
                        row.outcome,
                        row.body_at,
                        row.body_position,
                        row.payload,
                        row.purge_at,
                    )
                    for row in transactions
                ],
            )

    def set_certified(self, height: int, at: int) -> None:
        self._db.execute("UPDATE block SET certified_at = ? WHERE height = ?", (at, height))

    def block(self, height: int) -> BlockRow | None:
        row = self._db.execute("SELECT * FROM block WHERE height = ?", (height,)).fetchone()
        return None if row is None else BlockRow(*row)

    def blocks(self, first: int = 1, limit: int = -1) -> list[BlockRow]:
        """Blocks from a height on, in order; all of them without a limit."""
        rows = self._db.execute(
            "SELECT * FROM block WHERE height >= ? ORDER BY height LIMIT ?", (first, limit)
        ).fetchall()
        return [BlockRow(*row) for row in rows]

    def uncertified(self, after: int) -> list[BlockRow]:
        """Blocks above this height without a block certificate, in order."""
        rows = self._db.execute(
            "SELECT * FROM block WHERE certified_at IS NULL AND height > ? ORDER BY height", (after,)
        ).fetchall()
        return [BlockRow(*row) for row in rows]

    def count_certified(self) -> int:
        """How many blocks have a block certificate."""
        return int(self._db.execute("SELECT COUNT(certified_at) FROM block").fetchone()[0])

    def transaction(self, identifier: bytes) -> TransactionRow | None:
        row = self._db.execute("SELECT * FROM tx WHERE id = ?", (identifier,)).fetchone()
        return None if row is None else TransactionRow(*row)

    def all_transactions(self) -> list[TransactionRow]:
        """Every transaction on the ledger, in chain order."""
        return [
            TransactionRow(*row) for row in self._db.execute("SELECT * FROM tx ORDER BY height, position")
        ]

    def transactions_after(self, height: int) -> list[TransactionRow]:
        """Every transaction in a block above this height, in chain order."""
        rows = self._db.execute("SELECT * FROM tx WHERE height > ? ORDER BY height, position", (height,))
        return [TransactionRow(*row) for row in rows]

    # Payloads.

    def payloads(self, state: str, limit: int) -> list[bytes]:
        """Ids of transactions whose payload is in this state, in chain order."""
        rows = self._db.execute(
            "SELECT id FROM tx WHERE payload = ? ORDER BY height, position LIMIT ?", (state, limit)
        ).fetchall()
        return [row[0] for row in rows]

    def set_payloads(self, states: Sequence[tuple[bytes, str]]) -> None:
        """Record the new states of these payloads."""
        with self._db:
            self._db.execute("BEGIN")
            self._db.executemany(
                "UPDATE tx SET payload = ? WHERE id = ?",
                [(state, identifier) for identifier, state in states],
            )

    def first_carrier(self, discloser: str, nonce: bytes, carrier: bytes) -> bytes:
        """The carrier that brought this package first: the one given, if none did before."""
        self._db.execute("INSERT OR IGNORE INTO package VALUES (?, ?, ?)", (discloser, nonce, carrier))
        found = self._db.execute(
            "SELECT carrier FROM package WHERE discloser = ? AND nonce = ?", (discloser, nonce)
        )
        return bytes(found.fetchone()[0])

    def to_purge(self, height: int) -> list[TransactionRow]:
        """Those whose payload is to be erased by this height and is not recorded as such, in chain order."""
        rows = self._db.execute(
            "SELECT * FROM tx WHERE purge_at > 0 AND payload <> 'purged' AND purge_at <= ?"
            " ORDER BY height, position",
            (height,),
        ).fetchall()
        return [TransactionRow(*row) for row in rows]

    def set_purge(self, identifiers: Iterable[bytes], height: int) -> None:
        """These are erased by this height; what is erased earlier anyway stays as it is."""
        with self._db:
            self._db.execute("BEGIN")
            self._db.executemany(
                "UPDATE tx SET purge_at = ? WHERE id = ? AND (purge_at = 0 OR purge_at > ?)",
                [(height, identifier, height) for identifier in identifiers],
            )

    def add_receipts_due(self, due: Iterable[tuple[bytes, str]]) -> None:
        """This node is to sign that it erased these: each with whom it owes that, "" for the ledger."""
        with self._db:
            self._db.execute("BEGIN")
            self._db.executemany("INSERT OR IGNORE INTO receipt_owed (tx, owner) VALUES (?, ?)", due)

    def drop_receipts_due(self, identifiers: Iterable[bytes]) -> None:
        """It has, and whoever is owed it has it."""
        with self._db:
            self._db.execute("BEGIN")
            self._db.executemany("DELETE FROM receipt_owed WHERE tx = ?", [(each,) for each in identifiers])

    def receipts_due(self, limit: int) -> list[bytes]:
        """For which it has not yet, the oldest first, up to so many."""
        rows = self._db.execute("SELECT tx FROM receipt_owed ORDER BY place LIMIT ?", (limit,)).fetchall()
        return [row[0] for row in rows]

    def receipts_owed(self, owner: str, after: int, limit: int) -> list[tuple[int, bytes]]:
        """Those owed to `owner` that come after a place, each with its place, up to so many."""
        return self._db.execute(
            "SELECT place, tx FROM receipt_owed WHERE owner = ? AND place > ? ORDER BY place LIMIT ?",
            (owner, after, limit),
        ).fetchall()

    def owed_receipts(self) -> list[str]:
        """Whom this node owes purge receipts, "" for the ledger."""
        rows = self._db.execute("SELECT DISTINCT owner FROM receipt_owed ORDER BY owner").fetchall()
        return [row[0] for row in rows]

    def count_payloads(self) -> dict[str, int]:
        """How many payloads are in each state. Reads the whole index."""
        counts = dict.fromkeys(PAYLOAD_STATES, 0)
        for state, count in self._db.execute("SELECT payload, COUNT(*) FROM tx GROUP BY payload"):
            if state in counts:
                counts[state] = count
        return counts

    # Blobs and holdings.

    def put_blob(self, identifier: bytes, blob: bytes, *, durable: bool = False) -> None:
        """Keep a blob. One that a power cut takes is asked for again; `durable` for one that must not go."""
        path = self._blobs / identifier.hex()
        with os.fdopen(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb"
        ) as file:
            file.write(blob)
            if durable:
                file.flush()
                os.fsync(file.fileno())

    def has_blob(self, identifier: bytes) -> bool:
        """Whether a blob of this transaction is here, whatever it is worth."""
        return (self._blobs / identifier.hex()).exists()

    def get_blob(self, identifier: bytes) -> bytes | None:
        """The encoded blob of a transaction, or None if it is not here."""
        try:
            return (self._blobs / identifier.hex()).read_bytes()
        except FileNotFoundError:
            return None

    def erase_blob(self, identifier: bytes) -> bool:
        """Overwrite and remove a blob, whatever it is worth; whether there was one.

        Overwriting is the best that a program can do: what a disk or a file system keeps beside the file is
        out of its reach.
        """
        return erase_file(self._blobs / identifier.hex())

    def holds(self) -> set[tuple[bytes, str]]:
        """What was noted as gained and not as erased: ids, each with `blob` or `key`. Reads the list."""
        held: set[tuple[bytes, str]] = set()
        with suppress(FileNotFoundError):
            for line in self._holdings.read_bytes().splitlines():
                with suppress(ValueError, KeyError, TypeError):  # The last line may be half written.
                    entry = json.loads(line)
                    identifier = bytes.fromhex(entry["tx"])
                    if "gained" in entry:
                        held.add((identifier, entry["gained"]))
                    else:
                        held.discard((identifier, entry["erased"]))
        return held

    def ever_held(self) -> set[bytes]:
        """Whose blob was noted as gained, erased since or not. Reads the list."""
        gained = set()
        with suppress(FileNotFoundError):
            for line in self._holdings.read_bytes().splitlines():
                with suppress(ValueError, KeyError, TypeError):  # The last line may be half written.
                    entry = json.loads(line)
                    if entry.get("gained") == "blob":
                        gained.add(bytes.fromhex(entry["tx"]))
        return gained

    def erased_unsaid(self) -> set[bytes]:
        """Whose blob was noted as erased, and is not in the index as purged. Reads the list.

        A power cut can take a block that the notes speak of, and the index is made anew without it.
        """
        gone = self.ever_held() - {identifier for identifier, what in self.holds() if what == "blob"}
        return {each for each in gone if (row := self.transaction(each)) is None or row.payload != PURGED}

    def note_holdings(self, entries: Sequence[dict[str, object]]) -> None:
        """Append what this node gained or erased: digests, time and height, never the thing itself."""
        if entries:
            lines = "".join(json.dumps(entry, separators=(",", ":")) + "\n" for entry in entries)
            append_private(self._holdings, lines.encode())


def erase_file(path: Path) -> bool:
    """Overwrite and remove a file; whether there was one. Raises OSError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    with os.fdopen(descriptor, "wb") as file:
        file.write(bytes(os.fstat(descriptor).st_size))
        file.flush()
        os.fsync(descriptor)  # Else removing the file would spare the disk the zeros.
    path.unlink()
    return True
