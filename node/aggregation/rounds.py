"""The public course of rounds: what each deed on the chain leads to, the same for all who have the chain.

    joining -> dealing -> sending -> releasing -> done
       `---------`----------`------------`----> ended, without a total

The coordinator's RoundFix takes a round on, and names who goes on with it: some of those who did what the
stage asks for. A deed that comes too late, twice, or from somebody else has no effect, and `refused` says so.
It stands in a valid block all the same: blocks are judged by other things.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from hmac import compare_digest

from node.aggregation.boxes import KEY, SEED, box, share_commit
from node.aggregation.differencing import given_away
from node.aggregation.sharing import threshold
from node.canonical import DecodeError
from node.chain.deeds import Deed
from node.chain.round_deeds import (
    DEALT,
    JOINED,
    PRESENT,
    WHY_ENDED,
    RoundBlame,
    RoundDeal,
    RoundDeed,
    RoundEnd,
    RoundFix,
    RoundJoin,
    RoundRelease,
    RoundResult,
    RoundStart,
    RoundValue,
)

JOINING, DEALING, SENDING, RELEASING, DONE, ENDED = (
    "joining",
    "dealing",
    "sending",
    "releasing",
    "done",
    "ended",
)
COPIED = "a key of somebody else"
_STAGE_OF = {JOINING: JOINED, DEALING: DEALT, SENDING: PRESENT}
_STRANGER = {
    JOINING: "not a contributor",
    DEALING: "not a member of the round",
    SENDING: "not a member of the round",
    RELEASING: "not present",
}
_NEXT = {JOINING: DEALING, DEALING: SENDING, SENDING: RELEASING}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a deed stands: the id of its act, its author, and the height of its block."""

    act: bytes
    author: str
    height: int


@dataclass(slots=True)
class Round:
    """One round as the chain tells it. `members` are those who registered in time, `dealers` those of them
    who dealt shares, `present` those whose values count: each set is fixed once, by an act.
    """

    id: bytes
    coordinator: str
    start: RoundStart
    height: int
    phase: str = JOINING
    joined: dict[str, RoundJoin] = field(default_factory=dict)
    members: tuple[str, ...] = ()
    deals: dict[str, RoundDeal] = field(default_factory=dict)
    dealers: tuple[str, ...] = ()
    values: dict[str, RoundValue] = field(default_factory=dict)
    present: tuple[str, ...] = ()
    releases: dict[str, RoundRelease] = field(default_factory=dict)
    result: RoundResult | None = None
    ended: str = ""
    blamed: dict[str, str] = field(default_factory=dict)
    refused: list[tuple[Place, str]] = field(default_factory=list)
    last_height: int = 0

    @property
    def needed(self) -> int:
        """How many shares give a secret."""
        return threshold(len(self.members))

    @property
    def least(self) -> int:
        """With fewer the round cannot go on."""
        return max(self.start.minimum, self.needed if self.members else 0)

    @property
    def absent(self) -> tuple[str, ...]:
        """Dealers whose value does not count."""
        return tuple(name for name in self.dealers if name not in self.present)

    @property
    def over(self) -> bool:
        return self.phase in (DONE, ENDED)

    @property
    def audience(self) -> tuple[str, ...]:
        """To whom the total may become known, in the order of the wraps of a release."""
        return (*self.present, self.coordinator)

    def audience_keys(self) -> list[bytes]:
        """Their share keys."""
        return [*(self.joined[name].share_key for name in self.present), self.start.share_key]

    def dropped(self) -> dict[str, str]:
        """The contributors whose values do not count, and what each of them did not do in time."""
        found = {}
        for name in self.start.contributors:
            if self.phase != JOINING and name not in self.members:
                found[name] = "did not register in time"
            elif self.phase not in (JOINING, DEALING) and name not in self.dealers:
                found[name] = "dealt no shares in time"
            elif self.present and name not in self.present:
                found[name] = "sent no value in time"
        return found


