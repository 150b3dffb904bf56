"""Views that change, chains that go on: four processes on mosquitto lose their primary, each other, a broker.

`scripts/live-faults` repeats these.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from node.consortium import Rules
from tests.live.processes import running
from tests.waiting import eventually

pytestmark = pytest.mark.mosquitto

FEW_A_BLOCK = Rules(block_every_ms=20, max_batch=2)
BEHIND = 200


async def test_a_primary_that_is_killed_under_load_is_replaced(tmp_path: Path) -> None:
    """The others take over in the next view and the load goes on; it comes back and follows (R15 to R18)."""
    async with running(tmp_path) as processes:
        first = processes.submit(60, "before")
        await eventually(lambda: len(processes.ledger_of("bob")) > 0)
        processes.kill("ann")
        during = processes.submit(40, "during")
        await processes.certified([*first, *during], within_s=40)
        assert all(status.view > 0 for status in (await processes.statuses()).values())
        processes.start("ann")
        await processes.certified(processes.submit(40, "after"), within_s=40)
        await processes.one_head()
        processes.everyone_has_each_once()
        assert len({status.view for status in (await processes.statuses()).values()}) == 1


@pytest.mark.parametrize("quiet", [False, True])
async def test_a_node_that_was_down_for_200_blocks_catches_up(tmp_path: Path, quiet: bool) -> None:
    """By certificates, with traffic going on and when it has stopped (R23)."""
    async with running(tmp_path, FEW_A_BLOCK) as processes:
        start = await processes.one_head()
        processes.kill("dan")
        for part in range(5):
            await processes.certified(processes.submit(100, part), within_s=60)
        head = await processes.one_head(least=start.sequence + BEHIND)
        processes.start("dan")
        if not quiet:
            await processes.certified(processes.submit(20, "meanwhile"), within_s=40)
        await processes.one_head(least=head.sequence, within_s=30)
        processes.everyone_has_each_once()


async def test_all_four_are_killed_at_once_and_continue_their_chain(tmp_path: Path) -> None:
    """With their disks, which is all it takes; no vote contradicts one from before (R20)."""
    async with running(tmp_path, followers=0) as processes:
        first = processes.submit(60, "before")
        await eventually(lambda: len(processes.ledger_of("ann")) > 0)
        names = list(processes.running)
        for name in names:
            processes.kill(name)
        votes = {name: processes.votes_of(name) for name in names}
        for name in names:
            processes.start(name)
        await processes.certified([*first, *processes.submit(20, "after")], within_s=60)
        await processes.one_head()
        processes.everyone_has_each_once()
        for name in names:
            after = processes.votes_of(name)
            assert votes[name].items() <= after.items()
            assert all(len(each) == 1 for each in after.values())


async def test_a_broker_that_is_away_for_20_seconds_loses_nothing(tmp_path: Path) -> None:
    """Nothing lost, nothing executed twice, though nobody heard anybody for ten view timeouts (R38)."""
    async with running(tmp_path) as processes:
        before = processes.submit(40, "before")
        await eventually(lambda: len(processes.ledger_of("ann")) > 0)
        await processes.broker.kill()
        during = processes.submit(20, "during")
        until = time.monotonic() + 20
        await eventually(lambda: time.monotonic() > until, within_s=30)
        await processes.broker.restart()
        after = processes.submit(20, "after")
        await processes.certified([*before, *during, *after], within_s=60)
        await processes.one_head()
        processes.everyone_has_each_once()
