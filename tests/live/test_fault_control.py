"""Nodes as processes that take faults from their operator, beside a broker that dies on purpose."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from node.client import Client
from scenarios.processes.child import ProcessExit
from scenarios.processes.supervisor import Supervisor
from tests.live.processes import RULES, prepare_folders
from tests.node.network_of_nodes import PARTIES, sealed_for

VOTERS = ("ann", "bob", "cyd", "dan")


async def test_a_node_takes_faults_on_its_standard_input_and_loses_them_in_a_restart(tmp_path: Path) -> None:
    """Silent, late, flooding, paused, restarted, without a broker: all of it ends, and is no incident."""
    incidents: list[ProcessExit] = []
    network = prepare_folders(tmp_path, RULES, followers=0)
    supervisor = Supervisor(on_exit=incidents.append)
    try:
        broker = await supervisor.start_broker("embedded", tmp_path / "broker")
        for name in VOTERS:
            folder, level = tmp_path / name, ("--level", "debug")
            genesis = tmp_path / "genesis.json"
            supervisor.add_node(name, folder, genesis=genesis, arguments=level, answers=True)
            await supervisor.start(name, announces=True)
        client = Client.over_mqtt(network, broker.address, broker.protocol, os.urandom)

        async def commits(seed: str, within_s: float = 30) -> None:
            sealed = sealed_for(network, {"n": 1}, seed=seed, valid=(1, 900))
            client.submit(sealed.transaction, sealed.blob)
            proofs = await client.certified(
                [sealed.transaction.id], ("ann", PARTIES["ann"].signing), within_s
            )
            assert len(proofs) == 1, seed

        async def views(names: Iterable[str]) -> set[int]:
            asked = [(name, PARTIES[name].signing) for name in names]
            return {status.view for status in (await client.statuses(asked, 5)).values()}

        async with client:
            await commits("healthy")
            assert await views(VOTERS) == {0}
            assert await supervisor.control("ann", {"begin": {"id": "mute", "kind": "silent"}}) == {
                "began": "mute"
            }
            assert "error" in await supervisor.control("ann", {"begin": {"id": "mute"}})
            await commits("silent primary")
            assert await views(VOTERS[1:]) == {1}
            ended = await supervisor.control("ann", {"end": "mute"})
            assert ended["ended"] == "mute" and ended["touched"] > 0

            begun = {"begin": {"id": "late", "kind": "delay", "by_us": [20_000, 40_000]}}
            assert [await supervisor.control(name, begun) for name in VOTERS] == [{"began": "late"}] * 4
            flood = {"begin": {"id": "flood", "kind": "flood", "rate": 200}}
            assert await supervisor.control("dan", flood) == {"began": "flood"}
            await commits("late")
            healed = [await supervisor.control(name, {"heal": True}) for name in VOTERS]
            assert all(each["healed"]["late"] > 0 for each in healed) and healed[3]["healed"]["flood"] > 0

            before = max(await views(VOTERS))
            primary = VOTERS[before % 4]
            fast = {"begin": {"id": "fast", "kind": "skew", "by_us": 5_000_000}}
            assert await supervisor.control(primary, fast) == {"began": "fast"}
            await commits("a fast clock")  # Whose proposals nobody believes.
            assert max(await views(set(VOTERS) - {primary})) > before
            await supervisor.control(primary, {"heal": True})

            assert await supervisor.control("bob", begun) == {"began": "late"}
            await supervisor.restart("bob")
            assert await supervisor.control("bob", {"heal": True}) == {"healed": {}}

            supervisor.pause("cyd")
            await commits("three of four")
            supervisor.resume("cyd")
            assert await supervisor.control("cyd", {"heal": True}) == {"healed": {}}

            await supervisor.stop_broker_process()
            await supervisor.restart_broker()
            await commits("a new broker")
    finally:
        await supervisor.stop_all()
    assert incidents == []
    assert "lost_on_purpose" in (tmp_path / "ann" / "events.jsonl").read_text()


def test_the_end_of_standard_input_changes_nothing(tmp_path: Path) -> None:
    """A node whose operator closes the pipe keeps its faults, runs on, and stops in order."""
    prepare_folders(tmp_path, RULES, followers=0)
    # Nobody listens there: a node does without its broker for as long as it takes.
    argv = [sys.executable, "-m", "node", str(tmp_path / "ann"), "--broker", "mqtt://127.0.0.1:1"]
    argv += ["--genesis", str(tmp_path / "genesis.json"), "--control"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as node:
        assert node.stdin is not None and node.stdout is not None
        node.stdin.write(b'{"begin": {"id": "lost", "kind": "loss"}}\nnonsense\n')
        node.stdin.close()
        assert node.stdout.readline() == b"waiting\n"
        assert json.loads(node.stdout.readline()) == {"began": "lost"}
        assert "error" in json.loads(node.stdout.readline())
        with pytest.raises(subprocess.TimeoutExpired):
            node.wait(0.5)
        node.terminate()
        assert node.wait(15) == 0


def test_commands_in_a_file_are_refused(tmp_path: Path) -> None:
    """Standard input must be a pipe, or nobody could say anything later: wrong usage."""
    argv = [sys.executable, "-m", "node", str(tmp_path), "--broker", "mqtt://127.0.0.1:1"]
    argv += ["--genesis", str(tmp_path / "genesis.json"), "--control"]
    refused = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False)
    assert refused.returncode == 2
    assert b"needs a pipe" in refused.stderr
