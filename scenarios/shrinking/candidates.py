"""Runs what a shrinker proposes, in a child process with a limit of time: does it break the same?"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scenarios.kept import as_it_runs
from scenarios.model.filled import brief
from scenarios.model.loading import parse_scenario
from scenarios.model.problems import ScenarioInvalid
from scenarios.model.scenario import Load, Scenario
from scenarios.repeating.crew import Crew
from scenarios.repeating.once import Broken, Outcome, Task
from scenarios.shrinking.cutting import Document, as_yaml
from scenarios.shrinking.shrinker import BudgetSpent

# A candidate may take longer than the whole, as one does whose network stalls, but not for ever.
LONGER = 5
LEAST_LIMIT_S = 20.0
FIRST_LIMIT_S = 300.0


@dataclass(frozen=True, slots=True)
class Size:
    """How large a scenario is, as far as a reader feels it."""

    faults: int
    nodes: int
    transactions: int
    rules: int

    @classmethod
    def of(cls, scenario: Scenario) -> Size:
        """That of a checked scenario."""
        sent = sum(each.count if isinstance(each, Load) else 1 for each in scenario.workload)
        return cls(len(scenario.faults), len(scenario.names), sent, len(scenario.expectations))

    def __str__(self) -> str:
        counts = {
            "fault": self.faults,
            "node": self.nodes,
            "transaction": self.transactions,
            "expectation": self.rules,
        }
        return ", ".join(f"{count} {word}{'' if count == 1 else 's'}" for word, count in counts.items())


def document_of(scenario: Scenario) -> Document:
    """What of a scenario is not the default, as plain maps and lists, to run in the virtual world."""
    virtual = as_it_runs(dataclasses.replace(scenario, transport="memory"))
    return virtual.document.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True)


def scenario_of(document: Document, name: str) -> Scenario:
    """The checked scenario. Raises ScenarioInvalid."""
    return parse_scenario(as_yaml(document), name, name)


class Candidates:
    """A crew of one, and how many runs it may still make. `tell(runs, size)` hears of each run."""

    def __init__(
        self,
        crew: Crew,
        home: Path,
        name: str,
        signatures: str,
        budget: int,
        tell: Callable[[int, Size], None],
    ) -> None:
        self.runs = 0
        self.wanted: Broken | None = None
        self._crew, self._home, self._name = crew, home, name
        self._signatures, self._budget = signatures, budget
        self._tell = tell
        self._limit_s = FIRST_LIMIT_S

    def first(self, document: Document) -> Outcome:
        """The outcome of the whole; what it breaks first is what all others must break."""
        outcome = self._run(scenario_of(document, self._name))
        self.wanted = outcome.broken[0] if outcome.broken else None
        self._limit_s = max(LEAST_LIMIT_S, LONGER * outcome.seconds)
        return outcome

    def breaks_the_same(self, document: Document) -> bool:
        """Whether this one does. Raises BudgetSpent; what is no valid scenario costs nothing."""
        try:
            scenario = scenario_of(document, self._name)
        except ScenarioInvalid:
            return False
        if self.runs >= self._budget:
            raise BudgetSpent
        outcome = self._run(scenario)
        assert self.wanted is not None
        return any(broken.same(self.wanted) for broken in outcome.broken)

    def _run(self, scenario: Scenario) -> Outcome:
        self.runs += 1
        self._tell(self.runs, Size.of(scenario))
        home = self._home / str(self.runs)
        task = Task(
            text=brief(scenario),
            file=self._name,
            name=self._name,
            home=str(home),
            signatures=self._signatures,
        )
        (outcome,) = self._crew.run([task], self._limit_s)
        shutil.rmtree(home, ignore_errors=True)
        return outcome
