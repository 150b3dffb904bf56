"""The event loop of virtual time: who sleeps in it lets the world move, and nothing takes real time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator

import pytest

from scenarios.virtual.loop import VirtualLoop
from scenarios.virtual.world import World

Play = Callable[[Callable[[VirtualLoop, World], Awaitable[None]]], None]


@pytest.fixture
def play() -> Iterator[Play]:
    """Play a story in a loop with a small world."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:

        async def told(story: Callable[[VirtualLoop, World], Awaitable[None]]) -> None:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualLoop)
            world = World(4, signatures="modelled", block_every_ms=20, view_timeout_ms=500)
            loop.attach(world)
            await story(loop, world)

        yield lambda story: runner.run(told(story))


def test_an_hour_passes_at_once(play: Play) -> None:
    """Time is the world's, to the microsecond, and the world did what was due in it."""

    async def story(loop: VirtualLoop, world: World) -> None:
        began = time.monotonic()
        world.submit()
        await asyncio.sleep(60)
        assert world.now_us == 60_000_000 and loop.time() == 60.0
        assert world.all_done() and set(world.heights().values()) == {1}
        assert time.monotonic() - began < 30

    play(story)


def test_the_world_stops_where_it_wakes_somebody(play: Play) -> None:
    """Whoever waits for an event goes on at its moment, not when his patience would have ended."""

    async def story(loop: VirtualLoop, world: World) -> None:
        heard = asyncio.Event()
        world.at(1_234, heard.set)
        async with asyncio.timeout(10):
            await heard.wait()
        assert world.now_us == 1_234_000

    play(story)


def test_sleepers_wake_in_the_order_of_their_times(play: Play) -> None:
    """Whatever the order in which they fell asleep."""

    async def story(loop: VirtualLoop, world: World) -> None:
        woken: list[tuple[int, int]] = []

        async def sleep(ms: int) -> None:
            await asyncio.sleep(ms / 1000)
            woken.append((ms, world.now_us // 1000))

        await asyncio.gather(*(sleep(ms) for ms in (300, 100, 200)))
        assert woken == [(100, 100), (200, 200), (300, 300)]

    play(story)


def test_a_world_that_breaks_is_frozen_and_time_goes_on(play: Play) -> None:
    """Those who wait for it wait in vain, and the loop says what happened."""

    async def story(loop: VirtualLoop, world: World) -> None:
        def breaks() -> None:
            raise AssertionError("a replica fell over")

        world.at(500, breaks)
        await asyncio.sleep(2)
        assert isinstance(loop.failure, AssertionError)
        assert world.now_us == 500_000
        assert loop.time() >= 2

    play(story)


def test_waiting_for_nobody_is_a_mistake() -> None:
    """Without a world and without a timer nothing could ever happen."""

    async def waits() -> None:
        await asyncio.get_running_loop().create_future()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner, pytest.raises(RuntimeError, match="no world"):
        runner.run(waits())
