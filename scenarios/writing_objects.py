"""What the operator tells of writes of private objects: what the sender's own node made of each."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from node.objects.object_rows import read_writes
from node.objects.private_state import APPLIED, WAITING, Judged
from node.verbs.object_words import outcome_text
from scenarios.model.plan import PlannedSend

if TYPE_CHECKING:
    from scenarios.operating import Operator

WAIT_S = 2.0  # A sender whose node is down, or behind, is no reason to wait for longer.
LOOK_S = 0.05


async def writes_told(operator: Operator, sends: Sequence[PlannedSend]) -> str:
    """What came of these writes, in words; nothing if there are none. A refused one is an event."""
    sends = [send for send in sends if send.writes is not None]
    if not sends:
        return ""
    loop = asyncio.get_running_loop()
    deadline, found = loop.time() + WAIT_S, _judged(operator, sends)
    while len(found) < len(sends) and loop.time() < deadline:
        await asyncio.sleep(LOOK_S)
        found = _judged(operator, sends)
    for name, judged in found.items():
        if judged.outcome != APPLIED:
            operator.events.emit("step.refused", "info", id=name, err="E-STALE")
    if len(sends) == 1:
        return outcome_text(found[sends[0].id]) if found else "not judged yet"
    counts = Counter(judged.outcome for judged in found.values())
    said = [f"{count} {outcome}" for outcome, count in sorted(counts.items())]
    said += [f"{len(sends) - len(found)} not judged yet"] if len(found) < len(sends) else []
    return ", ".join(said)


def _judged(operator: Operator, sends: Sequence[PlannedSend]) -> dict[str, Judged]:
    """By the name of the transaction, those that the sender's node has judged."""
    senders = sorted({send.sender for send in sends})
    by_tx = {each.write.tx: each for name in senders for each in read_writes(operator.home(name))}
    found = {}
    for send in sends:
        judged = by_tx.get(operator.sent[send.id].tx)
        if judged is not None and judged.outcome != WAITING:
            found[send.id] = judged
    return found
