"""What tests of several packages need: brokers, a run with real nodes, the command line."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from node.run_folder import RunFolder
from scenarios.processes.broker import RunningBroker, find_mosquitto, start_broker
from tests.command_line import Privity
from tests.run_of_nodes import LiveRun, live_run, play_story


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Without mosquitto, what needs it is skipped, or fails if PRIVITY_REQUIRE_MOSQUITTO=1 demands it."""
    if item.get_closest_marker("mosquitto") is None or find_mosquitto() is not None:
        return
    reason = "mosquitto is not installed: apt-get install mosquitto, then run the tests again"
    if os.environ.get("PRIVITY_REQUIRE_MOSQUITTO") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def _session_broker(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    # Its own event loop, which no test shares: a process belongs to the loop that started it.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        broker = runner.run(start_broker(kind, tmp_path_factory.mktemp(kind)))
        yield broker
        runner.run(broker.stop())


@pytest.fixture(scope="session")
def embedded_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """One embedded broker for all tests: they keep apart by topics and client ids of their own."""
    yield from _session_broker("embedded", tmp_path_factory)


@pytest.fixture(scope="session")
def mosquitto_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """One mosquitto for all tests that have the marker `mosquitto`."""
    yield from _session_broker("mosquitto", tmp_path_factory)


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory, embedded_broker: RunningBroker) -> Iterator[LiveRun]:
    """A run that is there for all tests: they keep apart by the ids of their transactions."""
    with live_run(tmp_path_factory.mktemp("live"), embedded_broker) as run:
        yield run


@pytest.fixture(scope="session")
def stopped(tmp_path_factory: pytest.TempPathFactory, embedded_broker: RunningBroker) -> LiveRun:
    """What a run left behind. Not to be changed; see `copied`."""
    with live_run(tmp_path_factory.mktemp("stopped"), embedded_broker) as run:
        play_story(run)
    return run


@pytest.fixture
def copied(stopped: LiveRun, tmp_path: Path) -> LiveRun:
    """A copy of it that a test may damage."""
    shutil.copytree(stopped.home, tmp_path / "home", symlinks=True)
    folder = RunFolder(tmp_path / "home" / "runs" / stopped.folder.number)
    return replace(stopped, folder=folder, planned=dict(stopped.planned))


@pytest.fixture
def privity(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Privity:
    """The command line, run in this process."""
    return Privity(monkeypatch, capsys)
