"""The page of one transaction, and the same as a document."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from node.chain.block import BodyPath
from node.envelopes.fields import path_text
from node.envelopes.payload import Leaf
from node.envelopes.rule import FORBIDDEN, FREE, WITH_CONSENT
from node.run_reading import CONSORTIUM, RunReading, short_id
from node.sender_evidence import FOLDER, lie_in_words
from node.text import clean
from node.verbs.page import PAGE_WIDTH, labelled, with_right
from node.verbs.show_acts import act_document, act_line
from node.verbs.transaction_view import (
    LATE,
    NO_CIPHERTEXT,
    NOT_PARTY,
    PUBLIC,
    PURGED,
    READS,
    SEALED,
    SHOWN,
    UNREADABLE,
    TransactionView,
)

SCHEMA = "privity.show-tx/1"
RULE_WORDS: dict[str, str] = {
    FORBIDDEN: "its readers show it to nobody",
    WITH_CONSENT: "its readers show it only to whom its sender consents",
}


def transaction_lines(view: TransactionView) -> list[str]:
    """The page that `show tx` prints."""
    name, digits = view.found.name, f"{short_id(view.found.id)}…"
    title = f"tx {clean(name)}  {digits}" if name != short_id(view.found.id) else f"tx {digits}"
    seen = "public view" if view.seen_as is None else f"seen as {view.seen_as}"
    lines = [with_right(title, seen)]
    if view.transaction is None or view.block is None:
        where = f"{view.seen_as}'s ledger" if view.seen_as else "any ledger"
        lines.append(
            labelled("status", f"not on {where}" + (", though submitted" if view.found.label else ""))
        )
        lines.append(labelled("content", "nothing is here yet; it may still be ordered"))
        return lines
    core = view.transaction.header.core
    certified = "" if view.block.block_certificate else " · block certificate not complete yet"
    status = f"committed · block {view.block.height} · view {view.block.certificate.view}{certified}"
    lines.append(labelled("status", status))
    lines += _content(view)
    if view.liar is not None:
        where = f"{FOLDER}/{short_id(view.found.id)}…, which anybody can judge"
        where += "" if view.liar.lie == "wrapped_key" else "; who sees it reads the payload, too"
        lines.append(labelled("proved liar", f"{view.liar.sender} {lie_in_words(view.liar.lie)}"))
        lines.append(labelled("", f"proof in {view.seen_as}'s folder: {where}"))
    if view.under:
        lines.append(labelled("seal", view.under))
    whom = f"readers {', '.join(view.readers)}" if view.readers else "recipients hidden"
    facts = (f"{short_id(core.payload_root)}… (salted)", f"sender {core.sender}", whom)
    lines.append(labelled("commitment", "     ".join((*facts, f"size {core.size_bucket} B (padded)"))))
    if (path := _path(view)) is not None and path[0]["size"] > 1:
        lines.append(labelled("in block", path[1]))
    if core.keep:
        last = view.block.height + core.keep
        lines.append(labelled("kept", f"until block {last}: every node that executes it erases the payload"))
    if view.writes:
        lines.append(labelled("writes", view.writes))
    if view.rule != FREE:
        lines.append(labelled("rule", f"{RULE_WORDS[view.rule]} (redisclose: {view.rule})"))
    for number, (ordered, act) in enumerate(view.acts):
        lines.append(labelled("on record" if number == 0 else "", act_line(ordered.height, act)))
    for number, breach in enumerate(view.breaches):
        lines.append(labelled("breach" if number == 0 else "", breach.line()))
    if view.purged is not None:
        lines.append(labelled("erased", view.purged.line()))
    if view.access == NOT_PARTY:
        lines.append(labelled(f"{view.seen_as} can", f"check that it is on the ledger   {_check(view)}"))
        ask = f'privity request {view.found.name} --as {view.seen_as} --of {core.sender} --reason "…"'
        lines.append(labelled("", f"ask to be shown it             {ask}"))
        lines.append(f"{'exit 6':>{PAGE_WIDTH + 6}}")
    return lines


def transaction_document(reading: RunReading, view: TransactionView) -> dict[str, Any]:
    """The same as a document of schema `privity.show-tx/1`; `content` is null for whoever may not read."""
    transaction, block = view.transaction, view.block
    content = None
    if view.access in (READS, SHOWN):
        content = [{"path": list(leaf.path), "value": _json_value(leaf.value)} for leaf in view.leaves]
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "run": reading.folder.number,
        "tx": view.found.id.hex(),
        "id": view.found.label.id or None if view.found.label else None,
        "seen_as": view.seen_as,
        "status": "committed" if transaction is not None else "not ordered",
        "access": view.access,
        "content": content,
        "readers": list(view.readers) or None,
        "acts": [act_document(reading.highest(), ordered, act) for ordered, act in view.acts],
        "writes": view.writes or None,
        "redisclose": view.rule if view.access in (READS, SHOWN) else None,
        "breaches": [breach.document() for breach in view.breaches],
        "purged": None if view.purged is None else view.purged.document(),
        "liar": None if view.liar is None else {"party": view.liar.sender, "lie": view.liar.lie},
    }
    if transaction is not None and block is not None:
        core = transaction.header.core
        document |= {
            "sender": core.sender,
            "commitment": core.payload_root.hex(),
            "body_path": None if (path := _path(view)) is None else path[0],
            "size_bytes": core.size_bucket,
            "slots": core.slot_bucket,
            "keep": core.keep or None,
            "height": block.height,
            "view": block.certificate.view,
            "block": block.hash.hex(),
        }
    if view.access == NOT_PARTY:
        document["error"] = {"code": "E-NOT-PARTY", "what": f"{view.seen_as} is not a named party"}
    return document


def consortium_lines(reading: RunReading) -> list[str]:
    """The one public transaction, which block 1 orders."""
    members = reading.network.members
    return [
        f"tx {CONSORTIUM}  {short_id(reading.network.transaction.id)}…",
        labelled("content", f"public: {len(members)} parties, {reading.network.n} of them vote"),
        *(labelled("", f"{m.name}  {m.role}  {'votes' if m.votes else 'follows'}") for m in members),
    ]


def _content(view: TransactionView) -> list[str]:
    if view.access == PUBLIC:
        readers = "--as P shows what P makes of it"
        return [labelled("content", f"not visible: nobody's keys were used; {readers}")]
    if view.access == NOT_PARTY:
        text = f"not visible: {view.seen_as} is not a named party"
        return [with_right(labelled("content", text), "E-NOT-PARTY")]
    if view.access == LATE:
        return [with_right(labelled("content", "not visible: it came too late for its seal"), "E-SEAL-LATE")]
    if view.access == SEALED:
        text = f"not visible yet: {view.seen_as} reads it when its seal opens"
        return [with_right(labelled("content", text), "E-SEAL-EARLY")]
    if view.access == NO_CIPHERTEXT:
        lines = [labelled("content", f"not visible yet: the ciphertext has not reached {view.seen_as}")]
        if view.off_chain:
            text = "payloads go to their readers alone: if it is one, its node is asking the others for it"
            lines.append(labelled("", text))
        return lines
    if view.access == PURGED:
        who = "whoever held it" if view.off_chain else view.seen_as
        return [labelled("content", f"not here any more: {who} erased it, as its sender asked")]
    if view.access == UNREADABLE:
        return [labelled("content", "unreadable: it opens, and is not what the sender committed to")]
    fields = field_lines(view.leaves) or ["(no fields)"]
    lines = [labelled("content" if place == 0 else "", text) for place, text in enumerate(fields)]
    if view.left_out:
        assert view.transaction is not None
        sender, missing = view.transaction.header.core.sender, ", ".join(view.left_out)
        lines.append(labelled("refused", f"{sender} left out {missing}, whom the policy demands as a reader"))
    return lines


def field_lines(leaves: Sequence[Leaf]) -> list[str]:
    """Names and values in two columns. Control characters, which a sender may have put in, are taken out."""
    rows = [(clean(path_text(leaf.path)), clean(value_text(leaf.value))) for leaf in leaves]
    width = max((len(path) for path, _ in rows), default=0)
    return [f"{path:<{width}}  {value}".rstrip() for path, value in rows]


def value_text(value: object) -> str:
    """A value as people write it; bytes as hexadecimal digits."""
    if isinstance(value, str):
        return value
    return value.hex() if isinstance(value, bytes) else json.dumps(value)


def _json_value(value: object) -> object:
    return {"hex": value.hex()} if isinstance(value, bytes) else value


def _check(view: TransactionView) -> str:
    assert view.block is not None
    return f"privity show block {view.block.height} --as {view.seen_as}"


def _path(view: TransactionView) -> tuple[dict[str, Any], str] | None:
    """The Merkle path of this transaction to its block's body root, checked; for `--json`, and in words."""
    block = view.block
    if block is None or view.found.id not in block.batch.requests:
        return None
    path, root = BodyPath.of(block.batch.requests, view.found.id), block.header.body_root
    holds = path.leads_to(root, view.found.id)
    words = (
        f"leaf {path.index + 1} of {path.size}; {len(path.hashes)} hashes lead to body root {short_id(root)}…"
    )
    document = {
        "index": path.index,
        "size": path.size,
        "hashes": [each.hex() for each in path.hashes],
        "body_root": root.hex(),
        "leads_there": holds,
    }
    return (
        document,
        words if holds else f"leaf {path.index + 1} of {path.size}: does not lead to the body root",
    )
