"""The log of a run, event by event, at the pace at which it was written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from node.errors import WRONG_USAGE, PrivityError
from node.logs.events import Event

FASTEST = "max"
_FACTOR = re.compile(r"(\d{1,4}(?:\.\d{1,3})?)x", re.ASCII)


def parse_speed(text: str) -> float | None:
    """`10x` is ten times as fast as it was; None for `max`, which never waits."""
    match = _FACTOR.fullmatch(text)
    if text == FASTEST:
        return None
    if match is None or not float(match[1]):
        raise PrivityError(
            "E-USAGE",
            "no speed",
            where="--speed",
            why="it is written 10x or 0.5x, or max",
            exit_code=WRONG_USAGE,
        )
    return float(match[1])


def paced(events: Iterable[Event], speed: float | None, wait: Callable[[float], None]) -> Iterator[Event]:
    """The events, each when it is due: `wait` passes the seconds that lie before it."""
    last_ms: int | None = None
    for event in events:
        if speed is not None and last_ms is not None and event["t"] > last_ms:
            wait((event["t"] - last_ms) / 1000 / speed)
        last_ms = event["t"]
        yield event
