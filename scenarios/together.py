"""Coroutines side by side, none of whose failures is lost: the first is raised as it is."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine
from types import TracebackType
from typing import Any, Generic, TypeVar

T = TypeVar("T")


async def until_done(
    wanted: Collection[asyncio.Task[Any]],
    beside: Collection[asyncio.Task[Any]] = (),
    timeout_s: float | None = None,
) -> None:
    """Wait until all `wanted` tasks are done, at most so long; raises what they, or those `beside`, raise."""
    loop = asyncio.get_running_loop()
    deadline = None if timeout_s is None else loop.time() + timeout_s
    pending, watched = set(wanted), set(beside)
    while pending:
        left = None if deadline is None else max(0.0, deadline - loop.time())
        done, _ = await asyncio.wait(pending | watched, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            return
        for task in done:
            task.result()
        pending -= done
        watched -= done


async def ended(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel these, and wait until they are gone; what they still raise is of no interest."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Together(Generic[T]):
    """A group that work is added to, one by one. The first failure is raised where the group is left.

    A failure also ends what the task that fills the group waits for, so that it adds nothing more.
    """

    def __init__(self) -> None:
        self._group = asyncio.TaskGroup()
        self._tasks: list[asyncio.Task[T]] = []

    async def __aenter__(self) -> Together[T]:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._group.__aexit__(kind, error, trace)
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None

    def add(self, work: Coroutine[Any, Any, T]) -> None:
        """Let this run."""
        self._tasks.append(self._group.create_task(work))

    @property
    def results(self) -> list[T]:
        """What each gave, in the order in which they were added, once the group is left."""
        return [task.result() for task in self._tasks]
