"""The supervisor starts, watches and stops the processes of a run."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiomqtt
import pytest

import tests.stand_in
from node.errors import PrivityError
from scenarios.processes.broker import find_mosquitto, free_port
from scenarios.processes.capture import read_capture, summarize
from scenarios.processes.child import Child, ProcessExit
from scenarios.processes.supervisor import Supervisor
from tests.waiting import alive, eventually, listening

STAND_IN = [sys.executable, tests.stand_in.__file__, "--parent-pid", str(os.getpid())]


class Watched(Supervisor):
    """A supervisor that remembers what it was told of ends that nobody asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(on_exit=lambda ended: self.heard.append(ended))
        self.heard: list[ProcessExit] = []
        self.folder = folder

    def add(self, name: str, *arguments: str) -> None:
        folder = self.folder / "nodes" / name
        folder.mkdir(parents=True)
        self.add_program(name, [*STAND_IN, "--up", str(folder / "up"), *arguments], folder)

    async def up(self, name: str) -> int:
        """Start it and wait until it has taken its place."""
        (self.folder / "nodes" / name / "up").unlink(missing_ok=True)
        pid = await self.start(name)
        await eventually((self.folder / "nodes" / name / "up").exists)
        return pid


@pytest.fixture
async def supervisor(tmp_path: Path) -> AsyncIterator[Watched]:
    supervisor = Watched(tmp_path)
    yield supervisor
    await supervisor.stop_all(grace_s=1.0)


async def test_a_node_is_started_and_stopped_in_order(supervisor: Watched) -> None:
    """A started node runs; stopped, it ends with its own exit code and nobody calls that unexpected."""
    supervisor.add("alice")
    pid = await supervisor.up("alice")
    assert ({"alice": pid}, True) == (supervisor.pids, alive(pid))
    assert await supervisor.stop("alice") == 0
    assert (supervisor.pids, alive(pid), supervisor.heard) == ({}, False, [])
    assert await supervisor.stop("alice") == 0


async def test_a_killed_node_can_be_started_again(supervisor: Watched) -> None:
    """A node killed as a fault is not reported as an accident, and a new process can take its place."""
    supervisor.add("alice")
    first = await supervisor.up("alice")
    await supervisor.kill("alice")
    assert not alive(first) and not supervisor.running("alice")
    second = await supervisor.up("alice")
    assert alive(second) and first != second
    assert supervisor.heard == []


async def test_restart_replaces_a_running_node(supervisor: Watched) -> None:
    """Restart ends the process that runs and starts another."""
    supervisor.add("alice")
    first = await supervisor.up("alice")
    second = await supervisor.restart("alice")
    assert (alive(first), alive(second)) == (False, True)


async def test_a_node_that_dies_is_reported_with_its_last_words(supervisor: Watched) -> None:
    """An end that nobody asked for is told with name, exit code and the last line on stderr."""
    supervisor.add("alice", "--say", "one line\nthe disk refused: \x1b[31mno space left\n\n", "--fail", "3")
    pid = await supervisor.start("alice")
    await eventually(lambda: bool(supervisor.heard))
    assert [ProcessExit("alice", "node", pid, 3, "the disk refused: [31mno space left")] == supervisor.heard


async def test_a_node_killed_by_somebody_else_is_reported_with_the_signal(supervisor: Watched) -> None:
    """A node that the system kills is told with the negative number of the signal."""
    supervisor.add("alice")
    pid = await supervisor.up("alice")
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: bool(supervisor.heard))
    assert [(it.name, it.code) for it in supervisor.heard] == [("alice", -signal.SIGKILL)]


async def test_a_node_that_does_not_listen_is_killed(supervisor: Watched) -> None:
    """After the grace a node that ignores SIGTERM is killed; stopping takes bounded time."""
    for name in ("alice", "bob", "carol"):
        supervisor.add(name, "--on-term", "ignore")
    pids = [await supervisor.up(name) for name in ("alice", "bob", "carol")]
    begin = time.monotonic()
    await supervisor.stop_all(grace_s=0.3)
    assert [alive(pid) for pid in pids] == [False] * 3
    assert 0.3 <= time.monotonic() - begin < 5
    assert supervisor.heard == []


async def test_what_a_node_prints_goes_to_its_own_log(supervisor: Watched, tmp_path: Path) -> None:
    """What a node writes to stderr is appended to stderr.log in its folder, which only its owner may read."""
    supervisor.add("alice", "--say", "hello")
    await supervisor.up("alice")
    await supervisor.restart("alice")
    log = tmp_path / "nodes" / "alice" / "stderr.log"
    await eventually(lambda: log.read_text() == "hello\nhello\n")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


