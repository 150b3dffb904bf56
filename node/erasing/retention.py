"""Erasing payloads whose time is over: what `keep` in a transaction's header asks of every node.

A block and its hash need no payload, so nothing public changes. What one node erases is its own: the blob
file (ciphertext and wrapped keys) and every copy in its memory. The order is erase, note, record, so that a
crash in between leaves something that the next start makes up for, and never a note of what did not happen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set

from node.chain.ledger import Ledger
from node.chain.standing import Standing
from node.chain.store import DELIVERED, PURGED, REFUSED, Store, TransactionRow
from node.envelopes.transaction import PrivateTransaction
from node.mempool import Mempool
from node.private_view import PrivateView
from node.reporting import Reporter
from node.wire import AnyTransaction, TransactionPacket

OPENED = (DELIVERED, REFUSED)  # Whose content this party has seen.
LATE = "payload purged"


class Retention:
    """The payloads of one node that are not kept for ever. Raises OSError or sqlite3.Error on a bad disk.

    `since_ms` gives the time in milliseconds since the genesis; `forget` drops what else there is of a
    payload, and tells whether its blob was among it.
    """

    def __init__(
        self,
        store: Store,
        mempool: Mempool,
        ledger: Ledger,
        view: PrivateView,
        report: Reporter,
        since_ms: Callable[[], int],
        forget: Callable[[bytes], bool],
        body: Callable[[bytes], PrivateTransaction | None],
        standing: Standing,
        receipts: Callable[[Sequence[bytes]], None],
        *,
        off_chain: bool,
    ) -> None:
        self._body = body
        self._standing = standing
        self._receipts = receipts
        self._off_chain = off_chain
        self._unsaid: set[bytes] = set()  # Erased here by a block that a power cut took: it comes again.
        self._forget = forget
        self._store = store
        self._mempool = mempool
        self._ledger = ledger
        self._view = view
        self._report = report
        self._since_ms = since_ms

    def make_up(self) -> None:
        """Erase what fell due while this node was away, or when a crash came between."""
        for tx, author, height in self._standing.purges:
            self.order(tx, author, height)
        if due := self._due():
            # The index may have lost what was noted of a purge, and with it that a receipt is due.
            self._purge(due, self._store.holds(), self._store.ever_held())
        if self._off_chain:  # Where only who held it signs.
            self._unsaid = self._store.erased_unsaid()

    def order(self, tx: bytes, author: str, height: int) -> None:
        """A purge is on the ledger: the sender's word makes the payload, and what carries it, due now."""
        transaction = self._body(tx)
        if transaction is None or transaction.header.core.sender != author:
            return  # Not its own, or not on the ledger: it is ordered, and means nothing.
        self._store.set_purge([tx, *self._carriers(tx)], height)

    def _carriers(self, tx: bytes) -> list[bytes]:
        """What carries disclosures of this transaction, by the records of those who sent it."""
        found = []
        for carrier, discloser in self._standing.shown.get(tx, ()):
            transaction = self._body(carrier)
            if transaction is not None and transaction.header.core.sender == discloser:
                found.append(carrier)
        return found

    def late_carriers(self, ordered: Sequence[bytes]) -> None:
        """Of what was ordered a moment ago, what carries something that is to be erased is erased too."""
        shown = [each for each in ordered if each in self._standing.shows]
        late = [carrier for carrier in shown if self._carries_what_is_erased(carrier)]
        if late:
            self._store.set_purge(late, self._ledger.height)

    def _carries_what_is_erased(self, carrier: bytes) -> bool:
        transaction = self._body(carrier)
        if transaction is None:
            return False
        about = [
            self._store.transaction(tx)
            for tx, discloser in self._standing.shows.get(carrier, ())
            if transaction.header.core.sender == discloser
        ]
        return any(row is not None and 0 < row.purge_at <= self._ledger.height for row in about)

    def purge(self) -> None:
        """Erase what the block executed a moment ago made due."""
        due = self._due()
        self._purge(due, {(row.id, "key") for row in due if row.payload in OPENED}, self._unsaid)

    def _due(self) -> Sequence[TransactionRow]:
        """What is due now, and with it what carries it: a carrier that says it is kept for longer is not."""
        height, due = self._ledger.height, self._store.to_purge(self._ledger.height)
        if carriers := [carrier for row in due for carrier in self._carriers(row.id)]:
            self._store.set_purge(carriers, height)
            due = self._store.to_purge(height)
        return due

    def _purge(
        self,
        due: Sequence[TransactionRow],
        held: set[tuple[bytes, str]],
        erased_before: Set[bytes] = frozenset(),
    ) -> None:
        if not due:
            return
        height, since_ms = self._ledger.height, self._since_ms()
        entries: list[dict[str, object]] = []
        signed: list[bytes] = []
        for row in due:
            self._mempool.forget_blob(row.id)
            shelved = self._forget(row.id)
            was_here = {"blob"} if self._store.erase_blob(row.id) or shelved else set()
            was_here |= {what for what in ("blob", "key") if (row.id, what) in held}
            if not self._off_chain or "blob" in was_here or row.id in erased_before:
                signed.append(row.id)
            entries += [
                {"t": since_ms, "height": height, "erased": what, "tx": row.id.hex()}
                for what in ("blob", "key")
                if what in was_here
            ]
        self._store.note_holdings(entries)
        self._receipts(signed)
        self._store.set_payloads([(row.id, PURGED) for row in due])
        self._view.purged(due)
        for row in due:
            self._report.emit("priv.purge", tx=row.id, h=height)

    def without_late_blob(self, packet: TransactionPacket, identifier: bytes) -> TransactionPacket:
        """The packet, without its blob if that was erased here and must not come back, whoever sends it."""
        transaction = packet.transaction
        if packet.blob is None or not isinstance(transaction, PrivateTransaction):
            return packet
        row = self._store.transaction(identifier)
        if row is None or not row.purge_at or row.purge_at > self._ledger.height:
            return packet
        self._report.drop(LATE, transaction.header.core.sender)
        return TransactionPacket(packet.transaction, None)

    def let_go(self, identifier: bytes, transaction: AnyTransaction) -> None:
        """Erase the blob of a transaction that can no longer be ordered: no height will ever make it due."""
        if _sender_if_kept_a_while(transaction) is not None and self._store.transaction(identifier) is None:
            self._store.erase_blob(identifier)


def _sender_if_kept_a_while(transaction: AnyTransaction) -> str | None:
    """The sender of a transaction that is not kept for ever, None for any other."""
    if isinstance(transaction, PrivateTransaction) and transaction.header.core.keep:
        return transaction.header.core.sender
    return None
