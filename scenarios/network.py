"""A consortium for Python programs and tests: bring it up, send, look who reads what, break it, judge it.

    async with Network.load("tender.yaml", transport="memory") as net:
        tx = await net.send("acme", to=["city"], data={"price": 1})
        assert await net.readers(tx) == {"acme", "city"}

    with Network.load("tender.yaml", transport="memory") as net:        # the same without async
        tx = net.send("acme", to=["city"], data={"price": 1})

The steps of the file are not played unless `play` is called. Errors are `PrivityError`s, with the codes that
the command prints. The command itself runs on the same `Session`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from node.errors import PrivityError
from node.run_folder import RunFolder
from scenarios.chains import read_chains
from scenarios.faults.given import given_fault
from scenarios.faults.record import FaultRecord
from scenarios.knowledge.matrix import Matrix, build_matrix
from scenarios.model.loading import load_scenario
from scenarios.model.payloads import PayloadError, check_payload
from scenarios.model.plan import PlannedSend
from scenarios.model.scenario import Scenario
from scenarios.operating import Options, Say
from scenarios.processes.child import outlive_children
from scenarios.session import Judged, Session, loop_of, new_folder

WAIT_S = 30.0
LOOK_S = 0.1
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Transaction:
    """A private transaction that was sent. `height` is None while no certificate for its block has come."""

    id: str
    tx: str  # The transaction id, 64 hex digits.
    sender: str
    readers: tuple[str, ...]
    height: int | None

    def __str__(self) -> str:
        return self.id


@dataclass(frozen=True, slots=True)
class Block:
    """A block as the nodes hold it: the same on `nodes`, the time in Unix milliseconds."""

    height: int
    hash: str
    state_root: str
    time_ms: int
    transactions: tuple[str, ...]
    nodes: tuple[str, ...]


class _Core:
    """One network, as coroutines of its own loop."""

    def __init__(self, scenario: Scenario, file: Path, options: Options, home: Path | None, say: Say) -> None:
        self.scenario = scenario
        self.folder = new_folder(scenario, home=home)
        self._file = file
        self._options = options
        self._say = say
        self._up = contextlib.AsyncExitStack()
        self._made = 0
        self._settled = True

    async def start(self) -> None:
        self.session = Session(self.scenario, self._file, self.folder, self._options, self._say)
        await self._up.enter_async_context(self.session.running(signals=False))

    async def stop(self) -> None:
        await self._up.aclose()

    async def play(self) -> None:
        self._settled = await self.session.play()

    async def send(
        self, sender: str, to: Sequence[str], data: Mapping[str, Any], identifier: str | None, wait_s: float
    ) -> Transaction:
        run = self.session.run
        for name in (sender, *to):
            if name not in run.keys:
                names = ", ".join(run.keys)
                raise PrivityError("E-PARTY", "no such party", where=name, why=f"there are {names}")
        while identifier is None or identifier in run.sent:
            if identifier is not None:
                raise PrivityError("E-ID", "this id is taken", where=identifier)
            self._made += 1
            identifier = f"sent-{self._made}" if f"sent-{self._made}" not in run.sent else None
        readers = tuple(name for name in dict.fromkeys(to) if name != sender)
        try:
            check_payload(data)
        except PayloadError as error:
            raise PrivityError(error.code, "this cannot be a payload", why=str(error)) from None
        sent = run.submit(PlannedSend(identifier, run.since_ms(), sender, readers, dict(data)))
        if wait_s and not await run.confirm([identifier], wait_s):
            raise PrivityError(
                "E-UNCONFIRMED",
                f"no certificate for {identifier} within {wait_s:g} s",
                why="it may still be ordered later",
                next=f"privity why --run {self.folder.number}",
            )
        height = None if sent.proof is None else sent.proof.header.height
        return Transaction(identifier, sent.tx.hex(), sender, readers, height)

    async def settle(self, within_s: float) -> bool:
        self._settled = await self.session.run.settle(within_s)
        return self._settled

    async def readers(self, tx: str, at: str) -> set[str]:
        if at == "end":
            await self.settle(WAIT_S)
        matrix = self.matrix(at)
        if tx not in matrix:
            raise PrivityError("E-TX", "no such transaction", where=tx)
        return matrix.readers(tx)

    def matrix(self, at: str) -> Matrix:
        return build_matrix(self.folder, at)

    async def fault(self, kind: str, fields: Mapping[str, Any]) -> FaultRecord:
        timeline = self.session.run.timeline
        fault = given_fault(self.scenario, {"kind": kind, **fields}, taken=timeline.records)
        return await timeline.add(fault)

    async def heal(self, identifier: str | None) -> list[FaultRecord]:
        timeline = self.session.run.timeline
        if identifier is None:
            return await timeline.heal()
        if identifier not in timeline.records:
            raise PrivityError("E-FAULT", "no such fault", where=identifier)
        return [await timeline.end(identifier)]

    async def wait_for(
        self, height: int | None, view: int | None, seconds: float | None, within_s: float
    ) -> None:
        loop, run = asyncio.get_running_loop(), self.session.run
        if seconds is not None:
            await asyncio.sleep(seconds)
        deadline = loop.time() + within_s
        while True:
            await run.statuses(LOOK_S)
            reached = max(run.views.values(), default=0)
            if (height is None or run.height >= height) and (view is None or reached >= view):
                return
            if loop.time() >= deadline:
                raise PrivityError(
                    "E-TIMEOUT",
                    f"not within {within_s:g} s: "
                    + ("" if height is None else f"height {height} ")
                    + ("" if view is None else f"view {view}"),
                    why=f"height {run.height}, view {reached}",
                    next=f"privity why --run {self.folder.number}",
                )
            await asyncio.sleep(LOOK_S)

    async def judge(self) -> Judged:
        await self.settle(WAIT_S)
        return self.session.judge(self._settled)

    def block(self, height: int) -> Block:
        chains = read_chains(self.folder, self.session.run.network.names)
        found = [(chain, chain.blocks[height]) for chain in chains if height in chain.blocks]
        if not found:
            raise PrivityError("E-BLOCK", f"no node has block {height}")
        chain, row = found[0]
        if any(other.hash != row.hash for _, other in found):
            raise PrivityError("E-MISMATCH", f"nodes hold different blocks at height {height}")
        inside = tuple(tx for tx, at in chain.executed.items() if at == height)
        nodes = tuple(each.node for each, _ in found)
        return Block(height, row.hash.hex(), row.state_root.hex(), row.time_ms, inside, nodes)


class _Thread:
    """A thread with the event loop of one network. A virtual loop may not run inside another one."""

    def __init__(self, loop_factory: Callable[[], asyncio.AbstractEventLoop] | None) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="privity", initializer=outlive_children)
        self._runner: asyncio.Runner | None = None
        self._loop_factory = loop_factory

    def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> Future[T]:
        """Have a coroutine run there."""

        def inside() -> T:
            if self._runner is None:
                self._runner = asyncio.Runner(loop_factory=self._loop_factory)
            return self._runner.run(work())

        return self._pool.submit(inside)

    def call(self, work: Callable[[], T]) -> Future[T]:
        """Have a function run there."""
        return self._pool.submit(work)

    def close(self) -> None:
        """End the loop and the thread."""

        def inside() -> None:
            if self._runner is not None:
                self._runner.close()

        self._pool.submit(inside).result()
        self._pool.shutdown()


class _Shared:
    """What both forms of a network have."""

    def __init__(self, core: _Core, thread: _Thread) -> None:
        self._core = core
        self._thread = thread

    @property
    def scenario(self) -> Scenario:
        """What the file says, with what `load` was told instead of it."""
        return self._core.scenario

    @property
    def folder(self) -> RunFolder:
        """Where the run keeps everything, for `privity` commands too."""
        return self._core.folder

    def matrix(self, at: str = "end") -> Matrix:
        """Who could read what at a moment (`11s`, `block 9`, `end`), by trying every key."""
        return self._thread.call(lambda: self._core.matrix(at)).result()

    def block(self, height: int) -> Block:
        """The block at a height. Raises PrivityError if no node has it, or two hold different ones."""
        return self._thread.call(lambda: self._core.block(height)).result()

    @property
    def repeat(self) -> str:
        """The command that repeats this run as far as its file goes."""
        scenario = self.scenario
        return f"privity run {scenario.file} --seed {scenario.seed} --transport {scenario.transport}"


class Network(_Shared):
    """A network whose methods are awaited. Up inside `async with`; `with` gives the other form."""

    @classmethod
    def load(
        cls,
        file: str | Path,
        *,
        transport: str | None = None,
        seed: int | None = None,
        crypto: str | None = None,
        broker: str | None = None,
        home: str | Path | None = None,
        say: Say = lambda kind, text: None,
    ) -> Network:
        """A network as the file describes it, not up yet. What is given counts instead of what the file says.

        `home` is where the run folder goes (PRIVITY_HOME, or .privity). Raises ScenarioInvalid.
        """
        scenario = load_scenario(Path(file))
        given: dict[str, Any] = {"transport": transport, "seed": seed, "crypto": crypto}
        scenario = replace(scenario, **{key: value for key, value in given.items() if value is not None})
        core = _Core(scenario, Path(file), Options(broker=broker), None if home is None else Path(home), say)
        return cls(core, _Thread(loop_of(scenario)))

    async def __aenter__(self) -> Network:
        await self._do(self._core.start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._do(self._core.stop)
        finally:
            self._thread.close()

    def __enter__(self) -> BlockingNetwork:
        blocking = BlockingNetwork(self._core, self._thread)
        blocking.start()
        return blocking

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        BlockingNetwork(self._core, self._thread).stop()

    async def _do(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return await asyncio.wrap_future(self._thread.run(work))

    async def play(self) -> None:
        """Play the steps of the file, faults too, and let all nodes come to rest."""
        await self._do(self._core.play)

    async def send(
        self,
        sender: str,
        *,
        to: Sequence[str],
        data: Mapping[str, Any],
        id: str | None = None,
        wait_s: float = WAIT_S,
    ) -> Transaction:
        """Seal a payload for its readers, submit it, and wait for both certificates, unless `wait_s` is 0."""
        return await self._do(lambda: self._core.send(sender, to, data, id, wait_s))

    async def readers(self, tx: str | Transaction, *, at: str = "end") -> set[str]:
        """Which parties can read a transaction, by trying their keys, once all nodes are at rest."""
        return await self._do(lambda: self._core.readers(str(tx), at))

    async def fault(self, kind: str, **fields: Any) -> FaultRecord:
        """Let a fault begin now: the keys of a fault step, `for_` for `for`; with that it heals by itself."""
        return await self._do(lambda: self._core.fault(kind, fields))

    async def heal(self, id: str | None = None) -> list[FaultRecord]:
        """Let a fault heal now, or all of them; what they touched."""
        return await self._do(lambda: self._core.heal(id))

    async def wait_for(
        self,
        *,
        height: int | None = None,
        view: int | None = None,
        seconds: float | None = None,
        within_s: float = WAIT_S,
    ) -> None:
        """Let time pass: so many seconds, then until a height and a view are reached. Raises E-TIMEOUT."""
        await self._do(lambda: self._core.wait_for(height, view, seconds, within_s))

    async def judge(self) -> Judged:
        """The verdict on the expectations of the file, as `privity run` gives it."""
        return await self._do(self._core.judge)


class BlockingNetwork(_Shared):
    """The same network for programs without async: each method returns when it is done."""

    def start(self) -> None:
        """Bring it up; `with` does it."""
        self._do(self._core.start)

    def stop(self) -> None:
        """Take it down; `with` does it."""
        try:
            self._do(self._core.stop)
        finally:
            self._thread.close()

    def _do(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return self._thread.run(work).result()

    def play(self) -> None:
        """Play the steps of the file, faults too, and let all nodes come to rest."""
        self._do(self._core.play)

    def send(
        self,
        sender: str,
        *,
        to: Sequence[str],
        data: Mapping[str, Any],
        id: str | None = None,
        wait_s: float = WAIT_S,
    ) -> Transaction:
        """As `Network.send`."""
        return self._do(lambda: self._core.send(sender, to, data, id, wait_s))

    def readers(self, tx: str | Transaction, *, at: str = "end") -> set[str]:
        """As `Network.readers`."""
        return self._do(lambda: self._core.readers(str(tx), at))

    def fault(self, kind: str, **fields: Any) -> FaultRecord:
        """As `Network.fault`."""
        return self._do(lambda: self._core.fault(kind, fields))

    def heal(self, id: str | None = None) -> list[FaultRecord]:
        """As `Network.heal`."""
        return self._do(lambda: self._core.heal(id))

    def wait_for(
        self,
        *,
        height: int | None = None,
        view: int | None = None,
        seconds: float | None = None,
        within_s: float = WAIT_S,
    ) -> None:
        """As `Network.wait_for`."""
        self._do(lambda: self._core.wait_for(height, view, seconds, within_s))

    def judge(self) -> Judged:
        """As `Network.judge`."""
        return self._do(self._core.judge)
