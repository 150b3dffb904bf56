"""The judge of what is handed in once more."""

from __future__ import annotations

from consensus.quorum import weak_quorum
from node.duration import seconds_text
from node.logs.event_fields import short
from scenarios.judging.evidence import Evidence
from scenarios.judging.judgement import Judgement, counted, judged
from scenarios.model.scenario import Refused


def refused(evidence: Evidence, wanted: Refused) -> Judgement:
    """A transaction that came again was noticed by honest nodes, and no second block orders it."""
    replayed = evidence.replayed.get(wanted.step)
    if replayed is None:
        return judged(wanted, "unconfirmed", f"{wanted.step} handed nothing in")
    heights = sorted(evidence.kept.heights.get(replayed.tx, ()))
    more = f"privity logs --tx {short(replayed.tx)}"
    if len(heights) > 1:
        detail = f"{wanted.step}: ordered again, in blocks {' '.join(map(str, heights))}"
        return judged(wanted, "broken", detail, more)
    told = evidence.course.repeats.get(short(replayed.tx), [])
    noticed = {name for name, t_ms in told if t_ms >= replayed.at_ms}
    needed = weak_quorum(evidence.network.n)
    at, by = seconds_text(replayed.at_ms), counted(len(noticed), "node")
    said = f"{wanted.step}: handed in at {at}, noticed by {by}"
    if len(noticed) < needed:
        return judged(wanted, "unconfirmed", f"{said}, {needed} needed to know that it arrived", more)
    if not heights:
        return judged(wanted, "unconfirmed", f"{said}, and no honest voter's journal orders it", more)
    return judged(wanted, "holds", f"{said}, ordered once, in block {heights[0]}")
