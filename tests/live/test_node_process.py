"""Nodes as processes on a real broker: killed, cut off, stopped and lied to, they end at one head."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import closing
from pathlib import Path

import aiomqtt
import pytest
import pytest_asyncio

from consensus.messages import Signed, Status
from consensus.votes import Prepare
from node.__main__ import main
from node.canonical import encode
from node.chain.journal import Journal
from node.topics import Topics
from node.wire import Frame, signed_bytes
from tests.live.processes import Processes, prepare_folders, running
from tests.node.network_of_nodes import PARTIES, founded
from tests.waiting import eventually


@pytest_asyncio.fixture
async def processes(tmp_path: Path) -> AsyncIterator[Processes]:
    """Four voters and a follower on a mosquitto of their own, past block 1."""
    async with running(tmp_path) as found:
        yield found


@pytest.mark.mosquitto
async def test_who_is_killed_comes_back_with_its_journal_whole(processes: Processes) -> None:
    """Killed with -9 under load and restarted, a voter and a follower reach the others' head (R20, R23)."""
    for turn, name in enumerate(("dan", "eve")):
        first = processes.submit(60, (turn, 1))
        least = 100 * turn
        await eventually(lambda name=name, least=least: len(processes.ledger_of(name)) > least)  # type: ignore[misc]
        votes = processes.votes_of(name)
        processes.kill(name)
        second = processes.submit(30, (turn, 2))
        await processes.certified([*first, *second])
        processes.start(name)
        processes.submit(10, (turn, 3))
        await processes.certified(processes.sent)
        await processes.one_head()
        processes.everyone_has_each_once()
        after = processes.votes_of(name)
        assert votes.items() <= after.items()
        assert all(len(each) == 1 for each in after.values())
    assert processes.votes_of("dan") and not processes.votes_of("eve")


@pytest.mark.mosquitto
async def test_who_comes_back_after_the_traffic_has_stopped_catches_up(processes: Processes) -> None:
    """Restarted when nobody sends anything more, a voter and a follower have the others' head within 10 s."""
    for name in ("cyd", "eve"):
        processes.kill(name)
    await processes.certified(processes.submit(40, "quiet"))
    head = await processes.one_head()
    for name in ("cyd", "eve"):
        processes.start(name)
    again = await processes.one_head(least=head.sequence)
    assert (again.sequence, again.block) == (head.sequence, head.block)
    processes.everyone_has_each_once()


@pytest.mark.mosquitto
async def test_a_broker_that_goes_and_comes_back_loses_nothing(processes: Processes) -> None:
    """Killed under load and back on its port after ten seconds, the broker has cost no transaction (R38)."""
    before = processes.submit(40, "before")
    await eventually(lambda: len(processes.ledger_of("ann")) > 0)
    await processes.broker.kill()
    during = processes.submit(20, "during")
    down_until = time.monotonic() + 10
    await eventually(lambda: time.monotonic() > down_until)
    await processes.broker.restart()
    after = processes.submit(20, "after")
    await processes.certified([*before, *during, *after], within_s=40)
    await processes.one_head()
    processes.everyone_has_each_once()


@pytest.mark.mosquitto
async def test_lies_on_other_peoples_topics_change_nothing(processes: Processes) -> None:
    """Forged, retained and malformed publishes on a node's own topic and inbox are refused; all goes on
    (R36).
    """
    network, topics = processes.network, Topics(processes.network.id)
    head = await processes.one_head()
    vote = Prepare(0, 0, head.sequence + 1, bytes(32), 0)
    stranger = PARTIES["hal"].signing
    forged = encode(Signed(vote, stranger.sign(signed_bytes(network.id, vote))))
    status = Status(0, 0, 2**40, bytes(32), bytes(32), bytes(8), 0)
    far = encode(Signed(status, stranger.sign(signed_bytes(network.id, status))))
    frames = [
        b"",
        b"junk",
        encode(Frame(1, 2**53 - 1, (forged, far, b"", b"\xc1"))),
        encode(Frame(1, 7, (bytes(100_000),))),
    ]
    url = processes.broker.address
    processes.kill("eve")
    async with aiomqtt.Client(url.host, url.port, protocol=aiomqtt.ProtocolVersion.V5) as liar:
        for replica in range(5):
            for topic in (topics.broadcast(replica), topics.inbox_of(replica), topics.transactions):
                for frame in frames:
                    await liar.publish(topic, frame, qos=1, retain=True)
        processes.start("eve", "debug")  # It subscribes anew, and gets what the broker retained.
        assert (await processes.one_head(least=head.sequence)).sequence == head.sequence
        log = processes.folder / "eve" / "events.jsonl"
        await eventually(lambda: '"reason_code":"repeated"' in log.read_text())
        other = processes.folder / "bob" / "events.jsonl"
        await eventually(lambda: '"reason_code":"bad_signature"' in other.read_text())
        await processes.certified(processes.submit(10, "lies"))
        await processes.one_head()
        processes.everyone_has_each_once()
        for replica in range(5):
            for topic in (topics.broadcast(replica), topics.inbox_of(replica), topics.transactions):
                await liar.publish(topic, b"", qos=1, retain=True)


