"""`privity logs`: its flags, and what it says when something is not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer
from log_story import SHOWN, SHOWN_IN_ASCII, event, story, write
from typer.testing import CliRunner

from node.errors import PrivityError
from node.logs.event_names import LEVELS
from node.logs.filters import Filter, parse_heights, parse_patterns
from node.logs.view import merge_events
from node.run_folder import Label, RunFolder
from node.verbs.log_cli import register


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path)


def wanted(**conditions: Any) -> list[str]:
    events = story()
    events[0] |= {"lvl": "debug"}
    events.append(event(8005, "acme", "tx.commit", lvl="warn", tx="7f3a91c2", h=3, v=1))
    return [f"{one['t']} {one['ev']}" for one in Filter(**conditions).take(events)]


EVERYTHING = wanted()


@pytest.mark.parametrize(
    ("conditions", "places"),
    [
        ({}, [0, 1, 2, 3, 4, 5, 6, 7]),
        ({"nodes": frozenset({"city", "crane"})}, [1, 5]),
        ({"since_ms": 4341}, [4, 5, 6, 7]),
        ({"tx": frozenset({"7f3a"})}, [0, 5, 7]),
        ({"ids": frozenset({"tender-close"})}, [6]),
        ({"tx": frozenset({"ffff"}), "ids": frozenset({"tender-close"})}, [6]),
        ({"heights": frozenset({3})}, [0, 1, 2, 3, 4, 5, 7]),
        ({"heights": frozenset({6})}, [6]),
        ({"heights": frozenset({4})}, []),
        ({"view": 1}, [7]),
        ({"patterns": ("pbft.pre*",)}, [1, 2, 3]),
        ({"patterns": ("seal.*", "tx.commit")}, [6, 7]),
        ({"level": "info"}, [1, 2, 3, 4, 5, 6, 7]),
        ({"level": "warn"}, [7]),
        ({"nodes": frozenset({"acme"}), "view": 0, "patterns": ("*d",)}, [3, 4]),
    ],
)
def test_filters(conditions: dict[str, Any], places: list[int]) -> None:
    """Each condition lets pass what meets it; several hold together; a block brings its transactions."""
    assert [EVERYTHING[place] for place in places] == wanted(**conditions)


def test_heights_are_lists_and_spans() -> None:
    """Heights are written 3, or 3,6, or 3..6."""
    assert [{3}, {3, 6}, {3, 4, 5, 6}, {1, 3, 4}] == [
        parse_heights(t) for t in ("3", "3,6", "3..6", "3..4, 1")
    ]


@pytest.mark.parametrize("text", ["", "x", "-1", "3,", "6..3", "1..99999999", "3...6", "³"])
def test_what_is_no_height(text: str) -> None:
    """Anything else is refused, a span that would fill the memory too."""
    with pytest.raises(ValueError, match="height"):
        parse_heights(text)


def test_a_pattern_that_no_event_can_meet() -> None:
    """A misspelt event is an error with the nearest name, not an empty answer."""
    assert parse_patterns(["pbft.*,tx.commit", "*"]) == ("pbft.*", "tx.commit", "*")
    with pytest.raises(ValueError, match=r"no event is called pbft.prepard; did you mean pbft.prepared\?"):
        parse_patterns(["pbft.prepard"])


@pytest.fixture
def run(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs `privity logs` on the story."""
    write(folder, story())
    folder.write_run(state="stopped")
    folder.add_transaction(Label(id="bid-acme", tx="7f3a91c2" * 8, sender="acme", to=("city",), t=4100))
    monkeypatch.setenv("PRIVITY_HOME", str(folder.path.parents[1]))
    app = typer.Typer(pretty_exceptions_show_locals=False)
    app.callback()(lambda: None)
    register(app)
    return lambda *arguments: CliRunner().invoke(app, ["logs", *arguments])


def test_logs_prints_the_session(run: Any) -> None:
    """`logs --block 3,6 --gaps 1s` prints the session of the description, and nothing on stderr."""
    result = run("--block", "3,6", "--gaps", "1s")
    assert (0, SHOWN.strip(), "") == (result.exit_code, result.stdout.strip(), result.stderr)


def test_logs_names_transactions(run: Any, folder: RunFolder) -> None:
    """A node knows a transaction by its hash; the operator is told the name it was submitted under."""
    write(folder, [event(9000, "acme", "tx.commit", tx="7f3a91c2", h=3)])
    assert (
        run("--ev", "tx.commit").stdout == "00:09.000  acme    tx.commit        bid-acme          block 3\n"
    )


def test_logs_in_ascii(run: Any) -> None:
    """--ascii spells every symbol."""
    assert SHOWN_IN_ASCII.strip() == run("--ascii", "--gaps", "1s").stdout.strip()


def test_logs_as_json_lines(run: Any, folder: RunFolder) -> None:
    """--json prints the very lines of the merged file."""
    assert merge_events(folder).read_text() == run("--json").stdout


def test_logs_followed(run: Any) -> None:
    """-f on a run that has stopped prints what there is and ends."""
    assert run("--json").stdout == run("-f", "--json").stdout


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (["acme", "crane"], 5),
        (["--since", "4341ms"], 3),
        (["--since", "-3.66s"], 2),
        (["--tx", "bid-acme"], 2),
        (["--tx", "7f3a91"], 2),
        (["--tx", "bid-acme", "--ev", "block.*"], 1),
        (["--ev", "pbft.*", "--ev", "seal.*"], 5),
        (["--view", "0"], 5),
        (["--level", "info"], 7),
        (["--run", "1"], 7),
    ],
)
def test_logs_flags(arguments: list[str], count: int, run: Any) -> None:
    """Each flag chooses among the events."""
    assert count == len(run(*arguments).stdout.splitlines())


@pytest.mark.parametrize("arguments", [["--tx", "beef"], ["--level", "error"], ["--since", "1h"]])
def test_logs_that_find_nothing(arguments: list[str], run: Any) -> None:
    """No event is no failure, but stderr says so."""
    result = run(*arguments)
    assert (
        result.exit_code,
        result.stdout,
        result.stderr,
    ) == (0, "", "run 0001: none of its 7 events matches\n")


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["xyz"], "E-PARTY", "there are: acme city crane notary"),
        (["acne"], "E-PARTY", "did you mean acme?"),
        (["--tx", "bid-acne"], "E-TX", "did you mean bid-acme?"),
        (["--gaps", "1"], "E-DURATION", "1 has no unit; write 1s"),
        (["--since", "soon"], "E-DURATION", "'soon' is no duration"),
        (["--run", "9"], "E-NO-RUN", "there are: 0001"),
    ],
)
def test_logs_of_what_is_not_there(arguments: list[str], code: str, text: str, run: Any) -> None:
    """Who names what is not there hears what is, and no usage error is exit code 0."""
    error = run(*arguments).exception
    assert isinstance(error, PrivityError)
    assert (code, 5 if code == "E-NO-RUN" else 2) == (error.code, error.exit_code)
    assert text in f"{error.what} {error.why}"


@pytest.mark.parametrize(
    "arguments", [["--block", "x"], ["--ev", "pbft.prepard"], ["--level", "loud"], ["--view", "-1"]]
)
def test_logs_misspelt(arguments: list[str], run: Any) -> None:
    """A value that a flag cannot take is wrong usage: exit code 2, nothing on stdout."""
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")


def test_levels_are_ordered() -> None:
    """A higher level shows less."""
    assert sorted(LEVELS, key=lambda level: LEVELS[level]) == ["debug", "info", "warn", "error"]
