"""What a packet or a journal record says, read from its bytes alone.

The formats are those of consensus/README.md: MessagePack arrays, the kind first. What cannot be read has no
meaning for a checker: replicas drop it, and nothing follows from it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import msgpack

PRE_PREPARE, PREPARE, COMMIT, BLOCK_VOTE, STATUS = 1, 2, 3, 4, 5
VIEW_CHANGE, NEW_VIEW = 8, 9
SIGNED, PROPOSAL, COMMITTED = 1, 2, 4
MOST_MEMBERS = 1 << 16
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


class Said:
    """One signed message: its vote if it is one, else the whole array; and the batch of a proposal.

    `name` is what it is about: two different ones of one name contradict each other. `body` is what they say,
    as it is signed. `cast` names what a pre-prepare or prepare is a vote for, whoever casts it; it is empty
    for everything else. `bit` stands for the author of a vote, `height` is 0 for what is no vote; `casts` are
    the pre-prepare and the prepare for what a vote other than a block vote is for. `entry` is height, name
    and body.
    """

    __slots__ = (
        "array",
        "author",
        "batch",
        "bit",
        "body",
        "cast",
        "casts",
        "entry",
        "height",
        "kind",
        "name",
        "signature",
        "vote",
    )

    def __init__(self, array: list[Any], signature: bytes, batch: list[Any] | None) -> None:
        self.kind = kind = array[0]
        self.author = author = array[-1]
        self.signature = signature
        self.array = array
        self.batch = batch
        self.body = body = packed(array)
        self.vote = vote = vote_of(array)
        self.cast, self.casts = b"", NO_CASTS
        name: tuple[Any, ...] = ()
        self.bit = height = 0
        if vote is not None:
            name = vote[:4]
            height = vote[3]
            self.bit = 1 << author if 0 <= author < MOST_MEMBERS else 0
            if kind != BLOCK_VOTE:
                self.casts = casts = casts_of(*vote[1:5])
                if kind != COMMIT:
                    self.cast = casts[kind == PREPARE]
        elif kind in (VIEW_CHANGE, NEW_VIEW):
            name = (kind, array[1], array[2])
        self.name, self.height = name, height
        self.entry = (height, name, body)


def cast_of(kind: int, epoch: int, view: int, sequence: int, digest: bytes) -> bytes:
    """A vote without its author, as one name."""
    return b"%d %d %d %d " % (kind, epoch, view, sequence) + digest


@lru_cache(maxsize=4096)
def casts_of(epoch: int, view: int, sequence: int, digest: bytes) -> tuple[bytes, bytes]:
    """The names of a pre-prepare and of a prepare for the same."""
    return (
        cast_of(PRE_PREPARE, epoch, view, sequence, digest),
        cast_of(PREPARE, epoch, view, sequence, digest),
    )


NO_CASTS = (b"", b"")


def packed(value: Any) -> bytes:
    """The encoding of a value."""
    encoded: bytes = _pack(value)
    return encoded


_pack = msgpack.Packer(use_bin_type=True).pack


def unpack(data: bytes) -> Any:
    """The value that these bytes encode, or None."""
    try:
        return msgpack.unpackb(data, raw=False, strict_map_key=False)
    except (ValueError, TypeError, msgpack.UnpackException):  # TypeError: a map with a list for a key.
        return None


def said_in(data: bytes) -> Said | None:
    """The signed message of a packet, if it is one."""
    packet = unpack(data)
    if not isinstance(packet, list) or not packet:
        return None
    if packet[0] == SIGNED and len(packet) == 3:
        return said_by(packet[1], packet[2])
    if packet[0] == PROPOSAL and len(packet) == 4:
        return said_by(packet[1], packet[2], packet[3])
    return None


def of_signed(signed: list[Any]) -> Said | None:
    """The message of a `Signed` array."""
    try:
        _, array, signature = signed
    except (ValueError, TypeError):
        return None
    return said_by(array, signature)


def said_by(array: Any, signature: Any, batch: list[Any] | None = None) -> Said | None:
    """A message with its signature, if it is one."""
    try:
        if not isinstance(array[-1], int) or not isinstance(signature, bytes):
            return None
        return Said(array, signature, batch)
    except (ValueError, IndexError, TypeError, OverflowError, KeyError):
        return None


def vote_of(array: list[Any]) -> Vote | None:
    """The vote that an array is, or None."""
    if array[0] in (PRE_PREPARE, PREPARE, COMMIT) and len(array) == 6:
        return tuple.__new__(Vote, array)  # The same as Vote(*array), which is not made in C.
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
