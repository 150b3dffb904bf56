"""What this party makes of the payloads on the ledger: the states that DESIGN calls delivered to not-a-party.

It follows the chain at its own pace: consensus never waits for it, and it changes no block (R33, R34).
Plaintext is not stored: whoever may read it has the key and the blob, and unseals again when asked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from node.canonical import DecodeError
from node.chain.seal_book import SealBook
from node.chain.store import (
    DELIVERED,
    MISSING,
    NOT_DELIVERED,
    NOT_PARTY,
    PENDING,
    PURGED,
    REFUSED,
    SEALED,
    UNKNOWN,
    UNREADABLE,
    Store,
    TransactionRow,
)
from node.consortium import Network
from node.disclosure.disclosures import Disclosures, Judged
from node.envelopes.envelope import NotAParty, Opened, Unreadable, readers_of, unseal
from node.envelopes.keys import WrappingKey
from node.envelopes.object_write import written_by
from node.envelopes.sender_proof import SenderProof
from node.envelopes.transaction import Blob, PrivateTransaction, check_blob, decode_blob
from node.mempool import Waiting
from node.objects.private_objects import PrivateObjects, object_digest
from node.objects.private_state import Write
from node.seals.unsealing import SealBroken, open_sealed, own_share

FRESH_BYTES = 16 << 20
LATE = "late for its seal"


@dataclass(frozen=True, slots=True)
class Looked:
    """The outcome of one look at a payload."""

    id: bytes
    height: int
    state: str
    judged: Judged | None = None  # What a carrier of a disclosure brought.
    write: Write | None = None  # What it writes of a private object.
    malformed: bool = False  # It says that it is a write, and is none: a record, then.
    proof: SenderProof | None = None  # That its sender lied.
    reason: str = ""  # Of one that is refused or unreadable, where the state does not say it all.
    by: tuple[str, ...] = ()  # The openers whose shares opened it.


class PrivateView:
    """The payload states of one party.

    `body` gives the transaction with an id, as it was ordered, and its height; `disclosures` judges what
    carriers bring, `objects` what is written; `seals` is the book of the ledger. `look` takes a few payloads
    at a time, in chain order, whenever the driver has nothing more urgent; `record` makes it lasting.
    """

    def __init__(
        self,
        network: Network,
        store: Store,
        key: WrappingKey,
        body: Callable[[bytes], tuple[PrivateTransaction, int]],
        disclosures: Disclosures,
        objects: PrivateObjects,
        name: str,
        seals: SealBook,
    ) -> None:
        self._network = network
        self.objects = objects
        self._disclosures = disclosures
        self._name = name
        self._seals = seals
        self._store = store
        self._key = key
        self._body = body
        self.counts = store.count_payloads()
        # What failed for want of a key or a disk may work after a restart; what is missing may have come.
        again = [store.payloads(state, -1) for state in (PENDING, UNKNOWN, SEALED)]
        self._queue: deque[bytes] = deque(identifier for found in again for identifier in found)
        # What was ordered a moment ago is at hand, and need not be read again.
        self._fresh: dict[bytes, tuple[Waiting, int]] = {}
        self._fresh_bytes = 0
        # With off-chain payloads: whether enough readers have said that they hold one that was opened here.
        self.enough: Callable[[bytes, PrivateTransaction, Opened, set[str]], bool] | None = None
        self._withheld: set[bytes] = set()  # Opened, with too few receipts: pending until more come.
        self._missing: dict[bytes, None] = dict.fromkeys(store.payloads(MISSING, -1))

    @property
    def busy(self) -> bool:
        """Whether payloads wait to be looked at."""
        return bool(self._queue)

    def ordered(self, identifier: bytes, waiting: Waiting, height: int) -> None:
        """A transaction was executed; its payload is looked at later."""
        self.counts[PENDING] += 1
        self._queue.append(identifier)
        assert isinstance(waiting.transaction, PrivateTransaction)
        self.objects.ordered(identifier, waiting.transaction)
        if waiting.blob is not None and self._fresh_bytes + len(waiting.blob) <= FRESH_BYTES:
            self._fresh[identifier] = (waiting, height)
            self._fresh_bytes += len(waiting.blob)

    def missing(self, limit: int) -> list[bytes]:
        """Transactions whose blob is not here; those told go to the end, so that none starves the rest."""
        first = list(self._missing)[:limit]
        for identifier in first:
            del self._missing[identifier]
            self._missing[identifier] = None
        return first

    def is_missing(self, identifier: bytes) -> bool:
        return identifier in self._missing

    def arrived(self, identifier: bytes) -> None:
        """The blob of a transaction that was missing is on the disk now."""
        self._missing.pop(identifier, None)
        self._queue.append(identifier)

    def released(self, identifier: bytes) -> None:
        """An opener released its share of this: perhaps it can be read now."""
        row = self._store.transaction(identifier)
        if row is not None and row.payload == SEALED and identifier not in self._queue:
            self._queue.append(identifier)

    def again(self, identifier: bytes) -> None:
        """More receipts came: look again at a payload that waits for them."""
        if identifier in self._withheld:
            self._withheld.discard(identifier)
            self._queue.append(identifier)

    def give_up(self, identifiers: Sequence[bytes]) -> None:
        """Nobody gave these on being asked, and nobody can tell whether they are for this party."""
        found = [(each, self._store.transaction(each)) for each in identifiers]
        self.record(
            [
                Looked(each, row.height, NOT_DELIVERED)
                for each, row in found
                if row is not None and row.payload == MISSING and each in self._missing
            ]
        )

    def purged(self, rows: Sequence[TransactionRow]) -> None:
        """The payloads of these transactions, given as they were before, were erased and recorded as such."""
        self.objects.purged(rows)
        gone = {row.id for row in rows}
        for row in rows:
            if row.payload in self.counts:
                self.counts[row.payload] -= 1
            self.counts[PURGED] += 1
            fresh = self._fresh.pop(row.id, None)
            if fresh is not None:
                self._fresh_bytes -= len(fresh[0].blob or b"")
            self._missing.pop(row.id, None)
        if not gone.isdisjoint(self._queue):
            self._queue = deque(identifier for identifier in self._queue if identifier not in gone)

    def look(self, limit: int) -> list[Looked]:
        """Look at up to `limit` payloads, the oldest first. Nothing is recorded yet."""
        looked = []
        for _ in range(min(limit, len(self._queue))):
            identifier = self._queue.popleft()
            fresh = self._fresh.pop(identifier, None)
            if fresh is None:
                transaction, height = self._body(identifier)
                looked.append(self._looked(identifier, height, transaction, None))
            else:
                waiting, height = fresh
                assert isinstance(waiting.transaction, PrivateTransaction)
                self._fresh_bytes -= len(waiting.blob or b"")
                looked.append(self._looked(identifier, height, waiting.transaction, waiting.blob))
        return looked

    def record(self, looked: Sequence[Looked]) -> None:
        """Record what these payloads are."""
        for one in looked:
            row = self._store.transaction(one.id)
            assert row is not None
            self.objects.looked(row, one.state, one.write)
            self.counts[row.payload] -= 1
            self.counts[one.state] += 1
            self._missing.pop(one.id, None)
            if one.state == MISSING:
                self._missing[one.id] = None
            elif one.state == PENDING:
                self._withheld.add(one.id)
        if looked:
            self._store.set_payloads([(one.id, one.state) for one in looked])

    def _looked(
        self, identifier: bytes, height: int, transaction: PrivateTransaction, encoded: bytes | None
    ) -> Looked:
        if self._network.sealed_for(transaction) is not None:
            return self._look_under_seal(identifier, height, transaction, encoded)
        return self._look(identifier, transaction, height, encoded)

    def _look_under_seal(
        self, identifier: bytes, height: int, transaction: PrivateTransaction, encoded: bytes | None
    ) -> Looked:
        """What is late has no effect, whoever could read it. Else whoever has no slot waits for shares."""
        bid, seal = self._seals.bid(identifier), self._network.sealed_for(transaction)
        assert bid is not None and seal is not None, "it was executed"
        if bid.late:
            return Looked(identifier, height, REFUSED, reason=LATE)
        if self._name not in self._network.keepers(seal, transaction.header.core.sender):
            return Looked(identifier, height, NOT_PARTY)
        try:
            encoded = encoded or self._store.get_blob(identifier)
            blob = None if encoded is None else decode_blob(encoded)
        except DecodeError:
            blob = None
        except Exception:
            return Looked(identifier, height, UNKNOWN)
        if blob is None or check_blob(transaction.header, blob) is not None:
            return Looked(identifier, height, MISSING)
        releases = self._seals.releases_of(identifier)
        try:
            found = open_sealed(self._network, transaction, blob, self._name, self._key, releases)
            if found.last is None:
                return self._look(identifier, transaction, height, encoded)
        except SealBroken as broken:
            return Looked(identifier, height, UNREADABLE, reason=broken.reason)
        except NotAParty:
            return Looked(identifier, height, SEALED, reason=self._wrong_share(transaction, blob))
        except Unreadable:
            return Looked(identifier, height, UNREADABLE)
        except Exception:
            return Looked(identifier, height, UNKNOWN)
        judged = self._disclosures.judge(identifier, transaction, found.opened.payload)
        return Looked(identifier, found.last.at[0], DELIVERED, judged, by=found.openers)

    def _wrong_share(self, transaction: PrivateTransaction, blob: Blob) -> str:
        """What is wrong with this party's own share, if it is an opener; or nothing."""
        try:
            own_share(self._network, transaction, blob, self._name, self._key)
        except NotAParty:
            return ""
        except Unreadable as error:
            return error.reason
        return ""

    def _look(
        self, identifier: bytes, transaction: PrivateTransaction, height: int, encoded: bytes | None
    ) -> Looked:
        def found(state: str, proof: SenderProof | None = None) -> Looked:
            return Looked(identifier, height, state, proof=proof)

        try:
            encoded = encoded or self._store.get_blob(identifier)
            if encoded is None:
                return found(MISSING)
            blob = decode_blob(encoded)
            opened = unseal(transaction, blob, self._key)
            # Who reads it tells whether the others were given the same: all slots follow from K (P06).
            readers = readers_of(transaction, blob, opened.content_key, self._network.wrapping_keys)
            if not readers.issuperset(self._network.consortium.policy.always_to):
                return found(REFUSED, SenderProof(transaction, blob, opened.content_key, None))
            write, malformed = self._write(identifier, transaction, opened, readers)
            if self.enough is not None and not self.enough(identifier, transaction, opened, readers):
                return found(PENDING)
        except NotAParty:
            return found(NOT_PARTY)
        except Unreadable as refusal:
            # A blob that is not the one ordered says nothing of the sender; the right one is asked for.
            if check_blob(transaction.header, blob) is not None:
                return found(MISSING)
            return found(UNREADABLE, refusal.proof)
        except DecodeError:
            return found(MISSING)
        except Exception:
            # Whatever a key store or a disk raises: "cannot tell" must not pass for "not mine" (P33).
            return found(UNKNOWN)
        judged = self._disclosures.judge(identifier, transaction, opened.payload)
        return Looked(identifier, height, DELIVERED, judged, write, malformed)

    def _write(
        self, identifier: bytes, transaction: PrivateTransaction, opened: Opened, readers: set[str]
    ) -> tuple[Write | None, bool]:
        """What an opened payload writes."""
        try:
            said = written_by(opened.payload)
        except DecodeError:
            return None, True
        if said is None:
            return None, False
        audience = tuple(sorted(readers))
        row = self._store.transaction(identifier)
        assert row is not None, "only what was ordered is looked at"
        name = object_digest(self.objects.secret, audience, said.name)
        sender = transaction.header.core.sender
        return Write(identifier, row.height, row.position, sender, audience, name, said.expects), False
