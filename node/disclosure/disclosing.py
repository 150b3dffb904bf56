"""What a party's client makes to disclose, or to ask for it: sealed and signed with its own keys alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from node.chain.act import VERSION, Act, ActTransaction, signed
from node.chain.deeds import Consent, Deed, Request, Revocation, check_reason, disclosed
from node.chain.standing import Standing
from node.consortium import Network
from node.envelopes.disclosure import Package, carried, pack
from node.envelopes.entropy import Entropy
from node.envelopes.envelope import Sealed, seal
from node.envelopes.keys import PartyKeys
from node.envelopes.payload import Payload
from node.envelopes.rule import FORBIDDEN, hidden_name, rule_leaf, rule_of
from node.envelopes.transaction import NONCE_BYTES, PublicHeader, signed_bytes
from node.errors import NOT_ALLOWED, UNCONFIRMED, WRONG_USAGE, PrivityError


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes it, for which network, from which source of entropy, and at which heights it is valid."""

    name: str
    keys: PartyKeys
    network: Network
    entropy: Entropy
    valid_from: int
    valid_until: int

    def act(self, deed: Deed) -> ActTransaction:
        """A public act of this party."""
        act = Act(
            network=self.network.id,
            version=VERSION,
            sender=self.name,
            nonce=self.entropy(NONCE_BYTES),
            policy=self.network.policy_hash,
            valid_from=self.valid_from,
            valid_until=self.valid_until,
            deed=deed,
        )
        return signed(act, self.keys.signing)


@dataclass(frozen=True, slots=True, repr=False)
class Disclosing:
    """A disclosure ready to be published: the sealed carrier, and the public record that names it."""

    carrier: Sealed
    record: ActTransaction
    package: Package

    def __repr__(self) -> str:
        return "Disclosing(secret)"


def disclose(
    author: Author,
    payload: Payload,
    header: PublicHeader,
    *,
    ordered_at: int,
    receivers: Sequence[str],
    reason: str,
    fields: Sequence[str] | None = None,
    answers: bytes | None = None,
) -> Disclosing:
    """Pack fields of an opened payload, or the whole, for the receivers and nobody else.

    `header` is that of its transaction, `ordered_at` the height of its block: what carries it is erased no
    later than it is itself. Raises PrivityError: E-FIELD, E-REASON, E-LIMIT if it is too much for one package
    or for too many receivers, E-ERASED if there is no time left to show it.
    """
    check_stated(reason)
    valid_until, keep = _life(author, header, ordered_at)
    network, nonce = author.network, author.entropy(NONCE_BYTES)
    package = pack(payload, header, discloser=author.name, receivers=receivers, nonce=nonce, fields=fields)
    carrier = seal(
        carried(package),
        readers=[
            network.wrapping_keys[name]
            for name in (author.name, *network.with_mandatory(author.name, package.receivers))
        ],
        network=network.id,
        sender=author.name,
        policy=network.policy_hash,
        valid_from=author.valid_from,
        valid_until=valid_until,
        signing_key=author.keys.signing,
        entropy=author.entropy,
        nonce=nonce,
        keep=keep,
    )
    record = author.act(disclosed(package, carrier.transaction.id, reason, answers))
    return Disclosing(carrier, record, package)


def check_consent(
    payload: Payload,
    header: PublicHeader,
    discloser: str,
    receivers: Sequence[str],
    standing: Standing,
    height: int,
) -> None:
    """Refuse to show what its owner's rule does not let this party show them now.

    Raises PrivityError E-CONSENT. `standing` is that of a chain with this height.
    """
    tx, owner = sha256(signed_bytes(header)).digest(), header.core.sender
    leaf, now = rule_leaf(payload.leaves), (height + 1, 0)
    refused = standing.forbids(tx, owner, leaf, discloser, receivers, now)
    if not refused:
        return
    digits, rule = tx.hex()[:8], rule_of(leaf)
    states = [standing.state(tx, owner, leaf, name, now) for name in (discloser, *refused)]
    ended = next((each for each in states if each is not None and not each.agreed), None)
    if ended is not None:
        why = f"{owner} withdrew it, or its consent ended, in block {ended.height}"
    elif rule == FORBIDDEN:
        why = f"{owner} sent it under the rule that no reader shows it to anybody"
    else:
        why = f"{owner} sent it under the rule that its readers ask for consent, and gave none for them"
    ask = f"privity consent {digits} --as {owner} --to {','.join(refused)}"
    raise PrivityError(
        "E-CONSENT",
        f"{discloser} may not show this to {', '.join(refused)}",
        why=why,
        next=f"{owner} can show it itself" if rule == FORBIDDEN else f"{owner} can agree: {ask}",
        exit_code=UNCONFIRMED,
    )


