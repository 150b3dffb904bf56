"""Which part of the format a place in a file belongs to, and whether a payload may stand there.

A payload is meant to stand below `data:` of a step. A slip of the hand puts it elsewhere (`dta: {price: 1}`),
so everything under a key of a step that the format does not have is private too: messages show none of it.
The same goes for the broker's address, which may hold a password.
"""

from __future__ import annotations

from typing import Any

from scenarios.model.aggregate_steps import AggregateStep
from scenarios.model.any_fault import FAULTS
from scenarios.model.consent_steps import ConsentStep, RevokeStep
from scenarios.model.disclosure_steps import DiscloseStep, RequestStep
from scenarios.model.document import (
    ConsensusSection,
    MetadataSection,
    NetworkSection,
    PartySpec,
    PrivacySection,
    ScenarioDocument,
)
from scenarios.model.expectations import (
    AgreementRule,
    BlamedRule,
    DeniedRule,
    EvidenceRule,
    HeightRule,
    LatencyRule,
    LearnsOnlyRule,
    MessagesRule,
    MetadataRule,
    NoPlaintextRule,
    OpenedRule,
    PrivateStateRule,
    ProgressRule,
    ReadersRule,
    RefusedRule,
    StallRule,
    ViewChangesRule,
)
from scenarios.model.fault_steps import FaultStep
from scenarios.model.not_yet import STEP_KEYS
from scenarios.model.purge_steps import PurgeStep
from scenarios.model.seal_steps import ChallengeStep, OpenStep, SealSpec
from scenarios.model.source import Path, Source, text_of
from scenarios.model.starts import Trigger
from scenarios.model.steps import LoadStep, RandomReaders, ReplayStep, SendStep
from scenarios.model.strict import Strict

STEPS: dict[str, type[Strict]] = {
    "send": SendStep,
    "load": LoadStep,
    "replay": ReplayStep,
    "disclose": DiscloseStep,
    "request": RequestStep,
    "consent": ConsentStep,
    "revoke": RevokeStep,
    "aggregate": AggregateStep,
    "open": OpenStep,
    "challenge": ChallengeStep,
    "purge": PurgeStep,
    "fault": FaultStep,
}
CHECKS: dict[str, type[Strict]] = {
    "agreement": AgreementRule,
    "readers": ReadersRule,
    "denied": DeniedRule,
    "no_plaintext": NoPlaintextRule,
    "height": HeightRule,
    "progress": ProgressRule,
    "stall": StallRule,
    "evidence": EvidenceRule,
    "view_changes": ViewChangesRule,
    "latency": LatencyRule,
    "messages": MessagesRule,
    "metadata": MetadataRule,
    "refused": RefusedRule,
    "private_state": PrivateStateRule,
    "blamed": BlamedRule,
    "learns_only": LearnsOnlyRule,
    "opened": OpenedRule,
}
_PRIVATE_KEYS = ("data", "object", "expects")  # Of a step: what it says in the payload.
_SECTIONS: dict[Path, type[Strict]] = {
    (): ScenarioDocument,
    ("network",): NetworkSection,
    ("consensus",): ConsensusSection,
    ("privacy",): PrivacySection,
    ("privacy", "metadata"): MetadataSection,
}


def keys_of(model: type[Strict]) -> list[str]:
    """The keys that a part of the file may have, as they are written there."""
    return [info.alias or name for name, info in model.model_fields.items()]


def model_at(source: Source, path: Path) -> type[Strict] | None:
    """The model of the map at `path`; None where the format has no map with keys of its own."""
    if path in _SECTIONS:
        return _SECTIONS[path]
    match path:
        case ("parties", str()):
            return PartySpec
        case ("seals", str()):
            return SealSpec
        case ("steps", int()) if is_fault(source, path):
            return FAULTS.get(_word(source.value((*path, "kind"))), FaultStep)
        case ("steps", int()):
            return STEPS.get(_word(source.value((*path, "do"))))
        case ("steps", int(), "to"):
            return RandomReaders
        case ("steps" | "expect", int(), "at"):
            return Trigger
        case ("expect", int()):
            return CHECKS.get(_word(source.value((*path, "check"))))
    return None


def is_fault(source: Source, path: Path) -> bool:
    """Whether the step at `path` is a fault, which has no payload."""
    return bool(source.value((*path, "do")) == "fault")


def is_private(source: Source, path: Path) -> bool:
    """Whether the value at `path` may be secret."""
    return _public_length(source, path) < len(path)


def public_path(source: Source, path: Path) -> str:
    """`steps[2].as`; cut behind the first key with a private value, which is hidden if it may be payload."""
    end = _public_length(source, path)
    shown = path[: end + 1]
    if end < len(path) and key_may_be_payload(source, shown):
        return f"{text_of(shown[:-1])}.…"
    return text_of(shown)


def key_may_be_payload(source: Source, path: Path) -> bool:
    """Whether what YAML took for a key of a step is the rest of an unquoted `data: pay, and hurry`."""
    if len(path) != 3 or path[0] != "steps" or path not in source.entries:
        return False
    if not source.entries[path].in_braces or path[2] in {
        *_PRIVATE_KEYS,
        *STEP_KEYS,
        *_public_keys(source, path[:2]),
    }:
        return False
    step = source.value(path[:2])
    keys = list(step)
    before = keys[: keys.index(path[2])][-1:]
    after_text = bool(before) and not isinstance(step[before[0]], dict)
    return source.entries[path].bare or (after_text and is_private(source, (*path[:2], before[0])))


def _public_length(source: Source, path: Path) -> int:
    """How many elements of `path` lead through keys that the format has, and not into a payload."""
    for length, element in enumerate(path):
        around = path[:length]
        # A slip within `steps` is what can carry a payload away, or one to the left, to the top.
        careful = length == 0 or (path[0] == "steps" and not _names_groups(source, around))
        if path[: length + 1] == ("network", "broker"):
            return length
        if careful and isinstance(element, str) and element not in _public_keys(source, around):
            return length
    return len(path)


def _public_keys(source: Source, path: Path) -> list[str]:
    """The keys of the map at `path` whose values may be shown."""
    model = model_at(source, path)
    if model is None:
        return ["do"] if len(path) == 2 else []
    return [key for key in keys_of(model) if key not in (*_PRIVATE_KEYS, "fields")]


def _names_groups(source: Source, path: Path) -> bool:
    """Whether the keys of the map at `path` are the author's words for the sides of a partition."""
    return len(path) == 3 and path[2] == "groups" and is_fault(source, path[:2])


def _word(value: Any) -> str:
    return value if isinstance(value, str) else ""
