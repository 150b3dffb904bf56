"""The logs of a run as one stream: read, merged in one order, followed while they grow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from node.logs.event_fields import FIELD_TYPES
from node.logs.events import Event
from node.private_files import replace_private
from node.run_folder import EVENTS, RunFolder
from node.text import clean

_DECODER = msgspec.json.Decoder(dict[str, Any])
_ALWAYS = {"ts": str, "t": int, "seq": int, "lam": int, "run": str, "node": str, "lvl": str, "ev": str}


@dataclass
class Reading:
    """Events, and how many lines were none: torn by a crash or a full disk, or not ours."""

    events: list[Event] = field(default_factory=list)
    unreadable: int = 0


def event_order(event: Event) -> tuple[str, int, str, int]:
    """The one order of a run's events: by clock, then by Lamport clock, then by node and its own count."""
    return event["ts"], event["lam"], event["node"], event["seq"]


def read_events(paths: Iterable[Path]) -> Reading:
    """The events of these files in the run's order; `seq` is still each file's own."""
    reading = Reading()
    for path in paths:
        _read_lines(path.read_bytes().splitlines(), reading)
    reading.events.sort(key=event_order)
    return reading


def read_run_events(folder: RunFolder) -> Reading:
    """All events of a run, `seq` counting through from 1: from each node's log, else as merged."""
    paths = event_files(folder)
    reading = read_events(paths or [path for path in (folder.events,) if path.exists()])
    _number(reading.events, 0)
    return reading


def merge_events(folder: RunFolder) -> Path:
    """Write the run's events.jsonl from the logs of its nodes and operator; `seq` counts through the run."""
    reading = read_run_events(folder)
    replace_private(folder.events, b"".join(json_line(event).encode() + b"\n" for event in reading.events))
    return folder.events


def event_files(folder: RunFolder) -> list[Path]:
    """The logs that exist now: the operator's and each node's. Raises E-NO-RUN when the run is gone."""
    nodes = [folder.node(name) / EVENTS for name in folder.node_names()]
    return [path for path in (folder.operator_events, *nodes) if path.exists()]


def json_line(event: Event) -> str:
    """One event as it stands in a file: one line, its fields in their order."""
    return msgspec.json.encode(event).decode()


class Follower:
    """Reads what has been added to the logs since the last time, new nodes' logs included."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.unreadable = 0
        self._offsets: dict[Path, int] = {}
        self._waiting: list[Event] = []
        self._seq = 0

    def poll(self) -> list[Event]:
        """What is certain to be next, in order.

        An event waits for the next poll, so that one with an earlier clock can still overtake it: two
        nodes do not write at the same moment, nor are their files read at the same moment.
        """
        fresh = self._read_growth()
        last = max((event["ts"] for event in self._waiting), default="")
        events = self._waiting + fresh
        self._waiting = [event for event in events if event["ts"] > last]
        return self._in_order([event for event in events if event["ts"] <= last])

    def rest(self) -> list[Event]:
        """Everything that is left, when nothing more will come."""
        events = self._waiting + self._read_growth()
        self._waiting = []
        return self._in_order(events)

    def _in_order(self, events: list[Event]) -> list[Event]:
        events.sort(key=event_order)
        self._seq = _number(events, self._seq)
        return events

    def _read_growth(self) -> list[Event]:
        reading = Reading()
        for path in event_files(self.folder):
            offset = self._offsets.get(path, 0)
            with path.open("rb") as file:
                file.seek(offset)
                grown = file.read()
            whole = grown[: grown.rfind(b"\n") + 1]  # A line still being written is left for later.
            self._offsets[path] = offset + len(whole)
            _read_lines(whole.splitlines(), reading)
        self.unreadable += reading.unreadable
        return reading.events


def follow(follower: Follower, wait: Callable[[], None]) -> Iterator[list[Event]]:
    """Events in batches until the run stops; `wait` passes the time between two looks."""
    while follower.folder.is_running():
        yield follower.poll()
        wait()
    # What was written before the stop is read after it.
    yield follower.rest()


def _number(events: list[Event], after: int) -> int:
    for after, event in enumerate(events, after + 1):  # noqa: B020 - the last number is the result.
        event["seq"] = after
    return after


def _read_lines(lines: list[bytes], reading: Reading) -> None:
    for line in lines:
        event = _event(line)
        if event is not None:
            reading.events.append(event)
        elif line.strip():
            reading.unreadable += 1


def _event(line: bytes) -> Event | None:
    """The event in a line, fit to be shown; None if the line is none. Known fields of a wrong type go."""
    try:
        event = _DECODER.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return None
    if any(type(event.get(name)) is not kind for name, kind in _ALWAYS.items()):
        return None
    return {
        clean(name): _clean(value)
        for name, value in event.items()
        if name not in FIELD_TYPES or type(value) in FIELD_TYPES[name]
    }


def _clean(value: Any) -> Any:
    """A log is only a file: whoever could write to it must not be able to drive the reader's terminal."""
    if type(value) is str:
        return clean(value)
    if type(value) is list:
        return [_clean(item) for item in value]
    if type(value) is dict:
        return {clean(name): _clean(item) for name, item in value.items()}
    return value
