"""Durations as people write them: a number and its unit."""

from __future__ import annotations

import re

from node.errors import WRONG_USAGE, PrivityError

_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "min": 60_000, "h": 3_600_000}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)")


def parse_duration_ms(text: str, *, where: str = "") -> int:
    """Milliseconds of '250ms', '1.5s', '2m', '1h'. Raises E-DURATION, which says what to write."""
    match = _DURATION.fullmatch(text.strip())
    if match and match[2] in _UNIT_MS:
        return round(float(match[1]) * _UNIT_MS[match[2]])
    what = f"{text} has no unit; write {text}s" if match and not match[2] else f"{text!r} is no duration"
    raise PrivityError(
        "E-DURATION", what, where=where, next="units are ms, s, m and h", exit_code=WRONG_USAGE
    )


def seconds_text(ms: int) -> str:
    """So many milliseconds in words: `0.35s`, `12s`."""
    return f"{ms / 1000:g}s"
