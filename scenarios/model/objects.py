"""The private objects that steps write: `object:` and `expects:`, and what should come of each write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from node.envelopes.object_write import writing
from node.objects.private_state import APPLIED, Write, judge

if TYPE_CHECKING:
    from scenarios.model.plan import PlannedSend

DEFAULT_CHECK = 20
"""Blocks from one comparison of private state to the next, where steps write objects."""


@dataclass(frozen=True, slots=True, repr=False)
class Writes:
    """The object that a transaction writes, and the version that it expects: as private as its fields."""

    name: str
    expects: int

    def __repr__(self) -> str:
        return "Writes(secret)"


def with_write(fields: Mapping[str, Any], writes: Writes | None) -> dict[str, Any]:
    """The fields with the leaves of the write beside them, if there is one."""
    return dict(fields) | (writing(writes.name, writes.expects) if writes else {})


def writes_of(name: str | None, expects: int | None) -> Writes | None:
    """What the keys of a step say."""
    return None if name is None else Writes(name, expects or 0)


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What should come of a write if transactions are ordered as they are sent.

    `version` is the object's afterwards; `at_once` are the others of its object sent at the same moment.
    """

    send: PlannedSend
    applied: bool
    version: int
    at_once: tuple[str, ...]


def foreseen(sends: Sequence[PlannedSend]) -> list[Foreseen]:
    """What should come of each write, in the order of sending."""
    objects: dict[tuple[tuple[str, ...], str], list[PlannedSend]] = {}
    for send in sends:
        if send.writes is not None:
            audience = tuple(sorted({send.sender, *send.readers}))
            objects.setdefault((audience, send.writes.name), []).append(send)
    found = {}
    for (audience, _), group in objects.items():
        writes = [
            Write(b"", place, 0, send.sender, audience, b"", send.writes.expects if send.writes else 0)
            for place, send in enumerate(group)
        ]
        for send, judged in zip(group, judge(writes), strict=True):
            at_once = tuple(each.id for each in group if each.at_ms == send.at_ms and each is not send)
            found[send.id] = Foreseen(send, judged.outcome == APPLIED, judged.version, at_once)
    return [found[send.id] for send in sends if send.id in found]


def foreseen_lines(sends: Sequence[PlannedSend], most: int = 20) -> list[str]:
    """Lines for `check`. Names of objects are private, so the audience stands for them."""
    lines, told = [], set[str]()
    for each in foreseen(sends):
        if each.send.id in told:
            continue
        told.update(each.at_once)
        audience = " ".join(sorted({each.send.sender, *each.send.readers}))
        what = f"version {each.version}" if each.applied else f"refused: stale, is {each.version}"
        who = f"{each.send.id} writes"
        if each.at_once:
            count = len(each.at_once)
            who = f"{each.send.id} and {count} more write at once"
            what += ", or one of the others is first"
        lines.append(f"{who} an object of {audience}: {what}")
    more = len(lines) - most
    return [*lines[:most], *([f"and {more} more"] if more > 0 else [])]
