"""Twins: a replica in two places with one key, the network parted; `scripts/campaign --twins` runs all."""

from __future__ import annotations

import itertools

from scenarios.virtual.twins import CUTS, PHASES, cases, run_twins


def test_all_cuts_of_the_five_places_are_there() -> None:
    """Fifteen ways to make two blocks, and no cut; in each of three phases."""
    assert len(CUTS) == len(set(CUTS)) == 16
    assert sum(1 for _ in cases()) == 16**PHASES


def test_twins_never_part_the_others_for_good() -> None:
    """A sample of all cases: agreement always, progress after healing; the twins contradict themselves."""
    outcomes = [run_twins(case) for case in itertools.islice(cases(), 0, None, 23)]
    assert len(outcomes) > 150
    assert sum(outcome.view > 1 for outcome in outcomes) > 20
    assert sum(outcome.equivocations > 0 for outcome in outcomes) > 20
    assert sum(outcome.evidence > 0 for outcome in outcomes) > 20
    assert all(outcome.height >= 1 for outcome in outcomes)
