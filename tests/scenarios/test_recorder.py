"""The recorder writes down what the broker carries, and is honest about what it missed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import stat
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import aiomqtt
import msgpack
import pytest
from amqtt.broker import Broker

from node import mqtt
from node.errors import PrivityError
from scenarios.processes.broker import RunningBroker, start_broker
from scenarios.processes.broker_probe import PROTOCOLS
from scenarios.processes.capture import Captured, Note, encode_record, read_capture, summarize
from scenarios.processes.child import Child
from scenarios.processes.recorder import LISTENING_LINE, WAIT_S, CaptureFile
from tests.waiting import eventually

BOTH_KINDS = ["embedded", pytest.param("mosquitto", marks=pytest.mark.mosquitto)]

Record = Callable[..., Awaitable[Child]]


def recorder(broker: RunningBroker, capture: Path, *arguments: str) -> Child:
    return Child(
        "recorder",
        [
            *(
                sys.executable,
                "-m",
                "scenarios.processes.recorder",
                str(capture),
                "--broker",
                broker.public_url,
            ),
            *("--protocol", broker.protocol, "--parent-pid", str(os.getpid()), *arguments),
        ],
        role="recorder",
        log=capture.with_name("recorder.log"),
    )


@pytest.fixture
async def record(tmp_path: Path) -> AsyncIterator[Record]:
    """Starts a recorder that listens, and that ends with the test."""
    started: list[Child] = []

    async def record(broker: RunningBroker, *arguments: str) -> Child:
        child = recorder(broker, tmp_path / "capture.bin", *arguments)
        started.append(child)
        assert await child.start(announces=True) == LISTENING_LINE, child.last_line()
        return child

    yield record
    for child in started:
        await child.stop()


@pytest.fixture(params=BOTH_KINDS)
async def broker(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RunningBroker]:
    """A broker of this test alone, for the recorder hears everything."""
    broker = await start_broker(request.param, tmp_path / "broker")
    yield broker
    await broker.stop()


async def publish(broker: RunningBroker, *messages: tuple[str, bytes], retain: bool = False) -> None:
    """Publish each message and know that the broker has it."""
    async with aiomqtt.Client(
        **broker.address.client_arguments(), protocol=PROTOCOLS[broker.protocol]
    ) as client:
        for topic, payload in messages:
            await client.publish(topic, payload, qos=1, retain=retain)


async def test_everything_published_is_in_the_capture(
    record: Record, broker: RunningBroker, tmp_path: Path
) -> None:
    """All that the broker had accepted before the stop is there, in order, and called complete."""
    child = await record(broker)
    sent = [(f"any/{number % 7}", number.to_bytes(2, "big") * number) for number in range(300)]
    await publish(broker, *sent)
    assert await child.stop() == 0
    assert sent == [(it.topic, it.payload) for it in read_capture(tmp_path / "capture.bin")]
    summary = summarize(tmp_path / "capture.bin")
    assert (summary.messages, summary.complete, summary.truncated) == (300, True, False)


async def test_a_retained_message_is_marked(record: Record, broker: RunningBroker, tmp_path: Path) -> None:
    """What the broker kept for newcomers is recorded as such, so that nothing private can hide there."""
    await publish(broker, ("kept/x", b"old"), retain=True)
    child = await record(broker)
    await publish(broker, ("kept/y", b"new"))
    await child.stop()
    heard = {it.topic: it.retain for it in read_capture(tmp_path / "capture.bin")}
    assert heard == {"kept/x": True, "kept/y": False}


async def test_times_count_from_the_start_of_the_run(
    record: Record, broker: RunningBroker, tmp_path: Path
) -> None:
    """A record says how many milliseconds after the given Unix time it was heard."""
    start_ms = time.time_ns() // 1_000_000 - 5000
    child = await record(broker, "--start-ms", str(start_ms))
    await publish(broker, ("any/x", b""))
    await child.stop()
    latest = time.time_ns() // 1_000_000 - start_ms
    assert all(5000 <= it.t_ms <= latest for it in read_capture(tmp_path / "capture.bin"))


async def test_a_full_capture_says_so_and_stays_within_its_limit(
    record: Record, broker: RunningBroker, tmp_path: Path
) -> None:
    """At the limit a last note says "truncated" and nothing follows, even if the recorder comes back."""
    capture = tmp_path / "capture.bin"
    child = await record(broker, "--limit-bytes", "5000")
    await publish(broker, *[("any/x", bytes(1000))] * 10)
    await child.stop()
    summary = summarize(capture)
    assert (summary.messages, summary.truncated, summary.complete) == (4, True, False)
    assert capture.stat().st_size < 5100
    size = capture.stat().st_size
    assert await child.start(announces=True) == LISTENING_LINE
    await publish(broker, ("any/x", b"small"))
    await child.stop()
    assert size == capture.stat().st_size


async def test_a_broker_that_goes_and_comes_back_leaves_a_gap_on_record(
    record: Record, broker: RunningBroker, tmp_path: Path
) -> None:
    """The recorder finds the broker again by itself, and the capture says that something may be missing."""
    capture = tmp_path / "capture.bin"
    child = await record(broker)
    await publish(broker, ("any/x", b"before"))
    await eventually(lambda: summarize(capture).messages == 1)
    await broker.kill()
    await eventually(lambda: summarize(capture).gaps == 1)
    await broker.restart()
    await eventually(lambda: summarize(capture).notes.count(Note.LISTENING) == 2)
    await publish(broker, ("any/x", b"after"))
    assert await child.stop() == 0
    assert [it.payload for it in read_capture(capture)] == [b"before", b"after"]
    assert not summarize(capture).complete


async def test_stopped_while_the_broker_is_gone_it_says_so(
    record: Record, broker: RunningBroker, tmp_path: Path
) -> None:
    """A recorder that is stopped without a broker ends in order and calls its end late."""
    child = await record(broker)
    await broker.kill()
    await eventually(lambda: summarize(tmp_path / "capture.bin").gaps == 1)
    assert await child.stop() == 0
    assert summarize(tmp_path / "capture.bin").notes == (Note.LISTENING, Note.CUT, Note.STOPPED_LATE)


async def test_a_killed_recorder_loses_nothing_it_heard(
    record: Record, broker: RunningBroker, tmp_path: Path
) -> None:
    """A message is in the file as soon as it is heard; without a stop on record it is not called complete."""
    child = await record(broker)
    await publish(broker, *[("any/x", b"heard")] * 20)
    await eventually(lambda: summarize(tmp_path / "capture.bin").messages == 20)
    assert await child.kill() == -signal.SIGKILL
    summary = summarize(tmp_path / "capture.bin")
    assert (summary.messages, summary.complete) == (20, False)


async def test_the_capture_is_private(record: Record, broker: RunningBroker, tmp_path: Path) -> None:
    """Only its owner may open the capture."""
    await record(broker)
    assert stat.S_IMODE((tmp_path / "capture.bin").stat().st_mode) == 0o600


async def test_a_broker_that_refuses_is_told(tmp_path: Path) -> None:
    """Where the broker's rules keep anybody from reading everything, the recorder ends with E-BROKER."""
    rules = {"amqtt.plugins.topic_checking.TopicAccessControlListPlugin": {"acl": {"anonymous": ["a"]}}}
    allow = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
    strict = Broker(
        {"listeners": {"default": {"type": "tcp", "bind": "127.0.0.1:0"}}, "plugins": {**allow, **rules}}
    )
    await strict.start()
    try:
        port = strict._servers["default"].instance.sockets[0].getsockname()[1]
        named = await start_broker(f"mqtt://127.0.0.1:{port}", tmp_path)
        child = recorder(named, tmp_path / "capture.bin")
        assert await child.start(announces=True) == ""
        await eventually(lambda: not child.running)
        assert child.code == 5
        assert "E-BROKER" in (tmp_path / "recorder.log").read_text()
    finally:
        await strict.shutdown()


