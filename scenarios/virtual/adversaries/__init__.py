"""Byzantine replicas: they hold their real keys, follow the protocol where it suits them, else they lie."""

from __future__ import annotations

from random import Random

from scenarios.virtual.adversaries.byzzfuzz import small_scope
from scenarios.virtual.adversaries.liar import Behaviour, starter
from scenarios.virtual.adversaries.ordering_lies import (
    Censor,
    EquivocatingPrimary,
    EquivocatingVoter,
    InvalidBatch,
    OutOfWindow,
    PreparingPrimary,
    SlowPrimary,
    WrongDigest,
)
from scenarios.virtual.adversaries.silence_and_noise import (
    Flood,
    FutureViews,
    LyingAnswers,
    Replay,
    SelectivelySilent,
    Silent,
    StaleViews,
)
from scenarios.virtual.adversaries.view_lies import InvalidNewView, InvalidViewChange
from scenarios.virtual.host import Starter

ADVERSARIES: dict[str, type[Behaviour]] = {
    "equivocating primary": EquivocatingPrimary,
    "equivocating voter": EquivocatingVoter,
    "preparing primary": PreparingPrimary,
    "wrong digest": WrongDigest,
    "invalid batch": InvalidBatch,
    "out of window": OutOfWindow,
    "censor": Censor,
    "slow primary": SlowPrimary,
    "silent": Silent,
    "selectively silent": SelectivelySilent,
    "stale views": StaleViews,
    "future views": FutureViews,
    "flood": Flood,
    "replay": Replay,
    "lying answers": LyingAnswers,
    "invalid view-change": InvalidViewChange,
    "invalid new-view": InvalidNewView,
}


def draw(random: Random) -> tuple[str, Starter]:
    """Some adversary, with a name and a start; small-scope mutations are as likely as all others together."""
    if random.random() < 0.3:
        return "small scope", starter(lambda host: small_scope(host, random))
    name = random.choice(sorted(ADVERSARIES))
    return name, starter(lambda host: ADVERSARIES[name](host, random))


__all__ = ["ADVERSARIES", "draw", "small_scope", "starter"]
