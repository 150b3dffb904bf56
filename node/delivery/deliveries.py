"""The blobs of `payload: off_chain` at one node: taken in with a receipt, served to readers, asked for.

Nothing here touches consensus: a block is executed with its headers, and a payload that is not here holds up
its party's private view and nothing else (P34, P35). Only a node that reads a blob keeps it, and to everybody
who is no reader it says nothing, whatever it holds (P24, P28).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from node.canonical import encode
from node.chain.store import MISSING, NOT_DELIVERED, PENDING, Store
from node.consortium import Network
from node.delivery.kept_receipts import KeptReceipts
from node.delivery.packets import (
    BlobAnswer,
    BlobDelivery,
    BlobRequest,
    DeliveryPacket,
    ReceiptsUnderKey,
    SealedReceipt,
    SignedBlobRequest,
    SignedReceipt,
    delivery_bytes,
    request_bytes,
)
from node.delivery.readership import Readership
from node.delivery.receipts import holders_wanted, is_good, open_bundle, seal_receipt, sign_receipt
from node.delivery.reconciler import Reconciler
from node.delivery.serving import Serving
from node.delivery.shelf import Shelf
from node.delivery.under_seal import keepers_of, own_receipt_key
from node.envelopes.content_key import ContentKey
from node.envelopes.envelope import NotAParty, Opened, Unreadable, unseal
from node.envelopes.keys import PartyKeys
from node.envelopes.sender_proof import SenderProof
from node.envelopes.transaction import Blob, PrivateTransaction, check_blob, check_transaction, encode_blob
from node.private_view import Looked, PrivateView
from node.reporting import Reporter
from node.topics import Topics

QUICK_AGAIN = 1000  # Of those given up before a restart, the newest.
AWAITED = (PENDING, MISSING, NOT_DELIVERED)


class Hold(Protocol):
    """Notes in the holdings what was gained or erased: what, transaction ids."""

    def __call__(self, what: str, identifiers: Sequence[bytes], *, erased: bool = False) -> None: ...


class Deliveries:
    """Of one node. `body` gives an ordered private transaction with its height, `height` that of the ledger.

    Raises OSError or sqlite3.Error when the disk refuses; what a peer sends never raises.
    """

    def __init__(
        self,
        network: Network,
        name: str,
        keys: PartyKeys,
        folder: Path,
        store: Store,
        view: PrivateView,
        report: Reporter,
        send: Callable[[str, bytes], None],
        body: Callable[[bytes], tuple[PrivateTransaction, int]],
        height: Callable[[], int],
        hold: Hold,
        blame: Callable[[SenderProof], bool],
        now_ms: int,
    ) -> None:
        self._network = network
        self._name = name
        own = network.position(name)
        assert own is not None
        self._own = own
        self._keys = keys
        self._store = store
        self._view = view
        self._report = report
        self._send = send
        self._body = body
        self._height = height
        self._hold = hold
        self._blame = blame
        self._topics = Topics(network.id)
        self.shelf = Shelf(folder)
        self._receipts = KeptReceipts(folder)
        self.reconciler = Reconciler(len(network.members), own)
        self.readership = Readership(network, keys.wrapping, store, self.shelf, body)
        self.serving = Serving(
            network, own, keys.signing, store, self.readership, self._receipts, report, send, body
        )
        self._to_move = [each for each in self.shelf.identifiers if store.transaction(each) is not None]
        for identifier in store.payloads(MISSING, -1):
            self._want(identifier, now_ms)
        given_up = store.payloads(NOT_DELIVERED, -1)
        for identifier in given_up[:-QUICK_AGAIN]:
            self.reconciler.want_late(identifier, self._sender_of(identifier), now_ms)
        for identifier in given_up[-QUICK_AGAIN:]:
            # Being back may be the very reason why somebody has it now.
            self._want(identifier, now_ms)

    # What the node calls.

    def take(self, packet: DeliveryPacket, now_ms: int) -> None:
        """One packet from the broker, whoever sent it."""
        if isinstance(packet, BlobDelivery):
            self._on_delivery(packet)
        elif isinstance(packet, ReceiptsUnderKey):
            self._on_receipts(packet)
        elif isinstance(packet, SignedBlobRequest):
            self.serving.asked(packet, now_ms)
        elif isinstance(packet, BlobAnswer):
            self._on_answer(packet)
        else:
            self._report.drop("unknown kind")  # A receipt is for a client.

    def ordered(self, identifier: bytes) -> None:
        """A transaction was executed."""
        if identifier in self.shelf:
            self._to_move.append(identifier)

    def forget(self, identifier: bytes) -> bool:
        """A payload was erased: nothing of it stays here, on disk or in memory, and it is not asked for.

        Whether its blob was here still, on the shelf: a node that catches up executes the block that orders
        it and the one that has it erased before it had the time to put it into its place.
        """
        if shelved := identifier in self.shelf:
            self.shelf.erase(identifier)
        self._receipts.remove(identifier)
        self.readership.forget(identifier)
        self.reconciler.have(identifier)
        return shelved

    def move(self) -> None:
        """Put blobs whose transactions were ordered into their place, before the view looks at them."""
        for identifier in self._to_move:
            if identifier not in self.shelf:
                continue
            if (delivery := self.shelf.get(identifier)) is not None:
                self._store.put_blob(identifier, encode_blob(delivery.blob), durable=True)
            self.shelf.remove(identifier)
        self._to_move.clear()

    def looked(self, one: Looked, now_ms: int) -> None:
        """The private view looked at a payload."""
        if one.state in AWAITED:
            self._want(one.id, now_ms, known=one.state == PENDING)
        else:
            self.reconciler.have(one.id)

    def deadline_ms(self) -> int | None:
        """When `tick` has something to do; None: for want of anything missing, never."""
        return self.reconciler.deadline_ms()

    def tick(self, now_ms: int) -> list[bytes]:
        """Ask for what is missing; what was given up, as none of ours or held by nobody that is there."""
        asks, given_up = self.reconciler.due(now_ms)
        for member, wanted in asks.items():
            request = BlobRequest(self._own, now_ms, tuple(wanted))
            signature = self._keys.signing.sign(request_bytes(self._network.id, request))
            self._send(self._topics.inbox_of(member), encode(SignedBlobRequest(request, signature)))
        return given_up

    def expire(self) -> None:
        """Give up what can no longer be ordered."""
        for identifier in self.shelf.expired(self._height()):
            if self._store.transaction(identifier) is not None:
                self._to_move.append(identifier)
                continue
            self.shelf.remove(identifier)
            self._receipts.remove(identifier)
            self._hold("blob", [identifier], erased=True)
        self.move()

    def enough(
        self, identifier: bytes, transaction: PrivateTransaction, opened: Opened, readers: set[str]
    ) -> bool:
        """Whether as many readers as the policy demands have said that they hold it; our own word counts."""
        self.readership.told(identifier, transaction, opened.content_key, readers)
        holders, needed = holders_wanted(self._network, transaction.header.core.sender, readers)
        names = self._network.names
        given = {self._name} | {names[each.receipt.replica] for each in self._receipts.get(identifier)}
        return len(given & holders) >= needed

    def reads(self, identifier: bytes, name: str) -> bool:
        """Whether a party reads an ordered payload that is here, and that this party reads too."""
        readers = self.readership.of(identifier)
        return readers is not None and name in readers.names

    # Packets.

    def _on_delivery(self, packet: BlobDelivery) -> None:
        transaction, network = packet.transaction, self._network
        identifier, core = transaction.id, transaction.header.core
        key = network.verify_key(core.sender)
        if key is None:
            self._report.drop("unknown sender")
            return
        reason = check_transaction(
            transaction,
            packet.blob,
            network=network.id,
            policy=network.policy_hash,
            max_validity=network.rules.validity_window,
            sender_key=key,
            seals=network.openers_of,
        )
        if reason is not None:
            self._report.reject(reason)
            return
        if not key.verify(packet.signature, delivery_bytes(network.id, identifier, packet.reply_to)):
            self._report.drop("bad signature")
            return
        content_key = self._read(identifier, transaction, packet.blob)
        if content_key is None:
            return
        if not self._keep(identifier, packet):
            return
        signed = sign_receipt(network, self._own, identifier, self._keys.signing)
        sender = network.position(core.sender)
        assert sender is not None
        sealed = seal_receipt(network, signed, sender, content_key)
        self._send(self._topics.inbox(packet.reply_to), encode(SealedReceipt(sender, sealed)))

    def _keep(self, identifier: bytes, packet: BlobDelivery) -> bool:
        """Whether the blob is on this disk now."""
        if identifier in self.shelf or self.readership.has(identifier, packet.transaction):
            return True
        core, row = packet.transaction.header.core, self._store.transaction(identifier)
        if row is not None:
            if row.payload not in AWAITED:
                self._report.drop("already executed")
                return False
            self._arrived(identifier, packet.blob)
            return True
        if core.valid_until <= self._height():
            self._report.drop("expired", core.sender)
            return False
        if reason := self.shelf.add(packet):
            self._report.drop(reason, core.sender)
            return False
        self._hold("blob", [identifier])
        return True

    def _on_receipts(self, packet: ReceiptsUnderKey) -> None:
        found = self.readership.of(packet.tx)
        if found is None:
            self._report.drop("payload missing")
            return
        received = open_bundle(packet, found[0])
        if received is None:
            self._report.drop("receipts do not open")
            return
        self._merge(packet.tx, received)

    def _merge(self, identifier: bytes, received: Sequence[SignedReceipt]) -> None:
        kept = {each.receipt.replica: each for each in self._receipts.get(identifier)}
        fresh = {each.receipt.replica: each for each in received if each.receipt.replica not in kept}
        good = {place: each for place, each in fresh.items() if is_good(self._network, each, identifier)}
        if len(good) < len(fresh):
            self._report.drop("bad receipt")
        if good:
            self._receipts.put(identifier, tuple((kept | good).values()))
            self._view.again(identifier)

    def _on_answer(self, packet: BlobAnswer) -> None:
        identifier = packet.transaction.id
        row = self._store.transaction(identifier)
        if row is None or row.payload not in AWAITED:
            self._report.drop("batch is not wanted" if row is None else "already executed")
            return
        transaction, _ = self._body(identifier)
        if not self.readership.has(identifier, transaction):
            if check_blob(transaction.header, packet.blob) is not None:
                self._report.drop("blob does not match")
                return
            if not self._may_keep(transaction, packet.blob):
                return
            self._arrived(identifier, packet.blob)
        self._on_receipts(packet.receipts)

    def _may_keep(self, transaction: PrivateTransaction, blob: Blob) -> bool:
        """Whether an ordered blob is for us; one that proves its sender a liar is kept as well."""
        if (keepers := keepers_of(self._network, transaction)) is not None:
            if self._name not in keepers:
                self._report.drop("not a party")
            return self._name in keepers
        try:
            unseal(transaction, blob, self._keys.wrapping)
        except NotAParty:
            self._report.drop("not a party")
            return False
        except Unreadable:
            return True
        except Exception:
            self._report.drop("other")  # The key failed: nobody can tell whose it is (P33).
            return False
        return True

    # What is here.

    def _read(self, identifier: bytes, transaction: PrivateTransaction, blob: Blob) -> ContentKey | None:
        """The key of receipts of a blob that is ours and as it should be; else None, with the reason counted.

        It is the content key, or, of what lies under a seal, one of this party's own.
        """
        if (keepers := keepers_of(self._network, transaction)) is not None:
            if self._name in keepers:
                return own_receipt_key(self._keys.wrapping, identifier)
            self._report.drop("not a party")
            return None
        try:
            opened = unseal(transaction, blob, self._keys.wrapping)
            key, readers = self.readership.found(identifier, transaction, blob, opened.content_key)
        except NotAParty:
            self._report.drop("not a party")
        except Unreadable as error:
            if error.proof is not None:
                self._blame(error.proof)
            self._report.drop(error.reason, transaction.header.core.sender)
        except Exception:
            self._report.drop("other")  # The key failed: nobody can tell whose it is (P33).
        else:
            if readers.issuperset(self._network.consortium.policy.always_to):
                return key
            self._blame(SenderProof(transaction, blob, opened.content_key, None))
            self._report.drop("mandatory reader left out", transaction.header.core.sender)
        return None

    def _arrived(self, identifier: bytes, blob: Blob) -> None:
        self._store.put_blob(identifier, encode_blob(blob), durable=True)
        self._hold("blob", [identifier])
        self.reconciler.have(identifier, served=True)
        self._view.arrived(identifier)

    def _want(self, identifier: bytes, now_ms: int, *, known: bool = False) -> None:
        first = self._sender_of(identifier)
        self.reconciler.want(identifier, first, now_ms, known=known or first == self._own)

    def _sender_of(self, identifier: bytes) -> int:
        first = self._network.position(self._body(identifier)[0].header.core.sender)
        assert first is not None, "only members' transactions are ordered"
        return first
