"""The privacy matrix: found out by trying to decrypt, at any moment, and written for people to read."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise

import pytest

from node.errors import WRONG_USAGE
from node.run_reading import RunReading
from scenarios.knowledge.matrix import build_matrix
from scenarios.knowledge.metadata import metadata_of, possible_readers
from scenarios.knowledge.rows import Matrix
from scenarios.knowledge.view import matrix_lines
from tests.command_line import Privity
from tests.run_of_nodes import CANARY, NAMES, LiveRun

COLUMNS = (*NAMES, "broker")


def cells(matrix: Matrix, tx: str) -> dict[str, str]:
    """A row as words: '● S'."""
    return {column: f"{cell.symbol} {cell.reason}".rstrip() for column, cell in matrix.row(tx).cells.items()}


def test_the_matrix_equals_the_plan(stopped: LiveRun) -> None:
    """Who was named reads, and nobody else does, where the sender kept to what he said (P31)."""
    matrix = build_matrix(stopped.folder)
    assert matrix.columns == COLUMNS
    honest = {label: readers for label, readers in stopped.planned.items() if label != "planted"}
    assert honest == {label: matrix.readers(label) for label in honest}
    assert cells(matrix, "bid-bolt") == {
        "city": "● N",
        "acme": "○",
        "bolt": "● S",
        "notary": "● N",
        "crane": "○",
        "broker": "○",
    }


def test_a_reader_whom_nobody_named_is_shown(stopped: LiveRun) -> None:
    """A transaction sealed to one key more than its list says has that reader in the matrix."""
    assert stopped.planned["planted"] == {"acme", "city"}
    assert build_matrix(stopped.folder).readers("planted") == {"acme", "city", "crane"}
    assert build_matrix(stopped.folder, only=["planted"]).readers("planted") == {"acme", "city", "crane"}


def test_without_its_key_a_party_reads_nothing(copied: LiveRun) -> None:
    """With its wrapping key gone a party has ciphertext where it was a reader, and a note says why."""
    (copied.folder.node("city") / "keys" / "wrapping.pem").unlink()
    matrix = build_matrix(copied.folder)
    assert {"○"} == {row.cells["city"].symbol for row in matrix.rows}
    assert [note.split()[0] for note in matrix.notes] == ["city"]
    assert matrix.readers("tender") == {"acme", "bolt", "crane"}


def test_a_key_reads_what_it_opens(copied: LiveRun) -> None:
    """Somebody with another's wrapping key file reads what that other reads."""
    stolen = copied.folder.node("city") / "keys" / "wrapping.pem"
    shutil.copy(stolen, copied.folder.node("crane") / "keys" / "wrapping.pem")
    matrix = build_matrix(copied.folder)
    assert cells(matrix, "bid-acme")["crane"] == "● N"
    assert cells(matrix, "diary")["crane"] == "○"


def test_without_the_ciphertext_there_is_only_the_commitment(copied: LiveRun) -> None:
    """A node that lost a blob, or holds another in its place, has the commitment alone."""
    identifier = RunReading(copied.folder).find("tender").id
    (copied.folder.node("acme") / "blobs" / identifier.hex()).unlink()
    bolt = copied.folder.node("bolt") / "blobs" / identifier.hex()
    bolt.write_bytes(bolt.read_bytes()[:-1] + bytes([bolt.read_bytes()[-1] ^ 1]))
    row = cells(build_matrix(copied.folder), "tender")
    assert (row["acme"], row["bolt"], row["crane"]) == ("#", "#", "● N")


def test_rows_fill_as_blocks_come(stopped: LiveRun) -> None:
    """At the block before its own a transaction is nowhere on a ledger; from its own on it is on all."""
    reading = RunReading(stopped.folder)
    for label in stopped.planned:
        height = reading.highest().transactions[reading.find(label).id].height
        before = build_matrix(stopped.folder, f"block {height - 1}")
        after = build_matrix(stopped.folder, f"block {height}")
        assert {"·"} == {before.row(label).cells[name].symbol for name in NAMES}
        assert not before.ordered(label) and after.ordered(label)
        assert build_matrix(stopped.folder).readers(label) == after.readers(label)


