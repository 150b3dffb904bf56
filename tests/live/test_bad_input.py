"""Bad input: the exit code, the message (what, where, why, next), no traceback, nothing started or left."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scenarios.processes.broker import free_port
from tests.live.commands import HELLO, QUICK, Privity
from tests.waiting import wait_until

BAD = Path(__file__).parents[1] / "scenarios" / "bad"


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Privity]:
    """Four parties up, to send to; what is refused must leave no trace there."""
    command = Privity(tmp_path_factory.mktemp("network"))
    running = command.start("up", HELLO, "--no-steps", "--in-process")
    try:
        running.says("The network stays up")
        yield command
    finally:
        command.kill_all()


# Exit code 4: the scenario.


@pytest.mark.parametrize(
    ("verb", "file", "codes"),
    [
        ("run", "malformed-unclosed-brace.yaml", {"E-YAML"}),
        ("up", "too-many-parties.yaml", {"E-LIMIT"}),
        ("check", "unknown-party.yaml", {"E-PARTY"}),
        ("run", "duration-without-unit.yaml", {"E-DURATION"}),
        ("run", "several-at-once.yaml", None),
    ],
)
def test_a_scenario_that_is_wrong(privity: Privity, verb: str, file: str, codes: set[str] | None) -> None:
    """Exit code 4, each problem at its line with its code at the end, and not even a folder is made."""
    said = privity(verb, BAD / file)
    assert said.code == 4
    problems = [line for line in said.err.splitlines() if line.startswith("✗")]
    assert problems and all(f"{file}:" in line for line in problems)
    found = {line.rsplit("  ", 1)[1] for line in problems}
    assert found == codes if codes else len(found) > 1
    last = said.err.splitlines()[-1]
    assert "nothing was started.   privity explain E-" in last and last.endswith("exit 4")
    assert said.out == "" and not privity.home.exists()


def test_a_scenario_that_is_not_there(privity: Privity) -> None:
    """A file that does not exist, and one that is a folder: E-FILE, exit code 4."""
    for path in (privity.folder / "none.yaml", privity.folder):
        privity("run", path).refused(4, "E-FILE")
    assert not privity.home.exists()


def test_what_is_planned_and_not_built(privity: Privity) -> None:
    """A key that Privity knows and has not built is E-NOT-YET: 4 in a file, 2 for a verb or flag."""
    said = privity("run", BAD / "not-yet-sections.yaml")
    assert said.code == 4 and "  E-NOT-YET\n" in said.err
    for arguments in (("up", HELLO, "--open"), ("verify", "rent")):
        privity(*arguments).refused(2, "E-NOT-YET")
    assert not privity.home.exists()


@pytest.mark.parametrize("voters", [1, 3])
def test_few_voters_are_allowed_with_a_note(privity: Privity, voters: int) -> None:
    """With one to three voters check notes that no fault is tolerated, and the run passes all the same."""
    parties = ", ".join(f"p{number}: {{votes: true}}" for number in range(voters))
    step = "{do: send, id: note, as: p0, to: [], data: {text: to myself}}"
    file = privity.file(f"privity: 1\nname: few\nparties: {{{parties}}}\nsteps:\n  - {step}\n")
    assert "W-FAULTS" in privity("check", file).text
    said = privity("run", file, "--in-process", "--json")
    assert (said.code, said.json["verdict"]) == (0, "pass")


# Exit code 2: arguments.


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "word"),
    [
        (("--as", "alice", "--to", "bob", "--data", "-"), json.dumps({"x": "y" * 70_000}), "E-LIMIT", ""),
        (("--as", "alice", "--to", "bob", "--data", "-"), json.dumps(["secret"]), "E-PAYLOAD", "a map"),
        (("--as", "alice", "--to", "bob", "--data", "-"), "{secret: ", "E-PAYLOAD", "neither JSON nor YAML"),
        (("--as", "alice", "--to", "bob", "--data", "@none.json"), "", "E-PAYLOAD", "cannot be read"),
        (("--as", "alice", "--to", "bob"), "", "E-PAYLOAD", "nothing to send"),
        (("--as", "alcie", "--to", "bob", "--set", "a=1"), "", "E-PARTY", "did you mean alice?"),
        (("--as", "alice", "--to", "bbo", "--set", "a=1"), "", "E-PARTY", "did you mean bob?"),
        (("--as", "alice", "--to", "bob", "--set", "a=1", "--id", "rent"), "", "E-ID", "already"),
        (("--as", "alice", "--to", "bob", "--set", "a=1", "--id", "A b"), "", "E-NAME", "cannot be"),
        (("--as", "alice", "--to", "bob", "--set", "a=secret", "--id", "secret-1"), "", "E-PRIVATE", ""),
        (("--as", "alice", "--to", "bob", "--set", "a=1", "--timeout", "5"), "", "E-DURATION", "unit"),
        (("--as", "alice", "--to", "bob", "--set", "a=1", "--seal", "s"), "", "E-USAGE", ""),
        (("--as", "alice", "--set", "a=1", "--seal", "s"), "", "E-SEAL", ""),
    ],
)
def test_arguments_of_send(
    network: Privity, arguments: tuple[str, ...], stdin: str, code: str, word: str
) -> None:
    """What cannot be sent is exit code 2, and nothing of it: not sent, not noted, not quoted."""
    noted = network.run.transactions()
    told = network("send", *arguments, stdin=stdin).refused(2, code)
    assert word in told
    assert "secret" not in told and "yyyy" not in told
    assert noted == network.run.transactions()


def test_arguments_that_no_verb_knows(privity: Privity) -> None:
    """An unknown verb or flag, a missing argument and a wrong number are exit code 2, with a suggestion."""
    for arguments, word in (
        (("rnu", HELLO), "run"),
        (("run", HELLO, "--jsno"), "--json"),
        (("run",), "FILE"),
        (("run", HELLO, "--seed", "x"), "--seed"),
        (("run", HELLO, "--transport", "pigeon"), "--transport"),
        (("run", HELLO, "--junit", "none/x.xml"), "--junit"),
        (("logs", "--since"), "--since"),
    ):
        said = privity(*arguments)
        assert said.code == 2 and word in said.err, (arguments, said.text)
        assert said.out == ""
    assert not privity.home.exists()


# Exit code 5: not there, or not reachable.


def test_a_broker_that_nobody_answers(privity: Privity) -> None:
    """An address where nothing listens is E-BROKER, exit code 5, in seconds, and nothing is left."""
    address = f"mqtt://127.0.0.1:{free_port()}"
    said = privity("run", HELLO, "--broker", address)
    told = said.refused(5, "E-BROKER")
    assert address in told and "why" in told and "next" in told and "--broker embedded" in told
    assert said.seconds < 20
    privity.nothing_is_left()
    assert not privity.run.is_running()


@pytest.mark.parametrize("broker", ["embedded", pytest.param("mosquitto", marks=pytest.mark.mosquitto)])
def test_a_port_that_is_taken(privity: Privity, broker: str) -> None:
    """5: a broker of ours on a port that somebody else listens on, who is not disturbed."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = privity("run", HELLO, "--broker", broker, "--broker-port", port)
        said.refused(5, "E-PORT")
        assert f"127.0.0.1:{port}" in said.err and "another program listens there" in said.err
        socket.create_connection(("127.0.0.1", port), timeout=5).close()


