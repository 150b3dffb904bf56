"""A seal as everybody sees it: who asked, what lies under it in chain order, who released what."""

from __future__ import annotations

from typing import Any

from node.chain.reading import NodeReading
from node.chain.seal_book import EARLY, Bid, SealState
from node.envelopes.envelope import NotAParty, Unreadable
from node.errors import PrivityError
from node.run_reading import Found, RunReading
from node.seals.opening import find_seal
from node.seals.unsealing import open_sealed
from node.share_evidence import any_lie_in_words, kept_share_proofs
from node.text import clean
from node.verbs.page import labelled, with_right

SCHEMA = "privity.show-seal/1"
LATE_CODE = "E-SEAL-LATE"


def view_seal(reading: RunReading, name: str, seen_as: str | None) -> dict[str, Any]:
    """A document of schema `privity.show-seal/1`. As a party: its own ledger, disk and key."""
    seal = find_seal(reading.network, name)
    node = reading.highest() if seen_as is None else reading.node(seen_as)
    state = node.seals.states[name]
    return {
        "schema": SCHEMA,
        "run": reading.folder.number,
        "seal": name,
        "seen_as": seen_as,
        "height": node.height,
        "opens_at_ms": None if seal.opens_at_height else seal.opens_at_ms,
        "opens_at_height": seal.opens_at_height or None,
        "opens": seal.opens,
        "opened": state.opened,
        "openers": list(seal.openers),
        "threshold": seal.threshold,
        "then_to": list(seal.then_to),
        "requests": [
            {"by": each.author, "height": each.at[0], "refused": each.refused or None}
            for each in state.requests
        ],
        "proved": [
            {"party": each.party, "tx": each.tx.hex(), "lie": each.lie}
            for each in kept_share_proofs(reading.network, node.folder)
            if each.tx in state.bids
        ],
        "payloads": [_payload(reading, node, state, bid, seen_as) for bid in state.bids.values()],
        "gave": state.gave(),
        "withholding": _withholding(reading, state, seen_as),
        "unanswered": [
            {"by": each.author, "of": each.of, "tx": each.tx.hex(), "height": each.at[0]}
            for each in state.unanswered(node.height)
        ],
    }


def _payload(
    reading: RunReading, node: NodeReading, state: SealState, bid: Bid, seen_as: str | None
) -> dict[str, Any]:
    releases = state.released(bid.tx)
    given = {each.opener for each in releases if each.wraps}
    return {
        "tx": bid.tx.hex(),
        "name": Found(bid.tx, reading.label(bid.tx)).name,
        "sender": bid.sender,
        "height": bid.at[0],
        "position": bid.at[1],
        "late": bid.late,
        "shares": [name for name in state.seal.openers if name in given],
        "complaints": [each.opener for each in releases if each.complains],
        "kept_back": _kept_back(reading, state, bid, seen_as),
        "read": None if seen_as is None else _reads(reading, node, bid, seen_as),
    }


def _kept_back(reading: RunReading, state: SealState, bid: Bid, seen_as: str | None) -> list[str]:
    """The keepers whose nodes did not have the ciphertext yet when the seal opened; as a party, of its own.

    If that is all of them, its sender chose after the opening, or may still choose, whether it is read.
    """
    if state.opened is None or bid.late:
        return []
    keepers = [name for name in reading.network.names if name in state.seal.keepers - {bid.sender}]
    return [
        name
        for name in keepers
        if seen_as in (None, name)
        and not any(
            each.gained == "blob" and each.tx == bid.tx.hex() and each.height < state.opened
            for each in reading.node(name).holdings
        )
    ]


def _withholding(reading: RunReading, state: SealState, seen_as: str | None) -> list[str]:
    """The openers that have released nothing for a payload whose ciphertext they have: without it nobody can.

    As a party: of other openers' disks it knows nothing, and names who has released nothing.
    """
    given = {(each.opener, each.tx) for each in state.releases if not each.refused}
    return [
        name
        for name in state.withholding()
        if seen_as not in (None, name)
        or any((name, bid.tx) not in given and reading.node(name).has_blob(bid.tx) for bid in state.on_time)
    ]


def _reads(reading: RunReading, node: NodeReading, bid: Bid, name: str) -> bool:
    """Whether this party reads it, by trying."""
    blob = node.blob(bid.tx)
    if blob is None:
        return False
    releases = node.seals.releases_of(bid.tx)
    try:
        key = reading.keys(name).wrapping
        open_sealed(reading.network, node.private_of(bid.tx), blob, name, key, releases)
    except (NotAParty, Unreadable, PrivityError):
        return False
    return True


def seal_lines(document: dict[str, Any]) -> list[str]:
    """The page that `show seal` prints."""
    seen = "public view" if document["seen_as"] is None else f"seen as {document['seen_as']}"
    lines = [with_right(f"seal {document['seal']}", seen)]
    opened, opens = document["opened"], document["opens"]
    lines.append(
        labelled("opens", f"at {opens}: " + (f"open since block {opened}" if opened else "not open yet"))
    )
    count = f"{document['threshold']} of {len(document['openers'])} together"
    lines.append(labelled("openers", f"{', '.join(document['openers'])}   {count}"))
    lines.append(labelled("then to", ", ".join(document["then_to"])))
    for number, each in enumerate(document["requests"]):
        code = "   E-SEAL-EARLY" if each["refused"] == EARLY else ""
        what = f", refused: {each['refused']}{code}" if each["refused"] else ""
        lines.append(labelled("" if number else "asked", f"block {each['height']}: {each['by']}{what}"))
    for number, each in enumerate(document["payloads"]):
        place = f"block {each['height']}, place {each['position']}"
        text = f"{clean(each['name']):<12} {each['sender']:<10} {place:<18} {_outcome(document, each)}"
        lines.append(labelled("" if number else "in order", text))
    if not document["payloads"]:
        lines.append(labelled("in order", "nothing lies under it"))
    keepers = {*document["openers"], *document["then_to"]}
    for each in document["payloads"]:
        if each["kept_back"] and {*each["kept_back"]} >= keepers - {each["sender"]}:
            kept = f"{each['sender']} kept {clean(each['name'])} back: no keeper had it when the seal opened"
            lines.append(labelled("named", kept))
    names = {each["tx"]: clean(each["name"]) for each in document["payloads"]}
    lines += [
        labelled("proved", f"{each['party']} {any_lie_in_words(each['lie'])}, of {names[each['tx']]}")
        for each in document["proved"]
    ]
    lines += [
        labelled("named", f"{name} has not released all its shares") for name in document["withholding"]
    ]
    lines += [
        labelled("named", f"{each['of']} did not answer {each['by']}'s challenge of block {each['height']}")
        for each in document["unanswered"]
    ]
    return lines


def _outcome(document: dict[str, Any], each: dict[str, Any]) -> str:
    if each["late"]:
        return f"refused: late   {LATE_CODE}"
    parts = [f"shares of {', '.join(each['shares'])}" if each["shares"] else "sealed"]
    if each["complaints"]:
        parts.append(f"unreadable for {', '.join(each['complaints'])}")
    if document["seen_as"] in each["kept_back"]:
        parts.append(f"came to {document['seen_as']} after the opening, or not at all")
    if each["read"] is not None:
        parts.append(f"{document['seen_as']} {'reads it' if each['read'] else 'cannot read it'}")
    return " · ".join(parts)
