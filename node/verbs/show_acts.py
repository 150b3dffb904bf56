"""Acts as everybody sees them: who showed or asked for what, to whom, why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from node.chain.act import Act
from node.chain.deeds import (
    Challenge,
    Consent,
    Deed,
    Disclosure,
    Open,
    Purge,
    PurgeReceipt,
    Release,
    Revocation,
)
from node.chain.reading import NodeReading, Ordered
from node.chain.round_deeds import RoundDeed
from node.run_reading import Found, RunReading, short_id
from node.text import clean
from node.verbs.page import labelled
from node.verbs.show_rounds import deed_words, round_document, round_page


def acts_about(node: NodeReading, tx: bytes) -> Iterator[tuple[Ordered, Act]]:
    """The acts on this ledger that speak of a transaction, in chain order."""
    return ((ordered, act) for ordered, act in node.acts() if deed_tx(act.deed) == tx)


def act_line(height: int, act: Act, what: str = "it") -> str:
    """`block 6: importer showed 2 of its fields to auditor: "confirmation"`."""
    deed = act.deed
    if isinstance(deed, RoundDeed):
        return f"block {height}: {act.sender} {deed_words(deed)}"
    if isinstance(deed, Open):
        return f"block {height}: {act.sender} asked to open {deed.seal}"
    if isinstance(deed, Release):
        did = "released its share of" if deed.wraps else "said that its share is unreadable of"
        return f"block {height}: {act.sender} {did} {what}"
    if isinstance(deed, Challenge):
        return f"block {height}: {act.sender} said that it cannot read the share of {deed.of} of {what}"
    if isinstance(deed, PurgeReceipt):
        count = f"{len(deed.txs)} payload{'' if len(deed.txs) == 1 else 's'}"
        return f"block {height}: {act.sender} signed that it has erased {count}"
    reason = clean(deed.reason)
    if isinstance(deed, Disclosure):
        part = f"the whole of {what}" if deed.whole else f"{deed.fields} of the fields of {what}"
        return f'block {height}: {act.sender} showed {part} to {", ".join(deed.receivers)}: "{reason}"'
    if isinstance(deed, Consent):
        lasts = f" until block {deed.until}" if deed.until else ""
        return (
            f'block {height}: {act.sender} consents that {what} is shown to {_whom(deed)}{lasts}: "{reason}"'
        )
    if isinstance(deed, Revocation):
        return f'block {height}: {act.sender} withdraws {what} from {_whom(deed)}: "{reason}"'
    if isinstance(deed, Purge):
        return f'block {height}: {act.sender} has every node erase {what}: "{reason}"'
    return f'block {height}: {act.sender} asked {deed.of} to be shown {what}: "{reason}"'


def _whom(deed: Consent | Revocation) -> str:
    """The parties, or how many there are whom only readers recognise."""
    named = deed.to if isinstance(deed, Consent) else deed.of
    count = len(deed.hidden)
    return ", ".join(named) if named else f"{count} {'party' if count == 1 else 'parties'} (hidden)"


def act_document(node: NodeReading, ordered: Ordered, act: Act) -> dict[str, Any]:
    """The same as a document."""
    deed = act.deed
    if isinstance(deed, RoundDeed):
        return round_document(node, ordered, act)
    if isinstance(deed, PurgeReceipt):
        facts = {"record": ordered.id.hex(), "height": ordered.height, "by": act.sender}
        return {**facts, "act": "purge receipt", "txs": [tx.hex() for tx in deed.txs]}
    document: dict[str, Any] = {
        "record": ordered.id.hex(),
        "height": ordered.height,
        "by": act.sender,
        "tx": None if (about := deed_tx(deed)) is None else about.hex(),
        "reason": None if isinstance(deed, Open | Release | Challenge) else deed.reason,
    }
    if isinstance(deed, Open):
        return document | {"act": "open", "seal": deed.seal}
    if isinstance(deed, Release):
        return document | {"act": "release", "readable": bool(deed.wraps)}
    if isinstance(deed, Challenge):
        return document | {"act": "challenge", "of": deed.of}
    if isinstance(deed, Disclosure):
        return document | {
            "act": "disclosure",
            "to": list(deed.receivers),
            "fields": deed.fields,
            "whole": deed.whole,
            "carrier": deed.carrier.hex(),
            "answers": None if deed.answers is None else deed.answers.hex(),
        }
    if isinstance(deed, Consent):
        document |= {"act": "consent", "to": list(deed.to), "hidden": len(deed.hidden)}
        return document | {"until": deed.until or None}
    if isinstance(deed, Revocation):
        return document | {"act": "revocation", "of": list(deed.of), "hidden": len(deed.hidden)}
    if isinstance(deed, Purge):
        return document | {"act": "purge"}
    return document | {"act": "request", "of": deed.of}


def act_page(reading: RunReading, node: NodeReading, ordered: Ordered, act: Act) -> list[str]:
    """The page of an act: all of it is public."""
    deed = act.deed
    if isinstance(deed, RoundDeed):
        return round_page(reading, node, ordered, act)
    name, digits = Found(ordered.id, reading.label(ordered.id)).name, f"{short_id(ordered.id)}…"
    if isinstance(deed, PurgeReceipt):
        names = [Found(tx, reading.label(tx)).name for tx in deed.txs]
        lines = [f"tx {clean(name)}  {digits}", labelled("public", act_line(ordered.height, act))]
        return [
            *lines,
            *(labelled("about" if not at else "", f"tx {clean(each)}") for at, each in enumerate(names)),
        ]
    tx = deed_tx(deed)
    if tx is None:
        text = act_line(ordered.height, act)
        request = node.seals.request(ordered.id)
        refused = f" (refused: {request.refused})" if request is not None and request.refused else ""
        return [f"tx {clean(name)}  {digits}", labelled("public", text + refused)]
    about = Found(tx, reading.label(tx)).name
    lines = [f"tx {clean(name)}  {digits}", labelled("public", act_line(ordered.height, act, clean(about)))]
    known = tx in node.transactions
    lines.append(labelled("about", f"tx {clean(about)}" + ("" if known else ", which is not on this ledger")))
    if isinstance(deed, Disclosure):
        carrier = node.transactions.get(deed.carrier)
        where = "is not on this ledger" if carrier is None else f"block {carrier.height}"
        lines.append(labelled("carrier", f"{short_id(deed.carrier)}… {where}: sealed for its receivers"))
        if deed.answers is not None:
            lines.append(labelled("answers", f"request {short_id(deed.answers)}…"))
    return lines


def deed_tx(deed: Deed) -> bytes | None:
    """The transaction that a deed speaks of; None for one that speaks of none."""
    return None if isinstance(deed, Open | RoundDeed | PurgeReceipt) else deed.tx
