"""Which transactions a node takes in, whoever relays them: a function of public bytes and the ledger."""

from __future__ import annotations

from node.chain.act import ActTransaction, check_act
from node.chain.ledger import Ledger, key_of
from node.consortium import ConsortiumTransaction, Network
from node.envelopes.transaction import PrivateTransaction, check_transaction
from node.mempool import Mempool
from node.wire import AnyTransaction, TransactionPacket


class Intake:
    """Judges the transactions of one network against its ledger."""

    def __init__(self, network: Network, ledger: Ledger) -> None:
        self._network = network
        self._ledger = ledger

    def superfluous(self, packet: TransactionPacket) -> str | None:
        """Why nobody needs this transaction now, before anything about it is checked; or None."""
        transaction = packet.transaction
        if self._ledger.has_executed(key_of(transaction, self._network)):
            return "already executed"
        if Mempool.window_of(transaction)[1] <= self._ledger.height:
            return "expired"
        private = isinstance(transaction, PrivateTransaction) and not self._network.off_chain
        return "payload missing" if private and packet.blob is None else None

    def refused(self, packet: TransactionPacket) -> str | None:
        """Why a transaction is none of this network's, or None. The signature is checked last (R26)."""
        transaction = packet.transaction
        if isinstance(transaction, ConsortiumTransaction):
            # The only one there can be until membership changes: the one that this node trusts anyway.
            return None if transaction == self._network.transaction else "other consortium"
        if isinstance(transaction, ActTransaction):
            return self._refused_act(transaction, packet)
        if self._network.off_chain and packet.blob is not None:
            return "payload belongs to its readers"
        core = transaction.header.core
        key = self._network.verify_key(core.sender)
        if key is None:
            return "unknown sender"
        return check_transaction(
            transaction,
            packet.blob,
            network=self._network.id,
            policy=self._network.policy_hash,
            max_validity=self._network.rules.validity_window,
            sender_key=key,
            seals=self._network.openers_of,
        )

    def _refused_act(self, transaction: ActTransaction, packet: TransactionPacket) -> str | None:
        key = self._network.verify_key(transaction.act.sender)
        if key is None:
            return "unknown sender"
        if packet.blob is not None:
            return "act"  # It is all public; whatever lies beside it would be stored for nothing.
        return check_act(
            transaction,
            network=self._network.id,
            policy=self._network.policy_hash,
            max_validity=self._network.rules.validity_window,
            names=frozenset(self._network.names),
            sender_key=key,
        )

    def too_early(self, transaction: AnyTransaction) -> bool:
        """Whether it could be ordered only at a height so far off that it would fill the mempool for long."""
        return Mempool.window_of(transaction)[0] > self._ledger.height + self._network.rules.validity_window
