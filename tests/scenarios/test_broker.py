"""The three kinds of broker: that they start, carry, end, come back, and say what is wrong."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt
import pytest

import scenarios.processes.broker
import scenarios.processes.broker_probe
from node.errors import NOT_REACHABLE, PrivityError
from scenarios.processes.broker import RunningBroker, find_mosquitto, free_port, start_broker
from scenarios.processes.broker_probe import PROTOCOLS
from scenarios.processes.child import Child, ProcessExit
from tests.scenarios.tls_certificate import certificate
from tests.waiting import alive, eventually, listening

BOTH_KINDS = ["embedded", pytest.param("mosquitto", marks=pytest.mark.mosquitto)]
ENTRANTS = 4

Start = Callable[..., Awaitable[RunningBroker]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts a broker that ends with the test."""
    started: list[RunningBroker] = []

    async def start(choice: str, **arguments: object) -> RunningBroker:
        started.append(await start_broker(choice, tmp_path / "broker", **arguments))
        return started[-1]

    yield start
    for broker in started:
        await broker.stop()


def client(broker: RunningBroker, identifier: str, **arguments: object) -> aiomqtt.Client:
    version = PROTOCOLS[broker.protocol]
    return aiomqtt.Client(
        **broker.address.client_arguments(), identifier=identifier, protocol=version, **arguments
    )


async def carries(broker: RunningBroker) -> bool:
    async with client(broker, "carries") as one:
        await one.subscribe("carries/x", qos=1)
        await one.publish("carries/x", b"payload", qos=1)
        message = await asyncio.wait_for(anext(aiter(one.messages)), 5)
        return message.payload == b"payload"


@pytest.mark.parametrize("kind", BOTH_KINDS)
async def test_a_broker_of_ours_carries_messages_until_it_is_stopped(start: Start, kind: str) -> None:
    """A started broker carries messages over loopback; once stopped, neither process nor port is left."""
    broker = await start(kind)
    assert await carries(broker)
    assert kind == broker.kind and broker.ours
    pid, port = broker.pid, broker.address.port
    assert pid is not None and alive(pid)
    await broker.stop()
    assert not alive(pid)
    assert not listening(port)
    await broker.stop()  # Nothing to stop is nothing wrong.


@pytest.mark.parametrize("kind", BOTH_KINDS)
@pytest.mark.parametrize("way", ["stop", "kill"])
async def test_a_broker_comes_back_on_its_port(start: Start, kind: str, way: str) -> None:
    """However it went, restart brings a new process of the same kind on the same port."""
    broker = await start(kind)
    before = broker.pid, broker.url
    await (broker.stop() if way == "stop" else broker.kill())
    await broker.restart()
    assert await carries(broker)
    assert broker.url == before[1]
    assert broker.pid != before[0]


@pytest.mark.parametrize("kind", BOTH_KINDS)
async def test_only_this_machine_can_connect(start: Start, kind: str) -> None:
    """A broker of ours listens on loopback addresses and on no other."""
    broker = await start(kind)
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    port = f"{broker.address.port:04X}"
    where = {
        address
        for _, local, _, state, *_ in rows
        for address, _, number in [local.partition(":")]
        if number == port and state == "0A"
    }
    assert {"0100007F"} == where


@pytest.mark.parametrize("kind", BOTH_KINDS)
async def test_a_port_asked_for_is_used(start: Start, kind: str) -> None:
    """The broker listens on the port that was asked for."""
    port = free_port()
    broker = await start(kind, port=port)
    assert f"mqtt://127.0.0.1:{port}" == broker.url


@pytest.mark.parametrize("kind", BOTH_KINDS)
async def test_a_taken_port_is_refused(start: Start, kind: str) -> None:
    """A port on which another program listens is E-PORT, exit code 5, and names the port."""
    async with server(lambda reader, writer: asyncio.sleep(0)) as port:
        with pytest.raises(PrivityError) as refused:
            await start(kind, port=port)
    assert (refused.value.code, refused.value.exit_code) == ("E-PORT", NOT_REACHABLE)
    assert f"port {port} is taken" == refused.value.what


@pytest.mark.parametrize("kind", BOTH_KINDS)
async def test_a_port_lost_meanwhile_is_told_at_the_restart(start: Start, kind: str) -> None:
    """A broker whose port was taken while it was down does not come back elsewhere: E-PORT."""
    broker = await start(kind)
    await broker.stop()
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", broker.address.port)
    async with taken:
        with pytest.raises(PrivityError) as refused:
            await broker.restart()
    assert refused.value.code == "E-PORT"


@pytest.mark.parametrize("port", [0x10000, -1])
async def test_a_number_that_is_no_port_is_refused(start: Start, port: int) -> None:
    """A number outside the range of ports is E-PORT."""
    with pytest.raises(PrivityError) as refused:
        await start("embedded", port=port)
    assert refused.value.code == "E-PORT"


