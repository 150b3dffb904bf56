"""`who-sees --if-stolen`: what a thief of one party's keys could read, by trying them on all there is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from node.errors import NOT_REACHABLE, WRONG_USAGE
from node.run_reading import RunReading
from scenarios.knowledge.matrix import build_matrix, matrix_of
from scenarios.knowledge.moments import At
from scenarios.knowledge.rows import Matrix
from scenarios.knowledge.theft import CARRIED, DISK, NODES, Theft, steal, theft_lines
from tests.command_line import Privity
from tests.run_of_nodes import CANARY, NAMES, LiveRun
from tests.scenarios.virtual_evidence import evidence_of

# Half of the voters are gone for good when it is sent.
STOPPED = """\
privity: 1
name: stolen
network: {transport: memory}
consensus: {block_every: 50ms, view_timeout: 500ms}
parties: {alice: {}, bob: {}, carol: {}, thief: {}}
steps:
  - {at: 700ms, do: fault, id: gone, kind: crash, nodes: [carol, thief]}
  - {at: 1s, do: send, id: late, as: alice, to: [bob], data: {note: to be continued}}
expect:
  - {check: stall, during: gone}
"""


def stolen(run: LiveRun, party: str, at: str = "end") -> tuple[Theft, Matrix]:
    """What a thief of this party's keys has."""
    reading = RunReading(run.folder)
    matrix = matrix_of(reading, At.parse(at))
    return steal(reading, matrix, party), matrix


@pytest.mark.parametrize("party", NAMES)
def test_a_thief_reads_what_its_victim_reads(stopped: LiveRun, party: str) -> None:
    """Of the disk, the broker's capture and the other nodes alike: all of them have all ciphertexts."""
    theft, matrix = stolen(stopped, party)
    read = [row.name for row in matrix.rows if party in row.readers()]
    assert read and theft.reads == {DISK: read, CARRIED: read, NODES: read}
    assert theft.safe == [row.name for row in matrix.rows if row.name not in read]
    assert matrix.columns[-1] == theft.column == "thief"
    assert [row.name for row in matrix.rows if row.cells["thief"].symbol == "●"] == read
    assert {row.cells["thief"].symbol for row in matrix.rows if row.name in theft.safe} <= {"○"}


def test_each_place_is_tried_by_itself(copied: LiveRun) -> None:
    """A ciphertext that is gone from the disk is read from the capture, and from other nodes."""
    tx = RunReading(copied.folder).find("bid-bolt").id.hex()
    (copied.folder.node("bolt") / "blobs" / tx).unlink()
    theft, matrix = stolen(copied, "bolt")
    assert "bid-bolt" not in theft.reads[DISK]
    assert "bid-bolt" in theft.reads[CARRIED] and "bid-bolt" in theft.reads[NODES]
    since = matrix.row("bid-bolt").cells["thief"].since
    assert since is not None and since.height is None, "the broker carried it first"
    copied.folder.capture.unlink()
    theft, _ = stolen(copied, "bolt")
    assert theft.reads[CARRIED] == [] and "bid-bolt" in theft.reads[NODES]
    for name in NAMES:
        (copied.folder.node(name) / "blobs" / tx).unlink(missing_ok=True)
    theft, matrix = stolen(copied, "bolt")
    assert "bid-bolt" in theft.safe and matrix.row("bid-bolt").cells["thief"].symbol == "#"


def test_the_keys_of_now_are_tried_and_no_list_of_readers(copied: LiveRun) -> None:
    """With other keys in its folder bolt is not the party whose name stands in the lists."""
    keys = copied.folder.node("bolt") / "keys"
    shutil.copy(copied.folder.node("crane") / "keys" / "wrapping.pem", keys / "wrapping.pem")
    theft, _ = stolen(copied, "bolt")
    assert "diary" in theft.reads[NODES] and "bid-bolt" in theft.safe


def test_a_theft_has_a_time(stopped: LiveRun) -> None:
    """What came later than the moment is not yet to be had, from nobody."""
    since = build_matrix(stopped.folder).row("bid-bolt").cells["broker"].since
    assert since is not None
    theft, matrix = stolen(stopped, "bolt", f"{since.t_ms - 1}ms")
    assert "tender" in theft.reads[CARRIED] and "bid-bolt" in theft.safe
    assert matrix.row("bid-bolt").cells["thief"].symbol == "·"
    assert "bid-bolt" in stolen(stopped, "bolt", f"{since.t_ms}ms")[0].reads[CARRIED]


