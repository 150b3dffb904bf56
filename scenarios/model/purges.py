"""Purges of a checked scenario: what they do, and what must be so for them to be possible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scenarios.model.payloads import telling_words
from scenarios.model.purge_steps import PurgeStep
from scenarios.model.source import Path
from scenarios.model.starts import Place, comes_before, start_of

if TYPE_CHECKING:
    from scenarios.model.complaints import Complaints
    from scenarios.model.plan import PlannedSend


@dataclass(frozen=True, slots=True)
class Erase:
    """`owner` has every node erase `tx`."""

    id: str
    line: int
    at_ms: int
    tx: str
    owner: str
    reason: str = field(repr=False)
    trigger: Place | None = None

    @property
    def transactions(self) -> tuple[str, ...]:
        """The ids of its transactions: none that an expectation could name."""
        return ()

    def describe(self) -> str:
        """What it does, in words."""
        return f"{self.owner} has every node erase {self.tx}: {self.reason}"


def erase_of(step: PurgeStep, line: int) -> Erase:
    """The step as it is carried out."""
    at_ms, trigger = start_of(step.at)
    return Erase(step.id, line, at_ms, step.tx, step.as_, step.reason, trigger)


def check_purges(steps: Mapping[int, Erase], sends: Sequence[PlannedSend], complaints: Complaints) -> None:
    """Complain about purges that cannot be: `steps` by place in the file, `sends` as drawn."""
    by_id = {send.id: send for send in sends}
    for index, step in steps.items():
        place: Path = ("steps", index)
        send = by_id.get(step.tx)
        if send is None:
            complaints.at((*place, "tx"), "E-TX", "one transaction is needed here, like traffic-0001")
            continue
        if comes_before(send, step) is False:
            complaints.at((*place, "tx"), "E-VALUE", f"{step.tx} is not sent before this purge")
        if step.owner != send.sender:
            message = f"{step.owner} did not send {step.tx}; {send.sender} did, and alone has a say in it"
            complaints.at((*place, "as"), "E-NOT-PARTY", message)
        if any(word in step.reason for word in telling_words(send.fields)):
            message = "this reason holds a value of the payload, and everybody can read it"
            complaints.at((*place, "reason"), "E-PRIVATE", message)
