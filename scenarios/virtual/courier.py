"""What stands in a virtual world where MQTT stands live: a client's connection, and the recorder."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType

from node.private_files import open_private
from node.wire import Frame, encode
from scenarios.processes.capture import Captured, Note, encode_record
from scenarios.virtual.world import World

BUFFERED_BYTES = 1 << 20


class VirtualCourier:
    """A client's connection to the virtual network; satisfies `node.client.Courier`."""

    def __init__(
        self, world: World, client_id: str, topics: Iterable[str], deliver: Callable[[str, Frame], None]
    ) -> None:
        self._world = world
        for topic in topics:
            world.subscribe(topic, lambda data, to=topic: deliver(to, Frame(1, 0, (data,))))  # type: ignore[misc]

    def send(self, topic: str, packet: bytes) -> None:
        """Hand a packet to the network."""
        self._world.publish(topic, packet)

    async def wait_until_up(self, timeout_s: float) -> bool:
        """There is always a connection."""
        return True

    async def drained(self, timeout_s: float) -> bool:
        """Nothing waits here."""
        return True

    async def run(self) -> None:
        """There is nothing to do."""
        await asyncio.get_running_loop().create_future()


class VirtualRecorder:
    """Writes the capture of a virtual run: all that a broker would have carried. Times are the world's."""

    def __init__(self, path: Path) -> None:
        self._file = os.fdopen(open_private(path, os.O_WRONLY), "wb", buffering=BUFFERED_BYTES)
        self._file.write(encode_record(Captured(0, "", Note.LISTENING.value, False)))
        self._at_ms = 0

    def __call__(self, at_us: int, topic: str, data: bytes) -> None:
        """One packet, in a frame as MQTT would have it."""
        self._at_ms = at_us // 1000
        record = Captured(self._at_ms, topic, encode(Frame(1, 0, (data,))), False)
        self._file.write(encode_record(record))

    def flush(self) -> None:
        """Let the file have all of it, so that it can be judged."""
        if not self._file.closed:
            self._file.flush()

    def __enter__(self) -> VirtualRecorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.write(encode_record(Captured(self._at_ms, "", Note.STOPPED.value, False)))
        self._file.close()
