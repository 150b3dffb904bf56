"""Events as lines for people: time, node, event, subject, and the rest in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.cells import cell_len

from node.cells import CELLS, cell_meaning
from node.logs.events import Event
from node.text import plain

NODE_WIDTH_MIN = 6
EVENT_WIDTH = 16
SUBJECT_WIDTH = 17
RULE = "─" * 12

_VOTES = {"pbft.prepare": "pbft.prepared", "pbft.commit": "pbft.committed"}
_LEVEL_WORDS = {"warn": "warning", "error": "error"}
_REFUSALS = frozenset({"step.refused", "tx.reject", "priv.denied", "seal.early"})
_CONSENSUS = ("pbft.", "block.", "state.", "node.")
_Ballot = tuple[str, str, int, int, str]
_PAYLOADS = (
    "delivered",
    "pending",
    "missing",
    "unreadable",
    "refused",
    "unknown",
    "not_party",
    "not_delivered",
    "purged",
    "sealed",
)
_COUNTED = {"net.drop": "in all", "pbft.timeout": "waiting"}
_VOTES_KEPT = 4096


class Lines:
    """Turns events into lines, in their order; it remembers the last one, for gaps, and who voted.

    `labels` gives the name under which a transaction was submitted, by the 8 digits of its hash that a
    log has; it may grow meanwhile. `gap_ms` None draws no gap lines.
    """

    def __init__(
        self,
        *,
        nodes: Iterable[str] = (),
        labels: Mapping[str, str] | None = None,
        gap_ms: int | None = None,
        ascii_only: bool = False,
    ) -> None:
        self._labels = {} if labels is None else labels
        self._gap_ms = gap_ms
        self._ascii = ascii_only
        self._node_width = max(NODE_WIDTH_MIN, *map(cell_len, nodes), 0)
        self._last_ms: int | None = None
        self._voters: dict[_Ballot, list[str]] = {}

    def learn(self, events: Iterable[Event]) -> None:
        """Take note of who voted, also in events that will not be shown."""
        for event in events:
            decided = _VOTES.get(event["ev"])
            if decided and isinstance(event.get("from"), str):
                voters = self._voters.setdefault(_ballot(event, decided), [])
                if event["from"] not in voters:
                    voters.append(event["from"])
                if len(self._voters) > _VOTES_KEPT:
                    del self._voters[next(iter(self._voters))]

    def show(self, events: Iterable[Event]) -> Iterator[str]:
        """A line for each event, and between two that are far apart a line that says so."""
        for event in events:
            if self._gap_ms and self._last_ms is not None and event["t"] - self._last_ms >= self._gap_ms:
                gap = f"{RULE} {(event['t'] - self._last_ms) / 1000:.1f} s without events {RULE}"
                yield plain(gap, ascii_only=self._ascii)
            self._last_ms = event["t"]
            yield self._line(event)

    def _line(self, event: Event) -> str:
        self._node_width = max(self._node_width, cell_len(event["node"]))
        subject = plain(self._subject(event), ascii_only=self._ascii)
        words = plain(self._words(event), ascii_only=self._ascii)
        return (
            f"{clock(event['t'])}  {event['node']:<{self._node_width}}  {event['ev']:<{EVENT_WIDTH}} "
            f"{subject:<{SUBJECT_WIDTH}} {words}"
        ).rstrip()

    def _name(self, event: Event) -> str:
        """What the operator calls the transaction, or the beginning of its hash."""
        tx = event.get("tx", "")
        return str(event.get("id") or self._labels.get(tx) or (tx and f"{tx}…"))

    def _subject(self, event: Event) -> str:
        if "h" in event and event["ev"].startswith(_CONSENSUS):
            digest = event.get("blk") or event.get("digest")
            view = f" v{event['v']}" if "v" in event else ""
            return f"h{event['h']}{view}" + (f" {digest[:4]}…" if digest else "")
        if "v" in event and event["ev"].startswith("pbft."):
            return f"v{event['v']}"
        return self._name(event) or str(event.get("party") or event.get("fault") or event.get("msg") or "")

    def _words(self, event: Event) -> str:
        parts = [
            _LEVEL_WORDS.get(event["lvl"], ""),
            *self._consensus(event),
            *self._outcome(event),
            *_privacy(event),
            *_state(event),
        ]
        words = " · ".join(part for part in parts if part)
        return f"{words}   {event['dur_ms']} ms".lstrip() if "dur_ms" in event else words

    def _consensus(self, event: Event) -> Iterator[str]:
        if event["ev"].startswith(_CONSENSUS):
            to = f"-> {_names(event['to'], event)}" if "to" in event else ""
            yield f"{_count(event['txs'], 'tx')} {to}".rstrip() if "txs" in event else to
            yield self._votes(event)
            if "state_root" in event:
                yield f"state {event['state_root'][:4]}…"
            if event.get("cell") in CELLS:
                yield f"{self._name(event)}: {cell_meaning(event['cell'])}"
            return
        yield str(event.get("phase", ""))
        yield f"from {_names(event['from'], event)}" if "from" in event else ""
        yield f"-> {_names(event['to'], event)}" if "to" in event else ""
        yield cell_meaning(event["cell"]) if event.get("cell") in CELLS else ""
        yield f"block {event['h']}" if "h" in event and event["ev"] not in _REFUSALS else ""

    def _votes(self, event: Event) -> str:
        """'2 of 2 ✓ (self bolt)': how many matching votes are here, how many it takes, whose they are."""
        voters = event.get("from", [])
        if "need" not in event or "have" not in event:
            return f"from {_names(voters, event)}" if voters else ""
        if not voters:
            known = self._voters.get(_ballot(event, event["ev"]), [])
            voters = known if len(known) == event["have"] else []
        decided = event["ev"] in _VOTES.values()
        count = f"{event['have']} of {event['need']}"
        enough = " ✓" if event["have"] >= event["need"] else " ✗"
        words = count + enough if decided else f"have {count}"
        return f"{words} ({_names(voters, event)})" if voters else words

    def _outcome(self, event: Event) -> Iterator[str]:
        if event["ev"] in _REFUSALS:
            outcome = "refused"
        else:
            outcome = {True: "ok ✓", False: "failed ✗"}.get(event.get("ok", ""), "")
        yield f"{outcome} {event.get('err', '')}".strip()
        yield event.get("hint", "")
        yield f"line {event['line']}" if "line" in event else ""
        if "fault" in event and event["fault"] != self._subject(event):
            yield f"by fault {event['fault']}"


def clock(t_ms: int) -> str:
    """Milliseconds since the start as mm:ss.mmm."""
    minutes, rest = divmod(abs(t_ms), 60_000)
    return f"{'-' if t_ms < 0 else ''}{minutes:02d}:{rest // 1000:02d}.{rest % 1000:03d}"


def _privacy(event: Event) -> Iterator[str]:
    if "readers_n" in event:
        yield f"for {_count(event['readers_n'], 'reader')}"
    if "bytes" in event:
        yield f"{event['bytes']} B padded"
    if "reason_code" in event:
        yield str(event["reason_code"]).replace("_", " ")
    if "count" in event:
        yield f"{event['count']} {_COUNTED.get(event['ev'], 'times')}"


def _state(event: Event) -> Iterator[str]:
    if "mempool" in event:
        yield f"mempool {event['mempool']}"
    if "low" in event and "high" in event:
        yield f"window {event['low']}..{event['high']}"
    yield " ".join(f"{name.replace('_', ' ')} {event[name]}" for name in _PAYLOADS if name in event)


def _names(names: Any, event: Event) -> str:
    """Names as one text; the node's own is 'self'."""
    each = [names] if isinstance(names, str) else list(names)
    return " ".join("self" if name == event["node"] else str(name) for name in each)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _ballot(event: Event, decided: str) -> _Ballot:
    """What a vote is for: on this node, the step it leads to, at this height and view, of this batch."""
    return event["node"], decided, event.get("h", 0), event.get("v", 0), event.get("digest", "")
