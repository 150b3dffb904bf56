"""All that somebody has of a virtual run who is no party to its secrets: a node, and the broker.

What depends on the secret through a salted hash, a ciphertext or a signature looks random and is put under
a name: the first such value is `#0`, the next new one `#1`. Names keep the length of bytes, and where a value
comes again, the same name. All else (numbers, words, times, order, sizes) stays as it is. So two runs that
differ in a secret alone must have equal views, or the secret can be told from outside.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from difflib import unified_diff
from typing import Any

import msgspec

from node.canonical import DecodeError
from node.run_folder import EVENTS
from node.run_reading import RunReading
from node.verbs.show_transaction import transaction_lines
from node.verbs.transaction_view import view_transaction
from node.wire import decode_frame
from scenarios.judging import Evidence
from scenarios.processes.capture import read_capture

_DIGITS = re.compile(r"\b(?:m-)?[0-9a-f]{8}(?:[0-9a-f]{56})?\b")
View = dict[str, list[str]]


@dataclass
class Names:
    """Names for random-looking values, in the order of their first appearance."""

    given: dict[bytes | str, int] = field(default_factory=dict)

    def of(self, value: bytes | str) -> str:
        number = self.given.setdefault(value, len(self.given))
        return f"#{number}" if isinstance(value, str) else f"#{number}:{len(value)} B"

    def text(self, text: str) -> str:
        """A text with its hexadecimal digests under names."""
        return _DIGITS.sub(lambda found: self.of(found[0]), text)

    def shape(self, value: object) -> object:
        """A decoded value with its bytes under names; what is encoded inside of bytes is looked into."""
        if isinstance(value, bytes):
            inner = _decoded(value)
            return self.of(value) if inner is None else [f"{len(value)} B", self.shape(inner)]
        if isinstance(value, list | tuple):
            return [self.shape(each) for each in value]
        return value


def non_party_view(evidence: Evidence, names: Iterable[str]) -> View:
    """What these nodes and the broker have, by where they have it."""
    reading = RunReading(evidence.folder)
    view: View = {"broker": list(_broker(evidence))}
    for name in names:
        parts: dict[str, Callable[[Evidence, RunReading, str], Iterator[str]]] = {
            "log": _log,
            "disk": _disk,
            "ledger": _ledger,
            "pages": _pages,
        }
        view |= {f"{name}: {part}": list(read(evidence, reading, name)) for part, read in parts.items()}
    return view


def differences(one: View, other: View) -> list[str]:
    """Where two views are not the same, each with the first lines that differ."""
    found = []
    for part in one.keys() | other.keys():
        lines = list(unified_diff(one.get(part, []), other.get(part, []), lineterm="", n=0))[3:7]
        found += [f"{part}: {' | '.join(line[:160] for line in lines)}"] if lines else []
    return sorted(found)


def _broker(evidence: Evidence) -> Iterator[str]:
    """Every packet in its order: when, to which topic, and its shape."""
    names = Names()
    for captured in read_capture(evidence.folder.capture):
        try:
            packets: Iterable[bytes] = decode_frame(captured.payload).packets
        except DecodeError:
            packets = (captured.payload,)
        shapes = [names.shape(packet) for packet in packets]
        yield f"{captured.t_ms} {names.text(captured.topic)} {json.dumps(shapes)}"


def _log(evidence: Evidence, reading: RunReading, name: str) -> Iterator[str]:
    names = Names()
    for line in (evidence.folder.node(name) / EVENTS).read_text().splitlines():
        yield names.text(line)


def _disk(evidence: Evidence, reading: RunReading, name: str) -> Iterator[str]:
    """Each file and its size, what it says of holdings; the node's own keys are the same in both runs."""
    names, folder = Names(), evidence.folder.node(name)
    holdings = (folder / "holdings.jsonl").read_text().splitlines()
    yield from map(names.text, holdings)  # First of all: they give transactions names in chain order.
    sizes = [
        (names.text(str(path.relative_to(folder))), path.stat().st_size)
        for path in folder.rglob("*")
        if path.is_file()
    ]
    yield from (f"{path} {size} B" for path, size in sorted(sizes))


def _ledger(evidence: Evidence, reading: RunReading, name: str) -> Iterator[str]:
    names = Names()
    for block in reading.node(name).blocks:
        yield f"block {json.dumps(names.shape(msgspec.to_builtins(block.header, builtin_types=[bytes])))}"
    for ordered in reading.node(name).transactions.values():
        raw = msgspec.to_builtins(ordered.transaction, builtin_types=[bytes])
        yield f"{ordered.height} {ordered.position} {ordered.executed} {json.dumps(names.shape(raw))}"
    indexed = reading.node(name).indexed()
    for identifier in reading.node(name).transactions:
        yield f"{names.of(identifier)} {indexed[identifier]}"


def _pages(evidence: Evidence, reading: RunReading, name: str) -> Iterator[str]:
    """What `show tx` tells this party of each transaction."""
    names = Names()
    for sent in evidence.sent.values():
        page = view_transaction(reading, reading.find(sent.tx.hex()), name)
        yield from (names.text(line) for line in transaction_lines(page))


def _decoded(value: bytes) -> Any:
    """The array that is encoded in these bytes, None if there is none: a digest hardly ever is one."""
    try:
        inner = msgspec.msgpack.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return inner if isinstance(inner, list) and msgspec.msgpack.encode(inner) == value else None
