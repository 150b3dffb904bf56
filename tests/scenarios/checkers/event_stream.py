"""Events made by hand for the checkers: what four voters and a follower say, hear, write down and execute."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from consensus.evidence import Evidence, Kind
from consensus.messages import NewView, Proposal, ReplicaMessage, Signed, ViewChange
from consensus.output import EvidenceRecord, NewViewRecord, PreparedRecord, ViewChangeRecord, VoteRecord
from consensus.votes import Batch, BlockVote, Commit, Prepare, PrePrepare, encode
from scenarios.checkers.checkers import Checkers
from tests.consensus.views import prepared

WINDOW = 8
LIAR = 3
FOLLOWER = 4


def batch(number: int, sequence: int = 1) -> Batch:
    """One of several batches for a place."""
    return Batch(sequence, 0, number, (hashlib.sha256(b"%d" % number).digest(),))


def block(name: str) -> bytes:
    """The hash of a block."""
    return hashlib.sha256(name.encode()).digest()


def fields(what: Batch, view: int, replica: int) -> tuple[int, int, int, bytes, int]:
    """The fields of a vote for a batch."""
    return 0, view, what.sequence, what.digest(), replica


class Stream:
    """Feeds the checkers. Replica 3 is declared faulty, and shows what others signed."""

    def __init__(self) -> None:
        self.at_us = 0
        self.checkers = Checkers(
            4, bytes(32), [bytes(33)] * 5, window=WINDOW, faulty=[LIAR], check=lambda *_: True
        )

    def sends(self, replica: int, message: ReplicaMessage) -> None:
        """A replica releases a message, whatever it has written down."""
        self.at_us += 1
        self.checkers.sent(self.at_us, replica, None, encode(Signed(message, bytes(64))))

    def writes(self, replica: int, record: Any) -> None:
        """A replica has a record on its disk."""
        self.checkers.persisted(self.at_us, replica, encode(record))
        self.checkers.flushed(self.at_us, replica)

    def says(self, replica: int, message: ReplicaMessage) -> None:
        """A replica writes a message down, and then sends it."""
        if isinstance(message, ViewChange):
            self.writes(replica, ViewChangeRecord(Signed(message, bytes(64))))
        elif isinstance(message, NewView):
            self.writes(replica, NewViewRecord(Signed(message, bytes(64))))
        elif isinstance(message, PrePrepare | Prepare | Commit | BlockVote):
            self.writes(replica, VoteRecord(message, bytes(64)))
        self.sends(replica, message)

    def shown(self, *messages: ReplicaMessage) -> None:
        """The faulty one shows what others signed."""
        for message in messages:
            self.sends(LIAR, message)

    def hears(self, replica: int, *messages: ReplicaMessage) -> None:
        """A replica is given messages."""
        for message in messages:
            self.at_us += 1
            self.checkers.delivered(self.at_us, replica, encode(Signed(message, bytes(64))))

    def proposed(self, replica: int, what: Batch, view: int = 0) -> None:
        """A replica is given the primary's proposal."""
        vote = PrePrepare(*fields(what, view, view % 4))
        self.checkers.delivered(self.at_us, replica, encode(Proposal(vote, bytes(64), what)))

    def prepares(self, replica: int, what: Batch, view: int = 0) -> None:
        """A replica does all that is right up to its prepare."""
        self.proposed(replica, what, view)
        self.says(replica, Prepare(*fields(what, view, replica)))

    def commits(self, replica: int, what: Batch, view: int = 0) -> None:
        """A replica does all that is right up to its commit."""
        self.prepares(replica, what, view)
        others = [i for i in range(4) if i not in (replica, view % 4)]
        self.hears(replica, *(Prepare(*fields(what, view, i)) for i in others))
        self.writes(replica, PreparedRecord(prepared(what, view=view)))
        self.says(replica, Commit(*fields(what, view, replica)))

    def decided(self, what: Batch, voters: Iterable[int] = (0, 1, 2)) -> None:
        """A quorum's commits are on the network."""
        self.shown(*(Commit(*fields(what, 0, i)) for i in voters))

    def executes(self, replica: int, what: Batch, name: str = "block", height: int = 0) -> None:
        """A replica executes a batch into a block."""
        height = height or what.sequence
        self.checkers.executed(self.at_us, replica, height, block(name), block(name), what.digest())

    def accuses(
        self, replica: int, kind: Kind, first: ReplicaMessage, second: ReplicaMessage | None = None
    ) -> None:
        """A replica writes an accusation down."""
        shown = [None if each is None else Signed(each, bytes(64)) for each in (first, second)]
        assert shown[0] is not None
        self.writes(replica, EvidenceRecord(Evidence(kind, first.replica, 0, 1, shown[0], shown[1])))

    def ticks(self, replica: int, after_ms: int) -> None:
        """Time passes, and a replica's timers act."""
        self.at_us += after_ms * 1000
        self.checkers.ticked(self.at_us, replica)
