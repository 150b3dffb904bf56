"""The live world: one node on a real broker, a real clock and a real disk. It decides nothing.

Deliver what came, let due timers act, carry out what follows, wait for the next thing. One task steps the
node; the connection only fills its inbox (R39). Between node and connection sits the injector of faults.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from pathlib import Path
from typing import Any

from node.broker_url import BrokerUrl
from node.consortium import Network
from node.delivery.packets import is_delivery
from node.envelopes.keys import PartyKeys
from node.faults.control import answer
from node.faults.held import Held
from node.faults.injector import Injector
from node.logs.events import EventLog
from node.mqtt import Link
from node.node import Node
from node.reporting import LOST_ON_PURPOSE
from node.topics import Topics
from node.wire import Frame, signed_bytes

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


def _now_us() -> int:
    """The time by which faults hold back: nothing moves it, not even a fault of the clock."""
    return time.monotonic_ns() // 1000


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
        keys = PartyKeys.load(folder / "keys")
        self.node = Node(network, name, keys, folder, self._send, self._events, self._clock())
        topics = Topics(network.id)
        own = self.node.replica_id
        self.injector = Injector(
            own,
            network,
            lambda message: keys.signing.sign(signed_bytes(network.id, message)),
            random.Random(),
            lambda: self.node.view % network.n == own,
        )
        self._leaving = Held()  # What a fault holds back on its way out, and on its way in.
        self._arriving = Held()
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

    def control(self, line: bytes) -> dict[str, Any]:
        """Carry out what the operator says about faults; the answer."""
        said = answer(self.injector, line, _now_us())
        self._wake.set()  # A flood that begins is due at once.
        return said

    def _send(self, topic: str, packet: bytes) -> None:
        if self.injector.idle:
            self._link.send(topic, packet)
            return
        now_us = _now_us()
        leaving = self.injector.outgoing(topic, packet, now_us)
        if not leaving:
            self.node.report.drop(LOST_ON_PURPOSE)
        for delay_us, to, said in leaving:
            if not delay_us:
                self._link.send(to, said)
            elif not self._leaving.put(now_us + delay_us, to, said):
                self.node.report.drop("queue full")

    def _connected(self, up: bool) -> None:
        self.node.report.emit("net.connect" if up else "net.disconnect", "info" if up else "warn")

    def _deliver(self, topic: str, frame: Frame) -> None:
        if topic == self._own_topic:
            return  # Our own words, which a broker of MQTT 3.1.1 gives back to us.
        if self.injector.idle:
            self._take_in(topic, frame.packets)
            return
        now_us = _now_us()
        for packet in frame.packets:
            arriving = self.injector.incoming(topic, packet, now_us)
            if not arriving:
                self.node.report.drop(LOST_ON_PURPOSE)
            for delay_us, said in arriving:
                if not delay_us:
                    self._take_in(topic, (said,))
                elif not self._arriving.put(now_us + delay_us, topic, said):
                    self.node.report.drop("queue full")
        self._wake.set()

    def _take_in(self, topic: str, packets: tuple[bytes, ...]) -> None:
        if topic == self.node.topics.transactions:
            self._put(self._transactions, packets)
            return
        # Blobs are large and anybody's: they stand in the queue of transactions, and crowd out no vote.
        self._put(self._votes, tuple(packet for packet in packets if not is_delivery(packet)))
        self._put(self._transactions, tuple(packet for packet in packets if is_delivery(packet)))

    def _put(self, inbox: Inbox, packets: tuple[bytes, ...]) -> None:
        if not packets:
            return
        if inbox.put(packets):
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
        self._let_go()
        now_ms = self._node_ms()
        node.report.lamport = self._link.lamport
        for packet in (*self._votes.take(PACKETS_AT_ONCE), *self._transactions.take(PACKETS_AT_ONCE)):
            node.handle(packet, now_ms)
        if now_ms >= node.deadline_ms:
            node.tick(now_ms)
        node.flush()
        if not self._inbox_filled and node.has_idle_work:
            node.idle()

    def _let_go(self) -> None:
        """Send and take in what a fault held back long enough, and what a flood has to say."""
        due_us = self._faults_due_us()
        if due_us is None or due_us > (now_us := _now_us()):
            return
        for topic, packet in (*self._leaving.take(now_us), *self.injector.tick(now_us)):
            self._link.send(topic, packet)
        for topic, packet in self._arriving.take(now_us):
            self._take_in(topic, (packet,))

    def _faults_due_us(self) -> int | None:
        due = (self._leaving.due_us, self._arriving.due_us, self.injector.due_us)
        return min((due_us for due_us in due if due_us is not None), default=None)

    def _node_ms(self) -> int:
        """The node's own clock. Its log keeps the true time, or nobody could tell what a wrong clock did."""
        return self._clock() + self.injector.skew_us // 1000

    @property
    def _inbox_filled(self) -> bool:
        return bool(self._votes) or bool(self._transactions)

    async def _wait(self) -> None:
        if self._inbox_filled or self.node.has_idle_work:
            await asyncio.sleep(0)  # Let the connection breathe, then go on at once.
            return
        self._wake.clear()
        timeout_s = max(0.0, (self.node.deadline_ms - self._node_ms()) / 1000)
        if (due_us := self._faults_due_us()) is not None:
            timeout_s = max(0.0, min(timeout_s, (due_us - _now_us()) / 1_000_000))
        handle = asyncio.get_running_loop().call_later(timeout_s, self._wake.set)
        await self._wake.wait()
        handle.cancel()
