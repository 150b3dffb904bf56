"""A whole run, looked at from outside: its network, its labels, and the folders of its nodes as needed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from time import time_ns
from typing import Any, NamedTuple

from node.chain.reading import NodeReading, Ordered, read_node
from node.consortium import ConsortiumTransaction, Network
from node.envelopes.keys import PartyKeys
from node.errors import WRONG_USAGE, PrivityError
from node.logs.event_fields import DIGEST_DIGITS
from node.logs.events import EventLog
from node.run_folder import OPERATOR, Label, RunFolder, tx_digits
from node.text import clean, did_you_mean

CONSORTIUM = "consortium"
Wall = Callable[[], int]


class Found(NamedTuple):
    """A transaction that somebody named: its id, and the operator's label if it has one."""

    id: bytes
    label: Label | None

    @property
    def name(self) -> str:
        """The label, or 8 hex digits of the id."""
        return self.label.id if self.label and self.label.id else short_id(self.id)


def short_id(identifier: bytes) -> str:
    """8 hex digits: what an unlabelled transaction is called."""
    return identifier.hex()[:DIGEST_DIGITS]


class RunReading:
    """One run as it is on the disk. Each node's folder is read once, when first asked for.

    `trusting` is for who says elsewhere which blocks do not follow from what they order; see `read_node`.
    """

    def __init__(self, folder: RunFolder, *, trusting: bool = False) -> None:
        self.folder = folder
        self._trusting = trusting
        self.run: dict[str, Any] = folder.read_run()
        self.network = Network.load(folder.genesis)
        self.labels = folder.transactions()
        self._by_id = {label.tx: label for label in self.labels}
        self._nodes: dict[str, NodeReading] = {}

    def node(self, name: str) -> NodeReading:
        """The folder of this party, whose name is known to exist. Raises as `read_node` does."""
        if name not in self._nodes:
            self._nodes[name] = read_node(self.folder.node(name), self.network, trusting=self._trusting)
        return self._nodes[name]

    def nodes(self) -> dict[str, NodeReading]:
        """All nodes, voters first."""
        return {name: self.node(name) for name in self.network.names}

    def highest(self) -> NodeReading:
        """The node with the longest chain: what a public view is taken from."""
        return max(self.nodes().values(), key=lambda reading: reading.height)

    def keys(self, name: str) -> PartyKeys:
        """The keys of this party alone. Raises PrivityError E-KEYS."""
        return PartyKeys.load(self.folder.node(name) / "keys")

    def party(self, name: str, option: str = "") -> str:
        """The name itself, if there is such a party. Raises E-PARTY (wrong usage), with the nearest name."""
        if self.network.position(name) is None:
            names = self.network.names
            raise PrivityError(
                "E-PARTY",
                f"no party named {clean(name)[:40]} in run {self.folder.number}",
                where=option,
                why=did_you_mean(name, names) or f"there are: {' '.join(names)}",
                exit_code=WRONG_USAGE,
            )
        return name

    def label(self, identifier: bytes) -> Label | None:
        """What the operator calls this transaction, if he submitted it."""
        return self._by_id.get(identifier.hex())

    def name_of(self, ordered: Ordered) -> str:
        """What a transaction is called: its label, `consortium`, or 8 hex digits."""
        if isinstance(ordered.transaction, ConsortiumTransaction):
            return CONSORTIUM
        return Found(ordered.id, self.label(ordered.id)).name

    def find(self, text: str) -> Found:
        """The one transaction that is meant: by label, or by the first digits of its hash.

        Also one on the ledger that this operator did not submit. Raises E-TX for none, or more than one.
        """
        submitted = self.folder.matching(text)
        digits = tx_digits(text)
        if any(label.id == text for label in submitted) or not digits:
            label = self.folder.resolve(text)
            return Found(bytes.fromhex(label.tx), label)
        ids = {bytes.fromhex(label.tx) for label in submitted} | {
            identifier for identifier in self._on_ledgers if identifier.hex().startswith(digits)
        }
        if len(ids) != 1:
            if not ids:
                self.folder.resolve(text)  # Raises, with the nearest label.
            raise PrivityError(
                "E-TX",
                f"{clean(text)[:70]} is not one transaction but {len(ids)}",
                why="these begin so: " + " ".join(each.hex()[:16] for each in sorted(ids)[:4]),
                next="give more digits",
            )
        (identifier,) = ids
        return Found(identifier, self.label(identifier))

    @cached_property
    def _on_ledgers(self) -> set[bytes]:
        return {identifier for reading in self.nodes().values() for identifier in reading.transactions}


def operator_events(reading: RunReading, wall: Wall = lambda: time_ns() // 1_000_000) -> EventLog:
    """The operator's own log, to append to."""
    return EventLog(
        reading.folder.operator_events,
        run=reading.folder.number,
        node=OPERATOR,
        start_ms=reading.network.created_ms,
        wall=wall,
        names=reading.network.names,
    )


def note_reading(
    reading: RunReading, party: str, tx: bytes | None, *, ok: bool, err: str | None = None
) -> None:
    """Write down that somebody looked, and as whom: `--as` needs no password, so this is all there is."""
    log = operator_events(reading)
    try:
        log.emit("audit.read", party=party, tx=tx, ok=ok, err=err)
    finally:
        log.close()
