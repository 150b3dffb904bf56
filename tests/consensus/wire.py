"""What the test world has in place of keys and of the node's wire format.

A signature is SHA-512 of the replica and the encoded message: as pure as RFC 6979, and checked on
arrival like a real one. Every packet crosses as bytes.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable

import msgspec

from consensus.certificates import Decided
from consensus.evidence import nested_signatures_hold
from consensus.messages import FetchedBatch, NewView, Proposal, ReplicaMessage, Signed, ViewChange
from consensus.votes import Batch, Request, encode


class Bodies(msgspec.Struct, frozen=True, tag=3):
    """Requests whole, as clients and replicas pass them on."""

    requests: tuple[Request, ...]


class Answer(msgspec.Struct, frozen=True, tag=4):
    """The answer to a `Fetch`: one decision."""

    decided: Decided


Packet = Signed | Proposal | FetchedBatch | Bodies | Answer

_decode_packet = msgspec.msgpack.Decoder(Signed | Proposal | FetchedBatch).decode
_decode_other = msgspec.msgpack.Decoder(Bodies | Answer).decode


def signature_of(replica: int, message: ReplicaMessage) -> bytes:
    """The signature of one replica under one message, 64 bytes."""
    return hashlib.sha512(replica.to_bytes(2, "big") + encode(message)).digest()


def signer(replica: int) -> Callable[[ReplicaMessage], bytes]:
    """The signing function of one replica, as the core takes it."""
    return functools.partial(signature_of, replica)


def signed(message: ReplicaMessage) -> Signed:
    """A message with the signature of the replica that it names."""
    return Signed(message, signature_of(message.replica, message))


def encode_packet(packet: Packet) -> bytes:
    """The packet as it crosses the network."""
    kind = b"r" if isinstance(packet, Signed | Proposal | FetchedBatch) else b"o"
    return kind + encode(packet)


def decode_packet(data: bytes) -> Packet:
    """The packet that these bytes are; raises ValueError if they are none or have another encoding."""
    packet: Packet = _decode_packet(data[1:]) if data[:1] == b"r" else _decode_other(data[1:])
    if encode_packet(packet) != data:
        raise ValueError("not canonical")
    return packet


def authentic(packet: Packet) -> bool:
    """Whether every signature in a packet is what it should be."""
    if isinstance(packet, Signed):
        return packet.signature == signature_of(packet.message.replica, packet.message)
    if isinstance(packet, Proposal):
        return packet.signature == signature_of(packet.pre_prepare.replica, packet.pre_prepare)
    if isinstance(packet, Answer):
        decided = packet.decided
        votes = list[tuple[ReplicaMessage, bytes]](decided.certificate.votes())
        if decided.block_certificate is not None:
            votes.extend(decided.block_certificate.votes())
        return all(signature == signature_of(vote.replica, vote) for vote, signature in votes)
    return True


def flaw_of(packet: Packet) -> str:
    """What is wrong with the signatures that a view-change or new-view quotes, or nothing."""
    message = packet.message if isinstance(packet, Signed) else None
    if isinstance(message, ViewChange | NewView) and not nested_signatures_hold(message, is_signature):
        return "bad signature inside"
    return ""


def is_signature(message: ReplicaMessage, signature: bytes) -> bool:
    """Whether the replica that a message names signed it so."""
    return signature == signature_of(message.replica, message)


def block_hash(parent: bytes, batch: Batch) -> bytes:
    """What executing a batch after a block leads to, in place of the node's ledger."""
    return hashlib.sha256(b"block" + parent + encode(batch)).digest()


def request(number: int, *, valid_from: int = 1, valid_until: int = 1 << 40, size: int = 100) -> Request:
    """The client's request of this number."""
    identifier = hashlib.sha256(b"request" + number.to_bytes(8, "big")).digest()
    return Request(identifier, "alice", number.to_bytes(16, "big"), valid_from, valid_until, size)
