"""The private objects of one party: what the writes that it can read did, in chain order.

Payloads come when they come; an object's state is a function of the chain. So a write counts only once all
before it that may touch the same object are known: only members of an audience write its objects, and who
sent a transaction is public, so a payload that is not here holds up the objects of its sender's audiences and
no others. What comes late is put in its place, and what follows it is judged again.

A payload that stays away must not hold an object up for ever (P54): after HOLD_BLOCKS blocks the writes
behind it count, and are judged again if it comes. What this node itself cannot tell, because its keys or
its disk failed, holds up for as long as it cannot (P33). Off chain, what nobody gave is taken to be others':
that is nearly always so, and what tells otherwise is the comparison with the other parties (state_check).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256

from node.canonical import encode
from node.chain.store import MISSING, PENDING, UNKNOWN, Store, TransactionRow
from node.consortium import Network
from node.envelopes.keys import SigningKey
from node.envelopes.transaction import PrivateTransaction
from node.objects.object_rows import ObjectRows
from node.objects.private_state import WAITING, Judged, Place, Write, judge

HOLD_BLOCKS = 32
HOLDING = (PENDING, MISSING, UNKNOWN)


@dataclass(frozen=True, slots=True)
class Gap:
    """An ordered payload that is not known here. `hard`: for a reason that lies in this node."""

    place: Place
    sender: str
    hard: bool = False


@dataclass(frozen=True, slots=True)
class Decided:
    """A write that was judged. `again`: it had been judged otherwise before a late payload came."""

    judged: Judged
    again: bool


def index_secret(network: Network, key: SigningKey) -> bytes:
    """What salts the digests of object names in the index: whoever has the disk and no key cannot guess."""
    return sha256(key.sign(b"privity/v1/object-index\0" + network.id)).digest()


def object_digest(secret: bytes, audience: Sequence[str], name: str) -> bytes:
    """How the index calls an object, 32 bytes."""
    return sha256(secret + encode((tuple(audience), name))).digest()


class PrivateObjects:
    """The objects of one party, judged as far as its chain is known.

    `body` gives an ordered private transaction and its height, `height` that of the ledger. Raises OSError or
    sqlite3.Error when the disk refuses.
    """

    def __init__(
        self,
        network: Network,
        store: Store,
        key: SigningKey,
        body: Callable[[bytes], tuple[PrivateTransaction, int]],
        height: Callable[[], int],
    ) -> None:
        self.rows = ObjectRows(store)
        self.secret = index_secret(network, key)
        self._store = store
        self._body = body
        self._height = height
        self._gaps: dict[bytes, Gap] = {}
        self._unjudged: dict[bytes, Place] = {}  # By object: from where on it is to be judged.
        self._waiting: dict[bytes, Place] = {}
        gaps = [(each, state) for state in HOLDING for each in store.payloads(state, -1)]
        found = [(store.transaction(identifier), state) for identifier, state in gaps]
        for row, state in sorted(
            ((row, state) for row, state in found if row is not None), key=lambda each: place_of(each[0])
        ):
            self._gaps[row.id] = Gap(place_of(row), self._sender_of(row.id), hard=state == UNKNOWN)
        for waiting in self.rows.waiting():
            self._unjudged.setdefault(waiting.write.object, waiting.write.place)

    @property
    def busy(self) -> bool:
        """Whether `settle` has something to judge."""
        return bool(self._unjudged)

    # What the private view tells.

    def ordered(self, identifier: bytes, transaction: PrivateTransaction) -> None:
        """A private transaction was executed, and its payload was not looked at."""
        row = self._store.transaction(identifier)
        assert row is not None, "what is executed is indexed"
        self._gaps[identifier] = Gap(place_of(row), transaction.header.core.sender)
        self._reconsider()  # The chain grew, and with it the age of what is missing.

    def looked(self, row: TransactionRow, state: str, write: Write | None) -> None:
        """A payload was looked at: its new state, and what it writes, if it was read and writes something.

        To be told before the state is recorded: after a stop in between it is looked at, and noted, again.
        """
        if write is not None:
            self.rows.add([write])
            self._judge_from(write.object, write.place)
        if state in HOLDING:
            self._gaps[row.id] = Gap(place_of(row), self._sender_of(row.id), hard=state == UNKNOWN)
        elif self._gaps.pop(row.id, None) is not None:
            self._reconsider()

    def purged(self, rows: Sequence[TransactionRow]) -> None:
        """These payloads were erased. One that was never looked at will never be known: nobody has it."""
        lost = [row for row in rows if row.payload in HOLDING]
        for row in lost:
            self._gaps.pop(row.id, None)
            self._store.database.execute("INSERT OR IGNORE INTO never_seen VALUES (?)", (row.id,))
        if lost:
            self._reconsider()

    # What follows.

    def settle(self) -> list[Decided]:
        """Judge what can be judged, and record it. What came of each write that has an outcome now."""
        decided: list[Decided] = []
        for name, place in list(self._unjudged.items()):
            decided += self._settle(name, place)
            del self._unjudged[name]
        return decided

    def _settle(self, name: bytes, since: Place) -> list[Decided]:
        before = self.rows.of(name, since)
        self._waiting.pop(name, None)
        if not before:
            return []
        limit = self.known_until(before[0].write.audience)
        after = list(judge([each.write for each in before], self.rows.version_before(name, since), limit))
        changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
        self.rows.put([new for _, new in changed])
        waiting = next((each.write.place for each in after if each.outcome == WAITING), None)
        if waiting is not None:
            self._waiting[name] = waiting
        return [Decided(new, again=old.outcome != WAITING) for old, new in changed if new.outcome != WAITING]

    def known_until(self, audience: Collection[str]) -> Place | None:
        """The place of the first payload that holds this audience's objects up; None if there is none."""
        oldest = self._height() - HOLD_BLOCKS
        places = [
            gap.place
            for gap in self._gaps.values()
            if gap.sender in audience and (gap.hard or gap.place[0] >= oldest)
        ]
        return min(places, default=None)

    def lacking(self, audience: Collection[str], height: int) -> bool:
        """Whether something up to this height is not known that may have written this audience's objects."""
        if any(gap.place[0] <= height and gap.sender in audience for gap in self._gaps.values()):
            return True
        found = self._store.database.execute(
            "SELECT tx FROM never_seen JOIN tx ON tx.id = never_seen.tx WHERE tx.height <= ?", (height,)
        )
        return any(self._sender_of(identifier) in audience for (identifier,) in found)

    def _reconsider(self) -> None:
        for name, place in self._waiting.items():
            self._judge_from(name, place)

    def _judge_from(self, name: bytes, place: Place) -> None:
        since = min(place, self._unjudged.get(name, place), self._waiting.get(name, place))
        self._unjudged[name] = since

    def _sender_of(self, identifier: bytes) -> str:
        return self._body(identifier)[0].header.core.sender


def place_of(row: TransactionRow) -> Place:
    """Where a transaction is on the chain."""
    return row.height, row.position
