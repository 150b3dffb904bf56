"""A disclosure: fields of an ordered transaction, or all of it, shown to further parties with their proof.

A package names its transaction and opens a part of it, or the whole. A part is leaves with their salts, their
places and the hashes beside their ways to the root: nothing in it helps to guess another field, or tells how
many there are beyond the size of the tree. The whole opens the number of leaves and the padding too, so that
nothing can be left out of it. No content key is handed over (P47). A part always opens the owner's rule on
showing it on; one from which the rule was cut is refused, so a receiver knows its terms or takes nothing.

It travels as the only field `_disclosure` of a private transaction, its carrier, and names the discloser, its
receivers and the carrier's nonce. A receiver refuses what another party sends on, what was made for somebody
else, and what arrives in a second carrier (P46). What two receivers of one transaction can link by comparing
notes: its id, which is public, and the salts of the fields that both were shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from typing import Annotated, Any

from msgspec import Meta, Struct

from node.canonical import DecodeError, decode, encode
from node.envelopes.fields import LEAF_LIMIT, Path, allowed, lies_in, nest, path_text
from node.envelopes.merkle import HASH_BYTES
from node.envelopes.payload import (
    LEAST_NODES,
    SALT_BYTES,
    SIZE_BUCKETS,
    TREE,
    Leaf,
    Payload,
    node_count,
    payload_root,
)
from node.envelopes.transaction import (
    NONCE_BYTES,
    SLOT_BUCKETS,
    Bytes16,
    Bytes32,
    CoreHeader,
    Name,
    PublicHeader,
    Small,
    owner_of,
    signed_bytes,
)
from node.errors import PrivityError

PACKAGE_FIELD = "_disclosure"
RULE_FIELD = "_redisclose"
NO_TERMS = "shown without its terms"
"""Why a part is refused that does not open the owner's rule on showing it on: it has been cut out."""
RECEIVERS_LIMIT = SLOT_BUCKETS[-1] - 1
_VERSION = 1

_Node = Annotated[bytes, Meta(min_length=HASH_BYTES, max_length=HASH_BYTES)]
_Place = Annotated[int, Meta(ge=0, lt=LEAF_LIMIT)]
_Size = Annotated[int, Meta(ge=LEAST_NODES, le=LEAF_LIMIT)]


class Part(Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=1):
    """Some leaves, each with its place in the tree of `size` nodes, and the hashes beside their ways."""

    count_hash: Bytes32
    size: _Size
    leaves: Annotated[tuple[tuple[_Place, Leaf], ...], Meta(min_length=1, max_length=LEAF_LIMIT)]
    beside: Annotated[tuple[_Node, ...], Meta(max_length=LEAF_LIMIT)]

    def __repr__(self) -> str:
        return "Part(secret)"


class Whole(Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=2):
    """All leaves, with what opens their number and the padding."""

    salt: Annotated[bytes, Meta(min_length=SALT_BYTES, max_length=SALT_BYTES)]
    leaves: Annotated[tuple[Leaf, ...], Meta(max_length=LEAF_LIMIT)]
    padding: Annotated[tuple[_Node, ...], Meta(max_length=LEAF_LIMIT)]

    def __repr__(self) -> str:
        return "Whole(secret)"


class Package(Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """What is shown, of which transaction, by whom, to whom. `nonce` is that of its carrier."""

    version: Small
    network: Bytes32
    tx: Bytes32
    discloser: Name
    receivers: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=RECEIVERS_LIMIT)]
    nonce: Bytes16
    opening: Part | Whole

    def __repr__(self) -> str:
        return "Package(secret)"


@dataclass(frozen=True, slots=True, repr=False)
class Shown:
    """What a package that was checked shows: true fields of the transaction `tx`, all of them if `whole`."""

    tx: bytes
    leaves: tuple[Leaf, ...]
    whole: bool

    def __repr__(self) -> str:
        return "Shown(secret)"


def pack(
    payload: Payload,
    header: PublicHeader,
    *,
    discloser: str,
    receivers: Sequence[str],
    nonce: bytes,
    fields: Sequence[str] | None = None,
) -> Package:
    """A package that opens the payload of this header, or the fields named (`a.b`, `list[0]`, a whole map).

    Raises PrivityError: E-FIELD if there is no such field, or its sender stated no rule, so that nobody would
    take a part of it; E-LIMIT for too many receivers. They tell the place in `fields` and not the name.
    """
    assert len(nonce) == NONCE_BYTES
    if not 1 <= len(set(receivers)) <= RECEIVERS_LIMIT:
        raise PrivityError(
            "E-LIMIT", f"a disclosure has 1 to {RECEIVERS_LIMIT} receivers, not {len(set(receivers))}"
        )
    opening: Part | Whole
    if fields is None:
        opening = Whole(payload.salt, payload.leaves, payload.padding)
    else:
        chosen = select(payload.leaves, fields)
        nodes, places = payload.nodes(), sorted({*chosen, _rule_place(payload)})
        leaves = tuple((place, payload.leaves[place]) for place in places)
        opening = Part(payload.count_hash(), len(nodes), leaves, TREE.beside(nodes, places))
    return Package(
        version=_VERSION,
        network=header.core.network,
        tx=_id_of(header),
        discloser=discloser,
        receivers=tuple(sorted(set(receivers))),
        nonce=nonce,
        opening=opening,
    )


