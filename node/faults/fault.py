"""The faults that one node can carry, as they travel in JSON. Nodes are named by their replica numbers.

A fault is given to every node that it concerns, the same words to all; each finds out what applies to itself.
Delays are in microseconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec

from node.consortium import MAX_PARTIES
from node.logs.event_fields import is_label, is_name
from node.message_kinds import KINDS, OTHER

# The conditions of the network have this id: they are the ordinary weather, and count as nobody's fault.
NETWORK = "network"
HIGHEST_RATE = 5_000
LONGEST_US = 3_600_000_000
KIND_WORDS = frozenset(KINDS.values()) | {OTHER}

Meta = msgspec.Meta
Place = Annotated[int, Meta(ge=0, lt=MAX_PARTIES)]
Places = Annotated[list[Place], Meta(max_length=MAX_PARTIES)]
Chance = Annotated[float, Meta(ge=0, le=1)]
Microseconds = Annotated[int, Meta(ge=0, le=LONGEST_US)]
Range = tuple[Microseconds, Microseconds]


class Disturbance(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", kw_only=True):
    """Base of the faults. Several of one id are one fault, and end together."""

    id: str

    def __post_init__(self) -> None:
        if not is_label(self.id):
            raise ValueError("an id is a short name of a-z, 0-9, dot, hyphen and underscore")
        self._check()

    def _check(self) -> None:
        """Raise ValueError for fields that do not go together."""

    @property
    def kind(self) -> str:
        """The word that names this kind of fault."""
        return str(self.__struct_config__.tag)

    def replicas(self) -> Iterator[int]:
        """All replica numbers in it."""
        yield from ()


class Disconnect(Disturbance, frozen=True, tag="disconnect"):
    """Nothing gets into this node, or out of it."""


class Partition(Disturbance, frozen=True, tag="partition"):
    """No packet passes between groups; a single group is cut off from all others.

    With `one_way` only what the first group says is not heard by the others. Who is in no group keeps
    all links.
    """

    groups: Annotated[list[Places], Meta(min_length=1, max_length=MAX_PARTIES)]
    one_way: bool = False

    def _check(self) -> None:
        everybody = list(self.replicas())
        if not all(self.groups) or len(set(everybody)) != len(everybody):
            raise ValueError("each group has a member, and nobody is in two")

    def replicas(self) -> Iterator[int]:
        for group in self.groups:
            yield from group

    def cuts(self, source: int, target: int) -> bool:
        """Whether what the source says does not reach the target."""
        speaker, hearer = self._group_of(source), self._group_of(target)
        if speaker == hearer or speaker is None or hearer is None:
            return False
        return speaker == 0 or not self.one_way

    def _group_of(self, replica: int) -> int | None:
        for place, group in enumerate(self.groups):
            if replica in group:
                return place
        return 1 if len(self.groups) == 1 else None


class OnLinks(Disturbance, frozen=True):
    """Base of what happens to packets of some kinds on some links; None stands for all of them.

    The chance is for each packet, and `by_us` the range from which each draws its own delay.
    """

    sources: Places | None = None
    targets: Places | None = None
    kinds: Annotated[list[str], Meta(max_length=len(KIND_WORDS))] | None = None
    chance: Chance = 1.0
    by_us: Range = (0, 0)

    def _check(self) -> None:
        if self.by_us[0] > self.by_us[1]:
            raise ValueError("by_us names the least delay first")
        if unknown := set(self.kinds or ()) - KIND_WORDS:
            raise ValueError(f"{len(unknown)} of the kinds are no kinds of messages")

    def replicas(self) -> Iterator[int]:
        yield from self.sources or ()
        yield from self.targets or ()

    def applies(self, source: int, target: int, kind: str) -> bool:
        """Whether this packet is meant."""
        return (
            (self.sources is None or source in self.sources)
            and (self.targets is None or target in self.targets)
            and (self.kinds is None or kind in self.kinds)
        )


class Delay(OnLinks, frozen=True, tag="delay"):
    """Packets arrive later. Those that are held on one link stay in order."""


class Loss(OnLinks, frozen=True, tag="loss"):
    """Packets do not arrive."""


class Duplicate(OnLinks, frozen=True, tag="duplicate"):
    """Packets arrive twice, the second time later by `by_us`."""


class Reorder(OnLinks, frozen=True, tag="reorder"):
    """Packets are held back, and others pass them."""


class Equivocate(Disturbance, frozen=True, tag="equivocate"):
    """Tells one half of the voters one thing and the other half another, with its real signature."""


class Silent(Disturbance, frozen=True, tag="silent"):
    """Hears everything and says nothing, to all or to the targets."""

    targets: Places | None = None

    def replicas(self) -> Iterator[int]:
        yield from self.targets or ()


class Censor(Disturbance, frozen=True, tag="censor"):
    """Lets in no transaction of these parties while it is the primary."""

    parties: Annotated[list[str], Meta(min_length=1, max_length=MAX_PARTIES)]

    def _check(self) -> None:
        if not all(map(is_name, self.parties)):
            raise ValueError("parties are called by their names")


class Slow(Disturbance, frozen=True, tag="slow"):
    """Its own proposals leave later."""

    by_us: Microseconds


class Flood(Disturbance, frozen=True, tag="flood"):
    """Says so many useless things in a second."""

    rate: Annotated[int, Meta(ge=1, le=HIGHEST_RATE)]


class Skew(Disturbance, frozen=True, tag="skew"):
    """Its clock is fast, or with a negative number slow."""

    by_us: Annotated[int, Meta(ge=-LONGEST_US, le=LONGEST_US)]


Fault = (
    Disconnect
    | Partition
    | Delay
    | Loss
    | Duplicate
    | Reorder
    | Equivocate
    | Silent
    | Censor
    | Slow
    | Flood
    | Skew
)
