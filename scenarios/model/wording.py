"""Words of a scenario file as a message shows them."""

from __future__ import annotations

from collections.abc import Sequence

from node.text import clean


def shown(value: object, width: int = 40) -> str:
    """A word from a file, fit to print: cut, and no control characters, which could drive the terminal."""
    text = clean(str(value))
    return text if len(text) <= width else text[: width - 1] + "…"


def in_columns(line: str) -> str:
    """A line of a file, fit to print, with every character in its column: for marks below it."""
    return "".join(character if character.isprintable() else " " for character in line)


def listed(words: Sequence[str], last: str = "and", most: int = 8) -> str:
    """`a`, `a and b`, `a, b and c`, or with more than `most` words `a, b and 7 more`."""
    if len(words) > most:
        return f"{', '.join(words[: most - 1])} {last} {len(words) - most + 1} more"
    return f" {last} ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)
