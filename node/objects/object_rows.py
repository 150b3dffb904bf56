"""The writes of private objects in a node's index: ids, places, versions, and no name and no field.

What an object is called, and what is in it, is in the payload of its last write, which whoever may read it
unseals again. The rows go with the index, which is begun anew from the journal and the blobs when in doubt.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from pathlib import Path

from node.chain.store import Store
from node.objects.private_state import APPLIED, WAITING, Judged, Place, Write

_COLUMNS = "tx, height, position, sender, audience, object, expects, outcome, version"
_ORDER = " ORDER BY height, position"


class ObjectRows:
    """Reads and writes the table `object_write` of one store. Raises sqlite3.Error when the disk refuses."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, writes: Sequence[Write]) -> None:
        """Note writes, to be judged in chain order. Noting one again judges it again."""
        if writes:
            self._put(Judged(write, WAITING, 0) for write in writes)

    def put(self, judged: Sequence[Judged]) -> None:
        """Record outcomes, all of them or none."""
        if judged:
            self._put(judged)

    def _put(self, judged: Iterable[Judged]) -> None:
        database = self._store.database
        with database:
            database.execute("BEGIN")
            database.executemany(
                "INSERT OR REPLACE INTO object_write VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        each.write.tx,
                        each.write.height,
                        each.write.position,
                        each.write.sender,
                        " ".join(each.write.audience),
                        each.write.object,
                        each.write.expects,
                        each.outcome,
                        each.version,
                    )
                    for each in judged
                ],
            )

    def of(self, object_: bytes, since: Place = (0, 0)) -> list[Judged]:
        """The writes of one object from a place on, in chain order."""
        return self._select(" WHERE object = ? AND (height, position) >= (?, ?)" + _ORDER, (object_, *since))

    def version_before(self, object_: bytes, place: Place) -> int:
        """The version that an object has at a place of the chain; 0 before its first write."""
        found = self._store.database.execute(
            "SELECT MAX(version) FROM object_write"
            " WHERE object = ? AND outcome = ? AND (height, position) < (?, ?)",
            (object_, APPLIED, *place),
        )
        return int(found.fetchone()[0] or 0)

    def waiting(self) -> list[Judged]:
        """All that are not judged, in chain order."""
        return self._select(" WHERE outcome = ?" + _ORDER, (WAITING,))

    def until(self, height: int) -> list[Judged]:
        """All writes up to a height, in chain order."""
        return self._select(" WHERE height <= ?" + _ORDER, (height,))

    def _select(self, where: str, values: Sequence[object]) -> list[Judged]:
        rows = self._store.database.execute(f"SELECT {_COLUMNS} FROM object_write{where}", values)
        return [_judged(row) for row in rows]


def read_writes(folder: Path) -> list[Judged]:
    """The writes that a node's index tells of, in chain order; looked at from outside, and none if it cannot
    be asked.
    """
    path = folder / "index.sqlite"
    mode = "ro" if path.with_name("index.sqlite-wal").exists() else "ro&immutable=1"
    address = f"{path.absolute().as_uri()}?mode={mode}"
    with suppress(sqlite3.Error), closing(sqlite3.connect(address, uri=True)) as database:
        return [_judged(row) for row in database.execute(f"SELECT {_COLUMNS} FROM object_write{_ORDER}")]
    return []


def _judged(row: tuple[bytes, int, int, str, str, bytes, int, str, int]) -> Judged:
    tx, height, position, sender, audience, object_, expects, outcome, version = row
    write = Write(tx, height, position, sender, tuple(audience.split()), object_, expects)
    return Judged(write, outcome, version)
