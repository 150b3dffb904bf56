"""The operator plays rounds of aggregation: each party's client, with its keys and ledger alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from node.aggregation.contributor import Contributor
from node.aggregation.coordinator import Announce, Coordinator
from node.aggregation.envelopes import seal_total
from node.aggregation.following import LedgerFollower
from node.aggregation.played import Played, RoundLog, carried
from node.aggregation.rounds import DONE, Round
from node.aggregation.seats import Seat, Seats
from node.chain.act import ActTransaction
from node.chain.round_deeds import RoundStart
from node.delivery.outgoing import submit
from node.duration import seconds_text
from node.errors import PrivityError
from node.run_folder import RECORD, Label
from scenarios.lying_shares import contributor_of, coordinator_of
from scenarios.model.aggregates import Aggregate
from scenarios.model.payloads import CANARY_FIELD
from scenarios.step_lines import blocks_text, done_line

if TYPE_CHECKING:
    from scenarios.operating import Operator


@dataclass(slots=True, kw_only=True)
class Summed(Played):
    """What became of one aggregate."""

    step: Aggregate

    @property
    def outcome(self) -> str:
        """In words."""
        if self.round is None:
            return "its start is on no ledger"
        if self.round.ended:
            return f"no total: {self.round.ended}"
        if self.round.phase != DONE:
            return f"not over: {self.round.phase}"
        return f"total of {len(self.round.present)} of {len(self.step.contributors)} values"


class Aggregating:
    """Carries out the steps `aggregate` of one run."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        self.summed: dict[str, Summed] = {}  # By the id of the step.

    async def play(self, step: Aggregate, within_s: float, due_ms: int) -> None:
        """Play one round from its start to its end, or for so long."""
        operator = self._operator
        summed = self.summed[step.id] = Summed(step=step)
        planned = {send.sender: send for send in operator.planned if send.id in step.transactions}
        # Whose own node is away keeps no value and takes no part.
        up = set(await operator.statuses())
        here = [name for name in step.contributors if name in up]
        kept = await asyncio.gather(*(operator.sending.hand_in(planned[name]) for name in here))
        keeping = [name for name, ok in zip(here, kept, strict=True) if ok]
        values = {name: planned[name].fields[step.field] for name in keeping}
        contributors = [
            contributor_of(operator, step, name, value, operator.sent[step.record_of(name)].tx)
            for name, value in values.items()
        ]
        coordinator = coordinator_of(operator, step)
        playing = _Playing(operator, summed, coordinator, contributors)
        seats = Seats(
            operator.client,
            operator.network,
            operator.entropy,
            self._seat(coordinator),
            [self._seat(each) for each in contributors],
            playing.carry,
            playing.log.say,
            playing.sending,
        )
        at = await seats.play(within_s)
        summed.end(at, seats.verdicts())
        if keeping:
            await operator.sending.confirm([step.record_of(name) for name in keeping])
        self._tell(summed, due_ms)
        playing.log.end()
        operator.events.emit("step.done", id=step.id, ok=summed.done)

    def _seat(self, machine: Contributor | Coordinator) -> Seat:
        operator = self._operator
        ledger = LedgerFollower(operator.home(machine.name), operator.network.id)
        return Seat(machine.name, operator.keys[machine.name], ledger, machine)

    def _tell(self, summed: Summed, due_ms: int) -> None:
        operator, step, at = self._operator, summed.step, summed.round
        mark = "✓" if summed.done else "✗" if summed.wrong else "no total"
        blocks = "" if at is None else blocks_text((at.height, at.last_height))
        who = f"{step.coordinator} <- {len(step.contributors)} parties"
        operator.say("step", done_line(seconds_text(due_ms), "aggregate", step.id, who, blocks, mark))
        operator.say("step", f"{'':>5}            {summed.outcome}")
        if at is not None:
            operator.saw_height(at.last_height)
            for name, why in at.dropped().items():
                operator.say("step", f"{'':>5}  absent    {name}: {why}")
        for liar, why in summed.first_blames().items():
            operator.say("step", f"{'':>5}  blamed    {liar}: {why}")


class _Playing:
    """What a round needs of the operator."""

    def __init__(
        self,
        operator: Operator,
        summed: Summed,
        coordinator: Coordinator,
        contributors: Sequence[Contributor],
    ) -> None:
        self._operator = operator
        self._summed = summed
        self._machines: list[Contributor | Coordinator] = [coordinator, *contributors]
        self.log = RoundLog(operator.events, summed.step.id, summed)

    def sending(self, act: ActTransaction) -> None:
        """Note what is about to be published, and every secret that there is by now."""
        operator, step = self._operator, self._summed.step
        for machine in self._machines:
            operator.secrets.add_round(machine.secrets())
        deed, author = act.act.deed, act.act.sender
        if isinstance(deed, RoundStart):
            name, to = f"{step.id}-round", deed.contributors
            label = Label(name, act.id.hex(), author, to, operator.since_ms(), RECORD)
            operator.folder.add_transaction(label)
        self.log.sending(act)

    async def carry(self, thing: Announce, at: Round, up: Sequence[str]) -> bytes:
        """Send the total; the id of what brings it, or NO_CARRIER. A try that failed is told."""

        async def send_to(readers: Sequence[str]) -> bytes:
            return await self._send(thing, at, readers)

        return await carried(send_to, thing.present, up, self._refused)

    def _refused(self, error: PrivityError) -> None:
        line = f"       total     {self._summed.step.id}: {error.why}   {error.code}"
        self._operator.say("step", line)

    async def _send(self, thing: Announce, at: Round, present: Sequence[str]) -> bytes:
        operator, step = self._operator, self._summed.step
        network, name = operator.network, step.coordinator
        readers = network.with_mandatory(name, present)
        height = max(1, operator.height, at.last_height)
        beside = {CANARY_FIELD: operator.entropy(16)}
        keys, entropy = operator.keys[name], operator.entropy
        sealed = seal_total(network, thing, name, keys, readers, height, entropy, beside)
        operator.secrets.add_sealed(sealed, frozenset((name, *readers)))
        await submit(operator.client, network, sealed, keys, readers, step.id)
        carrier = self._summed.carrier = sealed.transaction.id
        operator.folder.add_transaction(
            Label(step.id, carrier.hex(), name, tuple(readers), operator.since_ms())
        )
        operator.events.emit("tx.submit", tx=carrier, id=step.id, party=name, readers_n=len(readers))
        return carrier
