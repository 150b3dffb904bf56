"""One replica of PBFT, as a value that is stepped.

Everything goes in through `receive`, `submit`, `executed` and `tick`; each gives an `Output`, which the
driver carries out in the order of its fields. The driver authenticates messages before they come here,
and signs for the replica through the function given to it; RFC 6979 makes that function pure.
"""

from __future__ import annotations

from collections.abc import Iterable

from consensus import (
    catch_up,
    checkpoints,
    execution,
    fetching,
    lost_disk,
    ordering,
    restart,
    tallying,
    timers,
    view_change,
)
from consensus.certificates import BlockCertificate, Decided
from consensus.messages import (
    NO_TOKEN,
    FetchBatch,
    FetchedBatch,
    NewView,
    Proposal,
    Signed,
    Status,
    ViewChange,
)
from consensus.output import Decision, Output, Record
from consensus.state import Pending, Settings, Sign, State
from consensus.votes import NO_DIGEST, BlockVote, Commit, Prepare, PrePrepare, Request

# Own undecided votes are repeated for this many sequence numbers at a time, the oldest ones.
RESEND_AT_ONCE = 8
NOTHING = Output()
NEVER = 1 << 62


class Replica:
    """A voter or a follower of one epoch.

    `executed`, `time_ms` and `block` are the last sequence number that the driver executed before, its
    batch's time and its block's hash; 0, the genesis time and zeros in the beginning. `stable` is the
    highest block certificate on its disk, `decided` what was executed above that. `records` is what earlier
    outputs asked to persist, in order: votes, proposals and prepared certificates above the stable
    checkpoint, block votes without certificate, the last view-change, new-view and lost-disk record, and
    all of halting and evidence. With it the replica repeats what it said before a restart, and says nothing
    else (R20). Before the first tick the driver calls `executed` again for each recent block whose
    certificate it does not have. `lost_disk` says that there were records, and that they are gone (R22).
    """

    def __init__(
        self,
        settings: Settings,
        sign: Sign,
        *,
        executed: int = 0,
        time_ms: int = 0,
        block: bytes = NO_DIGEST,
        state_root: bytes = NO_DIGEST,
        stable: BlockCertificate | None = None,
        decided: Iterable[Decision] = (),
        records: Iterable[Record] = (),
        lost_disk: bool = False,
        quiet: bool = False,
    ) -> None:
        self._state = State(settings, sign, executed=executed, time_ms=time_ms, block=block, stable=stable)
        self._state.state_root = state_root
        for decision in decided:
            restart.recall_decision(self._state, decision)
        for record in records:
            restart.recall(self._state, record)
        self._lost_disk = lost_disk
        self._state.quiet = quiet
        self._started = False
        # Whether the last packet moved a timer, although it may have led to nothing else.
        self.rearmed = False

    # What a driver may ask.

    @property
    def view(self) -> int:
        """The view this replica is in."""
        return self._state.view

    @property
    def primary(self) -> int:
        """The replica that proposes in this view."""
        return self._state.primary

    @property
    def executed_sequence(self) -> int:
        """The last sequence number handed over for execution."""
        return self._state.executed

    @property
    def active(self) -> bool:
        """Whether this replica takes part in its view; not so between its view-change and the new-view."""
        return self._state.active

    @property
    def silent(self) -> bool:
        """Whether this replica casts no vote because it lost its disk (R22)."""
        return self._state.silent_until is not None

    @property
    def low_watermark(self) -> int:
        """The sequence number of the last stable checkpoint; nothing up to here is voted on any more."""
        return self._state.low_watermark

    @property
    def high_watermark(self) -> int:
        """The highest sequence number that may be voted on now."""
        return self._state.high_watermark

    @property
    def reach(self) -> int:
        """The highest sequence number for which a decision of others would be taken now."""
        state = self._state
        return max(state.executed, state.low_watermark) + state.settings.window

    @property
    def halted(self) -> str:
        """Why this replica votes no more, or nothing."""
        return self._state.halted

    @property
    def pending(self) -> int:
        """How many requests are neither executed nor expired."""
        return len(self._state.requests)

    @property
    def idle_votes(self) -> int:
        """How many votes of `receive_votes` were repeated, or of blocks whose certificate was complete."""
        return self._state.idle_votes

    def wants(self, request: bytes) -> bool:
        """Whether a proposal or a decision names this request and its body is missing."""
        return request in self._state.wanted

    @property
    def deadline_ms(self) -> int | None:
        """When the next `tick` is wanted, or None before the first one, which is wanted at once."""
        state = self._state
        if not self._started:
            return None
        due = state.status_at
        if due is None:
            due = NEVER
        if (at := state.propose_at) is not None and at < due:
            due = at
        if (at := state.recheck_at) is not None and at < due:
            due = at
        if (at := state.resend_at) is not None and at < due:
            due = at
        if (at := state.fetch_at) is not None and at < due:
            due = at
        if (at := state.bodies_at) is not None and at < due:
            due = at
        if (at := state.batches_at) is not None and at < due:
            due = at
        if (at := state.relay_at) is not None and at < due:
            due = at
        if (at := state.view_at) is not None and at < due:
            due = at
        return None if due == NEVER else due

    # What a driver may tell.

    def receive(
        self, packet: Signed | Proposal | Decided | FetchedBatch, now_ms: int, flaw: str = ""
    ) -> Output:
        """Take one packet whose signatures were checked. Never raises for what a peer sends.

        `flaw` tells what is wrong with the signatures that a view-change or new-view quotes, when its
        sender's own is good: that is a proof against the sender.
        """
        state = self._state
        state.now_ms = now_ms
        if state.halted:
            return self._take_output()
        if isinstance(packet, Signed):
            self.on_signed(packet, flaw)
        elif isinstance(packet, Proposal):
            if packet.pre_prepare.epoch != state.settings.epoch:
                state.ignore("other epoch", packet.pre_prepare.sequence, replica=packet.pre_prepare.replica)
            else:
                ordering.on_proposal(state, packet)
        elif isinstance(packet, Decided):
            if catch_up.on_decided(state, packet):
                self.go_on()
                if packet.last:
                    catch_up.go_on(state)
        else:
            self._on_batch(packet)
        self.rearmed = state.rearm
        if state.out or state.rearm or not isinstance(packet, Signed):
            state.rearm = False
            timers.arm(state)
        return self._take_output()

    def receive_votes(self, votes: Iterable[Signed], now_ms: int) -> Output:
        """Take prepares, commits and block votes, as `receive` would take one after the other."""
        state = self._state
        state.now_ms = now_ms
        if not state.halted:
            tallying.take_votes(state, votes, self)
            self.rearmed = state.rearm
            if state.out or state.rearm:
                state.rearm = False
                timers.arm(state)
        return self._take_output()

    def _on_batch(self, packet: FetchedBatch) -> None:
        state, batch = self._state, packet.batch
        slot = state.slots.get(batch.sequence)
        digest = batch.digest()
        if slot is None or digest != slot.digest or digest in slot.batches:
            state.ignore("batch is not wanted", batch.sequence, digest)
        else:
            ordering.take_batch(state, slot, batch)
            ordering.propose(state)

    def on_signed(self, packet: Signed, flaw: str = "") -> None:
        """Take a message; part of a step, which ends with an output."""
        state, message = self._state, packet.message
        settings = state.settings
        if message.epoch != settings.epoch:
            state.ignore("other epoch", replica=message.replica)
        elif message.replica == settings.replica:
            state.ignore("own message came back", replica=message.replica)
        elif isinstance(message, Prepare):
            ordering.on_prepare(state, message, packet)
        elif isinstance(message, Commit):
            ordering.on_commit(state, message, packet)
        elif isinstance(message, BlockVote):
            low = state.low_watermark
            checkpoints.on_block_vote(state, message, packet)
            if state.low_watermark > low:
                self.go_on()  # A primary may have stopped at the end of its window.
        elif isinstance(message, Status):
            # Sequence numbers are hints here: what is fetched because of one hangs on a certificate.
            state.claims[message.replica] = message.sequence
            fetching.heard_of(state, message.replica, message.sequence)
            lost_disk.on_status(state)
            if message.view < state.voting_view:
                view_change.help_along(state, message.replica, message.view)
        elif isinstance(message, ViewChange):
            view_change.on_view_change(state, packet, message, flaw)
            self.go_on()
        elif isinstance(message, NewView):
            view_change.on_new_view(state, packet, message, flaw)
            self.go_on()
        elif isinstance(message, FetchBatch):
            fetching.give_batch(state, message)
        elif isinstance(message, PrePrepare):
            state.ignore("pre-prepare without its batch", message.sequence, message.digest, message.replica)
        else:
            # Fetch and FetchRequests are for the driver, which has the blocks and the bodies.
            state.ignore("not for the replica", replica=message.replica)

    def submit(self, request: Request, now_ms: int) -> Output:
        """Take a client's request whose signature was checked and which is not executed yet."""
        state = self._state
        state.now_ms = now_ms
        if request.id not in state.requests and request.valid_until > state.executed:
            is_oldest = not state.orderable
            state.requests[request.id] = Pending(request, now_ms)
            if request.valid_from <= state.executed + 1:
                state.orderable[request.id] = now_ms
            else:
                state.early[request.id] = None  # What may not be ordered yet is not the primary's fault.
            if request.id not in state.proposed:
                state.waiting[request.id] = None
            wanted = state.wanted.pop(request.id, None)
            if wanted is None:
                # A backup has no use for another request but to time it, and the oldest is timed already; a
                # proposal that waits for its time is looked at with whatever comes.
                if is_oldest or state.recheck_at is not None or state.is_primary:
                    self._follow_up()
            elif wanted not in state.wanted.values():
                self._follow_up()  # The last body that a sequence number waited for.
        return self._take_output()

    def executed(
        self,
        sequence: int,
        block: bytes,
        state_root: bytes,
        known: BlockCertificate | None,
        now_ms: int,
    ) -> Output:
        """The driver executed the decision at this sequence number and arrived at this block."""
        self._state.now_ms = now_ms
        checkpoints.executed(self._state, sequence, block, state_root, known)
        self._follow_up()
        return self._take_output()

    def status(self) -> Signed:
        """Where this replica stands, signed."""
        state = self._state
        message = Status(
            state.settings.epoch,
            state.view,
            state.block_sequence,
            state.block,
            state.state_root,
            NO_TOKEN,
            state.settings.replica,
        )
        return Signed(message, state.sign(message))

    def tick(self, now_ms: int) -> Output:
        """Let every timer that is due act. Wanted at `deadline_ms`, harmless at any time."""
        state = self._state
        state.now_ms = now_ms
        if not self._started:
            self._started = True
            if self._lost_disk and state.silent_until is None and state.settings.votes:
                lost_disk.begin(state)
            restart.start(state)
        if state.status_at is not None and now_ms >= state.status_at:
            state.status_at = now_ms + state.settings.status_ms
            state.send(self.status())
        if state.halted:
            state.propose_at = state.recheck_at = state.resend_at = state.relay_at = state.view_at = None
            state.fetch_at = state.bodies_at = state.batches_at = None
            return self._take_output()
        if state.recheck_at is not None and now_ms >= state.recheck_at:
            ordering.advance(state)
        if state.bodies_at is not None and now_ms >= state.bodies_at:
            fetching.fetch_bodies(state)
        if state.batches_at is not None and now_ms >= state.batches_at:
            fetching.fetch_batches(state)
        if state.fetch_at is not None and now_ms >= state.fetch_at:
            fetching.fetch_if_stuck(state)
        if state.view_at is not None and now_ms >= state.view_at:
            timers.expired(state)
        if state.resend_at is not None and now_ms >= state.resend_at:
            self._resend()
        if state.relay_at is not None and now_ms >= state.relay_at:
            timers.relay(state)
        self._follow_up()
        return self._take_output()

    def _resend(self) -> None:
        """Repeat what did not lead to a decision yet, byte by byte as it was (R19 iv, R38)."""
        state = self._state
        if not state.active:
            if state.own_view_change is not None and state.speaks:
                state.send(state.own_view_change)
                timers.share(state)
        else:
            open_slots = sorted(state.slots)[:RESEND_AT_ONCE]
            new_view = state.new_view
            of_own_view = new_view is not None and new_view.message.replica == state.settings.replica
            if new_view and of_own_view and any(state.slots[sequence].renewed for sequence in open_slots):
                state.send(new_view)
            for sequence in open_slots:
                for packet in state.slots[sequence].own:
                    state.send(packet)
        checkpoints.resend(state, RESEND_AT_ONCE)
        state.resend_wait_ms = min(state.resend_wait_ms * 2, state.settings.resend_max_ms)
        state.resend_at = state.now_ms + state.resend_wait_ms
        state.rest_if_done()
        if state.own_blocks and state.fetch_at is None:
            fetching.fetch(state)

    def _follow_up(self) -> None:
        """What any step may have made possible: accept, propose, and time the oldest request."""
        self.go_on()
        self._state.rearm = False
        timers.arm(self._state)

    def go_on(self) -> None:
        """The same without timing: whoever took a packet does that once, in the end."""
        state = self._state
        settings, slots = state.settings, state.slots
        if state.accepted + 1 in slots:
            ordering.advance(state)
        else:
            state.recheck_at = None  # All that advancing does then.
        if state.waiting and settings.replica == state.view % settings.n:
            ordering.propose(state)
        else:
            state.propose_at = None  # All that proposing does then.
        if state.executed + 1 in slots:
            execution.execute_ready(state)
        state.rearm = True

    def _take_output(self) -> Output:
        state = self._state
        assert state.executed <= state.accepted, (state.executed, state.accepted)
        out = state.out
        if not (out.notes or out.persist or out.send or out.execute or out.certified or out.expired):
            return NOTHING  # Most votes change nothing yet, and six lists each would cost more than they do.
        state.out = Output()
        return out
