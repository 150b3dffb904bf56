"""What a party's client makes to disclose, or to ask for it: sealed and signed with its own keys alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from node.chain.act import VERSION, Act, ActTransaction, Disclosure, Request, check_reason, disclosed, signed
from node.consortium import Network
from node.envelopes.disclosure import Package, carried, pack
from node.envelopes.entropy import Entropy
from node.envelopes.envelope import Sealed, seal
from node.envelopes.keys import PartyKeys
from node.envelopes.payload import Payload
from node.envelopes.transaction import NONCE_BYTES, PublicHeader
from node.errors import WRONG_USAGE, PrivityError


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes it, for which network, from which source of entropy, and at which heights it is valid."""

    name: str
    keys: PartyKeys
    network: Network
    entropy: Entropy
    valid_from: int
    valid_until: int

    def act(self, deed: Disclosure | Request) -> ActTransaction:
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
    receivers: Sequence[str],
    reason: str,
    fields: Sequence[str] | None = None,
    answers: bytes | None = None,
) -> Disclosing:
    """Pack fields of an opened payload, or the whole, for the receivers and nobody else.

    `header` is that of its transaction. Raises PrivityError: E-FIELD, E-REASON, and E-LIMIT if it is too
    much for one package or for too many receivers.
    """
    check_stated(reason)
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
        valid_until=author.valid_until,
        signing_key=author.keys.signing,
        entropy=author.entropy,
        nonce=nonce,
    )
    record = author.act(disclosed(package, carrier.transaction.id, reason, answers))
    return Disclosing(carrier, record, package)


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
