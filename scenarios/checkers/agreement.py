"""One chain: agreement, certificates, locks, checkpoints (I1, I2, I3, I7, I9, I12), of all that is said."""

from __future__ import annotations

from typing import Any

from scenarios.checkers.facts import Facts
from scenarios.checkers.reading import (
    BLOCK_VOTE,
    COMMIT,
    PRE_PREPARE,
    PREPARE,
    Vote,
    block_votes,
    commit_votes,
    packed,
    prepared_votes,
)
from scenarios.checkers.signing import signed_body

# Heights behind the highest executed that are still looked at; then they are forgotten.
KEPT_WINDOWS = 4
Cast = tuple[int, int, int, int, bytes]


class Agreement:
    """All votes of everybody, by height, and what they amount to."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._bits: dict[int, dict[Cast, int]] = {}  # By height: the vote without its author, who cast it.
        self._certified: dict[int, bytes] = {}
        self._blocks: dict[int, bytes] = {}
        self._locks: dict[int, list[tuple[int, bytes]]] = {}  # By height: view and digest.
        self._chain: dict[int, tuple[bytes, bytes, bytes]] = {}
        self._next: dict[int, int] = {}  # By replica: the height that it must execute next.
        self._restarted: set[int] = set()
        self._top = 0
        self.highest_certified = 0  # Of all blocks that a quorum voted for.

    def voted(
        self, vote: Vote, signature: bytes, at_us: int, *, sender_correct: bool, body: bytes | None = None
    ) -> bool:
        """Somebody shows a vote. Whether it is one: its author is a voter who really signed it.

        `body` is the vote as it is encoded, if that is known already.
        """
        facts = self._facts
        kind, _, _, sequence, _, author = vote
        if not 0 <= author < facts.n or sequence <= self._top - KEPT_WINDOWS * facts.window:
            return False
        cast = vote[:5]
        at_height = self._bits.get(sequence)
        if at_height is None:
            at_height = self._bits[sequence] = {}
        bits, bit = at_height.get(cast, 0), 1 << author
        if bits & bit:
            return True
        if body is None:
            body = packed(vote.array)
        if not facts.check(author, signature, signed_body(facts.network_id, kind, body)):
            if sender_correct:
                facts.broken("I2", f"a correct replica shows a vote that nobody signed: {vote}", at_us)
            return False
        at_height[cast] = bits = bits | bit
        if kind == COMMIT:
            self._committed(vote, bits, at_us)
        elif kind == BLOCK_VOTE and bits.bit_count() >= facts.quorum:
            self._block_certified(vote, at_us)
        return True

    def _committed(self, vote: Vote, bits: int, at_us: int) -> None:
        facts = self._facts
        if bits.bit_count() >= facts.quorum:
            facts.checked["I2"] += 1
            first = self._certified.setdefault(vote.sequence, vote.digest)
            if first != vote.digest:
                facts.broken("I2", f"two certified batches at {vote.sequence}", at_us, vote.author)
        if (bits & facts.correct_bits).bit_count() >= facts.quorum - facts.f:
            locks = self._locks.get(vote.sequence)
            if locks is None:
                locks = self._locks[vote.sequence] = []
            if (vote.view, vote.digest) not in locks:
                locks.append((vote.view, vote.digest))

    def _block_certified(self, vote: Vote, at_us: int) -> None:
        facts = self._facts
        facts.checked["I9"] += 1
        self.highest_certified = max(self.highest_certified, vote.sequence)
        if self._blocks.setdefault(vote.sequence, vote.digest) != vote.digest:
            facts.broken("I9", f"two certified blocks at {vote.sequence}", at_us, vote.author)
        known = self._chain.get(vote.sequence)
        if known is not None and known[1] != vote.digest:
            facts.broken("I9", f"a certified block at {vote.sequence} that nobody correct executed", at_us)

    def against_lock(self, vote: Vote, at_us: int) -> None:
        """A correct replica votes: not for another digest where a decision may be hidden (I3)."""
        if vote[0] in (PRE_PREPARE, PREPARE, COMMIT):
            for view, digest in self._locks.get(vote[3], ()):
                self._facts.checked["I3"] += 1
                if vote.view > view and vote.digest != digest:
                    self._facts.broken("I3", f"hidden commit of view {view}: {vote}", at_us, vote.author)

    def within_window(self, vote: Vote, at_us: int) -> None:
        """A correct replica votes: not further than a window above what can be stable anywhere (R11, I12)."""
        facts = self._facts
        facts.checked["I12"] += 1
        if vote[3] > self.highest_certified + facts.window:
            facts.broken("I12", f"a vote above the high watermark: {vote}", at_us, vote.author)

    def certificate(
        self, votes: list[tuple[Vote, bytes]], need: int, at_us: int, *, sender_correct: bool
    ) -> bool:
        """Whether these votes of distinct voters make a certificate."""
        good = {
            vote.author
            for vote, signature in votes
            if vote.sequence <= self._top - KEPT_WINDOWS * self._facts.window
            or self.voted(vote, signature, at_us, sender_correct=sender_correct)
        }
        return len(good) == len(votes) >= need

    def quoted(self, array: list[Any], at_us: int, *, sender_correct: bool) -> None:
        """The certificates of a view-change, and what they amount to."""
        facts = self._facts
        _, _, view, stable, prepared, author = array
        whole = True
        if stable is not None:
            whole = self.certificate(block_votes(stable), facts.quorum, at_us, sender_correct=sender_correct)
        for proof in prepared:
            votes = prepared_votes(proof)
            primary_first = votes[0][0].author == votes[0][0].view % facts.n < facts.n
            distinct = all(vote.author != votes[0][0].author for vote, _ in votes[1:])
            enough = self.certificate(votes, facts.quorum, at_us, sender_correct=sender_correct)
            whole = whole and primary_first and distinct and enough and votes[0][0].view < view
        if sender_correct:
            facts.checked["I5"] += 1
            if not whole:
                facts.broken("I5", f"a view-change to {view} with an invalid certificate", at_us, author)

    def decided(self, array: list[Any], at_us: int, *, sender_correct: bool) -> None:
        """The certificates of an answer to a fetch."""
        _, commits, block, _ = array
        self.certificate(commit_votes(commits), self._facts.quorum, at_us, sender_correct=sender_correct)
        if block is not None:
            self.certificate(block_votes(block), self._facts.quorum, at_us, sender_correct=sender_correct)

    def restarted(self, replica: int) -> None:
        """It may execute again what it had not made durable; the chain it arrives at must be the same."""
        self._restarted.add(replica)

    def executed(
        self, replica: int, height: int, block: bytes, root: bytes, digest: bytes, at_us: int
    ) -> None:
        """A correct replica executed (I1, I7)."""
        facts = self._facts
        facts.checked["I1"] += 1
        before = self._next.get(replica, 1)
        again = replica in self._restarted and height < before
        if height != before and not again:
            facts.broken("I7", f"height {height} instead of {before}", at_us, replica)
        self._restarted.discard(replica)
        self._next[replica] = height + 1
        if self._certified.get(height, digest) != digest or (
            height not in self._certified and height > self._top - facts.window
        ):
            facts.broken("I7", f"executed at {height} what no quorum committed", at_us, replica)
        first = self._chain.setdefault(height, (digest, block, root))
        if first != (digest, block, root):
            facts.broken("I1", f"two blocks at height {height}", at_us, replica)
        if self._blocks.get(height, block) != block:
            facts.broken("I9", f"another block than the certified one at {height}", at_us, replica)
        if height > self._top:
            self._top = height
            self._forget(height - KEPT_WINDOWS * facts.window)

    def _forget(self, height: int) -> None:
        """Memory stays bounded over any number of heights."""
        kept: dict[int, Any]
        for kept in (self._bits, self._certified, self._blocks, self._locks, self._chain):
            kept.pop(height, None)
