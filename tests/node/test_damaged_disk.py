"""A node whose indexes, journal or blobs were damaged comes back from its journal alone, or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from node.chain.journal import BlockRecord, BodiesRecord, Journal, JournalRecord
from node.chain.store import DELIVERED, MISSING
from node.errors import PrivityError
from tests.node.disk_of_a_node import holdings, records, with_sql
from tests.node.network_of_nodes import (
    founded,
    ready,
)

NETWORK = founded(voters=4, followers=1)


def delete(path: Path) -> None:
    path.unlink()


def overwrite(path: Path) -> None:
    path.write_bytes(b"this is not a database, whatever its name says" * 200)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    path.write_bytes(b"")


DAMAGES: dict[str, Callable[[Path], None]] = {
    "deleted": delete,
    "overwritten": overwrite,
    "cut": cut,
    "empty": empty,
    "a block missing": with_sql("DELETE FROM block WHERE height = 2"),
    "the last block missing": with_sql("DELETE FROM block WHERE height = (SELECT MAX(height) FROM block)"),
    "a block altered": with_sql("UPDATE block SET hash = zeroblob(32) WHERE height = 2"),
    "a state root altered": with_sql("UPDATE block SET state_root = zeroblob(32) WHERE height = 2"),
    "an offset altered": with_sql("UPDATE block SET at = at + 1 WHERE height = 2"),
    "a certificate's offset altered": with_sql("UPDATE block SET certified_at = 60 WHERE height = 2"),
    "a certificate forgotten": with_sql("UPDATE block SET certified_at = NULL WHERE height = 2"),
    "a transaction missing": with_sql("DELETE FROM tx WHERE height = 2"),
    "a transaction elsewhere": with_sql("UPDATE tx SET height = 1 WHERE height = 2"),
    "a body elsewhere": with_sql("UPDATE tx SET body_at = body_at + 1 WHERE height = 2"),
    "an outcome altered": with_sql("UPDATE tx SET outcome = 'duplicate' WHERE height = 2"),
    "a payload forgotten": with_sql("UPDATE tx SET payload = 'none' WHERE height = 2"),
    "ahead": with_sql(
        "INSERT INTO block SELECT height + 1, hash, state_root, time_ms, at, certified_at FROM block"
        " ORDER BY height DESC LIMIT 1"
    ),
    "without tables": with_sql("DROP TABLE tx", "DROP TABLE block"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_indexes_are_rebuilt_when_they_disagree_with_the_journal(tmp_path: Path, damage: str) -> None:
    """Indexes deleted, damaged, behind or ahead lead to the same head and the same indexes as before."""
    with ready(tmp_path, NETWORK) as world:
        for seed in range(2):
            world.settle(world.send(3, seed=seed))
        world.run(50)
        before, head, held = world.indexes("bob"), world.heads(), holdings(world, "bob")
        world.stop("bob")
        path = world.home("bob") / "index.sqlite"
        DAMAGES[damage](path)
        node = world.start("bob")
        assert world.heads() == head
        assert world.indexes("bob") == before
        world.run(50)
        assert node.private_view.counts[DELIVERED] == 6
        assert {line.split('"gained":')[1] for line in holdings(world, "bob")} == {
            line.split('"gained":')[1] for line in held
        }
        world.settle(world.send(1, seed="after"))


def test_a_journal_that_is_gone_is_missed(tmp_path: Path) -> None:
    """Indexes without their journal tell of votes forgotten: such a node does not start (R22)."""
    with ready(tmp_path, NETWORK) as world:
        world.stop("bob")
        (world.home("bob") / "journal").unlink()
        for _ in range(2):
            with pytest.raises(PrivityError, match="gone") as refused:
                world.start("bob")
            assert refused.value.code == "E-JOURNAL"
            (world.home("bob") / "journal").unlink()


def test_a_damaged_journal_keeps_a_node_from_starting(tmp_path: Path) -> None:
    """A node whose journal is damaged says nothing at all, and the others go on without it (R21)."""
    with ready(tmp_path, NETWORK) as world:
        world.settle(world.send(3))
        world.stop("bob")
        path = world.home("bob") / "journal"
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        world.said.clear()
        for _ in range(2):
            with pytest.raises(PrivityError) as refused:
                world.start("bob")
            assert refused.value.code == "E-JOURNAL"
        assert not list(world.packets("bob"))
        world.settle(world.send(2, seed=1))


def test_a_journal_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    """A block that leads elsewhere when executed again, or whose bodies are not there, is damage."""
    with ready(tmp_path, NETWORK) as world:
        world.settle(world.send(2))
        world.stop("bob")
        home = world.home("bob")
        found = records(home, NETWORK)
        (block,) = [r for r in found if isinstance(r, BlockRecord) and r.header.height == 2]
        original = (home / "journal").read_bytes()
        header = msgspec.structs.replace(block.header, state_root=bytes(32))
        journals: dict[str, list[JournalRecord]] = {
            "without bodies": [r for r in found if not isinstance(r, BodiesRecord)],
            "without block 1": [r for r in found if not isinstance(r, BlockRecord) or r == block],
            "with a block twice": [*found, block],
            "with another state": [
                msgspec.structs.replace(block, header=header) if r == block else r for r in found
            ],
        }
        for what, changed in journals.items():
            (home / "journal").unlink()
            with closing(Journal(home / "journal", NETWORK.id)) as journal:
                list(journal.replay())
                for record in changed:
                    journal.append(record)
            (home / "index.sqlite").unlink(missing_ok=True)
            with pytest.raises(PrivityError) as refused:
                world.start("bob")
            assert (what, refused.value.code) == (what, "E-JOURNAL")
        (home / "journal").write_bytes(original)
        world.start("bob")
        world.settle()


def test_blobs_that_were_lost_are_fetched_again(tmp_path: Path) -> None:
    """With its indexes and blobs gone a reader asks the others for the blobs and has its payloads again."""
    with ready(tmp_path, NETWORK) as world:
        world.settle(world.send(5, to=("bob",)))
        world.stop("bob")
        shutil.rmtree(world.home("bob") / "blobs")
        (world.home("bob") / "index.sqlite").unlink()
        node = world.start("bob")
        world.run(1)
        assert node.private_view.counts[MISSING] == 5
        world.run_until(lambda: node.private_view.counts[DELIVERED] == 5)
