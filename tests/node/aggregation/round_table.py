"""A round of aggregation around one table: every party with its own machine, one order of deeds for all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256

from node.aggregation.boxes import total_hash
from node.aggregation.contributor import Contributor
from node.aggregation.coordinator import Announce, Coordinator
from node.aggregation.rounds import Place, Round, Rounds
from node.chain.round_deeds import RoundDeed, RoundResult
from tests.node.small_consortium import seeded

NAMES = ("ann", "bob", "cyd", "dan", "eve", "fay", "gus")
VALUES = dict(zip(NAMES, (1_000_001, 22, 333, 4_444, 5_000, 66_666, 7), strict=True))
CLEARING = "hal"
Change = Callable[[str, RoundDeed], RoundDeed | None]


class Table:
    """`change(author, deed)` is what an author says in place of its deed; None, and it stays silent."""

    def __init__(
        self,
        values: Mapping[str, int] = VALUES,
        *,
        field: str = "exposure",
        seed: object = 0,
        rounds: Rounds | None = None,
        change: Change = lambda author, deed: deed,
        minimum: int = 4,
    ) -> None:
        self.rounds = rounds or Rounds()
        self.change = change
        self.order: list[tuple[str, RoundDeed, str]] = []
        self.seed = seed
        self.contributors = {
            name: Contributor(name, value, sha256(name.encode()).digest(), seeded(f"{name} {seed}"))
            for name, value in values.items()
        }
        self.coordinator = Coordinator(
            CLEARING, tuple(values), field, seeded(f"clearing {seed}"), minimum=minimum, patience_ms=1000
        )
        self.announced: Announce | None = None
        self.down: set[str] = set()
        self.now_ms = 0
        self.say(CLEARING, self.coordinator.start)
        self.id = self.last_act

    @property
    def round(self) -> Round:
        return self.rounds.by_id[self.id]

    def say(self, author: str, deed: RoundDeed) -> str:
        """Have a deed ordered; why it had no effect, or nothing."""
        changed = self.change(author, deed)
        if changed is None:
            return "silent"
        number = len(self.order)
        self.last_act = sha256(f"{self.seed} {number} {author}".encode()).digest()
        reason = self.rounds.apply(Place(self.last_act, author, number), changed)
        self.order.append((author, changed, reason))
        return reason

    def step(self) -> bool:
        """Everybody that is up reacts once, the coordinator last; whether anybody said anything."""
        said = False
        for name, contributor in self.contributors.items():
            if name not in self.down:
                for deed in contributor.react(self.round):
                    self.say(name, deed)
                    said = True
        if CLEARING not in self.down:
            for thing in self.coordinator.react(self.rounds, self.round, self.now_ms):
                said = True
                if isinstance(thing, Announce):
                    self.announced = thing
                    hashed = total_hash(self.id, thing.salt, thing.total)
                    self.say(CLEARING, RoundResult(self.id, bytes(32), hashed))
                else:
                    self.say(CLEARING, thing)
        return said

    def run(self, until: str = "") -> Round:
        """Go on until the round is over, or in this phase."""
        for _ in range(100):
            if self.round.phase == until:
                return self.round
            if not self.step():
                if self.round.over:
                    return self.round
                self.now_ms += 1000  # Nothing moves: somebody is waited for.
        raise AssertionError(f"still {self.round.phase}")

    def verdicts(self) -> set[str]:
        return {self.contributors[name].verdict.name for name in self.round.present}


def total_of(names: Iterable[str]) -> int:
    return sum(VALUES[name] for name in names)


def replaced(author: str, kind: type, **changes: object) -> Change:
    """A change of the deeds of one kind by one author."""

    def change(who: str, deed: RoundDeed) -> RoundDeed | None:
        if who == author and isinstance(deed, kind):
            return replace_deed(deed, **changes)
        return deed

    return change


def replace_deed(deed: RoundDeed, **changes: object) -> RoundDeed:
    fields = {name: getattr(deed, name) for name in deed.__struct_fields__}
    return type(deed)(**(fields | changes))  # type: ignore[return-value]


__all__ = ["CLEARING", "NAMES", "VALUES", "Table", "replace_deed", "replaced", "total_of"]
