"""`privity show object`: a private object as one of its audience has it, with its own disk and keys alone."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from node.canonical import DecodeError
from node.envelopes.envelope import NotAParty, Unreadable, unseal
from node.envelopes.fields import path_text
from node.envelopes.object_write import written_by
from node.envelopes.transaction import PrivateTransaction
from node.errors import WRONG_USAGE, PrivityError
from node.objects.object_rows import read_writes
from node.objects.private_objects import index_secret, object_digest
from node.objects.private_state import APPLIED, WAITING, Judged
from node.run_reading import Found, RunReading, note_reading
from node.text import clean
from node.verbs.object_words import outcome_text
from node.verbs.page import labelled
from node.verbs.show_transaction import field_lines
from node.verbs.transaction_view import PURGED, READS, TransactionView, view_transaction

SCHEMA = "privity.show-object/1"
_POLL_S = 0.05


def outcome_of(folder: Path, tx: bytes, within_s: float) -> Judged | None:
    """What a write did, as soon as the party's node knows; None if it does not know within that time."""
    deadline = time.monotonic() + within_s
    while True:
        found = next((each for each in read_writes(folder) if each.write.tx == tx), None)
        if (found is not None and found.outcome != WAITING) or time.monotonic() >= deadline:
            return None if found is None or found.outcome == WAITING else found
        time.sleep(_POLL_S)


def view_object(reading: RunReading, name: str, seen_as: str) -> list[dict[str, Any]]:
    """The objects of this name that a party knows, one for each audience. Raises PrivityError E-OBJECT.

    A document each: audience, version, the fields of the last version (None if they were erased), and the
    history by transaction. Looking is written down, as with `show tx`.
    """
    secret = index_secret(reading.network, reading.keys(seen_as).signing)
    writes = read_writes(reading.folder.node(seen_as))
    found = []
    for audience in sorted({each.write.audience for each in writes}):
        digest = object_digest(secret, audience, name)
        history = [each for each in writes if each.write.object == digest]
        if history:
            found.append(_document(reading, name, seen_as, audience, history))
    if not found:
        # The same words whether there is no such object or one of others: who is not of it learns nothing.
        note_reading(reading, seen_as, None, ok=False, err="E-OBJECT")
        raise PrivityError(
            "E-OBJECT",
            f"{seen_as} has no object of that name",
            why="an object is there for the parties that can read its writes, and for nobody else",
            next=f"privity show party {seen_as} --as {seen_as} lists what it can read",
            exit_code=WRONG_USAGE,
        )
    return found


def object_names(reading: RunReading, party: str) -> list[str]:
    """The names of the objects that a party has, read with its own keys. For completion."""
    node, key = reading.node(party), reading.keys(party).wrapping
    first = {each.write.object: each.write.tx for each in reversed(read_writes(node.folder))}
    names = set()
    for tx in first.values():
        ordered, blob = node.transactions.get(tx), node.blob(tx)
        if ordered is None or blob is None or not isinstance(ordered.transaction, PrivateTransaction):
            continue
        with suppress(NotAParty, Unreadable, DecodeError):
            said = written_by(unseal(ordered.transaction, blob, key).payload)
            names |= {said.name} if said is not None else set()
    return sorted(names)


def _document(
    reading: RunReading, name: str, seen_as: str, audience: Sequence[str], history: Sequence[Judged]
) -> dict[str, Any]:
    applied = [each for each in history if each.outcome == APPLIED]
    view = _look(reading, applied[-1].write.tx, seen_as) if applied else None
    return {
        "schema": SCHEMA,
        "run": reading.folder.number,
        "object": name,
        "seen_as": seen_as,
        "audience": list(audience),
        "version": applied[-1].version if applied else 0,
        "behind": any(each.outcome == WAITING for each in history),
        "erased": view is not None and view.access == PURGED,
        "fields": _fields(view),
        "lines": field_lines(view.leaves) if view is not None and view.access == READS else [],
        "history": [
            {
                "tx": each.write.tx.hex(),
                "id": _name(reading, each.write.tx),
                "height": each.write.height,
                "by": each.write.sender,
                "expects": each.write.expects,
                "outcome": each.outcome,
                "version": each.version if each.outcome == APPLIED else None,
                "text": outcome_text(each),
            }
            for each in history
        ],
    }


def _fields(view: TransactionView | None) -> list[dict[str, Any]] | None:
    if view is None or view.access != READS:
        return None
    return [
        {
            "path": path_text(leaf.path),
            "value": {"hex": leaf.value.hex()} if isinstance(leaf.value, bytes) else leaf.value,
        }
        for leaf in view.leaves
    ]


def _look(reading: RunReading, tx: bytes, seen_as: str) -> TransactionView:
    return view_transaction(reading, Found(tx, reading.label(tx)), seen_as)


def _name(reading: RunReading, tx: bytes) -> str:
    return Found(tx, reading.label(tx)).name


def object_lines(documents: Sequence[dict[str, Any]]) -> list[str]:
    """The page that `show object` prints."""
    lines: list[str] = []
    for document in documents:
        lines += [""] if lines else []
        title = f"object {clean(document['object'])}"
        lines.append(f"{title:<59} seen as {document['seen_as']}")
        lines.append(labelled("audience", ", ".join(document["audience"])))
        behind = "   behind: a payload before it on the chain is not here yet" if document["behind"] else ""
        lines.append(labelled("version", f"{document['version']}{behind}"))
        content = document["lines"]
        if document["erased"]:
            content = ["erased here, as its sender asked; the version goes on counting"]
        elif document["fields"] is None:
            content = ["not here"] if document["version"] else ["none yet"]
        lines += [labelled("fields" if place == 0 else "", text) for place, text in enumerate(content)]
        for place, each in enumerate(document["history"]):
            what = f"{each['id']:<14} block {each['height']:<5} by {each['by']:<10} {each['text']}"
            lines.append(labelled("history" if place == 0 else "", what))
    return lines


def short_outcome(judged: Judged | None) -> str:
    """What `send` says that the sender's own node made of the write."""
    return "not judged by the sender's own node yet" if judged is None else outcome_text(judged)
