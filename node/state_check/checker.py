"""One node's side of the state checks: says its roots, compares others', and names what differs first.

A check runs at each height that `state_check` divides, once the payloads up to there were looked at; blocks
never wait for it. Two roots that differ lead to shorter and shorter ranges of heights, to one block, and to
its first write that the two judge differently. Who does not know that payload is behind, and nothing is
said against anybody; otherwise one of the two has another state than the chain gives, and both say so.
"""

from __future__ import annotations

import base64
import json
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from node.canonical import encode
from node.chain.store import MISSING, NO_PAYLOAD, NOT_DELIVERED, PENDING, UNKNOWN, Store
from node.consortium import Network
from node.envelopes.keys import PartyKeys
from node.objects.private_objects import PrivateObjects
from node.objects.private_state import Judged
from node.private_files import append_private
from node.reporting import Reporter
from node.state_check.history import History, first_difference
from node.state_check.packets import (
    StateEnvelope,
    StateMessage,
    StateRoots,
    StateWrite,
    StateWrites,
    cuts,
    ends_of,
)
from node.state_check.sealing import open_message, seal_message, secret_of
from node.topics import Topics

DIVERGENCES = "divergences.jsonl"
MOST_WAITING = 8  # Messages of one peer that wait for this node to come as far as they speak of.
MOST_ROUNDS = 24  # Messages of one peer about one check: 64 to the power of half of it is beyond any chain.
REMEMBERED = 4096
KEPT_OF_EACH = 64
"""Differences with one party whose proof a node keeps: what a liar may write to other people's disks."""
NOT_KNOWN = (PENDING, MISSING, UNKNOWN, NOT_DELIVERED)


@dataclass(frozen=True, slots=True)
class Received:
    """A message, by whom, and the envelope that proves it."""

    peer: str
    message: StateMessage
    envelope: StateEnvelope


