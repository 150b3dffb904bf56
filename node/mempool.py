"""Transactions that wait to be ordered, bounded in all and for each sender.

When a bound is reached, new ones are refused and old ones kept: a flood by one sender costs nobody else
anything (R37).
"""

from __future__ import annotations

from dataclasses import dataclass

from node.canonical import encode
from node.chain.act import ActTransaction
from node.consortium import ConsortiumTransaction
from node.envelopes.transaction import SLOT_BYTES, Blob, PrivateTransaction, check_blob, encode_blob
from node.wire import AnyTransaction


@dataclass(slots=True)
class Waiting:
    """A transaction on its way into a block."""

    transaction: AnyTransaction
    blob: bytes | None  # Encoded, as it will lie on the disk.
    sender: str
    size: int
    recorded: bool = False  # Its body is in the journal.
    blob_stored: bool = False


def size_of(transaction: AnyTransaction, *, off_chain: bool = False) -> int:
    """The bytes that a transaction adds to a batch: its own and its blob's, as its header tells.

    A function of public bytes, so that every node measures alike, with the blob or without (R27, R33). With
    `off_chain` payloads no blob travels in a batch.
    """
    size = len(encode(transaction))
    if off_chain or not isinstance(transaction, PrivateTransaction):
        return size
    core = transaction.header.core
    return size + core.size_bucket + core.slot_bucket * SLOT_BYTES


class Mempool:
    """By transaction id. Limits are in transactions and bytes."""

    def __init__(
        self,
        *,
        off_chain: bool = False,
        most: int = 20_000,
        most_bytes: int = 128 << 20,
        most_per_sender: int = 8_000,
        most_bytes_per_sender: int = 48 << 20,
    ) -> None:
        self._off_chain = off_chain
        self._limits = (most, most_bytes)
        self._sender_limits = (most_per_sender, most_bytes_per_sender)
        self._waiting: dict[bytes, Waiting] = {}
        self._bytes = 0
        self._by_sender: dict[str, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, identifier: bytes) -> bool:
        return identifier in self._waiting

    def get(self, identifier: bytes) -> Waiting | None:
        return self._waiting.get(identifier)

    def add(
        self, identifier: bytes, transaction: AnyTransaction, blob: Blob | None, sender: str, *, needed: bool
    ) -> str | None:
        """Keep a transaction whose signature is good; the reason if it is refused.

        `needed` says that a proposal or a decision waits for it: watermarks and the size of a batch bound
        those, so they are kept above the limits.
        """
        encoded = encode_blob(blob) if blob is not None else None
        size = size_of(transaction, off_chain=self._off_chain)
        count, used = self._by_sender.get(sender, (0, 0))
        if not needed:
            if len(self._waiting) >= self._limits[0] or self._bytes + size > self._limits[1]:
                return "mempool full"
            if count >= self._sender_limits[0] or used + size > self._sender_limits[1]:
                return "over limit"
        self._waiting[identifier] = Waiting(transaction, encoded, sender, size)
        self._bytes += size
        self._by_sender[sender] = (count + 1, used + size)
        return None

    def complete(self, identifier: bytes, transaction: PrivateTransaction, blob: Blob) -> None:
        """Add the blob to a transaction that came without it, if it is the right one."""
        waiting = self._waiting[identifier]
        if waiting.blob is None and not waiting.blob_stored and check_blob(transaction.header, blob) is None:
            waiting.blob = encode_blob(blob)

    def forget_blob(self, identifier: bytes) -> None:
        """Drop the blob of a transaction that waits once more, after its first place on the ledger."""
        waiting = self._waiting.get(identifier)
        if waiting is not None:
            waiting.blob, waiting.blob_stored = None, False

    def remove(self, identifier: bytes) -> Waiting | None:
        """Forget a transaction, because it was executed or can no longer be ordered."""
        waiting = self._waiting.pop(identifier, None)
        if waiting is not None:
            self._bytes -= waiting.size
            count, used = self._by_sender[waiting.sender]
            if count == 1:
                del self._by_sender[waiting.sender]
            else:
                self._by_sender[waiting.sender] = (count - 1, used - waiting.size)
        return waiting

    @staticmethod
    def window_of(transaction: AnyTransaction) -> tuple[int, int]:
        """The heights at which a transaction may be ordered, both included. The consortium's is 1."""
        if isinstance(transaction, ConsortiumTransaction):
            return (1, 1)
        if isinstance(transaction, ActTransaction):
            return (transaction.act.valid_from, transaction.act.valid_until)
        core = transaction.header.core
        return (core.valid_from, core.valid_until)
