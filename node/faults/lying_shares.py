"""Openers and senders with their real keys who lie about the shares of a seal.

Nobody learns a true share from a lie: what is handed over in its place is drawn anew.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from node.chain.act import ActTransaction
from node.chain.deeds import Release
from node.consortium import Network
from node.disclosure.disclosing import Author
from node.envelopes.entropy import Entropy
from node.envelopes.envelope import Sealed
from node.envelopes.keys import SigningKey
from node.envelopes.shares import SALT_BYTES, Share
from node.envelopes.transaction import Blob, PrivateTransaction, core_digest, signed_bytes, slots_hash
from node.seals.seal import Seal

SHARE_BYTES = 32


def made_up_share(number: int, entropy: Entropy) -> Share:
    """What looks like the share of opener `number`, and meets no hash."""
    return Share(number, entropy(SHARE_BYTES), entropy(SALT_BYTES))


def release_bad_share(author: Author, seal: Seal, tx: bytes, entropy: Entropy) -> ActTransaction:
    """The release of an opener that wraps another share than its own for every later reader."""
    share = made_up_share(seal.openers.index(author.name) + 1, entropy)
    keys = author.network.wrapping_keys
    return author.act(Release(tx, tuple(share.for_reader(keys[name], tx) for name in seal.then_to)))


def deal_inconsistent_shares(
    honest: Sealed,
    network: Network,
    seal: Seal,
    deceived: Collection[str],
    signing_key: SigningKey,
    entropy: Entropy,
) -> Sealed:
    """The sealed payload with a share for each of the deceived openers that does not meet its hash."""
    header, blob = honest.transaction.header, honest.blob
    digest = core_digest(header.core)
    shares = tuple(
        made_up_share(place + 1, entropy).for_opener(network.wrapping_keys[name], digest)
        if name in deceived
        else blob.shares[place]
        for place, name in enumerate(seal.openers)
    )
    lying = msgspec.structs.replace(header, slots_hash=slots_hash(blob.slots, shares))
    transaction = PrivateTransaction(lying, signing_key.sign(signed_bytes(lying)))
    return Sealed(transaction, Blob(blob.ciphertext, blob.slots, shares), honest.content_key, honest.payload)