class StateChecker:
    """The checks of one node, which does not wait for them. `height` is that of its ledger.

    `reads` tells, off chain, whether another party reads a payload that this one reads too, as far as this
    one can prove it; None on chain, where it is no secret who lacks a payload.
    """

    def __init__(
        self,
        network: Network,
        name: str,
        keys: PartyKeys,
        folder: Path,
        store: Store,
        objects: PrivateObjects,
        report: Reporter,
        send: Callable[[str, bytes], None],
        height: Callable[[], int],
        reads: Callable[[bytes, str], bool] | None,
    ) -> None:
        self._network = network
        self._name = name
        self._keys = keys
        self._path = folder / DIVERGENCES
        self._store = store
        self._objects = objects
        self._report = report
        self._send = send
        self._height = height
        self._reads = reads
        self._topics = Topics(network.id)
        self._every = network.rules.state_check
        # The stop may have come before what was due was said; who heard it already drops it.
        self._due = self._last_due()
        self._said = 0
        self._waiting: deque[Received] = deque()
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        self._rounds: Counter[tuple[str, int]] = Counter()
        self._told: set[tuple[str, int, bytes]] = set()
        self._kept = Counter(_peers_in(self._path))
        self._rows: dict[int, list[Judged]] = {}  # Up to a height, while one call works.

    def _last_due(self) -> int:
        return self._height() // self._every * self._every if self._every else 0

    def executed(self) -> None:
        """A block was executed."""
        if self._every:
            self._due = self._last_due()

    @property
    def busy(self) -> bool:
        """Whether `work` would find something to do."""
        return self._due > self._said or any(self._is_ripe(each) for each in self._waiting)

    def take(self, envelope: StateEnvelope) -> None:
        """A packet from the broker, whoever sent it. Never raises for what it holds."""
        if not self._every:
            self._report.drop("no state checks here")
            return
        identifier, peer = envelope.transaction.id, envelope.transaction.header.core.sender
        if peer == self._name:
            self._report.drop("own message came back")
            return
        if identifier in self._seen:
            self._report.drop("repeated", peer if peer in self._network.names else None)
            return
        message = open_message(self._network, self._keys, envelope)
        if isinstance(message, str):
            self._report.drop(message)
            return
        if not message.height or message.height % self._every or self._is_stale(message.height):
            self._report.drop("validity", peer)
            return
        if sum(each.peer == peer for each in self._waiting) >= MOST_WAITING:
            self._report.drop("over limit", peer)
            return
        self._seen[identifier] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        self._waiting.append(Received(peer, message, envelope))

    def work(self) -> None:
        """Say what is due, and answer what came. To be called when all payloads were looked at."""
        if self._due > self._said:
            self._said = self._due
            for peer in self._network.names:
                if peer != self._name:
                    self._say_root(peer, self._due)
        ripe = [each for each in self._waiting if self._is_ripe(each)]
        self._waiting = deque(each for each in self._waiting if each not in ripe)
        for each in ripe:
            if self._rounds[each.peer, each.message.height] >= MOST_ROUNDS:
                self._report.drop("over limit", each.peer)
                continue
            self._rounds[each.peer, each.message.height] += 1
            if isinstance(each.message, StateRoots):
                self._compare(each, each.message)
            else:
                self._name_the_first(each, each.message)
        self._rows.clear()
        if len(self._rounds) > REMEMBERED:
            self._rounds.clear()

    def _is_ripe(self, received: Received) -> bool:
        return received.message.height <= self._height()

    def _is_stale(self, height: int) -> bool:
        """Whether the message is of a check that is long over, or so far ahead that nobody is there."""
        own = self._height()
        return height < own - 4 * self._every or height > own + 1000 * self._every

    def _history(self, peer: str, height: int) -> History:
        if height not in self._rows:
            self._rows[height] = self._objects.rows.until(height)
        return History(self._rows[height], (self._name, peer))

    def _say(self, peer: str, message: StateMessage) -> StateEnvelope:
        position = self._network.position(peer)
        assert position is not None
        envelope = seal_message(self._network, self._keys, self._name, peer, message)
        self._send(self._topics.inbox_of(position), encode(envelope))
        return envelope

    def _say_root(self, peer: str, height: int) -> None:
        self._say_roots(peer, height, 0, [height])

    def _say_roots(self, peer: str, height: int, low: int, ends: list[int]) -> None:
        history = self._history(peer, height)
        about = encode((peer, height, low, ends, history.roots(self._network.id, bytes(16), ends)))
        salt = secret_of(self._network, self._keys.signing, about)[:16]
        roots = history.roots(self._network.id, salt, ends)
        self._say(peer, StateRoots(height, salt, low, ends[-1], roots))

    def _compare(self, received: Received, message: StateRoots) -> None:
        peer, ends = received.peer, ends_of(message)
        if ends is None:
            self._report.drop("shape", peer)
            return
        history = self._history(peer, message.height)
        own = history.roots(self._network.id, message.salt, ends)
        differs = next((i for i, root in enumerate(own) if root != message.roots[i]), None)
        if differs is None:
            if len(ends) == 1 and message.high == message.height and history.writes:
                self._report.emit("state.confirmed", h=message.height, party=peer)
            return
        low, high = (ends[differs - 1] if differs else message.low), ends[differs]
        if high - low == 1:
            self._say_writes(peer, message.height, high)
        else:
            self._say_roots(peer, message.height, low, cuts(low, high))

    def _say_writes(self, peer: str, height: int, at: int) -> StateEnvelope:
        history = self._history(peer, height)
        lacking = tuple(sorted(self._lacking(peer, history, at)))
        return self._say(peer, StateWrites(height, at, history.at(at), lacking))

    def _lacking(self, peer: str, history: History, height: int) -> set[int]:
        """Places in a block whose payload this node does not know, or has not judged, as it tells the peer.

        Off chain, what one knows tells that one reads it. So about a payload that is not for the peer, as
        far as this node can tell, it says what everybody says who does not read it (P17).
        """
        rows = self._store.database.execute(
            "SELECT position, id, payload IN (?, ?, ?, ?) OR id IN (SELECT tx FROM never_seen) FROM tx"
            " WHERE height = ? AND payload <> ?",
            (*NOT_KNOWN, height, NO_PAYLOAD),
        ).fetchall()
        shared = {each.position for each in history.at(height)}
        return history.waits(height) | {
            int(position)
            for position, identifier, unknown in rows
            if unknown or not (self._reads is None or position in shared or self._reads(identifier, peer))
        }

    def _name_the_first(self, received: Received, message: StateWrites) -> None:
        peer, at = received.peer, message.at
        if not 0 < at <= message.height or [each.position for each in message.writes] != sorted(
            {each.position for each in message.writes}
        ):
            self._report.drop("shape", peer)
            return
        history = self._history(peer, message.height)
        found = first_difference(history.at(at), message.writes)
        if found is None:
            return  # What was late has come meanwhile; the next check confirms it.
        mine, theirs = found
        first = theirs if mine is None else mine
        assert first is not None
        key = (peer, at, first.tx)
        if key in self._told:
            return
        self._told.add(key)
        envelope = self._say_writes(peer, message.height, at)  # The other one names it too.
        behind = first.position in self._lacking(peer, history, at)
        if behind or first.position in message.lacking:
            self._report.emit(
                "state.unconfirmed", "warn", tx=first.tx, h=at, party=peer, reason_code="behind"
            )
            self._told.discard(key)  # It may be confirmed, or not, when it is known.
            return
        self._keep(received, envelope, message.height, at, first)
        reason = "unknown there" if theirs is None else "unknown here" if mine is None else "outcome differs"
        self._report.emit("state.diverged", "error", tx=first.tx, h=at, party=peer, reason_code=reason)

    def _keep(self, received: Received, own: StateEnvelope, height: int, at: int, first: StateWrite) -> None:
        """Both signed lists, sealed as they passed: either party can open them and show what was said."""
        if self._kept[received.peer] >= KEPT_OF_EACH:
            return
        self._kept[received.peer] += 1
        entry = {
            "height": height,
            "block": at,
            "tx": first.tx.hex(),
            "party": received.peer,
            "theirs": base64.b64encode(encode(received.envelope)).decode(),
            "own": base64.b64encode(encode(own)).decode(),
        }
        append_private(self._path, (json.dumps(entry, separators=(",", ":")) + "\n").encode())


def _peers_in(path: Path) -> list[str]:
    """With whom the differences in a file were."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        with suppress(ValueError, KeyError, TypeError):  # A line that was cut short.
            found.append(str(json.loads(line)["party"]))
    return found