@pytest.mark.parametrize("kind", BOTH_KINDS)
async def test_a_broker_that_ends_by_itself_is_reported(start: Start, kind: str) -> None:
    """A broker that somebody else kills is reported with its signal; one that we stop is not."""
    heard: list[ProcessExit] = []
    broker = await start(kind, on_exit=heard.append)
    pid = broker.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: bool(heard))
    assert [("broker", pid, -signal.SIGKILL)] == [(it.role, it.pid, it.code) for it in heard]
    await broker.restart()
    await broker.stop()
    assert len(heard) == 1


@pytest.mark.parametrize("kind", BOTH_KINDS)
async def test_a_burst_is_carried_whole(start: Start, kind: str) -> None:
    """Four clients that publish 500 messages each at once, all to all, each receive all 2000."""
    broker = await start(kind)
    async with asyncio.timeout(60):
        async with asyncio.TaskGroup() as group:
            ready = asyncio.Barrier(ENTRANTS)
            for number in range(ENTRANTS):
                group.create_task(takes_part_in_a_burst(broker, number, 500, ready))


async def takes_part_in_a_burst(
    broker: RunningBroker, number: int, count: int, ready: asyncio.Barrier
) -> None:
    async with client(broker, f"burst-{number}", max_concurrent_outgoing_calls=1000) as one:
        await one.subscribe("burst/#", qos=1)
        await ready.wait()
        async with asyncio.TaskGroup() as group:
            for at in range(count):
                group.create_task(one.publish(f"burst/{number}", at.to_bytes(2, "big") * 500, qos=1))
        got = {(str(message.topic), message.payload) async for message in first(one, ENTRANTS * count)}
        assert ENTRANTS * count == len(got)
        await ready.wait()  # Nobody leaves before all have everything.


async def first(one: aiomqtt.Client, count: int) -> AsyncIterator[aiomqtt.Message]:
    messages = aiter(one.messages)
    for _ in range(count):
        yield await anext(messages)


@pytest.mark.mosquitto
async def test_mosquitto_keeps_more_than_its_default_for_a_slow_reader(start: Start) -> None:
    """1500 messages for a client that is away are all there when it returns; by default 1000 would be."""
    broker = await start("mosquitto")
    away = {"clean_session": False, "protocol": aiomqtt.ProtocolVersion.V311}
    address = broker.address.client_arguments()
    async with aiomqtt.Client(**address, identifier="slow", **away) as slow:
        await slow.subscribe("slow/x", qos=1)
    async with (
        client(broker, "fast", max_concurrent_outgoing_calls=2000) as fast,
        asyncio.TaskGroup() as group,
    ):
        for at in range(1500):
            group.create_task(fast.publish("slow/x", at.to_bytes(2, "big"), qos=1))
    async with asyncio.timeout(20), aiomqtt.Client(**address, identifier="slow", **away) as slow:
        got = {message.payload async for message in first(slow, 1500)}
    assert len(got) == 1500


@pytest.mark.parametrize("kind", BOTH_KINDS)
async def test_the_log_of_a_broker_names_no_topic_and_no_client(
    start: Start, kind: str, tmp_path: Path
) -> None:
    """What a broker of ours logs of ordinary traffic has neither topics nor client ids in it."""
    broker = await start(kind)
    assert await carries(broker)
    await broker.stop()
    log = (tmp_path / "broker" / "broker.log").read_text()
    assert "carries" not in log
    assert log.count("\n") < 20


@pytest.mark.parametrize("kind", BOTH_KINDS)
async def test_the_folder_of_a_broker_is_private(start: Start, kind: str, tmp_path: Path) -> None:
    """Only their owner may open the broker's folder and log."""
    await start(kind)
    folder = tmp_path / "broker"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "broker.log")]
    assert modes == [0o700, 0o600]


