"""What totals of a scenario tell beyond what their author may have meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from node.aggregation.differencing import given_away
from node.chain.round_deeds import LEAST_CONTRIBUTORS
from scenarios.model.plan import PlannedSend
from scenarios.model.scenario import Scenario
from scenarios.model.warnings import Warning


def few_contributors(scenario: Scenario, sends: Sequence[PlannedSend]) -> Iterator[Warning]:
    """A total of as few as are possible."""
    for step in scenario.aggregates:
        if len(step.contributors) == LEAST_CONTRIBUTORS:
            others = f"any {LEAST_CONTRIBUTORS - 1} that talk know the last one's value"
            message = (
                f"{step.id} sums {LEAST_CONTRIBUTORS} values: {others}, and without one there is no total"
            )
            yield Warning("W-FEW", message, step.line)


def telling_totals(scenario: Scenario, sends: Sequence[PlannedSend]) -> Iterator[Warning]:
    """A total that together with earlier ones of its field gives a value away, if all contribute."""
    before: dict[str, list[frozenset[str]]] = {}
    for step in sorted(scenario.aggregates, key=lambda step: step.at_ms):
        known = before.setdefault(step.field, [])
        told = given_away([*known, frozenset(step.contributors)])
        if told is None:
            known.append(frozenset(step.contributors))
            continue
        whom = told[1] or step.coordinator
        message = f"{step.id} and earlier totals of {step.field} give {told[0]}'s value away to {whom}"
        yield Warning("W-TOTALS", f"{message}: that round ends without a total", step.line)