def test_a_record_is_canonical_messagepack_behind_its_length(tmp_path: Path) -> None:
    """Another decoder reads a record: four bytes of length, then [t_ms, topic, payload, retain]."""
    record = encode_record(Captured(1234, "any/x", b"\x00\xff", True))
    assert len(record) - 4 == int.from_bytes(record[:4], "big")
    assert msgpack.unpackb(record[4:]) == [1234, "any/x", b"\x00\xff", True]


def test_a_torn_last_record_is_left_out(tmp_path: Path) -> None:
    """However far the last record got, those before it are read, and the summary says that one is torn."""
    path = tmp_path / "capture.bin"
    one, two = (encode_record(Captured(at, "any/x", b"payload", False)) for at in (1, 2))
    for length in range(1, len(two)):
        path.write_bytes(one + two[:length])
        assert [it.t_ms for it in read_capture(path)] == [1]
        assert summarize(path).torn
    path.write_bytes(one + two)
    assert not summarize(path).torn


def test_a_recorder_that_comes_back_cuts_off_the_torn_record(tmp_path: Path) -> None:
    """What is appended after a torn record can be read."""
    path = tmp_path / "capture.bin"
    record = encode_record(Captured(1, "any/x", b"payload", False))
    path.write_bytes(record + record[:-3])
    capture = CaptureFile(path, 10_000, 0)
    capture.message("any/y", b"next", False)
    capture.close()
    assert [it.topic for it in read_capture(path)] == ["any/x", "any/y"]
    assert not summarize(path).torn


@contextlib.contextmanager
def small_disk() -> Iterator[None]:
    """No file may grow beyond 1000 bytes: the system then refuses a write as a full disk does.

    Inside a test and not around it: pytest's own output may be a file too.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """A write that the disk refuses, wholly or in part, is E-DISK, and never a record thought to be there."""
    capture = CaptureFile(tmp_path / "capture.bin", 1 << 20, 0)
    with small_disk(), pytest.raises(PrivityError) as refused:
        for _ in range(100):
            capture.message("any/x", bytes(90), False)
    assert refused.value.code == "E-DISK"
    capture.close()
    assert summarize(tmp_path / "capture.bin").messages <= 1000 // 105


def test_a_captured_message_shows_no_payload() -> None:
    """The text form of a captured message gives the length of its payload, not the bytes."""
    assert "bytes=7" in repr(Captured(1, "any/x", b"payload", False))
    assert "payload" not in repr(Captured(1, "any/x", b"payload", False))


async def test_a_slow_start_is_not_taken_for_listening(tmp_path: Path) -> None:
    """Without a broker the recorder announces nothing; it keeps trying until it is stopped."""
    broker = await start_broker("embedded", tmp_path / "broker")
    await broker.stop()
    child = recorder(broker, tmp_path / "capture.bin")
    starting = asyncio.create_task(child.start(announces=True))
    await eventually(lambda: (tmp_path / "capture.bin").exists())
    await child.stop()
    assert await starting == ""


def test_the_recorder_tries_again_sooner_than_any_node() -> None:
    """Else a node could speak through a broker that is back while the recorder still waits."""
    first_node_s = 0.5 * mqtt.FIRST_WAIT_S  # The shortest wait that its jitter allows.
    assert first_node_s > WAIT_S