def test_a_broker_address_never_shows_its_password(privity: Privity) -> None:
    """Neither messages nor the run folder repeat the password of a broker's URL."""
    said = privity("run", HELLO, "--broker", f"mqtt://user:hunter2hunter2@127.0.0.1:{free_port()}")
    assert said.code == 5 and "hunter2" not in said.text
    written = [path for path in privity.home.rglob("*") if path.is_file()]
    assert written and not any(b"hunter2" in path.read_bytes() for path in written)


def test_no_run_at_all(privity: Privity) -> None:
    """Every verb that looks at a run says that there is none, and how to get one: exit code 5."""
    send = ("send", "--as", "alice", "--to", "bob", "--set", "a=1")
    for arguments in (("ps",), ("down",), ("logs",), ("who-sees",), ("show", "block", "1"), send):
        assert "next  privity up FILE" in privity(*arguments).refused(5, "E-NO-RUN")
    assert not privity.home.exists()


def test_a_run_that_is_named_and_not_there(network: Privity) -> None:
    """A run number that does not exist is E-NO-RUN with those that do."""
    assert "there are: 0001" in network("ps", "--run", "77").refused(5, "E-NO-RUN")
    assert "there are: 0001" in network("ps", "--run", "../../etc").refused(5, "E-NO-RUN")


# Exit code 3: what could not be confirmed.


def test_a_timeout_in_flight(privity: Privity) -> None:
    """With three of four voters stopped, send gives up with 3, says it may still be ordered, and it is."""
    running = privity.start("up", HELLO, "--no-steps")
    running.says("The network stays up")
    stopped = [privity.node_pid(name) for name in ("bob", "carol", "dave")]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    said = privity(
        *("send", "--as", "alice", "--to", "bob", "--set", "a=1", "--id", "late", "--timeout", "2s")
    )
    told = said.refused(3, "E-UNCONFIRMED")
    assert "it may still be ordered" in told and "next  privity show tx late" in told
    assert len(privity.run.transactions()) == 1
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    (label,) = privity.run.transactions()
    ordered = bytes.fromhex(label.tx)
    wait_until(lambda: all(ordered in node.transactions for node in privity.reading.nodes().values()))
    assert "committed" in privity("show", "tx", "late").out


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of this size, until the end."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        if os.environ.get("CI") == "true":
            pytest.fail("a small disk cannot be mounted here, and CI must not pass by skipping")
        pytest.skip("only root can mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("size", ["8k", "64k", "160k"])
def test_a_disk_that_is_full_from_the_start(privity: Privity, size: str) -> None:
    """Wherever in the start the disk is full: exit code 3 with the system's word, and nothing runs."""
    with small_disk(privity.home, size):
        said = privity("run", HELLO)
        assert said.code == 3, said.text
        assert "No space left on device" in said.err or "the disk refused a write" in said.err
        first = next(line for line in said.err.splitlines() if line.startswith("✗ "))
        assert first.endswith(("  E-DISK", "  E-NODE"))
        privity.nothing_is_left()


def test_a_disk_that_fills_up(privity: Privity) -> None:
    """A disk that fills up under a network: send is exit code 3 with the reason, and all of it can stop."""
    with small_disk(privity.home, "8m"):
        running = privity.start("up", HELLO, "--no-steps")
        running.says("The network stays up")
        with pytest.raises(OSError, match="No space left"), (privity.home / "filler").open("wb") as filler:
            while True:
                filler.write(bytes(4096))
                filler.flush()
        arguments = ("send", "--as", "alice", "--to", "bob", "--set", "a=1")
        said = privity(*arguments, "--timeout", "3s")
        assert said.code == 3, said.text
        assert "No space left on device" in said.refused(3, "E-DISK")
        running.send(signal.SIGTERM)
        assert "Traceback" not in running.end().text
        privity.nothing_is_left()
        (privity.home / "filler").unlink()
        assert privity("run", privity.file(QUICK), "-q", "--in-process").code == 0
