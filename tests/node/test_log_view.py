"""The logs of a run: read, merged, followed."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from log_story import event, story, write

from node.errors import PrivityError
from node.logs.events import EventLog
from node.logs.lines import Lines
from node.logs.view import Follower, follow, json_line, merge_events, read_events, read_run_events
from node.run_folder import RunFolder


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path)


def test_merging_keeps_one_order(folder: RunFolder) -> None:
    """Events are ordered by clock, Lamport clock, node and own number, whatever order the files are in."""
    events = [
        event(5, "bolt", "node.start", seq=1),
        event(5, "bolt", "node.ready", seq=2),
        event(5, "acme", "node.start", seq=1, lam=1),
        event(5, "bolt", "tx.accept", seq=3, lam=1),
        event(5, "operator", "run.ready", seq=9, lam=1),
        event(6, "acme", "node.stop", seq=2),
    ]
    mixed = random.Random(7).sample(events, len(events))
    merged = merge_events(write(folder, mixed))
    assert [one | {"seq": n} for n, one in enumerate(events, 1)] == [
        json.loads(line) for line in merged.read_text().splitlines()
    ]
    assert (folder.events, 0o600) == (merged, merged.stat().st_mode & 0o777)


def test_what_was_merged_is_read_when_the_rest_is_gone(folder: RunFolder) -> None:
    """A run whose nodes' logs were purged is read from its merged file, and merging again changes nothing."""
    write(folder, story())
    before = merge_events(folder).read_text()
    events = read_run_events(folder).events
    for name in folder.node_names():
        (folder.node(name) / "events.jsonl").unlink()
    assert events == read_run_events(folder).events
    assert before == merge_events(folder).read_text()


def test_an_event_log_reads_back(tmp_path: Path) -> None:
    """What an EventLog writes is what a reader gets."""
    written: list[dict[str, Any]] = []
    path = tmp_path / "events.jsonl"
    log = EventLog(
        path, run="0001", node="acme", start_ms=0, wall=lambda: 4329, strict=True, sink=written.append
    )
    log.emit("pbft.commit", lam=3, h=1, v=0, digest=b"\x9c" * 32, from_="bolt", have=1, need=3)
    log.emit("net.drop", reason_code="other view", count=2)
    assert (written, 0) == (read_events([path]).events, read_events([path]).unreadable)


@pytest.mark.parametrize(
    "line",
    [
        b'{"ts":"2026-11-23T12:00:04.3',
        b"not json",
        b"[]",
        b"\xff\xfe",
        b'{"ev":' + b"[" * 100_000,
        b'{"t":1,"seq":1,"lam":0,"run":"1","node":"acme","lvl":"info","ev":"tx.commit"}',
        b'{"ts":"x","t":"1","seq":1,"lam":0,"run":"1","node":"acme","lvl":"info","ev":"tx.commit"}',
    ],
)
def test_what_is_no_event_is_counted(line: bytes, tmp_path: Path) -> None:
    """A torn line, or one that is no event, is left out and counted; those around it are read."""
    path = tmp_path / "events.jsonl"
    good = json_line(event(1, "acme", "node.start")).encode()
    path.write_bytes(b"\n".join([good, line, good, b""]))
    reading = read_events([path])
    assert (len(reading.events), reading.unreadable) == (2, 1)


def test_fields_of_a_wrong_type_do_no_harm(tmp_path: Path) -> None:
    """A field of another type than the log writes is not shown; an unknown one stays, for later versions."""
    path = tmp_path / "events.jsonl"
    wrong = {"h": "3", "have": [], "need": {}, "tx": 7, "from": 1, "cell": None, "blk": 4, "later": {"a": 1}}
    path.write_text(json_line(event(1, "acme", "pbft.prepared", **wrong)) + "\n")
    read = read_events([path]).events
    assert [event(1, "acme", "pbft.prepared", later={"a": 1})] == read
    assert list(Lines().show(read)) == ["00:00.001  acme    pbft.prepared"]


def test_a_log_cannot_drive_the_terminal(tmp_path: Path) -> None:
    """Control characters, also invisible ones, in names, values and nested values are gone after reading."""
    path = tmp_path / "events.jsonl"
    evil = "\x1b]0;x\x07\u202e\x9b2J\u2066bo\nlt"
    path.write_text(
        json.dumps(event(1, evil, "tx.commit", id=evil, **{"from": [evil], evil: {evil: [evil]}}))
    )
    text = json_line(read_events([path]).events[0]) + "".join(Lines().show(read_events([path]).events))
    assert text.isprintable()
    assert "bo lt" in text


def names(events: list[dict[str, Any]]) -> list[tuple[int, str]]:
    return [(one["seq"], one["ev"]) for one in events]


def test_following_waits_for_whole_lines(folder: RunFolder) -> None:
    """A line still being written is shown when it is whole, once."""
    follower = Follower(folder)
    path = folder.make_node("acme") / "events.jsonl"
    line = json_line(event(1, "acme", "node.start")) + "\n"
    for part, expected in ((line[:30], []), (line[30:], []), ("", [(1, "node.start")]), ("", [])):
        with path.open("a") as file:
            file.write(part)
        assert expected == names(follower.poll())
    assert follower.unreadable == 0


def test_following_puts_late_lines_in_their_place(folder: RunFolder) -> None:
    """An event with an earlier clock that is read a moment later still comes first; numbers go on."""
    follower = Follower(folder)
    write(folder, [event(10, "acme", "node.ready")])
    assert follower.poll() == []
    write(folder, [event(9, "bolt", "node.start"), event(11, "bolt", "node.ready")])
    assert names(follower.poll()) == [(1, "node.start"), (2, "node.ready")]
    write(folder, [event(12, "carol", "node.start")])  # A node that was not there before.
    assert names(follower.poll()) == [(3, "node.ready")]
    assert names(follower.rest()) == [(4, "node.start")]


def test_following_ends_with_the_run(folder: RunFolder) -> None:
    """Following goes on while the run's process lives, and shows what was written before it stopped."""
    folder.write_run(pid=os.getpid(), state="ready")
    looks = 0

    def wait() -> None:
        nonlocal looks
        looks += 1
        write(folder, [event(looks, "acme", "node.start")])
        if looks == 3:
            folder.write_run(state="stopped")

    batches = list(follow(Follower(folder), wait))
    assert (looks, [one["t"] for batch in batches for one in batch]) == (3, [1, 2, 3])


def test_following_a_run_that_is_deleted(folder: RunFolder) -> None:
    """When the folder goes, following ends with the reason."""
    batches = follow(Follower(folder), lambda: shutil.rmtree(folder.path))
    with pytest.raises(PrivityError, match="E-NO-RUN"):
        list(batches)