async def test_children_sit_in_sessions_of_their_own(supervisor: Watched) -> None:
    """Ctrl-C, which a terminal sends to its foreground group, does not reach the children."""
    supervisor.add("alice")
    broker = await supervisor.start_broker("embedded", supervisor.folder / "broker")
    pids = [await supervisor.up("alice"), broker.pid or 0]
    assert pids == [os.getsid(pid) for pid in pids]
    assert os.getpgid(0) not in [os.getpgid(pid) for pid in pids]


@pytest.mark.parametrize("kind", ["embedded", pytest.param("mosquitto", marks=pytest.mark.mosquitto)])
async def test_everything_ends_and_the_recorder_hears_the_last_words(supervisor: Watched, kind: str) -> None:
    """stop_all ends nodes, recorder and broker; the capture is complete and the port is free again."""
    broker = await supervisor.start_broker(kind, supervisor.folder / "broker")
    capture = supervisor.folder / "broker" / "capture.bin"
    await supervisor.start_recorder(capture, start_ms=0)
    supervisor.add("alice")
    await supervisor.up("alice")
    pids = [*supervisor.pids.values(), supervisor.recorder_pid, broker.pid]
    async with aiomqtt.Client("127.0.0.1", broker.address.port) as client:
        await client.publish("any/x", b"last words", qos=1)
    await supervisor.stop_all()
    assert [alive(pid or 0) for pid in pids] == [False] * 3
    assert not listening(broker.address.port)
    assert [it.payload for it in read_capture(capture)] == [b"last words"]
    assert summarize(capture).complete
    assert supervisor.heard == []


async def test_a_cancelled_stop_still_stops_everything(supervisor: Watched) -> None:
    """A second Ctrl-C while children are being stopped ends nothing early: the cancellation comes after."""
    supervisor.add("alice", "--on-term", "ignore")
    pid = await supervisor.up("alice")
    stopping = asyncio.create_task(supervisor.stop_all(grace_s=0.5))
    for _ in range(3):
        await asyncio.sleep(0)
        stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert not alive(pid)


async def test_a_broker_that_dies_is_reported(supervisor: Watched) -> None:
    """An end of the broker or the recorder is told as theirs, so that nobody takes it for a node's."""
    broker = await supervisor.start_broker("embedded", supervisor.folder / "broker")
    await supervisor.start_recorder(supervisor.folder / "broker" / "capture.bin", start_ms=0)
    for pid in (supervisor.recorder_pid, broker.pid):
        os.kill(pid or 0, signal.SIGKILL)
    await eventually(lambda: len(supervisor.heard) == 2)
    assert {"broker", "recorder"} == {ended.role for ended in supervisor.heard}


