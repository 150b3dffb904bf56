"""The live world: one node on a real broker, a real clock and a real disk. It decides nothing.

Deliver what came, let due timers act, carry out what follows, wait for the next thing. One task steps the
node; the connection only fills its inbox (R39).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from pathlib import Path

from node.broker_url import BrokerUrl
from node.consortium import Network
from node.envelopes.keys import PartyKeys
from node.logs.events import EventLog
from node.mqtt import Link
from node.node import Node
from node.topics import Topics
from node.wire import Frame

INBOX_PACKETS = 50_000
INBOX_BYTES = 128 << 20
PACKETS_AT_ONCE = 256
CONNECT_S = 30


class Clock:
    """Unix milliseconds that never run backwards, whatever is done to the wall clock meanwhile."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def __call__(self) -> int:
        return int((time.monotonic() + self._offset) * 1000)


class Inbox:
    """Packets that wait for the node, bounded in number and bytes; what does not fit is refused whole."""

    def __init__(self) -> None:
        self._packets: deque[bytes] = deque()
        self._bytes = 0

    def __bool__(self) -> bool:
        return bool(self._packets)

    def put(self, packets: tuple[bytes, ...]) -> bool:
        """Whether there was room."""
        size = sum(map(len, packets))
        if len(self._packets) + len(packets) > INBOX_PACKETS or self._bytes + size > INBOX_BYTES:
            return False
        self._packets.extend(packets)
        self._bytes += size
        return True

    def take(self, most: int) -> list[bytes]:
        """The oldest ones, in order."""
        taken = [self._packets.popleft() for _ in range(min(most, len(self._packets)))]
        self._bytes -= sum(map(len, taken))
        return taken


class Driver:
    """Runs the node of one party, whose folder holds its keys, until `stop` is set."""

    def __init__(
        self,
        folder: Path,
        network: Network,
        name: str,
        url: BrokerUrl,
        protocol: str,
        *,
        run: str,
        level: str = "info",
    ) -> None:
        self._clock = Clock()
        self._events = EventLog(
            folder / "events.jsonl",
            run=run,
            node=name,
            start_ms=network.created_ms,
            wall=self._clock,
            level=level,
            names=network.names,
        )
        self._votes = Inbox()  # What replicas and clients say to this node or to all.
        self._transactions = (
            Inbox()
        )  # Where anybody may flood, and crowds out nothing but transactions (R37).
        self._wake = asyncio.Event()
        self.node = Node(
            network,
            name,
            PartyKeys.load(folder / "keys"),
            folder,
            self._send,
            self._events,
            self._clock(),
        )
        topics = Topics(network.id)
        own = self.node.replica_id
        self._own_topic = topics.broadcast(own)
        self._link = Link(
            url,
            protocol,
            f"p{topics.token(own).hex()}",
            topics.of_node(own),
            self._deliver,
            refuse=self.node.report.drop,
            connected=self._connected,
        )

    def _send(self, topic: str, packet: bytes) -> None:
        self._link.send(topic, packet)

    def _connected(self, up: bool) -> None:
        self.node.report.emit("net.connect" if up else "net.disconnect", "info" if up else "warn")

    def _deliver(self, topic: str, frame: Frame) -> None:
        if topic == self._own_topic:
            return  # Our own words, which a broker of MQTT 3.1.1 gives back to us.
        inbox = self._transactions if topic == self.node.topics.transactions else self._votes
        if inbox.put(frame.packets):
            self._wake.set()
        else:
            self.node.report.drop("inbox full")

    async def run(self, stop: asyncio.Event) -> None:
        """Drive the node until `stop` is set; then hand over what is said already, and close."""
        connection = asyncio.create_task(self._link.run())
        stopping = asyncio.create_task(stop.wait())
        for task in (connection, stopping):
            task.add_done_callback(lambda _: self._wake.set())
        try:
            up = asyncio.create_task(self._link.wait_until_up(CONNECT_S))
            await asyncio.wait((up, stopping, connection), return_when=asyncio.FIRST_COMPLETED)
            up.cancel()
            while not stop.is_set():
                if connection.done():
                    connection.result()  # It ends by itself only if something is wrong with this program.
                self._step()
                await self._wait()
            await self._link.drained(1.0)
        finally:
            connection.cancel()
            stopping.cancel()
            await asyncio.gather(connection, stopping, return_exceptions=True)
            self.node.close()
            self._events.close()

    def _step(self) -> None:
        node = self.node
        now_ms = self._clock()
        node.report.lamport = self._link.lamport
        for packet in (*self._votes.take(PACKETS_AT_ONCE), *self._transactions.take(PACKETS_AT_ONCE)):
            node.handle(packet, now_ms)
        if now_ms >= node.deadline_ms:
            node.tick(now_ms)
        node.flush()
        if not self._inbox_filled and node.has_idle_work:
            node.idle()

    @property
    def _inbox_filled(self) -> bool:
        return bool(self._votes) or bool(self._transactions)

    async def _wait(self) -> None:
        if self._inbox_filled or self.node.has_idle_work:
            await asyncio.sleep(0)  # Let the connection breathe, then go on at once.
            return
        self._wake.clear()
        timeout_s = max(0.0, (self.node.deadline_ms - self._clock()) / 1000)
        handle = asyncio.get_running_loop().call_later(timeout_s, self._wake.set)
        await self._wake.wait()
        handle.cancel()
