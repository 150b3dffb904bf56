"""What lies on one node's disk, read and changed as if by hand."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from node.chain.journal import Journal, JournalRecord
from node.consortium import Network
from tests.node.network_of_nodes import World


def holdings(world: World, name: str) -> list[str]:
    """The lines of its list of holdings."""
    path = world.home(name) / "holdings.jsonl"
    return path.read_text().splitlines() if path.exists() else []


def records(home: Path, network: Network) -> list[JournalRecord]:
    """All of its journal, in order."""
    with closing(Journal.open_read_only(home / "journal", network.id)) as journal:
        return [record for _, record in journal.replay()]


def with_sql(*statements: str) -> Callable[[Path], None]:
    """A change of an SQLite database by these statements, to be given its path."""

    def change(path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            for statement in statements:
                database.execute(statement)

    return change
