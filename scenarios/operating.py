"""The operator: founds a consortium, plays the steps of a scenario as each party's client, waits for rest.

The operator has every party's keys, because this is a simulator, and uses each for that party alone: it
seals in its own process and publishes through the network like any client. What it must remember to judge
the run (which secrets there were, and who may hold them) stays in its memory and in the operator's folder.
Where nodes, network and clock come from is a world's business: `live.LiveRun` and `virtual.run.VirtualRun`.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consensus.messages import Status
from consensus.quorum import weak_quorum
from node.chain.store import MISSING, PENDING, Store
from node.client import Client
from node.consortium import Network
from node.duration import seconds_text
from node.envelopes.entropy import Entropy
from node.envelopes.keys import PartyKeys
from node.errors import PrivityError
from node.logs.events import EventLog
from node.run_folder import RunFolder
from scenarios.aggregating import Aggregating
from scenarios.faults.hands import Hands
from scenarios.faults.record import FaultRecord
from scenarios.faults.timeline import Timeline
from scenarios.founding import make_keys, write_operator_files
from scenarios.leaks.run_secrets import RunSecrets
from scenarios.model.plan import PlannedSend, plan
from scenarios.model.scenario import Aggregate, Challenging, Fault, Opening, Scenario
from scenarios.processes.child import ProcessExit
from scenarios.sending import CONFIRM_S, Sending, Sent
from scenarios.showing import OnRecord, Showing
from scenarios.step_lines import parties_text, step_line
from scenarios.together import ended, until_done
from scenarios.triggers import TRIGGER_S, Play, Triggers, Waiting, last_timed_ms
from scenarios.unsealing import OpeningSeals

READY_S = 60.0
HEIGHTS_S = 5.0
SETTLE_S = 20.0
FAULTY_S = 5.0  # Of which for nodes that lied, or lost their disk, and stopped doing so.
ASK_S = 2.0
QUICK_S = 0.3

Say = Callable[[str, str], None]


@dataclass(slots=True)
class Options:
    """How to run, where the scenario leaves it open. Each world heeds those that mean something in it."""

    level: str = "info"
    steps: bool = True
    # Live.
    broker: str | None = None
    port: int | None = None  # Of a broker of ours; a free one if None.
    in_process: bool = False
    record: bool = True  # What passes the broker is kept, for the broker's column and the leak scan.
    # Virtual.
    signatures: str = "cached"
    trace: Path | None = None  # Where the ordered I/O trace goes.


class Operator(ABC):
    """One run from founding to stop. `say(kind, text)` tells the user what happens."""

    # Known once `start` has come that far.
    network: Network
    client: Client
    events: EventLog
    hands: Hands

    def __init__(
        self,
        scenario: Scenario,
        source: Path,
        folder: RunFolder,
        options: Options,
        say: Say,
        entropy: Entropy,
    ) -> None:
        self.scenario = scenario
        self.source = source
        self.folder = folder
        self.options = options
        self.say = say
        self.entropy = entropy
        self.planned: tuple[PlannedSend, ...] = plan(scenario)
        self.keys: dict[str, PartyKeys] = {}
        self.secrets = RunSecrets()
        self.refused_steps: dict[str, str] = {}  # By the id of the step: the code of the refusal.
        self.sending = Sending(self)
        self.showing = Showing(self)
        self.aggregating = Aggregating(self)
        self.opening = OpeningSeals(self)
        self.views: dict[str, int] = {}
        self.crashed: list[ProcessExit] = []  # By themselves, and by no fault of the scenario.
        self.timeline = Timeline(self, folder.faults)
        self.triggers = Triggers(self)
        self._height = 0

    # What a world does.

    @abstractmethod
    async def start(self) -> None:
        """Bring everything up. Returns once block 1 is committed with the same hash on every node."""

    @abstractmethod
    async def stop(self) -> None:
        """Stop everything in order, whatever state it is in."""

    @abstractmethod
    def clock_ms(self) -> int:
        """Unix milliseconds, as this world has them."""

    @property
    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """What the verdict says of this world."""

    @property
    def broken(self) -> list[str]:
        """Invariants that this world saw broken, in words."""
        return []

    # For the faults.

    def since_ms(self) -> int:
        """Milliseconds since the genesis."""
        return self.clock_ms() - self.network.created_ms

    def home(self, name: str) -> Path:
        """The folder of a node."""
        return self.folder.node(name)

    @property
    def height(self) -> int:
        """The highest height that a weak quorum of voters has claimed, or a certificate has shown."""
        return self._height

    def saw_height(self, height: int) -> None:
        """Hear of a height that a certificate has shown."""
        self._height = max(self._height, height)

    def blame(self, fault: Fault, names: Sequence[str]) -> None:  # noqa: B027
        """Hear who may lie, or forget, from now on. Live nobody needs to know beforehand."""

    def flush(self) -> None:  # noqa: B027
        """Let files hold all that has happened until now. Live they always do."""

    def tell_fault(self, record: FaultRecord) -> None:
        """One line for the user."""
        ended = record.ended_ms is not None
        at_ms = record.ended_ms if record.ended_ms is not None else record.began_ms or 0
        whom = parties_text(record.nodes) if record.nodes else "broker"
        if record.note:
            what = record.note
        elif ended:
            what = f"healed, touched {record.touched}"
        else:
            what = "" if record.until_ms is None else f"until {seconds_text(record.until_ms)}"
        word = "heal" if ended else "fault"
        at = f"{at_ms / 1000:.1f}s"
        self.say("step", step_line(at, word, record.id, f"{record.kind} {whom:<24} {what}"))

    # Start.

    def _make_keys(self) -> None:
        self.keys = make_keys(self.folder, self.scenario, self.entropy)
        for name, keys in self.keys.items():
            self.secrets.add_keys(name, keys)
        write_operator_files(self.folder, self.source, self.planned)
        count = len(self.keys)
        self.say("tick", f"keys       {count} signing + {count} wrapping pairs, mode 600")

    def operator_log(self) -> EventLog:
        """The operator's own log, to append to. The caller closes it."""
        return EventLog(
            self.folder.operator_events,
            run=self.folder.number,
            node="operator",
            start_ms=self.network.created_ms,
            wall=self.clock_ms,
        )

    async def statuses(self, within_s: float = ASK_S) -> dict[str, Status]:
        """Where each node stands, signed by it; those that answered."""
        askers = [(name, self.keys[name].signing) for name in self.network.names]
        statuses = await self.client.statuses(askers, within_s)
        self._height = max(self._height, self._believable_height(statuses))
        self.views.update({name: status.view for name, status in statuses.items()})
        return statuses

    def _believable_height(self, statuses: dict[str, Status]) -> int:
        """The highest height that a weak quorum of voters claims: one of these is correct."""
        voters = [member.name for member in self.network.members if member.votes]
        claims = sorted((statuses[name].sequence for name in voters if name in statuses), reverse=True)
        enough = weak_quorum(len(voters))
        return claims[enough - 1] if len(claims) >= enough else 0

    async def _until_ready(self, timed: Callable[[str], str]) -> dict[str, Status]:
        """Ready means that a block was committed with the same hash on all nodes, not that processes run."""
        total, answered = len(self.network.members), 0
        loop = asyncio.get_running_loop()
        deadline = loop.time() + READY_S
        while loop.time() < deadline:
            self._check_start()
            # Short, and again: a node that is not connected yet does not hear the question.
            statuses = await self.statuses(QUICK_S)
            if len(statuses) == total and not answered:
                answered = total
                self.say("tick", timed(f"nodes      {total} of {total} answered a signed ping"))
            first_blocks = {self._first_block(name) for name in statuses}
            if len(statuses) == total and None not in first_blocks and len(first_blocks) == 1:
                where = f"same hash on {total} of {total} nodes"
                self.say("tick", timed(f"ready      block 1 committed, {where}"))
                self._height = max(status.sequence for status in statuses.values())
                return statuses
            await asyncio.sleep(0.05)
        raise PrivityError(
            "E-READY",
            f"no common first block within {READY_S:.0f} s",
            why=f"{answered or 'not all'} of {total} nodes answered",
            next="privity logs --level warn shows what they miss",
        )

    def _check_start(self) -> None:  # noqa: B027
        """Raises PrivityError when waiting for a start any longer is in vain."""

    def _first_block(self, name: str) -> bytes | None:
        with contextlib.closing(Store(self.folder.node(name), read_only=True)) as store:
            block = store.block(1)
            return None if block is None else block.hash

    # Steps.

    async def play(self) -> None:
        """Carry out all steps, each at its time, and wait until what they sent is certified or overdue."""
        by_step: dict[str, list[PlannedSend]] = {}
        records = {tx for step in self.scenario.aggregates for tx in step.transactions}
        step_of = {tx: step.id for step in self.scenario.steps for tx in step.transactions}
        for send in self.planned:
            if send.id in records:
                continue  # Part of a round.
            by_step.setdefault(step_of[send.id], []).append(send)
        work: list[tuple[Waiting, Play]] = [
            (step, functools.partial(self.sending.play, step.id, by_step[step.id]))
            for step in self.scenario.workload
            if step.id in by_step
        ]
        work += [(step, functools.partial(self.sending.replay, step)) for step in self.scenario.replays]
        shown: list[OnRecord] = [
            *self.scenario.disclosures,
            *self.scenario.asked,
            *self.scenario.owners_words,
            *self.scenario.purges,
        ]
        work += [(step, functools.partial(self._show, step)) for step in shown]
        work += [(step, functools.partial(self._aggregate, step)) for step in self.scenario.aggregates]
        work += [(step, functools.partial(self._open, step)) for step in self.scenario.openings]
        work += [(step, functools.partial(self._challenge, step)) for step in self.scenario.challenges]
        self.triggers.begin(step for step, _ in work)
        steps = [asyncio.create_task(self.triggers.carry_out(step, play)) for step, play in work]
        faults = asyncio.create_task(self.timeline.play(self.scenario.faults))
        watch = asyncio.create_task(self._watch_heights())
        try:
            await until_done(steps, (faults, watch))
            # What waits for a height or a view that never comes must not wait for ever.
            await until_done((faults,), (watch,), self.patience_s())
        finally:
            await ended((*steps, faults, watch))

    @property
    def sent(self) -> dict[str, Sent]:
        """What was handed in for the parties, by id."""
        return self.sending.sent

    def patience_s(self) -> float:
        """How long faults that are due at a time may still take, and some more for the others."""
        last_ms = last_timed_ms(self.scenario.faults)
        longest_ms = max((fault.for_ms or 0 for fault in self.scenario.faults), default=0)
        return max(0, last_ms - self.since_ms()) / 1000 + longest_ms / 1000 + TRIGGER_S

    async def _watch_heights(self) -> None:
        """A transaction names the heights at which it may be ordered: a long load must know them."""
        while True:
            await asyncio.sleep(HEIGHTS_S)
            await self.statuses()

    async def _show(self, step: OnRecord, began_ms: int) -> None:
        await self.sleep_until(began_ms + step.at_ms)
        if step.tx not in self.sent:
            self.triggers.miss(step, f"{step.tx} was not sent by then")
            return
        await self.showing.play(step, self.confirm_s(), seconds_text(began_ms + step.at_ms))

    async def _aggregate(self, step: Aggregate, began_ms: int) -> None:
        await self.sleep_until(began_ms + step.at_ms)
        await self.aggregating.play(step, self.confirm_s(), began_ms + step.at_ms)

    async def _open(self, step: Opening, began_ms: int) -> None:
        await self.sleep_until(began_ms + step.at_ms)
        await self.opening.play(step, self.confirm_s(), seconds_text(began_ms + step.at_ms))

    async def _challenge(self, step: Challenging, began_ms: int) -> None:
        await self.sleep_until(began_ms + step.at_ms)
        await self.opening.challenge(step, self.confirm_s())

    def confirm_s(self) -> float:
        """For how long a certificate of what is handed in now is waited for; longer where faults delay it."""
        return CONFIRM_S + (self.patience_s() if self.scenario.faults else 0.0)

    async def sleep_until(self, at_ms: int) -> None:
        """Wait until so many milliseconds after the genesis."""
        due = self.network.created_ms + at_ms
        await asyncio.sleep(max(0.0, (due - self.clock_ms()) / 1000))

    async def settle(self, within_s: float = SETTLE_S) -> bool:
        """Wait until all nodes have one head and have looked at every payload; whether they got there.

        Only those must that nothing keeps away and that never lied; for such as lied once it waits a little.
        """
        loop = asyncio.get_running_loop()
        deadline, patient_until = loop.time() + within_s, loop.time() + FAULTY_S
        while loop.time() < deadline:
            statuses = await self.statuses()
            gone = {each.name for each in self.crashed if each.role == "node"}
            patient = loop.time() < patient_until
            liars = self.timeline.misbehaving if patient else self.timeline.faulty
            rest = set(self.network.names) - gone - self.timeline.isolated - liars
            heads = {
                (status.sequence, status.block, status.state_root)
                for name, status in statuses.items()
                if name in rest
            }
            if rest <= set(statuses) and len(heads) <= 1 and not self._unread(rest):
                return not gone  # Nobody starts it again, so there is nothing to wait for.
            await asyncio.sleep(0.1)
        return False

    def _unread(self, names: Collection[str]) -> int:
        """Payloads that a node has not looked at yet or lacks, and who of these is owed purge receipts."""
        unread = 0
        for name in names:
            with contextlib.closing(Store(self.folder.node(name), read_only=True)) as store:
                unread += len(store.payloads(PENDING, 1)) + len(store.payloads(MISSING, 1))
                # Who nothing brings back is owed some for ever.
                unread += len({"", *names}.intersection(store.owed_receipts()))
        return unread

    # Stop.

    def _end(self) -> None:
        """The last words of a run that is down."""
        events: EventLog | None = getattr(self, "events", None)
        if events is not None:
            events.emit("run.stop")
            events.close()
        with contextlib.suppress(PrivityError):
            self.folder.write_run(state="stopped")
