"""Purges as a run's folder has them: what was to be erased when, who signed that it did, who did not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from node.chain.deeds import Purge, PurgeReceipt
from node.chain.reading import NodeReading
from node.envelopes.transaction import PrivateTransaction
from node.erasing.purging import read_purge_receipts
from node.run_reading import RunReading


@dataclass(frozen=True, slots=True)
class Purged:
    """A payload that is to be erased since `height`; by the sender's act with `reason`, or by its keep.

    `signed` have given a receipt, `missing` are obliged and have not, `kept` have the blob on their disk:
    whoever is among the first and the last contradicts itself.
    """

    tx: bytes
    sender: str
    height: int
    reason: str
    signed: tuple[str, ...]
    missing: tuple[str, ...]
    kept: tuple[str, ...] = ()

    @property
    def liars(self) -> tuple[str, ...]:
        """Who signed that it erased it, and has it."""
        return tuple(name for name in self.kept if name in self.signed)

    def line(self) -> str:
        """`since block 30; receipts of ann, bob; none of cyd`."""
        words = [f"since block {self.height}", f"receipts of {', '.join(self.signed) or 'nobody'}"]
        words += [f"none of {', '.join(self.missing)}"] if self.missing else []
        words += [f"{', '.join(self.liars)} signed, and has it still"] if self.liars else []
        return "; ".join(words)

    def document(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "height": self.height,
            "reason": self.reason or None,
            "signed": list(self.signed),
            "missing": list(self.missing),
            "contradicted": list(self.liars),
        }


def due_heights(chain: NodeReading) -> dict[bytes, tuple[int, str]]:
    """By transaction: from which height on it is erased on this chain, and the reason if an act says so."""
    found: dict[bytes, tuple[int, str]] = {}
    for ordered, transaction in chain.private():
        if ordered.executed and (keep := transaction.header.core.keep):
            found[ordered.id] = (ordered.height + keep, "")
    for ordered, act in chain.acts():
        about = chain.transactions.get(act.deed.tx) if isinstance(act.deed, Purge) else None
        if about is None or not isinstance(about.transaction, PrivateTransaction):
            continue
        assert isinstance(act.deed, Purge)
        own = about.transaction.header.core.sender == act.sender
        if own and found.get(about.id, (ordered.height + 1, ""))[0] > ordered.height:
            found[about.id] = (ordered.height, act.deed.reason)
    return {tx: due for tx, due in found.items() if due[0] <= chain.height}


def purges_of(reading: RunReading, only: bytes | None = None) -> list[Purged]:
    """All of them, in chain order; of one transaction, if it is named. Folders of all nodes are looked at."""
    chain, network = reading.highest(), reading.network
    due = due_heights(chain)
    signed: dict[bytes, set[str]] = {tx: set() for tx in due}
    for _, act in chain.acts():
        for tx in act.deed.txs if isinstance(act.deed, PurgeReceipt) else ():
            if tx in signed:
                signed[tx].add(act.sender)
    found, held = [], _held(reading)
    for tx, (height, reason) in due.items():
        if only not in (None, tx):
            continue
        transaction = chain.transactions[tx].transaction
        assert isinstance(transaction, PrivateTransaction)
        sender = transaction.header.core.sender
        if network.off_chain:
            folder = reading.folder.node(sender)
            signed[tx] |= {name for about, name in read_purge_receipts(folder, network) if about == tx}
        obliged = [name for name in network.names if not network.off_chain or tx.hex() in held[name]]
        names = tuple(name for name in network.names if name in signed[tx])
        missing = tuple(name for name in obliged if name not in signed[tx])
        kept = tuple(name for name in network.names if reading.node(name).has_blob(tx))
        found.append(Purged(tx, sender, height, reason, names, missing, kept))
    return found


def _held(reading: RunReading) -> dict[str, set[str]]:
    """By node what it ever held, by its own list: off chain it is obliged to erase that, on chain all."""
    return {
        name: {each.tx for each in reading.node(name).holdings if each.gained == "blob"}
        for name in reading.network.names
    }
