"""The ordered I/O trace: complete, read back, and enough to judge a run from outside."""

from __future__ import annotations

import hashlib
import io
import json

import pytest

from scenarios.checkers.checkers import InvariantBroken
from scenarios.checkers.replay import judge
from scenarios.virtual.io_trace import IoTrace, read
from scenarios.virtual.world import World


def recorded() -> tuple[World, list[str]]:
    """A run with a view change and a restart, and its trace."""
    out = io.StringIO()
    trace = IoTrace(out)
    world = World(4, seed=5, start=False, view_timeout_ms=400, block_every_ms=20)
    trace.describe(4, world.network_id, [keys.signing.public.raw for keys in world.keys], seed=5)
    world.watching.add([trace])
    for member in world.members:
        world.start(member)
    world.submit()
    world.run_for(100)
    world.crash(0, power_cut=True)
    world.submit()
    world.run_for(1_500)
    world.restart(0)
    world.run_until(world.all_done, 60_000)
    return world, out.getvalue().splitlines()


def test_everything_that_happened_is_there_in_order() -> None:
    """Each kind of event, times that never run back, and every byte of every packet."""
    world, lines = recorded()
    header, *events = list(read(lines))
    assert header["schema"] == "privity.io-trace/1"
    assert {event["event"] for event in events} == {
        "started", "stopped", "delivered", "ticked", "persisted", "flushed", "sent", "executed",
    }  # fmt: skip
    times = [event["t_us"] for event in events]
    assert times == sorted(times)
    sent = {hashlib.sha256(event["bytes"]).digest() for event in events if event["event"] == "sent"}
    heard = [event for event in events if event["event"] == "delivered"]
    assert len(heard) == world.delivered
    assert sum(hashlib.sha256(event["bytes"]).digest() in sent for event in heard) > len(heard) // 2


def test_an_outside_judge_finds_the_run_correct() -> None:
    """From the file alone."""
    _, lines = recorded()
    summary = judge(lines).summary
    assert summary["new view"] > 0 and summary["I1"] > 4 and summary["I6"] > 20


def test_an_outside_judge_finds_what_was_tampered_with() -> None:
    """A vote that was sent and is in no record; another block at one replica."""
    _, lines = recorded()
    without = [line for line in lines if '"event":"flushed"' not in line]
    with pytest.raises(InvariantBroken, match="I6"):
        judge(without)
    place = max(i for i, line in enumerate(lines) if '"event":"executed"' in line)
    event = json.loads(lines[place])
    event["block"] = "00" * 32
    with pytest.raises(InvariantBroken, match=r"I1|I9"):
        judge([*lines[:place], json.dumps(event), *lines[place + 1 :]])
