"""Judges of the public ledgers: whether they agree, and how high they are."""

from __future__ import annotations

from node.duration import seconds_text
from scenarios.chains import behind, first_disagreement
from scenarios.judging.evidence import Evidence
from scenarios.judging.judgement import Judgement, judged, names
from scenarios.model.scenario import Agreement, Height

MORE = "privity logs --ev block.commit"


def agreement(evidence: Evidence, wanted: Agreement) -> Judgement:
    """Honest nodes hold the same block at every height; those that follow have all of them."""
    chains, following = evidence.honest_chains, evidence.following_chains
    if difference := first_disagreement(chains):
        return judged(wanted, "broken", difference, MORE)
    if not chains:
        return judged(wanted, "unconfirmed", "no node is honest, and nobody else is held to it", MORE)
    if late := behind(following):
        return judged(wanted, "unconfirmed", f"behind the others: {' '.join(late)}", MORE)
    gone = [name for name in evidence.ended if name in evidence.following]
    if gone or not evidence.settled:
        detail = f"{' '.join(gone)} ended by itself" if gone else "the nodes did not come to rest in time"
        return judged(wanted, "unconfirmed", detail, "privity logs --level warn")
    height = max((chain.height for chain in following), default=0)
    said = [f"{len(following)} nodes hold the same {height} blocks and state roots"] if following else []
    said += [
        f"{chain.node} agrees up to block {chain.height}"
        for chain in chains
        if chain.node not in evidence.following
    ]
    if liars := set(evidence.network.names) - set(evidence.honest):
        said.append(f"{names(liars)} faulty, not held to it")
    return judged(wanted, "holds", "; ".join(said))


def height(evidence: Evidence, wanted: Height) -> Judgement:
    """The ledgers of nodes that follow are as high as they should be."""
    chains = evidence.following_chains
    if not chains:
        return judged(wanted, "unconfirmed", "no honest node follows to the end", MORE)
    moment = evidence.reached(wanted.at)
    if moment is None:
        return judged(wanted, "unconfirmed", f"{wanted.at} never came", MORE)
    at_ms = moment.t_ms
    limit = None if at_ms is None else evidence.network.created_ms + at_ms
    heights = [chain.height_at(limit) for chain in chains]
    lowest, highest = min(heights), max(heights)
    said = f"height {lowest}" if lowest == highest else f"height {lowest} to {highest}"
    detail = f"{said}, expected {_wish(wanted)}"
    least = wanted.least if wanted.exactly is None else wanted.exactly
    most = wanted.most if wanted.exactly is None else wanted.exactly
    if most is not None and highest > most:
        return judged(wanted, "broken", detail, MORE)
    if least is not None and lowest < least:
        catching_up = not evidence.settled and highest >= least
        return judged(wanted, "unconfirmed" if catching_up else "broken", detail, MORE)
    if most is not None and at_ms is not None and at_ms > evidence.until_ms:
        detail = (
            f"{said} when the run ended at {seconds_text(evidence.until_ms)}, before {seconds_text(at_ms)}"
        )
        return judged(wanted, "unconfirmed", detail, MORE)
    return judged(wanted, "holds", detail)


def _wish(wanted: Height) -> str:
    if wanted.exactly is not None:
        return f"exactly {wanted.exactly}"
    words = [f"at least {wanted.least}"] if wanted.least is not None else []
    words += [f"at most {wanted.most}"] if wanted.most is not None else []
    return " and ".join(words)
