"""`privacy: {payload: off_chain}` in a file and in virtual runs: prediction, matrix, receipts."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.errors import FINE, UNCONFIRMED
from node.run_folder import RunFolder
from scenarios.knowledge.broker_view import read_broker
from scenarios.model.loading import parse_scenario
from scenarios.model.plan import plan
from scenarios.model.prediction import predicted
from scenarios.model.problems import ScenarioInvalid
from tests.command_line import Privity

FILE = """privity: 1
network: {transport: memory}
privacy: {payload: off_chain%s}
parties: {alice: {}, bob: {}, carol: {}, dave: {}, erin: {votes: false}}
steps:
  - {at: 1s, do: send, id: rent, as: alice, to: [bob, carol], data: {pay: 950}}
  - {at: 2s, do: send, id: diary, as: dave, to: [], data: {mood: "rather good, all told"}}
%s
expect:
  - {check: agreement}
  - {check: no_plaintext}
"""
DOWN = "  - {at: 500ms, do: fault, id: down, kind: crash, nodes: [carol], for: 12s}"


def written(folder: Path, text: str) -> str:
    path = folder / "test.yaml"
    path.write_text(text)
    return str(path)


def matrix(privity: Privity, home: Path, *more: str) -> dict[str, dict[str, str]]:
    """Symbols by transaction and column."""
    document = privity(home, "who-sees", "--json", *more).document
    return {
        row["tx"]: {column: cell["symbol"] for column, cell in row["cells"].items()}
        for row in document["rows"]
    }


def test_the_matrix_is_as_predicted(privity: Privity, tmp_path: Path) -> None:
    """Readers read, others have the commitment, the broker carried the ciphertext."""
    text = FILE % ("", "")
    assert privity(tmp_path, "run", written(tmp_path, text), "-q").code == FINE
    scenario = parse_scenario(text, "test.yaml")
    foreseen = {
        row.tx: {column: cell.symbol for column, cell in row.cells.items()}
        for row in predicted(scenario, plan(scenario))
    }
    assert matrix(privity, tmp_path) == foreseen
    assert foreseen["rent"] == {
        "alice": "●",
        "bob": "●",
        "carol": "●",
        "dave": "#",
        "erin": "#",
        "broker": "○",
    }
    folder = RunFolder.find(tmp_path)
    carried = read_broker(folder.capture).carried  # By what passed, not by what must have passed.
    assert set(carried) == {bytes.fromhex(label.tx) for label in folder.transactions()}
    seen = privity(tmp_path, "who-sees", "rent", "--metadata").out
    assert "who fetches it" in seen and "it lies on every ledger" not in seen
    shown = privity(tmp_path, "show", "tx", "rent", "--as", "dave").out
    assert "950" not in shown and "payloads go to their readers alone" in shown
    assert "950" in privity(tmp_path, "show", "tx", "rent", "--as", "carol").out


def test_too_few_receipts_end_the_step(privity: Privity, tmp_path: Path) -> None:
    """`copies: all` with a reader down for longer than the timeout: E-RECEIPTS, exit 3, on no ledger.

    The reader that was up has read it, and the matrix says so.
    """
    done = privity(tmp_path, "run", written(tmp_path, FILE % (", copies: all, receipt_timeout: 2s", DOWN)))
    assert done.code == UNCONFIRMED, done.out
    assert "rent was not ordered: 1 of 2 receipts came within 2 s   E-RECEIPTS" in done.err
    assert "1 of 2 transactions were not handed in for ordering: rent" in done.out
    assert "950" not in done.out + done.err
    held = matrix(privity, tmp_path)
    assert held["rent"] == {"alice": "●", "bob": "●", "carol": "·", "dave": "·", "erin": "·", "broker": "○"}
    assert held["diary"]["dave"] == "●"


def test_one_copy_is_enough_by_default_and_the_other_reader_catches_up(
    privity: Privity, tmp_path: Path
) -> None:
    """The same reader down, `copies: 1`: ordered at once, and delivered when it is back."""
    done = privity(tmp_path, "run", written(tmp_path, FILE % ("", DOWN)))
    assert done.code == FINE, done.out
    assert matrix(privity, tmp_path)["rent"]["carol"] == "●"
    assert matrix(privity, tmp_path, "--at", "8s")["rent"]["carol"] == "·"


def test_a_disclosure_travels_off_chain_as_well(privity: Privity, tmp_path: Path) -> None:
    """The carrier goes to its receivers' nodes; whoever is shown nothing has the commitment alone."""
    shown = "  - {at: 4s, do: disclose, id: late, tx: rent, as: bob, to: [erin], reason: audit}"
    text = FILE % ("", shown)
    assert privity(tmp_path, "run", written(tmp_path, text), "-q").code == FINE
    held = matrix(privity, tmp_path)["rent"]
    assert (held["erin"], held["dave"]) == ("●", "#")
    assert matrix(privity, tmp_path, "--at", "3s")["rent"]["erin"] == "#"
    folder = RunFolder.find(tmp_path)
    (carrier,) = [label.tx for label in folder.transactions() if label.id == "late-carrier"]
    holders = {path.parents[1].name for path in folder.path.glob(f"nodes/*/blobs/{carrier}")}
    assert holders == {"bob", "erin"}


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ("payload: on_chain, copies: 2", "E-VALUE"),
        ("payload: off_chain, copies: 0", "E-VALUE"),
        ("payload: off_chain, copies: most", "E-VALUE"),
        ("payload: off_chain, receipt_timeout: 5", "E-DURATION"),
        ("payload: off_chain, receipt_timeout: 1ms", "E-DURATION"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: str, code: str) -> None:
    """Each with its code."""
    text = (FILE % ("", "")).replace("payload: off_chain", settings)
    with pytest.raises(ScenarioInvalid) as caught:
        parse_scenario(text, "test.yaml")
    assert code in [problem.code for problem in caught.value.problems]


def test_all_is_a_word_for_copies() -> None:
    """`copies: all` and a number, and both come back from `check --fill`."""
    scenario = parse_scenario(FILE % (", copies: all, receipt_timeout: 2s", ""), "test.yaml")
    assert (scenario.payload, scenario.copies, scenario.receipt_timeout_ms) == ("off_chain", 0, 2000)
    assert parse_scenario(FILE % (", copies: 3", ""), "test.yaml").copies == 3
