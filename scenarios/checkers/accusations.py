"""Evidence: no correct replica is accused, and what a correct replica must have seen is told (I10, I12)."""

from __future__ import annotations

from typing import Any

from scenarios.checkers.agreement import Agreement
from scenarios.checkers.facts import Facts
from scenarios.checkers.promises import Promises, accused_of
from scenarios.checkers.reading import BLOCK_VOTE, COMMIT, PREPARE, Said, Vote
from scenarios.checkers.signing import signed_body

# Pieces of evidence that a replica keeps against one accused.
MOST_EVIDENCE = 32
# From meeting a contradiction to having it on record.
PATIENCE_US = 1_000_000
Place = tuple[int, int, int, int, int]
Offence = tuple[int, int, int]  # Who, in which view, at which height.


class Accusations:
    """What each replica heard from faulty ones, and what it made of it."""

    def __init__(self, facts: Facts, agreement: Agreement) -> None:
        self._facts = facts
        self._agreement = agreement
        self._heard: dict[int, dict[Place, bytes]] = {}
        self._counted: dict[int, dict[Place, bytes]] = {}  # Of these, what it surely took into account.
        self._owed: dict[int, dict[Offence, int]] = {}  # By replica: since when.
        self._told: dict[int, set[Offence]] = {}
        self._pieces: dict[tuple[int, int], int] = {}

    def hears(self, at_us: int, promises: Promises, replica: int, said: Said) -> None:
        """A correct replica hears a vote of a faulty one; two that contradict each other may meet there."""
        vote = said.vote
        if vote is None or vote.kind == BLOCK_VOTE:
            return
        place = (vote.kind, vote.epoch, vote.view, vote.sequence, vote.author)
        if self._heard.setdefault(replica, {}).setdefault(place, vote.digest) != vote.digest:
            self._facts.seen["equivocation heard"] += 1
        if not self._surely_counted(promises, replica, vote, said):
            return
        if self._counted.setdefault(replica, {}).setdefault(place, vote.digest) != vote.digest:
            self._facts.checked["I10"] += 1
            offence = (vote.author, vote.view, vote.sequence)
            full = self._pieces.get((replica, vote.author), 0) >= MOST_EVIDENCE
            if not full and offence not in self._told.get(replica, ()):
                self._owed.setdefault(replica, {}).setdefault(offence, at_us)

    def _surely_counted(self, promises: Promises, replica: int, vote: Vote, said: Said) -> bool:
        """Whether the vote is one of the present view and within the window, so that it cannot be ignored."""
        facts = self._facts
        if vote.kind not in (PREPARE, COMMIT) or vote.author in (replica, -1) or vote.author >= facts.n:
            return False
        if vote.kind == PREPARE and vote.author == vote.view % facts.n:
            return False  # That is an offence of its own (E4).
        above = vote.sequence > self._agreement.highest_certified
        within = above and vote.sequence <= promises.certified + facts.window
        if not within or vote.epoch != facts.epoch or not promises.is_in(vote.view):
            return False
        return facts.check(vote.author, said.signature, signed_body(facts.network_id, said.kind, said.body))

    def accuses(self, at_us: int, replica: int, evidence: list[Any]) -> None:
        """A correct replica accuses: never a correct one, with a proof that holds, and not without end."""
        facts = self._facts
        kind, accused, shown = accused_of(evidence)
        facts.checked["I10"] += 1
        facts.seen[f"evidence {kind}"] += 1
        if facts.is_correct(accused):
            facts.broken("I10", f"{kind} accuses replica {accused}, which is correct", at_us, replica)
        for said in shown:
            signed = signed_body(facts.network_id, said.kind, said.body)
            if said.author != accused or not facts.check(accused, said.signature, signed):
                facts.broken("I10", f"{kind} shows what {accused} did not sign", at_us, replica)
        if kind == "E1":
            first, second = shown
            if not first.name or first.name != second.name or first.body == second.body:
                facts.broken("I10", f"E1 against {accused} is no contradiction", at_us, replica)
            if first.vote is not None:
                offence = (accused, first.vote.view, first.vote.sequence)
                self._told.setdefault(replica, set()).add(offence)
                self._owed.get(replica, {}).pop(offence, None)
        pieces = self._pieces[replica, accused] = self._pieces.get((replica, accused), 0) + 1
        facts.checked["I12"] += 1
        if pieces > MOST_EVIDENCE:
            facts.broken("I12", f"{pieces} pieces of evidence against {accused}", at_us, replica)

    def overdue(self, at_us: int, replica: int) -> None:
        """A replica's timers act: what it met a while ago must be on record by now."""
        for offence, since_us in self._owed.get(replica, {}).items():
            if at_us - since_us > PATIENCE_US and self._facts.is_correct(replica):
                self._facts.broken("I10", f"no evidence of a contradiction: {offence}", at_us, replica)

    def stopped(self, replica: int) -> None:
        """What it heard is forgotten with its memory."""
        for kept in (self._heard, self._counted, self._owed):
            kept.pop(replica, None)

    def forget(self, replica: int, height: int) -> None:
        """This height is long past."""
        for kept in (self._heard, self._counted):
            places = kept.get(replica, {})
            for place in [place for place in places if place[3] <= height]:
                del places[place]


__all__ = ["MOST_EVIDENCE", "PATIENCE_US", "Accusations"]
