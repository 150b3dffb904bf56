"""Evidence is passed on (R30): what one node can prove of a liar, every node can prove soon.

A node that keeps a piece of evidence, its own or one that it was sent, says it once to all. Whoever receives
it judges it from its own bytes with the verifier of consensus. So a forged one names nobody, and the accused
of a good one is never a correct replica.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from consensus.evidence import Check, Evidence, proves
from consensus.messages import ViewChange
from consensus.output import EvidenceRecord, Note, Record

MOST = 32  # Of all kinds against one replica; consensus keeps no more of its own.
MOST_OF_A_KIND = 8  # Of one kind against one replica, of those that others sent.

Key = tuple[str, int, int, int]


class Gossip:
    """What evidence one node keeps, and says. `say` publishes a piece of it to all."""

    def __init__(self, n: int, window: int, check: Check, records: Iterable[Record]) -> None:
        self._n, self._window, self._check = n, window, check
        self._known: set[Key] = set()
        self._taken: set[Key] = set()  # Those of others, which may not be on the disk yet.
        self._of: Counter[int] = Counter()  # By accused.
        self._sent_in: Counter[tuple[int, str]] = Counter()  # By accused and kind, of those that others sent.
        for record in records:
            if isinstance(record, EvidenceRecord):
                self._add(_key(record.evidence))

    def fresh(self, records: Iterable[Record]) -> list[Record]:
        """These records without the evidence that is kept already, or is one too many."""
        found = []
        for record in records:
            if isinstance(record, EvidenceRecord):
                key = _key(record.evidence)
                if key in self._known or self._of[key[1]] >= MOST:
                    continue
                self._add(key)
            found.append(record)
        return found

    def judge(self, evidence: Evidence) -> str:
        """Why a piece that somebody sent is not kept; empty if it is to be. Never raises."""
        key = _key(evidence)
        if evidence.accused >= self._n:
            return "not a voter"
        if key in self._known or key in self._taken:
            return "repeated"
        place = (evidence.accused, evidence.kind)
        if self._of[evidence.accused] >= MOST or self._sent_in[place] >= MOST_OF_A_KIND:
            return "enough evidence"
        if (evidence.view, evidence.sequence) != _place_of(evidence):
            return "evidence about another place"
        if evidence.kind in ("E3", "E4") and evidence.second is not None:
            return "evidence does not hold"
        if not proves(evidence, self._n, self._window, self._check):
            return "evidence does not hold"
        self._sent_in[place] += 1
        self._taken.add(key)
        return ""

    def _add(self, key: Key) -> None:
        self._known.add(key)
        self._of[key[1]] += 1


def say_new(records: Iterable[Record], say: Callable[[Evidence], None]) -> None:
    """Say each piece of evidence among records that are on the disk."""
    for record in records:
        if isinstance(record, EvidenceRecord):
            say(record.evidence)


def note_of(evidence: Evidence) -> Note:
    """What a log tells of a piece that was sent, as consensus does of its own."""
    return Note("evidence", evidence.view, evidence.sequence, replica=evidence.accused, reason=evidence.kind)


def _place_of(evidence: Evidence) -> tuple[int, int]:
    """The view and sequence that evidence is filed under, as consensus files its own."""
    message = evidence.first.message
    sequence = 0 if isinstance(message, ViewChange) else getattr(message, "sequence", 0)
    return getattr(message, "view", 0), sequence


def _key(evidence: Evidence) -> Key:
    return evidence.kind, evidence.accused, evidence.view, evidence.sequence
