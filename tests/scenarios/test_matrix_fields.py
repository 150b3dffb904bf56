"""The matrix by fields: a row for each field that somebody's key opened, by its name and never its value."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from scenarios.judging import Evidence, Judgement, judge
from scenarios.knowledge.matrix import build_matrix
from scenarios.knowledge.opening import How, Knowledge, Since
from scenarios.knowledge.rows import CIPHERTEXT, READS, Matrix, Row
from scenarios.model.field_names import field_text
from tests.command_line import Privity
from tests.run_of_nodes import CANARY, LiveRun
from tests.scenarios.virtual_evidence import evidence_of

NESTED = """\
privity: 1
name: fields
network: {transport: memory}
consensus: {block_every: 50ms, view_timeout: 500ms}
parties: {alice: {}, bob: {}, carol: {}, dave: {}}
steps:
  - do: send
    id: deal
    as: alice
    to: [bob]
    data: {terms: {price: 80421, parts: [7, 8]}, "*": 1, "a.b": 2, "=cmd": 3, note: for bob alone}
  - {do: send, id: empty, as: alice, to: [], data: {}}
expect:
  - {check: readers, tx: deal, are: [alice, bob]}
  - {check: readers, tx: deal, field: terms, are: [alice, bob]}
  - {check: readers, tx: deal, field: "terms.parts[1]", are: [alice, bob]}
  - {check: denied, tx: deal, as: [carol, dave]}
"""
DISCLOSED = How("D", Since(900, 7))


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """A virtual run with a payload of many forms."""
    return evidence_of(tmp_path_factory.mktemp("fields"), NESTED)


@pytest.fixture
def matrix(evidence: Evidence) -> Matrix:
    """Its matrix, to be changed at will."""
    return build_matrix(evidence.folder)


def texts(row: Row, field: str = "*") -> dict[str, str]:
    """The cells of one line as words."""
    cells = dict(row.lines(fields=True))[field]
    return {column: cell.text() for column, cell in cells.items()}


def test_names_are_paths_and_the_canary_is_none(matrix: Matrix) -> None:
    """A row for each leaf in the payload's order; what could be misread is quoted, what is ours left out."""
    names = [name for name, _ in matrix.row("deal").lines(fields=True)]
    assert names == ["*", '"*"', '"=cmd"', '"a.b"', "note", "terms.parts[0]", "terms.parts[1]", "terms.price"]
    whole = {"alice": "● S", "bob": "● N", "carol": "○", "dave": "○", "broker": "○"}
    assert all(texts(matrix.row("deal"), name) == whole for name in names)


def test_a_payload_without_fields_is_read_all_the_same(matrix: Matrix) -> None:
    """It has no row for a field, and a reader."""
    assert [name for name, _ in matrix.row("empty").lines(fields=True)] == ["*"]
    assert texts(matrix.row("empty"))["alice"] == "● S" and matrix.readers("empty") == {"alice"}


def test_fields_have_times_too(matrix: Matrix, evidence: Evidence) -> None:
    """A field is read from the millisecond on at which its blob came, and its name is known no earlier."""
    since = matrix.row("deal").cells["bob"].since
    assert since is not None
    row = build_matrix(evidence.folder, f"{since.t_ms - 1}ms", ["deal"]).row("deal")
    assert "bob" not in row.readers("note")
    assert "bob" in build_matrix(evidence.folder, f"{since.t_ms}ms", ["deal"]).row("deal").readers("note")
    assert build_matrix(evidence.folder, "0ms", ["deal"]).row("deal").fields == []


def test_names_come_from_what_a_key_opened_alone(copied: LiveRun, privity: Privity) -> None:
    """Where no reader's key is in the run folder there is the row `*`, though a label may say who reads."""
    assert {"price", "secret"} == {
        field_text(path) for path in build_matrix(copied.folder).row("bid-acme").fields
    }
    for name in ("acme", "city"):
        (copied.folder.node(name) / "keys" / "wrapping.pem").unlink()
    done = privity(copied.home, "who-sees", "bid-acme", "--fields", "--csv")
    assert done.out.splitlines()[1:] == ["bid-acme,*,○,○,○,○,○,○"]
    assert "price" not in done.out + done.err


# Who reads a part.


def test_a_part_is_counted(matrix: Matrix) -> None:
    """Two of seven fields make a cell; of those it does not read a party has what it held before."""
    row = matrix.row("deal")
    row.learn("carol", Knowledge({("note",): DISCLOSED, ("terms", "price"): DISCLOSED}))
    assert texts(row)["carol"] == "● 2/7"
    assert (texts(row, "note")["carol"], texts(row, "terms.parts[0]")["carol"]) == ("● D", "○")
    assert row.cells["carol"].document()["part"] == {"read": 2, "of": 7}
    assert matrix.readers("deal") == {"alice", "bob"}
    assert matrix.readers("deal", "note") == {"alice", "bob", "carol"}
    assert matrix.readers("deal", "terms") == {"alice", "bob"}
    assert matrix.partly_reading("deal", "terms") == {"alice", "bob", "carol"}
    assert row.key_holders() == ["alice", "bob"]


