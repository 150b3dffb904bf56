"""Child processes that carry out virtual runs side by side, each with a limit of real time."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import msgspec

import scenarios
from scenarios.repeating.once import Outcome, Task, no_verdict

LIMIT_S = 300.0
STOP_S = 5.0


class Worker:
    """One child, which runs the same code as this process, with a hash seed of its own."""

    def __init__(self) -> None:
        root = str(Path(scenarios.__file__).parents[1])
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        environment = {**os.environ, "PYTHONPATH": path}
        environment.pop("PYTHONHASHSEED", None)
        self.task: Task | None = None
        self.deadline_s = 0.0
        # -P: a folder that happens to be called scenarios, where the user stands, is not ours.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "scenarios.repeating.worker"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._stdin, self.stdout = self._process.stdin, self._process.stdout

    def give(self, task: Task, limit_s: float) -> None:
        """Let it carry out this one."""
        self.task, self.deadline_s = task, time.monotonic() + limit_s
        with suppress(BrokenPipeError):  # It is gone, which `take` finds out.
            self._stdin.write(msgspec.json.encode(task) + b"\n")
            self._stdin.flush()

    def take(self) -> Outcome | None:
        """What it answers; None if it is gone."""
        line = self.stdout.readline()
        return msgspec.json.decode(line, type=Outcome) if line.endswith(b"\n") else None

    def stop(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait(STOP_S)
        self.stdout.close()
        with suppress(BrokenPipeError):
            self._stdin.close()


class Crew:
    """Some workers. Leaving the context ends all of them."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._idle: list[Worker] = []
        self._busy = selectors.DefaultSelector()

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        for worker in [*self._idle, *self._working()]:
            worker.stop()
        self._busy.close()

    def run(self, tasks: Iterable[Task], limit_s: float = LIMIT_S) -> Iterator[Outcome]:
        """The outcome of each task, as they end. A worker that ends or takes too long is replaced."""
        for task in tasks:
            self._start(task, limit_s)
            if len(self._busy.get_map()) >= self._size:
                yield from self._ended(limit_s)
        while self._busy.get_map():
            yield from self._ended(limit_s)

    def _start(self, task: Task, limit_s: float) -> None:
        worker = self._idle.pop() if self._idle else Worker()
        worker.give(task, limit_s)
        self._busy.register(worker.stdout, selectors.EVENT_READ, worker)

    def _working(self) -> list[Worker]:
        return [key.data for key in self._busy.get_map().values()]

    def _ended(self, limit_s: float) -> list[Outcome]:
        """Wait for at least one run to end."""
        nearest_s = min(worker.deadline_s for worker in self._working())
        ready = self._busy.select(max(0.0, nearest_s - time.monotonic()))
        if not ready:
            return [
                self._given_up(worker, f"no verdict within {limit_s:g} s")
                for worker in self._working()
                if worker.deadline_s <= time.monotonic()
            ]
        return [self._finished(key.data) for key, _ in ready]

    def _finished(self, worker: Worker) -> Outcome:
        outcome = worker.take()
        if outcome is None:
            return self._given_up(worker, "its process ended")
        self._busy.unregister(worker.stdout)
        self._idle.append(worker)
        return outcome

    def _given_up(self, worker: Worker, why: str) -> Outcome:
        assert worker.task is not None
        self._busy.unregister(worker.stdout)
        worker.stop()
        return no_verdict(worker.task, why)
