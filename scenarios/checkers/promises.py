"""What one correct replica may say: once, for a reason, and only what it has written down (I4, I5, I6)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgpack

from scenarios.checkers.facts import Facts
from scenarios.checkers.reading import (
    BLOCK_VOTE,
    COMMIT,
    PRE_PREPARE,
    PREPARE,
    VIEW_CHANGE,
    Said,
    Vote,
    of_signed,
    said_by,
)

VOTE_RECORD, PROPOSAL_RECORD, PREPARED_RECORD, VIEW_CHANGE_RECORD, NEW_VIEW_RECORD = 1, 2, 3, 8, 9
CERTIFIED_RECORD = 6
JUDGED_RECORDS = frozenset((CERTIFIED_RECORD, PREPARED_RECORD, VIEW_CHANGE_RECORD, NEW_VIEW_RECORD))
# Kept for so many windows of heights.
KEPT_WINDOWS = 4
Name = tuple[Any, ...]
NONE: Mapping[Name, bytes] = {}
NOBODY: Mapping[bytes, int] = {}


def null_digest(sequence: int) -> bytes:
    """The digest of the null request."""
    batch = msgpack.packb([sequence, 0, 0, []], use_bin_type=True)
    return hashlib.sha256(b"privity/v1/batch\0" + batch).digest()


def renewed(changes: list[list[Any]]) -> list[tuple[int, bytes]]:
    """What a new view of these view-changes must propose (PBFT 4.4)."""
    low = max((change[3][1] for change in changes if change[3] is not None), default=0)
    best: dict[int, tuple[int, bytes]] = {}
    for change in changes:
        for _, view, sequence, digest, *_ in change[4]:
            if sequence > low and (sequence not in best or view > best[sequence][0]):
                best[sequence] = (view, digest)
    return [
        (sequence, best[sequence][1] if sequence in best else null_digest(sequence))
        for sequence in range(low + 1, max(best, default=low) + 1)
    ]


class Promises:
    """The words of one replica over its whole life, whatever restarts there were."""

    def __init__(self, facts: Facts, replica: int) -> None:
        self._facts = facts
        self._replica = replica
        # By height, 0 for what is about none: the name of what it said or wrote, and the content.
        self._said: dict[int, dict[Name, bytes]] = {}
        self._written: list[tuple[int, Name, bytes]] = []  # Appended, not durable.
        self._durable: dict[int, dict[Name, bytes]] = {}
        # What it has heard: pre-prepares and prepares by height, new-views by view.
        self.heard: dict[int, dict[bytes, int]] = {}
        self._begun: dict[int, dict[int, bytes]] = {}
        self._promised = 0  # The highest view that it asked for.
        self._view = 0
        self._low = 0
        self.certified = 0  # The highest block certificate that it has recorded,
        self._certified_for_good = 0  # and the highest that a power cut leaves it.
        self._entered = 0  # The highest view that it has recorded the new-view of.
        self._committed: dict[int, int] = {}  # By height: the highest view in which it sent a commit.

    # Its disk.

    def persisted(self, record: list[Any]) -> None:
        """A record other than a vote or a proposal was appended."""
        kind = record[0]
        if kind == CERTIFIED_RECORD:
            height = record[1][1]
            if height > self.certified:
                self.certified = height
        elif kind == PREPARED_RECORD:
            _, view, sequence, digest, *_ = record[1]
            self._written.append((sequence, ("prepared", view, sequence), digest))
        elif kind in (VIEW_CHANGE_RECORD, NEW_VIEW_RECORD):
            said = of_signed(record[1])
            assert said is not None
            self._written.append((0, said.name, said.body))
            if kind == NEW_VIEW_RECORD:
                self._entered = max(self._entered, said.array[2])
                self._begin(said.array)  # A primary enters its view with the record, sent or not.
                for entry, signature in said.array[4]:
                    if (first := said_by(entry, signature)) is not None:
                        self._written.append((first.height, first.name, first.body))

    def wrote(self, said: Said) -> None:
        """A vote, or a proposal with its pre-prepare, was appended.

        It counts its own words once they cannot be lost, sent or not.
        """
        self._written.append(said.entry)
        if said.cast and said.author == self._replica:
            self.counts(said)

    def counts(self, said: Said) -> None:
        """It may count this pre-prepare or prepare from now on."""
        at_height = self.heard.get(said.height)
        if at_height is None:
            at_height = self.heard[said.height] = {}
        at_height[said.cast] = at_height.get(said.cast, 0) | said.bit

    def flushed(self) -> None:
        """All that was appended is durable."""
        if self._written:
            durable = self._durable
            for height, name, content in self._written:
                at_height = durable.get(height)
                if at_height is None:
                    at_height = durable[height] = {}
                at_height[name] = content
            self._written.clear()
        self._certified_for_good = self.certified

    def stopped(self, how: str) -> None:
        """A power cut takes what was not durable; a crash leaves it to be flushed by the next start."""
        if how == "power cut":
            self._written.clear()
            self.certified = self._certified_for_good

    def is_in(self, view: int) -> bool:
        """Whether votes of this view surely count here: it is the last one entered, no later one began."""
        return view == self._entered >= max(self._begun, default=0)

    # What it hears.

    def hears(self, said: Said) -> None:
        """A new-view was delivered to it."""
        self._begin(said.array)

    def _begin(self, array: list[Any]) -> None:
        _, _, view, changes, entries, author = array
        chosen = [change for change, _ in changes]
        authors = {change[-1] for change in chosen}
        proposals = [(entry[3], entry[4]) for entry, _ in entries]
        fits = author == view % self._facts.n and len(authors) == len(chosen) >= self._facts.quorum
        if fits and all(change[2] == view for change in chosen) and proposals == renewed(chosen):
            self._begun.setdefault(view, dict(proposals))

    # What it says.

    def says(self, said: Said, at_us: int) -> None:
        """It releases a message of its own."""
        height, name, content = said.entry
        if not name:
            return
        facts = self._facts
        checked = facts.checked
        checked["I4"] += 1
        at_height = self._said.get(height)
        if at_height is None:
            at_height = self._said[height] = {}
        before = at_height.get(name)
        if before is None:
            at_height[name] = content
        elif before != content:
            facts.broken("I4", f"a second content for {name}", at_us, self._replica)
        checked["I6"] += 1
        if self._durable.get(height, NONE).get(name) != content:
            facts.broken("I6", f"{name} is sent and not durable", at_us, self._replica)
        if before is not None:
            return
        if said.vote is not None:
            self._votes(said, said.vote, at_us)
        elif said.kind == VIEW_CHANGE:
            self._changes_view(said.array, at_us)
        else:
            self._begins_view(said.array, at_us)

    def _votes(self, said: Said, vote: Vote, at_us: int) -> None:
        facts = self._facts
        kind, _, view, sequence, digest, author = vote
        if author >= facts.n:
            facts.broken("I5", "a follower votes", at_us, self._replica)
        if kind == BLOCK_VOTE:
            return
        facts.checked["I5"] += 1
        if view < self._promised:
            facts.broken("I5", f"R12: a vote in a view that was left: {vote}", at_us, self._replica)
        if view > 0 and view not in self._begun:
            facts.broken("I5", f"a vote in a view that did not begin: {vote}", at_us, self._replica)
        if view < self._view:
            facts.broken("I5", f"the view decreases: {vote}", at_us, self._replica)
        self._view = view
        primary = view % facts.n
        if kind == PRE_PREPARE:
            if author != primary:
                facts.broken("I5", f"a proposal by a backup: {vote}", at_us, self._replica)
            renewal = self._begun.get(view, {}).get(sequence, digest)
            if renewal != digest:
                facts.broken("I5", f"R17: not what the new view renews: {vote}", at_us, self._replica)
        elif kind == PREPARE:
            if author == primary:
                facts.broken("I5", f"R5: the primary prepares: {vote}", at_us, self._replica)
            if not self._proposed(said, vote, primary):
                facts.broken("I5", f"a prepare without its pre-prepare: {vote}", at_us, self._replica)
        elif kind == COMMIT:
            self._commits(said, vote, primary, at_us)

    def _proposed(self, said: Said, vote: Vote, primary: int) -> bool:
        """Whether the primary of the vote's view proposed this digest to it."""
        begun = self._begun.get(vote[2])
        if begun is not None and vote.sequence in begun:
            return begun[vote.sequence] == vote.digest
        return bool(self.heard.get(said.height, NOBODY).get(said.casts[0], 0) >> primary & 1)

    def _commits(self, said: Said, vote: Vote, primary: int, at_us: int) -> None:
        facts = self._facts
        _, _, view, sequence, digest, _ = vote
        prepares = self.heard.get(sequence, NOBODY).get(said.casts[1], 0) & ~(1 << primary)
        if not self._proposed(said, vote, primary) or prepares.bit_count() < facts.quorum - 1:
            facts.broken("I5", f"R6: a commit without being prepared: {vote}", at_us, self._replica)
        durable = self._durable.get(sequence, NONE)
        if durable.get(("prepared", view, sequence)) != digest:
            facts.broken("I6", f"R13: a commit whose proof is not durable: {vote}", at_us, self._replica)
        self._committed[sequence] = max(view, self._committed.get(sequence, -1))

    def _changes_view(self, array: list[Any], at_us: int) -> None:
        facts = self._facts
        _, _, view, stable, prepared, _ = array
        low = 0 if stable is None else stable[1]
        if view < self._promised or view < self._view:
            facts.broken("I5", f"views decrease: {view} after {self._promised}", at_us, self._replica)
        facts.seen["view change"] += view > self._promised
        self._promised = view
        if low < self._low:
            facts.broken("I9", f"the low watermark falls from {self._low} to {low}", at_us, self._replica)
        self._low = low
        carried = {proof[2]: proof[1] for proof in prepared}
        for sequence, committed in self._committed.items():
            if sequence > low and committed < view and carried.get(sequence, -1) < committed:
                facts.broken("I5", f"R13: hides its commit at {sequence}", at_us, self._replica)
        if any(not low < sequence <= low + facts.window for sequence in carried):
            facts.broken("I5", "R14: a certificate outside its window", at_us, self._replica)

    def _begins_view(self, array: list[Any], at_us: int) -> None:
        facts = self._facts
        self._begin(array)
        if array[2] not in self._begun:
            facts.broken("I5", f"R16: new-view {array[2]} does not follow", at_us, self._replica)
        facts.seen["new view"] += 1

    def forget(self, height: int) -> None:
        """This height is long past."""
        self.heard.pop(height, None)
        self._committed.pop(height, None)
        self._said.pop(height, None)
        self._durable.pop(height, None)
        if height % 64 == 0:
            for view in [v for v in self._begun if v < self._view]:
                del self._begun[view]


def accused_of(evidence: list[Any]) -> tuple[str, int, list[Said]]:
    """The kind of an evidence, whom it accuses, and what it shows."""
    kind, accused, _, _, first, second = evidence
    shown = [said for said in (of_signed(each) for each in (first, second) if each is not None) if said]
    return kind, accused, shown
