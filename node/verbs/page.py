"""The page that `show` prints of one thing: a title, then lines of a label and a text."""

from __future__ import annotations

PAGE_WIDTH = 79
_LABEL_WIDTH = 12


def labelled(label: str, text: str) -> str:
    """One line; without a label it goes on with what the line above speaks of."""
    return f"{label:<{_LABEL_WIDTH}}{text}"


def with_right(left: str, right: str) -> str:
    """A line with something at its right edge, or as far beyond as it must be."""
    width = PAGE_WIDTH - len(right)
    return f"{left:<{width}}{'' if len(left) < width else '   '}{right}"
