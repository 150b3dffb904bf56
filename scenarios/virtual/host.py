"""What one replica's process is to the virtual world, and what the world gives it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from scenarios.virtual.seat import Seat


class Crash(BaseException):
    """The process is gone, between two effects or in the middle of one. Nobody can catch it."""


class Host(Protocol):
    """One replica's process: stepped by the world, says everything through the seat that it got."""

    replica_id: int
    stirred: bool
    """Whether there is something to flush, or a timer to look at again, since the last flush."""

    def take(self, packets: Sequence[bytes], now_ms: int) -> None:
        """Take what came, in order; `Seat.hears` is told of each packet before anything comes of it."""

    def tick(self, now_ms: int) -> None:
        """Let timers act; wanted at `deadline_ms`."""

    def flush(self) -> None:
        """Persist, send, execute what follows from the steps so far, in that order."""

    def idle(self) -> None:
        """Do a little of what is not urgent."""

    @property
    def has_idle_work(self) -> bool:
        """Whether `idle` would find something to do."""

    @property
    def deadline_ms(self) -> int | None:
        """When the next tick is wanted, or None."""

    def close(self) -> None:
        """Stop in good order."""


Starter = Callable[["Seat"], Host]
"""Starts a process on a seat: called again after each crash, with the disk that the seat has then."""
