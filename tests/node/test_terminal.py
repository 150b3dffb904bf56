"""What every verb writes with: symbols, colour, tables, progress, durations."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from node.cells import CELLS, HOLDINGS, REASONS, cell_meaning, cell_text
from node.duration import parse_duration_ms
from node.errors import PrivityError
from node.terminal import Progress, colour_wanted, needs_ascii, paint, table
from node.text import clean, did_you_mean, plain

PROJECT = Path(__file__).parents[2]


class Screen(io.TextIOWrapper):
    """A stream that keeps what is written, and may be a terminal."""

    def __init__(self, *, terminal: bool, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding, newline="")
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    def text(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)  # type: ignore[attr-defined, no-any-return]


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.mark.parametrize(
    ("terminal", "environment", "wanted"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (True, {"TERM": "dumb"}, False),
    ],
)
def test_colour(
    terminal: bool, environment: dict[str, str], wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is colour on a terminal that has it, unless NO_COLOR says something."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert colour_wanted(Screen(terminal=terminal)) == wanted
    assert ("\x1b" in paint("late", "yellow", wanted=wanted)) == wanted
    assert paint("early", None, wanted=wanted) == "early"


def test_symbols_need_an_encoding_that_has_them() -> None:
    """Symbols are spelt when asked, and where the stream could not carry them."""
    screens = [Screen(terminal=True, encoding=encoding) for encoding in ("utf-8", "ascii", "latin-1")]
    assert [needs_ascii(screen) for screen in screens] == [False, True, True]
    assert needs_ascii(screens[0], wanted=True)


def test_each_symbol_has_a_spelling() -> None:
    """What Privity prints beside its words can be spelt in ASCII, and what cannot leaves a question mark."""
    assert plain("✓ ✗ h3… · ─ → ≥ é") == "ok x h3... - - -> >= ?"
    assert plain("✓", ascii_only=False) == "✓"


def test_cells_have_a_letter_for_each_symbol() -> None:
    """Each symbol has a letter of its own, in brackets without symbols; the reason stays beside it."""
    assert [cell_text(h.symbol, ascii_only=True) for h in HOLDINGS] == [
        "[R]",
        "[K]",
        "[J]",
        "[A]",
        "[C]",
        "[H]",
        "[-]",
    ]
    assert (cell_text("●", "S"), cell_text("●", "S", ascii_only=True)) == ("● S", "[R] S")
    assert cell_meaning("● N") == "reads the content (named party)"
    assert len(CELLS) == len(HOLDINGS) * (1 + len(REASONS))


def test_tables_are_straight() -> None:
    """Columns line up by what a terminal shows: wide characters count twice, symbols once."""
    rows = [["● S", "bid-acme", "7"], ["○", "入札", "1234"]]
    assert table(rows, head=["cell", "tx", "bytes"], right=[2]) == [
        "cell  tx        bytes",
        "─────────────────────",
        "● S   bid-acme      7",
        "○     入札       1234",
    ]
    assert table([]) == []


def test_tables_interpret_nothing() -> None:
    """Brackets stay, escape sequences and line ends do not."""
    assert table([["[bold]bank-[a]", "x\x1b[31m\ny"], ["a"]]) == ["[bold]bank-[a]  x[31m y", "a"]


@pytest.mark.parametrize(
    "text", ["\x1b[2J", "\x07", "\x9b1m", "\u202e", "\u200b", "\ufeff", "\ud800", "\x7f"]
)
def test_control_characters_go(text: str) -> None:
    """Nothing that drives a terminal or hides in a text is left; line ends become spaces."""
    assert clean(f"a{text}b").isprintable()
    assert clean("a\nb\tc – ü ●") == "a b c – ü ●"


def test_progress_on_a_terminal_is_one_line() -> None:
    """A terminal shows one line, rewritten in place, cut to its width, and taken away at the end."""
    screen = Screen(terminal=True)
    progress = Progress(screen)
    progress.update("12 of 500")
    progress.update("x" * 99)
    progress.clear()
    progress.clear()
    assert screen.text() == f"\r12 of 500\x1b[K\r{'x' * 29}\x1b[K\r\x1b[K"


def test_progress_in_a_pipe_is_plain() -> None:
    """Without a terminal there is a plain line at first and then every ten seconds."""
    screen = Screen(terminal=False, encoding="ascii")
    progress = Progress(screen)
    for now_s in (0, 1, 9.9, 10, 19, 20.5):
        progress.update(f"{now_s} s ✓", now_s)
    progress.clear()
    assert screen.text() == "0 s ok\n10 s ok\n20.5 s ok\n"


def test_a_reader_that_goes_away_is_no_error() -> None:
    """When the reader of a pipe has gone, a verb ends without a word and with exit code 0."""
    program = "from node.terminal import quiet_pipe\nwith quiet_pipe():\n    while True: print('x' * 1000)"
    read, write = os.pipe()
    os.close(read)
    result = subprocess.run(
        [sys.executable, "-c", program], stdout=write, stderr=subprocess.PIPE, cwd=PROJECT
    )
    os.close(write)
    assert (result.returncode, result.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("text", "ms"),
    [("250ms", 250), ("1s", 1000), ("1.5s", 1500), ("2m", 120_000), ("1h", 3_600_000), (" 3 s ", 3000)],
)
def test_durations(text: str, ms: int) -> None:
    """A duration is a number and its unit."""
    assert parse_duration_ms(text) == ms


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("12", "12 has no unit; write 12s"),
        ("soon", "'soon' is no duration"),
        ("-1s", "'-1s' is no duration"),
        ("1d", "'1d' is no duration"),
    ],
)
def test_no_durations(text: str, what: str) -> None:
    """A number alone is refused, with the unit to write; so is anything else."""
    with pytest.raises(PrivityError) as error:
        parse_duration_ms(text)
    assert (error.value.code, error.value.exit_code, error.value.what) == ("E-DURATION", 2, what)


def test_the_nearest_word() -> None:
    """A word near a known one brings that one to mind, others nothing."""
    assert (did_you_mean("bollt", {"acme", "bolt"}), did_you_mean("xyz", {"acme"})) == (
        "did you mean bolt?",
        "",
    )
