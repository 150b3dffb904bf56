"""What a party's client makes to disclose, or to ask for it: sealed and signed with its own keys alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from node.chain.act import VERSION, Act, ActTransaction, signed
from node.chain.deeds import Deed, Request, check_reason, disclosed
from node.consortium import Network
from node.envelopes.disclosure import Package, carried, pack
from node.envelopes.entropy import Entropy
from node.envelopes.envelope import Sealed, seal
from node.envelopes.keys import PartyKeys
from node.envelopes.payload import Payload
from node.envelopes.transaction import NONCE_BYTES, PublicHeader
from node.errors import NOT_ALLOWED, WRONG_USAGE, PrivityError


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
