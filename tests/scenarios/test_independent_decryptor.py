"""Who-sees against a decryptor that shares no code with it and is given more: disk, keys and all traffic."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.errors import FINE
from node.run_folder import RunFolder
from scenarios.knowledge.matrix import build_matrix
from scenarios.knowledge.rows import Matrix, Row
from scenarios.model.prediction import BROKER
from tests.command_line import Privity
from tests.scenarios.independent_decryptor import (
    Decryptor,
    Found,
    Knowledge,
    of_capture,
    of_folder,
    wrapping_keys,
)

SCENARIOS = Path(__file__).parents[2] / "scenarios"
STORIES = (
    "clearing-house",
    "consent",
    "hello",
    "late-disclosure",
    "loan-ledger",
    "lossy-wan",
    "mandatory-reader",
    "off-chain",
    "proved-liars",
    "right-to-be-forgotten",
    "sealed-bid-tender",
    "trade-documents",
    "whistle",
)
"""Those with private business of their own kind; the others send and lose packets, as lossy-wan does."""


def run(privity: Privity, home: Path, story: str) -> RunFolder:
    """The run of a story that ships, in the virtual world."""
    done = privity(home, "run", str(SCENARIOS / f"{story}.yaml"), "--transport", "memory", "-q")
    assert done.code == FINE, done.out + done.err
    return RunFolder.find(home)


def opened(folder: RunFolder, *names: str) -> dict[bytes, Knowledge]:
    """What these parties can read together, with their disks, their keys and all that the broker carried."""
    found = of_capture(folder.capture, Found())
    keys = []
    for name in names:
        of_folder(folder.node(name), found)
        keys += wrapping_keys(folder.node(name))
    assert len(keys) == len(names)
    return Decryptor(found, keys).run()


def says(row: Row, name: str) -> tuple[bool, set[tuple[object, ...]]]:
    """What the matrix says that a party has: the content key, and which fields."""
    known = row.knows.get(name)
    if known is None:
        return False, set()
    return known.key is not None, {path for path in known.opened if not str(path[0]).startswith("_")}


def differences(folder: RunFolder, matrix: Matrix) -> set[tuple[str, str]]:
    """Transaction and party where the decryptor reads other fields, or has a key that the matrix denies."""
    found = set()
    for name in matrix.columns:
        if name == BROKER:
            continue
        read = opened(folder, name)
        for row in matrix.rows:
            known = read.get(row.id, Knowledge())
            if says(row, name) != (known.key, set(known.leaves)):
                found.add((row.name, name))
    return found


@pytest.mark.parametrize("story", STORIES)
def test_p31_who_sees_tells_what_can_truly_be_read(privity: Privity, tmp_path: Path, story: str) -> None:
    """P31, P53: for each party and transaction the same fields. Only what all nodes have erased the recorder
    gives away all the same, and a note says so.
    """
    folder = run(privity, tmp_path, story)
    matrix = build_matrix(folder)
    differs = differences(folder, matrix)
    for tx, name in differs:
        row = matrix.row(tx)
        assert row.id in matrix.erased, f"{name} can read {tx}"
        assert says(row, name) == (False, set())
    told = " ".join(matrix.notes)
    assert all(tx in told for tx, _ in differs)
    assert bool(differs) == (story == "right-to-be-forgotten")
    # All together read all of it, so that finding nothing means something; an outsider reads nothing.
    everybody = opened(folder, *[name for name in matrix.columns if name != BROKER])
    assert all(everybody[row.id].leaves for row in matrix.rows if row.transaction is not None)
    assert not opened(folder)


def test_p50_what_passed_before_an_opening_opens_no_bid(privity: Privity, tmp_path: Path) -> None:
    """All traffic up to then, and all keys but those of the bidder and of one opener: no field of a bid."""
    folder = run(privity, tmp_path, "sealed-bid-tender")
    matrix = build_matrix(folder, "end")
    before = 11_000
    parties = [name for name in matrix.columns if name != BROKER]
    for tx, bidder in (("bid-acme", "acme"), ("bid-bolt", "bolt"), ("bid-crane", "crane")):
        for opener in ("notary", "auditor"):
            others = [name for name in parties if name not in (bidder, opener)]
            found = of_capture(folder.capture, Found(), before)
            keys = [key for name in others for key in wrapping_keys(folder.node(name))]
            assert matrix.row(tx).id in found.transactions
            assert matrix.row(tx).id not in Decryptor(found, keys).run()
            keys += wrapping_keys(folder.node(opener))
            assert (
                Decryptor(found, keys).run()[matrix.row(tx).id].key
            )  # Both openers together can, as predicted.


def test_p31_a_matrix_that_told_less_would_be_noticed(privity: Privity, tmp_path: Path) -> None:
    """A reader whose blob is taken from its folder reads nothing for who-sees; the decryptor knows better."""
    folder = run(privity, tmp_path, "hello")
    matrix = build_matrix(folder)
    row = next(row for row in matrix.rows if row.transaction is not None)
    reader = next(name for name in row.readers() if row.cells[name].reason == "N")
    assert not differences(folder, matrix)
    (folder.node(reader) / "blobs" / row.id.hex()).unlink()
    assert differences(folder, build_matrix(folder)) == {(row.name, reader)}
