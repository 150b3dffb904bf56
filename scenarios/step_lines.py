"""One line for each step that is carried out, as `run` prints it meanwhile: when, word, id, and the rest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def step_line(at: str, word: str, name: str, rest: str) -> str:
    """A line; `at` is its time in words, or nothing where the line goes on with the one before."""
    return f"{at:>5}  {word:<9} {name:<12} {rest}"


def done_line(at: str, word: str, name: str, what: str, blocks: str, mark: str) -> str:
    """A line of what was handed in: what it was, in which blocks it is, and what came of it."""
    return step_line(at, word, name, f"{what:<24} {blocks:<12} {mark}")


def blocks_text(heights: Iterable[int]) -> str:
    """The blocks at these heights, from the first to the last: `block 3`, `block 3-7`, or nothing."""
    inside = sorted(set(heights))
    if not inside:
        return ""
    return f"block {inside[0]}" + (f"-{inside[-1]}" if inside[1:] else "")


def parties_text(names: Sequence[str]) -> str:
    """Parties in a narrow column: all of them if they are few."""
    if not names:
        return "nobody else"
    return ", ".join(names) if len(names) <= 2 else f"{len(names)} parties"
