"""A failure of work in the background ends the run at once and is told; it is never lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from node.errors import UNCONFIRMED, PrivityError
from scenarios.faults.given import given_fault
from scenarios.faults.virtual_hands import VirtualHands
from scenarios.model.loading import load_scenario
from scenarios.operating import Operator, Options
from scenarios.sending import Sending
from scenarios.session import Session, loop_of, new_folder
from scenarios.together import Together, until_done
from tests.command_line import Privity

SCENARIO = """\
privity: 1
name: fails
network: {transport: memory}
parties: {alice: {}, bob: {}, carol: {}, dave: {}}
steps:
  - {do: load, id: traffic, as: alice, to: [bob], count: 50, rate: 1/s, data: {pay: 48151623}}
  - {at: 1s, do: fault, id: down, kind: crash, nodes: [dave], for: 1s}
"""


class Boom(Exception):
    """What nobody foresaw."""


async def failing(*given: object, **more: object) -> None:
    await asyncio.sleep(0.01)
    raise Boom("the payload is 48151623")


@pytest.mark.parametrize("where", ["submit", "_watch_heights", "crash"])
def test_an_unforeseen_failure_ends_the_run_and_is_told(
    privity: Privity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Of handing in, watching heights, a fault: kind and place, not the text, which may quote anything."""
    (tmp_path / "fails.yaml").write_text(SCENARIO)
    owner = {"submit": Sending, "_watch_heights": Operator, "crash": VirtualHands}[where]
    monkeypatch.setattr(owner, where, failing)
    done = privity(tmp_path, "run", str(tmp_path / "fails.yaml"))
    assert done.code == UNCONFIRMED and "E-BUG" in done.err and "Boom" in done.err
    assert "test_together.py:" in done.err and "48151623" not in done.err + done.out
    assert "traffic-0050" not in (tmp_path / "runs" / "latest" / "operator" / "events.jsonl").read_text()
    assert done.out == "" and "never retrieved" not in done.err


async def test_what_is_raised_is_the_failure_itself() -> None:
    """Not a group of failures; the others are ended; and a PrivityError keeps its code."""
    ended = []

    async def patient() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    async def refuses() -> None:
        raise PrivityError("E-NODE", "no")

    with pytest.raises(PrivityError, match="no"):
        async with Together[None]() as group:
            group.add(patient())
            await asyncio.sleep(0)
            group.add(refuses())
            await asyncio.sleep(60)
    assert ended == [True]


async def test_results_come_in_the_order_of_the_work() -> None:
    """Whichever is done first."""

    async def after(seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    async with Together[float]() as group:
        group.add(after(0.02))
        group.add(after(0.0))
    assert group.results == [0.02, 0.0]


async def test_waiting_ends_with_time_and_with_a_failure_beside() -> None:
    """What lasts is left as it is; what only runs beside is heard when it fails."""
    lasting, failed = (asyncio.create_task(work) for work in (asyncio.sleep(60), failing()))
    await until_done([lasting], timeout_s=0.001)
    assert not lasting.done()
    with pytest.raises(Boom):
        await until_done([lasting], [failed])
    lasting.cancel()


@pytest.mark.parametrize("leaves", [False, True], ids=["it stays up", "somebody leaves"])
def test_a_healing_in_the_background_that_fails_ends_what_stays_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leaves: bool
) -> None:
    """Of a fault that `privity fault` or a program asked for: nobody awaits its healing."""
    (tmp_path / "fails.yaml").write_text(SCENARIO)
    scenario = load_scenario(tmp_path / "fails.yaml")
    folder = new_folder(scenario, home=tmp_path)
    monkeypatch.setattr(VirtualHands, "start", failing)

    async def stays_up() -> None:
        session = Session(scenario, tmp_path / "fails.yaml", folder, Options(steps=False), lambda *_: None)
        async with session.running(signals=False):
            timeline = session.run.timeline
            await timeline.add(given_fault(scenario, {"kind": "crash", "nodes": ["dave"], "for": "1s"}))
            if leaves:
                await asyncio.sleep(2)
            else:
                await session.stay()

    with pytest.raises(Boom), asyncio.Runner(loop_factory=loop_of(scenario)) as runner:
        runner.run(asyncio.wait_for(stays_up(), 60))
