"""What every verb needs to write to a terminal, a pipe or a file: symbols, colour, tables, one progress line.

Data goes to stdout, narration to stderr. Colour and symbols are never the only signal: a word or a
letter stands beside them. Nothing here interprets markup, so no name or message can change the display.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import TextIO

import typer
from rich.cells import cell_len, set_cell_size

from node.text import clean, plain

_PLAIN_PROGRESS_S = 10.0


def colour_wanted(stream: TextIO) -> bool:
    """Colour only on a terminal that has it, and never when NO_COLOR says something (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def needs_ascii(stream: TextIO, wanted: bool = False) -> bool:
    """Whether symbols must be spelt: it was asked for, or the stream's encoding has no ✓ and no ●."""
    if wanted:
        return True
    try:
        "✓●─…".encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return True
    return False


def paint(text: str, colour: str | None, *, wanted: bool, dim: bool = False) -> str:
    """The text in one of the terminal's eight colours, when colour is wanted at all."""
    return typer.style(text, fg=colour, dim=dim or None) if wanted and (colour or dim) else text


def table(
    rows: Sequence[Sequence[str]],
    *,
    head: Sequence[str] | None = None,
    right: Sequence[int] = (),
    gap: str = "  ",
) -> list[str]:
    """Rows as lines with straight columns; `right` names the columns that end alike, as numbers do.

    Cells are cleaned of control characters. Widths count what a terminal shows: a wide character is two.
    """
    lines = [[clean(cell) for cell in row] for row in ([head, *rows] if head else rows)]
    if not lines:
        return []
    widths = [
        max((cell_len(row[i]) for row in lines if i < len(row)), default=0)
        for i in range(max(map(len, lines)))
    ]
    shown = [
        gap.join(_aligned(cell, widths[i], i in right) for i, cell in enumerate(row)).rstrip()
        for row in lines
    ]
    if head:
        shown.insert(1, "─" * (sum(widths) + len(gap) * (len(widths) - 1)))
    return shown


def _aligned(cell: str, width: int, right: bool) -> str:
    return " " * (width - cell_len(cell)) + cell if right else set_cell_size(cell, width)


class Progress:
    """One line on stderr that is rewritten in place; without a terminal, a plain line now and then."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty() and os.environ.get("TERM") != "dumb"
        self._last_s = float("-inf")
        self._shown = ""

    def update(self, text: str, now_s: float | None = None) -> None:
        """Show how far it is. `now_s` is any clock that only grows; without it, the system's."""
        text = plain(clean(text), ascii_only=needs_ascii(self._stream))
        now_s = monotonic() if now_s is None else now_s
        if self._live:
            room = shutil.get_terminal_size().columns - 1
            text = set_cell_size(text, room) if cell_len(text) > room else text
            self._stream.write(f"\r{text}\x1b[K")
        elif now_s - self._last_s >= _PLAIN_PROGRESS_S:
            self._last_s = now_s
            self._stream.write(f"{text}\n")
        self._shown = text
        self._stream.flush()

    def clear(self) -> None:
        """Take the line away, so that another text can be printed."""
        if self._live and self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
        self._shown = ""


def room(stream: TextIO) -> int:
    """How many characters a line of a terminal has; 0 for what is no terminal, and has no edge."""
    return shutil.get_terminal_size().columns if stream.isatty() else 0


@contextmanager
def quiet_pipe() -> Iterator[None]:
    """Let `privity logs | head` end without a word when the reader of the pipe has gone."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # Whatever Python still flushes at exit must have a place to go.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
