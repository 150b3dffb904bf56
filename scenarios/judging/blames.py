"""The judge of proved liars."""

from __future__ import annotations

from scenarios.judging.evidence import Evidence
from scenarios.judging.judgement import Judgement, judged, names
from scenarios.model.scenario import Blamed


def blamed(evidence: Evidence, wanted: Blamed) -> Judgement:
    """This party is proved a liar, which anybody can verify, by exactly those that the rule names.

    Nobody else is about the same, unless a rule of the file says so.
    """
    found = _accused(evidence)
    rounds = evidence.summed
    more = f"privity show tx {wanted.tx}{'-round' if wanted.tx in rounds else ' --as P'}"
    provers: set[str] = set()
    for name in wanted.transactions:
        if name not in evidence.sent and name not in rounds:
            return judged(wanted, "unconfirmed", f"{name} was never sent", more)
        by = found.get((wanted.who, name), set())
        missing = (set(wanted.by) - by) or (set() if by else {"anybody"})
        if missing:
            waits = not evidence.settled or missing & evidence.excused
            said = f"{name}: {wanted.who} is not proved a liar by {names(missing)}"
            return judged(wanted, "unconfirmed" if waits else "broken", said, more)
        if wanted.by and (extra := by - set(wanted.by)):
            return judged(wanted, "broken", f"{name}: {names(extra)} proves it too", more)
        if others := _others(evidence, wanted, name, {party for party, about in found if about == name}):
            return judged(wanted, "broken", f"{name}: {names(others)} is blamed too", more)
        provers |= by
    count = len(wanted.transactions)
    which = wanted.tx if count == 1 else f"all {count} of {wanted.tx}"
    return judged(wanted, "holds", f"{which}: {wanted.who} is proved a liar by {names(provers)}")


def _accused(evidence: Evidence) -> dict[tuple[str, str], set[str]]:
    """By party and by what the file calls the transaction or aggregate: who proves it, or found it."""
    found: dict[tuple[str, str], set[str]] = {}
    for liar in evidence.liars:
        found.setdefault((liar.party, evidence.name_of(liar.tx)), set()).update(liar.lies)
    for named in evidence.named:
        found.setdefault((named.party, named.id), set()).update(named.by)
    return found


def _others(evidence: Evidence, wanted: Blamed, name: str, accused: set[str]) -> set[str]:
    """Who is blamed about this although no rule says that it lied."""
    rules = [each for each in evidence.scenario.expectations if isinstance(each, Blamed)]
    said = {each.who for each in rules if name in each.transactions}
    return accused - said - {wanted.who}