def test_time_and_since_agree(stopped: LiveRun) -> None:
    """A party reads from the millisecond of its `since` on, and not one before."""
    since = build_matrix(stopped.folder).row("bid-acme").cells["city"].since
    assert since is not None
    assert "city" in build_matrix(stopped.folder, f"{since.t_ms}ms", ["bid-acme"]).readers("bid-acme")
    assert "city" not in build_matrix(stopped.folder, f"{since.t_ms - 1}ms").readers("bid-acme")


def test_rows_come_in_chain_order(stopped: LiveRun) -> None:
    """Rows are as on the ledger; what the operator did not label is called by 8 digits of its hash."""
    matrix = build_matrix(stopped.folder)
    assert [*stopped.planned, matrix.rows[-1].id.hex()[:8]] == [row.name for row in matrix.rows]
    starts = [cell.since.t_ms for row in matrix.rows if (cell := row.cells["city"]).since]
    assert len(starts) == len(matrix.rows) and all(a <= b for a, b in pairwise(starts))


def test_the_broker_is_a_column(stopped: LiveRun) -> None:
    """The broker has each ciphertext before any node has executed it, by the clock of the same run."""
    for row in build_matrix(stopped.folder).rows:
        broker, city = row.cells["broker"], row.cells["city"]
        assert broker.symbol == "○"
        assert broker.since is not None and city.since is not None
        # The recorder is a client like the others and may hear a little later than they.
        assert -200 <= city.since.t_ms - broker.since.t_ms < 5000
        assert broker.since.height is None


def test_an_unrecorded_broker_is_not_innocent(copied: LiveRun) -> None:
    """Without a capture the broker is taken to have carried what arrived, and a note says so."""
    copied.folder.capture.unlink()
    matrix = build_matrix(copied.folder)
    assert {"○"} == {row.cells["broker"].symbol for row in matrix.rows}
    assert "the broker was not recorded" in matrix.notes[0]


def test_what_no_ledger_has_is_a_row(copied: LiveRun) -> None:
    """A submitted transaction that was not ordered is nowhere, and its row says so."""
    sealed = copied.sealed("city", ["acme"], {"n": 1})
    line = {"id": "lost", "tx": sealed.transaction.id.hex(), "as": "city", "to": ["acme"], "t": 1}
    with copied.folder.transactions_file.open("a") as labels:
        labels.write(json.dumps(line) + "\n")
    matrix = build_matrix(copied.folder)
    assert {"·"} == {cell.symbol for cell in matrix.row("lost").cells.values()}
    assert not matrix.ordered("lost")


def test_readers_know_of_one_another(stopped: LiveRun) -> None:
    """Recipients are known to the readers alone, who find exactly one another; a stranger's slot shows."""
    reading = RunReading(stopped.folder)
    matrix = build_matrix(stopped.folder)
    learned = {each.name: each for each in metadata_of(reading, matrix)}
    for label in stopped.planned:
        assert set(learned[label].recipients_known_to) == matrix.readers(label)
        assert tuple(learned[label].sender) == COLUMNS
    assert learned["planted"].recipients == ["city", "acme", "crane"]
    assert learned["leaked"].recipients is None


@pytest.mark.parametrize(
    ("slots", "others", "possible"),
    [(4, 5, (0, 3)), (4, 2, (0, 2)), (8, 20, (4, 7)), (32, 63, (16, 31))],
)
def test_slots_bound_the_readers(slots: int, others: int, possible: tuple[int, int]) -> None:
    """The number of slots says between which bounds the number of other readers lies."""
    assert possible == possible_readers(slots, others)


def test_the_document(stopped: LiveRun, privity: Privity) -> None:
    """`--json` is one document of schema privity.matrix/1 with exactly these fields."""
    done = privity(stopped.home, "who-sees", "--json")
    document = done.document
    assert done.code == 0
    assert list(document) == ["schema", "run", "at", "columns", "rows"]
    assert (document["schema"], document["run"], document["at"]) == ("privity.matrix/1", "0001", "end")
    assert list(COLUMNS) == document["columns"]
    fields = [row["field"] for row in document["rows"] if row["tx"] == "bid-acme"]
    assert fields == ["*", "price", "secret"]
    for row in document["rows"]:
        assert list(row) == ["tx", "field", "cells"]
        assert list(COLUMNS) == list(row["cells"])
        for cell in row["cells"].values():
            assert list(cell) == ["symbol", "reason", "since"]
            assert list(cell["since"]) == ["seconds", "height"]
    cell = document["rows"][0]["cells"]["city"]
    assert (cell["symbol"], cell["reason"]) == ("●", "S")


