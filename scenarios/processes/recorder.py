"""Writes down all that the broker hands to a stranger who subscribes to everything.

`python -m scenarios.processes.recorder CAPTURE --broker URL --parent-pid PID` prints {"listening": true}
once it hears all, and runs until SIGTERM. It holds no key: the capture stands for what the broker holds.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import secrets
import signal
import sys
import time
from pathlib import Path
from typing import Any

import aiomqtt

from node.broker_url import BrokerUrl
from node.errors import PrivityError
from node.lifeline import die_with_parent
from node.private_files import open_private
from scenarios.processes.broker_probe import PROTOCOLS, Protocol
from scenarios.processes.capture import Captured, Note, drop_torn_record, encode_record, summarize

LISTENING_LINE = '{"listening": true}'
LIMIT_BYTES = 512 << 20
# It must be back before anybody says something, or it cannot vouch for the broker. A node's first try comes
# 50 ms after a cut at the earliest, and later ones at longer intervals.
WAIT_S = 0.03
LAST_MESSAGES_S = 3.0


class CaptureFile:
    """Appends records, each in one write, until the file would exceed `limit_bytes`.

    Raises PrivityError E-DISK when the disk refuses.
    """

    def __init__(self, path: Path, limit_bytes: int, start_ms: int) -> None:
        if path.exists():
            drop_torn_record(path)
        self._file = os.fdopen(open_private(path, os.O_WRONLY | os.O_APPEND), "ab", buffering=0)
        self._limit_bytes = limit_bytes
        self._start_ms = start_ms
        self._size = path.stat().st_size
        self.truncated = self._size > 0 and summarize(path).truncated

    def message(self, topic: str, payload: bytes, retain: bool) -> None:
        """Append a message; once the limit is reached, a closing note instead, and then nothing more."""
        if self.truncated:
            return
        record = self._record(topic, payload, retain)
        if self._size + len(record) > self._limit_bytes:
            self.note(Note.TRUNCATED)
            self.truncated = True
            return
        self._write(record)

    def note(self, note: Note) -> None:
        """Append a note. Notes are few and small, and the limit does not hold them up."""
        if not self.truncated:
            self._write(self._record("", note.value, False))

    def close(self) -> None:
        with self._file:
            os.fsync(self._file.fileno())

    def _record(self, topic: str, payload: bytes, retain: bool) -> bytes:
        return encode_record(Captured(time.time_ns() // 1_000_000 - self._start_ms, topic, payload, retain))

    def _write(self, record: bytes) -> None:
        try:
            written = self._file.write(record)
        except OSError as error:
            raise _refused(error.strerror or "") from None
        if written != len(record):
            raise _refused("it took a part of a record only")
        self._size += written


def _refused(why: str) -> PrivityError:
    return PrivityError("E-DISK", "the capture could not be written", why=why)


class Recorder:
    """One listening client. `run` connects, and connects again, until `stop` is set."""

    def __init__(self, address: BrokerUrl, protocol: Protocol, capture: CaptureFile) -> None:
        self._address = address
        self._protocol = protocol
        self._capture = capture
        # A topic of its own, on which it hears that it has heard everything before.
        self._end_topic = f"privity/end/{secrets.token_hex(8)}"
        self._heard_end = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Record until `stop`, then what the broker has accepted up to that moment."""
        while not stop.is_set():
            listening = False
            try:
                async with self._client() as client:
                    await self._subscribe(client)
                    listening = True
                    self._capture.note(Note.LISTENING)
                    print(LISTENING_LINE, flush=True)
                    if await self._record_until(stop, client):
                        return
            except (aiomqtt.MqttError, OSError, TimeoutError):
                pass
            if listening:
                self._capture.note(Note.CUT)
            await _wait(stop, WAIT_S)
        self._capture.note(Note.STOPPED_LATE)

    def _client(self) -> aiomqtt.Client:
        return aiomqtt.Client(
            identifier=secrets.token_hex(8),
            protocol=PROTOCOLS[self._protocol],
            timeout=5,
            **self._address.client_arguments(),
        )

    async def _subscribe(self, client: aiomqtt.Client) -> None:
        granted: Any = await client.subscribe("#", qos=1)
        if any(getattr(code, "is_failure", code == 0x80) for code in granted):
            raise PrivityError(
                "E-BROKER",
                "the broker does not let anybody subscribe to everything",
                where=self._address.public,
                why="its access rules refuse the recorder, which stands for the broker's own view",
                next="allow reading # for this user",
            )

    async def _record_until(self, stop: asyncio.Event, client: aiomqtt.Client) -> bool:
        """Record until `stop` and a little further; True if all is written. Raises MqttError on a cut."""
        hearing = asyncio.create_task(self._hear(client))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((hearing, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not hearing.done():
                # The broker hands out messages in the order it took them, so this one is the last of them.
                await client.publish(self._end_topic, b"", qos=1)
                await asyncio.wait((hearing,), timeout=LAST_MESSAGES_S)
            if hearing.done():
                hearing.result()
                self._capture.note(Note.STOPPED)
            else:
                self._capture.note(Note.STOPPED_LATE)
            return True
        finally:
            hearing.cancel()
            stopping.cancel()

    async def _hear(self, client: aiomqtt.Client) -> None:
        """Record every message, up to our own last one."""
        async for message in client.messages:
            topic = str(message.topic)
            if topic == self._end_topic:
                return
            payload = message.payload if isinstance(message.payload, bytes) else b""
            self._capture.message(topic, payload, message.retain)


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass


async def record(recorder: Recorder) -> None:
    """Run the recorder until SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await recorder.run(stop)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m scenarios.processes.recorder")
    parser.add_argument("capture", type=Path, help="the file to append to")
    parser.add_argument("--broker", required=True)
    parser.add_argument("--protocol", choices=tuple(PROTOCOLS), default="5")
    parser.add_argument("--limit-bytes", type=int, default=LIMIT_BYTES)
    parser.add_argument("--start-ms", type=int, default=0, help="Unix time that counts as 0, in milliseconds")
    parser.add_argument("--parent-pid", type=int)
    arguments = parser.parse_args()
    if arguments.parent_pid is not None:
        die_with_parent(arguments.parent_pid)
    logging.getLogger("mqtt").setLevel(logging.CRITICAL)
    capture = CaptureFile(arguments.capture, arguments.limit_bytes, arguments.start_ms)
    try:
        asyncio.run(record(Recorder(BrokerUrl.parse(arguments.broker), arguments.protocol, capture)))
    except PrivityError as error:
        print("\n".join(error.lines()), file=sys.stderr)
        return error.exit_code
    finally:
        capture.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
