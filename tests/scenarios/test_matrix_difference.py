"""`who-sees --diff`: two runs compared by the ids of their steps, and an exit code for more readers."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.errors import CHECK_FAILED, FINE, NOT_REACHABLE, WRONG_USAGE
from node.run_folder import RunFolder
from scenarios.knowledge.difference import difference, difference_lines
from scenarios.knowledge.matrix import build_matrix
from scenarios.knowledge.opening import How, Knowledge, Since
from scenarios.knowledge.rows import Matrix
from tests.command_line import Privity
from tests.scenarios.virtual_evidence import evidence_of

HEAD = """\
privity: 1
name: compared
network: {transport: memory}
consensus: {block_every: 50ms, view_timeout: 500ms}
parties: {alice: {}, bob: {}, carol: {}, dave: {}}
steps:
"""


TIMES = {"rent": "1s", "loan": "2s", "diary": "3s", "gift": "3s"}  # One block each.


def send(identifier: str, to: str, name: str = "note") -> str:
    head = f"at: {TIMES[identifier]}, do: send, id: {identifier}, as: alice, to: [{to}]"
    return f"  - {{{head}, data: {{{name}: for few, sum: 70125}}}}\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs: carol reads the loan in the second, bob no longer the rent; the rest is in one only."""
    place = tmp_path_factory.mktemp("compared")
    evidence_of(place, HEAD + send("rent", "bob") + send("loan", "bob") + send("diary", ""))
    evidence_of(place, HEAD + send("rent", "") + send("loan", "bob, carol") + send("gift", "bob"))
    return place


@pytest.fixture
def matrices(home: Path) -> tuple[Matrix, Matrix]:
    """Both, the earlier first."""
    runs = home / "runs"
    return build_matrix(RunFolder(runs / "0001")), build_matrix(RunFolder(runs / "0002"))


def test_a_reader_more_is_listed_and_fails(home: Path, privity: Privity) -> None:
    """Each changed cell is a line with since when; what is in one run only is named; exit code 1."""
    done = privity(home, "who-sees", "--diff", "0001")
    lines = done.out.splitlines()
    assert done.code == CHECK_FAILED
    assert lines[0] == "rent: bob  ● N -> ○ since block 2"
    assert lines[1] == "loan: carol  ○ -> ● N since block 3"
    assert lines[2:] == [
        "in run 0001 only: diary",
        "in run 0002 only: gift",
        "2 cells changed from run 0001 to run 0002: 1 reader added",
    ]
    assert "note" not in done.out and "70125" not in done.out


def test_a_reader_less_is_listed_and_does_not_fail(home: Path, privity: Privity) -> None:
    """The same the other way round adds bob to the rent; of the loan alone it is a reader less."""
    assert privity(home, "who-sees", "--diff", "0002", "--run", "0001").code == CHECK_FAILED
    done = privity(home, "who-sees", "loan", "--diff", "0002", "--run", "0001")
    assert done.code == FINE
    assert done.out.splitlines() == [
        "loan: carol  ● N -> ○ since block 3",
        "1 cell changed from run 0002 to run 0001: no reader added",
    ]


def test_a_run_does_not_differ_from_itself(home: Path, privity: Privity) -> None:
    """Nothing is listed; what is new in one run only adds no reader to anything."""
    done = privity(home, "who-sees", "--diff", "0002")
    assert (done.code, done.out) == (FINE, "no cell changed from run 0002 to run 0002: no reader added\n")
    done = privity(home, "who-sees", "gift", "--diff", "0001")
    assert (done.code, done.out.splitlines()[0]) == (FINE, "in run 0002 only: gift")


def test_the_document(home: Path, privity: Privity) -> None:
    """--json is one document with the cells as in the matrix."""
    done = privity(home, "who-sees", "--diff", "0001", "--json")
    document = done.document
    assert done.code == CHECK_FAILED
    assert list(document) == [
        "schema", "run", "against", "at", "changed", "only_in", "readers_added"
    ]  # fmt: skip
    assert (document["schema"], document["run"], document["against"]) == (
        "privity.matrix-diff/1",
        "0002",
        "0001",
    )
    assert document["only_in"] == {"run": ["gift"], "against": ["diary"]}
    assert document["readers_added"] == 1
    rent, loan = document["changed"]
    assert (rent["tx"], rent["column"], rent["reader_added"]) == ("rent", "bob", False)
    assert (loan["before"]["symbol"], loan["after"]["symbol"], loan["reader_added"]) == ("○", "●", True)


def test_a_field_more_is_a_reader_more(matrices: tuple[Matrix, Matrix]) -> None:
    """One field to one who read nothing, another field instead of one: both say so."""
    before, after = matrices
    disclosed = How("D", Since(900, 7))
    after.row("rent").learn("dave", Knowledge({("note",): disclosed}))
    found = difference(before, after)
    assert "rent: dave  ○ -> ● 1/2 since block 7" in difference_lines(found)
    assert [(change.tx, change.column) for change in found.readers_added] == [
        ("rent", "dave"),
        ("loan", "carol"),
    ]
    before.row("rent").learn("dave", Knowledge({("sum",): disclosed}))
    assert "rent: dave  ● 1/2 -> ● 1/2 (other fields) since block 7" in difference_lines(
        difference(before, after)
    )
    before.row("rent").learn("dave", Knowledge({("note",): disclosed}))
    assert ("rent", "dave") not in [change[:2] for change in difference(before, after).readers_added]


def test_one_who_read_all_reads_no_more_under_other_names(
    home: Path, privity: Privity, tmp_path: Path
) -> None:
    """The fields may be called otherwise in the other run: that makes no new reader."""
    evidence_of(tmp_path, HEAD + send("rent", "bob"))
    evidence_of(tmp_path, HEAD + send("rent", "bob", "other"))
    done = privity(tmp_path, "who-sees", "--diff", "0001")
    assert (done.code, done.out) == (FINE, "no cell changed from run 0001 to run 0002: no reader added\n")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--csv",), WRONG_USAGE),
        (("--metadata",), WRONG_USAGE),
        (("--fields",), WRONG_USAGE),
        (("--if-stolen", "bob"), WRONG_USAGE),
        (("rend",), WRONG_USAGE),
        (("--run", "0099"), NOT_REACHABLE),
    ],
)
def test_wrong_usage_of_diff(home: Path, privity: Privity, arguments: tuple[str, ...], code: int) -> None:
    """What does not go together, no such transaction, no such run."""
    done = privity(home, "who-sees", "--diff", "0001", *arguments)
    assert (done.code, done.out) == (code, "")
    assert done.err
