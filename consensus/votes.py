"""What is voted on and the votes themselves: what certificates are made of.

All are msgspec Structs encoded as MessagePack arrays whose first element is the kind. A signature
covers the domain of the kind, the network, and the canonical encoding of the message (R1); keys and
signatures are the driver's business, so here a signature is only 64 bytes that travel along.
"""

from __future__ import annotations

import hashlib
from typing import Annotated

import msgspec

Meta = msgspec.Meta
Digest = Annotated[bytes, Meta(min_length=32, max_length=32)]
Signature = Annotated[bytes, Meta(min_length=64, max_length=64)]
# Counters stop below 2**53 so that every JSON reader agrees on them.
Counter = Annotated[int, Meta(ge=0, lt=2**53)]
SequenceNumber = Annotated[int, Meta(ge=1, lt=2**53)]
MAX_REPLICAS = 1024
# Voters come first: replica i < n votes, the others follow.
ReplicaId = Annotated[int, Meta(ge=0, lt=MAX_REPLICAS)]

MAX_BATCH = 1000
NO_DIGEST = bytes(32)

encode = msgspec.msgpack.Encoder().encode


class Message(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, gc=False):
    """Base of everything that crosses the wire or reaches the journal.

    None of it can be part of a cycle, so the garbage collector need not look at it.
    """


class Request(msgspec.Struct, frozen=True, gc=False):
    """What the core knows of a client's transaction: enough to order it, nothing of what it says.

    `client` and `nonce` are its at-most-once key (R24). It may be ordered at a sequence number from
    `valid_from` to `valid_until`, both included. `size` is in bytes.
    """

    id: bytes
    client: str
    nonce: bytes
    valid_from: int
    valid_until: int
    size: int


class Batch(Message, frozen=True):
    """What one sequence number orders. An empty batch is the null request, which only fills a gap."""

    sequence: SequenceNumber
    proposer: ReplicaId
    time_ms: Counter
    requests: Annotated[tuple[Digest, ...], Meta(max_length=MAX_BATCH)]

    def digest(self) -> bytes:
        """The digest that replicas vote on: batch, sequence, proposer and time, never the view (R28)."""
        return hashlib.sha256(b"privity/v1/batch\0" + encode(self)).digest()


class PrePrepare(Message, frozen=True, tag=1):
    """The primary's proposal: at this sequence number of this view, the batch with this digest."""

    epoch: Counter
    view: Counter
    sequence: SequenceNumber
    digest: Digest
    replica: ReplicaId


class Prepare(Message, frozen=True, tag=2):
    """A backup's vote: at this sequence number of this view I saw this digest, and no other."""

    epoch: Counter
    view: Counter
    sequence: SequenceNumber
    digest: Digest
    replica: ReplicaId


class Commit(Message, frozen=True, tag=3):
    """Any replica's vote once it is prepared."""

    epoch: Counter
    view: Counter
    sequence: SequenceNumber
    digest: Digest
    replica: ReplicaId


class BlockVote(Message, frozen=True, tag=4):
    """A voter's word, after executing, that the block at this sequence number has this hash."""

    epoch: Counter
    sequence: SequenceNumber
    block: Digest
    replica: ReplicaId


Vote = PrePrepare | Prepare | Commit | BlockVote


def null_batch(sequence: int) -> Batch:
    """The null request: what a new view puts where nothing was prepared (PBFT 4.4). It does nothing.

    It is the same for every view and primary, so that it keeps its digest; its block has its parent's time.
    """
    return Batch(sequence, 0, 0, ())
