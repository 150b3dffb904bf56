"""What a party's client makes of a seal: requests to open it, releases of its shares, challenges."""

from __future__ import annotations

from node.chain.act import ActTransaction
from node.chain.deeds import Challenge, Open, Release
from node.chain.seal_book import SealState
from node.consortium import Network
from node.disclosure.disclosing import Author
from node.envelopes.envelope import Unreadable
from node.envelopes.transaction import Blob, PrivateTransaction
from node.errors import NOT_ALLOWED, WRONG_USAGE, PrivityError
from node.seals.seal import Seal
from node.seals.unsealing import own_share
from node.text import did_you_mean


def find_seal(network: Network, name: str) -> Seal:
    """The seal of this name. Raises PrivityError E-SEAL."""
    if name in network.seals:
        return network.seals[name]
    near = did_you_mean(name, network.seals)
    raise PrivityError(
        "E-SEAL",
        f"no seal named {name}" + (f"; {near}" if near else ""),
        why=f"there are {', '.join(network.seals)}" if network.seals else "this network has none",
        next="seals are set in the scenario file",
        exit_code=WRONG_USAGE,
    )


def request_opening(author: Author, seal: Seal) -> ActTransaction:
    """Ask that the seal be opened. Raises PrivityError E-NOT-OPENER for one who has no share of it."""
    if author.name not in seal.openers:
        raise PrivityError(
            "E-NOT-OPENER",
            f"{author.name} is no opener of {seal.name}",
            why=f"{', '.join(seal.openers)} are" if seal.openers[1:] else f"{seal.openers[0]} is",
            exit_code=NOT_ALLOWED,
        )
    return author.act(Open(seal.name))


def release(author: Author, transaction: PrivateTransaction, blob: Blob) -> ActTransaction | None:
    """The author's share of what lies under a seal, for each who reads then; to be called once it is open.

    If what the sender wrapped for the author is no share, a complaint that says so. None if the blob is not
    that of the transaction.
    """
    network = author.network
    seal = network.sealed_for(transaction)
    assert seal is not None, "it lies under a seal of this network"
    try:
        share = own_share(network, transaction, blob, author.name, author.keys.wrapping)
    except Unreadable as error:
        return None if error.reason.startswith("blob_") else author.act(Release(transaction.id, ()))
    tx = transaction.id
    wraps = tuple(share.for_reader(network.wrapping_keys[name], tx) for name in seal.then_to)
    return author.act(Release(tx, wraps))


def is_owed(state: SealState, opener: str, made: ActTransaction) -> bool:
    """Whether this release of the opener is still to be recorded.

    It is if the ledger has not the same from it already (a release follows from the share), or if it was
    challenged since: an answer stands after the challenge.
    """
    deed = made.act.deed
    assert isinstance(deed, Release)
    same = [
        each.at
        for each in state.releases
        if each.opener == opener and each.tx == deed.tx and each.wraps == deed.wraps and not each.refused
    ]
    challenged = [each.at for each in state.challenges if each.of == opener and each.tx == deed.tx]
    return not same or bool(challenged and deed.wraps and max(challenged) > max(same))


def challenge(author: Author, tx: bytes, of: str) -> ActTransaction:
    """Say that what `of` released of `tx` cannot be read, or that it released nothing."""
    return author.act(Challenge(tx, of))
