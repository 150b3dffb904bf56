"""What a scenario's seals allow, and their author may not have meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scenarios.model.plan import PlannedSend
from scenarios.model.scenario import Scenario, Send
from scenarios.model.seal_timing import surely_open
from scenarios.model.seals import asking
from scenarios.model.warnings import Warning
from scenarios.model.wording import listed


def seal_lints(scenario: Scenario, sends: Sequence[PlannedSend]) -> Iterator[Warning]:
    """Every warning about the seals of a scenario and what is sent under them."""
    last_ms = max(
        (step.at_ms for step in (*scenario.workload, *scenario.openings, *scenario.challenges)), default=0
    )
    for seal in scenario.seals:
        line = scenario.lines.get(f"seals.{seal.name}", 0)
        under = [send for send in sends if send.seal == seal.name]
        opens = seal.opens
        if seal.threshold == 1:
            who = listed(seal.openers, "or")
            message = f"{who} can read all under {seal.name} alone, at any time; threshold is 1"
            yield Warning("W-COLLUDE", message, line)
        else:
            who, count = listed(seal.openers), f"{seal.threshold} of {len(seal.openers)}"
            some = who if seal.threshold == len(seal.openers) else f"{seal.threshold} of {who}"
            message = f"{some} can read all under {seal.name} early if they collude; threshold is {count}"
            yield Warning("W-COLLUDE", message, line)
        bidding = sorted({send.sender for send in under} & {*seal.openers})
        if bidding:
            message = f"{listed(bidding)} sends under {seal.name} and holds shares of what rivals send"
            yield Warning("W-OPENER", message, line)
        if scenario.always_to and under:
            message = f"{listed(scenario.always_to)} reads all under {seal.name} at once (privacy.always_to)"
            yield Warning("W-SEAL", message, line)
        waits = any(step.trigger is not None for step in scenario.openings if step.seal == seal.name)
        if under and seal.opens_at_ms > last_ms and not waits:
            message = f"{seal.name} opens at {opens}, after the last step: nobody ever opens it"
            yield Warning("W-SEAL", message, line)
        elif under and len(asking(scenario, seal, "end")) < seal.threshold:
            number = len(asking(scenario, seal, "end"))
            message = f"nothing opens {seal.name}: {number} of {seal.threshold} openers ask from {opens} on"
            yield Warning("W-SEAL", message, line)
        if not under:
            yield Warning("W-SEAL", f"nothing is sent under {seal.name}", line)
        for step in scenario.workload:
            late = surely_open(seal, step.at_ms, step.trigger)
            if isinstance(step, Send) and step.seal == seal.name and late and not step.expect_refused:
                message = f"{step.id} comes too late for {seal.name}, which opens at {opens}"
                yield Warning("W-SEAL", message, step.line)
