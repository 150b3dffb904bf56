"""The deeds of a round of aggregation, in the order in which they come (DESIGN, Aggregation).

    RoundStart     the coordinator names contributors, what is summed and the least number of them
    RoundJoin      a contributor registers with two fresh public keys
    RoundFix       the coordinator closes a stage: who registered, who dealt shares, whose value is here
    RoundDeal      a contributor deals shares of its two secrets, wrapped, each committed to
    RoundValue     a contributor's masked value
    RoundRelease   a contributor gives the present and the coordinator the shares that unmask the total
    RoundResult    a salted hash of the total, and the envelope that brings it to those who may know it
    RoundEnd       the coordinator ends a round without a total
    RoundBlame     a contributor shows that a share which it was dealt is not the one committed to

Everybody reads all of it. Values are masked, shares wrapped, releases encrypted. Whether a deed has an effect
depends on what stands before it on the chain: `node.aggregation.rounds` says so, the same everywhere. What
is judged here is a function of the record's own bytes.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Annotated

import msgspec
from msgspec import Meta

from node.canonical import DecodeError
from node.envelopes.transaction import Bytes32, Name
from node.envelopes.wrapping import WRAP_OVERHEAD_BYTES, WrappingPublicKey

LEAST_CONTRIBUTORS = 4
"""A total of fewer tells too much: of two it gives the other away, of three two together see the third."""
MOST_CONTRIBUTORS = 16
"""Shares are made and combined in plain Python: 16 members take some 10 s of CPU together, 31 a minute."""
FIELD_LIMIT = 64
SHARE_BYTES = 32
"""Of one secret of 32 bytes: two shares of 16, one for each half."""
BOX_BYTES = WRAP_OVERHEAD_BYTES + 2 * SHARE_BYTES
RELEASE_LIMIT = 2048
JOINED, DEALT, PRESENT = 1, 2, 3

Names = Annotated[tuple[Name, ...], Meta(min_length=LEAST_CONTRIBUTORS, max_length=MOST_CONTRIBUTORS)]
Count = Annotated[int, Meta(ge=LEAST_CONTRIBUTORS, le=MOST_CONTRIBUTORS)]
Share = Annotated[bytes, Meta(min_length=SHARE_BYTES, max_length=SHARE_BYTES)]
Box = Annotated[bytes, Meta(min_length=BOX_BYTES, max_length=BOX_BYTES)]
Wrap = Annotated[bytes, Meta(min_length=WRAP_OVERHEAD_BYTES + 32, max_length=WRAP_OVERHEAD_BYTES + 32)]
Field = Annotated[str, Meta(min_length=1, max_length=FIELD_LIMIT, pattern=r"^[A-Za-z0-9_.\-]+\Z")]
Masked = Annotated[int, Meta(ge=0)]  # MessagePack has no whole number above 2^64 - 1.
Stage = Annotated[int, Meta(ge=JOINED, le=PRESENT)]
Release = Annotated[bytes, Meta(min_length=17, max_length=RELEASE_LIMIT)]
WHY_ENDED = (
    "too few registered",
    "too few dealt shares",
    "too few values",
    "too few released",
    "shares do not fit",
    "would give a value away",
)
Why = Annotated[int, Meta(ge=0, lt=len(WHY_ENDED))]


class RoundStart(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=20):
    """The author wants the total of `field`; the act's id names the round. `share_key`: wraps for it."""

    contributors: Names
    field: Field
    minimum: Count
    share_key: Bytes32

    def fault(self, author: str, names: Set[str]) -> bool:
        """Whether every node refuses the record: whom it names, or its key, cannot be."""
        return (
            _wrong_names(self.contributors, names)
            or author in self.contributors
            or self.minimum > len(self.contributors)
            or _no_key(self.share_key)
        )


