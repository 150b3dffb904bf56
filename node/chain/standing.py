"""What owners have agreed to, and withdrawn: the consents that stand at a place of the chain.

A function of the public acts on a ledger, in their order. Only what the sender of a transaction says of it
counts; whose act it is, is compared when somebody asks, since only then the transaction is at hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from node.chain.deeds import Consent, Disclosure, Purge, Revocation
from node.envelopes.payload import Leaf
from node.envelopes.rule import FORBIDDEN, FREE, hidden_name, rule_of

if TYPE_CHECKING:
    from node.chain.act import Act
    from node.chain.reading import Ordered

Place = tuple[int, int]
"""Height, and position in its block."""


class Said(NamedTuple):
    """A consent or its revocation, where it stands and who says so."""

    place: Place
    author: str
    deed: Consent | Revocation


class State(NamedTuple):
    """What an owner has said last to one party: agreed, or withdrawn; and in which block.

    `ends` is the last height of an agreement for some blocks, 0 for one without an end.
    """

    agreed: bool
    height: int
    ends: int = 0


class Standing:
    """The consents and revocations on one chain, and the records of disclosures that they are about.

    `records` has the ids of these records, `carriers` the same by what carries the disclosure, `shown` the
    carriers with their disclosers by what they show, `shows` what is shown, with the discloser, by carrier.
    `purges` are what somebody wants erased, and since when.
    """

    def __init__(self) -> None:
        self._said: dict[bytes, list[Said]] = {}
        self.records: list[bytes] = []
        self.carriers: dict[bytes, list[bytes]] = {}
        self.purges: list[tuple[bytes, str, int]] = []
        self.shown: dict[bytes, list[tuple[bytes, str]]] = {}
        self.shows: dict[bytes, list[tuple[bytes, str]]] = {}

    def add(self, identifier: bytes, place: Place, author: str, deed: object) -> None:
        """An act took effect; those about other things are left out."""
        if isinstance(deed, Consent | Revocation):
            self._said.setdefault(deed.tx, []).append(Said(place, author, deed))
        elif isinstance(deed, Disclosure):
            self.records.append(identifier)
            self.carriers.setdefault(deed.carrier, []).append(identifier)
            self.shown.setdefault(deed.tx, []).append((deed.carrier, author))
            self.shows.setdefault(deed.carrier, []).append((deed.tx, author))
        elif isinstance(deed, Purge):
            self.purges.append((deed.tx, author, place[0]))

    @classmethod
    def of(cls, acts: Iterable[tuple[Ordered, Act]]) -> Standing:
        """That of the acts of a reading, in chain order."""
        standing = cls()
        for ordered, act in acts:
            standing.add(ordered.id, (ordered.height, ordered.position), act.sender, act.deed)
        return standing

    def speaks_of(self, tx: bytes) -> bool:
        """Whether anybody consented to or revoked anything about this transaction."""
        return tx in self._said

    def about(self, tx: bytes, owner: str, until: Place) -> Iterator[Said]:
        """What the owner of a transaction said of it before this place."""
        return (said for said in self._said.get(tx, ()) if said.author == owner and said.place < until)

    def state(self, tx: bytes, owner: str, leaf: Leaf | None, name: str, before: Place) -> State | None:
        """The owner's last word on this party before a place of the chain; None if there is none.

        `leaf` is that of the rule, without which hidden names are not recognised. An agreement that has
        lapsed by then counts as withdrawn from the next height on.
        """
        word: State | None = None
        for said in self.about(tx, owner, before):
            deed = said.deed
            named = deed.to if isinstance(deed, Consent) else deed.of
            if name in named or (leaf is not None and hidden_name(tx, leaf, name) in deed.hidden):
                agreed = isinstance(deed, Consent)
                word = State(agreed, said.place[0], deed.until if isinstance(deed, Consent) else 0)
        if word is not None and word.agreed and word.ends and before[0] > word.ends:
            return State(False, word.ends + 1, word.ends)
        return word

    def forbids(
        self,
        tx: bytes,
        owner: str,
        leaf: Leaf | None,
        discloser: str,
        receivers: Iterable[str],
        before: Place,
    ) -> list[str]:
        """To whom of these the discloser may not show it at that place: the owner may to all.

        A party from whom the owner withdrew it is shown nothing by others, whatever the rule.
        """
        if discloser == owner:
            return []
        rule, found = rule_of(leaf), []
        for name in receivers:
            state = self.state(tx, owner, leaf, name, before)
            withdrawn = state is not None and not state.agreed
            agreed = state is not None and state.agreed
            if withdrawn or rule == FORBIDDEN or (rule != FREE and not agreed):
                found.append(name)
        own = self.state(tx, owner, leaf, discloser, before)
        if own is not None and not own.agreed:
            return list(receivers)  # Who must not use it any more has nobody to show it to.
        return found
