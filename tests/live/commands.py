"""The installed `privity` command, run as a user runs it: own processes, own home, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node.broker_url import BrokerUrl
from node.chain.ledger import EXECUTED
from node.envelopes.envelope import NotAParty, unseal
from node.run_folder import RunFolder
from node.run_reading import RunReading
from scenarios.leaks.run_secrets import RunSecrets
from tests.waiting import alive, listening, wait_until

SHIPPED = Path(__file__).parents[2] / "scenarios"
HELLO = SHIPPED / "hello.yaml"
COMMAND = Path(sys.executable).with_name("privity")
LIMIT_S = 90.0

# The smallest run that has something to keep private.
QUICK = """\
privity: 1
name: quick
parties: {alice: {votes: true}, bob: {votes: true}, carol: {votes: true}, dave: {votes: true}}
steps:
  - {do: send, id: rent, as: alice, to: [bob], data: {note: "rent for the month of May"}}
expect:
  - {check: agreement}
  - {check: readers, tx: rent, are: [alice, bob]}
  - {check: no_plaintext}
"""


@dataclass(frozen=True, slots=True)
class Said:
    """What a command that has ended said, its exit code, and how long it took."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def json(self) -> Any:
        """The one document on standard output; fails if there is anything else."""
        return json.loads(self.out)

    @property
    def text(self) -> str:
        return self.out + self.err

    def refused(self, code: int, word: str) -> str:
        """Check that this is a refusal in the house's form, and give the message: what, where, why, next."""
        assert code == self.code, self.text
        assert "Traceback" not in self.text
        lines = self.err.splitlines()
        first = next((line for line in lines if line.startswith("✗ ")), "")
        assert first.endswith(f"  {word}"), self.text
        assert self.out == ""
        return self.err


class Running:
    """A command that goes on in the background; what it says is read from files."""

    def __init__(self, argv: list[str], folder: Path, environment: dict[str, str]) -> None:
        self._out, self._err = folder / "out.txt", folder / "err.txt"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=folder, env=environment
            )

    @property
    def err(self) -> str:
        return self._err.read_text(encoding="utf-8")

    @property
    def out(self) -> str:
        return self._out.read_text(encoding="utf-8")

    def says(self, words: str, within_s: float = LIMIT_S) -> None:
        """Return once it has said this on standard error; fail if it ends first."""
        wait_until(lambda: words in self.err or self.process.poll() is not None, within_s)
        assert words in self.err

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self, within_s: float = 30.0) -> Said:
        """Wait until it ends."""
        started = time.monotonic()
        code = self.process.wait(within_s)
        return Said(code, self.out, self.err, time.monotonic() - started)


