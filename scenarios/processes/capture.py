"""The file of all that a broker carried: what a curious broker, or whoever subscribes to all, would have.

A file is a sequence of records: four bytes of length (big-endian), then canonical MessagePack
[t_ms, topic, payload, retain]. A record with the empty topic, which MQTT does not know, is the recorder's own
note; its payload is one of `Note`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

import msgspec

LENGTH_BYTES = 4


class Note(Enum):
    """What the recorder says of its own listening."""

    LISTENING = b"listening"  # From here on it hears everything.
    CUT = b"cut"  # The connection was lost: what follows, up to LISTENING, it did not hear.
    TRUNCATED = b"truncated"  # The file is as large as it may get; nothing follows.
    STOPPED = b"stopped"  # Stopped in order, after all that the broker had accepted until then.
    STOPPED_LATE = b"stopped-late"  # Stopped without having seen all of that.


class Captured(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """One message as the broker handed it out. `t_ms` counts from the start of the run."""

    t_ms: int
    topic: str
    payload: bytes
    retain: bool

    def __repr__(self) -> str:
        return f"Captured(t_ms={self.t_ms}, topic={self.topic!r}, bytes={len(self.payload)})"


class CaptureSummary(msgspec.Struct, frozen=True):
    """How much a capture holds, and whether it is everything."""

    messages: int
    size_bytes: int
    notes: tuple[Note, ...]
    torn: bool

    @property
    def truncated(self) -> bool:
        return Note.TRUNCATED in self.notes

    @property
    def gaps(self) -> int:
        """How often the recorder lost the broker."""
        return self.notes.count(Note.CUT)

    @property
    def complete(self) -> bool:
        """Whether nothing that the broker accepted between its start and its stop is missing."""
        return self.notes == (Note.LISTENING, Note.STOPPED) and not self.torn


def encode_record(captured: Captured) -> bytes:
    """One record as it stands in the file."""
    body = msgspec.msgpack.encode(captured)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def read_capture(path: Path) -> Iterator[Captured]:
    """The messages of a capture, in order. A killed recorder leaves a torn last record; it is left out."""
    return (record for record in _records(path) if record is not None and record.topic)


def summarize(path: Path) -> CaptureSummary:
    """Read a capture through and say what it is worth."""
    messages, notes, torn = 0, [], False
    for record in _records(path):
        if record is None:
            torn = True
        elif record.topic:
            messages += 1
        else:
            notes.append(Note(record.payload))
    return CaptureSummary(messages, path.stat().st_size, tuple(notes), torn)


def gaps(path: Path) -> list[tuple[int, int | None]]:
    """From when to when the recorder heard nothing, in the capture's time; None for a gap without an end."""
    found: list[tuple[int, int | None]] = []
    for record in _records(path):
        if record is None or record.topic:
            continue
        if record.payload == Note.CUT.value:
            found.append((record.t_ms, None))
        elif record.payload == Note.LISTENING.value and found and found[-1][1] is None:
            found[-1] = (found[-1][0], record.t_ms)
    return found


def drop_torn_record(path: Path) -> None:
    """Cut a last record that is not whole off the file, so that one may append to it."""
    whole = sum(len(encode_record(record)) for record in _records(path) if record is not None)
    if whole < path.stat().st_size:
        os.truncate(path, whole)


def _records(path: Path) -> Iterator[Captured | None]:
    """Every record, the notes too, and None at the end if the last one is torn."""
    decoder = msgspec.msgpack.Decoder(Captured)
    with path.open("rb") as file:
        while head := file.read(LENGTH_BYTES):
            length = int.from_bytes(head, "big")
            body = file.read(length)
            if len(head) < LENGTH_BYTES or len(body) < length:
                yield None
                return
            yield decoder.decode(body)
