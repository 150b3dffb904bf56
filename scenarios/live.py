"""The live world: a consortium of real processes on a real broker, in real time."""

from __future__ import annotations

import asyncio
import errno
import functools
import os
import shutil
import time
from pathlib import Path
from typing import Any

from node.client import Client
from node.driver import Clock, Driver
from node.errors import UNCONFIRMED, PrivityError
from node.run_folder import RunFolder
from scenarios.faults.conditions import ambient
from scenarios.faults.live_hands import LiveHands
from scenarios.founding import found, write_genesis
from scenarios.model.scenario import Scenario
from scenarios.operating import Operator, Options, Say
from scenarios.processes.broker import RunningBroker
from scenarios.processes.child import ProcessExit
from scenarios.processes.supervisor import Supervisor

NEEDED_BYTES = 256 << 10  # With less room on the disk no node can begin.

# What the exit code of a node says that had no room left for words.
_WITHOUT_WORDS = {UNCONFIRMED: "the disk refused a write (exit code 3)"}


class LiveRun(Operator):
    """One run on a broker, each node a process of its own (or, on request, all in this one)."""

    broker: RunningBroker  # Known once `start` has come that far.

    def __init__(
        self, scenario: Scenario, source: Path, folder: RunFolder, options: Options, say: Say
    ) -> None:
        super().__init__(scenario, source, folder, options, say, os.urandom)
        self._clock = Clock()
        self._supervisor = Supervisor(on_exit=self._on_exit)
        self.hands = LiveHands(self._supervisor)
        self._in_process: dict[str, tuple[asyncio.Event, asyncio.Task[None]]] = {}

    def clock_ms(self) -> int:
        """Unix milliseconds that never run backwards."""
        return self._clock()

    @property
    def facts(self) -> dict[str, Any]:
        """Which broker it was. A live run has no trace hash: the network's timing is nobody's to repeat."""
        return {"broker": self.broker.kind, "trace_hash": None}

    async def start(self) -> None:
        """Bring everything up. Returns once block 1 is committed with the same hash on every node."""
        started = time.monotonic()
        scenario, folder = self.scenario, self.folder
        broker = await self._supervisor.start_broker(
            self.options.broker or scenario.broker, folder.broker, port=self.options.port
        )
        self.broker = broker
        self.say("tick", f"broker     {_described(broker, chosen=self.options.port is not None)}")
        self._make_keys()
        if self.options.record:
            capture_ms = self._clock()
            await self._supervisor.start_recorder(folder.capture, start_ms=capture_ms)
            folder.write_run(capture_ms=capture_ms)
        if not self.options.in_process:
            await self._start_processes()
        self.network = found(scenario, self.keys, self.entropy, self._clock())
        write_genesis(folder, self.network)
        self.events = self.operator_log()
        self.events.emit("run.start")
        folder.write_run(genesis_ms=self.network.created_ms, broker=self._broker_record())
        if self.options.in_process:
            await self._start_tasks()
        self.client = Client.over_mqtt(self.network, broker.address, broker.protocol, self.entropy)
        await self.client.__aenter__()
        statuses = await self._until_ready(lambda text: _timed(text, started))
        for name, conditions in ambient(scenario.conditions, self.network.names).items():
            for condition in conditions:
                await self.hands.disturb(name, condition)
        folder.write_run(state="ready", pids=self._supervisor.pids)
        self.events.emit("run.ready", h=1, blk=next(iter(statuses.values())).block)

    def _broker_record(self) -> dict[str, object]:
        return {"kind": self.broker.kind, "url": self.broker.public_url, "protocol": self.broker.protocol}

    async def _start_processes(self) -> None:
        for name in self.scenario.names:
            self._supervisor.add_node(
                name,
                self.folder.node(name),
                genesis=self.folder.genesis,
                arguments=("--run", self.folder.number, "--level", self.options.level),
                answers=True,
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

    def _check_start(self) -> None:
        if self.crashed:
            raise self._crash(self.crashed[0])

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

    def _on_exit(self, gone: ProcessExit) -> None:
        if gone.role == "node" and gone.name in self.timeline.deliberate:
            self.say("note", f"           {gone.name} does not start: {gone.last_line.strip()}")
            return  # A damaged disk is the fault's doing.
        self.crashed.append(gone)
        who = f"node {gone.name}" if gone.role == "node" else f"the {gone.role}"
        self.say("warn", f"{who} ended by itself (code {gone.code}) {gone.last_line}".rstrip())
        if gone.role == "node" and hasattr(self, "events"):
            self.events.emit("node.crash", "error", party=gone.name)

    async def stop(self) -> None:
        """Stop everything in order, whatever state it is in."""
        client: Client | None = getattr(self, "client", None)
        try:
            if client is not None:
                await self.timeline.close()
            for stop, _ in self._in_process.values():
                stop.set()
            if self._in_process:
                await asyncio.gather(*(task for _, task in self._in_process.values()), return_exceptions=True)
            if client is not None:
                await client.__aexit__(None, None, None)
        finally:
            await self._supervisor.stop_all()
            self._end()


def _described(broker: RunningBroker, *, chosen: bool) -> str:
    port = "your port" if chosen else "free port"
    if broker.kind == "embedded":
        return f"embedded MQTT on 127.0.0.1:{broker.address.port} ({port}; --broker to use yours)"
    if broker.kind == "mosquitto":
        return f"mosquitto of our own on 127.0.0.1:{broker.address.port} ({port})"
    return f"{broker.public_url} (MQTT {broker.protocol})"


def _timed(text: str, started: float) -> str:
    return f"{text:<65}{time.monotonic() - started:5.1f} s"
