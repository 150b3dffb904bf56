"""Messages, records and outputs as JSON, messages from JSON: bytes as hex, types named as in the paper."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from consensus.certificates import BlockCertificate, PreparedCertificate
from consensus.messages import (
    Fetch,
    FetchBatch,
    FetchRequests,
    NewView,
    ReplicaMessage,
    Status,
    ViewChange,
)
from consensus.new_view import renewed
from consensus.votes import Batch, BlockVote, Commit, Prepare, PrePrepare, null_batch

Sign = Callable[[int, ReplicaMessage], bytes]

TYPES: dict[str, type[msgspec.Struct]] = {
    "pre-prepare": PrePrepare,
    "prepare": Prepare,
    "commit": Commit,
    "block-vote": BlockVote,
    "status": Status,
    "fetch": Fetch,
    "fetch-requests": FetchRequests,
    "fetch-batch": FetchBatch,
}


class BadLine(Exception):
    """A line of the script that cannot be followed: what is wrong, and what to write instead."""

    def __init__(self, what: str, next: str) -> None:
        super().__init__(what)
        self.what, self.next = what, next


def shown(value: Any) -> Any:
    """A struct, or anything inside one, as JSON."""
    if isinstance(value, msgspec.Struct):
        fields = {name: shown(getattr(value, name)) for name in value.__struct_fields__}
        return {"type": kebab(type(value).__name__), **fields}
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple | list):
        return [shown(each) for each in value]
    return value


def kebab(name: str) -> str:
    """PrePrepare -> pre-prepare."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


def given(fields: dict[str, Any], name: str, kind: type, default: Any = None) -> Any:
    """A field of a command, of the right type."""
    value = fields.get(name, default)
    if not isinstance(value, kind) or isinstance(value, bool) is not (kind is bool):
        raise BadLine(f'"{name}" is missing or not {kind.__name__}', f'give "{name}"')
    return value


def hex_bytes(text: Any, name: str) -> bytes:
    """Bytes from hex."""
    try:
        return bytes.fromhex(text)
    except (ValueError, TypeError):
        raise BadLine(f'"{name}" is not hex', "two digits 0-9, a-f for each byte") from None


def batch_of(fields: dict[str, Any]) -> Batch:
    """A batch: sequence, proposer, time_ms, requests."""
    requests = tuple(hex_bytes(each, "requests") for each in given(fields, "requests", list, []))
    if not requests:
        return null_batch(given(fields, "sequence", int))
    sequence, proposer = given(fields, "sequence", int), given(fields, "proposer", int, 0)
    return Batch(sequence, proposer, given(fields, "time_ms", int), requests)


def message_of(fields: dict[str, Any], by: int, sign: Sign, n: int, epoch: int) -> ReplicaMessage:
    """The message that these fields describe, said by a member. `sign` signs what it quotes of others."""
    kind = given(fields, "type", str)
    if kind == "view-change":
        return _view_change(fields, by, sign, n, epoch)
    if kind == "new-view":
        return _new_view(fields, by, sign, n, epoch)
    if kind not in TYPES:
        raise BadLine(
            f"no message is called {kind!r}", f"one of {', '.join([*TYPES, 'view-change, new-view'])}"
        )
    known = {"epoch": epoch, "replica": by, "echo": "00" * 8, "view": 0, "state_root": "00" * 32}
    values = {}
    for field in msgspec.structs.fields(TYPES[kind]):
        value = fields.get(field.name, known.get(field.name))
        if value is None:
            raise BadLine(f'a {kind} has a "{field.name}"', f'give "{field.name}"')
        if isinstance(value, str):
            value = hex_bytes(value, field.name)
        elif isinstance(value, list):
            value = [hex_bytes(each, field.name) for each in value]
        values[field.name] = value
    message: ReplicaMessage = _checked(TYPES[kind](**values))
    return message


def _checked(message: Any) -> Any:
    """The same through the codec, which knows the limits of every field."""
    try:
        return msgspec.msgpack.decode(msgspec.msgpack.encode(message), type=type(message))
    except msgspec.MsgspecError as error:
        raise BadLine(f"no such message can be encoded: {error}", "see the formats in the README") from None


def _prepared(fields: dict[str, Any], sign: Sign, n: int, epoch: int) -> PreparedCertificate:
    view, sequence = given(fields, "view", int), given(fields, "sequence", int)
    digest = hex_bytes(fields.get("digest"), "digest")
    primary = view % n
    votes = [
        (i, sign(i, Prepare(epoch, view, sequence, digest, i))) for i in given(fields, "by", list) if i < n
    ]
    first = sign(primary, PrePrepare(epoch, view, sequence, digest, primary))
    return PreparedCertificate(epoch, view, sequence, digest, primary, first, tuple(votes))


def _stable(fields: dict[str, Any] | None, sign: Sign, n: int, epoch: int) -> BlockCertificate | None:
    if fields is None:
        return None
    sequence, block = given(fields, "sequence", int), hex_bytes(fields.get("block"), "block")
    votes = [(i, sign(i, BlockVote(epoch, sequence, block, i))) for i in given(fields, "by", list) if i < n]
    return BlockCertificate(epoch, sequence, block, tuple(votes))


def _view_change(fields: dict[str, Any], by: int, sign: Sign, n: int, epoch: int) -> ViewChange:
    proofs = [_prepared(each, sign, n, epoch) for each in given(fields, "prepared", list, [])]
    stable = _stable(fields.get("stable"), sign, n, epoch)
    change: ViewChange = _checked(ViewChange(epoch, given(fields, "view", int), stable, tuple(proofs), by))
    return change


def _new_view(fields: dict[str, Any], by: int, sign: Sign, n: int, epoch: int) -> NewView:
    view = given(fields, "view", int)
    changes = []
    for each in given(fields, "view_changes", list):
        author = given(each, "by", int)
        change = _view_change({"view": view, **each}, author, sign, n, epoch)
        changes.append((change, sign(author, change)))
    entries = fields.get("proposes")
    if entries is None:
        chosen = renewed([change for change, _ in changes])
    else:
        chosen = [(given(e, "sequence", int), hex_bytes(e.get("digest"), "digest")) for e in entries]
    proposals = []
    for sequence, digest in chosen:
        proposal = PrePrepare(epoch, view, sequence, digest, by)
        proposals.append((proposal, sign(by, proposal)))
    message: NewView = _checked(NewView(epoch, view, tuple(changes), tuple(proposals), by))
    return message
