"""What a payload says of the private object that it writes: reserved leaves beside its fields.

A payload with `_object` is a write: its fields become the object's, if the object's version is the one that
`expects` names (0: there is none yet). Name and version are as private as the fields, and proved like them.
Which object it is follows from the name and from who can read the payload: readers cannot be claimed.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from node.canonical import DecodeError
from node.envelopes.payload import Payload
from node.errors import WRONG_USAGE, PrivityError
from node.text import clean

OBJECT_FIELD = "_object"
NAME_LIMIT = 64
MOST_VERSIONS = 2**31


class ObjectWrite(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The name of an object, and the version that it must have for the write to count."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_LIMIT)]
    expects: Annotated[int, msgspec.Meta(ge=0, lt=MOST_VERSIONS)]

    def __repr__(self) -> str:
        return "ObjectWrite(secret)"


def writing(name: str, expects: int) -> dict[str, dict[str, object]]:
    """The leaves that make a payload a write of this object, as fields to put beside its own."""
    return {OBJECT_FIELD: {"name": name, "expects": expects}}


def written_by(payload: Payload) -> ObjectWrite | None:
    """What the payload writes, None if it is a mere record. Raises DecodeError for what is no write."""
    leaves = {leaf.path: leaf.value for leaf in payload.leaves if leaf.path[0] == OBJECT_FIELD}
    if not leaves:
        return None
    if any(len(path) != 2 for path in leaves):
        raise DecodeError("object")
    try:
        found = msgspec.convert({str(path[1]): value for path, value in leaves.items()}, ObjectWrite)
    except msgspec.ValidationError:
        raise DecodeError("object") from None
    # Whether a name can be printed is for clients to ask: Unicode changes, and readers must agree.
    if type(leaves[(OBJECT_FIELD, "expects")]) is not int:
        raise DecodeError("object")
    return found


def check_name(name: str, where: str = "") -> None:
    """Refuse what cannot name an object. Raises PrivityError E-OBJECT (wrong usage); it quotes nothing."""
    if not 1 <= len(name) <= NAME_LIMIT or clean(name) != name:
        raise PrivityError(
            "E-OBJECT",
            "this cannot be the name of an object",
            where=where,
            why=f"a name is 1 to {NAME_LIMIT} characters that can be printed",
            next="write loan-17, for instance",
            exit_code=WRONG_USAGE,
        )
