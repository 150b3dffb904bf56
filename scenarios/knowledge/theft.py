"""What somebody could read who stole a party's keys: found out by trying them on every ciphertext there is.

Keys alone read nothing. So it is told apart what they open of the party's own disk, of what the broker
carried, and of what lies at the other nodes. All of it is of one moment; the keys are those of now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from node.envelopes.envelope import NotAParty, Unreadable, unseal
from node.envelopes.keys import WrappingKey
from node.envelopes.transaction import Blob, PrivateTransaction
from node.run_reading import RunReading
from node.seals.unsealing import open_sealed
from node.text import clean, plain
from scenarios.knowledge.broker_view import capture_offset_ms, carried_blobs, until_ms
from scenarios.knowledge.disclosures import shown_by
from scenarios.knowledge.opening import How, Knowledge, Since, of_payload
from scenarios.knowledge.rows import CIPHERTEXT, NAMED, SENDER, UNSEALED, WITH_CIPHERTEXT, Cell, Matrix, Row
from scenarios.model.prediction import BROKER

THIEF = "thief"
SHOWN = 12
DISK, CARRIED, NODES = "disk", "broker", "nodes"
_Tried = tuple[PrivateTransaction, Blob, Since | None]


@dataclass(slots=True)
class Theft:
    """What the thief reads: transactions by name in the order of the rows, for each place they come from.

    `column` is the thief's own column of the matrix, which `steal` has added.
    """

    party: str
    votes: bool
    column: str
    reads: dict[str, list[str]] = field(default_factory=lambda: {DISK: [], CARRIED: [], NODES: []})
    safe: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """For `--json`, beside the matrix."""
        return {"party": self.party, "votes": self.votes, "column": self.column, "reads": self.reads} | {
            "safe": self.safe
        }


def steal(reading: RunReading, matrix: Matrix, party: str) -> Theft:
    """Try the party's keys, and add the column of whoever holds them to the matrix.

    Raises PrivityError E-KEYS when there are no such keys to steal.
    """
    key = reading.keys(party).wrapping
    member = next(each for each in reading.network.members if each.name == party)
    column = THIEF if THIEF not in matrix.columns else f"{THIEF} of {party}"
    theft = Theft(party, member.votes, column)
    carried = _carried(reading, matrix)
    others = [name for name in reading.network.names if name != party]
    shown = {
        CARRIED: _shown(matrix, party, key, carried.values()),
        NODES: _shown(matrix, party, key, _held_by(reading, matrix, others)),
    }
    for row in matrix.rows:
        found = {
            DISK: row.knows[party],
            CARRIED: _opened(reading, matrix, party, key, [carried[row.id]] if row.id in carried else ()),
            NODES: _opened(reading, matrix, party, key, _lying(reading, row, others, matrix.captured)),
        }
        row.held[column] = _held(row, party)
        for place, known in found.items():
            known |= shown.get(place, {}).get(row.id, Knowledge())
            row.learn(column, known)
            if known:
                theft.reads[place].append(row.name)
        if not row.knows[column]:
            theft.safe.append(row.name)
    matrix.columns = (*matrix.columns, column)
    return theft


def theft_lines(theft: Theft, matrix: Matrix, *, ascii_only: bool = False) -> list[str]:
    """The same in words."""
    party, total = theft.party, len(matrix.rows)
    when = "" if matrix.at.is_end else f" at {matrix.at}"
    count = total - len(theft.safe)
    rows = [
        (f"with {party}'s disk", theft.reads[DISK]),
        ("with what the broker carried", theft.reads[CARRIED]),
        ("with every other node's blobs", theft.reads[NODES]),
        ("out of reach", theft.safe),
    ]
    width = max(len(words) for words, _ in rows)
    lines = [f"whoever steals the keys of {party} reads {count} of {total} transactions{when}"]
    lines += [f"  {words:<{width}}  {_some(names)}" for words, names in rows]
    lines.append(f"and can sign as {party}: send transactions" + (", and vote" if theft.votes else ""))
    return [plain(line, ascii_only=ascii_only) for line in lines]


def _some(names: list[str]) -> str:
    """The first of them, and how many there are beside; `--json` has all."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return clean(" ".join(names[:SHOWN])) + more if names else "nothing"


