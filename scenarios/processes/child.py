"""One child process: started, watched, stopped in bounded time, and never left behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from node.errors import PrivityError
from node.lifeline import guarded
from node.private_files import open_private

GRACE_S = 5.0  # Between SIGTERM and SIGKILL.
ANSWER_S = 5.0
TAIL_BYTES = 8192
_LASTING = weakref.WeakSet([threading.main_thread()])


def outlive_children() -> None:
    """Promise that the current thread lives for as long as the children that it starts."""
    _LASTING.add(threading.current_thread())


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
    With `answers` it takes commands there, and answers each with a line of JSON on its standard output.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        role: Role,
        log: Path,
        ours: bool = True,
        answers: bool = False,
        environment: Mapping[str, str] | None = None,
        on_exit: Callable[[ProcessExit], None] | None = None,
    ) -> None:
        self.name = name
        self.role = role
        self.log = log
        self._argv = list(argv)
        self._ours = ours
        self._answers = answers
        self._asking = asyncio.Lock()
        self._owed = 0  # Answers that nobody waits for any more; they come before the next one.
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
        assert threading.current_thread() in _LASTING, "children are started from a thread that outlives them"
        argv = self._argv if self._ours else guarded(self._argv, os.getpid())
        log = open_private(self.log, os.O_WRONLY | os.O_APPEND)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE if announces or self._answers else log,
                stderr=log,
                env={**os.environ, **self._environment},
                start_new_session=True,
            )
        finally:
            os.close(log)
        self._expected = False
        self._owed = 0
        self._watcher = asyncio.create_task(self._watch(self._process), name=f"watch {self.name}")
        if not announces:
            return ""
        assert self._process.stdout is not None
        try:
            return (await self._process.stdout.readline()).decode("utf-8", "replace").strip()
        except BaseException:
            await asyncio.shield(self.kill())
            raise

    async def next_line(self, within_s: float) -> str:
        """What it announces next; an empty line if it ended, or said nothing for so long."""
        assert self._process is not None and self._process.stdout is not None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                return (await self._process.stdout.readline()).decode("utf-8", "replace").strip()
        return ""

    async def ask(self, command: dict[str, Any], within_s: float = ANSWER_S) -> dict[str, Any]:
        """Give it a command, and wait for the answer. Raises PrivityError E-NODE if none comes."""
        assert self._answers, f"{self.name} takes no commands"
        async with self._asking:
            process = self._process
            why = "it does not run"
            if process is not None and self.running:
                assert process.stdin is not None
                try:
                    async with asyncio.timeout(within_s):
                        self._owed += 1
                        process.stdin.write(json.dumps(command).encode() + b"\n")
                        await process.stdin.drain()
                        while answer := await self._next_answer(process):
                            if not self._owed:
                                return answer
                except TimeoutError:
                    why = f"it said nothing for {within_s:g} s"
                except (ConnectionError, ValueError):
                    pass  # It ended meanwhile, or somebody else writes on its standard output.
        raise PrivityError(
            "E-NODE", f"{self.name} did not answer", where=self.name, why=why, next=f"see {self.log}"
        )

    async def _next_answer(self, process: asyncio.subprocess.Process) -> dict[str, Any]:
        """The next line that is an answer and no announcement; nothing once it has ended."""
        assert process.stdout is not None
        while line := await process.stdout.readline():
            if line.startswith(b"{"):
                self._owed -= 1
                return dict(json.loads(line))
        return {}

    def pause(self) -> None:
        """SIGSTOP: it stands still with all its connections. Fine when it does not run."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT: it goes on where it stood, as if no time had passed."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        # Not by the library's `send_signal`: that looks first whether the child has ended, and so may take
        # its exit code away from the watcher, which then tells of an unknown child and the code 255.
        if self._process is not None and self.running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    async def stop(self, grace_s: float = GRACE_S) -> int | None:
        """SIGTERM, then SIGKILL once `grace_s` has passed. The exit code; fine when it does not run."""
        if self._process is None or not self.running:
            return self.code
        self._expected = True
        self._signal(signal.SIGTERM)
        self.resume()  # A paused one would not hear of it.
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