class Rounds:
    """All rounds of a chain. `apply` takes its deeds in chain order, each once."""

    def __init__(self) -> None:
        self.by_id: dict[bytes, Round] = {}

    def apply(self, place: Place, deed: Deed) -> str:
        """Take one deed; why it has no effect, or nothing. Other deeds than those of rounds are passed by."""
        if isinstance(deed, RoundStart):
            self.by_id[place.act] = Round(
                place.act, place.author, deed, place.height, last_height=place.height
            )
            return ""
        if not isinstance(deed, RoundDeed):
            return ""
        found = self.by_id.get(deed.round)
        if found is None:
            return "no such round"
        reason = self._take(found, place, deed)
        if reason:
            found.refused.append((place, reason))
        else:
            found.last_height = place.height
        return reason

    def _take(self, at: Round, place: Place, deed: RoundDeed) -> str:
        author = place.author
        match deed:
            case RoundJoin():
                return _join(at, author, deed)
            case RoundDeal():
                return _deal(at, author, deed)
            case RoundValue():
                return _value(at, author, deed)
            case RoundRelease():
                return _release(at, author, deed)
            case RoundBlame():
                return _blame(at, author, deed)
        if author != at.coordinator:
            return "not by its coordinator"
        if at.over:
            return "the round is over"
        match deed:
            case RoundFix():
                return self._fix(at, deed)
            case RoundResult():
                if at.phase != RELEASING or len(at.releases) < at.needed:
                    return "nothing is released yet"
                at.result, at.phase = deed, DONE
            case RoundEnd():
                at.ended, at.phase = WHY_ENDED[deed.why], ENDED
        return ""

    def _fix(self, at: Round, deed: RoundFix) -> str:
        if _STAGE_OF.get(at.phase) != deed.stage:
            return "another stage"
        done = {JOINED: set(at.joined), DEALT: set(at.deals), PRESENT: set(at.values)}[deed.stage]
        if not set(deed.members) <= done:
            return "names somebody who did not do it"
        if len(deed.members) < max(at.start.minimum, threshold(len(at.members or deed.members))):
            return "too few"
        if deed.stage == DEALT and set(deed.members) & set(at.blamed):
            return "names a liar"
        if deed.stage == PRESENT:
            if self.tells(at, deed.members):
                return "would give a value away"
            at.present = deed.members
        elif deed.stage == DEALT:
            at.dealers = deed.members
        else:
            at.members = deed.members
        at.phase = _NEXT[at.phase]
        return ""

    def tells(self, at: Round, present: Iterable[str]) -> tuple[str, str] | None:
        """Whose value the total over this set would give away, and to whom, beside earlier totals.

        Earlier are all rounds on the same field whose present were fixed, whoever coordinated them and
        whether or not a total came of it: their shares may have been released.
        """
        earlier = [
            frozenset(each.present)
            for each in self.by_id.values()
            if each.present and each.start.field == at.start.field
        ]
        return given_away([*earlier, frozenset(present)])


def _out_of_turn(at: Round, author: str, whose: Container[str], done: Container[str], phase: str) -> str:
    """Why a deed that each of these does once, in one phase, has no effect now; or nothing."""
    if author not in whose:
        return _STRANGER[phase]
    if author in done:
        return "done before"
    return "" if at.phase == phase else "too late"


def _join(at: Round, author: str, deed: RoundJoin) -> str:
    if reason := _out_of_turn(at, author, at.start.contributors, at.joined, JOINING):
        return reason
    keys = {key for each in at.joined.values() for key in (each.mask_key, each.share_key)}
    if keys & {deed.mask_key, deed.share_key} or at.start.share_key in (deed.mask_key, deed.share_key):
        return COPIED
    at.joined[author] = deed
    return ""


def _deal(at: Round, author: str, deed: RoundDeal) -> str:
    if reason := _out_of_turn(at, author, at.members, at.deals, DEALING):
        if at.deals.get(author, deed) != deed:
            at.blamed.setdefault(author, "dealt shares twice")
        return reason
    if len(deed.boxes) != len(at.members):
        return "not a share for each member"
    at.deals[author] = deed
    return ""


def _value(at: Round, author: str, deed: RoundValue) -> str:
    if reason := _out_of_turn(at, author, at.dealers, at.values, SENDING):
        if at.values.get(author, deed) != deed:
            at.blamed.setdefault(author, "sent two values")
        return reason
    at.values[author] = deed
    return ""


def _release(at: Round, author: str, deed: RoundRelease) -> str:
    if reason := _out_of_turn(at, author, at.present, at.releases, RELEASING):
        return reason
    if len(deed.wraps) != len(at.audience):
        return "not for all of them"
    at.releases[author] = deed
    return ""


def _blame(at: Round, author: str, deed: RoundBlame) -> str:
    """A proof that stands: the shares give the box that the dealer signed, and not what it committed to."""
    deal = at.deals.get(deed.dealer)
    if author not in at.members or deal is None:
        return "not a member of the round"
    place = at.members.index(author)
    try:
        made = box(at.id, deed.dealer, author, at.joined[author].share_key, deed.seed_share, deed.key_share)
    except DecodeError:
        return "proves nothing"
    if not compare_digest(made, deal.boxes[place]):
        return "proves nothing"
    given = (
        share_commit(at.id, deed.dealer, author, SEED, deed.seed_share),
        share_commit(at.id, deed.dealer, author, KEY, deed.key_share),
    )
    if given == deal.commits[place]:
        return "proves nothing"
    at.blamed.setdefault(deed.dealer, "dealt a share that is not the one committed to")
    return ""
