"""Rounds of aggregation as everybody sees them: who took part, how far it came, and why it ended."""

from __future__ import annotations

from typing import Any

from node.aggregation.following import rounds_on
from node.aggregation.rounds import DONE, ENDED, Round
from node.chain.act import Act
from node.chain.reading import NodeReading, Ordered
from node.chain.round_deeds import (
    DEALT,
    JOINED,
    WHY_ENDED,
    RoundBlame,
    RoundDeal,
    RoundDeed,
    RoundEnd,
    RoundFix,
    RoundJoin,
    RoundRelease,
    RoundResult,
    RoundStart,
    RoundValue,
)
from node.run_reading import Found, RunReading, short_id
from node.text import clean
from node.verbs.page import labelled


def round_id(ordered: Ordered, deed: RoundDeed) -> bytes:
    """The round that a deed is about: the act that starts one names it."""
    return ordered.id if isinstance(deed, RoundStart) else deed.round


def deed_words(deed: RoundDeed) -> str:
    """What its author did, in words."""
    match deed:
        case RoundStart():
            return f"asked {len(deed.contributors)} contributors for the total of {clean(deed.field)}"
        case RoundJoin():
            return "registered with two fresh keys"
        case RoundFix():
            did = {JOINED: "registered", DEALT: "dealt shares"}.get(deed.stage, "sent values")
            return f"fixed who {did}: {', '.join(deed.members)}"
        case RoundDeal():
            return f"dealt wrapped shares of its two secrets to {len(deed.boxes)} members"
        case RoundValue():
            return "sent its masked value"
        case RoundRelease():
            return "released shares to those present and the coordinator, encrypted"
        case RoundResult():
            return "published the hash of the total, and sent the total to those present"
        case RoundEnd():
            return f"ended the round without a total: {WHY_ENDED[deed.why]}"
        case RoundBlame():
            return f"proved that {deed.dealer} dealt it a share which is not the one committed to"


def round_page(reading: RunReading, node: NodeReading, ordered: Ordered, act: Act) -> list[str]:
    """The page of one act of a round, and of the round as it stands on this ledger."""
    deed = act.deed
    assert isinstance(deed, RoundDeed)
    name = Found(ordered.id, reading.label(ordered.id)).name
    lines = [
        f"tx {clean(name)}  {short_id(ordered.id)}…",
        labelled("public", f"block {ordered.height}: {act.sender} {deed_words(deed)}"),
    ]
    at = rounds_on(node).by_id.get(round_id(ordered, deed))
    if at is None:
        return [*lines, labelled("round", f"{short_id(round_id(ordered, deed))}… is not on this ledger")]
    return [*lines, *round_lines(reading, at)]


def round_lines(reading: RunReading, at: Round) -> list[str]:
    """The course of a round: all of it is public, and none of it tells a value."""
    lines = [
        labelled("round", f"{short_id(at.id)}… of {at.coordinator} for the total of {clean(at.start.field)}"),
        labelled("stage", _stage(at)),
        labelled("asked", ", ".join(at.start.contributors)),
    ]
    if at.members:
        lines.append(
            labelled("members", f"{', '.join(at.members)}   {at.needed} of their shares give a mask")
        )
    if at.present:
        lines.append(labelled("in total", f"{', '.join(at.present)}   by act, the same set for everybody"))
    lines += [labelled("absent", f"{name}: {why}") for name, why in at.dropped().items()]
    lines += [labelled("blamed", f"{name}: {why}") for name, why in at.blamed.items()]
    lines += [
        labelled("no effect", f"block {place.height}: an act of {place.author}: {why}")
        for place, why in at.refused
    ]
    if at.result is not None:
        carrier = Found(at.result.carrier, reading.label(at.result.carrier)).name
        lines.append(labelled("total", f"hash {short_id(at.result.total)}…, sealed in tx {clean(carrier)}"))
    lines.append(labelled("who learns", "those in the total and the coordinator; others have the hash alone"))
    return lines


def _stage(at: Round) -> str:
    if at.phase == ENDED:
        return f"ended without a total: {at.ended}"
    if at.phase == DONE:
        return f"done: a total of {len(at.present)} values"
    return f"{at.phase}, since block {at.last_height}"


def round_document(node: NodeReading, ordered: Ordered, act: Act) -> dict[str, Any]:
    """The same as a document."""
    deed = act.deed
    assert isinstance(deed, RoundDeed)
    identifier = round_id(ordered, deed)
    document: dict[str, Any] = {
        "record": ordered.id.hex(),
        "height": ordered.height,
        "by": act.sender,
        "act": type(deed).__name__,
        "round": identifier.hex(),
    }
    at = rounds_on(node).by_id.get(identifier)
    if at is None:
        return document
    return document | {
        "coordinator": at.coordinator,
        "field": at.start.field,
        "phase": at.phase,
        "ended": at.ended or None,
        "contributors": list(at.start.contributors),
        "members": list(at.members),
        "present": list(at.present),
        "absent": at.dropped(),
        "blamed": dict(at.blamed),
        "carrier": None if at.result is None else at.result.carrier.hex(),
        "total_hash": None if at.result is None else at.result.total.hex(),
    }
