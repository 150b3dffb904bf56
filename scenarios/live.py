"""The live world: a consortium of real processes on a real broker, and the operator who plays the steps.

The operator has every party's keys, because this is a simulator, and uses each for that party alone: it
seals in its own process and publishes through the broker like any client. What it must remember to judge
the run (which secrets there were, and who may hold them) stays in its memory and in the operator's folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import os
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from consensus.messages import Status
from consensus.quorum import weak_quorum
from node.chain.store import MISSING, PENDING, Store
from node.client import Client
from node.consortium import Network
from node.driver import Clock, Driver
from node.envelopes.envelope import seal
from node.envelopes.keys import PartyKeys
from node.errors import UNCONFIRMED, PrivityError
from node.logs.events import EventLog
from node.run_folder import Label, RunFolder
from node.wire import Inclusion
from scenarios.founding import found, make_keys, write_genesis, write_operator_files
from scenarios.leaks.run_secrets import RunSecrets
from scenarios.model.plan import PlannedSend, plan
from scenarios.model.scenario import Scenario
from scenarios.processes.broker import RunningBroker
from scenarios.processes.child import ProcessExit
from scenarios.processes.supervisor import Supervisor

READY_S = 60.0
NEEDED_BYTES = 256 << 10  # With less room on the disk no node can begin.
CONFIRM_S = 30.0
HEIGHTS_S = 5.0
SETTLE_S = 20.0
ASK_S = 2.0
QUICK_S = 0.3

# What the exit code of a node says that had no room left for words.
_WITHOUT_WORDS = {UNCONFIRMED: "the disk refused a write (exit code 3)"}

Say = Callable[[str, str], None]


@dataclass(slots=True)
class Sent:
    """A transaction that the operator submitted for a party, and what became of it."""

    planned: PlannedSend
    tx: bytes
    at_ms: int
    proof: Inclusion | None = None


@dataclass(slots=True)
class Options:
    """How to run, where the scenario leaves it open."""

    broker: str | None = None
    port: int | None = None  # Of a broker of ours; a free one if None.
    in_process: bool = False
    level: str = "info"
    steps: bool = True
    record: bool = True  # What passes the broker is kept, for the broker's column and the leak scan.


class LiveRun:
    """One run from founding to stop. `say(kind, text)` tells the user what happens."""

    # Known once `start` has come that far.
    broker: RunningBroker
    network: Network
    client: Client
    events: EventLog

    def __init__(
        self, scenario: Scenario, source: Path, folder: RunFolder, options: Options, say: Say
    ) -> None:
        self.scenario = scenario
        self.source = source
        self.folder = folder
        self.options = options
        self.say = say
        self.planned: tuple[PlannedSend, ...] = plan(scenario)
        self.keys: dict[str, PartyKeys] = {}
        self.secrets = RunSecrets()
        self.sent: dict[str, Sent] = {}
        self.views: dict[str, int] = {}
        self.crashed: list[ProcessExit] = []
        self._clock = Clock()
        self._supervisor = Supervisor(on_exit=self._on_exit)
        self._in_process: dict[str, tuple[asyncio.Event, asyncio.Task[None]]] = {}
        self._height = 0

    # Start.

    async def start(self) -> None:
        """Bring everything up. Returns once block 1 is committed with the same hash on every node."""
        started = time.monotonic()
        scenario, folder = self.scenario, self.folder
        broker = await self._supervisor.start_broker(
            self.options.broker or scenario.broker, folder.broker, port=self.options.port
        )
        self.broker = broker
        self.say("tick", f"broker     {_described(broker, chosen=self.options.port is not None)}")
        self.keys = make_keys(folder, scenario, os.urandom)
        for name, keys in self.keys.items():
            self.secrets.add_keys(name, keys)
        write_operator_files(folder, self.source, self.planned)
        self.say(
            "tick",
            f"keys       {len(self.keys)} signing + {len(self.keys)} wrapping pairs, mode 600",
        )
        if self.options.record:
            capture_ms = self._clock()
            await self._supervisor.start_recorder(folder.capture, start_ms=capture_ms)
            folder.write_run(capture_ms=capture_ms)
        if not self.options.in_process:
            await self._start_processes()
        self.network = found(scenario, self.keys, os.urandom, self._clock())
        write_genesis(folder, self.network)
        self.events = self.operator_log()
        self.events.emit("run.start")
        folder.write_run(genesis_ms=self.network.created_ms, broker=self._broker_record())
        if self.options.in_process:
            await self._start_tasks()
        self.client = Client(self.network, broker.address, broker.protocol, os.urandom)
        await self.client.__aenter__()
        statuses = await self._until_ready(started)
        self._height = max(status.sequence for status in statuses.values())
        folder.write_run(state="ready", pids=self._supervisor.pids)
        self.events.emit("run.ready", h=1, blk=next(iter(statuses.values())).block)

    def operator_log(self) -> EventLog:
        """The operator's own log, to append to. The caller closes it."""
        return EventLog(
            self.folder.operator_events,
            run=self.folder.number,
            node="operator",
            start_ms=self.network.created_ms,
            wall=self._clock,
        )

    def _broker_record(self) -> dict[str, object]:
        return {"kind": self.broker.kind, "url": self.broker.public_url, "protocol": self.broker.protocol}

    async def _start_processes(self) -> None:
        for name in self.scenario.names:
            self._supervisor.add_node(
                name,
                self.folder.node(name),
                genesis=self.folder.genesis,
                arguments=("--run", self.folder.number, "--level", self.options.level),
            )
        await asyncio.gather(*(self._supervisor.start(name, announces=True) for name in self.scenario.names))

    async def _start_tasks(self) -> None:
        for name in self.scenario.names:
            stop = asyncio.Event()
            driver = Driver(
                self.folder.node(name),
                self.network,
                name,
                self.broker.address,
                self.broker.protocol,
                run=self.folder.number,
                level=self.options.level,
            )
            task = asyncio.create_task(driver.run(stop), name=f"node {name}")
            task.add_done_callback(functools.partial(self._on_end, name))
            self._in_process[name] = (stop, task)

    def _on_end(self, name: str, task: asyncio.Task[None]) -> None:
        """A node inside this process fell over. Its error is named, not quoted: it may hold anything."""
        if not task.cancelled() and (error := task.exception()) is not None:
            said = str(error) if isinstance(error, PrivityError) else type(error).__name__
            self._on_exit(ProcessExit(name, "node", os.getpid(), 1, said))

    @property
    def pids(self) -> dict[str, int]:
        """The processes of nodes and broker, as far as they are ours."""
        pids = dict(self._supervisor.pids)
        if self.broker.pid is not None:
            pids["broker"] = self.broker.pid
        return pids

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

    def _crash(self, gone: ProcessExit) -> PrivityError:
        """Why a process ended while starting, in its own last words if it had room for them."""
        what = f"the {gone.role} {gone.name} ended while starting"
        if shutil.disk_usage(self.folder.path).free < NEEDED_BYTES:
            why = os.strerror(errno.ENOSPC)
            return PrivityError("E-DISK", what, why=why, next="free some space, then run it again")
        words = gone.last_line.removeprefix("why").strip()
        return PrivityError(
            "E-NODE",
            what,
            why=words or _WITHOUT_WORDS.get(gone.code, f"exit code {gone.code}"),
            next="privity logs shows what it said last",
        )

    async def _until_ready(self, started: float) -> dict[str, Status]:
        """Ready means that a block was committed with the same hash on all nodes, not that processes run."""
        total, answered = len(self.network.members), 0
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            if self.crashed:
                raise self._crash(self.crashed[0])
            # Short, and again: a node that is not connected yet does not hear the question.
            statuses = await self.statuses(QUICK_S)
            if len(statuses) == total and not answered:
                answered = total
                self.say("tick", _timed(f"nodes      {total} of {total} answered a signed ping", started))
            first_blocks = {self._first_block(name) for name in statuses}
            if len(statuses) == total and None not in first_blocks and len(first_blocks) == 1:
                where = f"same hash on {total} of {total} nodes"
                self.say("tick", _timed(f"ready      block 1 committed, {where}", started))
                return statuses
            await asyncio.sleep(0.05)
        raise PrivityError(
            "E-READY",
            f"no common first block within {READY_S:.0f} s",
            why=f"{answered or 'not all'} of {total} nodes answered",
            next="privity logs --level warn shows what they miss",
        )

    def _first_block(self, name: str) -> bytes | None:
        with contextlib.closing(Store(self.folder.node(name), read_only=True)) as store:
            block = store.block(1)
            return None if block is None else block.hash

    def _on_exit(self, gone: ProcessExit) -> None:
        self.crashed.append(gone)
        who = f"node {gone.name}" if gone.role == "node" else f"the {gone.role}"
        self.say("warn", f"{who} ended by itself (code {gone.code}) {gone.last_line}".rstrip())
        if gone.role == "node" and hasattr(self, "events"):
            self.events.emit("node.crash", "error", party=gone.name)

    # Steps.

    async def play(self) -> None:
        """Carry out all steps, each at its time, and wait until what they sent is certified or overdue."""
        by_step: dict[str, list[PlannedSend]] = {}
        for send in self.planned:
            by_step.setdefault(self._step_of[send.id], []).append(send)
        steps = [asyncio.create_task(self._play_step(name, sends)) for name, sends in by_step.items()]
        watch = asyncio.create_task(self._watch_heights())
        try:
            await asyncio.gather(*steps)
        finally:
            for task in (*steps, watch):
                task.cancel()

    async def _watch_heights(self) -> None:
        """A transaction names the heights at which it may be ordered: a long load must know them."""
        while True:
            await asyncio.sleep(HEIGHTS_S)
            await self.statuses()

    @property
    def _step_of(self) -> dict[str, str]:
        return {tx: step.id for step in self.scenario.steps for tx in step.transactions}

    async def _play_step(self, name: str, sends: Sequence[PlannedSend]) -> None:
        for send in sends:
            await self._sleep_until(send.at_ms)
            self._submit(send)
        confirmed = await self._confirm([send.id for send in sends])
        self._tell(name, sends, confirmed)

    async def _sleep_until(self, at_ms: int) -> None:
        due = self.network.created_ms + at_ms
        await asyncio.sleep(max(0.0, (due - self._clock()) / 1000))

    def _submit(self, send: PlannedSend) -> None:
        """Seal one planned transaction as its sender, with a canary leaf, and publish it."""
        network, keys = self.network, self.keys[send.sender]
        fields = dict(send.fields) | {"_canary": os.urandom(16)}
        sealed = seal(
            fields,
            readers=[self.keys[name].wrapping.public for name in (send.sender, *send.readers)],
            network=network.id,
            sender=send.sender,
            policy=network.policy_hash,
            valid_from=max(1, self._height),
            valid_until=max(1, self._height) + network.rules.validity_window,
            signing_key=keys.signing,
            entropy=os.urandom,
        )
        self.secrets.add_sealed(sealed, frozenset((send.sender, *send.readers)))
        tx, at_ms = sealed.transaction.id, self._clock() - network.created_ms
        self.sent[send.id] = Sent(send, tx, at_ms)
        self.client.submit(sealed.transaction, sealed.blob)
        self.folder.add_transaction(Label(send.id, tx.hex(), send.sender, send.readers, at_ms))
        self.events.emit(
            "tx.submit",
            tx=tx,
            id=send.id,
            party=send.sender,
            readers_n=len(send.readers),
            bytes=sealed.transaction.header.core.size_bucket,
        )

    async def _confirm(self, names: Sequence[str]) -> int:
        """Wait for both certificates of each of these transactions; how many came in time."""
        open_ones = {self.sent[name].tx: self.sent[name] for name in names}
        first = self.sent[names[0]].planned.sender
        proofs = await self.client.certified(list(open_ones), (first, self.keys[first].signing), CONFIRM_S)
        for tx, proof in proofs.items():
            open_ones[tx].proof = proof
            self._height = max(self._height, proof.header.height)
        return len(proofs)

    def _tell(self, name: str, sends: Sequence[PlannedSend], confirmed: int) -> None:
        at = f"{self.sent[sends[0].id].planned.at_ms / 1000:g}s"
        heights = sorted(
            {proof.header.height for send in sends if (proof := self.sent[send.id].proof) is not None}
        )
        blocks = "" if not heights else f"block {heights[0]}" + (f"-{heights[-1]}" if heights[1:] else "")
        if len(sends) == 1 and sends[0].id == name:
            readers = f"{sends[0].sender} -> {_parties(sends[0].readers)}"
            mark = "✓" if confirmed else "no certificate yet"
            self.say("step", f"{at:>5}  send      {name:<12} {readers:<24} {blocks:<12} {mark}")
        else:
            mark = "✓" if confirmed == len(sends) else f"{len(sends) - confirmed} without certificate"
            what = f"{confirmed} of {len(sends)} ordered"
            self.say("step", f"{at:>5}  load      {name:<12} {what:<24} {blocks:<12} {mark}")
        self.events.emit("step.done", id=name, ok=confirmed == len(sends))

    async def settle(self) -> bool:
        """Wait until all nodes have one head and have looked at every payload; whether they got there."""
        deadline = time.monotonic() + SETTLE_S
        while time.monotonic() < deadline:
            statuses = await self.statuses()
            heads = {(status.sequence, status.block, status.state_root) for status in statuses.values()}
            gone = {each.name for each in self.crashed if each.role == "node"}
            rest = set(self.network.names) - gone
            if rest <= set(statuses) and len(heads) == 1 and not self._unread(rest):
                return not gone  # Nobody starts it again, so there is nothing to wait for.
            await asyncio.sleep(0.1)
        return False

    def _unread(self, names: Iterable[str]) -> int:
        """Payloads that one of these nodes has not looked at yet, or whose blob it lacks."""
        unread = 0
        for name in names:
            with contextlib.closing(Store(self.folder.node(name), read_only=True)) as store:
                unread += len(store.payloads(PENDING, 1)) + len(store.payloads(MISSING, 1))
        return unread

    # Stop.

    async def stop(self) -> None:
        """Stop everything in order, whatever state it is in."""
        client: Client | None = getattr(self, "client", None)
        events: EventLog | None = getattr(self, "events", None)
        try:
            for stop, _ in self._in_process.values():
                stop.set()
            if self._in_process:
                await asyncio.gather(*(task for _, task in self._in_process.values()), return_exceptions=True)
            if client is not None:
                await client.__aexit__(None, None, None)
        finally:
            await self._supervisor.stop_all()
            if events is not None:
                events.emit("run.stop")
                events.close()
            with contextlib.suppress(PrivityError):
                self.folder.write_run(state="stopped")


def _described(broker: RunningBroker, *, chosen: bool) -> str:
    port = "your port" if chosen else "free port"
    if broker.kind == "embedded":
        return f"embedded MQTT on 127.0.0.1:{broker.address.port} ({port}; --broker to use yours)"
    if broker.kind == "mosquitto":
        return f"mosquitto of our own on 127.0.0.1:{broker.address.port} ({port})"
    return f"{broker.public_url} (MQTT {broker.protocol})"


def _timed(text: str, started: float) -> str:
    return f"{text:<65}{time.monotonic() - started:5.1f} s"


def _parties(readers: Sequence[str]) -> str:
    if not readers:
        return "nobody else"
    return ", ".join(readers) if len(readers) <= 2 else f"{len(readers)} parties"
