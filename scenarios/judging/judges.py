"""Which judge judges what."""

from __future__ import annotations

from collections.abc import Callable

from scenarios.judging import blames, consensus, knowledge, ledgers, objects, pace, replays, seals, totals
from scenarios.judging.evidence import Evidence
from scenarios.judging.judgement import Judgement
from scenarios.model.scenario import (
    Agreement,
    Blamed,
    Denied,
    EvidenceKept,
    Height,
    Latency,
    LearnsOnly,
    Messages,
    MetadataKnown,
    NoPlaintext,
    Opened,
    PrivateState,
    Progress,
    Readers,
    Refused,
    Stall,
    ViewChanges,
)


def _refused(evidence: Evidence, wanted: Refused) -> Judgement:
    """A replay leads to nothing; a write has no effect."""
    if any(step.id == wanted.step for step in evidence.scenario.replays):
        return replays.refused(evidence, wanted)
    return objects.write_refused(evidence, wanted)


_JUDGES: dict[type, Callable[..., Judgement]] = {
    Agreement: ledgers.agreement,
    Height: ledgers.height,
    Readers: knowledge.readers,
    Denied: knowledge.denied,
    MetadataKnown: knowledge.metadata,
    NoPlaintext: knowledge.no_plaintext,
    Progress: pace.progress,
    Stall: pace.stall,
    Latency: pace.latency,
    ViewChanges: consensus.view_changes,
    EvidenceKept: consensus.evidence_kept,
    Messages: consensus.messages,
    Opened: seals.opened,
    Refused: _refused,
    PrivateState: objects.private_state,
    Blamed: blames.blamed,
    LearnsOnly: totals.learns_only,
}


def judge(evidence: Evidence) -> list[Judgement]:
    """Judge every expectation of the scenario, in the order of the file."""
    return [
        _JUDGES[type(expectation)](evidence, expectation) for expectation in evidence.scenario.expectations
    ]
