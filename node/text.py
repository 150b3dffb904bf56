"""Text for people: nothing that could drive a terminal, ASCII where needed, the nearest known word."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

# The symbols of the matrix's cells have letters of their own: node/cells.py.
_ASCII = str.maketrans(
    {
        "✓": "ok",
        "✗": "x",
        "…": "...",
        "·": "-",
        "─": "-",
        "│": "|",
        "★": "*",
        "→": "->",
        "×": "x",
        "≥": ">=",
        "≤": "<=",
    }
)


def clean(text: str) -> str:
    """Text without control and invisible characters, which could drive a terminal or turn the text around."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c in "\n\t" else "" for c in text)


def plain(text: str, *, ascii_only: bool = True) -> str:
    """The text spelt in ASCII, or as it is; what has no spelling becomes a question mark."""
    if not ascii_only or text.isascii():
        return text
    return text.translate(_ASCII).encode("ascii", "replace").decode("ascii")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """'did you mean bolt?', or nothing when no known word is near."""
    nearest = get_close_matches(word, sorted(known), n=1)
    return f"did you mean {nearest[0]}?" if nearest else ""
