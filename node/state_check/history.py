"""What two parties compare: the writes of the objects they share, in chain order, and what each did."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

from node.canonical import encode
from node.objects.private_state import Judged
from node.state_check.packets import StateWrite


class History:
    """The writes that two parties share, as one of them has them judged.

    An object is called by its first write, which both read alike; names and the digests of an index are
    nobody else's.
    """

    def __init__(self, judged: Iterable[Judged], pair: Sequence[str]) -> None:
        self.writes = [each for each in judged if set(pair) <= set(each.write.audience)]
        first: dict[bytes, bytes] = {}
        for each in self.writes:
            first.setdefault(each.write.object, each.write.tx)
        self._did = [
            encode(
                (
                    each.write.tx,
                    first[each.write.object],
                    each.write.audience,
                    each.outcome,
                    each.version,
                )
            )
            for each in self.writes
        ]

    def roots(self, network: bytes, salt: bytes, heights: Sequence[int]) -> tuple[bytes, ...]:
        """The salted roots over all writes up to each of these heights, which never fall."""
        running, place, found = sha256(b"privity/v1/state-root\0" + network), 0, []
        for height in heights:
            while place < len(self.writes) and self.writes[place].write.height <= height:
                write = self.writes[place].write
                running.update(encode((write.height, write.position)) + self._did[place])
                place += 1
            found.append(sha256(salt + height.to_bytes(8, "big") + running.digest()).digest())
        return tuple(found)

    def at(self, height: int) -> tuple[StateWrite, ...]:
        """The writes in one block, with a digest of what each did."""
        return tuple(
            StateWrite(each.write.position, each.write.tx, sha256(did).digest()[:16])
            for each, did in zip(self.writes, self._did, strict=True)
            if each.write.height == height
        )

    def waits(self, height: int) -> set[int]:
        """Places in one block whose write is not judged."""
        return {
            each.write.position
            for each in self.writes
            if each.write.height == height and each.outcome == "waiting"
        }


def first_difference(
    own: Sequence[StateWrite], others: Sequence[StateWrite]
) -> tuple[StateWrite | None, StateWrite | None] | None:
    """The first place at which two lists of writes in one block differ: what each has there, or None."""
    mine = {each.position: each for each in own}
    theirs = {each.position: each for each in others}
    for position in sorted({*mine, *theirs}):
        if mine.get(position) != theirs.get(position):
            return mine.get(position), theirs.get(position)
    return None
