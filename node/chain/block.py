"""A block: what one sequence number decided, chained to its parent, with the state it led to.

Headers are computed at execution, never proposed, so several heights may be in flight (R28). Everything
in a header is a function of public bytes: which payloads a node can read changes nothing in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec

from consensus.votes import Counter, Digest, ReplicaId, SequenceNumber
from node.canonical import encode
from node.envelopes.merkle import Tree

NO_PARENT = bytes(32)
BODY = Tree(leaf_prefix=b"\x00", inner_prefix=b"\x01")


class BlockHeader(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """The header of a block.

    `batch_digest` is what replicas voted on; `body_root` the Merkle root of the transaction ids in order
    (RFC 6962, leaves prefixed 0x00, inner nodes 0x01); `state_root` the root of the public state after it.
    """

    version: Annotated[int, msgspec.Meta(ge=1, le=1)]
    epoch: Counter
    height: SequenceNumber
    parent: Digest
    time_ms: Counter
    proposer: ReplicaId
    batch_digest: Digest
    body_root: Digest
    state_root: Digest

    def hash(self) -> bytes:
        """The block's hash, 32 bytes: SHA-256 of the domain and the canonical encoding."""
        return hashlib.sha256(b"privity/v1/block\0" + encode(self)).digest()

    @staticmethod
    def root_of(transactions: tuple[bytes, ...]) -> bytes:
        """The body root of these transaction ids."""
        return BODY.root([BODY.leaf(identifier) for identifier in transactions])


@dataclass(frozen=True, slots=True)
class BodyPath:
    """That a transaction is leaf `index`, from 0, of the `size` in a block: the hashes beside its way up."""

    index: int
    size: int
    hashes: tuple[bytes, ...]

    @classmethod
    def of(cls, transactions: Sequence[bytes], transaction: bytes) -> BodyPath:
        """Of the ids of a block. Raises ValueError if the transaction is none of them."""
        index = list(transactions).index(transaction)
        leaves = [BODY.leaf(identifier) for identifier in transactions]
        return cls(index, len(leaves), BODY.path(leaves, index))

    def leads_to(self, body_root: bytes, transaction: bytes) -> bool:
        """Whether this way leads from the transaction to the root in a block's header. Never raises."""
        return BODY.verify(BODY.leaf(transaction), self.index, self.size, self.hashes, body_root)
