"""Why something that lies under a seal is not read yet: too early, too few shares, or too late."""

from __future__ import annotations

from dataclasses import dataclass

from node.chain.seal_book import Bid, SealState
from node.run_reading import RunReading


@dataclass(frozen=True, slots=True)
class UnderSeal:
    """What there is to say of it in words. `as_it_should` is False for what somebody is to answer for."""

    text: str
    as_it_should: bool


def under_seals(reading: RunReading) -> dict[bytes, UnderSeal]:
    """By transaction: what lies under a seal, and why it does so still; without what was opened."""
    if not reading.network.seals:
        return {}
    book = reading.highest().seals
    found = {}
    for state in book.states.values():
        for bid in state.bids.values():
            if (said := _said(state, bid)) is not None:
                found[bid.tx] = said
    return found


def _said(state: SealState, bid: Bid) -> UnderSeal | None:
    seal, opens = state.seal, state.seal.opens
    if bid.late:
        return UnderSeal(f"it came too late for {seal.name}, open since block {state.opened}", False)
    if state.opened is None:
        return UnderSeal(f"{seal.name} opens at {opens}, from the first block on", True)
    gave = {each.opener for each in state.released(bid.tx) if each.wraps}
    if len(gave) >= seal.threshold:
        return None
    rest = [name for name in seal.openers if name not in gave]
    unable = [each.opener for each in state.released(bid.tx) if each.complains and each.opener not in gave]
    text = f"{seal.name} is open since block {state.opened}; {len(gave)} of {seal.threshold} shares are"
    text += f" released, and {', '.join(rest)} {'has' if len(rest) == 1 else 'have'} not"
    if unable:
        text += f"; what its sender gave {', '.join(unable)} is no share, they say"
    return UnderSeal(text, False)
