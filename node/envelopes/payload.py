"""The private content of one transaction: salted leaves, their commitment, and the padded plaintext.

Each leaf has its own fresh 16-byte salt, so that showing one leaf helps nobody to guess another, and no
master salt exists. With H = SHA-256:

    leaf          H(0x00 | canonical MessagePack [salt, path, value])
    inner node    H(0x01 | left | right)
    count         H(0x03 | number of real leaves, 4 bytes | salt, 16 bytes)
    payload root  H(0x02 | count, 32 bytes | tree root | owner, 32 bytes)

The leaves, sorted by path, are followed by random 32-byte nodes up to 4, 8, 16 ... 256, so the shape of
the tree tells nothing about the number of fields; the number has a hash of its own, so that showing some
leaves does not tell how many more there are. `owner` is a digest of network, sender and nonce: a
commitment that somebody else copies into a transaction of his own can never be opened there, not even
with the leaves and paths that the true owner discloses later (cf. ENS, ensdomains/ens#43).

Plaintext: length of the content, 4 bytes big-endian | content | zero bytes up to the size bucket, with
content = canonical MessagePack [salt, [[salt, path, value], ...], [padding node, ...]].

    size buckets (bytes of plaintext)  256  512  1024  2048  4096  8192  16384  32768  65536

Everybody learns the bucket and nothing finer. A reader refuses padding that is not zero and a bucket
larger than needed: one payload has one plaintext, and a sender cannot mark it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any

import msgspec

from node.canonical import DecodeError, decode, encode
from node.envelopes.entropy import Entropy
from node.envelopes.fields import DEPTH_LIMIT, LEAF_LIMIT, NAME_LIMIT, allowed, flatten, nest
from node.envelopes.merkle import HASH_BYTES, Tree
from node.errors import PrivityError

SALT_BYTES = 16
LEAST_NODES = 4
SIZE_BUCKETS = tuple(256 << step for step in range(9))
TREE = Tree(leaf_prefix=b"\x00", inner_prefix=b"\x01")

_ROOT_PREFIX, _COUNT_PREFIX = b"\x02", b"\x03"
_LENGTH_BYTES = 4

_Salt = Annotated[bytes, msgspec.Meta(min_length=SALT_BYTES, max_length=SALT_BYTES)]
_Node = Annotated[bytes, msgspec.Meta(min_length=HASH_BYTES, max_length=HASH_BYTES)]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_LIMIT)]
_Position = Annotated[int, msgspec.Meta(ge=0, lt=LEAF_LIMIT)]
_Path = Annotated[tuple[_Name | _Position, ...], msgspec.Meta(min_length=1, max_length=DEPTH_LIMIT)]


class Leaf(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """One value of a payload, the way to it, and the salt that hides it in the commitment."""

    salt: _Salt
    path: _Path
    value: Any

    def hash(self) -> bytes:
        """The node of the tree that stands for this leaf, 32 bytes."""
        return TREE.leaf(encode(self))

    def __repr__(self) -> str:
        return "Leaf(secret)"


class _Content(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    salt: _Salt
    leaves: Annotated[tuple[Leaf, ...], msgspec.Meta(max_length=LEAF_LIMIT)]
    padding: Annotated[tuple[_Node, ...], msgspec.Meta(max_length=LEAF_LIMIT)]

    def __repr__(self) -> str:
        return "Content(secret)"


@dataclass(frozen=True, slots=True, repr=False)
class Payload:
    """Leaves with their salts, and the root of the tree over them."""

    salt: bytes
    leaves: tuple[Leaf, ...]
    padding: tuple[bytes, ...]
    tree_root: bytes

    @classmethod
    def build(cls, fields: Mapping[str, object], entropy: Entropy) -> Payload:
        """A payload of these fields with fresh salts. Raises PrivityError (E-PAYLOAD, E-LIMIT)."""
        flat = flatten(fields)
        spare = node_count(len(flat)) - len(flat)
        salts = SALT_BYTES * (1 + len(flat))
        fresh = entropy(salts + HASH_BYTES * spare)
        leaves = tuple(
            Leaf(fresh[start : start + SALT_BYTES], path, value)
            for start, (path, value) in zip(range(SALT_BYTES, salts, SALT_BYTES), flat, strict=True)
        )
        padding = tuple(fresh[start : start + HASH_BYTES] for start in range(salts, len(fresh), HASH_BYTES))
        return cls(fresh[:SALT_BYTES], leaves, padding, _tree_root(leaves, padding))

    @classmethod
    def parse(cls, plaintext: bytes) -> Payload:
        """The payload of a plaintext. Raises DecodeError unless it is the one plaintext of that payload."""
        end = _LENGTH_BYTES + int.from_bytes(plaintext[:_LENGTH_BYTES], "big")
        if not _LENGTH_BYTES < end <= len(plaintext):
            raise DecodeError("length")
        if size_bucket(end) != len(plaintext):
            raise DecodeError("size_bucket")
        if plaintext.count(0, end) != len(plaintext) - end:
            raise DecodeError("padding")
        content = decode(_Content, plaintext[_LENGTH_BYTES:end], SIZE_BUCKETS[-1])
        leaves, padding = content.leaves, content.padding
        if len(leaves) + len(padding) != node_count(len(leaves)):
            raise DecodeError("leaf_count")
        if not all(allowed(leaf.value) for leaf in leaves):
            raise DecodeError("value")
        try:
            nest([(leaf.path, leaf.value) for leaf in leaves])
        except ValueError:
            raise DecodeError("paths") from None
        return cls(content.salt, leaves, padding, _tree_root(leaves, padding))

    def plaintext(self) -> bytes:
        """What is encrypted: as long as a size bucket. Raises PrivityError (E-LIMIT) above the largest."""
        content = encode(_Content(self.salt, self.leaves, self.padding))
        bucket = size_bucket(_LENGTH_BYTES + len(content))
        if bucket is None:
            raise PrivityError(
                "E-LIMIT",
                f"the payload needs {_LENGTH_BYTES + len(content)} bytes with its salts, and the most is"
                f" {SIZE_BUCKETS[-1]}",
                next="send less, or send it in parts",
            )
        return (len(content).to_bytes(_LENGTH_BYTES, "big") + content).ljust(bucket, b"\x00")

    def root(self, owner: bytes) -> bytes:
        """The commitment of the public header, for the owner that the header names (32 bytes)."""
        return payload_root(self.count_hash(), self.tree_root, owner)

    def count_hash(self) -> bytes:
        """The commitment to the number of leaves, 32 bytes."""
        return sha256(_COUNT_PREFIX + len(self.leaves).to_bytes(4, "big") + self.salt).digest()

    def fields(self) -> dict[str, Any]:
        """The fields as the sender gave them: new maps and lists each time."""
        return nest([(leaf.path, leaf.value) for leaf in self.leaves])

    def nodes(self) -> tuple[bytes, ...]:
        """The lowest level of the tree: hashes of the leaves, then the padding."""
        return (*(leaf.hash() for leaf in self.leaves), *self.padding)

    def __repr__(self) -> str:
        return "Payload(secret)"


def payload_root(count_hash: bytes, tree_root: bytes, owner: bytes) -> bytes:
    """The commitment of a public header from its parts, 32 bytes each."""
    return sha256(_ROOT_PREFIX + count_hash + tree_root + owner).digest()


def node_count(leaves: int) -> int:
    """How many nodes the lowest level of a tree of so many leaves has: 4, 8, 16 ... 256."""
    return max(LEAST_NODES, 1 << max(0, leaves - 1).bit_length())


def size_bucket(length: int) -> int | None:
    """The smallest size bucket that holds a plaintext of this length, or None."""
    return next((bucket for bucket in SIZE_BUCKETS if length <= bucket), None)


def _tree_root(leaves: tuple[Leaf, ...], padding: tuple[bytes, ...]) -> bytes:
    return TREE.root([*(leaf.hash() for leaf in leaves), *padding])
