"""Blobs of `payload: off_chain` that a member asks for: given to their readers, and to nobody else (P28).

To everybody who is no reader a node says nothing, whatever it holds (P24). A request is signed and bears the
asker's time, so that one that somebody plays back is not answered again.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable

from node.canonical import encode
from node.chain.store import Store
from node.consortium import Network
from node.delivery.kept_receipts import KeptReceipts
from node.delivery.packets import BlobAnswer, BlobRequest, SignedBlobRequest, request_bytes
from node.delivery.readership import Readership
from node.delivery.receipts import bundle, sign_receipt
from node.envelopes.signing import SigningKey
from node.envelopes.transaction import PrivateTransaction
from node.reporting import Reporter
from node.topics import Topics

PAUSE_MS = 100
FRESH_MS = 60_000
"""A request that is older, by the clock of the node that is asked, is not answered."""
ANSWER_BYTES = 2 << 20
REMEMBERED = 8192


class Serving:
    """Of the node at position `own`. `body` gives an ordered private transaction with its height."""

    def __init__(
        self,
        network: Network,
        own: int,
        signing: SigningKey,
        store: Store,
        readership: Readership,
        receipts: KeptReceipts,
        report: Reporter,
        send: Callable[[str, bytes], None],
        body: Callable[[bytes], tuple[PrivateTransaction, int]],
    ) -> None:
        self._network = network
        self._own = own
        self._signing = signing
        self._store = store
        self._readership = readership
        self._receipts = receipts
        self._report = report
        self._send = send
        self._body = body
        self._topics = Topics(network.id)
        self.denied: Counter[str] = Counter()  # Blobs asked for by who is no reader, by party.
        # Whether the owner of a transaction took it back from this party: it is given nothing new of it.
        self.withdrawn: Callable[[bytes, str], bool] = lambda identifier, name: False
        self._told: OrderedDict[tuple[str, bytes], None] = OrderedDict()
        self._answered_ms: dict[int, int] = {}
        self._asked_ms: dict[int, int] = {}  # By member: the time in the last request that was its own.

    def asked(self, packet: SignedBlobRequest, now_ms: int) -> None:
        """Take one request, whoever sent it."""
        request, network = packet.request, self._network
        if request.replica == self._own:
            return
        if request.replica >= len(network.members):
            self._report.drop("voter is no member")
            return
        if request.at_ms <= self._asked_ms.get(request.replica, 0):
            self._report.drop("repeated")  # Anybody at the broker can say it again.
            return
        if request.at_ms < now_ms - FRESH_MS:
            self._report.drop("expired")
            return
        key = network.verify_keys[request.replica]
        if not key.verify(packet.signature, request_bytes(network.id, request)):
            self._report.drop("bad signature")
            return
        self._asked_ms[request.replica] = request.at_ms
        before = self._answered_ms.get(request.replica)
        if before is not None and now_ms - before < PAUSE_MS:
            self._report.drop("over limit", network.names[request.replica])
            return
        self._answered_ms[request.replica] = now_ms
        self._serve(request)

    def _serve(self, request: BlobRequest) -> None:
        """Give what was asked for to a reader of it, as the content key tells; nothing to anybody else."""
        asker = self._network.names[request.replica]
        inbox, size = self._topics.inbox_of(request.replica), 0
        for identifier in dict.fromkeys(request.wanted):
            if self._store.transaction(identifier) is None:
                continue
            if (found := self._readership.of(identifier)) is None:
                continue
            key, readers = found
            if asker not in readers or self.withdrawn(identifier, asker):
                self._deny(asker, identifier)
                continue
            blob = self._readership.blob(identifier)
            if blob is None:
                continue
            own = sign_receipt(self._network, self._own, identifier, self._signing)
            others = [each for each in self._receipts.get(identifier) if each.receipt.replica != self._own]
            receipts = bundle(identifier, (own, *others), key)
            packet = encode(BlobAnswer(self._body(identifier)[0], blob, receipts))
            size += len(packet)
            if size > ANSWER_BYTES:
                break
            self._send(inbox, packet)

    def _deny(self, asker: str, identifier: bytes) -> None:
        """Count and tell that who is no reader asked; nodes ask again by themselves, so loudly once."""
        self.denied[asker] += 1
        lvl = "debug" if (asker, identifier) in self._told else "info"
        self._told[asker, identifier] = None
        if len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        count = self.denied[asker]
        self._report.emit(
            "priv.denied", lvl, tx=identifier, from_=asker, count=count, reason_code="not a party"
        )
