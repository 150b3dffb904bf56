"""What the ledger says of each seal: requests to open, sealed payloads, releases, complaints.

A function of the chain alone, so every node has the same: a seal is open from the first block whose time, or
height, is at or after `opens_at`; a request before it and a payload in or after it are refused. A block
stands whatever its transactions are worth (R33): what is refused has its place on the ledger, as evidence,
and no effect.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from node.chain.act import ActTransaction
from node.chain.deeds import Challenge, Open, Release
from node.envelopes.transaction import PrivateTransaction
from node.seals.seal import Seal

ANSWER_BLOCKS = 20
"""Within so many blocks after a challenge an opener answers with a release, or is named."""
EARLY, NOT_AN_OPENER, NO_SUCH_SEAL = "too early", "not an opener", "no such seal"
NOT_ASKED_BEFORE, NOT_UNDER_IT, OF_OTHER_SIZE, TOO_MANY = (
    "no request before it",
    "not under this seal, or late",
    "not one share for each reader",
    "said too often",
)
MOST_RELEASES = 16
"""Of one payload by one opener: each reader tries all of them, each time that one comes."""

Place = tuple[int, int]
"""Height and position in the block: chain order."""


@dataclass(frozen=True, slots=True)
class Requested:
    """A request to open. `refused` is why it has no effect, or empty."""

    act: bytes
    author: str
    at: Place
    time_ms: int
    refused: str


@dataclass(frozen=True, slots=True)
class Bid:
    """A payload under a seal, by whom. One that was ordered in or after the opening block is `late`."""

    tx: bytes
    sender: str
    at: Place
    time_ms: int
    late: bool


@dataclass(frozen=True, slots=True)
class Released:
    """The share of an opener for one payload, wrapped for each later reader; without wraps a complaint."""

    act: bytes
    tx: bytes
    opener: str
    at: Place
    time_ms: int
    wraps: tuple[bytes, ...]
    refused: str

    @property
    def complains(self) -> bool:
        """Whether the opener says that what the sender wrapped for it is no share."""
        return not self.wraps and not self.refused


@dataclass(frozen=True, slots=True)
class Challenged:
    """Somebody says that it cannot read what `of` released for a payload, or that it released nothing."""

    act: bytes
    tx: bytes
    author: str
    of: str
    at: Place


@dataclass(slots=True)
class SealState:
    """One seal so far. `opened` is the height of the opening block, None before it."""

    seal: Seal
    opened: int | None = None
    requests: list[Requested] = field(default_factory=list)
    bids: dict[bytes, Bid] = field(default_factory=dict)
    releases: list[Released] = field(default_factory=list)
    challenges: list[Challenged] = field(default_factory=list)
    said: Counter[tuple[bytes, str]] = field(default_factory=Counter)  # Releases by payload and opener.

    def released(self, tx: bytes, until: int | None = None) -> list[Released]:
        """The releases for this payload that count, in chain order, up to this height."""
        return [
            each
            for each in self.releases
            if each.tx == tx and not each.refused and (until is None or each.at[0] <= until)
        ]

    def asked(self, before: Place) -> bool:
        """Whether an opener had asked to open it, at or after the opening, before that place."""
        return any(not each.refused and each.at < before for each in self.requests)

    @property
    def on_time(self) -> list[Bid]:
        """The payloads that are opened, in chain order; that order also decides ties."""
        return [bid for bid in self.bids.values() if not bid.late]

    def unanswered(self, height: int) -> list[Challenged]:
        """The challenges whose time is over at this height without a release after them."""
        return [
            each
            for each in self.challenges
            if height > each.at[0] + ANSWER_BLOCKS
            and not any(
                release.opener == each.of
                and release.wraps
                and each.at < release.at
                and release.at[0] <= each.at[0] + ANSWER_BLOCKS
                for release in self.released(each.tx)
            )
        ]

    def gave(self, until_ms: int | None = None) -> list[str]:
        """The openers that have released a share of all that came in time, by this time, in their order."""
        given = {
            (each.opener, each.tx)
            for each in self.releases
            if not each.refused and each.wraps and (until_ms is None or each.time_ms <= until_ms)
        }
        return [
            name
            for name in self.seal.openers
            if self.on_time and all((name, bid.tx) in given for bid in self.on_time)
        ]

    def withholding(self) -> list[str]:
        """The openers that have released nothing for some payload of an open seal, in their order."""
        if self.opened is None:
            return []
        given = {(each.opener, each.tx) for each in self.releases if not each.refused}
        return [
            name for name in self.seal.openers if any((name, bid.tx) not in given for bid in self.on_time)
        ]


class SealBook:
    """All seals of a network. Fed with each block in turn."""

    def __init__(self, seals: Iterable[Seal], created_ms: int) -> None:
        self.states = {seal.name: SealState(seal) for seal in seals}
        self._created_ms = created_ms
        self._of: dict[bytes, SealState] = {}  # By the id of what lies under it.

    def apply(
        self,
        height: int,
        time_ms: int,
        effective: Iterable[tuple[int, bytes, PrivateTransaction | ActTransaction]],
    ) -> None:
        """The next block: what took effect in it, each with its position and id."""
        if not self.states:
            return
        for state in self.states.values():
            if state.opened is None and state.seal.is_open(height, time_ms - self._created_ms):
                state.opened = height
        for position, identifier, transaction in effective:
            at = (height, position)
            if isinstance(transaction, PrivateTransaction):
                self._sealed(at, time_ms, identifier, transaction)
            elif isinstance(deed := transaction.act.deed, Open):
                self._open(at, time_ms, identifier, transaction.act.sender, deed)
            elif isinstance(deed, Release):
                self._release(at, time_ms, identifier, transaction.act.sender, deed)
            elif isinstance(deed, Challenge):
                self._challenge(at, identifier, transaction.act.sender, deed)

    def of(self, tx: bytes) -> SealState | None:
        """The seal that a payload lies under; None for one that lies under none, or is not ordered."""
        return self._of.get(tx)

    def bid(self, tx: bytes) -> Bid | None:
        """What the book says of a sealed payload."""
        state = self._of.get(tx)
        return None if state is None else state.bids.get(tx)

    def releases_of(self, tx: bytes, until: int | None = None) -> list[Released]:
        """The releases that count for a payload, in chain order; none for one that is late."""
        state, bid = self._of.get(tx), self.bid(tx)
        return [] if state is None or bid is None or bid.late else state.released(tx, until)

    def request(self, act: bytes) -> Requested | None:
        """A request to open, by the id of its act."""
        found = (each for state in self.states.values() for each in state.requests if each.act == act)
        return next(found, None)

    def _sealed(self, at: Place, time_ms: int, identifier: bytes, transaction: PrivateTransaction) -> None:
        core = transaction.header.core
        if core.seal is not None and (state := self.states.get(core.seal.name)) is not None:
            late = state.opened is not None
            state.bids[identifier] = Bid(identifier, core.sender, at, time_ms, late)
            self._of[identifier] = state

    def _open(self, at: Place, time_ms: int, identifier: bytes, author: str, deed: Open) -> None:
        if (state := self.states.get(deed.seal)) is None:
            return
        refused = EARLY if state.opened is None else ""
        if author not in state.seal.openers:
            refused = NOT_AN_OPENER
        state.requests.append(Requested(identifier, author, at, time_ms, refused))

    def _challenge(self, at: Place, identifier: bytes, author: str, deed: Challenge) -> None:
        state = self._of.get(deed.tx)
        if state is not None and state.opened is not None and deed.of in state.seal.openers:
            state.challenges.append(Challenged(identifier, deed.tx, author, deed.of, at))

    def _release(self, at: Place, time_ms: int, identifier: bytes, author: str, deed: Release) -> None:
        if (state := self._of.get(deed.tx)) is None:
            return
        refused = ""
        if author not in state.seal.openers:
            refused = NOT_AN_OPENER
        elif not state.asked(at):
            refused = NOT_ASKED_BEFORE
        elif state.bids[deed.tx].late:
            refused = NOT_UNDER_IT
        elif deed.wraps and len(deed.wraps) != len(state.seal.then_to):
            refused = OF_OTHER_SIZE
        elif state.said[deed.tx, author] >= MOST_RELEASES:
            refused = TOO_MANY
        else:
            state.said[deed.tx, author] += 1
        state.releases.append(Released(identifier, deed.tx, author, at, time_ms, deed.wraps, refused))
