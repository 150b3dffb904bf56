"""A world of nodes whose payloads travel to their readers alone, and a sender's client beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from node.canonical import encode
from node.consortium import Network, Policy, Rules
from node.delivery.outgoing import Outgoing
from node.delivery.packets import SealedReceipt
from node.envelopes.envelope import Sealed
from node.wire import TransactionPacket
from tests.node.network_of_nodes import PARTIES, RULES, World, founded, sealed_for

REPLY_TO = b"client-1"


def off_chain(voters: int = 4, followers: int = 0, *, copies: int = 1, rules: Rules = RULES) -> Network:
    """A network with `payload: off_chain`."""
    return founded(voters, followers, policy=Policy(payload="off_chain", copies=copies), rules=rules)


def outgoing(
    network: Network,
    sealed: Sealed,
    readers: Iterable[str],
    *,
    sender: str = "ann",
    reply_to: bytes = REPLY_TO,
) -> Outgoing:
    """A sealed payload on its way."""
    return Outgoing(network, sealed, PARTIES[sender], tuple(readers), reply_to)


def hand_over(
    world: World, out: Outgoing, within_ms: int = 3000, *, only: Callable[[str], bool] | None = None
) -> bool:
    """What the client does: deliver, collect receipts, again every half second; whether there are enough."""
    topic = world.topics.inbox(REPLY_TO)
    end = world.now_ms + within_ms
    while world.now_ms < end:
        for to, packet in out.deliveries():
            if only is None or only(to):
                world.publish(to, packet)
        for _ in range(25):
            world.run(20)
            for packet in world.inboxes.pop(topic, []):
                if isinstance(packet, SealedReceipt):
                    out.take(packet)
            if out.enough:
                return True
    return out.enough


def order(world: World, sealed: Sealed) -> bytes:
    """Publish the header; the id."""
    world.publish(world.topics.transactions, encode(TransactionPacket(sealed.transaction, None)))
    return sealed.transaction.id


def send(
    world: World, to: Iterable[str] = ("bob",), *, sender: str = "ann", seed: object = 0, **more: Any
) -> bytes:
    """All of it: seal, hand over, pass on the receipts, order; the id."""
    to = tuple(to)
    sealed = sealed_for(world.network, {"amount": 7}, sender=sender, to=to, seed=seed, **more)
    out = outgoing(world.network, sealed, to, sender=sender)
    assert hand_over(world, out)
    for topic, packet in out.passing_on():
        world.publish(topic, packet)
    return order(world, sealed)


def state(world: World, name: str, identifier: bytes) -> str:
    """What a node makes of a payload."""
    row = world.node(name)._store.transaction(identifier)
    return "not ordered" if row is None else row.payload


def blob_folder(world: World, name: str) -> set[str]:
    """The ids of the blobs that lie on a node's disk, before ordering and after."""
    return {path.name for part in ("blobs", "transient") for path in (world.home(name) / part).iterdir()}
