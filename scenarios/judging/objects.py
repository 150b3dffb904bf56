"""Judges of private objects: whether the parties of each audience have the same, and what was refused."""

from __future__ import annotations

from itertools import combinations

from node.logs.event_fields import short
from node.objects.object_rows import read_writes
from node.objects.private_state import APPLIED, STALE, WAITING
from scenarios.judging.evidence import Evidence
from scenarios.judging.judgement import Judgement, counted, judged, names
from scenarios.model.scenario import PrivateState, Refused
from scenarios.private_states import PartyState, first_divergence, state_of
from scenarios.sending import Sent

_WORDS = {STALE: "stale"}


def private_state(evidence: Evidence, wanted: PrivateState) -> Judgement:
    """Each honest party's state is what its ledger and keys give, and two of one audience have the same."""
    states = {name: state_of(evidence.reading, name) for name in evidence.honest}
    for name, state in states.items():
        if state.lacking and name in evidence.following:
            continue  # It cannot know yet; below it leaves the rule unconfirmed.
        if not state.lacking and (tx := state.wrong()) is not None:
            detail = f"{name} has another state than its ledger gives, first at tx {evidence.name_of(tx)}"
            return judged(wanted, "broken", detail, f"privity logs --tx {short(tx)}")
    for one, other in combinations([state for state in states.values() if not state.lacking], 2):
        if (tx := first_divergence(one, other)) is not None:
            if one.name in evidence.excused or other.name in evidence.excused or one.erased or other.erased:
                continue
            detail = f"divergence between {one.name} and {other.name}, first at tx {evidence.name_of(tx)}"
            return judged(wanted, "broken", detail, f"privity logs --tx {short(tx)}")
    behind = [name for name in evidence.following if states[name].lacking]
    if behind or not evidence.settled:
        detail = f"not all payloads have come to {names(behind)}" if behind else "the nodes are not at rest"
        return judged(wanted, "unconfirmed", detail, "privity why")
    if not any(state.told for state in states.values()):
        return judged(wanted, "unconfirmed", "no transaction wrote an object", "")
    return judged(wanted, "holds", _counted(states))


def _counted(states: dict[str, PartyState]) -> str:
    objects: dict[tuple[str, ...], set[bytes]] = {}
    applied: set[bytes] = set()
    refused: set[bytes] = set()
    for state in states.values():
        for each in state.anew:
            objects.setdefault(each.write.audience, set()).add(each.write.object)
            (applied if each.outcome == APPLIED else refused).add(each.write.tx)
    count = counted(sum(map(len, objects.values())), "object")
    audiences = counted(len(objects), "audience")
    return (
        f"{count} of {audiences}, {len(applied)} applied, {len(refused)} refused, equal for all their parties"
    )


def write_refused(evidence: Evidence, wanted: Refused) -> Judgement:
    """Every honest reader judged this write, and by none it had an effect."""
    name = wanted.step
    sent = evidence.sent.get(name)
    more = f"privity logs --tx {name}"
    if sent is None:
        return judged(wanted, "unconfirmed", f"{name} was never sent", more)
    found = outcomes(evidence, sent)
    if applied := [party for party, outcome in found.items() if outcome == APPLIED]:
        return judged(wanted, "broken", f"{name}: it took effect for {names(applied)}", more)
    readers = {sent.planned.sender, *sent.planned.readers}
    unsure = [party for party in readers - evidence.excused if found.get(party, WAITING) == WAITING]
    if unsure or not found:
        return judged(wanted, "unconfirmed", f"{name}: not judged by {names(unsure)}", more)
    reasons = sorted({_WORDS.get(outcome, outcome) for outcome in found.values() if outcome != WAITING})
    return judged(wanted, "holds", f"{name}: {' '.join(reasons)}, as {names(found)} found")


def outcomes(evidence: Evidence, sent: Sent) -> dict[str, str]:
    """By honest party: what its node says of a write."""
    return {
        name: each.outcome
        for name in evidence.honest
        for each in read_writes(evidence.folder.node(name))
        if each.write.tx == sent.tx
    }