def consent(
    author: Author, tx: bytes, payload: Payload, to: Sequence[str], reason: str, until: int, *, hidden: bool
) -> ActTransaction:
    """Agree that readers of the author's own transaction show it to these, until a height (0: for good).

    Raises PrivityError: E-REASON; E-VALUE if names are to be hidden and no rule's salt can hide them, or the
    rule leaves nothing to agree to.
    """
    check_stated(reason)
    if rule_of(rule_leaf(payload.leaves)) == FORBIDDEN:
        raise PrivityError(
            "E-CONSENT",
            "no consent lets anybody show this",
            why="its rule is forbidden, which stands in what was signed and cannot be changed",
            next=f"{author.name} can show it itself: privity disclose",
            exit_code=UNCONFIRMED,
        )
    named, unnamed = _whom(tx, payload, to, hidden=hidden)
    return author.act(Consent(tx, named, unnamed, until, reason))


def revoke(
    author: Author, tx: bytes, payload: Payload, of: Sequence[str], reason: str, *, hidden: bool
) -> ActTransaction:
    """Withdraw the author's own transaction from these parties. Raises PrivityError: E-REASON, E-VALUE."""
    check_stated(reason)
    named, unnamed = _whom(tx, payload, of, hidden=hidden)
    return author.act(Revocation(tx, named, unnamed, reason))


def _whom(
    tx: bytes, payload: Payload, names: Sequence[str], *, hidden: bool
) -> tuple[tuple[str, ...], tuple[bytes, ...]]:
    different = sorted(set(names))
    if not hidden:
        return tuple(different), ()
    leaf = rule_leaf(payload.leaves)
    if leaf is None:
        raise PrivityError(
            "E-VALUE",
            "names cannot be hidden for this transaction",
            why="its sender sealed no rule with it, and only a rule has the salt that hides names",
            next="leave hidden out",
            exit_code=WRONG_USAGE,
        )
    return (), tuple(sorted(hidden_name(tx, leaf, name) for name in different))


def _life(author: Author, header: PublicHeader, ordered_at: int) -> tuple[int, int]:
    """Until which height a carrier may be ordered, and for how many blocks after that it is kept.

    `keep` counts from a block that nobody knows yet. So what is left to the original is split in two: in the
    first half the carrier may be ordered, and it is kept for the rest. Their sum never exceeds what is left.
    """
    if not header.core.keep:
        return author.valid_until, 0
    left = ordered_at + header.core.keep - author.valid_from
    if left < 2:
        raise PrivityError(
            "E-ERASED",
            "this is erased by now, or with the next block",
            why=f"it was ordered in block {ordered_at} to be kept for {header.core.keep} blocks",
            next="nothing: its sender asked every node to erase it",
            exit_code=NOT_ALLOWED,
        )
    valid_until = min(author.valid_until, author.valid_from + left // 2)
    return valid_until, left - (valid_until - author.valid_from)


def request(author: Author, tx: bytes, of: str, reason: str) -> ActTransaction:
    """Ask `of` to be shown a transaction. Raises PrivityError E-REASON."""
    check_stated(reason)
    return author.act(Request(tx, of, reason))


def check_stated(reason: str) -> None:
    """Refuse what no node would take as a reason. Raises PrivityError E-REASON (wrong usage)."""
    if wrong := check_reason(reason):
        raise PrivityError(
            "E-REASON",
            "this cannot be a reason",
            why=wrong,
            next="say in one short line why; everybody can read it on the ledger",
            exit_code=WRONG_USAGE,
        )