class RoundJoin(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=21):
    """The author registers: masks are agreed on with `mask_key`, shares are wrapped for `share_key`."""

    round: Bytes32
    mask_key: Bytes32
    share_key: Bytes32

    def fault(self, author: str, names: Set[str]) -> bool:
        """Whether every node refuses the record: a key that agrees with nobody, or one in two roles."""
        return _no_key(self.mask_key) or _no_key(self.share_key) or self.mask_key == self.share_key


class RoundFix(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=22):
    """The coordinator closes a stage (JOINED, DEALT, PRESENT): these go on, and nobody else."""

    round: Bytes32
    stage: Stage
    members: Names

    def fault(self, author: str, names: Set[str]) -> bool:
        """Whether every node refuses the record."""
        return _wrong_names(self.members, names)


class RoundDeal(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=23):
    """A share of each of the author's two secrets for each member, in their order.

    `seed` commits to the seed of its self-mask; the other secret is the private half of its mask key. Each
    entry of `commits` is of a share of the seed and of a share of the key; each of `boxes` wraps both.
    """

    round: Bytes32
    seed: Bytes32
    commits: Annotated[
        tuple[tuple[Bytes32, Bytes32], ...],
        Meta(min_length=LEAST_CONTRIBUTORS, max_length=MOST_CONTRIBUTORS),
    ]
    boxes: Annotated[tuple[Box, ...], Meta(min_length=LEAST_CONTRIBUTORS, max_length=MOST_CONTRIBUTORS)]

    def fault(self, author: str, names: Set[str]) -> bool:
        """Whether every node refuses the record."""
        return len(self.commits) != len(self.boxes)


class RoundValue(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=24):
    """The author's masked value, modulo 2^64. `record` is the transaction that holds the value, sealed."""

    round: Bytes32
    masked: Masked
    record: Bytes32

    def fault(self, author: str, names: Set[str]) -> bool:
        """Any number may be a masked value."""
        return False


class RoundRelease(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=25):
    """Shares for those present and the coordinator: `wraps` hold the key of `body`, one for each of them."""

    round: Bytes32
    wraps: Annotated[
        tuple[Wrap, ...], Meta(min_length=LEAST_CONTRIBUTORS + 1, max_length=MOST_CONTRIBUTORS + 1)
    ]
    body: Release

    def fault(self, author: str, names: Set[str]) -> bool:
        """What is encrypted is for its receivers to judge."""
        return False


class RoundResult(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=26):
    """`total` is the salted hash of the total, `carrier` the envelope in which it travels."""

    round: Bytes32
    carrier: Bytes32
    total: Bytes32

    def fault(self, author: str, names: Set[str]) -> bool:
        """A hash may be of anything: its receivers compare."""
        return False


class RoundEnd(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=27):
    """The coordinator ends the round without a total. `why` is the place of a reason in WHY_ENDED."""

    round: Bytes32
    why: Why

    def fault(self, author: str, names: Set[str]) -> bool:
        """Whether it may end is a question of the chain."""
        return False


class RoundBlame(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=28):
    """What `dealer` wrapped for the author: wrapped again it gives the box, and it fits no commitment."""

    round: Bytes32
    dealer: Name
    seed_share: Share
    key_share: Share

    def fault(self, author: str, names: Set[str]) -> bool:
        """Whether every node refuses the record."""
        return self.dealer == author or self.dealer not in names


RoundDeed = (
    RoundStart
    | RoundJoin
    | RoundFix
    | RoundDeal
    | RoundValue
    | RoundRelease
    | RoundResult
    | RoundEnd
    | RoundBlame
)
ROUND_LIMIT = 4096
"""Bytes of an encoded act of a round, at most: what 16 contributors are dealt, and some more."""


def _wrong_names(given: Sequence[str], names: Set[str]) -> bool:
    return list(given) != sorted(set(given)) or not names >= {*given}


def _no_key(raw: bytes) -> bool:
    try:
        WrappingPublicKey.from_bytes(raw)
    except DecodeError:
        return True
    return False
