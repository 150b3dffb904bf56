"""All invariants in one observer of a world. Whatever breaks one raises at the event where it happens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from scenarios.checkers import signing
from scenarios.checkers.accusations import Accusations
from scenarios.checkers.agreement import Agreement
from scenarios.checkers.facts import Facts, InvariantBroken
from scenarios.checkers.promises import (
    JUDGED_RECORDS,
    KEPT_WINDOWS,
    PROPOSAL_RECORD,
    VOTE_RECORD,
    Promises,
)
from scenarios.checkers.public_state import BLOCK_RECORD, BODIES_RECORD, PublicState, of_a_ledger
from scenarios.checkers.reading import (
    COMMITTED,
    NEW_VIEW,
    VIEW_CHANGE,
    Said,
    Vote,
    said_in,
    unpack,
)

EVIDENCE_RECORD = 10
# So many packets for each voter are known at least: what is under way, several times over.
PACKETS_KNOWN_EACH, PACKETS_KNOWN = 1 << 7, 1 << 10
LEDGER_RECORDS = (BODIES_RECORD, BLOCK_RECORD)
VOTES_RECORDED = frozenset((VOTE_RECORD, PROPOSAL_RECORD))
DRIVER_RECORDS = (*LEDGER_RECORDS, EVIDENCE_RECORD)


class Checkers:
    """Watches a run of n voters. `faulty` says who is not held to the rules, and why (I0).

    `check` verifies signatures; without it those of P-256 are verified with `public_keys`, in the order of
    replicas. `summary` counts what happened and how often each invariant was looked at.
    """

    def __init__(
        self,
        n: int,
        network_id: bytes,
        public_keys: Sequence[bytes],
        *,
        window: int,
        epoch: int = 0,
        faulty: Iterable[int] = (),
        check: signing.Check | None = None,
        secrets: Iterable[bytes] = (),
    ) -> None:
        self.facts = Facts(n, network_id, check or signing.p256(public_keys), window, epoch)
        self.declare_faulty(faulty, "Byzantine")
        self.agreement = Agreement(self.facts)
        self._promises = {replica: Promises(self.facts, replica) for replica in range(len(public_keys))}
        self._secrets = [secret for secret in secrets if secret]
        # In two generations; what is not looked at any more is soon let go, and its memory used again.
        self._known: dict[bytes, Said | None] = {}
        self._known_before: dict[bytes, Said | None] = {}
        self._most_known = max(PACKETS_KNOWN, PACKETS_KNOWN_EACH * n)
        # Of these the packets that count when they are heard, None for the others.
        self._counting: dict[bytes, Said | None] = {}
        self._up: dict[int, int] = {}  # Replica: when it came up.
        self._accusations = Accusations(self.facts, self.agreement)
        self._public_state = PublicState(self.facts)

    def declare_faulty(self, replicas: Iterable[int], why: str) -> None:
        """From now on these are not held to the rules: disk wiped or set back, twinned, Byzantine."""
        self.facts.declare_faulty(replicas, why)

    @property
    def summary(self) -> dict[str, int]:
        """What was seen, and how often each invariant was checked."""
        return {**self.facts.seen, **self.facts.checked}

    def _read(self, data: bytes) -> Said | None:
        if data in self._known:
            return self._known[data]
        if len(self._known) >= self._most_known:
            self._known_before = dict(self._known)
            self._known.clear()
            self._counting.clear()
        said = self._known_before.get(data) or said_in(data)
        self._known[data] = said
        counts = said is not None and (said.cast or said.kind == NEW_VIEW)
        self._counting[data] = said if counts else None
        return said

    # What the world tells.

    def started(self, at_us: int, replica: int) -> None:
        """A replica came up."""
        self.facts.seen["restart"] += replica in self._up
        self._up[replica] = at_us
        self.agreement.restarted(replica)

    def stopped(self, at_us: int, replica: int, how: str) -> None:
        """A replica went down."""
        self._promises[replica].stopped(how)
        self._accusations.stopped(replica)

    def ticked(self, at_us: int, replica: int) -> None:
        """A replica's timers act."""
        self._accusations.overdue(at_us, replica)

    def delivered(self, at_us: int, replica: int, data: bytes) -> None:
        """A replica hears something."""
        self.delivered_all(at_us, replica, (data,))

    def delivered_all(self, at_us: int, replica: int, packets: Sequence[bytes]) -> None:
        """A replica hears several things at once."""
        promises, faulty = self._promises[replica], self.facts.faulty
        heard = promises.heard
        if faulty and self.facts.is_correct(replica):
            for data in packets:
                said = self._known.get(data) or self._read(data)
                if said is not None:
                    if said.cast:
                        promises.counts(said)
                    elif said.kind == NEW_VIEW:
                        promises.hears(said)
                    if said.author in faulty:
                        self._accusations.hears(at_us, promises, replica, said)
            return
        # The same where nobody can be accused: most packets change nothing.
        counting: dict[bytes, Any] = self._counting
        for data in packets:
            said = counting.get(data, data)
            if said is data:
                self._read(data)
                said = counting[data]
            if said is None:
                continue
            cast = said.cast
            if cast:
                # The same as Promises.counts, without a call.
                at_height = heard.get(said.height)
                if at_height is None:
                    at_height = heard[said.height] = {}
                at_height[cast] = at_height.get(cast, 0) | said.bit
            else:
                promises.hears(said)

    def persisted(self, at_us: int, replica: int, body: bytes) -> None:
        """A replica appended a record."""
        self.persisted_all(at_us, replica, (body,))

    def persisted_all(self, at_us: int, replica: int, bodies: Sequence[bytes]) -> None:
        """A replica appended several records."""
        known, promises = self._known, self._promises[replica]
        for body in bodies:
            kind = body[1]
            if self._secrets:
                self._no_secret(body, at_us, replica)
            if kind in VOTES_RECORDED:
                # A vote is recorded as it is sent; a proposal as it is sent, behind the kind of the record.
                packet = body if kind == VOTE_RECORD else body[2:]
                said = known.get(packet) or self._read(packet)
                assert said is not None and said.vote is not None, "a record of no vote"
                promises.wrote(said)
            elif kind in JUDGED_RECORDS:
                promises.persisted(unpack(body))
            elif kind in DRIVER_RECORDS and self.facts.is_correct(replica):
                if kind == EVIDENCE_RECORD:
                    self._accusations.accuses(at_us, replica, unpack(body)[1])
                elif kind in LEDGER_RECORDS and of_a_ledger(body):
                    self._public_state.persisted(unpack(body), at_us, replica)

    def flushed(self, at_us: int, replica: int) -> None:
        """What a replica appended is durable."""
        self._promises[replica].flushed()

    def sent(self, at_us: int, replica: int, to: int | None, data: bytes) -> None:
        """Somebody, faulty or not, releases a packet."""
        if self._secrets:
            self._no_secret(data, at_us, replica)
        facts = self.facts
        correct = facts.correct[replica] if replica < facts.n else replica not in facts.faulty
        said = self._known.get(data) or self._read(data)
        if said is None:
            self._other_packet(at_us, data, correct=correct)
            return
        if said.vote is not None:
            real = self.agreement.voted(
                said.vote, said.signature, at_us, sender_correct=correct, body=said.body
            )
            if correct and real and said.author == replica:
                self.agreement.against_lock(said.vote, at_us)
                self.agreement.within_window(said.vote, at_us)
                self._promises[replica].says(said, at_us)
                return
        elif said.kind == VIEW_CHANGE and len(said.array) == 6:
            self.agreement.quoted(said.array, at_us, sender_correct=correct)
        elif said.kind == NEW_VIEW and len(said.array) == 6:
            for change, _ in said.array[3]:
                self.agreement.quoted(change, at_us, sender_correct=correct)
            if correct and said.author == replica:
                for entry, _ in said.array[4]:
                    self.agreement.against_lock(Vote(*entry), at_us)
        if not correct:
            return
        if said.author == replica:
            self._promises[replica].says(said, at_us)
        elif said.kind not in (VIEW_CHANGE, NEW_VIEW):
            self.facts.broken("I5", f"speaks for replica {said.author}", at_us, replica)

    def executed(
        self, at_us: int, replica: int, height: int, block: bytes, state_root: bytes, digest: bytes
    ) -> None:
        """A replica executed a batch."""
        if self.facts.is_correct(replica):
            self.agreement.executed(replica, height, block, state_root, digest, at_us)
        old = height - KEPT_WINDOWS * self.facts.window
        if old > 0 and replica in self._promises:
            self._promises[replica].forget(old)
            self._accusations.forget(replica, old)

    # Parts of it.

    def _other_packet(self, at_us: int, data: bytes, *, correct: bool) -> None:
        packet = unpack(data)
        if isinstance(packet, list) and packet and packet[0] == COMMITTED and len(packet) == 3:
            self.facts.seen["decision passed on"] += 1
            try:
                self.agreement.decided(packet[1], at_us, sender_correct=correct)
            except (ValueError, TypeError, IndexError):
                if correct:
                    raise

    def _no_secret(self, data: bytes, at_us: int, replica: int) -> None:
        for secret in self._secrets:
            self.facts.checked["I11"] += 1
            if secret in data:
                raise InvariantBroken("I11", "a secret in clear", at_us, replica)


__all__ = ["Checkers", "InvariantBroken"]
