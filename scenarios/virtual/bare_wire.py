"""Packets of bare hosts: the core's own, and two kinds that carry requests without any ledger.

`Wire` decodes and verifies each distinct packet once for all hosts of a world, because both are pure. Each
host that verifies is charged for it all the same.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from consensus.certificates import Decided
from consensus.evidence import nested_signatures_hold
from consensus.messages import (
    Fetch,
    FetchedBatch,
    FetchRequests,
    NewView,
    Proposal,
    ReplicaMessage,
    Signed,
    ViewChange,
)
from consensus.votes import MAX_BATCH, BlockVote, Commit, Prepare, Request, encode
from node.wire import MAX_PACKET, signed_bytes
from scenarios.virtual.signatures import REAL, Signatures

# What a packet is to a host.
VOTE, BLOCK_VOTE, PROPOSAL, REQUEST, DECIDED, FETCH, FETCH_REQUESTS, FETCHED, OTHER, BAD = range(10)
# What leads to effects while it is handled, and not only when the step is carried out.
ANSWERED = frozenset((DECIDED, FETCH, FETCH_REQUESTS))
KINDS: dict[type, int] = {
    Prepare: VOTE,
    Commit: VOTE,
    BlockVote: BLOCK_VOTE,
    Fetch: FETCH,
    FetchRequests: FETCH_REQUESTS,
}
# So many packets for each replica are known at least: what is under way, several times over.
KNOWN_PACKETS_EACH, KNOWN_PACKETS = 1 << 7, 1 << 10
FOR_EVER = 1 << 62


class BareRequest(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=3):
    """A request on its way: nobody signs it, there is no ledger to protect."""

    request: Request


class BareCommitted(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=4):
    """The answer to a `Fetch`: what was decided, with its requests."""

    decided: Decided
    requests: Annotated[tuple[Request, ...], msgspec.Meta(max_length=MAX_BATCH)]


BarePacket = Signed | Proposal | FetchedBatch | BareRequest | BareCommitted
_decode = msgspec.msgpack.Decoder(BarePacket).decode


class Known(msgspec.Struct, gc=False):
    """What there is to know of one packet. `verifications` is what a replica pays that checks all of it."""

    kind: int = BAD
    reason: str = ""  # Why it is not taken by anybody.
    flaw: str = ""  # What a good sender quotes that nobody signed.
    packet: BarePacket | None = None
    message: ReplicaMessage | None = None
    replica: int = -1
    sequence: int = 0
    verifications: int = 0
    vote: Signed | None = None  # A good vote; it is of use only while `until` is above the floor.
    until: int = 0


class Wire:
    """Knows packets: bounded, in two generations, so that the memory of what is past is soon used again."""

    __slots__ = ("_made", "_made_before", "_most", "_network_id", "_new", "_old", "_signatures", "at_once")

    def __init__(self, network_id: bytes, signatures: Signatures) -> None:
        self._network_id = network_id
        self._most = max(KNOWN_PACKETS, KNOWN_PACKETS_EACH * signatures.replicas)
        self._signatures = signatures
        self._new: dict[bytes, Known] = {}
        self.at_once = self._new.get  # The quickest way to what is known already.
        self._old: dict[bytes, Known] = {}
        # By signature, what was signed in this world, in two generations too.
        self._made: dict[bytes, ReplicaMessage] = {}
        self._made_before: dict[bytes, ReplicaMessage] = {}

    def sign(self, replica: int, message: ReplicaMessage) -> bytes:
        """A replica's signature under a message; it is charged."""
        signatures, made = self._signatures, self._made
        signature = signatures.sign(replica, signed_bytes(self._network_id, message))
        if message.replica == replica and signatures.mode != REAL:
            if len(made) >= self._most:
                self._made_before, made = made, {}
                self._made = made
            made[signature] = message
        return signature

    def know(self, data: bytes) -> Known:
        """What these bytes are."""
        known = self._new.get(data)
        if known is None:
            known = self._old.get(data) or self._read(data)
            if len(self._new) >= self._most:
                self._old = dict(self._new)
                self._new.clear()
            self._new[data] = known
        return known

    def check(self, message: ReplicaMessage, signature: bytes) -> bool:
        """Whether the replica that a message names signed it so. Nobody is charged."""
        if (self._made.get(signature) or self._made_before.get(signature)) == message:
            return True  # A signature that its own key made here holds; to verify it would say the same.
        return self._signatures.check(message.replica, signature, signed_bytes(self._network_id, message))

    def _read(self, data: bytes) -> Known:
        known = Known()
        if len(data) > MAX_PACKET:
            known.reason = "size"
            return known
        try:
            packet = _decode(data)
        except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError, TypeError):
            known.reason = "malformed"
            return known
        if encode(packet) != data:
            known.reason = "not_canonical"
            return known
        known.packet = packet
        if type(packet) is Signed:
            self._read_signed(known, packet)
        elif isinstance(packet, Proposal):
            vote = packet.pre_prepare
            known.kind, known.replica, known.sequence = PROPOSAL, vote.replica, vote.sequence
            known.verifications = 1
            if not self.check(vote, packet.signature):
                known.reason = "bad signature"
        elif isinstance(packet, BareRequest):
            known.kind = REQUEST
        elif isinstance(packet, BareCommitted):
            decided = packet.decided
            known.kind, known.sequence = DECIDED, decided.batch.sequence
            votes = list[tuple[ReplicaMessage, bytes]](decided.certificate.votes())
            if decided.block_certificate is not None:
                votes.extend(decided.block_certificate.votes())
            known.verifications = len(votes)
            if not all(self.check(vote, signature) for vote, signature in votes):
                known.reason = "bad signature"
        else:
            known.kind = FETCHED
        return known

    def _read_signed(self, known: Known, packet: Signed) -> None:
        message = packet.message
        known.message, known.replica, known.verifications = message, message.replica, 1
        kind = known.kind = KINDS.get(type(message), OTHER)
        if kind <= BLOCK_VOTE:
            known.sequence = message.sequence  # type: ignore[union-attr]
        if not self.check(message, packet.signature):
            known.reason = "bad signature"
        elif kind <= BLOCK_VOTE:
            known.vote, known.until = packet, known.sequence if kind == VOTE else FOR_EVER
        elif isinstance(message, ViewChange | NewView):
            known.verifications += quoted(message)
            if not nested_signatures_hold(message, self.check):
                known.flaw = "bad signature inside"


def quoted(message: ViewChange | NewView) -> int:
    """How many signatures of others a view-change or a new-view quotes."""
    if isinstance(message, NewView):
        changes = sum(1 + quoted(change) for change, _ in message.view_changes)
        return changes + len(message.pre_prepares)
    stable = len(message.stable.signatures) if message.stable is not None else 0
    return stable + sum(1 + len(certificate.prepares) for certificate in message.prepared)
