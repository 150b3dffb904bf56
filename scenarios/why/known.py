"""What is known of a run at one moment, whoever found it out: the ground on which a diagnosis stands.

All times are milliseconds since the genesis. Nothing in here was asked of a node without its signature, or
read anywhere but on the disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from consensus.quorum import max_faulty, quorum
from node.chain.ledger import EXECUTED
from node.chain.reading import Indexed
from node.chain.store import MISSING, PENDING
from scenarios.faults.record import FaultRecord
from scenarios.proved_liars import ProvedLiar
from scenarios.why.sealed import UnderSeal


@dataclass(frozen=True, slots=True)
class NodeKnown:
    """One node. `answered` is None when nobody could ask it; `height` and views are its last known ones.

    `entered` is the highest view that it began, `asked` the highest that its own view-change named. `mute`
    says that it lost its disk and may not vote yet. `ended_ms` is when its process ended by itself.
    """

    name: str
    votes: bool
    answered: bool | None
    height: int
    entered: int
    asked: int
    mute: bool
    last_ms: int | None
    ended_ms: int | None


@dataclass(frozen=True, slots=True)
class Submitted:
    """A transaction that was handed in. `height` is None while it is on no ledger."""

    id: str
    tx: bytes
    sender: str
    to: tuple[str, ...]
    at_ms: int
    height: int | None
    outcome: str | None
    expired: bool

    @property
    def waits(self) -> bool:
        """Whether it may still be ordered, and is not."""
        return self.height is None and not self.expired

    @property
    def name(self) -> str:
        """Its label, or 8 hex digits."""
        return self.id or self.tx.hex()[:8]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended. `verdict` is None when nobody judged it; `killed` if its process said nothing.

    `unmet` says what did not hold: place, check and what was found, as the verdict has it.
    """

    at_ms: int
    verdict: str | None
    held: int
    expected: int
    killed: bool
    unmet: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """One run at `now_ms`. `broker_answers` is None when nobody tried.

    `committed_ms` and `proposed_ms` are by height, for blocks that some node's log tells of. `indexes` is
    each node's own index of transactions, `lacking_ms` since when a node misses a payload, by its name and
    the first digits of the transaction. `liars` are senders whom some node can prove to have lied.
    `takes_faults` says that it hears `privity fault`. `sealed` is what lies under a seal unopened, by id.
    `refused_writes` has by the first digits of a transaction why its write of an object had no effect.
    """

    run: str
    now_ms: int
    virtual: bool
    block_every_ms: int
    view_timeout_ms: int
    nodes: tuple[NodeKnown, ...]
    broker_answers: bool | None = None
    takes_faults: bool = False
    ended: Ended | None = None
    faults: tuple[FaultRecord, ...] = ()
    submitted: tuple[Submitted, ...] = ()
    committed_ms: Mapping[int, int] = field(default_factory=dict)
    proposed_ms: Mapping[int, int] = field(default_factory=dict)
    indexes: Mapping[str, Mapping[bytes, Indexed]] = field(default_factory=dict, repr=False)
    lacking_ms: Mapping[tuple[str, str], int] = field(default_factory=dict)
    liars: tuple[ProvedLiar, ...] = ()
    sealed: Mapping[bytes, UnderSeal] = field(default_factory=dict)
    refused_writes: Mapping[str, str] = field(default_factory=dict)

    @property
    def voters(self) -> tuple[NodeKnown, ...]:
        """Those that take part in consensus, in the order of their replica numbers."""
        return tuple(node for node in self.nodes if node.votes)

    @property
    def quorum(self) -> int:
        """How many voters decide."""
        return quorum(len(self.voters))

    @property
    def tolerated(self) -> int:
        """How many faulty voters the network bears, f."""
        return max_faulty(len(self.voters))

    @property
    def height(self) -> int:
        """The highest block that anybody holds."""
        return max((node.height for node in self.nodes), default=0)

    @property
    def view(self) -> int:
        """The highest view that a quorum of voters began: one that fewer are in decides nothing."""
        return sorted((node.entered for node in self.voters), reverse=True)[self.quorum - 1]

    @property
    def primary(self) -> str:
        """Who leads in that view."""
        return self.voters[self.view % len(self.voters)].name

    @property
    def undelivered(self) -> tuple[tuple[Submitted, str], ...]:
        """What is on the ledger and has not got to one of its readers, with that reader."""
        found = []
        for each in self.submitted:
            if each.outcome == EXECUTED:
                for name in (each.sender, *each.to):
                    indexed = self.indexes.get(name, {}).get(each.tx)
                    if indexed is None or indexed.payload in (PENDING, MISSING):
                        found.append((each, name))
        return tuple(found)

    @property
    def last_block_ms(self) -> int:
        """When the newest block was first committed; the genesis if no log tells."""
        return max(self.committed_ms.values(), default=0)

    @property
    def waiting(self) -> tuple[Submitted, ...]:
        """What was handed in and may still be ordered, oldest first."""
        return tuple(sorted((each for each in self.submitted if each.waits), key=lambda each: each.at_ms))

    @property
    def active(self) -> tuple[FaultRecord, ...]:
        """The faults that are on."""
        return tuple(record for record in self.faults if record.active)
