"""Starts the processes of one run, watches them, and leaves none behind whichever way it ends."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from node.errors import PrivityError
from node.private_files import make_private_folder
from scenarios.processes.broker import RunningBroker, start_broker
from scenarios.processes.child import ANSWER_S, GRACE_S, Child, ProcessExit
from scenarios.processes.recorder import LISTENING_LINE

RECORDER_START_S = 15.0
RECORDER_AGAIN_S = 3.0
# The recorder waits three seconds at most for the last messages.
RECORDER_GRACE_S = 6.0


class Supervisor:
    """The broker, the recorder and the nodes of one run, all of them children of this process.

    Children sit in sessions of their own, so Ctrl-C reaches the supervisor alone. If it is killed with
    SIGKILL, the kernel ends them. Call it from the main thread. `on_exit` hears of each child that ends
    without being asked to, the broker and the recorder included (`role` tells them from nodes).
    """

    def __init__(self, *, on_exit: Callable[[ProcessExit], None] | None = None) -> None:
        self._on_exit = on_exit
        self._nodes: dict[str, Child] = {}
        self._recorder: Child | None = None
        self.broker: RunningBroker | None = None

    async def start_broker(self, choice: str, folder: Path, *, port: int | None = None) -> RunningBroker:
        """The broker of the run; see `broker.start_broker`."""
        assert self.broker is None, "a run has one broker"
        self.broker = await start_broker(choice, folder, port=port, on_exit=self._on_exit)
        return self.broker

    async def start_recorder(self, capture: Path, *, start_ms: int, limit_bytes: int | None = None) -> None:
        """Start recording, and return once nothing can pass unheard.

        The capture counts from Unix time `start_ms`. Raises PrivityError E-BROKER if it cannot listen.
        """
        assert self.broker is not None and self._recorder is None
        limit = [] if limit_bytes is None else ["--limit-bytes", str(limit_bytes)]
        make_private_folder(capture.parent)
        self._recorder = Child(
            "recorder",
            [
                *(sys.executable, "-m", "scenarios.processes.recorder", str(capture)),
                *("--broker", self.broker.public_url, "--protocol", self.broker.protocol),
                *("--start-ms", str(start_ms), *limit, "--parent-pid", str(os.getpid())),
            ],
            role="recorder",
            log=capture.with_name("recorder.log"),
            environment=self.broker.address.environment,
            on_exit=self._on_exit,
        )
        try:
            async with asyncio.timeout(RECORDER_START_S):
                line = await self._recorder.start(announces=True)
        except TimeoutError:
            line = ""
        if line != LISTENING_LINE:
            await self._recorder.kill()
            raise PrivityError(
                "E-BROKER",
                "the recorder could not listen to the broker",
                where=self.broker.public_url,
                why=self._recorder.last_line() or f"no answer within {RECORDER_START_S:.0f} s",
                next=f"see {self._recorder.log}",
            )

    def add_node(
        self,
        name: str,
        folder: Path,
        *,
        genesis: Path,
        arguments: Sequence[str] = (),
        answers: bool = False,
    ) -> None:
        """Make known the node of party `name`, whose own folder is `folder`. `start` starts it.

        `arguments` are further ones for `python -m node`. With `answers` it takes commands about its faults.
        """
        assert self.broker is not None
        control = ["--control"] if answers else []
        self.add_program(
            name,
            [
                *(sys.executable, "-m", "node", str(folder), "--genesis", str(genesis)),
                *("--broker", self.broker.public_url, "--protocol", self.broker.protocol),
                *("--parent-pid", str(os.getpid()), *control, *arguments),
            ],
            folder,
            answers=answers,
        )

    def add_program(self, name: str, argv: Sequence[str], folder: Path, *, answers: bool = False) -> None:
        """Make known a program that stands where a node stands. It calls `die_with_parent` itself."""
        assert name not in self._nodes, name
        self._nodes[name] = Child(
            name,
            argv,
            role="node",
            log=folder / "stderr.log",
            answers=answers,
            environment={} if self.broker is None else self.broker.address.environment,
            on_exit=self._on_exit,
        )

    @property
    def pids(self) -> dict[str, int]:
        """The process id of every node that runs."""
        return {name: child.pid for name, child in self._nodes.items() if child.pid is not None}

    @property
    def recorder_pid(self) -> int | None:
        return None if self._recorder is None else self._recorder.pid

    def running(self, name: str) -> bool:
        return self._nodes[name].running

    async def start(self, name: str, *, announces: bool = False) -> int:
        """Start a node; its process id. That it runs does not mean that it is ready.

        With `announces`, wait until it has said on its standard output that it only lacks the genesis file.
        """
        child = self._nodes[name]
        await child.start(announces=announces)
        return child.latest_pid

    async def stop(self, name: str) -> int | None:
        """Stop a node in order; its exit code, 0 when it had time to close its files."""
        return await self._nodes[name].stop()

    async def kill(self, name: str) -> None:
        """SIGKILL a node: what a crash does to it."""
        await self._nodes[name].kill()

    async def restart(self, name: str) -> int:
        """Stop a node if it runs, and start it on what it left; its process id."""
        await self.stop(name)
        return await self.start(name)

    async def control(self, name: str, line: dict[str, Any], within_s: float = ANSWER_S) -> dict[str, Any]:
        """Give a node a command about its faults; its answer. A node that starts anew has no faults.

        Raises PrivityError E-NODE if it does not answer, as when it is paused.
        """
        return await self._nodes[name].ask(line, within_s)

    def pause(self, name: str) -> None:
        """Let a node stand still, with all its connections."""
        self._nodes[name].pause()

    def resume(self, name: str) -> None:
        """Let a paused node go on."""
        self._nodes[name].resume()

    async def stop_broker_process(self) -> None:
        """SIGKILL the broker, as a fault. Raises PrivityError E-BROKER if it is not ours."""
        assert self.broker is not None
        if not self.broker.ours:
            raise PrivityError(
                "E-BROKER",
                "this broker is not ours to stop",
                where=self.broker.public_url,
                next="use --broker embedded or --broker mosquitto for a run that stops its broker",
            )
        await self.broker.kill()

    async def restart_broker(self) -> None:
        """Stop the broker if it still runs, and start it again on its port; see `RunningBroker.restart`."""
        assert self.broker is not None
        await self.broker.restart()

    async def recorder_listens_again(self) -> bool:
        """Wait until the recorder has found the broker that came back; False if it takes too long."""
        if self._recorder is None or not self._recorder.running:
            return False
        return await self._recorder.next_line(RECORDER_AGAIN_S) == LISTENING_LINE

    async def stop_all(self, grace_s: float = GRACE_S) -> None:
        """Stop the nodes at once, then the recorder, which thus hears their last words, then the broker.

        Takes at most `grace_s` for the nodes, 6 s for the recorder, 2 s for the broker. It goes on to the end
        when it is cancelled, and raises the cancellation then.
        """
        work = asyncio.create_task(self._stop_all(grace_s))
        cancelled: asyncio.CancelledError | None = None
        while not work.done():
            try:
                await asyncio.wait((work,))
            except asyncio.CancelledError as error:
                cancelled = error
        work.result()
        if cancelled is not None:
            raise cancelled

    async def _stop_all(self, grace_s: float) -> None:
        try:
            await asyncio.gather(*(child.stop(grace_s) for child in self._nodes.values()))
        finally:
            if self._recorder is not None:
                await self._recorder.stop(RECORDER_GRACE_S)
            if self.broker is not None:
                await self.broker.stop()
