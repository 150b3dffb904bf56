"""Blocks, nodes and parties as `show` prints them. Each view has one dict, which is also its `--json`."""

from __future__ import annotations

import hashlib
from typing import Any

from consensus.messages import Status
from consensus.quorum import quorum
from node.chain.deeds import Disclosure
from node.chain.reading import NodeReading, StoredBlock
from node.chain.store import PAYLOAD_STATES
from node.envelopes.envelope import NotAParty, Unreadable, unseal
from node.errors import WRONG_USAGE, PrivityError
from node.run_reading import Found, RunReading, note_reading, short_id
from node.text import clean
from node.verbs.page import labelled

BLOCK_SCHEMA = "privity.show-block/1"
NODE_SCHEMA = "privity.show-node/1"
PARTY_SCHEMA = "privity.show-party/1"


def view_block(reading: RunReading, text: str, seen_as: str | None) -> dict[str, Any]:
    """The block at a height, from one party's disk or from that of the highest node.

    Raises PrivityError E-BLOCK (wrong usage) when there is none.
    """
    node = reading.highest() if seen_as is None else reading.node(seen_as)
    block = node.block(int(text)) if text.isascii() and text.isdigit() and len(text) < 16 else None
    if block is None:
        raise PrivityError(
            "E-BLOCK",
            f"no block {clean(text)[:20]} in run {reading.folder.number}",
            why=f"{node.name} has blocks 1 to {node.height}" if node.height else f"{node.name} has none yet",
            exit_code=WRONG_USAGE,
        )
    names, header = reading.network.names, block.header
    certified = block.block_certificate
    return {
        "schema": BLOCK_SCHEMA,
        "run": reading.folder.number,
        "disk": node.name,
        "height": block.height,
        "hash": block.hash.hex(),
        "parent": header.parent.hex(),
        "seconds": round((header.time_ms - reading.network.created_ms) / 1000, 3),
        "proposer": names[header.proposer],
        "batch_digest": header.batch_digest.hex(),
        "body_root": header.body_root.hex(),
        "state_root": header.state_root.hex(),
        "quorum": quorum(reading.network.n),
        "voters": reading.network.n,
        "commit_certificate": {
            "view": block.certificate.view,
            "signers": [names[replica] for replica, _ in block.certificate.signatures],
        },
        "block_certificate": None
        if certified is None
        else {"signers": [names[replica] for replica, _ in certified.signatures]},
        "transactions": _transactions(reading, node, block),
    }


def _transactions(reading: RunReading, node: NodeReading, block: StoredBlock) -> list[dict[str, Any]]:
    rows = []
    for identifier, outcome in zip(block.batch.requests, block.outcomes, strict=True):
        ordered = node.transactions[identifier]
        core = getattr(getattr(ordered.transaction, "header", None), "core", None)
        act = getattr(ordered.transaction, "act", None)
        rows.append(
            {
                "tx": identifier.hex(),
                "name": reading.name_of(ordered),
                "sender": getattr(core or act, "sender", None),
                "size_bytes": None if core is None else core.size_bucket,
                "outcome": outcome,
            }
        )
    return rows


def block_lines(block: dict[str, Any]) -> list[str]:
    """The page of a block."""
    need, voters = block["quorum"], block["voters"]
    commit, certified = block["commit_certificate"], block["block_certificate"]
    lines = [
        f"block {block['height']}  {_short(block['hash'])}     from the disk of {block['disk']}",
        labelled("time", f"{block['seconds']:.3f} s after genesis     proposer {block['proposer']}"),
        labelled("parent", block["parent"]),
        labelled("hash", block["hash"]),
        labelled("batch", block["batch_digest"]),
        labelled("body root", block["body_root"]),
        labelled("state root", block["state_root"]),
        labelled(
            "ordered by",
            f"{_signed(commit['signers'], voters, need)} in view {commit['view']}: they signed the batch",
        ),
    ]
    if certified is None:
        lines.append(labelled("executed by", "no quorum has signed the block's hash yet"))
    else:
        text = f"{_signed(certified['signers'], voters, need)}: they signed the block's hash"
        lines.append(labelled("executed by", text))
    rows = block["transactions"]
    lines.append(labelled("transactions", f"  {len(rows)}").rstrip())
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        public = "public" if row["sender"] is None else f"public, by {row['sender']}"
        padded = f"sender {row['sender']}   {row['size_bytes']} B padded"
        facts = public if row["size_bytes"] is None else padded
        repeat = "" if row["outcome"] == "executed" else "   no effect: it is a repeat"
        lines.append(f"  {row['name']:<{width}}   {_short(row['tx'])}   {facts}{repeat}")
    return lines