def test_what_no_ledger_has_is_read_from_the_capture(tmp_path: Path) -> None:
    """Of a transaction that was carried and never ordered bob has nothing, and a thief of its keys has all.

    One party is called thief here, which is no reason to take its column away.
    """
    evidence = evidence_of(tmp_path, STOPPED)
    reading = RunReading(evidence.folder)
    matrix = matrix_of(reading, At())
    theft = steal(reading, matrix, "bob")
    assert matrix.row("late").cells["bob"].symbol == "·"
    assert theft.reads == {DISK: [], CARRIED: ["late"], NODES: []}
    assert theft.column == "thief of bob" and len(matrix.columns) == 6
    assert matrix.row("late").cells["thief of bob"].text() == "● N"
    assert matrix.row("late").cells["thief"].text() == "·"


def test_long_lists_are_cut(stopped: LiveRun) -> None:
    """A load has hundreds; the list in words has twelve."""
    theft, matrix = stolen(stopped, "bolt")
    theft.safe = [f"traffic-{number:04}" for number in range(500)]
    (line,) = [line for line in theft_lines(theft, matrix) if "out of reach" in line]
    assert line.endswith(" traffic-0010 traffic-0011 and 488 more")


def test_in_words(stopped: LiveRun, privity: Privity) -> None:
    """The table with a column more, then a list of what is read from where."""
    done = privity(stopped.home, "who-sees", "--if-stolen", "bolt")
    lines = done.out.splitlines()
    assert done.code == 0
    assert lines[0].split() == ["tx", *NAMES, "broker", "thief"]
    assert lines[2].split()[-2:] == ["●", "N"]
    head = lines.index("whoever steals the keys of bolt reads 2 of 7 transactions")
    assert [line.split("  ")[1] for line in lines[head + 1 : head + 5]] == [
        "with bolt's disk",
        "with what the broker carried",
        "with every other node's blobs",
        "out of reach",
    ]
    assert all(line.endswith("  tender bid-bolt") for line in lines[head + 1 : head + 4])
    assert lines[head + 4].split()[3:7] == ["bid-acme", "diary", "planted", "leaked"]
    assert lines[head + 5] == "and can sign as bolt: send transactions, and vote"
    assert not privity(stopped.home, "who-sees", "--if-stolen", "crane").out.endswith("vote\n")
    assert CANARY not in done.out


def test_of_one_transaction_and_as_a_document(stopped: LiveRun, privity: Privity) -> None:
    """--json has the matrix with its column more, and the list beside it; the CSV has the column."""
    document = privity(stopped.home, "who-sees", "bid-bolt", "--if-stolen", "city", "--json").document
    assert document["columns"][-1] == "thief"
    assert {row["cells"]["thief"]["reason"] for row in document["rows"]} == {"N"}
    assert document["stolen"] == {
        "party": "city",
        "votes": True,
        "column": "thief",
        "reads": {"disk": ["bid-bolt"], "broker": ["bid-bolt"], "nodes": ["bid-bolt"]},
        "safe": [],
    }
    out = privity(stopped.home, "who-sees", "diary", "--if-stolen", "city", "--csv").out
    assert out.splitlines() == [
        "tx,field,city,acme,bolt,notary,crane,broker,thief",
        "diary,*,○,○,○,○,● S,○,○",
    ]


def test_what_cannot_be_stolen(copied: LiveRun, privity: Privity) -> None:
    """No such party, and no such keys."""
    done = privity(copied.home, "who-sees", "--if-stolen", "bollt")
    assert (done.code, "E-PARTY" in done.err, "did you mean bolt?" in done.err) == (WRONG_USAGE, True, True)
    (copied.folder.node("bolt") / "keys" / "wrapping.pem").unlink()
    done = privity(copied.home, "who-sees", "--if-stolen", "bolt")
    assert (done.code, done.out, "E-KEYS" in done.err) == (NOT_REACHABLE, "", True)
