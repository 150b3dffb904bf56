"""One child process: started, watched, stopped in bounded time, and never left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from node.lifeline import guarded
from node.private_files import open_private

GRACE_S = 5.0  # Between SIGTERM and SIGKILL.
TAIL_BYTES = 8192
Role = Literal["node", "broker", "recorder"]


@dataclass(frozen=True, slots=True)
class ProcessExit:
    """A child that ended without being asked to. `code` is negative for a signal: -9 is SIGKILL."""

    name: str
    role: Role
    pid: int
    code: int
    last_line: str


class Child:
    """A program run as a child of this process, in a session of its own.

    Its own session keeps Ctrl-C in the terminal from reaching it: only the supervisor hears that, and stops
    its children in order. What it writes is appended to `log` (mode 600). Programs that are `ours` call
    `lifeline.die_with_parent` themselves; others are started through it. Standard input is a pipe for both.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        role: Role,
        log: Path,
        ours: bool = True,
        environment: Mapping[str, str] | None = None,
        on_exit: Callable[[ProcessExit], None] | None = None,
    ) -> None:
        self.name = name
        self.role = role
        self.log = log
        self._argv = list(argv)
        self._ours = ours
        self._environment = dict(environment or {})
        self._on_exit = on_exit
        self._process: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._expected = False

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process is not None and self.running else None

    @property
    def latest_pid(self) -> int:
        """The process id of the last run, whether it lasts or not."""
        assert self._process is not None, f"{self.name} was never started"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def code(self) -> int | None:
        """The exit code of the last run, None before the first and while it runs."""
        return None if self._process is None else self._process.returncode

    async def start(self, *, announces: bool = False) -> str:
        """Start it. With `announces`, wait for the one line it prints when it is ready, and return that.

        An empty line means that it ended first. A cancelled start leaves no process.
        """
        assert not self.running, f"{self.name} runs already"
        # The kernel's lifeline is tied to the thread that starts the child, not to the process.
        assert threading.current_thread() is threading.main_thread(), (
            "children are started from the main thread"
        )
        argv = self._argv if self._ours else guarded(self._argv, os.getpid())
        log = open_private(self.log, os.O_WRONLY | os.O_APPEND)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE if announces else log,
                stderr=log,
                env={**os.environ, **self._environment},
                start_new_session=True,
            )
        finally:
            os.close(log)
        self._expected = False
        self._watcher = asyncio.create_task(self._watch(self._process), name=f"watch {self.name}")
        if not announces:
            return ""
        assert self._process.stdout is not None
        try:
            return (await self._process.stdout.readline()).decode("utf-8", "replace").strip()
        except BaseException:
            await asyncio.shield(self.kill())
            raise

    async def stop(self, grace_s: float = GRACE_S) -> int | None:
        """SIGTERM, then SIGKILL once `grace_s` has passed. The exit code; fine when it does not run."""
        if self._process is None or not self.running:
            return self.code
        self._expected = True
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), grace_s)
        await self.kill()
        return self.code

    async def kill(self) -> int | None:
        """SIGKILL, to all of its session. The exit code; fine when it does not run."""
        if self._process is None:
            return None
        self._expected = True
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        if self._watcher is not None:
            await asyncio.wait([self._watcher])  # Unlike awaiting it, unmoved when the watcher was cancelled.
        return self.code

    def last_line(self) -> str:
        """The last line it wrote, without control characters; what it said before it fell over."""
        try:
            with self.log.open("rb") as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - TAIL_BYTES))
                lines = file.read().decode("utf-8", "replace").split("\n")
        except OSError:
            return ""
        lines = ["".join(c for c in line if c.isprintable()).strip() for line in lines]
        return next((line for line in reversed(lines) if line), "")[:300]

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        code = await process.wait()
        if not self._expected and self._on_exit is not None:
            self._on_exit(ProcessExit(self.name, self.role, process.pid, code, self.last_line()))
