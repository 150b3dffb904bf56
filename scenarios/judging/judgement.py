"""What a judge says of one expectation, and the words that judges share."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from scenarios.model.scenario import Expectation

Outcome = Literal["holds", "broken", "unconfirmed"]
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of one expectation. `detail` is one line; `more` says where to look further."""

    check: str
    line: int
    result: Outcome
    detail: str
    more: str = ""


def judged(wanted: Expectation, result: Outcome, detail: str, more: str = "") -> Judgement:
    """A judgement. Where to look further is left out when all is well."""
    return Judgement(wanted.check, wanted.line, result, detail, more if result != "holds" else "")


def names(parties: Collection[str]) -> str:
    """Parties in words, in alphabetical order."""
    return " ".join(sorted(parties)) or "nobody"


def some(words: Sequence[str]) -> str:
    """The first few words of a list that may be long."""
    return " ".join(words[:SHOWN]) + (" ..." if words[SHOWN:] else "")


def counted(count: int, thing: str) -> str:
    """A number with its noun: `1 block`, `2 blocks`."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
