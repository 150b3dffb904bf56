"""Opening what lies under a seal: with one's own key slot, or with the shares that openers have released.

Of each opener's releases the first that is good counts, and the first k such openers in chain order are
combined. Good is the same for every later reader: the share meets its hash in the header, and all wraps
beside it follow from it, so a release that is good for one and not for another is good for nobody.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from node.chain.seal_book import Released
from node.consortium import Network
from node.envelopes.content_key import ContentKey
from node.envelopes.envelope import NotAParty, Opened, Unreadable, open_with, unseal
from node.envelopes.keys import WrappingKey
from node.envelopes.shares import Share, combine, open_from_opener, open_from_sender, split
from node.envelopes.transaction import Blob, PrivateTransaction, check_blob, core_digest, owner_of
from node.seals.seal import Seal


class StillSealed(NotAParty):
    """Too few good shares have been released to this reader so far."""


class SealBroken(Unreadable):
    """The shares that the sender made are not those of the key that it committed to.

    `shares` are good by their hashes, and prove it to everybody (`seal_lie`).
    """

    def __init__(self, reason: str, shares: tuple[Share, ...]) -> None:
        super().__init__(reason)
        self.shares = shares


@dataclass(frozen=True, slots=True, repr=False)
class Unsealed:
    """A payload that was opened, and by whose shares: the act of the last of them. Both empty for a reader
    with a slot of its own."""

    opened: Opened
    openers: tuple[str, ...] = ()
    last: Released | None = None

    def __repr__(self) -> str:
        return "Unsealed(secret)"


def open_sealed(
    network: Network,
    transaction: PrivateTransaction,
    blob: Blob,
    name: str,
    key: WrappingKey,
    releases: Iterable[Released],
) -> Unsealed:
    """The payload, for a reader with a slot or for a later one. `releases` are those of the book, in order.

    Raises NotAParty (StillSealed for one that may read later) or Unreadable (SealBroken with a proof).
    """
    seal = network.sealed_for(transaction)
    try:
        return Unsealed(unseal(transaction, blob, key))
    except NotAParty:
        if seal is None or name not in seal.then_to:
            raise
    tx, owner, digest = transaction.id, owner_of(transaction.header.core), transaction.header.core.key_commit
    found: dict[str, tuple[Share, Released]] = {}
    for release in releases:
        if release.opener not in found and len(found) < seal.threshold:
            share = share_in(network, transaction, seal, name, key, release, tx)
            if share is not None:
                found[release.opener] = (share, release)
    if len(found) < seal.threshold:
        raise StillSealed()
    shares = tuple(share for share, _ in found.values())
    combined = ContentKey(combine(shares))
    if not combined.meets(digest):
        raise SealBroken("shares_of_another_key", shares)
    if not _as_derived(transaction, combined, owner, seal):
        raise SealBroken("shares_not_derived", shares)
    last = next(reversed(found.values()))[1]
    openers = tuple(opener for opener in seal.openers if opener in found)
    return Unsealed(open_with(transaction, blob, combined.raw), openers, last)


def share_in(
    network: Network,
    transaction: PrivateTransaction,
    seal: Seal,
    name: str,
    key: WrappingKey,
    release: Released,
    tx: bytes,
) -> Share | None:
    """The share that a release brings this later reader, None if the release is not good."""
    part = transaction.header.core.seal
    if part is None or not release.wraps:
        return None
    number = seal.openers.index(release.opener) + 1
    share = open_from_opener(key, release.wraps[seal.then_to.index(name)], number, tx)
    if share is None or share.commitment(owner_of(transaction.header.core)) != part.commitments[number - 1]:
        return None
    keys = network.wrapping_keys
    derived = tuple(share.for_reader(keys[reader], tx) for reader in seal.then_to)
    return share if derived == release.wraps else None


def own_share(
    network: Network, transaction: PrivateTransaction, blob: Blob, name: str, key: WrappingKey
) -> Share:
    """The share that the sender wrapped for this opener.

    Raises Unreadable: `blob_...` (another copy may do), `share_wrap` (it does not open with this key, which
    no judge can see), `share_commitment` or `share_seed` (the sender's lie; its content proves it).
    """
    part, seal = transaction.header.core.seal, network.sealed_for(transaction)
    if part is None or seal is None or name not in seal.openers:
        raise NotAParty()
    if reason := check_blob(transaction.header, blob):
        raise Unreadable(reason)
    number, digest = seal.openers.index(name) + 1, core_digest(transaction.header.core)
    share = open_from_sender(key, blob.shares[number - 1], number, digest)
    if share is None:
        raise Unreadable("share_wrap")
    if share.for_opener(key.public, digest) != blob.shares[number - 1]:
        raise Unreadable("share_seed")
    if share.commitment(owner_of(transaction.header.core)) != part.commitments[number - 1]:
        raise SealBroken("share_commitment", (share,))
    return share


def seal_lie(
    network: Network,
    transaction: PrivateTransaction,
    shares: tuple[Share, ...],
    content_key: bytes | None = None,
    blob: Blob | None = None,
) -> str | None:
    """The lie of the sender that these prove to anybody who checked its signature; None: they prove nothing.

    `shares_of_another_key`: k shares that meet their hashes give no key that meets the commitment.
    `shares_not_derived`: the key meets it, and some hash is not that of the share that follows from it.
    `share_commitment`: the blob wraps for an opener what does not meet its hash; it is wrapped again to see.
    Nobody but the sender can make any of these: it signed hashes, commitment and blob. Never raises.
    """
    part, seal = transaction.header.core.seal, network.sealed_for(transaction)
    if part is None or seal is None:
        return None
    owner, core = owner_of(transaction.header.core), transaction.header.core
    if any(not 1 <= share.number <= len(seal.openers) for share in shares):
        return None
    good = [share for share in shares if share.commitment(owner) == part.commitments[share.number - 1]]
    if content_key is None and len({share.number for share in good}) == seal.threshold == len(good):
        content_key = combine(good)
        if not ContentKey(content_key).meets(core.key_commit):
            return "shares_of_another_key"
    if content_key is not None and (key := ContentKey(content_key)).meets(core.key_commit):
        return None if _as_derived(transaction, key, owner, seal) else "shares_not_derived"
    if blob is not None and check_blob(transaction.header, blob) is None:
        for share in shares:
            public = network.wrapping_keys[seal.openers[share.number - 1]]
            wrapped = share.for_opener(public, core_digest(core))
            if share not in good and wrapped == blob.shares[share.number - 1]:
                return "share_commitment"
    return None


def _as_derived(transaction: PrivateTransaction, key: ContentKey, owner: bytes, seal: Seal) -> bool:
    part = transaction.header.core.seal
    assert part is not None
    derived = split(key, owner, seal.threshold, len(seal.openers))
    return tuple(share.commitment(owner) for share in derived) == part.commitments
