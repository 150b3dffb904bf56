"""Reading a node's folder from outside: whole, beside the running node, and without touching it."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from node.chain.journal import Journal
from node.chain.reading import read_node
from node.chain.store import DELIVERED, NO_PAYLOAD, NOT_PARTY
from node.errors import NOT_REACHABLE, PrivityError
from node.run_reading import RunReading
from node.wire import Inclusion, Verifier
from tests.run_of_nodes import NAMES, LiveRun


def contents(folder: Path) -> dict[str, str]:
    """Every file below a folder, with a digest of what is in it."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def last_record(journal: Path, run: LiveRun) -> bytes:
    """The bytes of a journal's last record."""
    with closing(Journal.open_read_only(journal, run.network.id)) as opened:
        *_, (offset, _) = opened.replay()
    return journal.read_bytes()[offset:]


def test_a_chain_is_read_with_its_proofs(stopped: LiveRun) -> None:
    """Every block that is read comes with two certificates that a stranger can check."""
    verifier = Verifier(stopped.network)
    reading = read_node(stopped.folder.node("crane"), stopped.network)
    assert list(range(1, reading.height + 1)) == [block.height for block in reading.blocks]
    for block in reading.blocks:
        assert block.block_certificate is not None
        proof = Inclusion(block.batch, block.certificate, block.header, block.block_certificate)
        assert verifier.inclusion(proof) is None
        assert block.hash == block.header.hash()
        assert block is reading.block(block.height)
    assert reading.block(0) is None and reading.block(reading.height + 1) is None


def test_all_nodes_read_alike(stopped: LiveRun) -> None:
    """After a run all folders hold the same chain and the same transactions, in the same order."""
    readings = [read_node(stopped.folder.node(name), stopped.network) for name in NAMES]
    assert len({reading.head.hash for reading in readings if reading.head}) == 1
    assert len({tuple(reading.transactions) for reading in readings}) == 1
    assert len(list(readings[0].private())) == 7


def test_a_running_node_can_be_read(live: LiveRun) -> None:
    """A transaction that a running node has just executed is in its folder, with its blob."""
    identifier = live.send("reading", "city", ["acme"], {"n": 1})
    reading = read_node(live.folder.node("bolt"), live.network)
    assert identifier in reading.transactions
    assert reading.blob(identifier) is not None and reading.has_blob(identifier)
    assert identifier.hex() in {holding.tx for holding in reading.holdings if holding.gained == "blob"}


def test_reading_leaves_no_trace(copied: LiveRun) -> None:
    """Reading a stopped node's folder, payload states included, changes no file and adds none."""
    folder = copied.folder.node("acme")
    before = contents(folder)
    reading = read_node(folder, copied.network)
    assert reading.payload_states()
    assert before == contents(folder)


def test_payload_states_are_the_nodes_own(stopped: LiveRun) -> None:
    """A node says of each payload what it made of it."""
    reading = read_node(stopped.folder.node("crane"), stopped.network)
    states = list(reading.payload_states().values())
    # tender, diary, planted; all others; the consortium.
    assert (states.count(DELIVERED), states.count(NOT_PARTY), states.count(NO_PAYLOAD)) == (3, 4, 1)


@pytest.mark.parametrize("cut", [1, 7, 9, 40])
def test_a_torn_last_record_is_left_out(copied: LiveRun, cut: int) -> None:
    """A last record that is cut short, as while it is being written, takes nothing else with it."""
    folder = copied.folder.node("acme")
    whole = read_node(folder, copied.network)
    journal = folder / "journal"
    data = journal.read_bytes()
    journal.write_bytes(data + last_record(journal, copied)[:cut])
    assert whole.blocks == read_node(folder, copied.network).blocks
    assert len(data) + cut == journal.stat().st_size


def test_a_last_record_half_written_is_left_out(copied: LiveRun) -> None:
    """The same when its length is there already and its bytes are not."""
    folder = copied.folder.node("acme")
    whole = read_node(folder, copied.network)
    journal = folder / "journal"
    record = last_record(journal, copied)
    journal.write_bytes(journal.read_bytes() + record[:-30] + bytes(30))
    assert whole.blocks == read_node(folder, copied.network).blocks


def test_damage_is_told(copied: LiveRun) -> None:
    """A flipped bit in the middle of a journal is E-JOURNAL, and not a shorter chain."""
    folder = copied.folder.node("acme")
    data = bytearray((folder / "journal").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "journal").write_bytes(bytes(data))
    with pytest.raises(PrivityError) as told:
        read_node(folder, copied.network)
    assert (told.value.code, told.value.exit_code) == ("E-JOURNAL", NOT_REACHABLE)


def test_a_folder_that_is_gone(copied: LiveRun) -> None:
    """A deleted folder is E-NO-RUN, naming whose it was; one without a journal has no blocks."""
    folder = copied.folder.node("acme")
    (folder / "journal").unlink()
    assert read_node(folder, copied.network).height == 0
    shutil.rmtree(folder)
    with pytest.raises(PrivityError) as told:
        read_node(folder, copied.network)
    assert (told.value.code, told.value.exit_code) == ("E-NO-RUN", NOT_REACHABLE)
    assert "acme" in told.value.what


def test_a_transaction_is_found_by_any_of_its_names(stopped: LiveRun) -> None:
    """By label, by digits of its hash, and by those of one that nobody labelled."""
    reading = RunReading(stopped.folder)
    found = reading.find("bid-acme")
    assert found == reading.find(found.id.hex()) == reading.find(found.id.hex()[:16])
    (unlabelled,) = [
        ordered.id for ordered, _ in reading.highest().private() if reading.label(ordered.id) is None
    ]
    assert unlabelled == reading.find(unlabelled.hex()[:12]).id
    assert unlabelled.hex()[:8] == reading.find(unlabelled.hex()).name
    with pytest.raises(PrivityError, match="E-TX"):
        reading.find("bid-acne")
