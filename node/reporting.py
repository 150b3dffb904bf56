"""From notes and numbers to events: the only place where a node writes its log."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from consensus.output import Note
from node.chain.seal_book import EARLY, Released, Requested
from node.chain.store import DELIVERED, MISSING, NOT_PARTY, PENDING, REFUSED, SEALED, UNREADABLE
from node.consortium import Network
from node.disclosure.disclosures import Judged
from node.logs.events import EventLog
from node.objects.private_objects import Decided
from node.objects.private_state import APPLIED, STALE
from node.private_view import Looked

# The core's word, the event's name, its level.
_EVENTS = {
    "pre_prepare": ("pbft.pre_prepare", "info"),
    "prepare": ("pbft.prepare", "info"),
    "prepared": ("pbft.prepared", "info"),
    "commit": ("pbft.commit", "info"),
    "committed": ("pbft.committed", "info"),
    "timeout": ("pbft.timeout", "warn"),
    "fetch": ("node.catch_up", "info"),
    "fetch_requests": ("node.catch_up", "debug"),
    "refused": ("net.drop", "warn"),
    "fetch_batch": ("node.catch_up", "debug"),
    "halted": ("state.mismatch", "error"),
    "alarm": ("state.mismatch", "error"),
    "view_change": ("pbft.view_change", "warn"),
    "view_change_received": ("pbft.view_change", "info"),
    "new_view": ("pbft.new_view", "info"),
    "stable": ("pbft.checkpoint", "debug"),
    "silent": ("node.silent", "warn"),
    "speaks": ("node.ready", "info"),
    "evidence": ("evidence.misbehaviour", "error"),
    "certified": ("block.certified", "debug"),
}
_ASKING = frozenset({"fetch", "fetch_requests", "fetch_batch", "timeout"})
_OF_BLOCKS = frozenset({"certified", "halted", "stable", "alarm"})
# What an injected fault takes on its way is counted as this.
LOST_ON_PURPOSE = "lost on purpose"
# What happens in every healthy run, or was asked for, is counted, and not told one by one.
_USUAL = frozenset(
    {
        "already executed",
        "old view",
        "already certified",
        "repeated",
        "own message came back",
        LOST_ON_PURPOSE,
    }
)


@dataclass(slots=True)
class Numbers:
    """The state of a node in numbers, as `node.state` shows it."""

    height: int
    view: int
    head: bytes
    mempool: int
    low: int
    high: int
    payloads: dict[str, int]


class Reporter:
    """Writes a node's events, and counts what it drops by reason."""

    def __init__(self, events: EventLog, network: Network, replica: int) -> None:
        self._events = events
        self._names = network.names
        self._replica = replica
        self.lamport = 0
        self.dropped: Counter[str] = Counter()
        self._last: Numbers | None = None

    def emit(self, event: str, lvl: str = "info", **fields: object) -> None:
        """Write one event; `from_` stands for the field `from`."""
        if "from_" in fields:
            fields["from"] = fields.pop("from_")
        self._events.emit(event, lvl, lam=self.lamport, **fields)

    def note(self, note: Note) -> None:
        """Write what the core noted."""
        if note.event == "ignored":
            self.drop(note.reason, self._name(note.replica), note.sequence)
            return
        event, lvl = _EVENTS[note.event]
        if note.event == "evidence" and note.reason == "E1":
            event = "evidence.equivocation"
        if not self._events.wants(lvl):
            return
        fields: dict[str, object] = {"h": note.sequence} if note.sequence else {}
        fields["v"] = note.view
        if note.digest:
            fields["blk" if note.event in _OF_BLOCKS else "digest"] = note.digest
        if note.need:
            fields["have"], fields["need"] = note.have, note.need
        elif note.have:
            fields["txs" if note.event == "pre_prepare" else "count"] = note.have
        if note.replica is not None:
            key = "to" if note.event in _ASKING else "from"
            fields[key] = self._name(note.replica)
        elif note.event in ("prepare", "pre_prepare", "view_change"):
            fields["from"] = self._name(self._replica)
        if note.reason:
            fields["reason_code"] = note.reason
        self.emit(event, lvl, **fields)

    def payload(self, looked: Looked, sender: str | None) -> None:
        """Write what came of a look at a payload.

        `sender` is given with off-chain payloads. There who lacks one cannot tell whether it is for him,
        unless he sent it himself, so it is no warning; and one that was read may wait for receipts.
        """
        known = sender is None or sender == self._names[self._replica]
        found: dict[str, tuple[str, str, dict[str, object]]] = {
            DELIVERED: ("priv.deliver", "info", {}),
            MISSING: ("priv.missing", "warn" if known else "debug", {}),
            PENDING: ("priv.withheld", "warn", {"party": sender}),
            UNREADABLE: ("priv.decrypt", "error", {"reason_code": "commitment does not match"}),
            REFUSED: ("priv.decrypt", "error", {"reason_code": "mandatory reader left out"}),
            SEALED: ("priv.seal", "info", {}),
            NOT_PARTY: ("priv.denied", "debug", {"reason_code": "not a party"}),
        }
        if looked.state in found:
            event, lvl, more = found[looked.state]
            if looked.reason:
                more = {"reason_code": looked.reason}
                lvl = "warn" if looked.state in (SEALED, REFUSED) else lvl
            if looked.by:
                more = more | {"have": len(looked.by)}
            self.emit(event, lvl, tx=looked.id, h=looked.height, **more)

    def reject(self, reason: str, sender: str | None = None) -> None:
        """The same for a transaction that no node may take."""
        if not self._is_flood(reason):
            self.emit("tx.reject", "warn", reason_code=reason)
        self.drop(reason, sender)

    def disclosed(self, judged: Judged, height: int) -> None:
        """Tell what a carrier brought: fields that match the ledger, or something that is refused."""
        about: dict[str, Any] = {"tx": judged.tx, "h": height, "party": judged.discloser}
        if not judged.refused:
            self.emit("priv.disclose", ok=True, **about)
            return
        self.drop(judged.refused, judged.discloser)
        if not self._is_flood(judged.refused):
            self.emit("priv.disclose", "warn", ok=False, reason_code=judged.refused, **about)

    def wrote(self, decided: Decided) -> None:
        """Tell what a write of a private object did: it took effect, or a reasoned failure.

        Versions are private, and no log tells them.
        """
        judged, write = decided.judged, decided.judged.write
        about: dict[str, Any] = {"tx": write.tx, "h": write.height, "party": write.sender}
        if decided.again:
            self.emit("object.again", "warn", **about)
        if judged.outcome == APPLIED:
            self.emit("object.applied", **about)
        elif judged.outcome == STALE:
            self.emit("object.refused", reason_code="stale version", **about)
        else:
            self.emit("object.refused", "warn", reason_code="writer is not of the audience", **about)

    def asked_to_open(self, request: Requested, seal: str) -> None:
        """Tell of a request to open a seal, and whether it counts."""
        about: dict[str, Any] = {"id": seal, "h": request.at[0], "party": request.author}
        if not request.refused:
            self.emit("seal.open", **about)
        else:
            event = "seal.early" if request.refused == EARLY else "seal.refused"
            err = "E-SEAL-EARLY" if request.refused == EARLY else "E-NOT-OPENER"
            self.emit(event, "warn", ok=False, err=err, **about)

    def released(self, release: Released) -> None:
        """Tell of an opener's share, or of its complaint, and whether it counts."""
        about: dict[str, Any] = {"tx": release.tx, "h": release.at[0], "party": release.opener}
        if release.refused or release.complains:
            reason = release.refused or "share is unreadable"
            self.emit("seal.share", "warn", ok=False, reason_code=reason, **about)
        else:
            self.emit("seal.share", ok=True, **about)

    def duplicate(self, tx: bytes) -> None:
        """Tell that a transaction came again after its execution."""
        if not self._is_flood("already executed"):
            self.emit("tx.duplicate", tx=tx)

    def _is_flood(self, reason: str) -> bool:
        """A flood of one kind fills the counter and not the disk."""
        return self.dropped[reason] > 100 and self.dropped[reason] % 100 != 0

    def drop(self, reason: str, sender: str | None = None, height: int = 0) -> None:
        """Count what a peer sent and this node refused; a peer's fault never raises."""
        self.dropped[reason] += 1
        lvl = "debug" if reason in _USUAL or self._is_flood(reason) else "info"
        if self._events.wants(lvl):
            fields: dict[str, object] = {"reason_code": reason, "count": self.dropped[reason]}
            if sender is not None:
                fields["from"] = sender
            if height:
                fields["h"] = height
            self.emit("net.drop", lvl, **fields)

    def state(self, numbers: Numbers, *, always: bool = False) -> None:
        """Write `node.state`, if anything in it changed."""
        if numbers == self._last and not always:
            return
        self._last = numbers
        payloads: dict[str, Any] = dict(numbers.payloads)
        self.emit(
            "node.state",
            h=numbers.height,
            v=numbers.view,
            blk=numbers.head,
            mempool=numbers.mempool,
            low=numbers.low,
            high=numbers.high,
            **payloads,
        )

    def _name(self, replica: int | None) -> str | None:
        if replica is None or replica >= len(self._names):
            return None
        return self._names[replica]
