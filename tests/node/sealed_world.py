"""What tests of seals share: a tender among six nodes, bids under its seal, openers that ask and release."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import msgspec

from node.canonical import encode
from node.chain.act import ActTransaction
from node.chain.reading import read_node
from node.chain.seal_book import SealState
from node.consortium import Network, Policy
from node.disclosure.disclosing import Author
from node.envelopes.content_key import ContentKey
from node.envelopes.envelope import Opened, Sealed
from node.envelopes.key_slots import make_slots
from node.envelopes.rule import FREE, RULE_FIELD
from node.envelopes.shares import split
from node.envelopes.transaction import (
    Blob,
    PrivateTransaction,
    PublicHeader,
    SealPart,
    ciphertext_hash,
    core_digest,
    owner_of,
    signed_bytes,
    slots_hash,
)
from node.seals.opening import release, request_opening
from node.seals.seal import Seal
from node.seals.unsealing import (
    open_sealed,
)
from node.wire import TransactionPacket
from tests.node.network_of_nodes import GENESIS_MS, PARTIES, World, founded, sealed_for
from tests.node.off_chain_world import hand_over, order, outgoing, state
from tests.node.small_consortium import seeded

# ann buys, bob and eve bid, cyd and dan open for ann and themselves.
TENDER = Seal("tender", 2_000, ("cyd", "dan"), 2, ("ann", "cyd", "dan"))


EARLIEST = GENESIS_MS + TENDER.opens_at_ms


def network_with(*seals: Seal, payload: str = "off_chain") -> Network:
    return founded(4, 2, policy=Policy(payload=payload, seals=seals or (TENDER,)))


NETWORK = network_with()


def author(name: str, network: Network = NETWORK, seed: object = 0) -> Author:
    return Author(name, PARTIES[name], network, seeded(f"{name} {seed}"), 1, 40)


def sealed_bid(sender: str, price: int, network: Network = NETWORK, name: str = "tender") -> Sealed:
    fields = {"price": price}
    return sealed_for(network, fields, sender=sender, to=(), seed=(sender, price), seal_name=name)


def bid(world: World, sender: str, price: int, name: str = "tender") -> Sealed:
    """Handed over to the keepers and ordered."""
    sealed = sealed_bid(sender, price, world.network, name)
    publish(world, sealed)
    return sealed


def publish(world: World, sealed: Sealed) -> None:
    if not world.network.off_chain:
        world.settle([world.submit(sealed)])
        return
    out = outgoing(world.network, sealed, (), sender=sealed.transaction.header.core.sender)
    assert hand_over(world, out)
    for topic, packet in out.passing_on():
        world.publish(topic, packet)
    world.settle([order(world, sealed)])
    rest(world)


def rest(world: World) -> None:
    world.run_until(lambda: not any(running.node.has_idle_work for running in world.up.values()))


def submit(world: World, *acts: ActTransaction | None) -> None:
    made = [act for act in acts if act is not None]
    for act in made:
        world.publish(world.topics.transactions, encode(TransactionPacket(act, None)))
    world.settle([act.id for act in made])
    rest(world)


def wait_for_opening(world: World) -> None:
    world.run(max(0, EARLIEST - world.now_ms) + 1)


def ask(world: World, *openers: str, seed: object = 0) -> None:
    submit(
        world,
        *(request_opening(author(name, world.network, ("open", seed)), TENDER) for name in openers),
    )


def give(world: World, bids: Sequence[Sealed], *openers: str) -> None:
    """Each opener's client releases its shares, from the blob on its own node's disk."""
    acts = []
    for name, sealed in itertools.product(openers, bids):
        blob = read_node(world.home(name), world.network).blob(sealed.transaction.id)
        assert blob is not None
        acts.append(
            release(author(name, world.network, ("release", sealed.transaction.id)), sealed.transaction, blob)
        )
    submit(world, *acts)


def states(world: World, sealed: Sealed) -> dict[str, str]:
    return {name: state(world, name, sealed.transaction.id) for name in world.network.names}


def book(world: World, name: str, seal: str = "tender") -> SealState:
    return world.node(name).ledger.seals.states[seal]


def said(opened: Opened) -> dict[str, Any]:
    """The fields that were said, without the rule beside them."""
    fields = opened.payload.fields()
    assert fields.pop(RULE_FIELD) == FREE
    return fields


def opened_by(world: World, name: str, sealed: Sealed) -> dict[str, Any]:
    """What this party reads with its own key, its own disk and its own ledger."""
    node = read_node(world.home(name), world.network)
    tx = sealed.transaction.id
    blob = node.blob(tx)
    assert blob is not None
    found = open_sealed(
        world.network, sealed.transaction, blob, name, PARTIES[name].wrapping, node.seals.releases_of(tx)
    )
    return said(found.opened)


def lying_bid(network: Network, hashes: Any, wrap: Any = None) -> Sealed:
    """bob's bid with other hashes than those of its shares, or with other shares wrapped for the openers.

    Each function gets the true shares and those of a stranger's key.
    """
    honest = sealed_bid("bob", 3, network)
    core = honest.transaction.header.core
    seal, owner, key = network.seals["tender"], owner_of(core), ContentKey(honest.content_key)
    count = len(seal.openers)
    true = split(key, owner, seal.threshold, count)
    stranger = split(ContentKey(bytes(range(32))), owner, seal.threshold, count)
    said = hashes(true, stranger)
    part = SealPart("tender", tuple(share.commitment(owner) for share in said))
    core = msgspec.structs.replace(core, seal=part)
    digest = core_digest(core)
    given = said if wrap is None else wrap(true, stranger)
    keys = [network.wrapping_keys[name] for name in seal.openers]
    wrapped = tuple(share.for_opener(to, digest) for share, to in zip(given, keys, strict=True))
    ciphertext = key.encrypt(honest.payload.plaintext(), digest)
    blob = Blob(ciphertext, make_slots(key, digest, [PARTIES["bob"].wrapping.public], 4), wrapped)
    header = PublicHeader(core, ciphertext_hash(ciphertext), slots_hash(blob.slots, blob.shares))
    transaction = PrivateTransaction(header, PARTIES["bob"].signing.sign(signed_bytes(header)))
    return Sealed(transaction, blob, honest.content_key, honest.payload)
