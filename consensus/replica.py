"""One replica of PBFT, as a value that is stepped.

Everything goes in through `receive`, `submit`, `executed` and `tick`; each gives an `Output`, which the
driver carries out in the order of its fields. The driver authenticates messages before they come here,
and signs for the replica through the function given to it; RFC 6979 makes that function pure.
"""

from __future__ import annotations

from collections.abc import Iterable

from consensus import blocks, catch_up, execution, fetching, ordering, restart
from consensus.certificates import BlockCertificate, Decided
from consensus.messages import (
    NO_DIGEST,
    NO_TOKEN,
    BlockVote,
    Commit,
    Prepare,
    PrePrepare,
    Proposal,
    Request,
    Signed,
    Status,
)
from consensus.output import Output, Record, Relay
from consensus.state import Pending, Settings, Sign, State

# Own undecided votes are repeated for this many sequence numbers at a time, the oldest ones.
RESEND_AT_ONCE = 8
RELAY_AT_ONCE = 64


class Replica:
    """A voter or a follower of one epoch.

    `executed`, `time_ms` and `block` are the last sequence number that the driver executed before, its
    batch's time and its block's hash; 0, the genesis time and zeros in the beginning. `records` is all
    that earlier outputs asked to persist, in order: with it the replica repeats what it said before a
    restart, and says nothing else (R20). Before the first tick the driver calls `executed` again for
    each recent block whose certificate it does not have.
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
        records: Iterable[Record] = (),
    ) -> None:
        self._state = State(settings, sign, executed=executed, time_ms=time_ms, block=block)
        self._state.state_root = state_root
        for record in records:
            restart.recall(self._state, record)
        self._started = False

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
        """The last sequence number handed over for execution; the low watermark until checkpoints exist."""
        return self._state.executed

    @property
    def high_watermark(self) -> int:
        """The highest sequence number that may be voted on now."""
        return self._state.high_watermark

    @property
    def halted(self) -> str:
        """Why this replica votes no more, or nothing."""
        return self._state.halted

    @property
    def pending(self) -> int:
        """How many requests are neither executed nor expired."""
        return len(self._state.requests)

    def wants(self, request: bytes) -> bool:
        """Whether a proposal or a decision names this request and its body is missing."""
        return request in self._state.wanted

    @property
    def deadline_ms(self) -> int | None:
        """When the next `tick` is wanted, or None before the first one."""
        state = self._state
        due = [
            timer
            for timer in (
                state.propose_at,
                state.recheck_at,
                state.resend_at,
                state.status_at,
                state.fetch_at,
                state.bodies_at,
                state.relay_at,
            )
            if timer is not None
        ]
        return min(due) if due else None

    # What a driver may tell.

    def receive(self, packet: Signed | Proposal | Decided, now_ms: int) -> Output:
        """Take one packet whose signatures were checked. Never raises for what a peer sends."""
        state = self._state
        state.now_ms = now_ms
        if state.halted:
            return self._take_output()
        if isinstance(packet, Proposal):
            if packet.pre_prepare.epoch != state.settings.epoch:
                state.ignore("other epoch", packet.pre_prepare.sequence, replica=packet.pre_prepare.replica)
            else:
                ordering.on_proposal(state, packet)
        elif isinstance(packet, Decided):
            if catch_up.on_decided(state, packet):
                self._follow_up()
                if packet.last:
                    catch_up.go_on(state)
        else:
            self._on_signed(packet)
        return self._take_output()

    def _on_signed(self, packet: Signed) -> None:
        state, message = self._state, packet.message
        if message.epoch != state.settings.epoch:
            state.ignore("other epoch", replica=message.replica)
        elif message.replica == state.settings.replica:
            state.ignore("own message came back", replica=message.replica)
        elif isinstance(message, Prepare):
            ordering.on_prepare(state, message, packet.signature)
        elif isinstance(message, Commit):
            ordering.on_commit(state, message, packet.signature)
        elif isinstance(message, BlockVote):
            blocks.on_block_vote(state, message, packet.signature)
        elif isinstance(message, Status):
            # Sequence numbers are hints here: what is fetched because of one hangs on a certificate.
            state.claims[message.replica] = message.sequence
            fetching.heard_of(state, message.replica, message.sequence)
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
            state.requests[request.id] = Pending(request, now_ms)
            if request.id not in state.recalled:
                state.waiting[request.id] = None
            wanted = state.wanted.pop(request.id, None)
            if wanted is None or wanted not in state.wanted.values():
                self._follow_up()  # New, or the last body that a sequence number waited for.
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
        blocks.executed(self._state, sequence, block, state_root, known)
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
            restart.start(state)
        if state.status_at is not None and now_ms >= state.status_at:
            state.status_at = now_ms + state.settings.status_ms
            state.send(self.status())
        if state.halted:
            state.propose_at = state.recheck_at = state.resend_at = state.relay_at = None
            state.fetch_at = state.bodies_at = None
            return self._take_output()
        if state.recheck_at is not None and now_ms >= state.recheck_at:
            ordering.advance(state)
        if state.bodies_at is not None and now_ms >= state.bodies_at:
            fetching.fetch_bodies(state)
        if state.fetch_at is not None and now_ms >= state.fetch_at:
            fetching.fetch_if_stuck(state)
        if state.resend_at is not None and now_ms >= state.resend_at:
            self._resend()
        if state.relay_at is not None and now_ms >= state.relay_at:
            self._relay()
        self._follow_up()
        return self._take_output()

    def _resend(self) -> None:
        """Repeat own votes that did not lead to a decision yet, byte by byte as they were (R38)."""
        state = self._state
        for sequence in sorted(state.slots)[:RESEND_AT_ONCE]:
            for packet in state.slots[sequence].own:
                state.send(packet)
        blocks.resend(state, RESEND_AT_ONCE)
        state.resend_wait_ms = min(state.resend_wait_ms * 2, state.settings.resend_max_ms)
        state.resend_at = state.now_ms + state.resend_wait_ms
        if not state.slots and not state.own_blocks:
            state.resend_at = None
        elif state.own_blocks and state.fetch_at is None:
            fetching.fetch(state)

    def _relay(self) -> None:
        """The oldest request waits for too long: perhaps the primary never had it (PBFT 4.1)."""
        state = self._state
        execution.drop_expired(state)
        state.relay_at = None
        if state.is_primary or not state.waiting:
            return
        state.relay_at = state.now_ms + state.settings.view_timeout_ms
        before = state.now_ms - state.settings.view_timeout_ms
        # What may not be ordered yet is not the primary's fault.
        overdue = [
            identifier
            for identifier in state.waiting
            if state.requests[identifier].since_ms <= before
            and state.requests[identifier].request.valid_from <= state.accepted + 1
        ]
        if overdue:
            state.out.send.append(Relay(tuple(overdue[:RELAY_AT_ONCE]), state.primary))
            reason = "oldest request is overdue"
            state.note("timeout", reason=reason, replica=state.primary, have=len(overdue))

    def _follow_up(self) -> None:
        """What any step may have made possible: accept, propose, and time the oldest request."""
        state = self._state
        ordering.advance(state)
        ordering.propose(state)
        execution.execute_ready(state)
        self._arm_relay()

    def _arm_relay(self) -> None:
        state = self._state
        if state.relay_at is None and state.waiting and not state.is_primary:
            oldest = state.requests[next(iter(state.waiting))]
            state.relay_at = max(oldest.since_ms, state.now_ms - state.settings.view_timeout_ms)
            state.relay_at += state.settings.view_timeout_ms

    def _take_output(self) -> Output:
        state = self._state
        assert state.executed <= state.accepted <= state.high_watermark, (state.executed, state.accepted)
        out, state.out = state.out, Output()
        return out
