"""What a consortium agrees on about a seal: who opens it together, from when on, and who reads then."""

from __future__ import annotations

from collections.abc import Set
from typing import Annotated

from msgspec import Meta, Struct

from node.duration import seconds_text
from node.envelopes.shares import MAX_OPENERS

MAX_SEALS = 64
MAX_LATER_READERS = 24
"""A release holds a wrapped share for each of them, and an act has 3 KiB."""

SealName = Annotated[str, Meta(min_length=1, max_length=32, pattern=r"^[a-z0-9][a-z0-9-]*$")]
PartyName = Annotated[str, Meta(min_length=1, max_length=32, pattern=r"^[a-z0-9][a-z0-9-]*$")]


class Seal(Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """`threshold` of the `openers` open it to those in `then_to`, from a time or from a height on.

    `opens_at_ms` counts from the genesis; it is 0 where `opens_at_height` is not, and the other way round.
    """

    name: SealName
    opens_at_ms: Annotated[int, Meta(ge=0, lt=2**53)]
    openers: Annotated[tuple[PartyName, ...], Meta(min_length=1, max_length=MAX_OPENERS)]
    threshold: Annotated[int, Meta(ge=1, le=MAX_OPENERS)]
    then_to: Annotated[tuple[PartyName, ...], Meta(min_length=1, max_length=MAX_LATER_READERS)]
    opens_at_height: Annotated[int, Meta(ge=0, lt=2**53)] = 0

    def invalid(self, members: Set[str]) -> str | None:
        """Why no consortium of these members can have it, or None."""
        if len(set(self.openers)) != len(self.openers) or len(set(self.then_to)) != len(self.then_to):
            return "a seal names a party twice"
        if not members >= {*self.openers, *self.then_to}:
            return "a seal names who is no member"
        if self.threshold > len(self.openers):
            return "a seal needs more openers than it has"
        if self.opens_at_ms and self.opens_at_height:
            return "a seal opens at a time or at a height"
        return None

    def is_open(self, height: int, since_ms: int) -> bool:
        """Whether it may be opened in a block: one of this height, so long after the genesis."""
        return height >= self.opens_at_height if self.opens_at_height else since_ms >= self.opens_at_ms

    @property
    def opens(self) -> str:
        """From when on, in words: `12s`, `block 9`."""
        return f"block {self.opens_at_height}" if self.opens_at_height else seconds_text(self.opens_at_ms)

    @property
    def keepers(self) -> frozenset[str]:
        """Who gets the ciphertext of what lies under it, beside its sender: openers and later readers."""
        return frozenset((*self.openers, *self.then_to))