def test_all_parts_are_the_whole(matrix: Matrix) -> None:
    """Whoever was given every field reads it, since the last one came; without the key to it."""
    row = matrix.row("deal")
    for number, path in enumerate(row.fields):
        row.learn("dave", Knowledge({path: How("D", Since(900 + number, 7))}, of=len(row.fields)))
    assert texts(row)["dave"] == "● D" and row.cells["dave"].since == Since(906, 7)
    assert "dave" in matrix.readers("deal") and "dave" not in row.key_holders()


def test_what_is_opened_twice_counts_from_the_first_time() -> None:
    """A field disclosed to a party that was named later is read since the disclosure, and by that reason."""
    named = How("N", Since(2000, 9))
    both = Knowledge({("a",): named, ("b",): named}, 2, named) | Knowledge({("a",): DISCLOSED})
    assert both.opened == {("a",): DISCLOSED, ("b",): named}
    assert both.whole and both.how() == named
    assert (Knowledge({("a",): DISCLOSED}) | both) == both
    assert not Knowledge() and not Knowledge(of=3)


def test_of_how_many_may_be_unknown(matrix: Matrix) -> None:
    """Where nobody's key opens the whole, nobody knows how many fields there are."""
    row = Row(b"", "x", None, dict(matrix.row("deal").held), {"carol": Knowledge({("a",): DISCLOSED})})
    assert (row.cells["carol"].text(), row.cells["bob"].symbol) == ("● 1/?", CIPHERTEXT)
    assert row.cells["carol"].symbol == READS


# What rules say.


def judged(evidence: Evidence) -> list[Judgement]:
    return judge(evidence)


def test_rules_about_a_field_hold(evidence: Evidence) -> None:
    """A rule can name a field, or a map or list of fields."""
    assert [each.result for each in judged(evidence)] == ["holds"] * 4


@pytest.mark.parametrize(
    ("path", "results"),
    [
        (("note",), ["broken", "holds", "holds", "broken"]),
        (("terms", "price"), ["broken", "broken", "holds", "broken"]),
        (("terms", "parts", 1), ["broken", "broken", "broken", "broken"]),
    ],
)
def test_a_field_read_by_one_more_breaks_the_rules_that_speak_of_it(
    tmp_path: Path, path: tuple[str | int, ...], results: list[str]
) -> None:
    """One field is enough to break denied, and a rule about the whole; of other fields it says nothing."""
    evidence = evidence_of(tmp_path, NESTED)
    evidence.matrix("end").row("deal").learn("carol", Knowledge({path: DISCLOSED}))
    assert [each.result for each in judged(evidence)] == results
    assert all("price" not in each.detail and "note" not in each.detail for each in judged(evidence))


# As it is printed.


def test_fields_as_csv(stopped: LiveRun, privity: Privity) -> None:
    """--fields adds a line for each field below its transaction."""
    done = privity(stopped.home, "who-sees", "bid-acme", "--fields", "--csv")
    assert list(csv.reader(io.StringIO(done.out))) == [
        ["tx", "field", "city", "acme", "bolt", "notary", "crane", "broker"],
        ["bid-acme", "*", "● N", "● S", "○", "○", "○", "○"],
        ["bid-acme", "price", "● N", "● S", "○", "○", "○", "○"],
        ["bid-acme", "secret", "● N", "● S", "○", "○", "○", "○"],
    ]


def test_fields_as_text(stopped: LiveRun, privity: Privity) -> None:
    """--fields makes a table with the fields below their transaction; without it no name is printed."""
    lines = privity(stopped.home, "who-sees", "bid-acme", "--fields").out.splitlines()
    assert [line.split()[0] for line in lines[2:5]] == ["bid-acme", "price", "secret"]
    assert lines[3] == "  price    ● N    ● S     ○       ○        ○       ○"
    for arguments in ((), ("bid-acme",), ("--csv",)):
        assert "price" not in privity(stopped.home, "who-sees", *arguments).out


def test_no_value_is_shown(stopped: LiveRun, privity: Privity) -> None:
    """Names are all that is printed of what was opened."""
    for more in ((), ("--csv",), ("--json",)):
        done = privity(stopped.home, "who-sees", "--fields", *more)
        assert "secret" in done.out
        assert CANARY not in done.out + done.err and "412000" not in done.out
