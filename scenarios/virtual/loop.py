"""An asyncio event loop whose time is that of a virtual world: who sleeps in it lets the world move.

The operator, clients and tests of a run are ordinary coroutines. In this loop `asyncio.sleep(2)` takes no
real time: the world steps through everything that is due within two seconds, or up to the moment when
something in it wakes a coroutine.

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())          # main() makes a world and calls runner.get_loop().attach(world)
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from typing import TYPE_CHECKING, Any, TypeVarTuple, Unpack, cast

if TYPE_CHECKING:
    from scenarios.virtual.world import World

US = 1_000_000
Ts = TypeVarTuple("Ts")


class _Woken(Exception):
    """Something in the world made a coroutine ready; the world stops where it is."""


class VirtualLoop(asyncio.BaseEventLoop):
    """No sockets, no threads, no clock: only timers and what a world wakes.

    A world that raises (an invariant was broken, a node fell over) is frozen: `failure` says why, time goes
    on without it, and whoever waits for it waits in vain, as for a network that is gone.
    """

    def __init__(self) -> None:
        super().__init__()
        # BaseEventLoop asks its selector what happened; here that is the world.
        cast(Any, self)._selector = self
        cast(Any, self)._clock_resolution = 1 / US
        self.failure: BaseException | None = None
        self._world: World | None = None
        self._offset_us = 0  # Time that passed without a world.
        self._moving = False

    def attach(self, world: World) -> None:
        """From now on this world's time is the loop's."""
        assert self._world is None, "a loop has one world"
        self._offset_us -= world.now_us
        self._world = world

    @property
    def now_us(self) -> int:
        """Microseconds since the loop began."""
        return self._offset_us + (0 if self._world is None else self._world.now_us)

    def time(self) -> float:
        """The same in seconds, for asyncio."""
        return self.now_us / US

    def call_soon(
        self,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Schedule a callback; a world under way stops for it."""
        if self._moving:
            self._moving = False
            world = self._world
            assert world is not None
            world.agenda.at(world.now_us, _wake)
        return super().call_soon(callback, *args, context=context)

    def select(self, timeout: float | None) -> list[object]:
        """Let the world move until a timer is due, or something in it wakes a coroutine."""
        if timeout is not None and timeout <= 0:
            return []
        wait_us = None if timeout is None else max(1, round(timeout * US))
        world = self._world
        if world is None or self.failure is not None:
            if wait_us is None:
                raise RuntimeError("everybody waits, and there is no world to wait for")
            self._offset_us += wait_us
            return []
        end_us = (1 << 62) if wait_us is None else world.now_us + wait_us
        self._moving = True
        try:
            world.run_to(end_us)
        except _Woken:
            pass
        except Exception as error:
            self.failure = error
        finally:
            self._moving = False
        return []

    def _process_events(self, event_list: list[object]) -> None:
        """There are none: everything comes through `call_soon`."""

    def _write_to_self(self) -> None:
        """Signals interrupt `select` by themselves, and there are no other threads."""

    def add_signal_handler(self, sig: int, callback: Callable[[Unpack[Ts]], object], *args: *Ts) -> None:
        """Python's own handler will do: it runs between two steps of the world."""

        def handle(number: int, frame: object) -> None:
            self.call_soon(callback, *args)

        signal.signal(sig, handle)

    def remove_signal_handler(self, sig: int) -> bool:
        """Back to the default."""
        signal.signal(sig, signal.default_int_handler if sig == signal.SIGINT else signal.SIG_DFL)
        return True

    def close(self) -> None:
        """Close the loop."""
        cast(Any, self)._selector = None
        with suppress(RuntimeError):
            super().close()


def _wake() -> None:
    raise _Woken
