"""How a transaction comes before a node's replica: judged, kept in the mempool, and submitted."""

from __future__ import annotations

from collections.abc import Callable

from consensus.output import Output
from consensus.replica import Replica
from consensus.votes import Request
from node.chain.books import Books
from node.chain.ledger import key_of
from node.chain.store import Store
from node.consortium import Network
from node.envelopes.transaction import PrivateTransaction
from node.intake import Intake
from node.mempool import Mempool
from node.private_business import PrivateBusiness
from node.reporting import Reporter
from node.wire import AnyTransaction, TransactionPacket


class Admission:
    """Of one node, whose parts it shares.

    `take` is given what the replica puts out, `now_ms` tells the time of the node's present step in Unix
    milliseconds, and `failed` whether the disk refused: then nothing new is admitted. Raises OSError,
    sqlite3.Error or PrivityError when the disk refuses just now; what a peer sends never raises.
    """

    def __init__(
        self,
        network: Network,
        mempool: Mempool,
        books: Books,
        store: Store,
        replica: Replica,
        private: PrivateBusiness,
        report: Reporter,
        take: Callable[[Output], None],
        now_ms: Callable[[], int],
        failed: Callable[[], bool],
    ) -> None:
        self._network = network
        self._intake = Intake(network, books.ledger)
        self._mempool = mempool
        self._books = books
        self._store = store
        self._replica = replica
        self._private = private
        self._report = report
        self._take = take
        self._now_ms = now_ms
        self._failed = failed

    def offered(self, packet: TransactionPacket) -> None:
        """A transaction that somebody sent, or a blob that was missing."""
        transaction = packet.transaction
        identifier = transaction.id
        late, packet = packet, self._private.retention.without_late_blob(packet, identifier)
        if packet is not late and not self._replica.wants(identifier):
            return
        if not self._network.off_chain and self._private.view.is_missing(identifier):
            if reason := self._private.take_missing_blob(packet, identifier):
                self._report.drop(reason)
            return
        waiting = self._mempool.get(identifier)
        if waiting is not None:
            if self._network.off_chain:
                return
            if packet.blob is not None and isinstance(transaction, PrivateTransaction):
                self._mempool.complete(identifier, transaction, packet.blob)
            return
        needed = self._replica.wants(identifier)
        if not needed and (reason := self._intake.superfluous(packet)):
            if reason == "already executed":
                self._report.duplicate(identifier)
            self._report.drop(reason)
        elif reason := self._intake.refused(packet):
            self._report.reject(reason)
        elif not needed and self._intake.too_early(transaction):
            self._report.reject("too early", key_of(transaction, self._network)[0])
        elif not self._failed():
            self.keep(identifier, transaction, packet, needed=needed)

    def decided(self, packet: TransactionPacket) -> None:
        """A transaction of a batch that the network decided without this node."""
        identifier = packet.transaction.id
        if identifier in self._mempool:
            return
        if reason := self._intake.refused(packet):
            self._report.drop(reason)
        else:
            packet = self._private.retention.without_late_blob(packet, identifier)
            self.keep(identifier, packet.transaction, packet, needed=True)

    def keep(
        self,
        identifier: bytes,
        transaction: AnyTransaction,
        packet: TransactionPacket | None,
        *,
        needed: bool,
    ) -> None:
        """Put a checked transaction into the mempool and before the replica.

        `needed`: a proposal or a decision waits for it, or it is this node's own from before a stop.
        """
        sender, nonce = key_of(transaction, self._network)
        valid_from, valid_until = Mempool.window_of(transaction)
        if valid_until <= self._replica.executed_sequence:
            self._report.drop("expired", sender)
            self._private.retention.let_go(identifier, transaction)
            return
        blob = packet.blob if packet is not None else None
        if reason := self._mempool.add(identifier, transaction, blob, sender, needed=needed):
            self._report.drop(reason, sender)
            return
        waiting = self._mempool.get(identifier)
        assert waiting is not None
        if self._books.has_body(identifier):
            waiting.recorded, waiting.blob_stored = True, self._store.get_blob(identifier) is not None
        self._report.emit("tx.accept", "debug", tx=identifier, party=sender)
        request = Request(identifier, sender, nonce, valid_from, valid_until, waiting.size)
        self._take(self._replica.submit(request, self._now_ms()))
