"""`privity ps`: where each node stands by its own signed word, and which of them are silent or behind."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from consensus.messages import Status
from node.errors import NOT_REACHABLE, UNCONFIRMED
from node.run_reading import RunReading
from node.verbs.ps_cli import judged
from scenarios.processes.broker import RunningBroker
from tests.command_line import Privity
from tests.run_of_nodes import NAMES, LiveRun, live_run

FIELDS = ["node", "role", "votes", "height", "head", "state_root", "view", "state", "behind"]


@pytest.fixture(scope="module")
def crippled(tmp_path_factory: pytest.TempPathFactory, embedded_broker: RunningBroker) -> Iterator[LiveRun]:
    """A run of which the node of notary has stopped."""
    with live_run(tmp_path_factory.mktemp("crippled"), embedded_broker) as run:
        run.stop_node("notary")
        yield run


def test_the_table(live: LiveRun, privity: Privity) -> None:
    """Every node is a line: name, role, whether it votes, height, head, view, state."""
    done = privity(live.home, "ps")
    lines = done.out.splitlines()
    assert (done.code, done.err) == (0, "")
    assert lines[0].split() == ["node", "role", "height", "head", "view", "state"]
    assert [line.split()[0] for line in lines[2:-1]] == list(NAMES)
    assert lines[5].split()[:3] == ["notary", "notary", "votes"]
    assert lines[6].split()[:3] == ["crane", "member", "follows"]
    assert lines[-1] == f"run {live.folder.number} · 5 of 5 answered a signed ping"


def test_the_document(live: LiveRun, privity: Privity) -> None:
    """`--json` is one document of schema privity.ps/1; heads are those on the nodes' disks."""
    document = privity(live.home, "ps", "--json").document
    assert (list(document), document["schema"]) == (["schema", "run", "at", "nodes"], "privity.ps/1")
    assert all(list(node) == FIELDS for node in document["nodes"])
    block = RunReading(live.folder).node("acme").block(document["nodes"][1]["height"])
    assert block is not None and block.hash.hex() == document["nodes"][1]["head"]


def test_a_silent_node_is_down(crippled: LiveRun, privity: Privity, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that does not answer is down, and nothing is claimed about where it stands."""
    monkeypatch.setattr("node.verbs.ps_cli.ANSWER_S", 0.5)
    document = privity(crippled.home, "ps", "--json").document
    states = {node["node"]: node["state"] for node in document["nodes"]}
    assert states == dict.fromkeys(NAMES, "up") | {"notary": "down"}
    assert document["nodes"][3]["height"] is None
    assert "4 of 5 answered" in privity(crippled.home, "ps").out


def test_a_party_whose_node_is_down_can_send(
    crippled: LiveRun, privity: Privity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others order a transaction of a party whose own node is down, and prove it to its client."""
    monkeypatch.setattr("node.verbs.sending.STATUS_S", 0.3)
    done = privity(crippled.home, "send", "--as", "notary", "--to", "city", "--set", "a=1")
    assert (done.code, "signed by 3 of 4 voters" in done.out) == (0, True)
    assert done.err == "! notary's own node does not answer; the others were asked\n"


def test_below_the_quorum_nothing_is_confirmed(crippled: LiveRun, privity: Privity) -> None:
    """With two of four voters down a send ends with exit 3, and with no claim of any order."""
    crippled.stop_node("bolt")
    done = privity(crippled.home, "send", "--as", "acme", "--to", "city", "--set", "a=1", "--timeout", "1s")
    assert (done.code, done.out) == (UNCONFIRMED, "")
    assert "it may still be ordered" in done.err


def status(replica: int, height: int, block: bytes = b"a" * 32) -> Status:
    return Status(0, 0, height, block, bytes(32), bytes(8), replica)


def test_behind_and_apart(stopped: LiveRun) -> None:
    """Below the highest is behind by so many; another block at the same height is no longer up."""
    reading = RunReading(stopped.folder)
    lagging = judged(reading, {"city": status(0, 9), "acme": status(1, 7)})
    assert [(node.state, node.behind) for node in lagging[:3]] == [("up", 0), ("behind", 2), ("down", 0)]
    apart = judged(reading, {"city": status(0, 9), "acme": status(1, 9, b"b" * 32)})
    assert [node.state for node in apart[:2]] == ["differs", "differs"]


def test_no_run_to_ask(copied: LiveRun, privity: Privity) -> None:
    """A run that has stopped or is gone is exit 5."""
    stopped = privity(copied.home, "ps")
    shutil.rmtree(copied.folder.path)
    gone = privity(copied.home, "ps")
    assert (stopped.code, gone.code) == (NOT_REACHABLE, NOT_REACHABLE)
    assert "E-NOT-RUNNING" in stopped.err and "E-NO-RUN" in gone.err
