"""One connection to the broker that loses nothing quietly: frames out, frames in, again after every cut.

The broker is trusted with delivery only, and not even with that: what it loses, the core sends again
(R36, R38). The session outlives a short cut where the broker keeps sessions; where it does not, the
replicas' own retransmission and catching up close the gap.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import socket
from collections.abc import Callable, Iterable
from typing import Any

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from node.broker_url import BrokerUrl
from node.canonical import DecodeError, encode
from node.wire import Frame, decode_frame

QOS = 1
FRAME_BYTES = 256 << 10
FRAME_PACKETS = 5000
OUTBOX_PACKETS = 100_000
HIGHEST_LAMPORT = 2**53 - 1  # The highest that a frame can hold (consensus.messages.Counter).
OUTBOX_BYTES = 256 << 20
SESSION_S = 600
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 3.0
CONNECT_TIMEOUT_S = 5
# Paho answers a lost PUBACK only by waiting; longer than any broker of ours takes, short enough to notice.
PUBLISH_TIMEOUT_S = 10

Deliver = Callable[[str, Frame], None]
Connected = Callable[[bool], None]

logging.getLogger("mqtt").setLevel(logging.CRITICAL)


def _heed_cancellation() -> None:
    """Go, if this task was told to.

    Up to Python 3.11, `asyncio.wait_for`, which aiomqtt is made of, forgets a cancellation that arrives
    together with its result (python/cpython#86296); the task itself still knows.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class _Client(aiomqtt.Client):
    """The library's client, which watches no socket that is closed.

    aiomqtt 2.5 leaves the writer of a broken connection with the event loop, or adds it afterwards: the next
    socket with that descriptor's number then cannot be watched, and the new connection says nothing more.
    """

    def _on_socket_register_write(self, client: Any, userdata: Any, sock: Any) -> None:
        def write() -> None:
            try:
                client.loop_write()
            except Exception as error:
                if not self._disconnected.done():
                    self._disconnected.set_exception(error)

        def register() -> None:
            if sock.fileno() >= 0:
                self._loop.add_writer(sock.fileno(), write)

        self._loop.call_soon_threadsafe(register)

    def _on_socket_unregister_write(self, client: Any, userdata: Any, sock: Any) -> None:
        if sock.fileno() >= 0:
            self._loop.remove_writer(sock.fileno())

    def _on_socket_close(self, client: Any, userdata: Any, sock: Any) -> None:
        self._on_socket_unregister_write(client, userdata, sock)
        super()._on_socket_close(client, userdata, sock)


class Link:
    """One client of the broker.

    `client_id` is an opaque token. `deliver(topic, frame)` is called for every frame that decodes;
    `refuse(reason)` for every publish that does not. `connected(up)` tells of each connection and cut.
    `protocol` is "5" or "3.1.1". With `keep_session` the broker is asked to keep what comes while the
    connection is cut; a client that will never come back under its id must not leave that behind.
    """

    def __init__(
        self,
        url: BrokerUrl,
        protocol: str,
        client_id: str,
        topics: Iterable[str],
        deliver: Deliver,
        *,
        refuse: Callable[[str], None] = lambda reason: None,
        connected: Connected = lambda up: None,
        keep_session: bool = True,
    ) -> None:
        self._url = url
        self._protocol = protocol
        self._client_id = client_id
        self._topics = list(topics)
        self._deliver = deliver
        self._refuse = refuse
        self._connected = connected
        self._keep_session = keep_session
        self._outbox: dict[str, list[bytes]] = {}
        self._unsent: tuple[str, bytes] | None = None
        self._waiting = 0
        self._waiting_bytes = 0
        self._wake = asyncio.Event()
        self._is_up = asyncio.Event()
        self.lamport = 0

    def send(self, topic: str, packet: bytes) -> None:
        """Put a packet into the outbox. Packets to one topic that wait together travel in one publish."""
        if self._waiting >= OUTBOX_PACKETS or self._waiting_bytes + len(packet) > OUTBOX_BYTES:
            self._refuse("queue full")  # The newest goes; retransmission brings it again.
            return
        self._outbox.setdefault(topic, []).append(packet)
        self._waiting += 1
        self._waiting_bytes += len(packet)
        self._wake.set()

    async def wait_until_up(self, timeout_s: float) -> bool:
        """Whether the connection stands within this time."""
        try:
            await asyncio.wait_for(self._is_up.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    async def drained(self, timeout_s: float) -> bool:
        """Whether everything sent so far reached the broker within this time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self._outbox or self._unsent is not None:
                    await asyncio.sleep(0.005)
                return True
        return False

    async def run(self) -> None:
        """Connect, and connect again, until cancelled; jitter keeps clients from coming back all at once."""
        wait_s = FIRST_WAIT_S
        while True:
            _heed_cancellation()
            try:
                async with self._client() as client:
                    await self._subscribe(client)
                    _heed_cancellation()
                    wait_s = FIRST_WAIT_S
                    self._is_up.set()
                    self._connected(True)
                    await self._exchange(client)
            except (aiomqtt.MqttError, OSError, TimeoutError):
                pass
            if self._is_up.is_set():
                self._is_up.clear()
                self._connected(False)
            await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)

    async def _exchange(self, client: aiomqtt.Client) -> None:
        """Receive and publish until one of them fails, and raise what it failed with.

        Not a TaskGroup: up to Python 3.12 that leaves the task around it marked as cancelled.
        """
        both = [asyncio.create_task(self._receive(client)), asyncio.create_task(self._publish(client))]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
        for task in both:
            if not task.cancelled():
                task.result()

    def _client(self) -> aiomqtt.Client:
        arguments: dict[str, Any] = dict(self._url.client_arguments())
        if self._protocol == "5":
            keep = Properties(PacketTypes.CONNECT)
            keep.SessionExpiryInterval = SESSION_S if self._keep_session else 0
            arguments |= {"protocol": aiomqtt.ProtocolVersion.V5, "clean_start": False, "properties": keep}
        else:
            arguments |= {"protocol": aiomqtt.ProtocolVersion.V311, "clean_session": not self._keep_session}
        return _Client(
            identifier=self._client_id,
            timeout=PUBLISH_TIMEOUT_S,
            max_concurrent_outgoing_calls=1000,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
            **arguments,
        )

    async def _subscribe(self, client: aiomqtt.Client) -> None:
        granted = await client.subscribe([(topic, QOS) for topic in self._topics], timeout=CONNECT_TIMEOUT_S)
        if any(getattr(code, "is_failure", code == 0x80) for code in granted):
            raise aiomqtt.MqttError("the broker refused a subscription")

    async def _receive(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            payload = message.payload
            if message.retain or not isinstance(payload, bytes):
                self._refuse("repeated")  # We retain nothing, so somebody replays (R38).
                continue
            try:
                frame = decode_frame(payload)
            except DecodeError as error:
                self._refuse(error.reason)
                continue
            self._advance(frame.lamport)
            self._deliver(str(message.topic), frame)

    async def _publish(self, client: aiomqtt.Client) -> None:
        while True:
            if self._unsent is None:
                while not self._outbox:
                    self._wake.clear()
                    await self._wake.wait()
                self._unsent = self._next_frame()
            topic, payload = self._unsent
            # Returns at PUBACK: the broker has it. After a cut it is published again; receivers do not mind.
            await client.publish(topic, payload, qos=QOS)
            self._unsent = None
            _heed_cancellation()

    def _advance(self, seen: int) -> None:
        """Move the Lamport clock. Anybody may name any number: at the highest one it stands still."""
        self.lamport = min(max(self.lamport, seen) + 1, HIGHEST_LAMPORT)

    def _next_frame(self) -> tuple[str, bytes]:
        """The packets that wait for one topic, as many as fit into one publish."""
        topic = next(iter(self._outbox))
        packets = self._outbox[topic]
        size, count = 0, 0
        while count < min(len(packets), FRAME_PACKETS) and (
            count == 0 or size + len(packets[count]) <= FRAME_BYTES
        ):
            size += len(packets[count])
            count += 1
        chosen = packets[:count]
        # To the end of the queue if something is left: no topic holds up the others.
        rest = packets[count:]
        del self._outbox[topic]
        if rest:
            self._outbox[topic] = rest
        self._waiting -= count
        self._waiting_bytes -= size
        self._advance(self.lamport)
        return topic, encode(Frame(1, self.lamport, tuple(chosen)))
