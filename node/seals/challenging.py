"""What a party lacks of an opener of an open seal, by its own ledger and key: ground for a challenge."""

from __future__ import annotations

from node.chain.reading import NodeReading
from node.consortium import Network
from node.envelopes.keys import WrappingKey
from node.seals.seal import Seal
from node.seals.unsealing import share_in


def lacking_of(
    network: Network, node: NodeReading, seal: Seal, name: str, key: WrappingKey, of: str
) -> list[bytes]:
    """The payloads under the seal, in chain order, of which `of` has given this party no good share.

    Who is no later reader can only see that something was released.
    """
    return [
        bid.tx
        for bid in node.seals.states[seal.name].on_time
        if not _has_good_share(network, node, seal, name, key, of, bid.tx)
    ]


def _has_good_share(
    network: Network, node: NodeReading, seal: Seal, name: str, key: WrappingKey, of: str, tx: bytes
) -> bool:
    transaction = node.private_of(tx)
    return any(
        each.opener == of
        and (
            name not in seal.then_to or share_in(network, transaction, seal, name, key, each, tx) is not None
        )
        for each in node.seals.releases_of(tx)
    )
