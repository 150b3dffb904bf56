"""A scenario in the virtual world: the same nodes and operator, on a virtual clock and a simulated network.

Every invariant is checked at every event. A broken one freezes the world, and the verdict names it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from node.client import Client, Courier
from node.errors import PrivityError
from node.private_files import make_private_folder, open_private
from node.run_folder import RunFolder
from node.wire import Frame
from scenarios.checkers.checkers import Checkers, InvariantBroken
from scenarios.faults.conditions import topology_of
from scenarios.faults.virtual_hands import VirtualHands
from scenarios.founding import found, write_genesis
from scenarios.model.scenario import Fault, Scenario
from scenarios.operating import Operator, Options, Say
from scenarios.processes.child import ProcessExit
from scenarios.virtual.courier import VirtualCourier, VirtualRecorder
from scenarios.virtual.entropy import SEEDED, entropy
from scenarios.virtual.io_trace import IoTrace, Out
from scenarios.virtual.loop import VirtualLoop
from scenarios.virtual.node_host import GENESIS_MS, Nodes
from scenarios.virtual.observer import Observer
from scenarios.virtual.trace_digests import TraceDigests
from scenarios.virtual.world import World

STAMP = "SEEDED KEYS: not secret"


class VirtualRun(Operator):
    """One run in a `VirtualLoop`."""

    world: World  # Known once `start` has come that far.

    def __init__(
        self, scenario: Scenario, source: Path, folder: RunFolder, options: Options, say: Say
    ) -> None:
        super().__init__(scenario, source, folder, options, say, self._stream(scenario, "operator"))
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop), "a virtual run needs a loop of virtual time"
        self._loop = loop
        self._closing = contextlib.ExitStack()
        self._recorder: VirtualRecorder | None = None
        self._checkers: Checkers | None = None
        self._facts: dict[str, Any] = {}

    @staticmethod
    def _stream(scenario: Scenario, purpose: str) -> Callable[[int], bytes]:
        return entropy(scenario.crypto, scenario.seed, purpose)

    def clock_ms(self) -> int:
        """Unix milliseconds: a fixed genesis, and the virtual time since then."""
        return GENESIS_MS + self._loop.now_us // 1000

    async def start(self) -> None:
        """Found the network in the world and let it commit block 1."""
        started = time.monotonic()
        scenario, folder = self.scenario, self.folder
        how = f"signatures {self.options.signatures}, keys {scenario.crypto}"
        self.say("tick", f"world      virtual time, seed {scenario.seed}, {how}")
        self._make_keys()
        network = found(scenario, self.keys, self._stream(scenario, "founding"), GENESIS_MS)
        write_genesis(folder, network)
        ordered = [self.keys[name] for name in network.names]
        nodes = Nodes(network, ordered, folder.nodes, level=self.options.level, run=folder.number)
        self.world = world = World(
            len(scenario.voters),
            len(scenario.parties) - len(scenario.voters),
            seed=scenario.seed,
            nodes=nodes,
            signatures=self.options.signatures,
            crypto=scenario.crypto,
            topology=topology_of(scenario.conditions, network.names),
            client_retry_ms=0,
            start=False,
        )
        self.hands = VirtualHands(world, self._refused)
        self._watch(world)
        self._loop.attach(world)
        assert world.nodes is not None
        self.network = world.nodes.network
        self.keys = dict(zip(self.network.names, world.nodes.keys, strict=True))
        self.events = self.operator_log()
        self.events.emit("run.start")
        folder.write_run(genesis_ms=GENESIS_MS, capture_ms=GENESIS_MS, broker={"kind": "virtual"})
        for place in world.members:
            world.start(place)
        self.client = Client(self.network, self._connect, self._stream(scenario, "client"))
        await self.client.__aenter__()
        statuses = await self._until_ready(lambda text: self._timed(text, started))
        folder.write_run(state="ready")
        self.events.emit("run.ready", h=1, blk=next(iter(statuses.values())).block)

    def _watch(self, world: World) -> None:
        """Put the recorder, the checkers and, on request, the I/O trace in place."""
        public_keys = [keys.signing.public.raw for keys in world.keys]
        check = world.signatures.check
        self._checkers = Checkers(
            world.n, world.network_id, public_keys, window=world.settings(0).window, check=check
        )
        observers: list[Observer] = [self._checkers]
        for out in self._traced():
            trace = IoTrace(out)
            trace.describe(world.n, world.network_id, public_keys, **self._expanded(world))
            observers.append(trace)
        world.watching.add(observers)
        if self.options.record:
            make_private_folder(self.folder.capture.parent)
            recorder = self._recorder = self._closing.enter_context(VirtualRecorder(self.folder.capture))
            world.carrying.append(recorder)

    def _traced(self) -> Iterator[Out]:
        """Where the I/O trace goes: in short beside the run if it can be repeated, in full on request."""
        if self.scenario.crypto == SEEDED:
            file = open_private(self.folder.trace_digests, os.O_WRONLY | os.O_TRUNC)
            yield TraceDigests(self._closing.enter_context(os.fdopen(file, "wb")))
        if self.options.trace is not None:
            file = open_private(self.options.trace, os.O_WRONLY | os.O_TRUNC)
            yield self._closing.enter_context(os.fdopen(file, "w", encoding="utf-8"))

    def _refused(self, name: str, error: PrivityError) -> None:
        """A node does not start on what its disk holds, as is right after a fault that damaged it."""
        self.say("note", f"           {name} does not start: {error.what}")
        if name not in self.timeline.deliberate:
            self.crashed.append(ProcessExit(name, "node", os.getpid(), error.exit_code, error.what))

    def blame(self, fault: Fault, names: Sequence[str]) -> None:
        """Who lies, or loses what it has promised, is faulty from now on (I0)."""
        places = [place for place, name in enumerate(self.network.names) if name in names]
        if self._checkers is not None and fault.byzantine:
            self._checkers.declare_faulty(places, fault.kind)
            for place in places:
                self.world.correct.discard(place)

    def flush(self) -> None:
        """Let the capture hold all that has passed."""
        if self._recorder is not None:
            self._recorder.flush()

    def _connect(self, client_id: str, topics: list[str], deliver: Callable[[str, Frame], None]) -> Courier:
        return VirtualCourier(self.world, client_id, topics, deliver)

    def _timed(self, text: str, started: float) -> str:
        return f"{text:<65}{self._loop.time():5.1f} s virtual, {time.monotonic() - started:.1f} s real"

    def _expanded(self, world: World) -> dict[str, Any]:
        """Everything that makes the run what it is, defaults too."""
        scenario = self.scenario
        settings = world.settings(0)
        options = {name: getattr(settings, name) for name in type(settings).__dataclass_fields__}
        del options["replica"]
        return {
            "seed": scenario.seed,
            "voters": world.n,
            "followers": world.followers,
            "crypto": scenario.crypto,
            "signatures": world.signatures.mode,
            "verify_us": world.signatures.verify_us,
            "sign_us": world.signatures.sign_us,
            "settings": options,
        }

    def _check_start(self) -> None:
        if self.broken:
            raise PrivityError(
                "E-FROZEN",
                "the virtual world stopped while starting",
                why=self.broken[0],
                next="the same command with --trace FILE writes all that happened",
            )

    @property
    def frozen_by(self) -> str:
        """What froze the world, in short: `invariant I1`, or kind and place of an error of ours."""
        error = self._loop.failure
        if error is None:
            return ""
        if isinstance(error, InvariantBroken):
            return f"invariant {error.invariant}"
        last = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"

    @property
    def broken(self) -> list[str]:
        """What froze the world."""
        error = self._loop.failure
        if error is None:
            return []
        where = "; ".join(getattr(error, "__notes__", ()))
        faulty = [place for place in self.world.members if place not in self.world.correct]
        voters = [place for place in faulty if place < self.world.n]
        if len(voters) > self.scenario.faulty_voters:
            where += f"; out of model: {len(voters)} faulty voters, f = {self.scenario.faulty_voters}"
        if isinstance(error, InvariantBroken):
            return [f"invariant broken: {error} ({where})"]
        # A bug of ours: its text may quote anything.
        return [f"the world fell over: {self.frozen_by} ({where})"]

    @property
    def facts(self) -> dict[str, Any]:
        """What the verdict says of a virtual run; the hash is taken when it stops."""
        return self._facts

    def _state_facts(self) -> None:
        world = self.world
        assert self._checkers is not None
        self._facts = {
            "broker": "virtual",
            "trace_hash": world.trace_hash,
            "virtual_seconds": round(world.now_us / 1e6, 6),
            "events": world.events,
            "deliveries": world.delivered,
            "invariants_checked": sum(self._checkers.facts.checked.values()),
            "options": self._expanded(world),
            "stamp": STAMP if self.scenario.crypto == SEEDED else "",
        }

    async def stop(self) -> None:
        """Stop everything in order, and close the files."""
        client: Client | None = getattr(self, "client", None)
        if client is not None:
            await self.timeline.close()
            await client.__aexit__(None, None, None)
        if hasattr(self, "world"):
            self.world.close()
            self._state_facts()
        self._closing.close()
        self._end()
