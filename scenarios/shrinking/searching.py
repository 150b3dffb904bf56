"""Smaller lists and numbers for which something still holds. Pure: `still` says whether it does.

Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input, 2002.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def smallest_list(items: Sequence[T], still: Callable[[list[T]], bool]) -> list[T]:
    """What is left when no single item can go (ddmin). It is known to hold for `items`."""
    left = list(items)
    if not left or still([]):
        return []
    parts = 2
    while len(left) > 1:
        for kept in _tries(left, parts):
            if still(kept):
                # What was cut off is gone; a part that holds by itself is divided anew.
                parts = 2 if len(kept) <= len(left) // parts + 1 else max(parts - 1, 2)
                left = kept
                break
        else:
            if parts >= len(left):
                break
            parts = min(2 * parts, len(left))
    return left


def _tries(items: list[T], parts: int) -> list[list[T]]:
    """Each of so many parts alone, then all but each."""
    ends = [len(items) * number // parts for number in range(parts + 1)]
    spans = [(ends[number], ends[number + 1]) for number in range(parts)]
    alone = [items[begin:end] for begin, end in spans]
    without = [items[:begin] + items[end:] for begin, end in spans] if parts > 2 else []
    return alone + without


def smallest_number(value: int, floor: int, still: Callable[[int], bool]) -> int:
    """A smaller number, found by halving the way to `floor`. It is known to hold for `value`."""
    if value <= floor:
        return value
    if still(floor):
        return floor
    low, high = floor, value
    while high - low > 1:
        middle = (low + high) // 2
        if still(middle):
            high = middle
        else:
            low = middle
    return high
