"""What one replica knows, shared by the parts of the protocol that act on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from consensus.messages import NO_DIGEST, Proposal, ReplicaMessage, Request, Signed, Vote
from consensus.output import Note, Output, Send, VoteRecord
from consensus.quorum import prepares_needed, quorum
from consensus.slot import Slot, VoteSet

Sign = Callable[[ReplicaMessage], bytes]


@dataclass(frozen=True, slots=True)
class Settings:
    """What all replicas of an epoch agree on beforehand, and which of them this one is.

    Replicas 0 to n - 1 vote; one with a higher number follows: it counts votes and casts none.
    """

    n: int
    replica: int
    epoch: int = 0
    window: int = 128  # Sequence numbers above the low watermark that may be voted on.
    in_flight: int = 8  # Sequence numbers that a primary keeps undecided at once.
    max_batch: int = 500  # Requests.
    max_batch_bytes: int = 4 << 20
    block_every_ms: int = 200  # Least time between two proposals; idle time makes none.
    max_skew_ms: int = 500  # How far a fresh proposal's time may be ahead of the own clock.
    view_timeout_ms: int = 2000  # A request pending for longer is put to the primary again.
    resend_ms: int = 500  # First wait before own undecided votes are repeated; it doubles.
    resend_max_ms: int = 8000
    status_ms: int = 1000
    fetch_ms: int = 300  # How long a replica waits before it asks for what others have and it lacks.

    @property
    def votes(self) -> bool:
        """Whether this replica is a voter."""
        return self.replica < self.n


@dataclass(frozen=True, slots=True)
class Pending:
    """A request that is not executed yet, and since when this replica has had it."""

    request: Request
    since_ms: int


class State:
    """The variables of a replica. The modules named after protocol words change them."""

    def __init__(self, settings: Settings, sign: Sign, *, executed: int, time_ms: int, block: bytes) -> None:
        self.settings = settings
        self.sign = sign
        self.quorum = quorum(settings.n)
        self.prepares_needed = prepares_needed(settings.n)
        self.view = 0
        self.halted = ""  # Why this replica votes no more; empty while all is well.
        # Ordering. Invariant: low watermark = executed <= accepted <= executed + window.
        self.executed = executed
        self.executed_time_ms = time_ms
        self.accepted = executed  # Up to here every proposal is accepted or executed.
        self.slots: dict[int, Slot] = {}
        self.requests: dict[bytes, Pending] = {}  # In order of arrival: the first is the oldest.
        self.waiting: dict[bytes, None] = {}  # Those of them that no accepted proposal holds.
        # Bodies that a proposal or a decision needs and this replica lacks, with its sequence number.
        self.wanted: dict[bytes, int] = {}
        self.recalled: dict[bytes, None] = {}  # Requests of proposals accepted before a restart.
        # Blocks: those executed whose certificate is not complete yet.
        self.block_sequence = executed
        self.block = block
        self.state_root = NO_DIGEST
        self.own_blocks: dict[int, bytes] = {}
        self.own_block_votes: dict[int, Signed] = {}
        self.block_votes: dict[int, VoteSet] = {}
        # Catching up: the highest sequence number that each other replica says it has executed.
        self.claims: dict[int, int] = {}
        # Timers: when each is due, or None. All are events of the driver's one queue (R39).
        self.propose_at: int | None = None
        self.recheck_at: int | None = None
        self.resend_at: int | None = None
        self.resend_wait_ms = settings.resend_ms
        self.status_at: int | None = None
        self.fetch_at: int | None = None
        self.fetch_tries = 0
        self.fetch_mark = executed  # Where this replica was when it began to wait.
        self.bodies_at: int | None = None
        self.bodies_tries = 0
        self.relay_at: int | None = None
        self.last_proposal_ms: int | None = None
        self.now_ms = 0
        self.out = Output()

    @property
    def primary(self) -> int:
        """The replica that proposes in this view."""
        return self.view % self.settings.n

    @property
    def is_primary(self) -> bool:
        return self.settings.replica == self.primary

    @property
    def high_watermark(self) -> int:
        """The highest sequence number that may be voted on now (R11)."""
        return self.executed + self.settings.window

    def slot(self, sequence: int) -> Slot:
        """The slot of a sequence number inside the watermarks, made if need be."""
        assert self.executed < sequence <= self.high_watermark, (self.executed, sequence)
        slot = self.slots.get(sequence)
        if slot is None:
            slot = self.slots[sequence] = Slot(sequence)
        return slot

    def outside_watermarks(self, sequence: int) -> bool:
        return not self.executed < sequence <= self.high_watermark

    def missing(self, requests: tuple[bytes, ...]) -> list[bytes]:
        """Those of these requests whose bodies this replica does not have."""
        return [request for request in requests if request not in self.requests]

    def note(
        self,
        event: str,
        sequence: int = 0,
        digest: bytes = b"",
        replica: int | None = None,
        have: int = 0,
        need: int = 0,
        reason: str = "",
    ) -> None:
        self.out.notes.append(Note(event, self.view, sequence, digest, replica, have, need, reason))

    def ignore(self, reason: str, sequence: int = 0, digest: bytes = b"", replica: int | None = None) -> None:
        """Drop what a peer sent, with the reason; a peer's fault never raises."""
        self.note("ignored", sequence, digest, replica, reason=reason)

    def send(self, packet: Signed | Proposal, to: int | None = None) -> None:
        self.out.send.append(Send(packet, to))

    def cast(self, vote: Vote) -> Signed:
        """Sign a vote, have it recorded, and send it to everybody, in that order (R20)."""
        signature = self.sign(vote)
        signed = Signed(vote, signature)
        self.out.persist.append(VoteRecord(vote, signature))
        self.send(signed)
        return signed

    def progress(self) -> None:
        """Something was decided: what is repeated is repeated at the first pace again."""
        self.resend_wait_ms = self.settings.resend_ms
        if self.resend_at is not None:
            # Never later than planned: a lost vote is repeated however much else goes on.
            self.resend_at = min(self.resend_at, self.now_ms + self.resend_wait_ms)

    def arm_resend(self) -> None:
        if self.resend_at is None:
            self.resend_at = self.now_ms + self.resend_wait_ms
