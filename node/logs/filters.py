"""Which events of a run somebody wants to see."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from node.logs.event_fields import DIGEST_DIGITS
from node.logs.event_names import EVENTS, LEVELS
from node.logs.events import Event
from node.run_folder import Label
from node.text import did_you_mean

HEIGHTS_MAX = 10_000

_HEIGHTS = re.compile(r"(\d{1,9})(?:\.\.(\d{1,9}))?", re.ASCII)


@dataclass
class Filter:
    """All conditions hold together; one that is empty or None lets everything pass.

    `tx` holds beginnings of a transaction's hash and `ids` names of some; either will do. `heights` also
    lets pass what concerns a transaction of such a block, for instance its submission, which came before
    anybody knew the height.
    """

    nodes: frozenset[str] = frozenset()
    since_ms: int | None = None
    tx: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    heights: frozenset[int] = frozenset()
    view: int | None = None
    patterns: tuple[str, ...] = ()
    level: str = "debug"
    _height_of: dict[str, int] = field(default_factory=dict)

    def take(self, events: Iterable[Event]) -> list[Event]:
        """The wanted ones of these, which follow those given before."""
        events = list(events)
        for event in events:
            if "tx" in event and "h" in event:
                self._height_of.setdefault(event["tx"], event["h"])
        return [event for event in events if self._wants(event)]

    def _wants(self, event: Event) -> bool:
        return (
            (not self.nodes or event["node"] in self.nodes)
            and (self.since_ms is None or event["t"] >= self.since_ms)
            and (self.view is None or event.get("v") == self.view)
            and LEVELS.get(event["lvl"], 0) >= LEVELS[self.level]
            and (not self.patterns or any(fnmatchcase(event["ev"], pattern) for pattern in self.patterns))
            and (not (self.tx or self.ids) or self._concerns(event))
            and (not self.heights or self._height(event) in self.heights)
        )

    def _concerns(self, event: Event) -> bool:
        return event.get("id") in self.ids or any(event.get("tx", "").startswith(tx) for tx in self.tx)

    def _height(self, event: Event) -> int | None:
        height = event.get("h")
        return height if height is not None else self._height_of.get(event.get("tx", ""))


def tx_prefix(label: Label) -> str:
    """As much of a transaction's hash as stands in a log."""
    return label.tx[:DIGEST_DIGITS]


def parse_heights(text: str) -> frozenset[int]:
    """The heights in '3,6' or '3..6'. Raises ValueError with what is wrong."""
    heights: set[int] = set()
    for part in text.split(","):
        match = _HEIGHTS.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"{part!r} is no height; write 3, or 3,6, or 3..6")
        low, high = int(match[1]), int(match[2] or match[1])
        if not low <= high < low + HEIGHTS_MAX:
            raise ValueError(f"{part!r} must go from a smaller height to a larger one, {HEIGHTS_MAX} at most")
        heights.update(range(low, high + 1))
    return frozenset(heights)


def parse_patterns(texts: Iterable[str]) -> tuple[str, ...]:
    """Names of events, with * and ?, as in 'pbft.*'. Raises ValueError for one that no event can meet."""
    patterns = tuple(part.strip() for text in texts for part in text.split(",") if part.strip())
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in EVENTS):
            raise ValueError(f"no event is called {pattern}; {did_you_mean(pattern, EVENTS) or 'try pbft.*'}")
    return patterns
