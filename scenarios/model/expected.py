"""What a checked scenario expects: frozen, each with its place in the file and every name in full."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from scenarios.model.starts import WhenOrEnd

Moment = WhenOrEnd


@dataclass(frozen=True, slots=True)
class Agreement:
    """All nodes hold the same block at every height."""

    check: Literal["agreement"]
    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Readers:
    """Exactly `parties` can read each of `transactions` at the moment `at`.

    They read every field; or `field`, if it names one as `field_names.field_text` does. Exactly `could` hold
    a key to it that only the owner's rule forbids to use.
    """

    check: Literal["readers"]
    path: str
    line: int
    tx: str
    transactions: tuple[str, ...]
    parties: tuple[str, ...]
    at: Moment
    field: str | None = None
    could: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Denied:
    """None of `parties` can read any of `transactions` at the moment `at`."""

    check: Literal["denied"]
    path: str
    line: int
    tx: str
    transactions: tuple[str, ...]
    parties: tuple[str, ...]
    at: Moment


@dataclass(frozen=True, slots=True)
class NoPlaintext:
    """Nothing secret is found in `stores` (logs, broker, ledgers, report) where its readers are not."""

    check: Literal["no_plaintext"]
    path: str
    line: int
    stores: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Height:
    """The ledger of every node has `least` to `most` blocks at the moment `at`, or exactly `exactly`."""

    check: Literal["height"]
    path: str
    line: int
    least: int | None
    exactly: int | None
    at: Moment
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """A block is committed within `within_ms` of the beginning of `during` or the end of `after`, faults."""

    check: Literal["progress"]
    path: str
    line: int
    during: str | None
    after: str | None
    within_ms: int


@dataclass(frozen=True, slots=True)
class Stall:
    """No block is committed while the fault `during` lasts."""

    check: Literal["stall"]
    path: str
    line: int
    during: str


@dataclass(frozen=True, slots=True)
class EvidenceKept:
    """Correct nodes keep at least `least` proofs of misbehaviour of `of`, or of anyone when it is empty.

    They are of the time while the fault `during` lasts, or of any time when it is None.
    """

    check: Literal["evidence"]
    path: str
    line: int
    during: str | None
    least: int
    of: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ViewChanges:
    """A new primary takes over `least` to `most` times; None is no bound."""

    check: Literal["view_changes"]
    path: str
    line: int
    least: int | None
    most: int | None


@dataclass(frozen=True, slots=True)
class Latency:
    """Limits of the time to finality of `transactions`, which the file calls `of`; None is no limit."""

    check: Literal["latency"]
    path: str
    line: int
    p50_ms: int | None
    p99_ms: int | None
    max_ms: int | None
    of: str | None
    transactions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Messages:
    """Consensus takes at most `most` times n² messages for each block."""

    check: Literal["messages"]
    path: str
    line: int
    most: int


@dataclass(frozen=True, slots=True)
class MetadataKnown:
    """Exactly `observers` (parties, and `broker`) know `knows` of each of `transactions`.

    `knows` is recipients, sender or size.
    """

    check: Literal["metadata"]
    path: str
    line: int
    tx: str
    transactions: tuple[str, ...]
    knows: str
    observers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """All under `seal` was opened at the moment `at`: by exactly `by`, or by enough if that is None."""

    check: Literal["opened"]
    path: str
    line: int
    seal: str
    by: tuple[str, ...] | None
    at: int | Literal["end"]


@dataclass(frozen=True, slots=True)
class PrivateState:
    """All parties of each audience hold the same private objects."""

    check: Literal["private_state"]
    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The network takes nothing of what the step hands in, or the write that it is has no effect."""

    check: Literal["refused"]
    path: str
    line: int
    step: str


@dataclass(frozen=True, slots=True)
class Blamed:
    """The sender `who` is proved a liar about each of `transactions`, by exactly `by` if anybody is named."""

    check: Literal["blamed"]
    path: str
    line: int
    who: str
    tx: str
    transactions: tuple[str, ...]
    by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LearnsOnly:
    """`parties` learn `what` of the aggregate `tx` (total or nothing), and of its records not one value."""

    check: Literal["learns_only"]
    path: str
    line: int
    tx: str
    records: tuple[str, ...]
    parties: tuple[str, ...]
    what: str


Expectation = (
    Agreement
    | Readers
    | Denied
    | NoPlaintext
    | Height
    | Progress
    | Stall
    | EvidenceKept
    | ViewChanges
    | Latency
    | Messages
    | MetadataKnown
    | Opened
    | Refused
    | PrivateState
    | Blamed
    | LearnsOnly
)