def test_the_table(stopped: LiveRun) -> None:
    """Names stand left, each cell in the middle of its column, under a rule as long as the head."""
    lines = matrix_lines(build_matrix(stopped.folder))
    assert lines[:4] == [
        "tx         city   acme   bolt   notary   crane   broker",
        "───────────────────────────────────────────────────────",
        "tender     ● S    ● N    ● N      ○       ● N      ○",
        "bid-acme   ● N    ● S     ○       ○        ○       ○",
    ]
    assert lines[-1] == "● reads the content   ○ ciphertext, no key   S sender   N named party"


def test_ascii(stopped: LiveRun, privity: Privity) -> None:
    """With --ascii the letters in brackets replace the symbols, and nothing else is not ASCII."""
    out = privity(stopped.home, "who-sees", "--ascii").out
    assert out.isascii()
    assert out.splitlines()[2] == "tender     [R] S   [R] N   [R] N    [C]     [R] N    [C]"


def test_one_transaction(stopped: LiveRun, privity: Privity) -> None:
    """A single transaction is a page: who holds what and why, the metadata, what can be inferred."""
    done = privity(stopped.home, "who-sees", "bid-bolt")
    lines = done.out.splitlines()
    assert done.code == 0
    assert lines[0] == "bid-bolt   content"
    assert lines[1].startswith("  ● S  bolt                  sender, block ")
    assert lines[2].startswith("  ● N  city notary           named party, block ")
    assert lines[3].startswith("  ○    acme crane            ciphertext, no key: it lies on every ledger, ")
    assert lines[4].startswith("  ○    broker                carried the ciphertext and the wrapped keys, ")
    assert lines[5:] == [
        "metadata   everyone: sender, time, padded size 256 B.  city bolt notary: recipients",
        "inference  everyone: at most 3 of 4 other parties are readers (4 key slots)",
    ]


def test_a_stranger_is_inferred(stopped: LiveRun, privity: Privity) -> None:
    """Of a key slot that is nobody's the page says that the readers can tell."""
    out = privity(stopped.home, "who-sees", "leaked").out
    assert out.rstrip().endswith("the readers see that a key slot is wrong, or made for a stranger")


def test_metadata_table(stopped: LiveRun, privity: Privity) -> None:
    """--metadata adds who learns sender, recipients, time and size."""
    lines = privity(stopped.home, "who-sees", "--metadata").out.splitlines()
    head = next(index for index, line in enumerate(lines) if line.startswith("metadata"))
    assert lines[head].split() == ["metadata", "sender", "recipients", "time", "size"]
    assert lines[head + 3].startswith("bid-acme   everyone   city acme")
    document = privity(stopped.home, "who-sees", "bid-acme", "--metadata", "--json").document
    assert document["metadata"][0]["recipients"] == ["city", "acme"]


def test_csv(stopped: LiveRun, privity: Privity) -> None:
    """--csv has one line for each transaction, under the columns."""
    lines = privity(stopped.home, "who-sees", "--csv").out.splitlines()
    assert lines[0] == "tx,field,city,acme,bolt,notary,crane,broker"
    assert lines[2] == "bid-acme,*,● N,● S,○,○,○,○"
    assert len(lines) == 8


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--if-stolen", "nobody"), "E-PARTY"),
        (("--at", "11"), "E-DURATION"),
        (("--at", "block x"), "E-DURATION"),
        (("bid-acne",), "E-TX"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], code: str, stopped: LiveRun, privity: Privity) -> None:
    """No party, no moment and no transaction are refused with exit code 2 and an empty stdout."""
    done = privity(stopped.home, "who-sees", *arguments)
    assert (done.code, done.out) == (WRONG_USAGE, "")
    assert code in done.err


def test_no_content_is_shown(stopped: LiveRun, privity: Privity) -> None:
    """Though it decrypts everything, the matrix prints nothing of any content."""
    for arguments in ((), ("--json", "--metadata"), ("tender",), ("--csv",)):
        done = privity(stopped.home, "who-sees", *arguments)
        assert CANARY not in done.out + done.err and "412000" not in done.out
