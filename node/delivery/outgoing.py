"""Handing a sealed payload over before it is ordered: to its readers' nodes, until enough have receipted it.

The sender's client does this, with the sender's keys. Only then is the header ordered; with too few receipts
nothing is, and no ledger ever tells of the transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import TYPE_CHECKING

from node.canonical import encode
from node.consortium import Network
from node.delivery.packets import BlobDelivery, SealedReceipt, SignedReceipt, delivery_bytes
from node.delivery.receipts import bundle, holders_wanted, is_good, open_receipt
from node.delivery.under_seal import bundle_key, keepers_of
from node.envelopes.envelope import Sealed
from node.envelopes.keys import PartyKeys
from node.errors import PrivityError
from node.topics import Topics

if TYPE_CHECKING:
    from node.client import Client

FIRST_REPEAT_S = 0.5
LONGEST_REPEAT_S = 2.0


class Outgoing:
    """One transaction on its way to its readers' nodes. `readers` are names, with the sender or without."""

    def __init__(
        self,
        network: Network,
        sealed: Sealed,
        keys: PartyKeys,
        readers: Collection[str],
        reply_to: bytes,
    ) -> None:
        self._network = network
        self._sealed = sealed
        self._keys = keys
        self._topics = Topics(network.id)
        self.tx = sealed.transaction.id
        self._sender = sealed.transaction.header.core.sender
        readers = keepers_of(network, sealed.transaction) or readers
        self.holders, self.needed = holders_wanted(network, self._sender, readers)
        self._to = frozenset((self._sender, *readers))
        self.receipts: dict[str, SignedReceipt] = {}
        signature = keys.signing.sign(delivery_bytes(network.id, self.tx, reply_to))
        self._packet = encode(BlobDelivery(sealed.transaction, sealed.blob, reply_to, signature))

    @property
    def lacking(self) -> list[str]:
        """The readers, the sender's own node aside, that have not receipted it, in order."""
        return sorted(self.holders - set(self.receipts))

    @property
    def enough(self) -> bool:
        """Whether it may be ordered."""
        return len(self.holders & set(self.receipts)) >= self.needed

    def deliveries(self) -> list[tuple[str, bytes]]:
        """Topic and packet for each reader's node that has not answered."""
        names = sorted(self._to - set(self.receipts))
        return [(self._inbox(name), self._packet) for name in names]

    def take(self, packet: SealedReceipt) -> bool:
        """Whether this is a receipt for it that was not here."""
        if packet.party != self._network.position(self._sender):
            return False
        signed = open_receipt(self._network, packet.sealed, self._keys.wrapping)
        if signed is None or not is_good(self._network, signed, self.tx):
            return False
        name = self._network.names[signed.receipt.replica]
        if name not in self._to or name in self.receipts:
            return False
        self.receipts[name] = signed
        return True

    def passing_on(self) -> list[tuple[str, bytes]]:
        """Topic and packet that give each reader the receipts, encrypted under the content key."""
        given = [self.receipts[name] for name in sorted(self.receipts)]
        packet = encode(
            bundle(self.tx, given, bundle_key(self._sealed.transaction, self._sealed.content_key))
        )
        return [(self._inbox(name), packet) for name in sorted(self._to)]

    def _inbox(self, name: str) -> str:
        place = self._network.position(name)
        assert place is not None, name
        return self._topics.inbox_of(place)


async def submit(
    client: Client, network: Network, sealed: Sealed, keys: PartyKeys, readers: Collection[str], label: str
) -> frozenset[str]:
    """Publish a sealed transaction, off chain after its readers' nodes have it; who gave a receipt for it.

    Raises PrivityError E-RECEIPTS: then nothing was published.
    """
    if not network.off_chain:
        client.submit(sealed.transaction, sealed.blob)
        return frozenset()
    outgoing = Outgoing(network, sealed, keys, readers, client.inbox)
    await hand_over(client, outgoing, label, network.rules.receipt_timeout_ms / 1000)
    client.submit(sealed.transaction, None)
    return frozenset(outgoing.receipts)


async def hand_over(client: Client, outgoing: Outgoing, label: str, timeout_s: float) -> None:
    """Deliver until there are enough receipts, and pass them on; the caller orders the header then.

    Raises PrivityError E-RECEIPTS when the time is over: nothing was ordered, and nothing will be.
    """
    loop = asyncio.get_running_loop()
    deadline, repeat_s = loop.time() + timeout_s, FIRST_REPEAT_S
    client.collect(outgoing)
    try:
        while not outgoing.enough:
            if loop.time() >= deadline:
                raise _too_few(outgoing, label, timeout_s)
            client.send_all(outgoing.deliveries())
            until = min(deadline, loop.time() + repeat_s)
            repeat_s = min(repeat_s * 2, LONGEST_REPEAT_S)
            while not outgoing.enough and await client.news_before(until):
                pass
    finally:
        client.collected(outgoing)
    client.send_all(outgoing.passing_on())


def _too_few(outgoing: Outgoing, label: str, timeout_s: float) -> PrivityError:
    have, silent = outgoing.needed, ", ".join(outgoing.lacking)
    given = len(outgoing.holders) - len(outgoing.lacking)
    return PrivityError(
        "E-RECEIPTS",
        f"{label} was not ordered: {given} of {have} receipts came within {timeout_s:g} s",
        why=f"no receipt from {silent}; its node may be down, or out of reach",
        next="send it again when they are up; privity ps shows who is",
    )
