"""What `run` and `up` tell on standard error while they work: a tick list, then a line for each step."""

from __future__ import annotations

import sys

from node.terminal import needs_ascii
from node.text import clean, plain


class Narrator:
    """Prints plain lines, with a terminal or without. `quiet` leaves only warnings and errors."""

    def __init__(self, *, quiet: bool, ascii_only: bool) -> None:
        self._quiet = quiet
        self._ascii = needs_ascii(sys.stderr, ascii_only)

    def say(self, kind: str, text: str) -> None:
        """`kind` is tick (something stands now), step, note, plain, warn or error; these two always show."""
        if self._quiet and kind not in ("warn", "error"):
            return
        lead = {"tick": "✓ ", "warn": "! "}.get(kind, "")
        print(plain(lead + clean(text), ascii_only=self._ascii), file=sys.stderr, flush=True)
