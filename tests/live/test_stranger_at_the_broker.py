"""What a stranger learns who connects to the broker and subscribes to everything (P18)."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from node.canonical import DecodeError
from node.envelopes.envelope import NotAParty, unseal
from node.envelopes.transaction import Blob, PrivateTransaction
from node.wire import CommittedBatch, TransactionPacket, decode_frame, decode_packet
from scenarios.processes.broker import RunningBroker
from tests.run_of_nodes import CANARY, NAMES, STRANGER, LiveRun, live_run
from tests.waiting import wait_until

TOPIC = re.compile(r"privity/[0-9a-f]{8}/(tx|(all|in)/[0-9a-f]{16})")
CLIENT_ID = re.compile(r"[pc]?[0-9a-f]{16}")
Heard = list[tuple[str, bytes, bool]]  # Topic, payload, and whether it was retained.


@contextmanager
def listening(broker: RunningBroker, *filters: str) -> Iterator[Heard]:
    """Somebody without a key, subscribed to these."""
    heard: Heard = []
    ready, over = threading.Event(), threading.Event()

    async def listen() -> None:
        arguments: dict[str, Any] = dict(broker.address.client_arguments())
        async with aiomqtt.Client(identifier="stranger", **arguments) as client:
            for wanted in filters:
                await client.subscribe(wanted, qos=1)
            ready.set()

            async def take() -> None:
                async for message in client.messages:
                    heard.append((str(message.topic), bytes(message.payload), message.retain))  # type: ignore[arg-type]

            taking = asyncio.create_task(take())
            while not over.is_set():
                await asyncio.sleep(0.05)
            taking.cancel()

    thread = threading.Thread(target=lambda: asyncio.run(listen()))
    thread.start()
    try:
        assert ready.wait(10)
        yield heard
    finally:
        over.set()
        thread.join(10)


def sealed_in(heard: Heard) -> list[tuple[PrivateTransaction, Blob]]:
    """Every private transaction with its blob that passed."""
    found = []
    for topic, payload, _ in heard:
        if not TOPIC.fullmatch(topic):
            assert not payload and topic.startswith("privity/end/"), (
                topic
            )  # The recorder's last word to itself.
            continue
        for data in decode_frame(payload).packets:
            packet = decode_packet(data)
            bodies = packet.transactions if isinstance(packet, CommittedBatch) else (packet,)
            for body in bodies:
                if isinstance(body, TransactionPacket) and body.blob is not None:
                    assert isinstance(body.transaction, PrivateTransaction)
                    found.append((body.transaction, body.blob))
    return found


def sees_nothing(home: Path, broker: RunningBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run on this broker, with a stranger on `#` from its beginning."""
    connected: list[str] = []
    begin = aiomqtt.Client.__init__

    def noting(self: aiomqtt.Client, *given: Any, **named: Any) -> None:
        connected.append(str(named["identifier"]))
        begin(self, *given, **named)

    monkeypatch.setattr(aiomqtt.Client, "__init__", noting)
    with listening(broker, "#") as heard, live_run(home, broker) as run:
        identifier = run.send("bid-acme", "acme", ["city"], {"price": 412000, "secret": CANARY})
        wait_until(lambda: len(sealed_in(list(heard))) > 0)
        words = [*NAMES, "bid-acme", CANARY, run.network.policy_hash.hex()[:8], identifier.hex()[:8]]
        check_words([topic for topic, _, _ in heard], connected, words, run)
    for transaction, blob in sealed_in(heard):
        with pytest.raises(NotAParty):
            unseal(transaction, blob, STRANGER.wrapping)
    assert all(CANARY.encode() not in payload for _, payload, _ in heard)
    assert not any(retained for _, _, retained in heard)
    # Who comes when all is over is told nothing of it.
    with listening(broker, "#") as later:
        threading.Event().wait(1)
    assert [topic for topic, _, _ in later if topic.startswith("privity/")] == []


def check_words(topics: list[str], clients: list[str], words: list[str], run: LiveRun) -> None:
    """Topics and client ids are tokens, and none of these words is in any of them."""
    own = [topic for topic in topics if not topic.startswith("$SYS")]
    assert len(set(own)) > len(NAMES) and all(TOPIC.fullmatch(topic) for topic in own)
    ids = [each for each in clients if each != "stranger"]
    assert len(ids) > len(NAMES) and all(CLIENT_ID.fullmatch(each) for each in ids), ids
    assert not [(word, text) for word in words for text in (*own, *ids) if word in text]
    assert run.network.position("city") == 0


@pytest.mark.mosquitto
def test_p18_a_stranger_at_mosquitto_learns_no_name_and_opens_nothing(
    tmp_path: Path, mosquitto_broker: RunningBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P18: topics and client ids name nobody, nothing is retained, and no ciphertext opens; on mosquitto."""
    sees_nothing(tmp_path, mosquitto_broker, monkeypatch)


def test_p18_a_stranger_at_the_embedded_broker_learns_no_name_and_opens_nothing(
    tmp_path: Path, embedded_broker: RunningBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P18: the same on the embedded broker."""
    sees_nothing(tmp_path, embedded_broker, monkeypatch)


def test_p18_what_a_stranger_says_is_dropped_and_does_no_harm(
    tmp_path: Path, embedded_broker: RunningBroker
) -> None:
    """P18: rubbish and a retained packet on the network's own topics are refused; orders go on."""

    async def shout(run: LiveRun, topics: list[str]) -> None:
        arguments: dict[str, Any] = dict(embedded_broker.address.client_arguments())
        async with aiomqtt.Client(identifier="shouter", **arguments) as client:
            for topic in topics:
                await client.publish(topic, b"\x91" * 40, qos=1, retain=True)
                await client.publish(topic, b"", qos=1, retain=True)  # Or the next test would hear it.

    with listening(embedded_broker, "#") as heard, live_run(tmp_path, embedded_broker) as run:
        run.send("one", "acme", ["city"], {"n": 1})
        mine = [topic for topic, _, _ in heard if topic.startswith(f"privity/{run.network.id.hex()[:8]}/")]
        asyncio.run(shout(run, sorted(set(mine))))
        run.send("two", "acme", ["city"], {"n": 2})
    with pytest.raises(DecodeError):
        decode_frame(b"\x91" * 40)