@pytest.mark.mosquitto
async def test_an_orderly_stop_is_exit_0(processes: Processes) -> None:
    """SIGTERM and SIGINT end a node with code 0, with a broker and without; its last word is its state."""
    await processes.certified(processes.submit(5, "stop"))
    await processes.one_head()
    for name, number in (("ann", signal.SIGTERM), ("bob", signal.SIGINT)):
        process = processes.running.pop(name)
        process.send_signal(number)
        assert await asyncio.to_thread(process.wait, 10) == 0
        lines = (processes.folder / name / "events.jsonl").read_text().splitlines()
        assert '"ev":"node.state"' in lines[-2] and '"ev":"node.stop"' in lines[-1]
    await processes.broker.kill()
    for name in ("cyd", "dan"):
        process = processes.running.pop(name)
        process.terminate()
        assert await asyncio.to_thread(process.wait, 10) == 0


def start_in_vain(arguments: Iterable[object], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Run the node's program in this process, where it must end by itself: exit code, and what it said."""
    umask = os.umask(0o077)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["node", *(str(argument) for argument in arguments)])
            code = main()
    except SystemExit as refused:
        assert isinstance(refused.code, int)
        code = refused.code
    finally:
        os.umask(umask)
    return code, capsys.readouterr().err


def test_what_keeps_a_node_from_starting_is_told_in_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bad arguments, keys, names and journals end a node with their own exit code, and never with a
    traceback.
    """
    network = prepare_folders(tmp_path)
    genesis = str(tmp_path / "genesis.json")
    usual = ("--genesis", genesis, "--broker", "mqtt://127.0.0.1:1")
    zoe, keyless, stranger = tmp_path / "zoe", tmp_path / "bob", tmp_path / "cyd"
    zoe.mkdir(mode=0o700)
    PARTIES["gus"].save(zoe / "keys")
    (keyless / "keys" / "wrapping.pem").unlink()
    shutil.rmtree(stranger / "keys")
    PARTIES["hal"].save(stranger / "keys")
    (tmp_path / "dan" / "journal").write_bytes(b"no journal")
    with closing(Journal(tmp_path / "eve" / "journal", founded(salt=9).id)) as journal:
        list(journal.replay())
    altered = tmp_path / "altered.json"
    altered.write_text(network.to_json().replace('"window": 128', '"window": 64'))
    ann = tmp_path / "ann"
    cases: list[tuple[tuple[object, ...], int, str]] = [
        ((ann,), 2, "required"),
        ((ann, *usual, "--level", "loud"), 2, "--level"),
        ((ann, *usual, "--run", "no/name"), 2, "--run"),
        ((ann, *usual[:2], "--broker", "http://here"), 2, "E-BROKER"),
        ((ann, "--genesis", str(altered), *usual[2:]), 5, "E-GENESIS"),
        ((tmp_path / "gone", *usual), 5, "E-NO-RUN"),
        ((zoe, *usual), 2, "E-PARTY"),
        ((keyless, *usual), 5, "E-KEYS"),
        ((stranger, *usual), 5, "E-KEYS"),
        ((tmp_path / "dan", *usual), 5, "E-JOURNAL"),
        ((tmp_path / "eve", *usual), 5, "E-JOURNAL"),
    ]
    for arguments, code, word in cases:
        told = start_in_vain(arguments, capsys)
        assert (told[0], word in told[1]) == (code, True), (arguments, told)
        assert "Traceback" not in told[1]
    assert (tmp_path / "dan" / "journal").read_bytes() == b"no journal"


def test_a_second_process_of_one_party_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """While somebody has a node's journal open, its program ends at once: it could only contradict the
    first.
    """
    network = prepare_folders(tmp_path)
    arguments = (tmp_path / "ann", "--genesis", tmp_path / "genesis.json", "--broker", "mqtt://127.0.0.1:1")
    with closing(Journal(tmp_path / "ann" / "journal", network.id)) as journal:
        list(journal.replay())
        code, told = start_in_vain(arguments, capsys)
    assert code == 5
    assert "E-JOURNAL" in told and "another process" in told and "Traceback" not in told
