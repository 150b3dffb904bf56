"""Deeds: what acts are about. Each kind is a record of its own, and says itself when nobody may order it.

A kind has `fault`, a function of the record's bytes, its author and the names of all members: every node
judges alike (R33). A new kind gets a tag of its own here, in the union `Deed`.
"""

from __future__ import annotations

import re
from collections.abc import Set
from typing import Annotated

import msgspec
from msgspec import Meta

from node.chain.round_deeds import RoundDeed
from node.envelopes.disclosure import RECEIVERS_LIMIT, Package, Whole, is_said
from node.envelopes.fields import LEAF_LIMIT
from node.envelopes.transaction import Bytes32, Bytes96, Height, Name
from node.seals.seal import MAX_LATER_READERS, SealName
from node.text import clean

REASON_LIMIT = 200
MAX_PURGED = 64
"""Transactions that one purge receipt is about, at most."""

# What turns text around or hides it. A list of our own: which characters Python can print depends on its
# version, and nodes of two versions must not disagree on what may be ordered.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")

Reason = Annotated[str, Meta(min_length=1, max_length=REASON_LIMIT)]


class Disclosure(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=1):
    """The author shows fields of `tx` to the receivers. `fields` counts them; the canary is none.

    `answers` is the id of the request that led to it.
    """

    tx: Bytes32
    carrier: Bytes32
    receivers: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=RECEIVERS_LIMIT)]
    fields: Annotated[int, Meta(ge=0, le=LEAF_LIMIT)]
    whole: bool
    reason: Reason
    answers: Bytes32 | None = None

    def fault(self, author: str, names: Set[str]) -> bool:
        """Whether every node refuses the record, by whom it names or how it is written."""
        receivers = self.receivers
        return (
            list(receivers) != sorted(set(receivers))
            or author in receivers
            or not names >= {*receivers}
            or has_forbidden(self.reason)
        )


class Request(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=2):
    """The author asks `of` to be shown `tx`."""

    tx: Bytes32
    of: Name
    reason: Reason

    def fault(self, author: str, names: Set[str]) -> bool:
        """Whether every node refuses the record: it asks nobody, or its author."""
        return self.of not in names or self.of == author or has_forbidden(self.reason)


class Open(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=10):
    """The author asks that a seal be opened. No share is in it: one follows when this counts."""

    seal: SealName

    def fault(self, author: str, names: Set[str]) -> bool:
        """Never: what it is worth is for the book of seals to say."""
        return False


class Release(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=11):
    """The author's share of what `tx` is sealed with, wrapped for each of `then_to` in their order.

    Without wraps it says that what the sender wrapped for the author is no share.
    """

    tx: Bytes32
    wraps: Annotated[tuple[Bytes96, ...], Meta(max_length=MAX_LATER_READERS)]

    def fault(self, author: str, names: Set[str]) -> bool:
        """Never: what it is worth is for the book of seals to say."""
        return False


class Challenge(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=12):
    """The author cannot read what `of` released of `tx`, or it released nothing: it shall release (again)."""

    tx: Bytes32
    of: Name

    def fault(self, author: str, names: Set[str]) -> bool:
        """Whether every node refuses the record: it challenges nobody, or its author."""
        return self.of not in names or self.of == author


class Consent(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=30):
    """The author, who sent `tx`, agrees that its readers show it to the parties `to`.

    `hidden` stands for parties whom its readers alone recognise (envelopes/rule.py). `until` is the last
    height at which it holds, 0 for as long as nobody revokes it.
    """

    tx: Bytes32
    to: Annotated[tuple[Name, ...], Meta(max_length=RECEIVERS_LIMIT)]
    hidden: Annotated[tuple[Bytes32, ...], Meta(max_length=RECEIVERS_LIMIT)]
    until: Height
    reason: Reason

    def fault(self, author: str, names: Set[str]) -> bool:
        """Whether every node refuses the record, by whom it names or how it is written."""
        return not _names_some(self.to, self.hidden, author, names) or has_forbidden(self.reason)


class Revocation(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=31):
    """The author, who sent `tx`, withdraws it from the parties `of`: whatever they hold, a rule forbids."""

    tx: Bytes32
    of: Annotated[tuple[Name, ...], Meta(max_length=RECEIVERS_LIMIT)]
    hidden: Annotated[tuple[Bytes32, ...], Meta(max_length=RECEIVERS_LIMIT)]
    reason: Reason

    def fault(self, author: str, names: Set[str]) -> bool:
        """Whether every node refuses the record, by whom it names or how it is written."""
        return not _names_some(self.of, self.hidden, author, names) or has_forbidden(self.reason)


class Purge(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=32):
    """The author, who sent `tx`, has every node erase its payload at once, and what carries it to others."""

    tx: Bytes32
    reason: Reason

    def fault(self, author: str, names: Set[str]) -> bool:
        """Whether every node refuses the record, by how it is written."""
        return has_forbidden(self.reason)


class PurgeReceipt(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=33):
    """The author's node holds nothing of these payloads any more, which it was obliged to erase."""

    txs: Annotated[tuple[Bytes32, ...], Meta(min_length=1, max_length=MAX_PURGED)]

    def fault(self, author: str, names: Set[str]) -> bool:
        """Whether every node refuses the record: ids in order, each once."""
        return list(self.txs) != sorted(set(self.txs))


Deed = (
    Disclosure
    | Request
    | RoundDeed
    | Open
    | Release
    | Challenge
    | Consent
    | Revocation
    | Purge
    | PurgeReceipt
)


def _names_some(named: tuple[str, ...], hidden: tuple[bytes, ...], author: str, names: Set[str]) -> bool:
    """Whether it is about some members beside the author, in order: all by name, or all hidden."""
    return (
        bool(named) != bool(hidden)
        and list(named) == sorted(set(named))
        and list(hidden) == sorted(set(hidden))
        and author not in named
        and names >= {*named}
    )


def has_forbidden(text: str) -> bool:
    """Whether characters in it turn text around or hide it."""
    return bool(_FORBIDDEN.search(text))


def check_reason(reason: str) -> str:
    """Why this cannot be the reason of an act, or nothing: 1 to 200 characters, none invisible."""
    if not 1 <= len(reason) <= REASON_LIMIT:
        return f"it has {len(reason)} characters, and 1 to {REASON_LIMIT} are possible"
    if not reason.strip() or clean(reason) != reason or has_forbidden(reason):
        return "it is one line of text, without control or invisible characters"
    return ""


def disclosed(package: Package, carrier: bytes, reason: str, answers: bytes | None = None) -> Disclosure:
    """The record of a package and its carrier's id."""
    opening = package.opening
    leaves = opening.leaves if isinstance(opening, Whole) else tuple(leaf for _, leaf in opening.leaves)
    return Disclosure(
        tx=package.tx,
        carrier=carrier,
        receivers=package.receivers,
        fields=sum(is_said(leaf.path) for leaf in leaves),
        whole=isinstance(opening, Whole),
        reason=reason,
        answers=answers,
    )


def tells_of(record: Disclosure, package: Package, carrier: bytes) -> bool:
    """Whether the record says of this package what is true, as far as its author could know it."""
    return record == disclosed(package, carrier, record.reason, record.answers)
