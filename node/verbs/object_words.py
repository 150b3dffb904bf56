"""What a write of a private object did, in words."""

from __future__ import annotations

from node.canonical import DecodeError
from node.envelopes.object_write import written_by
from node.envelopes.payload import Payload
from node.objects.private_state import APPLIED, STALE, WAITING, Judged
from node.text import clean


def outcome_text(judged: Judged) -> str:
    """What it did, or the reason why nothing."""
    if judged.outcome == APPLIED:
        return f"version {judged.version}"
    if judged.outcome == STALE:
        return f"refused: stale, expected version {judged.write.expects}, is {judged.version}"
    if judged.outcome == WAITING:
        return "waits for a payload before it on the chain"
    return "refused: its writer is not of the audience"


def write_text(payload: Payload, judged: Judged | None) -> str:
    """What an opened payload writes, and what its reader's node made of it; nothing for a mere record."""
    try:
        said = written_by(payload)
    except DecodeError:
        return "nothing: it says that it is a write, and not of what"
    if said is None:
        return ""
    what = f"expects version {said.expects}, not judged yet" if judged is None else outcome_text(judged)
    return f"{clean(said.name)}: {what}"