def view_node(reading: RunReading, name: str, status: Status | None) -> dict[str, Any]:
    """A node by its own disk and, if it answered, by its own signed word."""
    node = reading.node(name)
    head = node.head
    states = list(node.payload_states().values())
    position = reading.network.position(name)
    assert position is not None, name
    member = reading.network.members[position]
    return {
        "schema": NODE_SCHEMA,
        "run": reading.folder.number,
        "node": name,
        "role": member.role,
        "votes": member.votes,
        "disk": {
            "height": node.height,
            "head": None if head is None else head.hash.hex(),
            "state_root": None if head is None else head.header.state_root.hex(),
            "certified": sum(block.block_certificate is not None for block in node.blocks),
            "transactions": sum(1 for _ in node.private()),
            "payloads": {state: states.count(state) for state in PAYLOAD_STATES},
        },
        "signed_status": None
        if status is None
        else {
            "height": status.sequence,
            "view": status.view,
            "head": status.block.hex(),
            "state_root": status.state_root.hex(),
        },
    }


def node_lines(node: dict[str, Any]) -> list[str]:
    """The page of a node."""
    disk, said = node["disk"], node["signed_status"]
    lines = [
        f"node {node['node']}  {node['role']} · {'votes' if node['votes'] else 'follows'}",
        labelled(
            "on disk",
            f"height {disk['height']} · head {_short(disk['head'])} · state {_short(disk['state_root'])}",
        ),
        labelled("", f"{disk['certified']} of {disk['height']} blocks with their block certificate"),
        labelled("payloads", f"{disk['transactions']} private transactions on the ledger"),
        labelled("", " · ".join(f"{state.replace('_', ' ')} {n}" for state, n in disk["payloads"].items())),
    ]
    if said is None:
        lines.append(labelled("now", "does not answer"))
    else:
        text = f"height {said['height']} · view {said['view']} · head {_short(said['head'])}"
        lines.append(labelled("now", f"{text}: its signed word"))
    return lines


def view_party(reading: RunReading, name: str, seen_as: str | None) -> dict[str, Any]:
    """A party: its public keys and what it sent; what it may read only for the party itself.

    That is found out with its own keys on its own disk, and the look is written down.
    """
    position = reading.network.position(name)
    assert position is not None, name
    member = reading.network.members[position]
    node, key = reading.node(name), reading.keys(name).wrapping
    sent, received, others = [], [], 0
    carriers = {act.deed.carrier for _, act in node.acts() if isinstance(act.deed, Disclosure)}
    itself = seen_as == name
    for ordered, transaction in node.private():
        shown = reading.name_of(ordered)
        if ordered.id in carriers:
            continue  # What it shows is listed by what it shows.
        if transaction.header.core.sender == name:
            sent.append(shown)
        if not itself:
            continue
        blob = node.blob(ordered.id)
        try:
            if blob is None:
                raise NotAParty
            unseal(transaction, blob, key)
        except (NotAParty, Unreadable):
            others += 1
            continue
        if transaction.header.core.sender != name:
            received.append(shown)
    if itself:
        note_reading(reading, name, None, ok=True)
    return {
        "schema": PARTY_SCHEMA,
        "run": reading.folder.number,
        "party": name,
        "title": member.title,
        "role": member.role,
        "votes": member.votes,
        "signing_key": _fingerprint(member.signing_key),
        "wrapping_key": _fingerprint(member.wrapping_key),
        "sent": sent,
        "seen_as": seen_as,
        "reads": received if itself else None,
        "cannot_read": others if itself else None,
        "shown": _shown_to(reading, node, name) if itself else None,
    }


def _shown_to(reading: RunReading, node: NodeReading, name: str) -> list[str]:
    """What others have shown to this party, by the records on its own ledger."""
    found = [
        act.deed.tx
        for _, act in node.acts()
        if isinstance(act.deed, Disclosure) and name in act.deed.receivers
    ]
    return [Found(tx, reading.label(tx)).name for tx in dict.fromkeys(found)]


def party_lines(party: dict[str, Any]) -> list[str]:
    """The page of a party."""
    title = f"  {clean(party['title'])}" if party["title"] else ""
    return [
        f"party {party['party']}{title}",
        labelled("role", f"{party['role']} · {'votes' if party['votes'] else 'follows the chain, no vote'}"),
        labelled("keys", f"signing {party['signing_key']}   wrapping {party['wrapping_key']}   (SHA-256)"),
        labelled("sent", _names(party["sent"])),
        *_reading_lines(party),
    ]


def _reading_lines(party: dict[str, Any]) -> list[str]:
    if party["reads"] is None:
        return [labelled("may read", f"not visible; --as {party['party']} shows it")]
    return [
        labelled("may read", _names(party["reads"])),
        *([labelled("was shown", _names(party["shown"]))] if party["shown"] else []),
        labelled("not for it", f"{party['cannot_read']} of the transactions on its ledger"),
    ]


def _names(names: list[str]) -> str:
    shown = ", ".join(names[:12]) or "nothing"
    return f"{shown} and {len(names) - 12} more" if len(names) > 12 else shown


def _signed(signers: list[str], voters: int, need: int) -> str:
    return f"{len(signers)} of {voters} voters (quorum {need}): {' '.join(signers)}"


def _fingerprint(key: bytes) -> str:
    """The first 16 hex digits of the SHA-256 of a public key."""
    return hashlib.sha256(key).hexdigest()[:16]


def _short(digest: str | None) -> str:
    return "none" if digest is None else f"{short_id(bytes.fromhex(digest))}…"
