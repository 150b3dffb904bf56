"""Acts: public, signed records on the ledger of who was shown a private content, or asked to be shown it.

    id         SHA-256("privity/v1/act\\0" | act)
    signature  ECDSA P-256 over the same bytes, outside the id

All of it is public, the reason too: who discloses which transaction to whom, in which carrier, how many
fields or the whole, why. What was shown travels apart, sealed, in that carrier (envelopes/disclosure.py). An
act says what its author signs and proves nothing of the carrier: only its receivers can hold the two
against each other. A node judges an act by its bytes alone, so every node judges alike (R33).
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Annotated

import msgspec
from msgspec import Meta

from node.canonical import encode
from node.envelopes.disclosure import RECEIVERS_LIMIT, Package, Whole, is_said
from node.envelopes.fields import LEAF_LIMIT
from node.envelopes.keys import SigningKey, VerifyKey
from node.envelopes.transaction import Bytes16, Bytes32, Bytes64, Height, Name, Small
from node.text import clean

VERSION = 1
REASON_LIMIT = 200
ACT_LIMIT = 3072
"""Bytes of an encoded act, at most: 31 names of 32 characters and a reason of 200, four bytes each."""

_DOMAIN = b"privity/v1/act\x00"

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


class Request(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=2):
    """The author asks `of` to be shown `tx`."""

    tx: Bytes32
    of: Name
    reason: Reason


class Act(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """What is signed. `valid_from` and `valid_until` are heights, inclusive, as of a private transaction."""

    network: Bytes32
    version: Small
    sender: Name
    nonce: Bytes16
    policy: Bytes32
    valid_from: Height
    valid_until: Height
    deed: Disclosure | Request


class ActTransaction(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=3):
    """An act and its author's signature (r|s)."""

    act: Act
    signature: Bytes64

    @property
    def id(self) -> bytes:
        """The transaction id, 32 bytes. Computed on each call."""
        return sha256(signed_bytes(self.act)).digest()


def signed_bytes(act: Act) -> bytes:
    """What the author signs; its SHA-256 is the id. The network stands in the act."""
    return _DOMAIN + encode(act)


def signed(act: Act, key: SigningKey) -> ActTransaction:
    """The transaction of an act."""
    return ActTransaction(act, key.sign(signed_bytes(act)))


def check_reason(reason: str) -> str:
    """Why this cannot be the reason of an act, or nothing: 1 to 200 characters, none invisible."""
    if not 1 <= len(reason) <= REASON_LIMIT:
        return f"it has {len(reason)} characters, and 1 to {REASON_LIMIT} are possible"
    if not reason.strip() or clean(reason) != reason or _FORBIDDEN.search(reason):
        return "it is one line of text, without control or invisible characters"
    return ""


def check_act(
    transaction: ActTransaction,
    *,
    network: bytes,
    policy: bytes,
    max_validity: int,
    names: frozenset[str],
    sender_key: VerifyKey,
) -> str | None:
    """Why every node refuses this act, as a token, or None.

    A function of public bytes only; the signature is checked last. `names` are those of all members.
    Whether the window is open now and (sender, nonce) is new is for the ledger to say.
    """
    act = transaction.act
    if act.network != network:
        return "network"
    if act.version != VERSION:
        return "version"
    if act.policy != policy:
        return "policy"
    if not act.valid_from <= act.valid_until <= act.valid_from + max_validity:
        return "validity"
    if len(encode(transaction)) > ACT_LIMIT or _FORBIDDEN.search(act.deed.reason):
        return "act"
    if isinstance(act.deed, Disclosure):
        receivers = act.deed.receivers
        if list(receivers) != sorted(set(receivers)) or act.sender in receivers or not names >= {*receivers}:
            return "act"
    elif act.deed.of not in names or act.deed.of == act.sender:
        return "act"
    if not sender_key.verify(transaction.signature, signed_bytes(act)):
        return "signature"
    return None


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
