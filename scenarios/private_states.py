"""The private state of each party, made anew from its ledger and blobs with its own keys: for judges."""

from __future__ import annotations

from dataclasses import dataclass

from node.canonical import DecodeError
from node.chain.store import MISSING, PENDING, PURGED, UNKNOWN
from node.envelopes.envelope import NotAParty, Unreadable, readers_of, unseal
from node.envelopes.keys import WrappingKey
from node.envelopes.object_write import written_by
from node.envelopes.transaction import PrivateTransaction
from node.objects.object_rows import read_writes
from node.objects.private_objects import object_digest
from node.objects.private_state import Judged, Write, judge
from node.run_reading import RunReading


@dataclass(frozen=True, slots=True)
class PartyState:
    """The writes that a party reads, in chain order: as its node has them, and as they are judged anew.

    `lacking` are transactions that it cannot judge yet, `erased` those that nobody can judge any more.
    """

    name: str
    told: tuple[Judged, ...]
    anew: tuple[Judged, ...]
    lacking: tuple[bytes, ...]
    erased: tuple[bytes, ...]

    def wrong(self) -> bytes | None:
        """The first transaction of which the node's word is not what the chain gives; None if there is none.

        With something erased, later versions cannot be made anew, and the node's word stands for itself.
        """
        if self.erased:
            return None
        told = {each.write.tx: _facts(each) for each in self.told}
        anew = {each.write.tx: _facts(each) for each in self.anew}
        places = {each.write.tx: each.write.place for each in (*self.told, *self.anew)}
        differing = [tx for tx in places if told.get(tx) != anew.get(tx)]
        return min(differing, key=places.__getitem__, default=None)


def _facts(judged: Judged) -> tuple[object, ...]:
    return judged.write.audience, judged.write.sender, judged.outcome, judged.version


def state_of(reading: RunReading, name: str) -> PartyState:
    """The state of one party, by unsealing with its keys. Raises PrivityError E-KEYS."""
    node, key = reading.node(name), reading.keys(name).wrapping
    states = node.payload_states()
    objects: dict[bytes, list[Write]] = {}
    lacking, erased = [], []
    for ordered, transaction in node.private():
        if not ordered.executed:
            continue
        if states.get(ordered.id, PENDING) in (PENDING, MISSING, UNKNOWN):
            lacking.append(ordered.id)
        if states.get(ordered.id) == PURGED:
            erased.append(ordered.id)
            continue
        write = _write(reading, name, transaction, ordered.id, (ordered.height, ordered.position), key)
        if write is not None:
            objects.setdefault(write.object, []).append(write)
    anew = [judged for writes in objects.values() for judged in judge(writes)]
    anew.sort(key=lambda each: each.write.place)
    told = tuple(read_writes(node.folder))
    return PartyState(name, told, tuple(anew), tuple(lacking), tuple(erased))


def _write(
    reading: RunReading,
    name: str,
    transaction: PrivateTransaction,
    identifier: bytes,
    place: tuple[int, int],
    key: WrappingKey,
) -> Write | None:
    blob, network = reading.node(name).blob(identifier), reading.network
    if blob is None:
        return None
    try:
        opened = unseal(transaction, blob, key)
        readers = readers_of(transaction, blob, opened.content_key, network.wrapping_keys)
        said = written_by(opened.payload)
    except (NotAParty, Unreadable, DecodeError):
        return None
    if said is None or not readers.issuperset(network.consortium.policy.always_to):
        return None
    audience = tuple(sorted(readers))
    digest = object_digest(b"", audience, said.name)
    return Write(identifier, *place, transaction.header.core.sender, audience, digest, said.expects)


def first_divergence(one: PartyState, other: PartyState) -> bytes | None:
    """The first transaction that two parties both read and have judged differently; None if there is none."""

    def shared(state: PartyState) -> dict[bytes, tuple[object, ...]]:
        pair = {one.name, other.name}
        return {each.write.tx: _facts(each) for each in state.told if pair <= set(each.write.audience)}

    mine, theirs = shared(one), shared(other)
    places = {each.write.tx: each.write.place for each in (*one.told, *other.told)}
    differing = [tx for tx in {**mine, **theirs} if mine.get(tx) != theirs.get(tx)]
    return min(differing, key=places.__getitem__, default=None)
