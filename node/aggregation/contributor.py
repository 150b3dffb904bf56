"""A contributor's part of a round: a value and two secrets go in, deeds come out. No clock, no network.

It has its own keys and value and nothing of anybody else's, and follows the round on its own ledger. What
it may give away it decides by that ledger alone: shares for the one present set that is fixed there, once,
and of no dealer both. A contributor that forgot its secrets cannot go on; for the others it is absent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from hmac import compare_digest

from node.aggregation.boxes import (
    KEY,
    SEED,
    Released,
    box,
    open_box,
    release,
    seed_commit,
    share_commit,
    total_hash,
)
from node.aggregation.masks import masked, pair_masks, public_half, self_mask
from node.aggregation.rounds import COPIED, DEALING, DONE, JOINING, RELEASING, SENDING, Round
from node.aggregation.sharing import SECRET_BYTES, split
from node.aggregation.unmasking import Unmasked, unmask
from node.chain.round_deeds import RoundBlame, RoundDeal, RoundDeed, RoundJoin, RoundRelease, RoundValue
from node.envelopes.entropy import Entropy
from node.envelopes.wrapping import WrappingKey

MOST_JOINS = 4


class Verdict(Enum):
    """What a member says of the total that the coordinator published."""

    OPEN = "not published yet"
    RIGHT = "right"
    WRONG = "wrong"
    UNKNOWN = "not to be told: too few releases reached this member"


@dataclass(slots=True, repr=False)
class Secrets:
    """What must not leave this contributor: for one round, and forgotten with it."""

    mask_key: bytes
    share_key: WrappingKey
    seed: bytes
    shares: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)  # Dealt to it, by dealer.


class Contributor:
    """One contributor in one round. `record` is the transaction in which it keeps its value, sealed."""

    def __init__(self, name: str, value: int, record: bytes, entropy: Entropy) -> None:
        self.name = name
        self._value = value
        self._record = record
        self._entropy = entropy
        self._secrets: Secrets | None = None
        self._said: set[type] = set()
        self._joins = 0
        self._looked_at: set[str] = set()
        self.unproven: dict[str, str] = {}  # Dealers whose box it could not use, though it can prove nothing.
        self.unmasked = Unmasked()
        self._releases_seen = 0
        self.verdict = Verdict.OPEN

    def react(self, at: Round) -> list[RoundDeed]:
        """What it says now that the round stands like this on its own ledger."""
        deeds: list[RoundDeed] = []
        if self._may(at, JOINING, at.start.contributors, RoundJoin) or self._was_copied(at):
            deeds.append(self._join(at))
        if (secrets := self._secrets) is None or self.name not in at.members:
            return deeds
        if self._may(at, DEALING, at.members, RoundDeal):
            deeds.append(self._deal(at, secrets))
        deeds += self._look_at_boxes(at, secrets)
        if self._may(at, SENDING, at.dealers, RoundValue):
            deeds.append(self._send(at, secrets))
        if self._may(at, RELEASING, at.present, RoundRelease):
            deeds.append(self._release(at, secrets))
        if self.name in at.present and at.phase in (RELEASING, DONE):
            self._compare(at, secrets)
        return deeds

    def _may(self, at: Round, phase: str, among: tuple[str, ...], kind: type) -> bool:
        """Whether it is its turn, for the first time."""
        if at.phase != phase or self.name not in among or kind in self._said:
            return False
        self._said.add(kind)
        return True

    def _was_copied(self, at: Round) -> bool:
        """Whether all that it registered so far was registered by somebody else first, who saw it under way.

        A copier has no use of public keys but to shut their owner out; each time it must be faster again.
        """
        if at.phase != JOINING or self.name in at.joined or not 0 < self._joins < MOST_JOINS:
            return False
        refused = [why for place, why in at.refused if place.author == self.name]
        return refused.count(COPIED) == self._joins

    def _join(self, at: Round) -> RoundJoin:
        self._joins += 1
        mask_key, share_key = self._entropy(SECRET_BYTES), WrappingKey.generate(self._entropy)
        self._secrets = Secrets(mask_key, share_key, self._entropy(SECRET_BYTES))
        return RoundJoin(at.id, public_half(mask_key), share_key.public.raw)

    def _deal(self, at: Round, secrets: Secrets) -> RoundDeal:
        count, needed = len(at.members), at.needed
        seed_shares = split(secrets.seed, needed, count, self._entropy)
        key_shares = split(secrets.mask_key, needed, count, self._entropy)
        commits, boxes = [], []
        for holder, seed, key in zip(at.members, seed_shares, key_shares, strict=True):
            commits.append(
                (
                    share_commit(at.id, self.name, holder, SEED, seed),
                    share_commit(at.id, self.name, holder, KEY, key),
                )
            )
            boxes.append(box(at.id, self.name, holder, at.joined[holder].share_key, seed, key))
        commit = seed_commit(at.id, self.name, secrets.seed)
        return RoundDeal(at.id, commit, tuple(commits), tuple(boxes))

    def _look_at_boxes(self, at: Round, secrets: Secrets) -> list[RoundDeed]:
        """Open what was dealt to it; a share that is not the one committed to is shown to everybody."""
        blames: list[RoundDeed] = []
        place = at.members.index(self.name)
        for dealer, deal in at.deals.items():
            if dealer in self._looked_at:
                continue
            self._looked_at.add(dealer)
            shares = open_box(at.id, dealer, self.name, secrets.share_key, deal.boxes[place])
            if shares is None:
                self.unproven[dealer] = "its share cannot be opened"
                continue
            given = (
                share_commit(at.id, dealer, self.name, SEED, shares[0]),
                share_commit(at.id, dealer, self.name, KEY, shares[1]),
            )
            if given == deal.commits[place]:
                secrets.shares[dealer] = shares
                continue
            self.unproven[dealer] = "its share is not the one committed to"
            again = box(at.id, dealer, self.name, secrets.share_key.public.raw, *shares)
            if dealer != self.name and compare_digest(again, deal.boxes[place]):
                blames.append(RoundBlame(at.id, dealer, *shares))
        return blames

    def _send(self, at: Round, secrets: Secrets) -> RoundValue:
        keys = {name: at.joined[name].mask_key for name in at.dealers}
        masks = (
            self_mask(secrets.seed, at.id, self.name),
            pair_masks(self.name, secrets.mask_key, keys, at.id),
        )
        return RoundValue(at.id, masked(self._value, masks), self._record)

    def _release(self, at: Round, secrets: Secrets) -> RoundRelease:
        """Of those present the share of the seed, of those absent that of the key: never both of one."""
        shares = secrets.shares
        given = Released(
            seeds=tuple((name, shares[name][0]) for name in at.present if name in shares),
            keys=tuple((name, shares[name][1]) for name in at.absent if name in shares),
        )
        wraps, body = release(at.id, self.name, given, at.audience_keys(), self._entropy)
        return RoundRelease(at.id, wraps, body)

    def _compare(self, at: Round, secrets: Secrets) -> None:
        """Compute the total from what is on the ledger, and hold the published one against it."""
        if self.verdict in (Verdict.RIGHT, Verdict.WRONG):
            return
        if self.unmasked.total is None and len(at.releases) > self._releases_seen:
            self._releases_seen = len(at.releases)
            self.unmasked = unmask(at, self.name, secrets.share_key)
        if at.result is None:
            return
        total = self.unmasked.total
        if total is None:
            self.verdict = Verdict.UNKNOWN
        else:
            own = total_hash(at.id, self.unmasked.salt, total)
            self.verdict = Verdict.RIGHT if compare_digest(own, at.result.total) else Verdict.WRONG

    def forget(self) -> None:
        """Let go of the round's secrets. What was dealt to it can be opened by nobody from then on."""
        self._secrets = None

    def secrets(self) -> list[tuple[str, bytes]]:
        """What nobody else may ever hold, each with its kind: for the scan for leaks, and for tests."""
        if self._secrets is None:
            return []
        own = self._secrets
        shares = [("share", share) for both in own.shares.values() for share in both]
        return [
            ("mask key", own.mask_key),
            ("share key", own.share_key.secret_bytes()),
            ("mask seed", own.seed),
            *shares,
        ]

    def __repr__(self) -> str:
        return f"Contributor({self.name})"
