"""What one came to know of one transaction: the fields that were opened, and how and when each of them was.

Names of fields are as private as their values. They are taken only from what was opened with some party's
key, and values are never kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from node.envelopes.disclosure import RULE_FIELD, Shown
from node.envelopes.envelope import unseal
from node.envelopes.fields import Path
from node.envelopes.keys import WrappingKey
from node.envelopes.object_write import OBJECT_FIELD
from node.envelopes.payload import Leaf, Payload
from node.envelopes.transaction import Blob, PrivateTransaction
from scenarios.model.field_names import lies_in
from scenarios.model.payloads import CANARY_FIELD

_OWN = (CANARY_FIELD, RULE_FIELD, OBJECT_FIELD)


class Since(NamedTuple):
    """When something was gained: ms since genesis, and the height of the node then (None for the broker)."""

    t_ms: int
    height: int | None


class How(NamedTuple):
    """The letter of a reason (node/cells.py), and since when."""

    reason: str
    since: Since | None


@dataclass(frozen=True, slots=True)
class Knowledge:
    """The fields of one transaction that one party can read.

    `opened` has the path of each with how it was opened first. `of` is how many fields there are, None if
    that is not known. `key` is how the content key was had, which opens them all; None without it.
    """

    opened: Mapping[Path, How] = field(default_factory=dict)
    of: int | None = None
    key: How | None = None

    @property
    def whole(self) -> bool:
        """Whether that is all there is."""
        return self.key is not None or (self.of is not None and 0 < self.of == len(self.opened))

    def __bool__(self) -> bool:
        """Whether anything was opened."""
        return self.key is not None or bool(self.opened)

    def __or__(self, other: Knowledge) -> Knowledge:
        """Both together. What was opened twice counts from the earlier time."""
        opened = dict(self.opened)
        for path, how in other.opened.items():
            opened[path] = _earlier(opened[path], how) if path in opened else how
        keys = [key for key in (self.key, other.key) if key is not None]
        first = _earlier(*keys) if len(keys) == 2 else next(iter(keys), None)
        return Knowledge(opened, self.of if self.of is not None else other.of, first)

    def how(self) -> How:
        """How it was come by as a whole: one reason if all of it has the same, else none.

        All of it is had since its last field came, a part of it since its first.
        """
        if self.key is not None:
            return self.key
        reasons = {how.reason for how in self.opened.values()}
        known = (how.since for how in self.opened.values() if how.since is not None)
        times = sorted(known, key=lambda since: (since.t_ms, since.height or 0))
        since = (times[-1] if self.whole else times[0]) if times else None
        return How(reasons.pop() if len(reasons) == 1 else "", since)

    def covers(self, name: str, paths: Iterable[Path]) -> bool:
        """Whether it holds each of these paths that is the named field, or lies in it; one there must be."""
        wanted = [path for path in paths if lies_in(path, name)]
        return bool(wanted) and all(path in self.opened for path in wanted)

    def touches(self, name: str) -> bool:
        """Whether it holds anything of the named field."""
        return any(lies_in(path, name) for path in self.opened)


def unsealed(transaction: PrivateTransaction, blob: Blob, key: WrappingKey, how: How) -> Knowledge:
    """What a wrapping key opens of a blob: all of it. Raises NotAParty or Unreadable, as `unseal` does."""
    return of_payload(unseal(transaction, blob, key).payload, how)


def of_payload(payload: Payload, how: How) -> Knowledge:
    """What whoever opened this payload knows: all of it."""
    opened = _said(payload.leaves, how)
    return Knowledge(opened, len(opened), how)


def disclosed(shown: Shown, how: How) -> Knowledge:
    """What a disclosure shows: some fields, or all of them, and never the content key."""
    opened = _said(shown.leaves, how)
    return Knowledge(opened, len(opened) if shown.whole else None)


def _said(leaves: Iterable[Leaf], how: How) -> dict[Path, How]:
    """Without what Privity itself puts beside the fields, which is no part of what was said."""
    return {leaf.path: how for leaf in leaves if leaf.path[0] not in _OWN}


def path_order(path: Path) -> tuple[tuple[bool, str | int], ...]:
    """To sort paths by, whatever they consist of."""
    return tuple((isinstance(step, str), step) for step in path)


def _earlier(first: How, second: How) -> How:
    if first.since is None or second.since is None:
        return first if second.since is None else second
    # What the broker carried has no height, and may have the time of what a node noted.
    return first if first.since.t_ms <= second.since.t_ms else second
