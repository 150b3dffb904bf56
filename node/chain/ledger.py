"""The public ledger: what executing a batch does, the same on every node.

Its state is small: which (sender, nonce) pairs were executed in the last `validity_window` heights, so that
no transaction takes effect twice (R24). A transaction names the heights at which it may be ordered, at
most `validity_window` apart, so an older pair can never come back.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from consensus.votes import Batch
from node.canonical import encode
from node.chain.act import ActTransaction
from node.chain.block import NO_PARENT, BlockHeader
from node.chain.seal_book import SealBook
from node.consortium import ConsortiumTransaction, Network
from node.wire import AnyTransaction

EXECUTED = "executed"
DUPLICATE = "duplicate"

Key = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Applied:
    """A block, and what became of each of its transactions, in order."""

    header: BlockHeader
    block: bytes
    outcomes: tuple[str, ...]


def key_of(transaction: AnyTransaction, network: Network) -> Key:
    """The at-most-once key of a transaction: its sender and nonce."""
    if isinstance(transaction, ConsortiumTransaction):
        return (network.members[0].name, bytes(16))
    if isinstance(transaction, ActTransaction):
        return (transaction.act.sender, transaction.act.nonce)
    return (transaction.header.core.sender, transaction.header.core.nonce)


class Ledger:
    """The head of the chain and the public state behind it. `seals` follows from both and is in no hash."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._window = network.rules.validity_window
        self.height = 0
        self.head = NO_PARENT
        self.time_ms = network.created_ms
        self._executed: set[Key] = set()
        # For each height of the window, oldest first: the keys executed there, and their digest.
        self._recent: deque[tuple[tuple[Key, ...], bytes]] = deque()
        self.state_root = self._root()
        self.seals = SealBook(network.consortium.policy.seals, network.created_ms)

    def has_executed(self, key: Key) -> bool:
        """Whether a transaction with this key took effect within the window."""
        return key in self._executed

    def apply(self, batch: Batch, transactions: Sequence[AnyTransaction]) -> Applied:
        """Execute the next batch. A key executed before is skipped: the block stands, it does nothing."""
        assert batch.sequence == self.height + 1, (batch.sequence, self.height)
        assert len(transactions) == len(batch.requests)
        outcomes, keys = [], []
        for transaction in transactions:
            key = key_of(transaction, self._network)
            if key in self._executed:
                outcomes.append(DUPLICATE)
            else:
                self._executed.add(key)
                keys.append(key)
                outcomes.append(EXECUTED)
        self._recent.append((tuple(keys), self._height_digest(batch.sequence, keys)))
        if len(self._recent) > self._window:
            expired, _ = self._recent.popleft()
            self._executed.difference_update(expired)
        self.state_root = self._root()
        # Time never runs back: the null request has its parent's time, and so has a batch that a new view
        # renews behind a younger one.
        self.time_ms = max(self.time_ms, batch.time_ms)
        effective = [
            (position, batch.requests[position], transaction)
            for position, (transaction, outcome) in enumerate(zip(transactions, outcomes, strict=True))
            if outcome == EXECUTED and not isinstance(transaction, ConsortiumTransaction)
        ]
        self.seals.apply(batch.sequence, self.time_ms, effective)
        header = BlockHeader(
            version=1,
            epoch=0,
            height=batch.sequence,
            parent=self.head,
            time_ms=self.time_ms,
            proposer=batch.proposer,
            batch_digest=batch.digest(),
            body_root=BlockHeader.root_of(batch.requests),
            state_root=self.state_root,
        )
        self.height, self.head = batch.sequence, header.hash()
        return Applied(header, self.head, tuple(outcomes))

    @staticmethod
    def _height_digest(height: int, keys: list[Key]) -> bytes:
        return hashlib.sha256(b"privity/v1/executed\0" + encode([height, keys])).digest()

    def _root(self) -> bytes:
        """The root of the public state: the network, and what was executed at each height of the window."""
        digests = b"".join(digest for _, digest in self._recent)
        return hashlib.sha256(b"privity/v1/state\0" + self._network.id + digests).digest()
