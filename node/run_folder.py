"""The folder of one run: where everything lies, who may open it, and how it is found again.

    .privity/runs/0007/          (PRIVITY_HOME instead of .privity)
        run.json  genesis.json  verdict.json  events.jsonl (merged)
        broker/                  the broker's own files, its log, the recorder's capture
        faults.jsonl  trace.digests (of a virtual run)  report.html (if the scenario has it searched)
        operator/                what the operator knows: scenario, as it is and filled in, plan, submitted
                                 transactions, own events
        nodes/<party>/           keys, journal, index, blobs, events of one party

Every folder has mode 700 and every file 600: the keys of all parties lie in here, this is a simulator.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from node.errors import PrivityError
from node.logs.event_fields import is_name
from node.private_files import append_private, make_private_folder, replace_private
from node.process_identity import process_started
from node.text import did_you_mean

SCHEMA = "privity.rundir/1"
LATEST = "latest"
OPERATOR = "operator"
EVENTS = "events.jsonl"

_NUMBER = re.compile(r"\d{1,6}")
_LOAD = re.compile(r"-[0-9]{4,6}$")  # What a load adds to its own id for each of its transactions.
_TX = re.compile(r"[0-9a-f]{4,64}")


def privity_home() -> Path:
    """Where runs are kept: PRIVITY_HOME, or .privity in the current directory."""
    return Path(os.environ.get("PRIVITY_HOME") or ".privity")


RECORD, CARRIER = "record", "carrier"


class Label(msgspec.Struct, frozen=True, rename={"sender": "as"}, omit_defaults=True):
    """A submitted transaction: what the operator calls it, and what the ledger does."""

    id: str
    tx: str  # The transaction id, 64 hex digits.
    sender: str
    to: tuple[str, ...]
    t: int  # Milliseconds since genesis.
    kind: str = ""  # A private transaction of its own; RECORD, or CARRIER of a disclosure.


class RunFolder:
    """One run's folder. A method that finds it deleted raises E-NO-RUN."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    @classmethod
    def create(cls, home: Path | None = None) -> RunFolder:
        """A new run with the next free number; two made at once get two numbers."""
        runs = (home or privity_home()) / "runs"
        try:
            runs.mkdir(parents=True, exist_ok=True)
            (runs.parent / ".gitignore").write_text("*\n")  # Keys must not end up in somebody's repository.
            folder = cls(_make_next(runs))
            for part in (folder.path, folder.operator, folder.nodes, folder.broker):
                make_private_folder(part)
            pid = os.getpid()
            record: dict[str, Any] = {"schema": SCHEMA, "run": folder.number, "state": "starting"}
            record |= {"pid": pid, "pid_started": process_started(pid)}
            replace_private(folder.run_json, _json(record))
            _point_latest(runs)
        except OSError as error:
            raise _disk_error(runs, error) from None
        return folder

    @classmethod
    def find(cls, home: Path | None = None, run: str = LATEST) -> RunFolder:
        """The run of that number ('7' or '0007'), or the latest. Raises E-NO-RUN, which says what exists."""
        runs = (home or privity_home()) / "runs"
        numbers = sorted(_numbers(runs))
        if run == LATEST and numbers:
            link = runs / LATEST
            return cls(link.resolve() if link.is_dir() else runs / f"{numbers[-1]:04d}")
        if _NUMBER.fullmatch(run) and int(run) in numbers:
            return cls(runs / f"{int(run):04d}")
        there = " ".join(f"{number:04d}" for number in numbers[-8:])
        raise PrivityError(
            "E-NO-RUN",
            "there is no run yet" if run == LATEST else f"there is no run {run}",
            where=str(runs),
            why=f"there are: {there}" if there else "no run was started from this directory",
            next="name one of these with --run" if there else "privity up FILE",
        )

    @classmethod
    def running(cls, home: Path | None = None) -> list[RunFolder]:
        """The runs whose own process lives, oldest first."""
        runs = (home or privity_home()) / "runs"
        found = []
        for number in sorted(_numbers(runs)):
            folder = cls(runs / f"{number:04d}")
            with suppress(PrivityError):  # Deleted meanwhile, or damaged: it does not count.
                if folder.is_running():
                    found.append(folder)
        return found

    @property
    def number(self) -> str:
        """Four digits, as in '0007'."""
        return self.path.name

    @property
    def run_json(self) -> Path:
        """What the run is, and whether it runs; see read_run."""
        return self.path / "run.json"

    @property
    def genesis(self) -> Path:
        """Public: the consortium that nodes and verifiers trust."""
        return self.path / "genesis.json"

    @property
    def verdict(self) -> Path:
        """The document of `privity run --json`."""
        return self.path / "verdict.json"

    @property
    def events(self) -> Path:
        """The events of all nodes, merged."""
        return self.path / EVENTS

    @property
    def report(self) -> Path:
        """The public report, of a run that is to search it for secrets."""
        return self.path / "report.html"

    @property
    def broker(self) -> Path:
        """The broker's own files."""
        return self.path / "broker"

    @property
    def capture(self) -> Path:
        """Every packet the recorder saw."""
        return self.broker / "capture.bin"

    @property
    def operator(self) -> Path:
        """What only the operator knows; no node opens anything in here."""
        return self.path / OPERATOR

    @property
    def scenario(self) -> Path:
        """The scenario with its values."""
        return self.operator / "scenario.yaml"

    @property
    def plan(self) -> Path:
        """One line for each send that was drawn in advance."""
        return self.operator / "plan.jsonl"

    @property
    def transactions_file(self) -> Path:
        """One line for each submitted transaction."""
        return self.operator / "transactions.jsonl"

    @property
    def operator_events(self) -> Path:
        """The operator's own events."""
        return self.operator / EVENTS

    @property
    def nodes(self) -> Path:
        """One folder for each party."""
        return self.path / "nodes"

    @property
    def faults(self) -> Path:
        """What became of each fault."""
        return self.path / "faults.jsonl"

    @property
    def filled(self) -> Path:
        """The scenario with every default written out, payloads included."""
        return self.operator / "filled.yaml"

    @property
    def trace_digests(self) -> Path:
        """Of a virtual run that can be repeated: eight bytes for each line of its I/O trace."""
        return self.path / "trace.digests"

    def node(self, name: str) -> Path:
        """The folder of a party, whether it exists or not."""
        if not is_name(name):
            raise ValueError("this cannot be the name of a party")
        return self.nodes / name

    def make_node(self, name: str) -> Path:
        """The folder of a party, made if missing."""
        with self._disk():
            return make_private_folder(self.node(name))

    def node_names(self) -> list[str]:
        """Whose folders there are, in alphabetical order."""
        with self._disk():
            return sorted(
                entry.name for entry in self.nodes.iterdir() if is_name(entry.name) and entry.is_dir()
            )

    def read_run(self) -> dict[str, Any]:
        """What run.json says. Raises E-NO-RUN when it, or the whole folder, is gone or damaged."""
        with self._disk():
            try:
                record = msgspec.json.decode(self.run_json.read_bytes(), type=dict[str, Any])
            except msgspec.DecodeError:
                record = {}
        if record.get("schema") != SCHEMA:
            raise PrivityError(
                "E-NO-RUN",
                f"run {self.number} cannot be read",
                where=str(self.run_json),
                why=f"it is damaged, or of another version than {SCHEMA}",
            )
        return record

    def write_run(self, **changes: object) -> None:
        """Change some keys of run.json, all at once; who changes others at the same moment loses nothing."""
        with self._locked(), self._disk():
            replace_private(self.run_json, _json(self.read_run() | changes))

    def is_running(self) -> bool:
        """Whether the run's own process lives and has not said that it stopped."""
        record = self.read_run()
        pid, started = record.get("pid"), record.get("pid_started")
        if record.get("state") == "stopped":
            return False
        return pid is not None and process_started(pid) is not None and started == process_started(pid)

    def add_transaction(self, label: Label) -> None:
        """Remember a submitted transaction."""
        with self._disk():
            append_private(self.transactions_file, msgspec.json.encode(label) + b"\n")

    def transactions(self) -> list[Label]:
        """All submitted transactions, oldest first."""
        return self.transactions_from(0)[0]

    def transactions_from(self, offset: int) -> tuple[list[Label], int]:
        """Those after this place in the file, and the place after them. A line cut short is left out."""
        with self._disk():
            if not self.transactions_file.exists():
                self.operator.stat()
                return [], offset
            with self.transactions_file.open("rb") as file:
                file.seek(offset)
                lines = file.read()
        labels = []
        for line in lines.splitlines():
            with suppress(msgspec.DecodeError):
                labels.append(msgspec.json.decode(line, type=Label))
        return labels, offset + lines.rfind(b"\n") + 1

    def matching(self, text: str) -> list[Label]:
        """The transactions of that id, else those of that load, else those whose hash begins so.

        A load's transactions are called LOAD-0001 and so on. Of a hash 4 digits at least are needed.
        """
        labels = self.transactions()
        found = [label for label in labels if label.id == text]
        found = found or [label for label in labels if _LOAD.sub("", label.id) == text != label.id]
        prefix = tx_digits(text)
        return found or [label for label in labels if prefix and label.tx.startswith(prefix)]

    def of_load(self, text: str) -> list[Label]:
        """All transactions of the load of that id; none if a transaction itself is called so."""
        found = self.matching(text)
        return found if all(_LOAD.sub("", label.id) == text != label.id for label in found) else []

    def resolve(self, text: str) -> Label:
        """The one transaction that is meant. Raises E-TX when there is none, or more than one."""
        found = self.matching(text)
        if len(found) == 1:
            return found[0]
        if found:
            raise PrivityError(
                "E-TX",
                f"{text} is not one transaction but {len(found)}",
                why="these begin or are called so: " + " ".join(label.tx[:16] for label in found[:4]),
                next="give more digits",
            )
        labels = self.transactions()
        hint = did_you_mean(text, (label.id for label in labels if label.id))
        count = f"{len(labels)} transactions were submitted" if labels else "none was submitted yet"
        raise PrivityError(
            "E-TX",
            f"no transaction {text} in run {self.number}" + (f"; {hint}" if hint else ""),
            why=f"{count}; a transaction is named by its id or by the first 4 or more digits of its hash",
        )

    @contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise PrivityError(
                "E-NO-RUN",
                f"run {self.number} is gone",
                where=str(self.path),
                why="its folder was deleted, or a part of it",
                next="privity up FILE starts a new one",
            ) from None
        except OSError as error:
            raise _disk_error(self.path, error) from None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._disk():
            descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def tx_digits(text: str) -> str:
    """The digits when this can be the beginning of a transaction's hash, 4 at least; else nothing."""
    digits = text.lower().rstrip("….")
    return digits if _TX.fullmatch(digits) else ""


def _numbers(runs: Path) -> list[int]:
    if not runs.is_dir():
        return []
    return [int(entry.name) for entry in runs.iterdir() if _NUMBER.fullmatch(entry.name) and entry.is_dir()]


def _make_next(runs: Path) -> Path:
    number = _highest(runs) + 1
    while True:
        path = runs / f"{number:04d}"
        try:
            path.mkdir(mode=0o700)
            return path
        except FileExistsError:
            number += 1


def _highest(runs: Path) -> int:
    return max(_numbers(runs), default=0)


def _point_latest(runs: Path) -> None:
    """Let `latest` name the highest run, also when two are made at once: the last to look sees both."""
    temporary = runs / f".{LATEST}.{os.getpid()}.{threading.get_ident()}"
    while True:
        target = f"{_highest(runs):04d}"
        temporary.symlink_to(target)
        temporary.replace(runs / LATEST)
        if target == f"{_highest(runs):04d}":
            return


def _disk_error(path: Path, error: OSError) -> PrivityError:
    return PrivityError("E-DISK", "the run folder cannot be used", where=str(path), why=error.strerror or "")


def _json(record: dict[str, Any]) -> bytes:
    return json.dumps(record, indent=2).encode() + b"\n"