def _carried(reading: RunReading, matrix: Matrix) -> dict[bytes, _Tried]:
    """The first ciphertext of each transaction that passed the broker by then, on a ledger or not."""
    found: dict[bytes, _Tried] = {}
    until = until_ms(reading, matrix.at)
    for t_ms, transaction, blob in carried_blobs(reading.folder.capture, capture_offset_ms(reading)):
        if until is None or t_ms <= until:
            found.setdefault(transaction.id, (transaction, blob, Since(t_ms, None)))
    return found


def _lying(
    reading: RunReading, row: Row, names: Iterable[str], captured: Mapping[bytes, Blob]
) -> Iterator[_Tried]:
    """What other nodes held of it then; what they erased since as it was `captured`."""
    for name in names:
        held = row.held[name].symbol in WITH_CIPHERTEXT
        blob = (reading.node(name).blob(row.id) or captured.get(row.id)) if held else None
        if blob is not None and row.transaction is not None:
            yield row.transaction, blob, row.held[name].since


def _held_by(reading: RunReading, matrix: Matrix, names: Iterable[str]) -> Iterator[_Tried]:
    """All ciphertexts that these nodes held then, those among them that carry disclosures."""
    for name in names:
        node = reading.node(name)
        gained: dict[str, Since] = {}
        for each in node.holdings:
            if matrix.at.reached(each.t, each.height):
                if each.gained == "blob":
                    gained[each.tx] = Since(each.t, each.height)
                elif each.erased == "blob":
                    gained.pop(each.tx, None)
        for ordered, transaction in node.private():
            since = gained.get(ordered.id.hex())
            blob = node.blob(ordered.id) if since is not None or matrix.at.is_end else None
            if blob is None and since is not None:
                blob = matrix.captured.get(ordered.id)  # Held then, and erased since.
            if blob is not None:
                yield transaction, blob, since


def _shown(matrix: Matrix, party: str, key: WrappingKey, tried: Iterable[_Tried]) -> dict[bytes, Knowledge]:
    """What disclosures show to whoever has this key, by transaction."""
    found: dict[bytes, Knowledge] = {}
    for transaction, blob, since in tried:
        with suppress(NotAParty, Unreadable):
            payload = unseal(transaction, blob, key).payload
            by = shown_by(matrix, payload, since)
            # What it showed to others itself tells a thief nothing that the transaction does not.
            if by is not None and transaction.header.core.sender != party:
                row, known = by
                found[row.id] = found.get(row.id, Knowledge()) | known
    return found


def _opened(
    reading: RunReading, matrix: Matrix, party: str, key: WrappingKey, tried: Iterable[_Tried]
) -> Knowledge:
    """What the key opens of these: they are the same ciphertext, so the first that opens is enough.

    What lies under a seal it opens with the shares released to its owner by then, which are on every ledger.
    """
    network, chain = reading.network, reading.highest()
    for transaction, blob, since in tried:
        reason = SENDER if transaction.header.core.sender == party else NAMED
        created_ms = network.created_ms
        releases = [
            each
            for each in chain.seals.releases_of(transaction.id)
            if matrix.at.reached(each.time_ms - created_ms, each.at[0])
        ]
        try:
            found = open_sealed(network, transaction, blob, party, key, releases)
            if found.last is not None:
                reason, since = UNSEALED, Since(found.last.time_ms - created_ms, found.last.at[0])
            return of_payload(found.opened.payload, How(reason, since))
        except (NotAParty, Unreadable):
            continue
    return Knowledge()


def _held(row: Row, party: str) -> Cell:
    """Ciphertext, if anybody has it: the thief may look at every disk, and at the capture."""
    if row.held[party].symbol in WITH_CIPHERTEXT:
        return row.held[party]
    if row.held[BROKER].symbol == CIPHERTEXT:
        return row.held[BROKER]
    found = next((cell for cell in row.held.values() if cell.symbol == CIPHERTEXT), row.held[party])
    return found._replace(reason="")  # Another party's reason is none of the thief's.
