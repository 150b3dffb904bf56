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
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from node.run_folder import RunFolder
from scenarios.faults.record import FaultRecord
from scenarios.knowledge.notebook import ShownMatrix
from scenarios.model.loading import load_scenario
from scenarios.model.objects import writes_of
from scenarios.model.scenario import Scenario
from scenarios.operating import Options, Say
from scenarios.processes.child import outlive_children
from scenarios.session import Judged, loop_of
from scenarios.steering import WAIT_S, Block, Steering, Transaction

T = TypeVar("T")


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

    def __init__(self, core: Steering, thread: _Thread) -> None:
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

    def matrix(self, at: str = "end") -> ShownMatrix:
        """Who could read what at a moment (`11s`, `block 9`, `end`), by trying every key."""
        return self._thread.call(lambda: self._core.matrix(at)).result()

    @property
    def now_ms(self) -> int:
        """Milliseconds since the genesis, as this world has them."""
        return self._thread.call(lambda: self._core.session.run.since_ms()).result()

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
        core = Steering(
            scenario, Path(file), Options(broker=broker), None if home is None else Path(home), say
        )
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
        object: str | None = None,
        expects: int = 0,
        wait_s: float = WAIT_S,
    ) -> Transaction:
        """Seal a payload for its readers, submit it, and wait for both certificates, unless `wait_s` is 0.

        With `object` it writes that private object of its readers, which must have the version `expects`.
        """
        writes = writes_of(object, expects)
        return await self._do(lambda: self._core.send(sender, to, data, id, wait_s, writes))

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
        object: str | None = None,
        expects: int = 0,
        wait_s: float = WAIT_S,
    ) -> Transaction:
        """As `Network.send`."""
        writes = writes_of(object, expects)
        return self._do(lambda: self._core.send(sender, to, data, id, wait_s, writes))

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
