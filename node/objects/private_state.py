"""Private objects: what a write does, as a function of the chain and of nothing else.

An object belongs to its audience, the parties that can read its writes: `(audience, name)`. Every reader can
compute the audience from the content key, so nobody needs to be told, and nobody can claim another: the same
name in another audience is another object. Writes are judged in chain order, (height, position). One that
expects the version which the object has makes the next version; any other is stale, which is a reasoned
failure and no more: it holds nothing up, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

APPLIED = "applied"  # The object has a new version.
STALE = "stale"  # It expected another version.
OUTSIDER = "outsider"  # Its sender is not of the audience (P38).
WAITING = "waiting"  # Something before it on the chain is not known yet, and may touch the same object.

Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Write:
    """A write as its readers have it.

    `object` is a salted digest of audience and name, `audience` the names of its parties in order.
    """

    tx: bytes
    height: int
    position: int
    sender: str
    audience: tuple[str, ...]
    object: bytes
    expects: int

    @property
    def place(self) -> Place:
        """Where it is on the chain."""
        return self.height, self.position


@dataclass(frozen=True, slots=True)
class Judged:
    """What a write did. `version` is the object's afterwards, so for a stale one the version that it is."""

    write: Write
    outcome: str
    version: int


def judge(writes: Iterable[Write], version: int = 0, limit: Place | None = None) -> Iterator[Judged]:
    """The outcomes of the writes of one object, given in chain order, from the version before them.

    From the place `limit` on the chain is not known well enough, and they wait.
    """
    for write in writes:
        outcome = _outcome(write, version) if limit is None or write.place < limit else WAITING
        version += outcome == APPLIED
        yield Judged(write, outcome, version)


def _outcome(write: Write, version: int) -> str:
    if write.sender not in write.audience:
        return OUTSIDER
    return APPLIED if write.expects == version else STALE
