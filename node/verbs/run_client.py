"""A client of a run that is there: its broker, its protocol, and a plain word when it is not."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from node.broker_url import BrokerUrl
from node.client import Client
from node.errors import PrivityError
from node.run_folder import RunFolder
from node.run_reading import RunReading

CONNECT_S = 5.0
# What a broker of each kind speaks, where run.json does not say.
_PROTOCOLS = {"embedded": "3.1.1"}


def refuse_stopped(reading: RunReading) -> None:
    """Raise E-NOT-RUNNING unless the run's own process lives."""
    if not reading.folder.is_running():
        others = [folder.number for folder in RunFolder.running()]
        raise PrivityError(
            "E-NOT-RUNNING",
            f"run {reading.folder.number} is not running",
            why="its process has ended",
            next=f"run {others[-1]} is up: add --run {others[-1]}"
            if others
            else "privity up FILE starts a new run; who-sees, show and logs read what this one left",
        )


@asynccontextmanager
async def connected(reading: RunReading, within_s: float = CONNECT_S) -> AsyncIterator[Client]:
    """A client that is connected. Raises PrivityError: E-NOT-RUNNING, E-BROKER; nothing was sent then."""
    refuse_stopped(reading)
    broker = reading.run.get("broker") or {}
    if not broker.get("url"):
        raise PrivityError(
            "E-BROKER",
            f"run {reading.folder.number} has no broker yet",
            why="it is still starting",
            next="try again in a moment; privity ps --watch shows when it is ready",
        )
    url = BrokerUrl.parse(broker["url"])
    protocol = broker.get("protocol") or _PROTOCOLS.get(broker.get("kind", ""), "5")
    async with Client.over_mqtt(reading.network, url, protocol, os.urandom) as client:
        if not await client.connected(within_s):
            raise PrivityError(
                "E-BROKER",
                "the broker does not answer",
                where=url.public,
                why=f"no connection within {within_s:.0f} s; nothing was sent",
                next="privity ps shows whether the run still lives",
            )
        yield client
