"""What owners of transactions allow by the steps of a scenario: consents, revocations, and what follows.

Time decides here, as the file says it; in a run the chain does. A consent for some blocks ends at a height
that nobody can know beforehand: such parties are `unsure`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from node.envelopes.rule import FORBIDDEN, FREE
from scenarios.model.consent_steps import ConsentStep, RevokeStep
from scenarios.model.disclosures import Disclose
from scenarios.model.names import meant
from scenarios.model.seals import unsealed_to
from scenarios.model.starts import Place, Timed, comes_before, start_of
from scenarios.model.units import format_blocks

if TYPE_CHECKING:
    from scenarios.model.plan import PlannedSend
    from scenarios.model.scenario import Scenario


@dataclass(frozen=True, slots=True)
class OwnersWord:
    """The sender of `tx` agrees that it is shown to `parties`, or withdraws it from them.

    It agrees for `blocks`; 0 is until it is withdrawn.
    """

    id: str
    line: int
    at_ms: int
    tx: str
    owner: str
    parties: tuple[str, ...]
    agreed: bool
    hidden: bool
    reason: str = field(repr=False)
    blocks: int = 0
    trigger: Place | None = None

    @property
    def transactions(self) -> tuple[str, ...]:
        """The ids of its transactions: none that an expectation could name."""
        return ()

    def describe(self) -> str:
        """What it does, in words; whom a hidden one is about is for the operator's eyes, as the file is."""
        whom, lasts = ", ".join(self.parties), f" for {format_blocks(self.blocks)}" if self.blocks else ""
        if self.agreed:
            return f"{self.owner} consents that {self.tx} is shown to {whom}{lasts}: {self.reason}"
        return f"{self.owner} withdraws {self.tx} from {whom}: {self.reason}"


def owners_word(step: ConsentStep | RevokeStep, line: int, names: Sequence[str]) -> OwnersWord:
    """The step with every party named in full."""
    agreed = isinstance(step, ConsentStep)
    at_ms, trigger = start_of(step.at)
    patterns = step.to if isinstance(step, ConsentStep) else step.of
    return OwnersWord(
        id=step.id,
        line=line,
        at_ms=at_ms,
        tx=step.tx,
        owner=step.as_,
        parties=tuple(name for name in meant(patterns, names) if name != step.as_),
        agreed=agreed,
        hidden=step.whom == "hidden",
        reason=step.reason,
        blocks=(step.for_ or 0) if isinstance(step, ConsentStep) else 0,
        trigger=trigger,
    )


def _last_word(scenario: Scenario, send: PlannedSend, name: str, before: Timed | float) -> OwnersWord | None:
    found = None
    for word in scenario.owners_words:
        if (
            word.tx == send.id
            and word.owner == send.sender
            and name in word.parties
            and _precedes(word, before)
        ):
            found = word
    return found


def _precedes(step: Timed, before: Timed | float) -> bool:
    """Whether a step comes before another, or a time; what nobody can know beforehand is assumed."""
    if isinstance(before, int | float):
        return step.trigger is not None or step.at_ms < before
    return comes_before(step, before) is not False


def refused(scenario: Scenario, send: PlannedSend, step: Disclose) -> list[str]:
    """To whom this disclosure of the transaction may not go by its owner's rule, when it is its turn."""
    if step.discloser == send.sender:
        return []
    own = _last_word(scenario, send, step.discloser, step)
    if own is not None and not own.agreed:
        return list(step.receivers)
    found = []
    for name in step.receivers:
        word = _last_word(scenario, send, name, step)
        withdrawn = word is not None and not word.agreed
        agreed = word is not None and word.agreed
        if withdrawn or send.redisclose == FORBIDDEN or (send.redisclose != FREE and not agreed):
            found.append(name)
    return found


def made(scenario: Scenario, send: PlannedSend, steps: Iterable[Disclose]) -> list[Disclose]:
    """Those disclosures of the transaction that are made: allowed, or made in breach of its rule."""
    return [step for step in steps if step.breach or not refused(scenario, send, step)]


def bound(scenario: Scenario, send: PlannedSend, before_ms: float = float("inf")) -> set[str]:
    """Who holds what only a rule forbids: it was withdrawn from them, or shown to them in breach alone."""
    found, unsealed = set(), unsealed_to(scenario, send)
    disclosures = [each for each in scenario.disclosures if each.tx == send.id and _precedes(each, before_ms)]
    for name in scenario.names:
        if name == send.sender:
            continue
        word = _last_word(scenario, send, name, before_ms)
        named = name in send.readers or name in unsealed
        shown = [each for each in made(scenario, send, disclosures) if name in each.receivers]
        allowed = [each for each in shown if name not in refused(scenario, send, each)]
        if (named or shown) and (
            (word is not None and not word.agreed) or (not named and shown and not allowed)
        ):
            found.add(name)
    return found


def unsure(scenario: Scenario, send: PlannedSend) -> set[str]:
    """Whose consent ends at a height, or is given at one, so that nobody can say beforehand when."""
    words = [word for word in scenario.owners_words if word.tx == send.id]
    shown = [each for each in scenario.disclosures if each.tx == send.id]
    steps: list[Timed] = [*words, *shown]
    waits = any(each.trigger is not None for each in steps)
    return {name for word in words if word.blocks or waits for name in word.parties}
