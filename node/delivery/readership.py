"""Who reads a transaction that this party reads too: only whoever opens the ciphertext can tell."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import NamedTuple

from node.canonical import DecodeError
from node.chain.store import Store
from node.consortium import Network
from node.delivery.shelf import Shelf
from node.delivery.under_seal import bundle_key, keepers_of
from node.envelopes.content_key import ContentKey
from node.envelopes.envelope import readers_of, unseal
from node.envelopes.keys import WrappingKey
from node.envelopes.transaction import Blob, PrivateTransaction, check_blob, decode_blob

REMEMBERED = 8192


class Readers(NamedTuple):
    """Of one transaction: the key under which they pass receipts on, and their names."""

    key: ContentKey
    names: frozenset[str]


class Readership:
    """Of the blobs on one node's disk, on the shelf or ordered; what was found out lately is remembered.

    `body` gives an ordered private transaction with its height.
    """

    def __init__(
        self,
        network: Network,
        wrapping: WrappingKey,
        store: Store,
        shelf: Shelf,
        body: Callable[[bytes], tuple[PrivateTransaction, int]],
    ) -> None:
        self._network = network
        self._wrapping = wrapping
        self._store = store
        self._shelf = shelf
        self._body = body
        self._known: OrderedDict[bytes, Readers] = OrderedDict()

    def __contains__(self, identifier: bytes) -> bool:
        return identifier in self._known

    def of(self, identifier: bytes) -> Readers | None:
        """The readers of a blob that is here and that we read; else None."""
        blob = self.blob(identifier)
        if blob is None:
            return None
        if (known := self._known.get(identifier)) is not None:
            return known
        waiting = self._shelf.get(identifier)
        if waiting is None and self._store.transaction(identifier) is None:
            return None  # An old blob of a journal that is gone.
        transaction = self._body(identifier)[0] if waiting is None else waiting.transaction
        if (keepers := keepers_of(self._network, transaction)) is not None:
            return Readers(bundle_key(transaction, None), keepers)
        try:
            opened = unseal(transaction, blob, self._wrapping)
            return self.found(identifier, transaction, blob, opened.content_key)
        except Exception:
            return None  # Whatever failed: who cannot tell who the readers are gives nothing.

    def found(
        self, identifier: bytes, transaction: PrivateTransaction, blob: Blob, content_key: bytes
    ) -> Readers:
        """The readers of a blob, as its content key tells. Raises Unreadable if its slots lie."""
        if (known := self._known.get(identifier)) is not None:
            return known
        names = keepers_of(self._network, transaction)
        if names is None:
            names = frozenset(readers_of(transaction, blob, content_key, self._network.wrapping_keys))
        return self._remember(identifier, Readers(bundle_key(transaction, content_key), names))

    def told(
        self, identifier: bytes, transaction: PrivateTransaction, content_key: bytes, readers: Collection[str]
    ) -> None:
        """Hear who the readers are from who opened the blob anyhow."""
        keepers = keepers_of(self._network, transaction)
        names = frozenset(readers) if keepers is None else keepers
        self._remember(identifier, Readers(bundle_key(transaction, content_key), names))

    def forget(self, identifier: bytes) -> None:
        """Let nothing of it stay in memory."""
        self._known.pop(identifier, None)

    def blob(self, identifier: bytes) -> Blob | None:
        """What lies on the disk, in whichever place; None for nothing, or for what cannot be read."""
        if (waiting := self._shelf.get(identifier)) is not None:
            return waiting.blob
        try:
            encoded = self._store.get_blob(identifier)
            return None if encoded is None else decode_blob(encoded)
        except (OSError, DecodeError):
            return None

    def has(self, identifier: bytes, transaction: PrivateTransaction) -> bool:
        """Whether the very blob of this transaction is on the disk, in whichever place."""
        blob = self.blob(identifier)
        return blob is not None and check_blob(transaction.header, blob) is None

    def _remember(self, identifier: bytes, readers: Readers) -> Readers:
        self._known[identifier] = readers
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return readers
