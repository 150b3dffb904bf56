"""Who watches a virtual world: checkers, traces, statistics. Nothing they do changes the run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

CALLS = ("started", "stopped", "delivered", "ticked", "persisted", "flushed", "sent", "executed")
# What the world tells in one call for several packets or records.
TOGETHER = ("delivered", "persisted")


class Observer(Protocol):
    """Told of every event of every replica, faulty ones and twins too: virtual microseconds, exact bytes."""

    def started(self, at_us: int, replica: int) -> None:
        """A replica came up, for the first time or again."""

    def stopped(self, at_us: int, replica: int, how: str) -> None:
        """A replica went down: "crash", "power cut" or "stop"."""

    def delivered(self, at_us: int, replica: int, data: bytes) -> None:
        """A packet is handled: nothing came of it yet. One broadcast is one object for all its receivers.

        An observer with `delivered_all` gets all packets of a step in one call of that instead, and one with
        `persisted_all` all records.
        """

    def ticked(self, at_us: int, replica: int) -> None:
        """Timers are about to act."""

    def persisted(self, at_us: int, replica: int, body: bytes) -> None:
        """A journal record was appended. It is not durable yet."""

    def flushed(self, at_us: int, replica: int) -> None:
        """All that was appended so far is durable."""

    def sent(self, at_us: int, replica: int, to: int | None, data: bytes) -> None:
        """A packet was released, to one replica or to all."""

    def executed(
        self, at_us: int, replica: int, height: int, block: bytes, state_root: bytes, digest: bytes
    ) -> None:
        """A replica executed the batch with this digest and arrived at this block."""


class Watcher:
    """An observer that ignores everything: a base for those that want a few of the calls."""

    def started(self, at_us: int, replica: int) -> None: ...

    def stopped(self, at_us: int, replica: int, how: str) -> None: ...

    def delivered(self, at_us: int, replica: int, data: bytes) -> None: ...

    def ticked(self, at_us: int, replica: int) -> None: ...

    def persisted(self, at_us: int, replica: int, body: bytes) -> None: ...

    def flushed(self, at_us: int, replica: int) -> None: ...

    def sent(self, at_us: int, replica: int, to: int | None, data: bytes) -> None: ...

    def executed(
        self, at_us: int, replica: int, height: int, block: bytes, state_root: bytes, digest: bytes
    ) -> None: ...


class Watching:
    """The calls of all observers of one world, one list for each kind, without those that do nothing."""

    __slots__ = CALLS

    started: list[Callable[[int, int], None]]
    stopped: list[Callable[[int, int, str], None]]
    delivered: list[Callable[[int, int, Sequence[bytes]], None]]
    ticked: list[Callable[[int, int], None]]
    persisted: list[Callable[[int, int, Sequence[bytes]], None]]
    flushed: list[Callable[[int, int], None]]
    sent: list[Callable[[int, int, int | None, bytes], None]]
    executed: list[Callable[[int, int, int, bytes, bytes, bytes], None]]

    def __init__(self) -> None:
        for name in CALLS:
            setattr(self, name, [])

    def add(self, observers: Iterable[Observer]) -> None:
        """Let these watch too, from now on."""
        for observer in observers:
            for name in CALLS:
                call: Any = getattr(observer, name)
                together: Any = getattr(observer, f"{name}_all", None)
                if together is not None:
                    getattr(self, name).append(together)
                elif getattr(call, "__func__", None) is not getattr(Watcher, name):
                    getattr(self, name).append(_each(call) if name in TOGETHER else call)


def _each(call: Callable[[int, int, bytes], None]) -> Callable[[int, int, Sequence[bytes]], None]:
    """The call for all packets or records of a step that an observer of single ones gets."""

    def together(at_us: int, replica: int, things: Sequence[bytes]) -> None:
        for data in things:
            call(at_us, replica, data)

    return together
