"""The fields that an event may have: their order, their types, and how a value becomes what the log shows.

There is no field for a payload, and none that takes free text. A field takes a number within bounds, a
word of a closed set, the name of a party or of a thing in the scenario, or 32 bytes of digest, of which
the log shows four. Anything else is refused, so a payload cannot get in by mistake.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from node.cells import CELLS
from node.errors import CATALOGUE
from node.logs.event_names import HINTS, PHASES, REASONS
from node.text import clean

DIGEST_BYTES = 32
DIGEST_DIGITS = 8
PARTIES_MAX = 64

# Each check gives the value as the log shows it, or None to refuse it.
Check = Callable[[object], object | None]

# What may name a party, and with it a folder.
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)
# The id of a transaction, step, seal or fault, and a party whose name is not known beforehand. Their words
# are short, so that no key, salt or canary in hex, base32 or base64 passes for a name.
LABEL = re.compile(r"(?!.*[a-z0-9]{21})[a-z0-9][a-z0-9._-]{0,47}", re.ASCII)


def is_name(text: str) -> bool:
    """Whether this can be the name of a party."""
    return NAME.fullmatch(text) is not None


def is_label(text: str) -> bool:
    """Whether an event can carry this as the id of a transaction, step, seal or fault."""
    return LABEL.fullmatch(text) is not None


def short(digest: bytes) -> str:
    """A digest as a log or a table shows it: 8 hex digits."""
    return digest[: DIGEST_DIGITS // 2].hex()


def _integer(most: int) -> Check:
    return lambda value: value if type(value) is int and 0 <= value <= most else None


def _boolean(value: object) -> bool | None:
    return value if type(value) is bool else None


def _digest(value: object) -> str | None:
    return short(value) if type(value) is bytes and len(value) == DIGEST_BYTES else None


def _message(value: object) -> str | None:
    """A message is named by its digest, or by a number its sender gave it."""
    if type(value) is int:
        return f"m-{value:x}" if 0 <= value < 1 << 32 else None
    digits = _digest(value)
    return None if digits is None else f"m-{digits}"


def _label(value: object) -> str | None:
    """A short name; control characters, which a peer may have put into it, are taken out first."""
    if type(value) is not str:
        return None
    if LABEL.fullmatch(value):
        return value
    value = clean(value)
    return value if LABEL.fullmatch(value) else None


def _one_of(words: Collection[str]) -> Check:
    return lambda value: value if type(value) is str and value in words else None


def _reason(value: object) -> str | None:
    return REASONS.get(value) if type(value) is str else None


def _hint(value: object) -> str | None:
    """A hint of the closed set: its token, or a tuple of the token and what its sentence leaves open."""
    token, *arguments = value if type(value) is tuple and value else (value,)
    sentence = HINTS.get(token) if type(token) is str else None
    if sentence is None or sentence.count("{}") != len(arguments):
        return None
    shown = [a if type(a) is int else _label(a) for a in arguments]
    return None if None in shown else sentence.format(*shown)


def _one_or_more(check: Check) -> Check:
    def check_all(value: object) -> object | None:
        if type(value) not in (list, tuple):
            return check(value)
        values = [check(one) for one in value] if len(value) <= PARTIES_MAX else [None]  # type: ignore[arg-type, attr-defined]
        return None if None in values else values

    return check_all


_small = _integer(PARTIES_MAX)
_count = _integer((1 << 53) - 1)  # Every reader of JSON keeps such a number exact.

# Standing in front of every event, in this order.
ALWAYS = ("ts", "t", "seq", "lam", "run", "node", "lvl", "ev")

_CHECKS: dict[str, Check] = {
    # Consensus.
    "h": _count,
    "v": _count,
    "digest": _digest,
    "blk": _digest,
    "parent": _digest,
    "state_root": _digest,
    "txs": _count,
    "phase": _one_of(PHASES),
    "from": _one_or_more(_label),
    "to": _one_or_more(_label),
    "msg": _message,
    "cause": _message,
    "have": _count,
    "need": _count,
    # Privacy.
    "tx": _digest,
    "id": _label,
    "commit": _digest,
    "readers_n": _small,
    "party": _label,
    "cell": _one_of(CELLS),
    "bytes": _count,
    "reason_code": _reason,
    "count": _count,
    # A node's state.
    "mempool": _count,
    "low": _count,
    "high": _count,
    "pending": _count,
    "delivered": _count,
    "missing": _count,
    "unreadable": _count,
    "refused": _count,
    "unknown": _count,
    "not_party": _count,
    "not_delivered": _count,
    "purged": _count,
    "sealed": _count,
    # Outcome.
    "ok": _boolean,
    "err": _one_of(CATALOGUE),
    "dur_ms": _count,
    "fault": _label,
    "hint": _hint,
    "line": _count,  # Of the scenario file.
}
FIELD_NAMES = tuple(_CHECKS)
# What a reader may rely on: the types of the values as they stand in a file.
FIELD_TYPES: dict[str, tuple[type, ...]] = {
    name: (int,) if check in (_count, _small) else (bool,) if check is _boolean else (str,)
    for name, check in _CHECKS.items()
} | {"from": (str, list), "to": (str, list)}


def field_checks(names: Collection[str] | None = None) -> dict[str, tuple[int, str, Check]]:
    """Per field: its place in the order, its name, its check.

    With `names`, a party's name must be one of them. `from_` is `from`, which Python keeps for itself.
    """
    checks = dict(_CHECKS)
    if names is not None:
        known = _one_of(frozenset(names))
        checks |= {"party": known, "from": _one_or_more(known), "to": _one_or_more(known)}
    fields = {name: (place, name, check) for place, (name, check) in enumerate(checks.items())}
    fields["from_"] = fields["from"]
    return fields