async def test_without_mosquitto_the_error_says_how_to_get_it(
    start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without the program, mosquitto is E-BROKER, exit code 5, with the command that installs it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(scenarios.processes.broker, "EXTRA_FOLDERS", ())
    with pytest.raises(PrivityError) as refused:
        await start("mosquitto")
    assert (refused.value.code, refused.value.exit_code) == ("E-BROKER", NOT_REACHABLE)
    assert "apt-get install mosquitto" in refused.value.next


async def test_mosquitto_is_found_where_path_does_not_look(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A program in one of the folders for daemons is found though PATH does not name that folder."""
    program(tmp_path / "sbin" / "mosquitto", "true")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(scenarios.processes.broker, "EXTRA_FOLDERS", (str(tmp_path / "sbin"),))
    assert str(tmp_path / "sbin" / "mosquitto") == find_mosquitto()


async def test_a_broker_that_cannot_start_says_what_it_said(
    start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """When the program ends instead of listening, the error quotes its last line and points to its log."""
    program(tmp_path / "bin" / "mosquitto", "echo 'Error: no memory' >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    with pytest.raises(PrivityError) as refused:
        await start("mosquitto")
    assert (refused.value.code, refused.value.why) == ("E-BROKER", "Error: no memory")
    assert str(tmp_path / "broker" / "broker.log") in refused.value.next


def program(path: Path, script: str) -> None:
    path.parent.mkdir()
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


async def test_an_embedded_broker_by_its_url_speaks_3_1_1(
    start: Start, embedded_broker: RunningBroker
) -> None:
    """A broker that speaks MQTT 3.1.1 only is found out by asking it; it is not ours, and stop lets it be."""
    named = await start(embedded_broker.url)
    assert (named.kind, named.protocol, named.pid) == ("url", "3.1.1", None)
    await named.stop()
    assert await carries(named)
    with pytest.raises(PrivityError) as refused:
        await named.restart()
    assert refused.value.code == "E-BROKER"


@pytest.mark.mosquitto
async def test_a_mosquitto_by_its_url_speaks_5(start: Start, mosquitto_broker: RunningBroker) -> None:
    """A broker that speaks MQTT 5 is used with MQTT 5."""
    assert (await start(mosquitto_broker.url)).protocol == "5"


@asynccontextmanager
async def server(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """A program on a loopback port that is no broker."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer(reader, writer)
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        yield listener.sockets[0].getsockname()[1]


async def test_where_nothing_listens_the_broker_does_not_answer(start: Start) -> None:
    """A URL at which nothing listens is E-BROKER, exit code 5, and says so."""
    with pytest.raises(PrivityError) as refused:
        await start(f"mqtt://127.0.0.1:{free_port()}")
    assert (refused.value.code, refused.value.exit_code) == ("E-BROKER", NOT_REACHABLE)
    assert refused.value.why == "nothing listens there"


@pytest.mark.parametrize("scheme", ["mqtt", "mqtts"])
async def test_what_is_no_broker_is_refused_within_seconds(
    start: Start, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """A program that accepts and says nothing, and one that speaks something else, are E-BROKER in time."""
    monkeypatch.setattr(scenarios.processes.broker_probe, "ANSWER_S", 0.2)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    for answer in (silent, web):
        async with server(answer) as port, asyncio.timeout(10):
            with pytest.raises(PrivityError) as refused:
                await start(f"{scheme}://127.0.0.1:{port}")
            assert refused.value.code == "E-BROKER"


@asynccontextmanager
async def guarded_mosquitto(folder: Path, extra: str) -> AsyncIterator[int]:
    """A mosquitto that we did not configure: the kind that a user names by its URL."""
    port = free_port()
    config = folder / "theirs.conf"
    config.write_text(f"user root\nlistener {port} 127.0.0.1\npersistence false\n{extra}")
    child = Child(
        "theirs", [find_mosquitto() or "", "-c", str(config)], role="broker", log=folder / "log", ours=False
    )
    await child.start()
    try:
        await eventually(lambda: listening(port))
        yield port
    finally:
        await child.stop()


@pytest.mark.mosquitto
async def test_a_password_is_used_and_never_shown(start: Start, tmp_path: Path) -> None:
    """The password in a URL opens the broker, and no message or text form shows it; a wrong one is told."""
    passwords = tmp_path / "passwords"
    passwords.touch()
    subprocess.run(
        ["mosquitto_passwd", "-b", passwords, "ann", "s3cret-word"], check=True, capture_output=True
    )
    async with guarded_mosquitto(tmp_path, f"allow_anonymous false\npassword_file {passwords}\n") as port:
        broker = await start(f"mqtt://ann:s3cret-word@127.0.0.1:{port}")
        assert await carries(broker)
        assert f"mqtt://ann@127.0.0.1:{port}" == broker.public_url
        assert "s3cret-word" not in repr(broker) + str(broker.address)
        with pytest.raises(PrivityError) as refused:
            await start(f"mqtt://ann:wr0ng-word@127.0.0.1:{port}")
    assert "user name and password" in refused.value.why
    assert "wr0ng-word" not in "\n".join(refused.value.lines())


@pytest.mark.mosquitto
async def test_a_broker_with_tls_must_be_trusted(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """mqtts:// connects where the machine trusts the certificate, and says so where it does not."""
    certificate(tmp_path)
    lines = f"allow_anonymous true\ncertfile {tmp_path}/certificate.pem\nkeyfile {tmp_path}/key.pem\n"
    async with guarded_mosquitto(tmp_path, lines) as port:
        with pytest.raises(PrivityError) as refused:
            await start(f"mqtts://127.0.0.1:{port}")
        assert "certificate" in refused.value.why
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        assert await carries(await start(f"mqtts://127.0.0.1:{port}"))


@pytest.mark.parametrize(("demanded", "outcome"), [("0", "1 skipped"), ("1", "1 error")])
def test_where_mosquitto_is_demanded_its_absence_fails(tmp_path: Path, demanded: str, outcome: str) -> None:
    """A test that needs mosquitto is skipped without it, and fails where PRIVITY_REQUIRE_MOSQUITTO is 1."""
    root = Path(__file__).parents[2]
    run = (
        "import sys, pytest, scenarios.processes.broker; scenarios.processes.broker.EXTRA_FOLDERS = ();"
        "sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', "
        "'tests/scenarios/test_broker.py::test_a_mosquitto_by_its_url_speaks_5']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", run],
        cwd=root,
        env={**os.environ, "PATH": str(tmp_path), "PRIVITY_REQUIRE_MOSQUITTO": demanded},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome in done.stdout
    assert "apt-get install mosquitto" in done.stdout
