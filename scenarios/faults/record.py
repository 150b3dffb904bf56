"""What became of each fault of a run: kept in `faults.jsonl`, where the judge and `privity why` read it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import msgspec

from consensus.quorum import quorum
from node.private_files import append_private


class FaultRecord(msgspec.Struct, kw_only=True):
    """One fault. Times are milliseconds since the genesis; None for what has not come.

    `nodes` are those it was done to, selectors resolved. `until_ms` is when it is to heal by itself. It heals
    from `healing_ms`, when the first node gets back what it lacked, to `ended_ms`, when the last one has it.
    `touched` counts what it really did: processes that were down or stood still, packets that were altered.
    """

    id: str
    kind: str
    line: int = 0
    what: str = ""  # In a few words, as it was asked for.
    to: tuple[str, ...] = ()  # Whom alone it concerns; everybody if empty.
    nodes: tuple[str, ...] = ()
    groups: tuple[tuple[str, ...], ...] = ()
    counts: bool = False  # Whether its nodes count as faulty for good: they lie, or lost their disk.
    began_ms: int | None = None
    began_height: int | None = None
    until_ms: int | None = None
    healing_ms: int | None = None
    ended_ms: int | None = None
    touched: int = 0
    note: str = ""  # Why it could not be carried out, if so.

    @property
    def active(self) -> bool:
        """Whether it has begun and not ended."""
        return self.began_ms is not None and self.ended_ms is None

    @property
    def vacuous(self) -> bool:
        """Whether it never began, or nothing felt it."""
        return self.began_ms is None or not self.touched

    def overlaps(self, from_ms: int, to_ms: int) -> bool:
        """Whether it was on at some moment of this time."""
        return (
            self.began_ms is not None
            and self.began_ms <= to_ms
            and (self.ended_ms is None or self.ended_ms >= from_ms)
        )


def faulty(records: Iterable[FaultRecord]) -> set[str]:
    """Nodes that lied, or may have forgotten what they promised: nothing is expected of them any more."""
    return {name for record in records if record.counts for name in record.nodes}


def append(path: Path, record: FaultRecord) -> None:
    """Write down how a fault stands now."""
    append_private(path, msgspec.json.encode(record) + b"\n")


def read(path: Path) -> list[FaultRecord]:
    """The last word on each fault, in the order in which they were first spoken of."""
    if not path.exists():
        return []
    records: dict[str, FaultRecord] = {}
    for line in path.read_bytes().splitlines():
        try:
            record = msgspec.json.decode(line, type=FaultRecord)
        except msgspec.DecodeError:
            continue  # Cut short by whatever stopped the run.
        records[record.id] = record
    return list(records.values())


def isolated(records: Iterable[FaultRecord], voters: Collection[str]) -> set[str]:
    """Nodes that faults which are on keep from following: down, still, cut off, without a usable disk.

    Of the groups of a partition only one with a quorum of the voters can go on.
    """
    names: set[str] = set()
    for record in records:
        if not record.active:
            continue
        if record.kind in ("crash", "restart", "pause", "disconnect", "corrupt-disk"):
            names |= set(record.nodes)
        elif record.kind == "partition":
            for group in record.groups:
                if len(set(group) & set(voters)) < quorum(len(voters)):
                    names |= set(group)
    return names
