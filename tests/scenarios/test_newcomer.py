"""What a newcomer tripped over: each is said, or refused, where he would look."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.errors import FINE, WRONG_USAGE
from scenarios.knowledge.view import table_lines
from scenarios.model.loading import load_scenario
from scenarios.verbs.fault_cli import _resolved
from tests.command_line import Privity

SCENARIO = """\
privity: 1
name: newcomer
network: {transport: memory}
consensus: {block_every: 50ms}
parties: {alice: {}, bob: {}, carol: {}, dave: {}}
steps:
  - {do: load, id: traffic, as: alice, to: [bob], count: 3, rate: 20/s, data: {pay: 5, note: 7}}
  - {do: send, id: rent, as: bob, to: [carol], data: {pay: 5}}
  - {at: {height: 90}, do: send, id: never, as: bob, to: [carol], data: {pay: 5}}
expect:
  - {check: readers, tx: traffic-0001, field: pay, at: 1s, are: [alice, bob]}
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a run of it, and in it the file."""
    home = tmp_path_factory.mktemp("newcomer")
    (home / "newcomer.yaml").write_text(SCENARIO)
    return home


@pytest.fixture
def said(privity: Privity, ran: Path) -> str:
    """What that run said, on both streams."""
    done = privity(ran, "run", str(ran / "newcomer.yaml"))
    return done.err + done.out


def test_a_run_tells_its_warnings_and_field_and_moment(privity: Privity, ran: Path, said: str) -> None:
    """`run` names what `check` warns of; a rule says of which field and when; loads have a name."""
    assert "!          W-WAIT     privity check" in said and "W-META" not in said
    assert "readers  traffic-0001 pay at 1s: read by alice bob" in said
    seen = privity(ran, "who-sees", "traffic")
    assert [line.split()[0] for line in seen.out.splitlines()[2:5]] == [f"traffic-000{n}" for n in (1, 2, 3)]
    assert "rent" not in seen.out and "content" in privity(ran, "who-sees", "traffic-0002").out
    logs = privity(ran, "logs", "--tx", "traffic", "--ev", "tx.submit")
    assert [line.split()[3] for line in logs.out.splitlines()] == [f"traffic-000{n}" for n in (1, 2, 3)]
    assert "is not one transaction but 3" in privity(ran, "show", "tx", "traffic").err


def test_a_block_beyond_the_end(privity: Privity, ran: Path, said: str) -> None:
    """It is the end that is shown, and that is said."""
    seen = privity(ran, "who-sees", "--at", "block 99")
    assert seen.code == FINE and "! there is no block 99: the ledger is 3 high; this is its end" in seen.out
    assert "there is no block" not in privity(ran, "who-sees", "--at", "block 3").out


@pytest.mark.parametrize(
    ("arguments", "what", "next_"),
    [
        (("show", "order", "x"), "'order' is not one of 'tx'", "privity show --help"),
        (("run", "x.yaml", "--nope"), "No such option: --nope", "privity run --help"),
        (("show", "block"), "Missing argument 'ID'", "privity show --help"),
        (("sned",), "No such command 'sned'", "privity --help"),
        (("who-sees", "--csv", "--json"), "choose one of --csv and --json", "privity who-sees --help"),
    ],
)
def test_wrong_usage_has_one_form(
    privity: Privity, tmp_path: Path, arguments: tuple[str, ...], what: str, next_: str
) -> None:
    """That of all other errors: what, code, and what to do next."""
    done = privity(tmp_path, *arguments)
    first, *rest = done.err.splitlines()
    assert done.code == WRONG_USAGE and first.startswith("✗ ") and first.endswith("E-USAGE")
    assert what in first and f"  next  {next_}" in rest
    assert "Value error" not in done.err and "Usage:" not in done.err


def test_without_a_verb_the_help_is_shown(privity: Privity, tmp_path: Path) -> None:
    """As it stands, in many lines."""
    done = privity(tmp_path)
    assert "✗" not in done.err and len((done.out + done.err).splitlines()) > 10


def test_keys_of_the_system_are_refused_where_there_are_no_others(privity: Privity, tmp_path: Path) -> None:
    """A live run has them anyway."""
    (tmp_path / "live.yaml").write_text("privity: 1\nparties: {alice: {}}\n")
    done = privity(tmp_path, "run", str(tmp_path / "live.yaml"), "--crypto", "os")
    assert done.code == WRONG_USAGE and "--crypto means nothing with transport: mqtt" in done.err


def test_a_scenario_is_called_like_its_file(
    privity: Privity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not like the template; without --output both are the same anyway, and a name with quotes stays one."""
    monkeypatch.chdir(tmp_path)
    for name in ("mine", 'a "b" 12'):
        assert privity(tmp_path, "init", "trade", "-o", f"{name}.yaml").code == FINE
        assert load_scenario(Path(f"{name}.yaml")).name == name
    privity(tmp_path, "init", "trade")
    assert load_scenario(Path("trade.yaml")).name == "trade"


def test_the_sides_of_a_partition_are_shown_once() -> None:
    """In what it is; those that follow from nodes are shown as whom it concerns."""
    fault = {"groups": [["ann", "bob"], ["cyd", "dan"]], "nodes": [], "began": 1.0}
    assert _resolved(fault | {"what": "partition ann bob | cyd dan for 5s"}) == ""
    assert _resolved(fault | {"what": "partition cyd dan"}) == "ann bob | cyd dan"


def test_a_wide_table_goes_on_below() -> None:
    """Under the names once more, whole columns only; without an edge it is one table."""
    columns = [f"party-{letter}" for letter in "abcdefgh"]
    rows = [("rent", ["● S"] * 8), ("traffic-0001", ["○"] * 8)]
    narrow = table_lines(columns, rows, 60)
    assert max(map(len, narrow)) <= 60 and len(table_lines(columns, rows)) == 4
    assert [line.split() for line in narrow if line.startswith("tx")] == [
        ["tx", *columns[:4]],
        ["tx", *columns[4:]],
    ]
    assert sum(line.count("●") for line in narrow) == 8
    assert len(table_lines(columns, rows, 5)) == 4 * 8 + 7  # One column always has room.
