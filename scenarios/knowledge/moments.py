"""A moment of a run, as `--at` names it: `11s`, `block 9`, `end`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from node.duration import parse_duration_ms, seconds_text

_BLOCK = re.compile(r"block\s*(\d{1,15})")


@dataclass(frozen=True, slots=True)
class At:
    """The end when both are None; else a time in ms since genesis, or a height."""

    t_ms: int | None = None
    height: int | None = None

    @classmethod
    def parse(cls, text: str) -> At:
        """Raises PrivityError E-DURATION (wrong usage) for what is no moment."""
        text = text.strip()
        if text == "end":
            return cls()
        if block := _BLOCK.fullmatch(text):
            return cls(height=int(block[1]))
        return cls(t_ms=parse_duration_ms(text, where="--at"))

    @property
    def is_end(self) -> bool:
        return self.t_ms is None and self.height is None

    def reached(self, t_ms: int, height: int) -> bool:
        """Whether what happened at this time, or with this height, had happened by then."""
        if self.height is not None:
            return height <= self.height
        return self.t_ms is None or t_ms <= self.t_ms

    def __str__(self) -> str:
        if self.height is not None:
            return f"block {self.height}"
        return "end" if self.t_ms is None else seconds_text(self.t_ms)
