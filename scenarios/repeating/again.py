"""A virtual run carried out again from what its folder keeps, and compared with what it was."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from node.errors import CHECK_FAILED, FINE, WRONG_USAGE, PrivityError
from node.logs.events import Event
from node.logs.view import read_run_events
from node.run_folder import RunFolder
from scenarios.kept import kept_scenario, kept_signatures, other_versions
from scenarios.repeating.crew import Crew
from scenarios.repeating.once import Task
from scenarios.virtual.entropy import SEEDED
from scenarios.virtual.trace_digests import first_difference, lines_in

SCHEMA = "privity.replay/1"
_SHOWN = 400


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a run and its repetition had in common.

    `first_event` is the number of the first event that differs, from 1; 0 when the runs were not made the
    same way. `event_now` is what stands there now: of the run before, only a digest was kept. `logs` are the
    first lines of both logs that differ.
    """

    run: str
    hashes: tuple[str, str]
    events: int
    first_event: int | None
    event_now: str
    logs: tuple[Event | None, Event | None] | None
    versions: dict[str, tuple[str, str]]
    verdict: str

    @property
    def same(self) -> bool:
        """Whether it was the same run."""
        return self.hashes[0] == self.hashes[1] and self.first_event is None

    @property
    def exit_code(self) -> int:
        """1 if they differ."""
        return FINE if self.same else CHECK_FAILED

    @property
    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "schema": SCHEMA,
            "run": self.run,
            "same": self.same,
            "trace_hashes": list(self.hashes),
            "events": self.events,
            "first_difference": None
            if self.same
            else {"event": self.first_event, "now": self.event_now, "logs": self.logs and list(self.logs)},
            "other_versions": {name: list(both) for name, both in self.versions.items()},
            "verdict": self.verdict,
        }


def task_again(folder: RunFolder, home: Path, trace: Path) -> Task:
    """The same run once more, with a home of its own. Raises E-USAGE for one that cannot be repeated."""
    if kept_scenario(folder).crypto != SEEDED:
        raise PrivityError(
            "E-USAGE",
            f"run {folder.number} cannot be repeated exactly",
            why="its keys came from the system",
            next="one made with --crypto seeded can",
            exit_code=WRONG_USAGE,
        )
    record = folder.read_run()
    return Task(
        text=folder.filled.read_text(encoding="utf-8"),
        file=str(record["file"]),
        name=str(record["name"]),
        home=str(home),
        signatures=kept_signatures(folder),
        trace=str(trace),
    )


def compare_again(folder: RunFolder, home: Path) -> Comparison:
    """Carry it out again below `home`, and compare. Raises PrivityError if there is nothing to compare."""
    trace = home / "trace.jsonl"
    task = task_again(folder, home, trace)
    before = _verdict(folder)
    with Crew(1) as crew:
        (outcome,) = crew.run([task])
    if not outcome.run_dir:
        raise PrivityError("E-RUN", "the run gave no verdict this time", why=outcome.broken[0].detail)
    again = RunFolder(Path(outcome.run_dir))
    place = first_difference(folder.trace_digests, again.trace_digests)
    return Comparison(
        run=folder.number,
        hashes=(str(before["trace_hash"]), str(outcome.trace_hash)),
        events=lines_in(again.trace_digests) - 1,
        first_event=place,
        event_now="" if place is None else _line(trace, place),
        logs=_first_log_difference(folder, again),
        versions=other_versions(folder),
        verdict=outcome.verdict,
    )


def _verdict(folder: RunFolder) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(folder.verdict.read_bytes())
    except (OSError, ValueError):
        document = {}
    if not document.get("trace_hash") or not folder.trace_digests.exists():
        raise PrivityError(
            "E-USAGE",
            f"run {folder.number} has nothing to compare with",
            where=str(folder.path),
            why="it did not come to its end, so it has no verdict with a trace hash",
            next="privity run FILE --seed N makes one",
            exit_code=WRONG_USAGE,
        )
    return document


def _line(path: Path, number: int) -> str:
    with path.open(encoding="utf-8") as lines:
        line = next(islice(lines, number, None), "nothing more").rstrip()
    return line if len(line) <= _SHOWN else line[:_SHOWN] + "…"


def _first_log_difference(before: RunFolder, now: RunFolder) -> tuple[Event | None, Event | None] | None:
    first, second = read_run_events(before).events, read_run_events(now).events
    for place in range(max(len(first), len(second))):
        one, other = _at(first, place), _at(second, place)
        if _without_run(one) != _without_run(other):
            return one, other
    return None


def _at(events: list[Event], place: int) -> Event | None:
    return events[place] if place < len(events) else None


def _without_run(event: Event | None) -> Event | None:
    """The number of a run is its own, and no difference."""
    return event and {name: value for name, value in event.items() if name != "run"}