def _rule_place(payload: Payload) -> int:
    """The place of the owner's rule, which whoever is shown anything must know too."""
    for place, leaf in enumerate(payload.leaves):
        if leaf.path == (RULE_FIELD,):
            return place
    raise PrivityError(
        "E-FIELD",
        "this can be shown as a whole only",
        why="its sender sealed no rule with it, and no receiver takes a part that shows none",
        next="leave the fields out to show all of it",
    )


def select(leaves: Sequence[Leaf], fields: Sequence[str]) -> list[int]:
    """The places of the leaves that these fields are made of. Raises PrivityError E-FIELD."""
    return select_paths([leaf.path for leaf in leaves], fields)


def select_paths(paths: Sequence[Path], fields: Sequence[str]) -> list[int]:
    """The same for leaves of which only the paths are known."""
    chosen: set[int] = set()
    for number, field in enumerate(fields, 1):
        found = {
            place
            for place, path in enumerate(paths)
            if (path_text(path) == field or lies_in(path, field)) and is_said(path)
        }
        if not found:
            raise PrivityError(
                "E-FIELD",
                "the transaction has no such field",
                where=f"field {number} of {len(fields)}",
                next="write it as show tx prints it: price, terms.days, parts[0], or terms for all of a map",
            )
        chosen |= found
    return sorted(chosen)


def is_said(path: Path) -> bool:
    """Whether a leaf is something that a user said, and not put beside it by Privity (a run's canary)."""
    return not str(path[0]).startswith("_")


def carried(package: Package) -> dict[str, bytes]:
    """The fields of the carrier's payload."""
    return {PACKAGE_FIELD: encode(package)}


def package_in(fields: Mapping[str, Any]) -> Package | None:
    """The package that a payload carries; None if it is no carrier. Raises DecodeError."""
    if PACKAGE_FIELD not in fields:
        return None
    data = fields[PACKAGE_FIELD]
    if not isinstance(data, bytes):
        raise DecodeError("shape")
    return decode(Package, data, SIZE_BUCKETS[-1])


def check(package: Package, header: PublicHeader, carrier: CoreHeader, receiver: str) -> Shown | str:
    """What the package shows to this receiver, or why it is refused, in words that stand in logs.

    `header` is that of the transaction on the receiver's own ledger whose id the package names, `carrier`
    that of the private transaction which brought it; both were ordered. Never raises.
    """
    found = unfit(package, header, carrier, receiver) or opened(package, header)
    if isinstance(found, Shown) and not found.whole and not _says_rule(found.leaves):
        return NO_TERMS
    return found


def _says_rule(leaves: Sequence[Leaf]) -> bool:
    return any(leaf.path == (RULE_FIELD,) for leaf in leaves)


def unfit(package: Package, header: PublicHeader, carrier: CoreHeader, receiver: str) -> str | None:
    """Why this receiver refuses the package whatever it opens: it is not from, of or for those it says."""
    if package.version != _VERSION:
        return "unknown version"
    if package.network != header.core.network or package.network != carrier.network:
        return "other network"
    if package.tx != _id_of(header):
        return "other transaction"
    if package.discloser != carrier.sender:
        return "not sent by its discloser"
    if package.nonce != carrier.nonce:
        return "made for another carrier"
    if receiver not in package.receivers or list(package.receivers) != sorted(set(package.receivers)):
        return "made for another receiver"
    return None


def opened(package: Package, header: PublicHeader) -> Shown | str:
    """What the package opens of the transaction with this header, for whoever has it; or why nothing."""
    return opened_of(package.tx, package.opening, header)


def opened_of(tx: bytes, opening: Part | Whole, header: PublicHeader) -> Shown | str:
    """The same for an opening that travelled in no package."""
    if tx != _id_of(header):
        return "other transaction"
    if isinstance(opening, Part):
        return _open_part(opening, header, tx)
    return _open_whole(opening, header, tx)


def _open_part(part: Part, header: PublicHeader, tx: bytes) -> Shown | str:
    places = [place for place, _ in part.leaves]
    leaves = tuple(leaf for _, leaf in part.leaves)
    if any(second <= first for first, second in pairwise(places)):
        return "a field comes twice"
    if not _well_formed(leaves):
        return "malformed fields"
    tree_root = TREE.root_over({place: leaf.hash() for place, leaf in part.leaves}, part.size, part.beside)
    root = None if tree_root is None else payload_root(part.count_hash, tree_root, owner_of(header.core))
    if root != header.core.payload_root:
        return "commitment does not match"
    return Shown(tx, leaves, whole=False)


def _open_whole(whole: Whole, header: PublicHeader, tx: bytes) -> Shown | str:
    leaves, padding = whole.leaves, whole.padding
    if len(leaves) + len(padding) != node_count(len(leaves)) or not _well_formed(leaves):
        return "malformed fields"
    tree_root = TREE.root([*(leaf.hash() for leaf in leaves), *padding])
    if (
        Payload(whole.salt, leaves, padding, tree_root).root(owner_of(header.core))
        != header.core.payload_root
    ):
        return "commitment does not match"
    try:
        nest([(leaf.path, leaf.value) for leaf in leaves])
    except ValueError:
        return "malformed fields"
    return Shown(tx, leaves, whole=True)


def _well_formed(leaves: Sequence[Leaf]) -> bool:
    """Whether a payload can have such leaves: possible values, and every path once."""
    return all(allowed(leaf.value) for leaf in leaves) and len({leaf.path for leaf in leaves}) == len(leaves)


def _id_of(header: PublicHeader) -> bytes:
    return sha256(signed_bytes(header)).digest()
