"""What one replica knows, shared by the parts of the protocol that act on it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from consensus.certificates import BlockCertificate
from consensus.evidence import Evidence, Kind
from consensus.messages import FetchedBatch, Proposal, ReplicaMessage, Signed, ViewChange
from consensus.output import EvidenceRecord, Note, Output, Send, VoteRecord
from consensus.quorum import prepares_needed, quorum, weak_quorum
from consensus.slot import Slot, VoteSet
from consensus.votes import NO_DIGEST, Request, Vote

# Pieces of evidence kept against one replica: the first ones prove as much as all (R37).
MOST_EVIDENCE = 32

QUIET = frozenset(("prepare", "commit", "pre_prepare", "prepared", "committed", "certified", "stable"))
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
    view_timeout_ms: int = 2000  # T: the primary is given up when a request is pending for longer (R19).
    view_timeout_max_ms: int = 0  # Tmax: no view is waited for longer; 0 stands for 8 T.
    resend_ms: int = 500  # First wait before own undecided votes are repeated; it doubles.
    resend_max_ms: int = 8000
    status_ms: int = 1000
    fetch_ms: int = 300  # How long a replica waits before it asks for what others have and it lacks.

    @property
    def longest_view_timeout_ms(self) -> int:
        """Tmax: what doubling the timeout ends at."""
        return self.view_timeout_max_ms or 8 * self.view_timeout_ms

    @property
    def votes(self) -> bool:
        """Whether this replica is a voter."""
        return self.replica < self.n


class Pending(msgspec.Struct, frozen=True, gc=False):
    """A request that is not executed yet, and since when this replica has had it."""

    request: Request
    since_ms: int


class State:
    """The variables of a replica. The modules named after protocol words change them."""

    def __init__(
        self,
        settings: Settings,
        sign: Sign,
        *,
        executed: int,
        time_ms: int,
        block: bytes,
        stable: BlockCertificate | None,
    ) -> None:
        self.settings = settings
        self.sign = sign
        self.voter = settings.votes
        self.quorum = quorum(settings.n)
        self.weak_quorum = weak_quorum(settings.n)
        self.prepares_needed = prepares_needed(settings.n)
        self.halted = ""  # Why this replica votes no more; empty while all is well.
        # Silent because its disk was lost (R22): up to which sequence number, 0 while that is not known.
        self.silent_until: int | None = None
        # Views. `view` is the highest that this replica asked for or entered; `active` says that it takes
        # part in it; proposals and votes in the slots are those of `voting_view`, the last it entered.
        self.view = 0
        self.active = True
        self.voting_view = 0
        self.own_view_change: Signed | None = None  # For `view`, repeated as it stands until it is active.
        self.new_view: Signed | None = None  # What `voting_view` began with.
        # Of each other voter at most two: its view-change for `view`, and the highest (R15, R37).
        self.view_changes: dict[int, dict[int, Signed]] = {}
        # The view before `view`, if it was never entered, and who wanted it: others may still wait for that.
        self.passed_view = 0
        self.passed: dict[int, Signed] = {}
        self.early_votes: dict[int, deque[Signed | Proposal]] = {}  # By sender: for views not entered yet.
        self.shown_ms: dict[int, int] = {}  # When a lagging replica was last shown the new view.
        self.accused: set[tuple[Kind, int, int, int]] = set()
        # Ordering. Invariant: low watermark <= accepted <= high watermark, unless executed is beyond it.
        self.stable = stable  # The certificate of the last stable checkpoint.
        self.low_watermark = 0 if stable is None else stable.sequence
        self.executed = executed
        self.executed_time_ms = time_ms
        self.accepted = max(executed, self.low_watermark)  # Up to here nothing new is to be accepted.
        self.renewed_top = 0  # Up to here the new view says what is proposed.
        self.slots: dict[int, Slot] = {}
        self.cleared: int | None = None  # Up to here slots were dropped; None before the first time.
        self.requests: dict[bytes, Pending] = {}  # In order of arrival: the first is the oldest.
        self.waiting: dict[bytes, None] = {}  # Those of them that no accepted proposal holds.
        self.proposed: dict[bytes, None] = {}  # What the accepted proposals of this view hold, here or not.
        # Requests that may be ordered now, with the time since when they might have been; and the others.
        self.orderable: dict[bytes, int] = {}
        self.early: dict[bytes, None] = {}
        # Bodies that a proposal or a decision needs and this replica lacks, with its sequence number.
        self.wanted: dict[bytes, int] = {}
        # Blocks: those executed whose certificate is not complete yet.
        self.block_sequence = executed
        self.block = block
        self.state_root = NO_DIGEST
        self.own_blocks: dict[int, bytes] = {}
        self.own_block_votes: dict[int, Signed] = {}
        self.block_votes: dict[int, VoteSet] = {}
        self.idle_votes = 0  # Taken in `take_votes`: repeated, or of blocks whose certificate was complete.
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
        self.batches_at: int | None = None
        self.batches_tries = 0
        self.relay_at: int | None = None
        self.last_proposal_ms: int | None = None
        # The view timer (R19): on the oldest request in a view that works, on the view itself before that.
        self.view_at: int | None = None
        self.view_wanted_ms: int | None = None  # Since when a quorum wants `view`.
        self.unproven = False  # The view was entered and has not committed anything yet.
        self.proven_ms = 0  # Requests are timed from here on at the earliest.
        self.failed_views = 0  # k: the timeout is T * 2 ** k.
        self.rearm = False  # What the view timer waits for has changed, although nothing was said.
        self.now_ms = 0
        self.quiet = False  # Whether notes of the normal case are left out: nobody reads them.
        self.out = Output()

    @property
    def primary(self) -> int:
        """The replica that proposes in this view."""
        return self.view % self.settings.n

    @property
    def is_primary(self) -> bool:
        settings = self.settings
        return settings.replica == self.view % settings.n

    @property
    def speaks(self) -> bool:
        """Whether this replica may vote at all, in whatever view."""
        return self.voter and not self.halted and self.silent_until is None

    @property
    def takes_part(self) -> bool:
        """Whether this replica casts votes in the current view (R12)."""
        return self.active and self.voter and not self.halted and self.silent_until is None

    @property
    def high_watermark(self) -> int:
        """The highest sequence number that may be voted on now (R11)."""
        return self.low_watermark + self.settings.window

    def slot(self, sequence: int) -> Slot:
        """The slot of a sequence number, made if need be."""
        slot = self.slots.get(sequence)
        if slot is None:
            assert not self.out_of_reach(sequence), (self.executed, self.low_watermark, sequence)
            slot = self.slots[sequence] = Slot(sequence, self.prepares_needed, self.quorum)
        return slot

    def recalled_slot(self, sequence: int) -> Slot:
        """The slot of what was promised before a restart, however far up: it was inside the window of then.

        Proof of the checkpoint that had moved the window may have come in a message that is on no record.
        """
        if sequence not in self.slots:
            self.slots[sequence] = Slot(sequence, self.prepares_needed, self.quorum)
        return self.slots[sequence]

    def outside_watermarks(self, sequence: int) -> bool:
        return not self.low_watermark < sequence <= self.high_watermark

    def out_of_reach(self, sequence: int) -> bool:
        """Whether a decision for this sequence number could not be kept: it is done, or too far ahead."""
        done, ahead = self.executed, self.low_watermark
        if done > ahead:
            done, ahead = ahead, done
        return not done < sequence <= ahead + self.settings.window

    def missing(self, requests: tuple[bytes, ...]) -> list[bytes]:
        """Those of these requests whose bodies this replica does not have."""
        known = self.requests
        return [request for request in requests if request not in known]

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
        if self.quiet and event in QUIET:
            return
        self.out.notes.append(Note(event, self.view, sequence, digest, replica, have, need, reason))

    def ignore(self, reason: str, sequence: int = 0, digest: bytes = b"", replica: int | None = None) -> None:
        """Drop what a peer sent, with the reason; a peer's fault never raises."""
        self.note("ignored", sequence, digest, replica, reason=reason)

    def send(self, packet: Signed | Proposal | FetchedBatch, to: int | None = None) -> None:
        self.out.send.append(Send(packet, to))

    def cast(self, vote: Vote) -> Signed:
        """Sign a vote, have it recorded, and send it to everybody, in that order (R20)."""
        signature, out = self.sign(vote), self.out
        signed = Signed(vote, signature)
        out.persist.append(VoteRecord(vote, signature))
        out.send.append(Send(signed))
        return signed

    def accuse(self, kind: Kind, first: Signed, second: Signed | None = None) -> None:
        """Record the proof that a replica is faulty, once for each thing it did (R30)."""
        message = first.message
        view = getattr(message, "view", 0)
        sequence = 0 if isinstance(message, ViewChange) else getattr(message, "sequence", 0)
        key = (kind, message.replica, view, sequence)
        of_accused = sum(1 for known in self.accused if known[1] == message.replica)
        if key in self.accused or of_accused >= MOST_EVIDENCE or message.replica >= self.settings.n:
            return
        self.accused.add(key)
        self.out.persist.append(
            EvidenceRecord(Evidence(kind, message.replica, view, sequence, first, second))
        )
        self.note("evidence", sequence, replica=message.replica, reason=kind)

    def progress(self) -> None:
        """Something was decided: what is repeated is repeated at the first pace again."""
        self.resend_wait_ms = wait_ms = self.settings.resend_ms
        # Never later than planned: a lost vote is repeated however much else goes on.
        if self.resend_at is not None and self.resend_at > self.now_ms + wait_ms:
            self.resend_at = self.now_ms + wait_ms

    def proven(self, view: int) -> None:
        """Something was committed in a view: if it is this one, it works (R19 v)."""
        if view != self.view or not self.active:
            return
        self.failed_views = 0  # Also when nothing was pending as the view began, and it had nothing to prove.
        if self.unproven:
            self.unproven = False
            self.proven_ms = self.now_ms
            self.rearm = True

    def rest_if_done(self) -> None:
        """Repeat nothing while nothing is open."""
        if self.active and not self.slots and not self.own_blocks:
            self.resend_at = None

    def arm_resend(self) -> None:
        if self.resend_at is None:
            self.resend_at = self.now_ms + self.resend_wait_ms
