"""A checked scenario: frozen, with times in milliseconds since the genesis and every party named in full."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from consensus.quorum import max_faulty, quorum
from node.envelopes.rule import FREE
from node.seals.seal import Seal
from scenarios.model.aggregates import Aggregate
from scenarios.model.challenges import Challenging
from scenarios.model.conditions import NetworkConditions
from scenarios.model.consents import OwnersWord
from scenarios.model.disclosures import Ask, Disclose
from scenarios.model.document import ScenarioDocument
from scenarios.model.expected import (
    Agreement,
    Blamed,
    Denied,
    EvidenceKept,
    Expectation,
    Height,
    Latency,
    LearnsOnly,
    Messages,
    MetadataKnown,
    Moment,
    NoPlaintext,
    Opened,
    PrivateState,
    Progress,
    Readers,
    Refused,
    Stall,
    ViewChanges,
)
from scenarios.model.faults import Fault
from scenarios.model.objects import Writes
from scenarios.model.purges import Erase
from scenarios.model.seals import Opening
from scenarios.model.starts import END, AtHeight, AtView, Place, When, order_of
from scenarios.model.units import Range, Rate

__all__ = [
    "END",
    "Aggregate",
    "Agreement",
    "Ask",
    "AtHeight",
    "AtView",
    "Blamed",
    "Challenging",
    "Denied",
    "Disclose",
    "Erase",
    "EvidenceKept",
    "Expectation",
    "Fault",
    "Height",
    "Latency",
    "LearnsOnly",
    "Load",
    "Messages",
    "MetadataKnown",
    "Moment",
    "NetworkConditions",
    "NoPlaintext",
    "Opened",
    "Opening",
    "OwnersWord",
    "Party",
    "Place",
    "PrivateState",
    "Progress",
    "Readers",
    "Refused",
    "Replay",
    "Scenario",
    "Send",
    "Stall",
    "Step",
    "ViewChanges",
    "When",
]


@dataclass(frozen=True, slots=True)
class Party:
    """An organisation and its node."""

    name: str
    role: str
    votes: bool
    title: str


@dataclass(frozen=True, slots=True)
class Send:
    """One private transaction. `readers` is without the sender; `keep` is in blocks, 0 for ever.

    `redisclose` says whether its readers may show it on. `seal` is the name of the seal that it lies under,
    or empty; then `expect_refused` says that it is late. With a `trigger`, `at_ms` of this and the other
    steps counts from when the network comes to it.
    """

    id: str
    line: int
    at_ms: int
    sender: str
    readers: tuple[str, ...]
    data: Mapping[str, Any] = field(repr=False)
    keep: int = 0
    redisclose: str = FREE
    seal: str = ""
    expect_refused: bool = False
    trigger: Place | None = None
    writes: Writes | None = None

    @property
    def transactions(self) -> tuple[str, ...]:
        """The ids of its transactions: its own."""
        return (self.id,)


@dataclass(frozen=True, slots=True)
class Load:
    """`count` private transactions. Each has one of `senders`, and `how_many` of `candidates` read it.

    `how_many` is None when all candidates do. `pace` sets when: the i-th goes at `at_ms` + i / pace, `burst`
    of them at once; with the `distribution` poisson the pauses between bursts are drawn, with the same mean.
    `size_bytes` is what the fields are filled up to, None for no filler.
    `keep` is in blocks, 0 for ever.
    """

    id: str
    line: int
    at_ms: int
    senders: tuple[str, ...]
    candidates: tuple[str, ...]
    how_many: Range | None
    count: int
    pace: Rate
    distribution: str
    burst: int
    size_bytes: int | None
    data: Mapping[str, Any] = field(repr=False)
    keep: int = 0
    redisclose: str = FREE
    trigger: Place | None = None
    writes: Writes | None = None

    @property
    def transactions(self) -> tuple[str, ...]:
        """The ids of its transactions: `traffic-0001`, `traffic-0002` and so on, all equally long."""
        width = max(4, len(str(self.count)))
        return tuple(f"{self.id}-{number:0{width}}" for number in range(1, self.count + 1))


@dataclass(frozen=True, slots=True)
class Replay:
    """The transaction `tx` is handed in once more."""

    id: str
    line: int
    at_ms: int
    tx: str
    trigger: Place | None = None

    @property
    def transactions(self) -> tuple[str, ...]:
        """The ids of its transactions: none of its own."""
        return ()


Step = Send | Load | Replay | Disclose | Ask | OwnersWord | Erase | Opening | Challenging | Aggregate | Fault


@dataclass(frozen=True, slots=True)
class Scenario:
    """What a file says, complete. `repr` shows no payload and no broker address (it may hold a password)."""

    file: str
    name: str
    about: str
    seed: int
    transport: str
    broker: str = field(repr=False)
    protocol: str
    block_every_ms: int
    view_timeout_ms: int
    payload: str
    copies: int  # Of an off-chain payload, before it is ordered; 0: all.
    receipt_timeout_ms: int
    state_check: int  # Blocks from one comparison of private state to the next; 0: never.
    metadata: Mapping[str, str]
    always_to: tuple[str, ...]
    conditions: NetworkConditions
    crypto: str
    parties: tuple[Party, ...]
    seals: tuple[Seal, ...]
    steps: tuple[Step, ...]
    expectations: tuple[Expectation, ...]
    lines: Mapping[str, int] = field(repr=False)
    document: ScenarioDocument = field(repr=False, compare=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The parties' names in the order of the file."""
        return tuple(party.name for party in self.parties)

    @property
    def workload(self) -> tuple[Send | Load, ...]:
        """The steps that send something, in the order of the file."""
        return tuple(step for step in self.steps if isinstance(step, Send | Load))

    @property
    def aggregates(self) -> tuple[Aggregate, ...]:
        """The steps that ask for a total, in the order of the file."""
        return tuple(step for step in self.steps if isinstance(step, Aggregate))

    @property
    def replays(self) -> tuple[Replay, ...]:
        """The steps that hand in something once more, in the order of the file."""
        return tuple(step for step in self.steps if isinstance(step, Replay))

    @property
    def disclosures(self) -> tuple[Disclose, ...]:
        """The steps that show something to further parties, in the order of time."""
        found = [step for step in self.steps if isinstance(step, Disclose)]
        return tuple(sorted(found, key=order_of))

    @property
    def owners_words(self) -> tuple[OwnersWord, ...]:
        """The steps in which owners agree to showing or withdraw it, in the order of time."""
        found = [step for step in self.steps if isinstance(step, OwnersWord)]
        return tuple(sorted(found, key=order_of))

    @property
    def purges(self) -> tuple[Erase, ...]:
        """The steps that have something erased, in the order of time."""
        found = [step for step in self.steps if isinstance(step, Erase)]
        return tuple(sorted(found, key=order_of))

    @property
    def asked(self) -> tuple[Ask, ...]:
        """The steps that ask to be shown something, in the order of time."""
        found = [step for step in self.steps if isinstance(step, Ask)]
        return tuple(sorted(found, key=order_of))

    @property
    def openings(self) -> tuple[Opening, ...]:
        """The steps that open a seal, in the order of time."""
        found = [step for step in self.steps if isinstance(step, Opening)]
        return tuple(sorted(found, key=lambda step: step.at_ms))

    @property
    def challenges(self) -> tuple[Challenging, ...]:
        """The steps that challenge an opener, in the order of time."""
        found = [step for step in self.steps if isinstance(step, Challenging)]
        return tuple(sorted(found, key=lambda step: step.at_ms))

    def seal(self, name: str) -> Seal | None:
        """The seal of this name, if there is one."""
        return next((seal for seal in self.seals if seal.name == name), None)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The steps that break something, in the order of the file."""
        return tuple(step for step in self.steps if isinstance(step, Fault))

    @property
    def public_texts(self) -> dict[str, str]:
        """What is public whatever a payload says, by its place in the file: names and titles of parties."""
        texts = {"name": self.name}
        for party in self.parties:
            texts |= {f"parties.{party.name}": party.name, f"parties.{party.name}.title": party.title}
        return texts

    @property
    def voters(self) -> tuple[str, ...]:
        """The names of those that take part in consensus, in the order of the file."""
        return tuple(party.name for party in self.parties if party.votes)

    @property
    def faulty_voters(self) -> int:
        """How many faulty voters are tolerated, f."""
        return max_faulty(len(self.voters))

    @property
    def quorum(self) -> int:
        """How many voters decide."""
        return quorum(len(self.voters))
