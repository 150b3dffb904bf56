"""Acts: public, signed records on the ledger of who was shown a private content, or asked to be shown it.

    id         SHA-256("privity/v1/act\\0" | act)
    signature  ECDSA P-256 over the same bytes, outside the id

All of it is public, the reason too: who discloses which transaction to whom, in which carrier, how many
fields or the whole, why. What was shown travels apart, sealed, in that carrier (envelopes/disclosure.py). An
act says what its author signs and proves nothing of the carrier: only its receivers can hold the two
against each other. A node judges an act by its bytes alone, so every node judges alike (R33).
"""

from __future__ import annotations

from hashlib import sha256

import msgspec

from node.canonical import encode
from node.chain.deeds import Deed
from node.chain.round_deeds import ROUND_LIMIT, RoundDeed
from node.envelopes.keys import SigningKey, VerifyKey
from node.envelopes.transaction import Bytes16, Bytes32, Bytes64, Height, Name, Small

VERSION = 1
ACT_LIMIT = 3072
"""Bytes of an encoded act, at most: 31 names of 32 characters and a reason of 200, four bytes each."""

_DOMAIN = b"privity/v1/act\x00"


class Act(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """What is signed. `valid_from` and `valid_until` are heights, inclusive, as of a private transaction."""

    network: Bytes32
    version: Small
    sender: Name
    nonce: Bytes16
    policy: Bytes32
    valid_from: Height
    valid_until: Height
    deed: Deed


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
    limit = ROUND_LIMIT if isinstance(act.deed, RoundDeed) else ACT_LIMIT
    if len(encode(transaction)) > limit or act.deed.fault(act.sender, names):
        return "act"
    if not sender_key.verify(transaction.signature, signed_bytes(act)):
        return "signature"
    return None
