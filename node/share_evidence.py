"""Proofs that a party lied about a share of a seal: found by a node, kept in its folder, passed on to all.

Each later reader's node looks at every release, each opener's at what its sender dealt it. What it can prove
it keeps durably and says once; whoever hears of a proof judges it from its own bytes, keeps it, and says it
once, too. A proof shows no true share (share_proof.py), so it stays when the payload is erased.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from pathlib import Path

from node.answers import Answers
from node.canonical import DecodeError, encode
from node.chain.act import ActTransaction
from node.chain.deeds import Release
from node.chain.seal_book import SealBook
from node.chain.store import Store
from node.consortium import Network
from node.envelopes.envelope import NotAParty, Unreadable
from node.envelopes.keys import WrappingKey
from node.envelopes.shares import open_from_opener
from node.envelopes.transaction import decode_blob
from node.private_files import make_private_folder, replace_private
from node.reporting import Reporter
from node.seals.share_proof import (
    DEALT,
    OTHER_KEY,
    RELEASED,
    BlamedForShare,
    ShareProof,
    Shown,
    encode_share_proof,
    judge_share,
    judge_share_bytes,
)
from node.seals.unsealing import SealBroken, open_sealed, own_share
from node.sender_evidence import lie_in_words
from node.topics import Topics
from node.wire import ShareProofPacket

FOLDER = "share-evidence"
KEPT_OF_EACH = 64
"""Proofs against one party that a node keeps: what a liar may write to other people's disks."""
_LIES = {
    RELEASED: "released what is not its share",
    DEALT: "dealt an opener what is not its share",
    OTHER_KEY: "dealt shares of another key than it committed to",
}
LIES_OF_SENDERS = frozenset(("share_commitment", OTHER_KEY))
"""What the private view says of a payload under a seal whose sender can be proved a liar."""


def any_lie_in_words(lie: str) -> str:
    """A token of share_proof.py or sender_proof.py, as people say it."""
    return _LIES.get(lie) or lie_in_words(lie)


def kept_share_proofs(network: Network, home: Path) -> Iterator[BlamedForShare]:
    """What the proofs in a node's folder prove, judged anew; what proves nothing is passed over."""
    folder = home / FOLDER
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not path.name.startswith("."):
            blamed = judge_share_bytes(network, path.read_bytes())
            if blamed is not None:
                yield blamed


class ShareEvidence:
    """The proofs of one node, which says them with `send(topic, packet)`. Raises OSError on a bad disk."""

    def __init__(
        self,
        network: Network,
        name: str,
        key: WrappingKey,
        home: Path,
        store: Store,
        answers: Answers,
        seals: SealBook,
        report: Reporter,
        send: Callable[[str, bytes], None],
    ) -> None:
        self._network, self._own, self._key = network, name, key
        self._folder = home / FOLDER
        self._store, self._answers, self._seals = store, answers, seals
        self._report, self._send = report, send
        self._topics = Topics(network.id)
        self._known: set[tuple[bytes, str]] = set()
        self._of: Counter[str] = Counter()
        for blamed in kept_share_proofs(network, home):
            self._known.add((blamed.tx, blamed.party))
            self._of[blamed.party] += 1
        # The stop may have come before all were looked at.
        self._queue = deque(each.act for state in seals.states.values() for each in state.releases)

    @property
    def busy(self) -> bool:
        """Whether releases wait to be looked at."""
        return bool(self._queue)

    def released(self, act: bytes) -> None:
        """A release was executed; it is looked at later."""
        self._queue.append(act)

    def look(self, limit: int) -> None:
        """Look at some releases: whether what was wrapped for this party is the opener's share."""
        for _ in range(min(limit, len(self._queue))):
            transaction = self._answers.ordered(self._queue.popleft())
            if isinstance(transaction, ActTransaction):
                self._look_at(transaction)

    def _look_at(self, release: ActTransaction) -> None:
        assert isinstance(release.act.deed, Release), "the book has it as a release"
        tx, opener = release.act.deed.tx, release.act.sender
        state, sealed = self._seals.of(tx), self._answers.private(tx)
        given = () if state is None else state.released(tx)
        found = next((each for each in given if each.act == release.id and each.wraps), None)
        if state is None or sealed is None or found is None or self._own not in state.seal.then_to:
            return
        number = state.seal.openers.index(opener) + 1
        wrap = found.wraps[state.seal.then_to.index(self._own)]
        share = open_from_opener(self._key, wrap, number, tx)
        if share is not None:
            self.found(ShareProof(sealed, release, (), (), (Shown.of(share),)))

    def dealt(self, identifier: bytes) -> None:
        """The sender of this lied about its shares, as this party found when it looked: prove it."""
        transaction, encoded = self._answers.private(identifier), self._store.get_blob(identifier)
        if transaction is None or encoded is None:
            return
        try:
            blob = decode_blob(encoded)
        except DecodeError:
            return
        try:
            own_share(self._network, transaction, blob, self._own, self._key)
        except SealBroken as broken:
            shown = tuple(Shown.of(share) for share in broken.shares)
            self.found(ShareProof(transaction, None, blob.slots, blob.shares, shown))
        except (NotAParty, Unreadable):
            pass
        try:
            releases = self._seals.releases_of(identifier)
            open_sealed(self._network, transaction, blob, self._own, self._key, releases)
        except SealBroken as broken:
            if broken.reason == OTHER_KEY:
                shown = tuple(Shown.of(share) for share in broken.shares)
                self.found(ShareProof(transaction, None, (), (), shown))
        except (NotAParty, Unreadable):
            pass

    def found(self, proof: ShareProof) -> bool:
        """Keep a proof of this node's own, durably, and say it; whether it proves anything new."""
        return not self._keep(proof)

    def take(self, proof: ShareProof) -> None:
        """A proof that somebody passed on; what is not kept is dropped and counted."""
        if reason := self._keep(proof):
            self._report.drop(reason)

    def _keep(self, proof: ShareProof) -> str:
        """Why it is not kept; empty if it is."""
        blamed = judge_share(self._network, proof)
        if blamed is None or blamed.party == self._own:  # What its own client did, a party can look up.
            return "evidence does not hold"
        if (blamed.tx, blamed.party) in self._known:
            return "repeated"
        if self._of[blamed.party] >= KEPT_OF_EACH:
            return "enough evidence"
        make_private_folder(self._folder)
        replace_private(self._folder / f"{blamed.tx.hex()}-{blamed.party}", encode_share_proof(proof))
        self._known.add((blamed.tx, blamed.party))
        self._of[blamed.party] += 1
        self._report.emit(
            "seal.share_blamed", "error", tx=blamed.tx, party=blamed.party, reason_code=blamed.lie
        )
        self._say(encode(ShareProofPacket(proof)))
        return ""

    def _say(self, packet: bytes) -> None:
        """To all; a follower, whom nobody listens to, to each of the others."""
        own = self._network.position(self._own)
        assert own is not None
        if own < self._network.n:
            self._send(self._topics.broadcast(own), packet)
            return
        for place in range(len(self._network.members)):
            if place != own:
                self._send(self._topics.inbox_of(place), packet)
