"""A client of the network: it publishes transactions, asks nodes where they stand, and believes proofs only.

It talks to nodes through the broker like everybody else. A status counts when its node signed it over the
question's own token; a transaction is certified when two certificates say so, checked here (R25).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Protocol

from consensus.messages import Signed, Status
from node.broker_url import BrokerUrl
from node.canonical import DecodeError, encode
from node.consortium import Network
from node.delivery.outgoing import Outgoing
from node.delivery.packets import SealedReceipt
from node.envelopes.entropy import Entropy
from node.envelopes.keys import SigningKey
from node.envelopes.transaction import Blob
from node.mqtt import Link
from node.topics import Topics
from node.wire import (
    MAX_ASKED,
    AnyTransaction,
    Frame,
    Inclusion,
    Inquiry,
    SignedInquiry,
    TransactionPacket,
    Verifier,
    decode_packet,
    signed_bytes,
)

FIRST_REPEAT_S = 1.0
LONGEST_REPEAT_S = 5.0
FIRST_PUBLISH_S = 4.0


class Courier(Protocol):
    """What carries a client's packets: `Link` over MQTT, or the virtual world's."""

    def send(self, topic: str, packet: bytes) -> None:
        """Hand a packet over."""

    async def wait_until_up(self, timeout_s: float) -> bool:
        """Whether it can carry within this time."""

    async def drained(self, timeout_s: float) -> bool:
        """Whether everything was carried away within this time."""

    async def run(self) -> None:
        """Carry until cancelled."""


# From a client id, the topics to hear, and where frames go.
Connect = Callable[[str, list[str], Callable[[str, Frame], None]], Courier]


class Client:
    """One connection to the network, used as an asynchronous context manager.

    `entropy` gives the client id and the tokens. Several parties may ask through one client, each signing
    with its own key.
    """

    def __init__(self, network: Network, connect: Connect, entropy: Entropy) -> None:
        self._network = network
        self._entropy = entropy
        self._topics = Topics(network.id)
        self._verifier = Verifier(network)
        self._inbox = entropy(8)
        self._statuses: dict[bytes, dict[int, Status]] = {}
        self._proofs: dict[bytes, Inclusion] = {}  # By transaction id.
        self._submitted: dict[bytes, bytes] = {}  # Packets by transaction id, until there is a proof.
        self._outgoing: list[Outgoing] = []  # What waits for receipts.
        self._news = asyncio.Event()
        self._link = connect(f"c{entropy(8).hex()}", [self._topics.inbox(self._inbox)], self._deliver)
        self._task: asyncio.Task[None] | None = None

    @classmethod
    def over_mqtt(cls, network: Network, url: BrokerUrl, protocol: str, entropy: Entropy) -> Client:
        """A client of the broker at `url`; see `Link` for the protocol."""

        def connect(client_id: str, topics: list[str], deliver: Callable[[str, Frame], None]) -> Courier:
            return Link(url, protocol, client_id, topics, deliver, keep_session=False)

        return cls(network, connect, entropy)

    async def __aenter__(self) -> Client:
        self._task = asyncio.create_task(self._link.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def connected(self, timeout_s: float) -> bool:
        """Whether the broker answers within this time."""
        return await self._link.wait_until_up(timeout_s)

    def submit(self, transaction: AnyTransaction, blob: Blob | None) -> bytes:
        """Publish a transaction to all nodes; the packet. `certified` tells what became of it."""
        packet = self._submitted[transaction.id] = encode(TransactionPacket(transaction, blob))
        self.publish(packet)
        return packet

    def publish(self, packet: bytes) -> None:
        """Publish a packet to all nodes as it is."""
        self._link.send(self._topics.transactions, packet)

    @property
    def inbox(self) -> bytes:
        """The token of the inbox where answers to this client go."""
        return self._inbox

    def collect(self, outgoing: Outgoing) -> None:
        """Take receipts for this from now on."""
        self._outgoing.append(outgoing)

    def collected(self, outgoing: Outgoing) -> None:
        """Take no more of them."""
        self._outgoing.remove(outgoing)

    def send_all(self, packets: Iterable[tuple[str, bytes]]) -> None:
        """Hand over packets, each to its topic."""
        for topic, packet in packets:
            self._link.send(topic, packet)

    async def delivered(self, timeout_s: float) -> bool:
        """Whether the broker took everything published so far within this time."""
        return await self._link.drained(timeout_s)

    async def statuses(self, askers: Iterable[tuple[str, SigningKey]], timeout_s: float) -> dict[str, Status]:
        """Ask each party's own node, signed by that party, where it stands; those that answered in time."""
        echo = self._entropy(8)
        answers = self._statuses[echo] = {}
        askers = list(askers)
        for name, key in askers:
            self._ask(name, key, self._replica(name), echo, ())
        deadline = asyncio.get_running_loop().time() + timeout_s
        while len(answers) < len(askers) and await self.news_before(deadline):
            pass
        del self._statuses[echo]
        members = self._network.members
        return {members[replica].name: status for replica, status in sorted(answers.items())}

    async def certified(
        self,
        identifiers: Iterable[bytes],
        asker: tuple[str, SigningKey],
        timeout_s: float,
    ) -> dict[bytes, Inclusion]:
        """Wait until these transactions are in certified blocks, or for `timeout_s`; the proofs by id.

        The asker's own node is asked first. When it stays silent, the others are asked too: a proof is a
        proof, whoever sends it. What was submitted here and stays without a proof is published again: a
        broker that went down may have taken it with it before any node saw it.
        """
        wanted = list(identifiers)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        repeat_s, node = FIRST_REPEAT_S, self._replica(asker[0])
        publish_s = FIRST_PUBLISH_S
        publish_at = loop.time() + publish_s
        while open_ones := [identifier for identifier in wanted if identifier not in self._proofs]:
            if loop.time() >= deadline:
                break
            for first in range(0, len(open_ones), MAX_ASKED):
                about = tuple(open_ones[first : first + MAX_ASKED])
                self._ask(*asker, node, self._entropy(8), about)
            if loop.time() >= publish_at:
                for identifier in open_ones:
                    if (packet := self._submitted.get(identifier)) is not None:
                        self._link.send(self._topics.transactions, packet)
                publish_s *= 2
                publish_at = loop.time() + publish_s
            until = min(deadline, loop.time() + repeat_s)
            while any(identifier not in self._proofs for identifier in open_ones):
                if not await self.news_before(until):
                    break
            repeat_s = min(repeat_s * 1.5, LONGEST_REPEAT_S)
            node = (node + 1) % len(self._network.members)
        return {identifier: self._proofs[identifier] for identifier in wanted if identifier in self._proofs}

    def _replica(self, name: str) -> int:
        replica = self._network.position(name)
        assert replica is not None, name
        return replica

    def _ask(self, name: str, key: SigningKey, node: int, echo: bytes, about: tuple[bytes, ...]) -> None:
        inquiry = Inquiry(self._replica(name), self._inbox, echo, about)
        signature = key.sign(signed_bytes(self._network.id, inquiry))
        self._link.send(self._topics.inbox_of(node), encode(SignedInquiry(inquiry, signature)))

    async def news_before(self, deadline: float) -> bool:
        """Wait for the next packet that taught us something; False when the time is over."""
        self._news.clear()
        try:
            async with asyncio.timeout_at(deadline):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    def _deliver(self, topic: str, frame: Frame) -> None:
        for data in frame.packets:
            with contextlib.suppress(DecodeError):
                packet = decode_packet(data)
                if isinstance(packet, Signed) and isinstance(packet.message, Status):
                    self._take_status(packet.message, packet.signature)
                elif isinstance(packet, Inclusion):
                    self._take_inclusion(packet)
                elif isinstance(packet, SealedReceipt) and any(
                    outgoing.take(packet) for outgoing in self._outgoing
                ):
                    self._news.set()

    def _take_status(self, status: Status, signature: bytes) -> None:
        answers = self._statuses.get(status.echo)
        if answers is not None and self._verifier.message(status, signature, status.replica):
            answers[status.replica] = status
            self._news.set()

    def _take_inclusion(self, inclusion: Inclusion) -> None:
        unknown = [identifier for identifier in inclusion.batch.requests if identifier not in self._proofs]
        if unknown and self._verifier.inclusion(inclusion) is None:
            self._proofs.update(dict.fromkeys(unknown, inclusion))
            for identifier in unknown:
                self._submitted.pop(identifier, None)
            self._news.set()
