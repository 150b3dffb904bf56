"""What one node does with the private side of the ledger: read, deliver, keep, erase, compare, and tell.

All of it follows the blocks that consensus decided and none of it changes one (R33, R34). Like the node, it
is stepped: nothing here waits, reads a clock or draws a random number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from node.answers import Answers
from node.canonical import DecodeError
from node.chain.act import Act, ActTransaction
from node.chain.books import Books, Executed
from node.chain.deeds import Challenge, Disclosure, Open, Purge, PurgeReceipt, Release
from node.chain.deeds import Request as RequestToSee
from node.chain.store import DELIVERED, Store
from node.consortium import Network
from node.delivery.deliveries import Deliveries
from node.delivery.packets import DeliveryPacket, PurgeReceiptTaken, SealedPurgeReceipt
from node.disclosure.breaches import Breaches
from node.disclosure.disclosures import NO_CONSENT, Disclosures
from node.envelopes.disclosure import Part, package_in
from node.envelopes.envelope import NotAParty, Unreadable, unseal
from node.envelopes.keys import PartyKeys
from node.envelopes.payload import Payload
from node.envelopes.rule import rule_alone, rule_of_payload
from node.envelopes.transaction import PrivateTransaction, check_blob, decode_blob, encode_blob
from node.erasing.purging import PurgeReceipts
from node.erasing.retention import OPENED, Retention
from node.mempool import Mempool, Waiting
from node.objects.private_objects import Decided, PrivateObjects
from node.private_view import Looked, PrivateView
from node.reporting import Reporter
from node.sender_evidence import SenderEvidence
from node.share_evidence import LIES_OF_SENDERS, ShareEvidence
from node.state_check.checker import StateChecker
from node.state_check.packets import StateEnvelope
from node.wire import Packet, ShareProofPacket, TransactionPacket


@dataclass(frozen=True, slots=True)
class Found:
    """What one call of `work` found, all of it recorded: payloads, and writes that have an outcome now."""

    looked: Sequence[Looked]
    decided: Sequence[Decided]


class PrivateBusiness:
    """Of one node, whose parts it shares; it writes to its mempool, its books and its folder.

    `send(topic, packet)` takes a packet for the broker, `publish` hands in an act of this node's own, and
    `now_ms` gives the time of the node's present step in Unix milliseconds. Raises OSError, sqlite3.Error or
    PrivityError when the disk refuses, and then the node falls silent; what a peer sends never raises.
    The methods that begin with `tell` only write events, after what they tell was recorded.
    """

    def __init__(
        self,
        network: Network,
        name: str,
        keys: PartyKeys,
        folder: Path,
        store: Store,
        mempool: Mempool,
        books: Books,
        answers: Answers,
        report: Reporter,
        send: Callable[[str, bytes], None],
        publish: Callable[[ActTransaction], None],
        now_ms: Callable[[], int],
    ) -> None:
        self._network = network
        self._name = name
        self._wrapping = keys.wrapping
        self._store = store
        self._books = books
        self._standing = books.standing
        self._ledger = books.ledger
        self._answers = answers
        self._report = report
        self._now_ms = now_ms
        body, standing = answers.body, self._standing
        disclosures = Disclosures(network, store, name, answers.private, standing)
        self._breaches = Breaches(network, store, standing, folder, answers.ordered, self._rule_of, report)
        objects = PrivateObjects(network, store, keys.signing, body, self._height)
        seals = self._ledger.seals
        self.view = PrivateView(network, store, keys.wrapping, body, disclosures, objects, name, seals)
        self._blamed = SenderEvidence(
            network, name, folder, report, lambda identifier: store.transaction(identifier) is not None
        )
        self._shares = ShareEvidence(
            network, name, keys.wrapping, folder, store, answers, seals, report, send
        )
        self.deliveries: Deliveries | None = None  # Only with off-chain payloads.
        if network.off_chain:
            self.deliveries = Deliveries(
                network,
                name,
                keys,
                folder,
                store,
                self.view,
                report,
                send,
                body,
                self._height,
                self._hold_now,
                self._blamed.found,
                now_ms(),
            )
            self.view.enough = self.deliveries.enough
            self.deliveries.serving.withdrawn = self._withdrawn
        self._state_checker = StateChecker(
            network,
            name,
            keys,
            folder,
            store,
            objects,
            report,
            send,
            self._height,
            None if self.deliveries is None else self.deliveries.reads,
        )
        self.retention = Retention(
            store,
            mempool,
            self._ledger,
            self.view,
            report,
            self._since_ms,
            self._forget,
            answers.private,
            standing,
            lambda erased: self._purge_receipts.erased(erased, now_ms()),
            off_chain=network.off_chain,
        )
        self._purge_receipts = PurgeReceipts(
            network,
            name,
            keys,
            folder,
            store,
            send,
            publish,
            lambda tx: body(tx)[0].header.core.sender,
            now_ms(),
        )

    def _height(self) -> int:
        return self._ledger.height

    def _since_ms(self) -> int:
        """Now, in milliseconds since the genesis."""
        return self._now_ms() - self._network.created_ms

    # What came from the broker.

    def take(self, packet: Packet) -> bool:
        """Take in one packet, whoever sent it; False: it is none of those that come here."""
        if isinstance(packet, StateEnvelope):
            self._state_checker.take(packet)
        elif isinstance(packet, SealedPurgeReceipt | PurgeReceiptTaken) and self._network.off_chain:
            if reason := self._purge_receipts.take(packet, self._now_ms()):
                self._report.drop(reason)
        elif isinstance(packet, ShareProofPacket):
            self._shares.take(packet.proof)
        elif isinstance(packet, DeliveryPacket) and self.deliveries is not None:
            self.deliveries.take(packet, self._now_ms())
        else:
            return False
        return True

    def take_missing_blob(self, packet: TransactionPacket, identifier: bytes) -> str | None:
        """Keep the blob of an ordered transaction that the view misses; why it is refused, or None."""
        transaction, blob = packet.transaction, packet.blob
        if blob is None or not isinstance(transaction, PrivateTransaction):
            return None
        if check_blob(transaction.header, blob) is not None:
            return "blob does not match"
        self._store.put_blob(identifier, encode_blob(blob))
        self._hold_now("blob", [identifier])
        self.view.arrived(identifier)
        return None

    # What the ledger executed.

    def ordered(self, identifier: bytes, waiting: Waiting, height: int) -> None:
        """A private transaction was executed; its payload is looked at later."""
        if self.deliveries is not None:
            self.deliveries.ordered(identifier)
        self.view.ordered(identifier, waiting, height)

    def acted(self, identifier: bytes, act: Act, height: int) -> None:
        """An act was executed: tell of it, and do what it asks of this node."""
        self._tell_of_seals(identifier, act, height)
        if isinstance(act.deed, RequestToSee) and act.deed.of == self._name:
            self._report.emit("priv.request", tx=act.deed.tx, h=height, party=act.sender)
        elif isinstance(act.deed, Disclosure):
            self._breaches.recorded(identifier)
        elif isinstance(act.deed, Purge):
            self.retention.order(act.deed.tx, act.sender, height)
        elif isinstance(act.deed, PurgeReceipt):
            self._purge_receipts.ordered(act.sender, act.deed, self._now_ms())
        elif isinstance(act.deed, Release) and self._ledger.seals.of(act.deed.tx) is not None:
            self.view.released(act.deed.tx)
            self._shares.released(identifier)

    def _tell_of_seals(self, identifier: bytes, act: Act, height: int) -> None:
        """What became of a request to open, or of a release: the same on every node."""
        if isinstance(act.deed, Open):
            request = self._ledger.seals.request(identifier)
            if request is not None:
                self._report.asked_to_open(request, act.deed.seal)
        elif isinstance(act.deed, Release) and (state := self._ledger.seals.of(act.deed.tx)) is not None:
            self._report.released(next(each for each in state.releases if each.act == identifier))
        elif isinstance(act.deed, Challenge):
            self._report.emit("seal.challenge", "warn", tx=act.deed.tx, h=height, party=act.deed.of)

    def executed(self, executed: Executed) -> None:
        """A block was executed, all that is in it told: erase what it made due, and note its state."""
        carriers = [act.deed.carrier for _, act in executed.acts if isinstance(act.deed, Disclosure)]
        self.retention.late_carriers([*(identifier for identifier, _ in executed.private), *carriers])
        self.retention.purge()
        self._state_checker.executed()

    # What is done at its time.

    @property
    def deadline_ms(self) -> int | None:
        """When `reconcile` or `sign_purges` has something to do; None: for now, never."""
        asking = None if self.deliveries is None else self.deliveries.deadline_ms()
        signing = self._purge_receipts.deadline_ms
        return min((each for each in (asking, signing) if each is not None), default=None)

    def reconcile(self, *, expire: bool) -> Sequence[bytes]:
        """Ask for payloads that are not here; the transactions whose payload nobody has for us, given up now.

        `expire`: drop what can no longer be ordered, too.
        """
        if self.deliveries is None:
            return ()
        given_up = self.deliveries.tick(self._now_ms())
        self.view.give_up(given_up)
        if expire:
            self.deliveries.expire()
        return given_up

    def tell_given_up(self, given_up: Sequence[bytes]) -> None:
        for identifier in given_up:
            self._report.emit("priv.undelivered", "debug", tx=identifier)

    def sign_purges(self) -> None:
        """Sign for what was erased here, once some of it has gathered."""
        self._purge_receipts.tick(self._now_ms(), max(1, self._height()))

    # What is done when nothing is more urgent.

    @property
    def busy(self) -> bool:
        """Whether payloads, writes or records of disclosures wait for `work`."""
        return self.view.busy or self._shares.busy or self.view.objects.busy or self._breaches.busy

    @property
    def checks_states(self) -> bool:
        """Whether a state check waits for `work`."""
        return self._state_checker.busy

    def work(self, limit: int, *, check_states: bool) -> Found:
        """Look at some payloads and record what follows; if none waits then, at breaches and states.

        `limit` is in payloads, and in records of disclosures.
        """
        if self.deliveries is not None:
            self.deliveries.move()
        found = self.view.look(limit)
        # Noted before it is recorded: after a stop in between it is noted again, and never not at all.
        opened = [(looked.id, looked.height) for looked in found if looked.state in OPENED]
        self._books.hold("key", opened, self._since_ms())
        shown = [(each.judged.tx, each.height) for each in found if each.judged and not each.judged.refused]
        self._books.hold("shown", shown, self._since_ms())
        for looked in found:
            if looked.proof is not None:
                self._blamed.found(looked.proof)
            if looked.reason in LIES_OF_SENDERS:
                self._shares.dealt(looked.id)
        self._shares.look(limit)
        self.view.record(found)
        decided = self.view.objects.settle()
        for one in found:
            if one.judged is not None and one.judged.refused == NO_CONSENT:
                self._breaches.refused(one.id, one.judged.rule)
        if not self.view.busy:
            self._breaches.look(limit)
        if not self.view.busy and check_states:
            self._state_checker.work()
        if self.deliveries is not None:
            for looked in found:
                self.deliveries.looked(looked, self._now_ms())
        return Found(found, decided)

    def tell(self, found: Found) -> None:
        """Report what `work` found."""
        for looked in found.looked:
            sender = None
            if self.deliveries is not None:
                sender = self._answers.body(looked.id)[0].header.core.sender
            self._report.payload(looked, sender)
            if looked.state == DELIVERED and looked.judged is not None:
                self._report.disclosed(looked.judged, looked.height)
            if looked.malformed:
                self._report.drop("object")
        for each in found.decided:
            self._report.wrote(each)

    # What its parts ask.

    def _hold_now(self, what: str, identifiers: Sequence[bytes], *, erased: bool = False) -> None:
        """Note in the holdings what was gained or erased at this moment."""
        found = [(each, self._height()) for each in identifiers]
        self._books.hold(what, found, self._since_ms(), erased=erased)

    def _withdrawn(self, identifier: bytes, name: str) -> bool:
        """Whether the owner of an ordered transaction took it back from this party."""
        transaction, standing = self._answers.private(identifier), self._standing
        if transaction is None or not standing.speaks_of(identifier):
            return False
        rule = self._rule(identifier)
        leaf = None if rule is None else rule.leaves[0][1]
        owner, now = transaction.header.core.sender, (self._height() + 1, 0)
        state = standing.state(identifier, owner, leaf, name, now)
        return state is not None and not state.agreed

    def _rule(self, identifier: bytes) -> Part | None:
        """What this party can prove of the rule of a content that it reads."""
        payload = self._opened(identifier)
        return None if payload is None else rule_of_payload(payload)

    def _rule_of(self, deed: Disclosure) -> Part | None:
        """What it can prove of the rule of what a record is about: as its reader, or as who was shown it."""
        if (rule := self._rule(deed.tx)) is not None:
            return rule
        carrier = self._opened(deed.carrier)
        try:
            package = None if carrier is None else package_in(carrier.fields())
        except DecodeError:
            return None
        return None if package is None else rule_alone(package.opening)

    def _opened(self, identifier: bytes) -> Payload | None:
        transaction, encoded = self._answers.private(identifier), self._store.get_blob(identifier)
        if transaction is None or encoded is None:
            return None
        try:
            return unseal(transaction, decode_blob(encoded), self._wrapping).payload
        except (NotAParty, Unreadable, DecodeError):
            return None

    def _forget(self, identifier: bytes) -> bool:
        """Drop what else there is of a payload that is erased; whether its blob was among it."""
        self._blamed.erase(identifier)
        return self.deliveries is not None and self.deliveries.forget(identifier)
