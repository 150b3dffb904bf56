"""One transaction as somebody sees it: the public view, or what a party makes of it with its own keys."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from node.canonical import DecodeError
from node.chain.act import Act
from node.chain.block import BodyPath
from node.chain.deeds import Disclosure
from node.chain.reading import NodeReading, Ordered, StoredBlock
from node.disclosure.breach_reading import Breach, breaches_of
from node.duration import seconds_text
from node.envelopes.disclosure import Shown, check, is_said, package_in
from node.envelopes.envelope import NotAParty, Opened, Unreadable, readers_of, unseal
from node.envelopes.fields import Path, path_text
from node.envelopes.payload import Leaf
from node.envelopes.rule import FORBIDDEN, FREE, WITH_CONSENT, rule_leaf, rule_of
from node.envelopes.transaction import PrivateTransaction
from node.erasing.purge_reading import Purged, due_heights, purges_of
from node.errors import PrivityError
from node.objects.object_rows import read_writes
from node.run_reading import CONSORTIUM, Found, RunReading, note_reading, short_id
from node.seals.unsealing import StillSealed, open_sealed
from node.sender_evidence import FOLDER, Blamed, judge_bytes, lie_in_words, proof_of
from node.text import clean
from node.verbs.object_words import write_text
from node.verbs.show_acts import act_document, act_line, acts_about

SCHEMA = "privity.show-tx/1"
RULE_WORDS: dict[str, str] = {
    FORBIDDEN: "its readers show it to nobody",
    WITH_CONSENT: "its readers show it only to whom its sender consents",
}
LABEL_WIDTH = 12
_WIDTH = 79

READS = "reads"
NOT_PARTY = "not a named party"
NO_CIPHERTEXT = "the ciphertext is not here"
PURGED = "erased"
NOT_ORDERED = "not on this ledger"
UNREADABLE = "does not match its commitment"
PUBLIC = "public view"
SHOWN = "shown later"
SEALED = "sealed"
LATE = "too late for its seal"


@dataclass(frozen=True, slots=True)
class TransactionView:
    """A transaction as seen from one folder. `access` is one of the words above.

    `leaves` and `readers` are there for a reader alone, and `left_out`: readers whom the policy demands and
    the sender left out; `transaction` and `block` once it is ordered. `acts` are the public records about it,
    of disclosures and requests; `off_chain` is the network's policy. `rule` is what its owner lets readers
    do, as far as this view shows it; `breaches` those that are proved; `purged` the receipts of
    those who erased it. `under` says of a seal what is public.
    """

    found: Found
    seen_as: str | None
    transaction: PrivateTransaction | None
    block: StoredBlock | None
    access: str
    leaves: tuple[Leaf, ...] = ()
    readers: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    acts: tuple[tuple[Ordered, Act], ...] = ()
    off_chain: bool = False
    rule: str = FREE
    writes: str = ""  # What it writes of a private object, and what came of it, in words.
    breaches: tuple[Breach, ...] = ()
    purged: Purged | None = None
    liar: Blamed | None = None  # What the party's own proof proves against the sender, judged anew.
    under: str = ""

    def __repr__(self) -> str:
        return f"TransactionView({self.found.name}, {self.access})"


def view_transaction(reading: RunReading, found: Found, seen_as: str | None) -> TransactionView:
    """Look at a transaction. As a party: its own folder and its own key, and the look is written down."""
    view = _looked_at(reading, found, seen_as)
    proof = None if seen_as is None else proof_of(reading.folder.node(seen_as), found.id)
    return view if proof is None else replace(view, liar=judge_bytes(reading.network, proof))


def _looked_at(reading: RunReading, found: Found, seen_as: str | None) -> TransactionView:
    node = reading.highest() if seen_as is None else reading.node(seen_as)
    ordered = node.transactions.get(found.id)
    transaction = None if ordered is None else ordered.transaction
    block = None if ordered is None else node.block(ordered.height)
    if not isinstance(transaction, PrivateTransaction):
        return TransactionView(found, seen_as, None, None, NOT_ORDERED)
    acts = tuple(acts_about(node, found.id))
    view = _view(reading, node, found, seen_as, transaction, block, acts)
    if acts and (proved := tuple(breaches_of(reading, found.id))):
        view = replace(view, breaches=proved)
    # Off chain, who gave one is a reader: its sender alone is told.
    if not reading.network.off_chain or seen_as == transaction.header.core.sender:
        view = replace(view, purged=next(iter(purges_of(reading, found.id)), None))
    return view


def _view(
    reading: RunReading,
    node: NodeReading,
    found: Found,
    seen_as: str | None,
    transaction: PrivateTransaction,
    block: StoredBlock | None,
    acts: tuple[tuple[Ordered, Act], ...],
) -> TransactionView:
    under = _under(reading, node, transaction, found.id)
    if seen_as is None:
        return TransactionView(found, None, transaction, block, PUBLIC, acts=acts, under=under)
    access, opened = _open(reading, node, transaction, found.id, seen_as)
    if access == NO_CIPHERTEXT and found.id in due_heights(node):
        access = PURGED
    all_shown = _shown(reading, node, transaction, acts, seen_as) if access == NOT_PARTY else ()
    shown = tuple(leaf for leaf in all_shown if is_said(leaf.path))
    if shown:
        access = SHOWN
    able = opened is not None or access == SHOWN
    note_reading(reading, seen_as, found.id, ok=able, err="E-NOT-PARTY" if access == NOT_PARTY else None)
    if shown:
        rule = rule_of(rule_leaf(all_shown))
        return TransactionView(
            found, seen_as, transaction, block, access, shown, acts=acts, rule=rule, under=under
        )
    if opened is None:
        off_chain = reading.network.off_chain
        return TransactionView(
            found, seen_as, transaction, block, access, acts=acts, off_chain=off_chain, under=under
        )
    readers = _readers(reading, node, transaction, found.id, opened)
    # What Privity itself puts beside the fields (a run's canary) is no part of what was said.
    leaves = tuple(leaf for leaf in opened.payload.leaves if is_said(leaf.path))
    wanted = reading.network.consortium.policy.always_to
    left_out = tuple(name for name in wanted if readers and name not in readers)
    rule = rule_of(rule_leaf(opened.payload.leaves))
    judged = next((each for each in read_writes(node.folder) if each.write.tx == found.id), None)
    writes = write_text(opened.payload, judged)
    return TransactionView(
        found,
        seen_as,
        transaction,
        block,
        access,
        leaves,
        readers,
        left_out,
        acts,
        rule=rule,
        under=under,
        writes=writes,
    )


def _open(
    reading: RunReading, node: NodeReading, transaction: PrivateTransaction, identifier: bytes, name: str
) -> tuple[str, Opened | None]:
    blob = node.blob(identifier)
    if blob is None:
        return NO_CIPHERTEXT, None
    releases = node.seals.releases_of(identifier)
    try:
        key = reading.keys(name).wrapping
        return READS, open_sealed(reading.network, transaction, blob, name, key, releases).opened
    except StillSealed:
        bid = node.seals.bid(identifier)
        return (LATE if bid is not None and bid.late else SEALED), None
    except NotAParty:
        return NOT_PARTY, None
    except Unreadable as error:
        return (NO_CIPHERTEXT if error.reason.startswith("blob_") else UNREADABLE), None


def _under(reading: RunReading, node: NodeReading, transaction: PrivateTransaction, identifier: bytes) -> str:
    """Of what lies under a seal: which, and what is to come of it."""
    seal, bid = reading.network.sealed_for(transaction), node.seals.bid(identifier)
    if seal is None or bid is None:
        return ""
    if bid.late:
        return f"{seal.name}: refused, it came too late   E-SEAL-LATE"
    gave = {each.opener for each in node.seals.releases_of(identifier) if each.wraps}
    shares = f"{len(gave)} of {seal.threshold} openers' shares are released"
    return f"{seal.name}, opens at {seconds_text(seal.opens_at_ms)}: {shares}"


def _shown(
    reading: RunReading,
    node: NodeReading,
    transaction: PrivateTransaction,
    acts: Sequence[tuple[Ordered, Act]],
    name: str,
) -> tuple[Leaf, ...]:
    """What disclosures on the record have shown to this party, each leaf proved; as in the payload."""
    found: dict[Path, Leaf] = {}
    for _, act in acts:
        if not isinstance(act.deed, Disclosure) or name not in act.deed.receivers:
            continue
        ordered, blob = node.transactions.get(act.deed.carrier), node.blob(act.deed.carrier)
        if ordered is None or blob is None or not isinstance(ordered.transaction, PrivateTransaction):
            continue
        with suppress(NotAParty, Unreadable, DecodeError, PrivityError):
            payload = unseal(ordered.transaction, blob, reading.keys(name).wrapping).payload
            package = package_in(payload.fields())
            if package is None:
                continue
            shown = check(package, transaction.header, ordered.transaction.header.core, name)
            if isinstance(shown, Shown):
                found |= {leaf.path: leaf for leaf in shown.leaves}
    return tuple(found[path] for path in sorted(found, key=path_text))


def _readers(
    reading: RunReading,
    node: NodeReading,
    transaction: PrivateTransaction,
    identifier: bytes,
    opened: Opened,
) -> tuple[str, ...]:
    """Whom a reader finds in the slots; nobody when they do not add up."""
    blob = node.blob(identifier)
    assert blob is not None, "it was opened a moment ago"
    try:
        found = readers_of(transaction, blob, opened.content_key, reading.network.wrapping_keys)
    except Unreadable:
        return ()
    return tuple(name for name in reading.network.names if name in found)


def transaction_lines(view: TransactionView) -> list[str]:
    """The page that `show tx` prints."""
    name, digits = view.found.name, f"{short_id(view.found.id)}…"
    title = f"tx {clean(name)}  {digits}" if name != short_id(view.found.id) else f"tx {digits}"
    seen = "public view" if view.seen_as is None else f"seen as {view.seen_as}"
    lines = [_right(title, seen)]
    if view.transaction is None or view.block is None:
        where = f"{view.seen_as}'s ledger" if view.seen_as else "any ledger"
        lines.append(_line("status", f"not on {where}" + (", though submitted" if view.found.label else "")))
        lines.append(_line("content", "nothing is here yet; it may still be ordered"))
        return lines
    core = view.transaction.header.core
    certified = "" if view.block.block_certificate else " · block certificate not complete yet"
    status = f"committed · block {view.block.height} · view {view.block.certificate.view}{certified}"
    lines.append(_line("status", status))
    lines += _content(view)
    if view.liar is not None:
        where = f"{FOLDER}/{short_id(view.found.id)}…, which anybody can judge"
        where += "" if view.liar.lie == "wrapped_key" else "; who sees it reads the payload, too"
        lines.append(_line("proved liar", f"{view.liar.sender} {lie_in_words(view.liar.lie)}"))
        lines.append(_line("", f"proof in {view.seen_as}'s folder: {where}"))
    if view.under:
        lines.append(_line("seal", view.under))
    whom = f"readers {', '.join(view.readers)}" if view.readers else "recipients hidden"
    facts = (f"{short_id(core.payload_root)}… (salted)", f"sender {core.sender}", whom)
    lines.append(_line("commitment", "     ".join((*facts, f"size {core.size_bucket} B (padded)"))))
    if (path := _path(view)) is not None and path[0]["size"] > 1:
        lines.append(_line("in block", path[1]))
    if core.keep:
        last = view.block.height + core.keep
        lines.append(_line("kept", f"until block {last}: every node that executes it erases the payload"))
    if view.writes:
        lines.append(_line("writes", view.writes))
    if view.rule != FREE:
        lines.append(_line("rule", f"{RULE_WORDS[view.rule]} (redisclose: {view.rule})"))
    for number, (ordered, act) in enumerate(view.acts):
        lines.append(_line("on record" if number == 0 else "", act_line(ordered.height, act)))
    for number, breach in enumerate(view.breaches):
        lines.append(_line("breach" if number == 0 else "", breach.line()))
    if view.purged is not None:
        lines.append(_line("erased", view.purged.line()))
    if view.access == NOT_PARTY:
        lines.append(_line(f"{view.seen_as} can", f"check that it is on the ledger   {_check(view)}"))
        ask = f'privity request {view.found.name} --as {view.seen_as} --of {core.sender} --reason "…"'
        lines.append(_line("", f"ask to be shown it             {ask}"))
        lines.append(f"{'exit 6':>{_WIDTH + 6}}")
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
        _line("content", f"public: {len(members)} parties, {reading.network.n} of them vote"),
        *(_line("", f"{m.name}  {m.role}  {'votes' if m.votes else 'follows'}") for m in members),
    ]


def _content(view: TransactionView) -> list[str]:
    if view.access == PUBLIC:
        readers = "--as P shows what P makes of it"
        return [_line("content", f"not visible: nobody's keys were used; {readers}")]
    if view.access == NOT_PARTY:
        text = f"not visible: {view.seen_as} is not a named party"
        return [_right(_line("content", text), "E-NOT-PARTY")]
    if view.access == LATE:
        return [_right(_line("content", "not visible: it came too late for its seal"), "E-SEAL-LATE")]
    if view.access == SEALED:
        text = f"not visible yet: {view.seen_as} reads it when its seal opens"
        return [_right(_line("content", text), "E-SEAL-EARLY")]
    if view.access == NO_CIPHERTEXT:
        lines = [_line("content", f"not visible yet: the ciphertext has not reached {view.seen_as}")]
        if view.off_chain:
            text = "payloads go to their readers alone: if it is one, its node is asking the others for it"
            lines.append(_line("", text))
        return lines
    if view.access == PURGED:
        who = "whoever held it" if view.off_chain else view.seen_as
        return [_line("content", f"not here any more: {who} erased it, as its sender asked")]
    if view.access == UNREADABLE:
        return [_line("content", "unreadable: it opens, and is not what the sender committed to")]
    fields = field_lines(view.leaves) or ["(no fields)"]
    lines = [_line("content" if place == 0 else "", text) for place, text in enumerate(fields)]
    if view.left_out:
        assert view.transaction is not None
        sender, missing = view.transaction.header.core.sender, ", ".join(view.left_out)
        lines.append(_line("refused", f"{sender} left out {missing}, whom the policy demands as a reader"))
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


def _line(word: str, text: str) -> str:
    return f"{word:<{LABEL_WIDTH}}{text}"


def _right(left: str, right: str) -> str:
    return f"{left:<{_WIDTH - len(right)}}{'' if len(left) < _WIDTH - len(right) else '   '}{right}"
