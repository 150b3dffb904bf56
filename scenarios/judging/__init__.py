"""Judging a run by what it left behind: disks, keys, logs, faults, the recorder's capture. Three-valued.

An expectation holds, is broken, or could not be confirmed. Nothing here asks a node: it could be lying.
"""

from __future__ import annotations

from scenarios.judging.evidence import Evidence, artefacts
from scenarios.judging.incidents import incidents, vacuous, waiting
from scenarios.judging.judgement import Judgement, Outcome
from scenarios.judging.judges import judge
from scenarios.judging.predicted import PREDICTED, plan_differences, predicted
from scenarios.judging.seals import steps_as_expected
from scenarios.judging.totals import summed

__all__ = [
    "PREDICTED",
    "Evidence",
    "Judgement",
    "Outcome",
    "artefacts",
    "incidents",
    "judge",
    "plan_differences",
    "predicted",
    "steps_as_expected",
    "summed",
    "vacuous",
    "waiting",
]
