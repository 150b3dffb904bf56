"""What a packet or a journal record says, read from its bytes alone.

The formats are those of consensus/README.md: MessagePack arrays, the kind first. What cannot be read has no
meaning for a checker: replicas drop it, and nothing follows from it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgpack

PRE_PREPARE, PREPARE, COMMIT, BLOCK_VOTE, STATUS = 1, 2, 3, 4, 5
VIEW_CHANGE, NEW_VIEW = 8, 9
SIGNED, PROPOSAL, COMMITTED = 1, 2, 4
DOMAINS = {
    PRE_PREPARE: b"privity/v1/pre-prepare\0",
    PREPARE: b"privity/v1/prepare\0",
    COMMIT: b"privity/v1/commit\0",
    BLOCK_VOTE: b"privity/v1/block-vote\0",
    STATUS: b"privity/v1/status\0",
    6: b"privity/v1/fetch\0",
    7: b"privity/v1/fetch-requests\0",
    10: b"privity/v1/fetch-batch\0",
    VIEW_CHANGE: b"privity/v1/view-change\0",
    NEW_VIEW: b"privity/v1/new-view\0",
}


class Vote(NamedTuple):
    """A pre-prepare, prepare, commit or block vote. A block vote has view 0 and its block as digest."""

    kind: int
    epoch: int
    view: int
    sequence: int
    digest: bytes
    author: int

    @property
    def array(self) -> list[Any]:
        """The message as it is encoded."""
        if self.kind == BLOCK_VOTE:
            return [BLOCK_VOTE, self.epoch, self.sequence, self.digest, self.author]
        return list(self)


class Said(NamedTuple):
    """One signed message: its vote if it is one, else the whole array; and the batch of a proposal."""

    kind: int
    author: int
    signature: bytes
    array: list[Any]
    vote: Vote | None
    batch: list[Any] | None


def unpack(data: bytes) -> Any:
    """The value that these bytes encode, or None."""
    try:
        return msgpack.unpackb(data, raw=False, strict_map_key=False)
    except (ValueError, msgpack.UnpackException):
        return None


def said_in(data: bytes) -> Said | None:
    """The signed message of a packet, if it is one."""
    packet = unpack(data)
    if not isinstance(packet, list) or not packet:
        return None
    if packet[0] == SIGNED and len(packet) == 3:
        return of_signed(packet)
    if packet[0] == PROPOSAL and len(packet) == 4:
        said = of_signed([SIGNED, packet[1], packet[2]])
        return None if said is None else said._replace(batch=packet[3])
    return None


def of_signed(signed: list[Any]) -> Said | None:
    """The message of a `Signed` array."""
    try:
        _, array, signature = signed
        vote = vote_of(array)
        author = array[-1]
        if not isinstance(author, int) or not isinstance(signature, bytes):
            return None
    except (ValueError, IndexError, TypeError):
        return None
    return Said(array[0], author, signature, array, vote, None)


def vote_of(array: list[Any]) -> Vote | None:
    """The vote that an array is, or None."""
    if array[0] in (PRE_PREPARE, PREPARE, COMMIT) and len(array) == 6:
        return Vote(*array)
    if array[0] == BLOCK_VOTE and len(array) == 5:
        return Vote(BLOCK_VOTE, array[1], 0, array[2], array[3], array[4])
    return None


def commit_votes(certificate: list[Any]) -> list[tuple[Vote, bytes]]:
    """The votes of a commit certificate."""
    epoch, view, sequence, digest, signatures = certificate
    return [(Vote(COMMIT, epoch, view, sequence, digest, author), sig) for author, sig in signatures]


def block_votes(certificate: list[Any]) -> list[tuple[Vote, bytes]]:
    """The votes of a block certificate."""
    epoch, sequence, block, signatures = certificate
    return [(Vote(BLOCK_VOTE, epoch, 0, sequence, block, author), sig) for author, sig in signatures]


def prepared_votes(certificate: list[Any]) -> list[tuple[Vote, bytes]]:
    """The pre-prepare and the prepares of a prepared certificate."""
    epoch, view, sequence, digest, primary, signature, prepares = certificate
    first = (Vote(PRE_PREPARE, epoch, view, sequence, digest, primary), signature)
    rest = [(Vote(PREPARE, epoch, view, sequence, digest, author), sig) for author, sig in prepares]
    return [first, *rest]
