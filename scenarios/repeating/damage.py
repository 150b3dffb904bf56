"""Damage to what one party's disk says of a private object, while a run goes on: a divergence to be noticed.

Nothing that a party can be sent makes honest nodes differ on what a write did; a disk that lies, or a bug,
does. So the row is changed behind the node's back.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress

import msgspec

from node.objects.object_rows import read_writes
from node.run_folder import RunFolder

LOOK_S = 0.1
OTHER = 6
_APPLIED = "UPDATE object_write SET version = version + ? WHERE tx = ? AND outcome = 'applied'"


class Damage(msgspec.Struct, frozen=True):
    """From `at_ms` on, as soon as `node` has applied the write `step`, its disk says another version."""

    node: str
    step: str
    at_ms: int


@asynccontextmanager
async def damaging(folder: RunFolder, damage: Damage | None) -> AsyncIterator[None]:
    """Do it, if there is something to do, beside what is run within."""
    task = None if damage is None else asyncio.ensure_future(_damage(folder, damage))
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _damage(folder: RunFolder, damage: Damage) -> None:
    await asyncio.sleep(damage.at_ms / 1000)
    while not _struck(folder, damage):
        await asyncio.sleep(LOOK_S)


def _struck(folder: RunFolder, damage: Damage) -> bool:
    path = folder.node(damage.node) / "index.sqlite"
    for tx in _writes(folder, damage.step):
        with suppress(sqlite3.Error), closing(sqlite3.connect(path, isolation_level=None)) as database:
            return database.execute(_APPLIED, (OTHER, tx)).rowcount == 1
    return False


def is_damaged(folder: RunFolder, damage: Damage) -> bool:
    """Whether the disk of that party says another version still."""
    rows = read_writes(folder.node(damage.node))
    return any(each.write.tx in _writes(folder, damage.step) and each.version > OTHER for each in rows)


def _writes(folder: RunFolder, step: str) -> list[bytes]:
    return [bytes.fromhex(label.tx) for label in folder.transactions() if label.id == step]
