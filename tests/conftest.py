"""What tests of several packages need: the brokers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest

from scenarios.broker import RunningBroker, find_mosquitto, start_broker


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
