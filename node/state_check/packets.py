"""What two parties say to each other about the private objects that they share, and the envelope for it.

Every node sends every other one an envelope of the same size at each check, whether they share anything or
not: who shares objects with whom, and how many, is in no packet. Only where a difference is looked for does
more pass between two inboxes.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from node.canonical import decode
from node.envelopes.payload import SIZE_BUCKETS
from node.envelopes.transaction import Blob, PrivateTransaction

Meta = msgspec.Meta
Height = Annotated[int, Meta(ge=0, lt=2**53)]
Digest = Annotated[bytes, Meta(min_length=32, max_length=32)]
Salt = Annotated[bytes, Meta(min_length=16, max_length=16)]

STATE_TAG = 40
CUTS = 64
"""Into how many parts a range of heights is cut in one message, at most."""
MOST_WRITES = 1000


class StateEnvelope(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=STATE_TAG):
    """A message of one member to another, sealed for the two and signed. It is of no ledger."""

    transaction: PrivateTransaction
    blob: Blob


class StateRoots(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=1):
    """Salted roots over all writes of the objects that the two share, from the beginning up to some heights.

    `height` is that of the check. One root stands for `high`; more of them for the ends of the equal parts
    into which low to high is cut.
    """

    height: Height
    salt: Salt
    low: Height
    high: Height
    roots: Annotated[tuple[Digest, ...], Meta(min_length=1, max_length=CUTS)]


class StateWrite(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """A write at one place of a block, and a digest of what it did: object, audience, outcome, version."""

    position: Annotated[int, Meta(ge=0, lt=MOST_WRITES)]
    tx: Digest
    did: Salt


class StateWrites(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=2):
    """All writes of shared objects in the block `at`, where the first difference is.

    `lacking` are places of that block whose payload the one who says this does not know, or has not judged.
    """

    height: Height
    at: Height
    writes: Annotated[tuple[StateWrite, ...], Meta(max_length=MOST_WRITES)]
    lacking: Annotated[tuple[Annotated[int, Meta(ge=0, lt=MOST_WRITES)], ...], Meta(max_length=MOST_WRITES)]


StateMessage = StateRoots | StateWrites
_MESSAGE: msgspec.msgpack.Decoder[StateMessage] = msgspec.msgpack.Decoder(StateMessage)


def decode_message(data: bytes) -> StateMessage:
    """The message that stands in an envelope. Raises DecodeError and nothing else."""
    return decode(_MESSAGE, data, SIZE_BUCKETS[-1])


def cuts(low: int, high: int) -> list[int]:
    """The ends of the parts into which the heights above `low` up to `high` are cut; the last is `high`."""
    parts = min(CUTS, high - low)
    return [low + (high - low) * number // parts for number in range(1, parts + 1)]


def ends_of(roots: StateRoots) -> list[int] | None:
    """The heights that the roots stand for; None if there are not as many as there should be."""
    if not 0 <= roots.low < roots.high <= roots.height:
        return None
    if len(roots.roots) == 1:
        return [roots.high]
    ends = cuts(roots.low, roots.high)
    return ends if len(ends) == len(roots.roots) else None
