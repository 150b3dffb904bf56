"""`up`, `down` and what happens between: it stays up, answers, and leaves nothing whichever way it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal

import pytest

from node.run_folder import RunFolder
from tests.live.commands import HELLO, QUICK, Privity, matrix_readers
from tests.waiting import listening, wait_until

ANY_BROKER = ["embedded", pytest.param("mosquitto", marks=pytest.mark.mosquitto)]
STAYS = "The network stays up; Ctrl-C or `privity down` stops it."


# What one network that is up answers.


def test_up_plays_judges_and_stays(hello_up: Privity) -> None:
    """`up` plays the steps, says which expectations hold, and stays: run.json says ready and steps_done."""
    said = (hello_up.folder / "background-1" / "err.txt").read_text()
    assert "5 of 5 expectations hold." in said
    record = hello_up.run.read_run()
    assert (record["state"], record["steps_done"]) == ("ready", True)
    assert hello_up.run.is_running()


def test_ps_lists_every_node_with_one_head(hello_up: Privity) -> None:
    """ps --json: four nodes up at one height with one head."""
    document = hello_up("ps", "--json").json
    assert document["schema"] == "privity.ps/1"
    assert [node["node"] for node in document["nodes"]] == ["alice", "bob", "carol", "dave"]
    assert {"up"} == {node["state"] for node in document["nodes"]}
    assert len({(node["height"], node["head"], node["state_root"]) for node in document["nodes"]}) == 1
    assert "4 of 4 answered a signed ping" in hello_up("ps").out


def test_send_then_show_to_those_who_may(hello_up: Privity) -> None:
    """What comes from standard input is ordered with proof; its reader sees it, another gets exit code 6."""
    secret = "the parcel is under the stairs"
    payload = json.dumps({"note": secret})
    said = hello_up(
        "send",
        "--as",
        "dave",
        "--to",
        "alice",
        "--data",
        "-",
        "--id",
        "parcel",
        stdin=payload,
    )
    assert said.code == 0, said.text
    assert "signed by" in said.out and secret not in said.text
    assert secret in hello_up("show", "tx", "parcel", "--as", "alice").out
    stranger = hello_up("show", "tx", "parcel", "--as", "bob")
    assert stranger.code == 6 and secret not in stranger.text
    assert {"alice", "dave"} == matrix_readers(hello_up("who-sees", "parcel", "--json").json)["parcel"]
    assert secret not in hello_up("show", "tx", "parcel").text
    events = hello_up("logs", "--tx", "parcel", "--json").out.splitlines()
    assert {"tx.submit", "send.certified"} <= {json.loads(line)["ev"] for line in events}


def test_send_from_a_file(hello_up: Privity) -> None:
    """--data @FILE takes a map of JSON from a file."""
    file = hello_up.folder / "offer.json"
    file.write_text('{"price": 12, "goods": ["tea"]}')
    said = hello_up("send", "--as", "bob", "--to", "carol", "--data", f"@{file}", "--id", "tea", "--json")
    assert said.code == 0
    assert said.json["to"] == ["carol"] and said.json["ordered"]["quorum"] == 3
    assert "price" in hello_up("show", "tx", "tea", "--as", "carol").out


def test_what_a_node_is_at_stands_in_its_log(hello_up: Privity) -> None:
    """`logs NODE --ev node.state` tells height, view, head, mempool, watermarks and payload states."""
    lines = hello_up("logs", "bob", "--ev", "node.state", "--json").out.splitlines()
    last = json.loads(lines[-1])
    wanted = {"h", "v", "blk", "mempool", "low", "high"}
    assert wanted | {"pending", "delivered", "missing", "unreadable", "not_party"} <= set(last)
    bob = next(node for node in hello_up("ps", "--json").json["nodes"] if node["node"] == "bob")
    assert last["h"] <= bob["height"]


def test_a_second_up_is_refused_and_harms_nothing(hello_up: Privity) -> None:
    """A second `up`, detached or not, is E-RUNNING (2); no run is added, and the first answers as before."""
    before = sorted(hello_up.processes())
    for arguments in (("up", HELLO), ("up", "-d", HELLO)):
        told = hello_up(*arguments).refused(2, "E-RUNNING")
        assert "run 0001 is up already" in told and "next  stop it with `privity down`" in told
    assert before == sorted(hello_up.processes())
    assert [path.name for path in (hello_up.home / "runs").iterdir() if path.name.isdigit()] == ["0001"]
    assert {"up"} == {node["state"] for node in hello_up("ps", "--json").json["nodes"]}


def test_a_run_beside_it_does_not_hide_it(hello_up: Privity) -> None:
    """After a `run` beside an `up`: a second `up` is still refused, ps tells which is up, down stops that."""
    assert hello_up("run", hello_up.file(QUICK), "-q", "--in-process").code == 0
    assert "run 0001 is up already" in hello_up("up", HELLO).refused(2, "E-RUNNING")
    assert "next  run 0001 is up: add --run 0001" in hello_up("ps").refused(5, "E-NOT-RUNNING")
    assert "4 of 4 answered" in hello_up("ps", "--run", "1").out
    stopped = hello_up("down")
    assert stopped.out.startswith("stopped run 0001 (stopped, ")
    hello_up.nothing_is_left()


# How it ends.


@pytest.mark.parametrize("broker", ANY_BROKER)
def test_detached_until_down(privity: Privity, broker: str) -> None:
    """`up -d` returns when the network is ready, `down` stops all of it, and the port is free again."""
    said = privity("up", "-d", "--no-steps", HELLO, "--broker", broker)
    assert said.code == 0, said.text
    assert "✓ ready" in said.err and "run 0001 goes on in the background" in said.err
    assert {"up"} == {node["state"] for node in privity("ps", "--json").json["nodes"]}
    port = privity.port
    assert listening(port)
    stopped = privity("down")
    assert (stopped.code, stopped.out.startswith("stopped run 0001 (stopped, ")) == (0, True)
    assert not privity.processes() and not listening(port)
    assert privity.run.read_run()["state"] == "stopped"
    again = privity("down")
    assert (again.code, again.out) == (0, "run 0001 was not running\n")
    privity("ps").refused(5, "E-NOT-RUNNING")
    purged = privity("down", "--purge")
    assert (purged.code, purged.out) == (0, "deleted run 0001\n")
    privity("down").refused(5, "E-NO-RUN")


def test_purge_also_stops(privity: Privity) -> None:
    """`down --purge` of a network that is up stops it first; short flags may be written together."""
    assert privity("up", "-qd", "--no-steps", "--in-process", HELLO).code == 0
    assert [path.name for path in (privity.home / "runs").iterdir() if path.name.isdigit()] == ["0001"]
    folder = privity.run.path
    assert "deleted run 0001" in privity("down", "--purge").out
    assert not privity.processes() and not folder.exists()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)], ids=["ctrl-c", "sigterm"]
)
@pytest.mark.parametrize("moment", ["✓ keys", "✓ ready", STAYS], ids=["starting", "playing", "up"])
def test_ended_by_a_signal(privity: Privity, number: int, code: int, moment: str) -> None:
    """Ctrl-C gives 130 and SIGTERM 0, at any moment; it says so, and neither process nor port is left."""
    running = privity.start("up", HELLO)
    running.says(moment)
    running.send(number)
    said = running.end()
    assert (code, "stopped; nothing is left running") == (said.code, said.err.splitlines()[-1])
    assert "Traceback" not in said.text
    assert not privity.processes()
    assert privity.run.read_run()["state"] == "stopped"
    assert "broker" not in privity.run.read_run() or not listening(privity.port)


@pytest.mark.parametrize("broker", ANY_BROKER)
def test_the_supervisor_killed(privity: Privity, broker: str) -> None:
    """After kill -9 of the command itself, nodes, recorder and broker end too, and the port is free."""
    running = privity.start("up", HELLO, "--no-steps", "--broker", broker)
    running.says(STAYS)
    port = privity.port
    running.send(signal.SIGKILL)
    running.end()
    privity.nothing_is_left(port)
    assert "run 0001 was not running" in privity("down").out
    assert (
        privity("up", "-d", "--no-steps", "--in-process", HELLO).code == 0
    )  # A dead run is in nobody's way.
    assert privity("down").code == 0


def test_giving_up_waiting_leaves_nothing(privity: Privity) -> None:
    """Ctrl-C while `up -d` still waits stops what it had started."""
    running = privity.start("up", "-d", HELLO)
    wait_until(lambda: "✓ broker" in running.err)
    running.send(signal.SIGINT)
    assert running.end().code == 130
    privity.nothing_is_left()


def test_a_background_that_cannot_start_is_told(privity: Privity) -> None:
    """`up -d` gives the message and the exit code of what ended in the background."""
    said = privity("up", "-d", HELLO, "--broker", "mqtt://127.0.0.1:1")
    assert "E-BROKER" in said.refused(5, "E-BROKER")
    privity.nothing_is_left()


def test_the_folder_deleted_underneath(privity: Privity) -> None:
    """Its folder deleted: commands say that the run is gone (5); Ctrl-C still ends all of it in order."""
    running = privity.start("up", HELLO, "--no-steps")
    running.says(STAYS)
    port, folder = privity.port, privity.run.path
    shutil.rmtree(folder)
    for arguments in (
        ("ps",),
        ("send", "--as", "alice", "--to", "bob", "--set", "a=1"),
        ("show", "node", "alice"),
        ("logs",),
        ("who-sees",),
        ("down",),
    ):
        privity(*arguments).refused(5, "E-NO-RUN")
    running.send(signal.SIGINT)
    said = running.end()
    assert said.code == 130 and "Traceback" not in said.text
    privity.nothing_is_left(port)
    assert not folder.exists()


def test_a_number_that_went_to_another_process(privity: Privity) -> None:
    """`down` ends the process of the run and never one that was given its number later."""
    folder = RunFolder.create(privity.home)
    folder.write_run(pid=os.getpid(), pid_started="another", state="ready")
    assert "was not running" in privity("down").out