async def test_a_recorder_without_a_broker_is_an_error(
    supervisor: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recorder that cannot listen in time is E-BROKER, and its process is gone."""
    broker = await supervisor.start_broker("embedded", supervisor.folder / "broker")
    await broker.stop()
    monkeypatch.setattr("scenarios.processes.supervisor.RECORDER_START_S", 1.0)
    with pytest.raises(PrivityError) as refused:
        await supervisor.start_recorder(supervisor.folder / "broker" / "capture.bin", start_ms=0)
    assert refused.value.code == "E-BROKER"
    assert supervisor.recorder_pid is None


@pytest.mark.mosquitto
async def test_a_password_reaches_children_and_nobody_else(supervisor: Watched, tmp_path: Path) -> None:
    """The broker's password is in no argument, log or file of a child; its environment has it."""
    port = free_port()
    (tmp_path / "passwords").touch()
    make = ["mosquitto_passwd", "-b", str(tmp_path / "passwords"), "ann", "s3cret-word"]
    subprocess.run(make, check=True, capture_output=True)
    config = (
        f"user root\nlistener {port} 127.0.0.1\nallow_anonymous false\npassword_file {tmp_path}/passwords\n"
    )
    (tmp_path / "conf").write_text(config)
    theirs = Child(
        "theirs",
        [find_mosquitto() or "", "-c", str(tmp_path / "conf")],
        role="broker",
        log=tmp_path / "log",
        ours=False,
    )
    await theirs.start()
    try:
        await eventually(lambda: listening(port))
        run = tmp_path / "run"
        await supervisor.start_broker(f"mqtt://ann:s3cret-word@127.0.0.1:{port}", run)
        await supervisor.start_recorder(run / "capture.bin", start_ms=0)
        supervisor.add("alice")
        pid = await supervisor.up("alice")
        for child in (pid, supervisor.recorder_pid):
            assert b"s3cret-word" not in Path(f"/proc/{child}/cmdline").read_bytes()
        environment = (tmp_path / "nodes" / "alice" / "up").read_text()
        assert "PRIVITY_BROKER_PASSWORD=s3cret-word" in environment.splitlines()
        await supervisor.stop_all()
        assert [it for it in run.rglob("*") if it.is_file() and b"s3cret-word" in it.read_bytes()] == []
    finally:
        await theirs.stop()


ANSWERING = """
import json, sys, time
sys.path.insert(0, sys.argv[2])
from node.lifeline import die_with_parent
die_with_parent(int(sys.argv[1]), stdin_is_used=True)
print("waiting", flush=True)
for line in sys.stdin:
    print(json.dumps({"heard": json.loads(line)}), flush=True)
"""


@pytest.fixture
def answering(supervisor: Watched) -> str:
    """A program that answers every command with it."""
    folder = supervisor.folder / "nodes" / "alice"
    folder.mkdir(parents=True)
    argv = [sys.executable, "-c", ANSWERING, str(os.getpid()), str(Path(__file__).parents[2])]
    supervisor.add_program("alice", argv, folder, answers=True)
    return "alice"


async def test_commands_are_answered_in_turn_before_and_after_a_restart(
    supervisor: Watched, answering: str
) -> None:
    """Each command gets its own answer, also several at once, and a new process answers like the old one."""
    await supervisor.start(answering, announces=True)
    answers = await asyncio.gather(*(supervisor.control(answering, {"n": n}) for n in range(5)))
    assert answers == [{"heard": {"n": n}} for n in range(5)]
    await supervisor.restart(answering)
    assert await supervisor.control(answering, {"n": 6}) == {"heard": {"n": 6}}


async def test_who_is_paused_answers_late_and_nobody_takes_that_for_another_answer(
    supervisor: Watched, answering: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A paused node is E-NODE after a while; resumed, the next command gets its own answer."""
    await supervisor.start(answering, announces=True)
    assert await supervisor.control(answering, {"n": 1}) == {"heard": {"n": 1}}
    supervisor.pause(answering)
    with pytest.raises(PrivityError) as unanswered:
        await supervisor.control(answering, {"n": 2}, within_s=0.2)
    assert (unanswered.value.code, unanswered.value.where) == ("E-NODE", "alice")
    supervisor.resume(answering)
    assert await supervisor.control(answering, {"n": 3}) == {"heard": {"n": 3}}
    await supervisor.kill(answering)
    with pytest.raises(PrivityError) as gone:
        await supervisor.control(answering, {"n": 4})
    assert (gone.value.code, gone.value.why) == ("E-NODE", "it does not run")
    assert supervisor.heard == []


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_who_is_paused_can_be_ended(supervisor: Watched, end: str) -> None:
    """A paused node hears that it is to stop, and does so in order; killed it is gone at once."""
    supervisor.add("alice")
    pid = await supervisor.up("alice")
    supervisor.pause("alice")
    await eventually(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
    begin = time.monotonic()
    if end == "stop":
        assert await supervisor.stop("alice") == 0
    else:
        await supervisor.kill("alice")
    assert time.monotonic() - begin < 4
    assert (alive(pid), supervisor.heard) == (False, [])
    supervisor.pause("alice")  # Nobody is there to be paused.
    supervisor.resume("alice")


async def test_a_broker_that_is_killed_on_purpose_comes_back_on_its_port(supervisor: Watched) -> None:
    """The fault is nobody's accident, and clients find the broker again where it was."""
    broker = await supervisor.start_broker("embedded", supervisor.folder / "broker")
    first = broker.pid
    await supervisor.stop_broker_process()
    assert not listening(broker.address.port) and not alive(first or 0)
    await supervisor.restart_broker()
    assert listening(broker.address.port) and broker.pid != first
    await supervisor.restart_broker()
    assert listening(broker.address.port)
    assert supervisor.heard == []


async def test_somebody_elses_broker_is_not_killed(supervisor: Watched, tmp_path: Path) -> None:
    """A broker that was named by its URL stays, and to ask for its end is E-BROKER."""
    theirs = Watched(tmp_path)
    broker = await theirs.start_broker("embedded", tmp_path / "theirs")
    try:
        await supervisor.start_broker(broker.public_url, tmp_path / "broker")
        for refused in (supervisor.stop_broker_process, supervisor.restart_broker):
            with pytest.raises(PrivityError) as error:
                await refused()
            assert error.value.code == "E-BROKER"
        assert listening(broker.address.port)
    finally:
        await theirs.stop_all()


async def test_children_are_started_from_the_main_thread_only(tmp_path: Path) -> None:
    """A child started from another thread would be killed when that thread ends: it is refused."""
    child = Child("alice", STAND_IN, role="node", log=tmp_path / "log")
    refused: list[AssertionError] = []

    def start() -> None:
        try:
            asyncio.run(child.start())
        except AssertionError as error:
            refused.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    await asyncio.to_thread(thread.join)
    assert len(refused) == 1 and not child.running
