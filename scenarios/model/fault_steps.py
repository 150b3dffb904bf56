"""The steps `do: fault`, one model for each kind: what breaks, when, where and for how long."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from scenarios.model.references import Identifier, Nodes, SomeParties
from scenarios.model.starts import Start
from scenarios.model.strict import Strict
from scenarios.model.units import Range, Rate
from scenarios.model.values import Chance, Delay, Lasting, Offset, OptionalLasting, PacketRate, refusal

MessageKind = Literal[
    "pre-prepare",
    "prepare",
    "commit",
    "block-vote",
    "status",
    "view-change",
    "new-view",
    "request",
    "other",
]
_NODES = "names, bank-*, or primary, backups, voters: as they are when it begins"
_FOR = "how long; to the end by default"
_TO = "only packets to these; to all by default"
_MESSAGES = "only packets of these kinds; other is every kind without a word here; all by default"


class FaultStep(Strict):
    """What every fault has."""

    do: Literal["fault"]
    id: Identifier = Field(
        default="", description="its name in expectations; by default fault-N, N its place among the steps"
    )
    at: Start = Field(default=0, description="when: a time, {height: 20} or {view: 3}; 0s by default")
    kind: str = Field(description="what breaks")


class CrashStep(FaultStep):
    """Nodes are killed, and started again after `for`."""

    kind: Literal["crash"]
    nodes: Nodes = Field(description=_NODES)
    for_: OptionalLasting = Field(
        default=None, alias="for", description="how long it is down; by default for good"
    )
    disk: Literal["keep", "lose"] = Field(default="keep", description="lose: it comes back without its disk")


class RestartStep(FaultStep):
    """Nodes are stopped in good order and started again."""

    kind: Literal["restart"]
    nodes: Nodes = Field(description=_NODES)
    for_: Lasting = Field(default=1000, alias="for", description="how long it is down")
    disk: Literal["keep", "lose"] = Field(default="keep", description="lose: it comes back without its disk")


class PauseStep(FaultStep):
    """Nodes stand still and forget nothing."""

    kind: Literal["pause"]
    nodes: Nodes = Field(description=_NODES)
    for_: OptionalLasting = Field(default=None, alias="for", description=_FOR)


class DisconnectStep(FaultStep):
    """Nodes run and reach nobody."""

    kind: Literal["disconnect"]
    nodes: Nodes = Field(description=_NODES)
    for_: OptionalLasting = Field(default=None, alias="for", description=_FOR)


class PartitionStep(FaultStep):
    """Nodes are cut off from others: `nodes` from all that are not named, or groups from each other."""

    kind: Literal["partition"]
    nodes: Nodes | None = Field(default=None, description="these against all others")
    groups: dict[Identifier, SomeParties] | None = Field(
        default=None, description="two or more, as in {left: [a, b], right: [c, d]}; who is in none hears all"
    )
    one_way: bool = Field(
        default=False, description="true: the first side is not heard by the other, and hears it"
    )
    for_: OptionalLasting = Field(default=None, alias="for", description=_FOR)

    @model_validator(mode="after")
    def _has_sides(self) -> PartitionStep:
        if self.nodes is None and self.groups is None:
            raise refusal("E-MISSING", "a partition needs nodes, which stand against all others, or groups")
        if self.nodes is not None and self.groups is not None:
            raise refusal("E-VALUE", "nodes and groups contradict each other; leave one out")
        if self.groups is not None and len(self.groups) < 2:
            raise refusal("E-VALUE", "a partition has at least two groups, as in {left: [a], right: [b, c]}")
        if self.groups is not None and len(self.groups) > 2 and self.one_way:
            raise refusal("E-VALUE", "one_way is possible between two groups only")
        return self


class DelayStep(FaultStep):
    """What nodes say arrives later."""

    kind: Literal["delay"]
    nodes: Nodes = Field(description=_NODES)
    by: Delay = Field(description="on top of the latency: 200ms, or drawn from 100ms..300ms")
    to: SomeParties = Field(default="*", description=_TO)
    messages: list[MessageKind] | None = Field(default=None, min_length=1, description=_MESSAGES)
    for_: OptionalLasting = Field(default=None, alias="for", description=_FOR)


class LossStep(FaultStep):
    """Some of what nodes say does not arrive."""

    kind: Literal["loss"]
    nodes: Nodes = Field(description=_NODES)
    chance: Chance = Field(description="for each packet, like 30%")
    to: SomeParties = Field(default="*", description=_TO)
    messages: list[MessageKind] | None = Field(default=None, min_length=1, description=_MESSAGES)
    for_: OptionalLasting = Field(default=None, alias="for", description=_FOR)


class DuplicateStep(FaultStep):
    """Some of what nodes say arrives twice."""

    kind: Literal["duplicate"]
    nodes: Nodes = Field(description=_NODES)
    chance: Chance = Field(description="for each packet, like 30%")
    to: SomeParties = Field(default="*", description=_TO)
    messages: list[MessageKind] | None = Field(default=None, min_length=1, description=_MESSAGES)
    for_: OptionalLasting = Field(default=None, alias="for", description=_FOR)


class ReorderStep(FaultStep):
    """Some of what nodes say is held back, so that later packets overtake it."""

    kind: Literal["reorder"]
    nodes: Nodes = Field(description=_NODES)
    chance: Chance = Field(description="for each packet, like 30%")
    by: Delay = Field(default=Range(5000, 50_000), description="how long a packet is held back")
    to: SomeParties = Field(default="*", description=_TO)
    messages: list[MessageKind] | None = Field(default=None, min_length=1, description=_MESSAGES)
    for_: OptionalLasting = Field(default=None, alias="for", description=_FOR)


class EquivocateStep(FaultStep):
    """Voters say one thing to some and another to others."""

    kind: Literal["equivocate"]
    nodes: Nodes = Field(description=_NODES)
    for_: OptionalLasting = Field(default=None, alias="for", description=_FOR)


class SilentStep(FaultStep):
    """Nodes say nothing, to all or to some."""

    kind: Literal["silent"]
    nodes: Nodes = Field(description=_NODES)
    to: SomeParties = Field(default="*", description="silent towards these; towards all by default")
    for_: OptionalLasting = Field(default=None, alias="for", description=_FOR)


class CensorStep(FaultStep):
    """Voters leave out what certain parties send."""

    kind: Literal["censor"]
    nodes: Nodes = Field(description=_NODES)
    of: SomeParties = Field(description="whose transactions are left out")
    for_: OptionalLasting = Field(default=None, alias="for", description=_FOR)


class SlowStep(FaultStep):
    """Voters take their time before they propose."""

    kind: Literal["slow"]
    nodes: Nodes = Field(description=_NODES)
    by: Lasting = Field(description="how much later, like 800ms")
    for_: OptionalLasting = Field(default=None, alias="for", description=_FOR)


class FloodStep(FaultStep):
    """Nodes send much more than anyone needs."""

    kind: Literal["flood"]
    nodes: Nodes = Field(description=_NODES)
    rate: PacketRate = Field(default=Rate(200, 1000), description="packets of each of them")
    for_: OptionalLasting = Field(default=None, alias="for", description=_FOR)


class TwoTalesStep(FaultStep):
    """Parties lie about their content: the first half of the readers get another one than the rest.

    Their clients lie, in what steps send meanwhile to two readers or more; their nodes are correct.
    """

    kind: Literal["two-tales"]
    nodes: Nodes = Field(description="the parties that lie, by name")
    for_: OptionalLasting = Field(default=None, alias="for", description=_FOR)


class CorruptDiskStep(FaultStep):
    """Nodes are stopped, one byte of their journal is changed, and they are started again."""

    kind: Literal["corrupt-disk"]
    nodes: Nodes = Field(description=_NODES)


class SkewStep(FaultStep):
    """The clocks of nodes are wrong."""

    kind: Literal["skew"]
    nodes: Nodes = Field(description=_NODES)
    by: Offset = Field(description="how far: +3s is ahead, -2s behind")
    for_: OptionalLasting = Field(default=None, alias="for", description=_FOR)


class BrokerRestartStep(FaultStep):
    """The broker is stopped and started again."""

    kind: Literal["broker-restart"]


class BrokerOutageStep(FaultStep):
    """There is no broker for a while."""

    kind: Literal["broker-outage"]
    for_: Lasting = Field(alias="for", description="how long, like 5s")
