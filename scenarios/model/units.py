"""Units as people write them: `12s`, `4/s`, `512B`, `1..3`, `1%`, `5ms..20ms`. A bare number is refused.

Each parser takes what the YAML held and gives plain numbers (milliseconds, bytes); each `format_` is its
inverse, so that a scenario written out again loads back equal. The command line can read its flags with them.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from node.duration import parse_duration_ms
from node.envelopes.transaction import MAX_KEEP
from node.errors import PrivityError
from scenarios.model.wording import shown

MAX_DURATION_MS = 7 * 24 * 3_600_000
MAX_RATE_PER_S = 10_000
MAX_DELAY_US = 600_000_000

_LONGEST = 32  # Characters; more digits than that would not fit into a float.
_RATE_PERIODS_MS = {"s": 1_000, "m": 60_000}
_BYTES_PER_UNIT = {"B": 1, "KiB": 1024}
_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,3})?", re.ASCII)
_RATE = re.compile(r"([0-9]{1,6})/(s|m)", re.ASCII)
_SIZE = re.compile(r"([0-9]{1,9})(B|KiB)", re.ASCII)
_BLOCKS = re.compile(r"([0-9]{1,9}) *blocks?", re.ASCII)
_RANGE = re.compile(r"(-?[0-9]{1,18})\.\.(-?[0-9]{1,18})", re.ASCII)
_PERCENT = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?) *%", re.ASCII)
_DELAY = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?) *(ms|s|m)", re.ASCII)
_MICROSECONDS = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000}


class UnitError(ValueError):
    """A value of the wrong unit or form: what to write. `code` is E-DURATION, E-UNIT or E-VALUE."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Rate(NamedTuple):
    """So many (`times`) in each `per_ms` milliseconds."""

    times: int
    per_ms: int


class Range(NamedTuple):
    """Whole numbers from `low` to `high`, both included."""

    low: int
    high: int


def parse_duration(value: object) -> int:
    """Milliseconds of `500ms`, `12s`, `1.5s`, `2m` or `1h`, a week at most. Raises UnitError (E-DURATION)."""
    if not isinstance(value, str) or len(value) > _LONGEST or _NUMBER.fullmatch(value):
        raise UnitError(
            "E-DURATION", _without_unit(value, "s") or "not a duration; write it like 500ms or 12s"
        )
    try:
        milliseconds = parse_duration_ms(value)
    except PrivityError:
        raise UnitError("E-DURATION", f"{shown(value)} is no duration; write it like 500ms or 12s") from None
    if milliseconds > MAX_DURATION_MS:
        raise UnitError("E-DURATION", f"{shown(value)} is longer than a week")
    return milliseconds


def format_duration(milliseconds: int) -> str:
    """`12s` when whole seconds, else `1500ms`."""
    whole, rest = divmod(milliseconds, 1000)
    return f"{milliseconds}ms" if rest else f"{whole}s"


def parse_rate(value: object) -> Rate:
    """The rate in `4/s` or `90/m`. Raises UnitError (E-UNIT, or E-VALUE for a rate of nothing)."""
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise UnitError("E-UNIT", _without_unit(value, "/s") or "not a rate; write it like 4/s or 90/m")
    rate = Rate(int(match[1]), _RATE_PERIODS_MS[match[2]])
    if not 0 < rate.times * 1000 <= MAX_RATE_PER_S * rate.per_ms:
        raise UnitError("E-VALUE", f"a rate is from 1/m to {MAX_RATE_PER_S}/s")
    return rate


def format_rate(rate: Rate) -> str:
    """`4/s` or `90/m`."""
    return f"{rate.times}/{'s' if rate.per_ms == 1000 else 'm'}"


def parse_size(value: object) -> int:
    """Bytes of `512B` or `4KiB`. Raises UnitError (E-UNIT)."""
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise UnitError("E-UNIT", _without_unit(value, "B") or "not a size; write it like 512B or 4KiB")
    return int(match[1]) * _BYTES_PER_UNIT[match[2]]


def format_size(size: int) -> str:
    """`4KiB` when whole, else `512B`."""
    whole, rest = divmod(size, 1024)
    return f"{size}B" if rest or not size else f"{whole}KiB"