class Privity:
    """The command with a home of its own below `folder`, which is also its current directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self._background = 0

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")}
        return {**kept, "PYTHONUTF8": "1", "PRIVITY_HOME": str(self.home), **more}

    def __call__(
        self, *arguments: str | Path, stdin: str | bytes = b"", limit_s: float = LIMIT_S, **environment: str
    ) -> Said:
        """Run a command to its end, without a terminal."""
        started = time.monotonic()
        done = subprocess.run(
            [COMMAND, *map(str, arguments)],
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            timeout=limit_s,
            cwd=self.folder,
            env=self.environment(**environment),
            check=False,
        )
        said = Said(done.returncode, done.stdout.decode(), done.stderr.decode(), time.monotonic() - started)
        assert "Traceback" not in said.text
        return said

    def start(self, *arguments: str | Path, **environment: str) -> Running:
        """Start a command in the background."""
        self._background += 1
        folder = self.folder / f"background-{self._background}"
        folder.mkdir()
        return Running([str(COMMAND), *map(str, arguments)], folder, self.environment(**environment))

    def file(self, text: str, name: str = "scenario.yaml") -> Path:
        """A scenario file with this text."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    # What there is of its latest run.

    @property
    def run(self) -> RunFolder:
        return RunFolder.find(self.home)

    @property
    def reading(self) -> RunReading:
        return RunReading(self.run)

    @property
    def port(self) -> int:
        """The port of the run's broker."""
        return BrokerUrl.parse(self.run.read_run()["broker"]["url"]).port

    def processes(self) -> dict[int, str]:
        """Every process that lives and was started for this home, its own commands included."""
        mark = f"PRIVITY_HOME={self.home}".encode()
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and alive(int(entry.name)):
                try:
                    if mark in (entry / "environ").read_bytes().split(b"\0"):
                        words = (entry / "cmdline").read_bytes().split(b"\0")
                        found[int(entry.name)] = b" ".join(words).decode(errors="replace")
                except OSError:
                    continue  # It ended while it was looked at.
        return found

    def pid_of(self, part: str) -> int:
        """The one process with this in its command line."""
        (pid,) = [pid for pid, command in self.processes().items() if part in command]
        return pid

    def node_pid(self, name: str) -> int:
        return self.pid_of(f"/nodes/{name} ")

    def nothing_is_left(self, port: int | None = None, within_s: float = 10.0) -> None:
        """Wait until no process of this home lives and nobody listens on its port."""
        # A dying process has no environment to be known by a moment before its sockets close.
        wait_until(lambda: not self.processes() and (port is None or not listening(port)), within_s)

    def kill_all(self) -> None:
        """End what a failed test left."""
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        wait_until(lambda: not self.processes())


def opened(folder: RunFolder) -> tuple[dict[str, set[str]], RunSecrets]:
    """Who opens what, by label, and every secret of the run: found out anew, with each party's own keys."""
    reading = RunReading(folder)
    secrets, readers = RunSecrets(), {}
    keys = {name: reading.keys(name) for name in reading.network.names}
    for name, own in keys.items():
        secrets.add_keys(name, own)
    for label in reading.labels:
        identifier, readers[label.id] = bytes.fromhex(label.tx), set()
        for name in reading.network.names:
            blob = reading.node(name).blob(identifier)
            assert blob is not None
            try:
                transaction = reading.node(name).transactions[identifier].transaction
                found = unseal(transaction, blob, keys[name].wrapping)
            except NotAParty:
                continue
            readers[label.id].add(name)
            secrets.add_sealed(found, frozenset((name,)))
    return readers, secrets


def content(folder: RunFolder, label: str, party: str) -> dict[str, Any]:
    """What the party reads of a transaction, with its own key, from its own folder: what its sender said."""
    reading = RunReading(folder)
    identifier, node = reading.find(label).id, reading.node(party)
    blob = node.blob(identifier)
    assert blob is not None
    transaction = node.transactions[identifier].transaction
    fields = unseal(transaction, blob, reading.keys(party).wrapping).payload.fields()
    return {name: value for name, value in fields.items() if not name.startswith("_")}


def planned(folder: RunFolder) -> dict[str, set[str]]:
    """Who is to read each transaction, as drawn before the run: sender and named parties."""
    lines = map(json.loads, folder.plan.read_text(encoding="utf-8").splitlines())
    return {line["id"]: {line["as"], *line["to"]} for line in lines}


def commits(folder: RunFolder) -> dict[str, Counter[str]]:
    """For each node: how often each private transaction was executed, counted in the journal's blocks."""
    reading = RunReading(folder)
    names = {bytes.fromhex(label.tx): label.id for label in reading.labels}
    return {
        name: Counter(
            names[identifier]
            for block in node.blocks
            for identifier, outcome in zip(block.batch.requests, block.outcomes, strict=True)
            if outcome == EXECUTED and identifier in names
        )
        for name, node in reading.nodes().items()
    }


def matrix_readers(document: dict[str, Any]) -> dict[str, set[str]]:
    """The readers that `who-sees --json` names, by transaction."""
    return {
        row["tx"]: {column for column, cell in row["cells"].items() if cell["symbol"] == "●"}
        for row in document["rows"]
        if row["field"] == "*"
    }
