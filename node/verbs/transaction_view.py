"""One transaction as somebody sees it: the public view, or what a party makes of it with its own keys."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from node.canonical import DecodeError
from node.chain.act import Act
from node.chain.deeds import Disclosure
from node.chain.reading import NodeReading, Ordered, StoredBlock
from node.disclosure.breach_reading import Breach, breaches_of
from node.envelopes.disclosure import Shown, check, is_said, package_in
from node.envelopes.envelope import NotAParty, Opened, Unreadable, readers_of, unseal
from node.envelopes.fields import Path, path_text
from node.envelopes.payload import Leaf
from node.envelopes.rule import FREE, rule_leaf, rule_of
from node.envelopes.transaction import PrivateTransaction
from node.erasing.purge_reading import Purged, due_heights, purges_of
from node.errors import PrivityError
from node.objects.object_rows import read_writes
from node.run_reading import Found, RunReading, note_reading
from node.seals.unsealing import StillSealed, open_sealed
from node.sender_evidence import Blamed, judge_bytes, proof_of
from node.verbs.object_words import write_text
from node.verbs.show_acts import acts_about

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
    return f"{seal.name}, opens at {seal.opens}: {shares}"


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