def parse_range(value: object) -> Range | None:
    """The numbers that the text `1..3` spans, None for anything else. Raises UnitError for none at all."""
    match = _RANGE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    span = Range(int(match[1]), int(match[2]))
    if span.low > span.high:
        raise UnitError("E-VALUE", "a range goes from the smaller number to the larger one, as in 1..3")
    return span


def parse_blocks(value: object) -> int:
    """The number in `30 blocks` or `1 block`. Raises UnitError (E-UNIT, or E-VALUE for none or too many)."""
    match = _BLOCKS.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise UnitError("E-UNIT", _without_unit(value, " blocks") or "write for how long, like 30 blocks")
    blocks = int(match[1])
    if not 1 <= blocks <= MAX_KEEP:
        raise UnitError("E-VALUE", f"a payload is kept for 1 to {MAX_KEEP} blocks; without keep, for ever")
    return blocks


def format_blocks(blocks: int) -> str:
    """`30 blocks` or `1 block`."""
    return f"{blocks} block{'' if blocks == 1 else 's'}"


def parse_percent(value: object) -> float:
    """The part of one that `1%` or `0.5%` is. Raises UnitError (E-VALUE)."""
    match = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        hint = _without_unit(value, "%")
        if hint and 0 < float(str(value)) < 1:
            hint += f" or {format_percent(float(str(value)))}"  # Others write chances from 0 to 1.
        raise UnitError("E-VALUE", hint or "not a chance; write it like 1% or 0.5%")
    percent = float(match[1])
    if percent > 100:
        raise UnitError("E-VALUE", "a chance is from 0% to 100%")
    return percent / 100


def format_percent(chance: float) -> str:
    """`1%` or `0.5%`."""
    return f"{round(chance * 100, 3):g}%"


def parse_delay(value: object) -> Range:
    """Microseconds from and to of `5ms..20ms`; of `5ms` the same twice. Raises UnitError (E-DURATION)."""
    first, to, second = value.partition("..") if isinstance(value, str) else ("", "", "")
    low, high = (_microseconds(part.strip()) for part in (first, second if to else first))
    if low is None or high is None:
        hint = _without_unit(value, "ms")
        raise UnitError("E-DURATION", hint or "not a delay; write it like 5ms or 5ms..20ms")
    if low > high:
        raise UnitError("E-DURATION", "a delay goes from the shorter time to the longer one, as in 5ms..20ms")
    if high > MAX_DELAY_US:
        raise UnitError("E-DURATION", "a delay is at most 10 minutes")
    return Range(low, high)


def format_delay(delay: Range) -> str:
    """`5ms..20ms`, or `5ms` when it is always the same."""
    low, high = map(_delay_text, delay)
    return low if low == high else f"{low}..{high}"


def parse_offset(value: object) -> Range:
    """The microseconds of `+3s` or `-200ms`, twice: ahead or behind. Raises UnitError (E-DURATION)."""
    sign = value[:1] if isinstance(value, str) else ""
    offset = _microseconds(value[1:].strip()) if isinstance(value, str) and sign in ("+", "-") else None
    if not offset:
        raise UnitError("E-DURATION", "write how far the clock is off, like +3s (ahead) or -200ms (behind)")
    if offset > MAX_DELAY_US:
        raise UnitError("E-DURATION", "a clock is at most 10 minutes off")
    offset = -offset if sign == "-" else offset
    return Range(offset, offset)


def format_offset(offset: Range) -> str:
    """`+3s` or `-200ms`."""
    return f"{'-' if offset.low < 0 else '+'}{_delay_text(abs(offset.low))}"


def _microseconds(text: str) -> int | None:
    match = _DELAY.fullmatch(text)
    return round(float(match[1]) * _MICROSECONDS[match[2]]) if match else None


def _delay_text(microseconds: int) -> str:
    whole, rest = divmod(microseconds, 1000)
    return f"{whole}.{rest:03}".rstrip("0") + "ms" if rest else format_duration(whole)


def _without_unit(value: object, unit: str) -> str | None:
    """What to say of a bare number, quoted or not; None when the value is something else."""
    text = value if isinstance(value, str) else repr(value)
    if isinstance(value, bool) or not _NUMBER.fullmatch(text):
        return None
    return f"{text} has no unit; write {text}{unit}"
