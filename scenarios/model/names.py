"""Names of parties and transactions: their alphabet, `bank-[a..g]`, `bank-*`, and the nearest known one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from node.logs.event_fields import is_label, is_name
from node.text import did_you_mean
from scenarios.model.wording import listed, shown

# Words that mean something else wherever a party may be named.
RESERVED = {
    "broker": "the MQTT broker",
    "everyone": "all parties",
    "operator": "whoever runs the simulation",
    "primary": "whoever leads at that moment",
    "backups": "the voters that do not lead at that moment",
    "voters": "all that take part in consensus",
    "random": "a drawn party",
}

# Those that a fault may name in place of parties. They are looked up when it begins.
SELECTORS = ("primary", "backups", "voters")

_LETTERS = re.compile(r"[a-z0-9-]+", re.ASCII)
_END = r"(?:[a-z]|[0-9]{1,4})"
_SERIES = re.compile(rf"([^\[\]]*)\[({_END})\.\.({_END})\]([^\[\]]*)", re.ASCII)
_LONGEST_SERIES = 1000


def expand(name: str) -> list[str]:
    """`bank-[a..c]` gives bank-a, bank-b and bank-c (also `[1..7]`); any other name gives itself.

    A series that runs backwards gives itself too: its brackets then fail as characters of a name.
    """
    match = _SERIES.fullmatch(name)
    if match is None or match[2].isdigit() != match[3].isdigit():
        return [name]
    before, first, last, after = match.groups()
    if first.isdigit():
        middles = [str(number) for number in range(int(first), int(last) + 1)[:_LONGEST_SERIES]]
    else:
        middles = [chr(code) for code in range(ord(first), ord(last) + 1)]
    return [f"{before}{middle}{after}" for middle in middles] or [name]


def matching(pattern: str, names: Iterable[str]) -> list[str]:
    """The names that `pattern` means, in their own order: a name, `bank-*`, or `bank-[a..c]`."""
    # Only * is a wildcard here; what else fnmatch knows stands for itself.
    parts = [part.replace("[", "[[]").replace("?", "[?]") for part in expand(pattern)]
    return [name for name in names if any(fnmatchcase(name, part) for part in parts)]


def meant(patterns: str | Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """The names that one of the patterns means, each once, in their own order."""
    wanted = [patterns] if isinstance(patterns, str) else patterns
    found = {name for pattern in wanted for name in matching(pattern, names)}
    return tuple(name for name in names if name in found)


def wrong_with_name(name: str) -> str | None:
    """Why no party can have this name, or None."""
    if name in RESERVED:
        return f"{name} is taken: it means {RESERVED[name]}"
    if any(sign in name for sign in "#+/"):
        return f"{shown(name)} cannot be a name: #, + and / mean something to a broker"
    if is_name(name) and _LETTERS.fullmatch(name):
        return None
    return f"{shown(name)} cannot be a name: words of a-z and 0-9 joined by -, at most 32 characters"


def wrong_with_identifier(identifier: str) -> str | None:
    """Why nothing can have this id, or None: ids stand in logs, which take short plain words only."""
    if is_label(identifier) and _LETTERS.fullmatch(identifier):
        return None
    return "not an id: words of a-z and 0-9 joined by -, each at most 20 and all at most 40 characters"


def no_such_party(pattern: str, parties: Sequence[str], others: Sequence[str] = ()) -> str:
    """What to say of a name (or pattern) that no party has, where `others` may be named too."""
    if pattern in RESERVED:
        return f"{pattern} means {RESERVED[pattern]}; name a party"
    what = "no party matches" if "*" in pattern or "[" in pattern else "no party named"
    near = did_you_mean(pattern, [*parties, *others])
    return f"{what} {shown(pattern)}; {near or f'there are {listed(parties)}'}"
