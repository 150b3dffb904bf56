"""The event log of one node: one line of JSON per event, in a fixed order of fields, and never a payload.

A structlog pipeline of three processors: check (an allow-list by name and type), stamp (when, who,
which), render. There is no processor for exceptions on purpose: an exception's text and, worse, the
local variables that structlog's formatters show by default could hold anything.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec
import structlog
from structlog.typing import EventDict

from node.logs.event_fields import field_checks, is_label, is_name
from node.logs.event_names import EVENTS, LEVELS
from node.private_files import open_private

Event = dict[str, Any]

_STRUCTLOG_LEVELS = {"debug": "debug", "info": "info", "warn": "warning", "error": "error"}
_TAIL_BYTES = 65_536


class EventLog:
    """Where one node, or the operator, writes what happened.

    `path` is the party's events.jsonl (None writes no file) and `sink` gets each event as a dict, for
    tests and the virtual world. `wall` gives unix milliseconds and is the only clock; `start_ms` is the
    genesis time, from which `t` counts. `names` are the parties that an event may name.

    A wrong field or event raises ValueError when `strict`; otherwise it is left out and counted in
    `dropped`. A line that the disk refuses is counted in `lost`, and its `seq` stays unused, so a reader
    sees the gap: logging never stops a node. For one thread.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        run: str,
        node: str,
        start_ms: int,
        wall: Callable[[], int],
        strict: bool = False,
        level: str = "info",
        sink: Callable[[Event], object] | None = None,
        names: Collection[str] | None = None,
    ) -> None:
        if not (is_label(run) and is_name(node)):
            raise ValueError(f"no names for a run and a node: {run!r}, {node!r}")
        self.dropped = 0
        self.lost = 0
        self._run = run
        self._node = node
        self._start_ms = start_ms
        self._wall = wall
        self._strict = strict
        self._threshold = LEVELS[level]
        self._fields = field_checks(names)
        self._seq = 0
        self._lam = 0
        self._second = -1
        self._second_text = ""
        self._file = None if path is None else _LinesFile(path)
        logger = structlog.wrap_logger(
            _Output(self._file, sink),
            processors=[self._check, self._stamp, _render],
            wrapper_class=structlog.make_filtering_bound_logger(self._threshold),
            context_class=dict,
        ).bind()
        self._write = {lvl: getattr(logger, name) for lvl, name in _STRUCTLOG_LEVELS.items()}

    def wants(self, lvl: str) -> bool:
        """Whether events of this level are written; ask before gathering what only they show."""
        return LEVELS[lvl] >= self._threshold

    def emit(self, ev: str, lvl: str = "info", lam: int = 0, **fields: object) -> None:
        """Write one event at once. A field that is None is not there; `from_` stands for `from`.

        Without `lam` the Lamport clock stands still; it never falls.
        """
        if LEVELS[lvl] < self._threshold:
            return  # The pipeline would filter too, but only after the file was locked.
        if ev not in EVENTS or type(lam) is not int:
            self._refuse(f"no event is called {ev!r}, or its Lamport time is no number")
        elif self._file is None:
            self._write[lvl](ev, lvl=lvl, lam=lam, fields=fields)
        else:
            try:
                with self._file as file:
                    self._seq = max(self._seq, file.seq_of_others())
                    self._write[lvl](ev, lvl=lvl, lam=lam, fields=fields)
            except OSError:
                self.lost += 1

    def close(self) -> None:
        """Give the file back. Nothing is buffered; closing twice does no harm."""
        if self._file is not None:
            self._file.close()

    def _refuse(self, why: str) -> None:
        if self._strict:
            raise ValueError(why)
        self.dropped += 1

    def _check(self, logger: object, method: str, event: EventDict) -> EventDict:
        """Only known fields of the right type, in their order."""
        checked = []
        for name, value in event["fields"].items():
            if value is None:
                continue
            field = self._fields.get(name)
            if field is None:
                self._refuse(f"{event['event']}: no field is called {name!r}")
                continue
            shown = field[2](value)
            if shown is None:
                # The value itself is not quoted: it may be what must never be shown.
                self._refuse(f"{event['event']}: {name} cannot be this {type(value).__name__}")
                continue
            checked.append((field[0], field[1], shown))
        checked.sort(key=itemgetter(0))
        event["fields"] = checked
        return event

    def _stamp(self, logger: object, method: str, event: EventDict) -> Event:
        now_ms = self._wall()
        second, millisecond = divmod(now_ms, 1000)
        if second != self._second:
            self._second = second
            self._second_text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.")
        self._seq += 1
        self._lam = max(self._lam, event["lam"])
        stamped = {
            "ts": f"{self._second_text}{millisecond:03d}Z",
            "t": now_ms - self._start_ms,
            "seq": self._seq,
            "lam": self._lam,
            "run": self._run,
            "node": self._node,
            "lvl": event["lvl"],
            "ev": event["event"],
        }
        for _, name, value in event["fields"]:
            stamped[name] = value
        return stamped


def _render(logger: _Output, method: str, event: EventDict) -> tuple[tuple[EventDict, bytes], Event]:
    """The arguments of the last call: the event, and its line when there is a file to write it to."""
    return (event, b"" if logger.file is None else msgspec.json.encode(event) + b"\n"), {}


class _Output:
    """What the pipeline ends in: the file, the sink, or both."""

    def __init__(self, file: _LinesFile | None, sink: Callable[[Event], object] | None) -> None:
        self.file = file
        self._sink = sink

    def _take(self, event: Event, line: bytes) -> None:
        if self._sink is not None:
            self._sink(event)
        if self.file is not None:
            self.file.append(line)

    debug = info = warning = error = _take


class _LinesFile:
    """A file that is only appended to, a line at a time, also by several processes at once.

    Used as a context: inside it no other process appends, so that a number given there is unique.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = open_private(path, os.O_RDWR | os.O_APPEND)
        self._size = 0  # What this object has seen of the file; more than that came from elsewhere.
        self._torn = False

    def __enter__(self) -> _LinesFile:
        if self._descriptor < 0:
            raise OSError("the log is closed")
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        return self

    def __exit__(self, *exception: object) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def seq_of_others(self) -> int:
        """The last number in the file if somebody else appended, an earlier process included; else 0."""
        size = os.fstat(self._descriptor).st_size
        if size == self._size:
            return 0
        start = max(0, size - _TAIL_BYTES)
        tail = os.pread(self._descriptor, size - start, start)
        self._size = size
        self._torn = not tail.endswith(b"\n") and size > 0
        for line in reversed(tail.splitlines()):
            try:
                return int(msgspec.json.decode(line, type=_Numbered).seq)
            except msgspec.DecodeError:
                continue  # Torn by a full disk or a crash.
        return 0

    def append(self, line: bytes) -> None:
        """One write. After a write cut short the next line starts on a line of its own."""
        if self._torn:
            line = b"\n" + line
        written = os.write(self._descriptor, line)
        self._size += written
        self._torn = written < len(line)
        if self._torn:
            raise OSError("the disk took only a part of the line")

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class _Numbered(msgspec.Struct):
    """Of a line, only its number."""

    seq: int
