"""The judge of proved liars."""

from __future__ import annotations

from scenarios.judging.evidence import Evidence
from scenarios.judging.judgement import Judgement, judged, names
from scenarios.model.scenario import Blamed


def blamed(evidence: Evidence, wanted: Blamed) -> Judgement:
    """Nodes keep proofs against this sender, which anybody can verify; exactly those that the rule names."""
    found = {(liar.sender, liar.tx): set(liar.lies) for liar in evidence.liars}
    more = f"privity show tx {wanted.tx} --as P"
    provers: set[str] = set()
    for name in wanted.transactions:
        sent = evidence.sent.get(name)
        if sent is None:
            return judged(wanted, "unconfirmed", f"{name} was never sent", more)
        by = found.get((wanted.who, sent.tx), set())
        missing = (set(wanted.by) - by) or (set() if by else {"anybody"})
        if missing:
            waits = not evidence.settled or missing & evidence.excused
            said = f"{name}: {wanted.who} is not proved a liar by {names(missing)}"
            return judged(wanted, "unconfirmed" if waits else "broken", said, more)
        if wanted.by and (extra := by - set(wanted.by)):
            return judged(wanted, "broken", f"{name}: {names(extra)} proves it too", more)
        provers |= by
    count = len(wanted.transactions)
    which = wanted.tx if count == 1 else f"all {count} of {wanted.tx}"
    return judged(wanted, "holds", f"{which}: {wanted.who} is proved a liar by {names(provers)}")
