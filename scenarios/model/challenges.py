"""The steps `challenge` of a checked scenario: who says of whom that its shares are missing or unreadable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from node.seals.seal import Seal
from scenarios.model.complaints import Complaints
from scenarios.model.seal_steps import ChallengeStep
from scenarios.model.seal_timing import surely_open
from scenarios.model.units import format_duration
from scenarios.model.wording import listed


@dataclass(frozen=True, slots=True)
class Challenging:
    """`author` challenges the opener `of` about all under `seal` of which it has no good share of `of`."""

    id: str
    line: int
    at_ms: int
    seal: str
    author: str
    of: str

    @property
    def transactions(self) -> tuple[str, ...]:
        """The ids of its transactions: none that an expectation could name."""
        return ()

    @property
    def trigger(self) -> None:
        """It has a time, as openings have."""
        return None

    def describe(self) -> str:
        """What it does, in words."""
        return f"{self.author} challenges {self.of} to answer for its shares of {self.seal}"


def challenge_of(step: ChallengeStep, line: int) -> Challenging:
    """The step as it is carried out."""
    return Challenging(step.id, line, step.at, step.seal, step.as_, step.of)


def check_challenges(steps: Mapping[int, Challenging], seals: Sequence[Seal], complaints: Complaints) -> None:
    """Complain about challenges, by place in the file, of who owes nothing, or nothing yet."""
    by_name = {seal.name: seal for seal in seals}
    for index, step in steps.items():
        seal = by_name[step.seal]
        if step.of not in seal.openers:
            message = f"{step.of} is no opener of {seal.name}; {listed(seal.openers)} can owe a share"
            complaints.at(("steps", index, "of"), "E-NOT-OPENER", message)
        elif step.of == step.author:
            complaints.at(("steps", index, "of"), "E-VALUE", f"{step.of} owes itself no share")
        if surely_open(seal, step.at_ms, None) is False:
            message = f"{seal.name} opens at {format_duration(seal.opens_at_ms)}: nobody owes a share before"
            complaints.at(("steps", index, "at"), "E-VALUE", message)
