"""Seals among nodes (P50): nobody reads before the opening, all nodes agree, liars are named."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from node.canonical import encode
from node.chain.act import ActTransaction
from node.chain.deeds import Open
from node.chain.reading import read_node
from node.chain.store import DELIVERED, MISSING, NOT_PARTY, REFUSED, SEALED
from node.disclosure.disclosing import disclose
from node.envelopes.content_key import ContentKey
from node.envelopes.envelope import NotAParty, Sealed, Unreadable, open_with, unseal
from node.envelopes.shares import combine, open_from_opener, open_from_sender
from node.envelopes.transaction import core_digest, owner_of
from node.seals.opening import release
from node.seals.seal import Seal
from node.seals.unsealing import (
    StillSealed,
    open_sealed,
    own_share,
)
from node.wire import TransactionPacket
from tests.node.network_of_nodes import PARTIES, World, ready, sealed_for
from tests.node.off_chain_world import blob_folder, hand_over, order, outgoing, state
from tests.node.sealed_world import (
    NETWORK,
    TENDER,
    ask,
    author,
    bid,
    book,
    give,
    network_with,
    opened_by,
    publish,
    rest,
    said,
    sealed_bid,
    states,
    submit,
    wait_for_opening,
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Four voters and two followers, eve and fay, at height 1."""
    with ready(tmp_path, NETWORK) as world:
        yield world


def test_k_openers_open_it_to_those_it_is_for_and_to_nobody_else(world: World) -> None:
    first, second = bid(world, "bob", 398500), bid(world, "eve", 405000)
    assert states(world, first) == {
        "ann": SEALED,
        "bob": DELIVERED,
        "cyd": SEALED,
        "dan": SEALED,
        "eve": NOT_PARTY,
        "fay": NOT_PARTY,
    }
    digits = first.transaction.id.hex()
    holders = {name for name in NETWORK.names if digits in blob_folder(world, name)}
    assert holders == {"ann", "bob", "cyd", "dan"}
    wait_for_opening(world)
    ask(world, "cyd", "dan")
    give(world, (first, second), "cyd")
    assert states(world, first)["ann"] == SEALED, "one of two is not enough"
    with pytest.raises(StillSealed):
        opened_by(world, "ann", first)
    give(world, (first, second), "dan")
    for name in ("ann", "cyd", "dan"):
        assert states(world, first)[name] == states(world, second)[name] == DELIVERED
        assert opened_by(world, name, first) == {"price": 398500}
    assert states(world, first)["eve"] == states(world, second)["bob"] == NOT_PARTY
    assert [event["ev"] for event in world.events["fay"] if event["ev"].startswith("seal.")] == [
        "seal.open"
    ] * 2 + ["seal.share"] * 4


def test_p50_a_restart_forgets_nothing_of_an_opening(world: World) -> None:
    sealed = bid(world, "bob", 7)
    wait_for_opening(world)
    ask(world, "cyd", "dan")
    give(world, [sealed], "cyd")
    world.crash("ann")
    give(world, [sealed], "dan")
    world.start("ann")
    world.settle()
    rest(world)
    assert states(world, sealed)["ann"] == DELIVERED


@pytest.mark.parametrize("payload", ["off_chain", "on_chain"])
def test_p50_no_party_reads_a_bid_before_the_opening_nor_all_but_one_opener(
    tmp_path: Path, payload: str
) -> None:
    """Real attempts: every key on every slot, share and combination of what fewer than k openers hold."""
    seal = Seal("tender", 2_000, ("ann", "cyd", "dan"), 3, ("ann",))
    network = network_with(seal, payload=payload)
    with ready(tmp_path, network) as world:
        sealed = bid(world, "bob", 398500)
        transaction, blob = sealed.transaction, sealed.blob
        digest, owner = core_digest(transaction.header.core), owner_of(transaction.header.core)
        shares = {}
        for name in network.names:
            key = PARTIES[name].wrapping
            if name != "bob":
                with pytest.raises(NotAParty):
                    unseal(transaction, blob, key)
            found = [
                share
                for number in range(1, 4)
                if (share := open_from_sender(key, blob.shares[number - 1], number, digest)) is not None
            ]
            assert len(found) == (name in seal.openers)
            shares[name] = found
        held = [shares[name][0] for name in seal.openers]
        for few in itertools.chain(itertools.combinations(held, 1), itertools.combinations(held, 2)):
            assert not ContentKey(combine(few)).meets(transaction.header.core.key_commit)
            with pytest.raises(Unreadable):
                open_with(transaction, blob, combine(few))
        assert said(open_with(transaction, blob, combine(held))) == {"price": 398500}
        assert all(share.commitment(owner) in transaction.header.core.seal.commitments for share in held)


def test_p50_an_early_request_is_refused_alike_everywhere_and_stays_as_evidence(world: World) -> None:
    sealed = bid(world, "bob", 1)
    ask(world, "cyd")
    for name in NETWORK.names:
        (request,) = book(world, name).requests
        assert request.author == "cyd" and request.refused == "too early"
        early = [event for event in world.events[name] if event["ev"] == "seal.early"]
        assert [(event["party"], event["err"]) for event in early] == [("cyd", "E-SEAL-EARLY")]
    evidence = read_node(world.home("fay"), NETWORK).transactions[request.act].transaction
    assert isinstance(evidence, ActTransaction) and isinstance(evidence.act.deed, Open)
    wait_for_opening(world)
    # That request does not count later either, so shares that follow it alone do not count.
    give(world, [sealed], "cyd", "dan")
    assert {each.refused for each in book(world, "ann").releases} == {"no request before it"}
    assert states(world, sealed)["ann"] == SEALED
    ask(world, "dan")
    for name in ("cyd", "dan"):
        submit(world, release(author(name, seed="later"), sealed.transaction, sealed.blob))
    assert states(world, sealed)["ann"] == DELIVERED


def test_p50_a_late_bid_is_refused_on_every_node_and_no_share_of_it_counts(world: World) -> None:
    on_time = bid(world, "bob", 1)
    wait_for_opening(world)
    ask(world, "cyd", "dan")
    late = bid(world, "eve", 2)
    assert set(states(world, late).values()) == {REFUSED}
    give(world, [on_time, late], "cyd", "dan")
    assert set(states(world, late).values()) == {REFUSED}
    assert {each.refused for each in book(world, "bob").releases if each.tx == late.transaction.id} == {
        "not under this seal, or late"
    }
    with pytest.raises(StillSealed):
        opened_by(world, "ann", late)
    assert opened_by(world, "ann", on_time) == {"price": 1}
    assert len(world.heads()) == 1


def test_p50_a_bid_in_the_opening_block_itself_is_late(world: World) -> None:
    wait_for_opening(world)
    late = bid(world, "bob", 1)
    assert book(world, "ann").opened == book(world, "ann").bids[late.transaction.id].at[0]
    assert set(states(world, late).values()) == {REFUSED}


def test_p09_a_copied_bid_cannot_be_opened_by_its_copier_or_with_any_share(world: World) -> None:
    """eve sends bob's ciphertext, slots, shares and commitments under her own name."""
    sealed = bid(world, "bob", 398500)
    core = msgspec.structs.replace(sealed.transaction.header.core, sender="eve")
    header = msgspec.structs.replace(sealed.transaction.header, core=core)
    from node.envelopes.transaction import PrivateTransaction, signed_bytes

    copied = PrivateTransaction(header, PARTIES["eve"].signing.sign(signed_bytes(header)))
    copy = Sealed(copied, sealed.blob, sealed.content_key, sealed.payload)
    publish(world, copy)
    assert states(world, copy)["eve"] == SEALED or states(world, copy)["eve"] == NOT_PARTY
    wait_for_opening(world)
    ask(world, "cyd", "dan")
    give(world, [sealed, copy], "cyd", "dan")
    assert [each.complains for each in book(world, "ann").released(copied.id)] == [True, True]
    for name in ("ann", "cyd", "dan"):
        assert opened_by(world, name, sealed) == {"price": 398500}
        with pytest.raises(StillSealed):
            opened_by(world, name, copy)
    # Not even with the content key of the original, which its openers know by now.
    with pytest.raises(Unreadable):
        open_with(copied, sealed.blob, sealed.content_key)


def test_p50_ties_stand_in_chain_order_which_is_the_same_everywhere(world: World) -> None:
    made = [sealed_bid(name, 5) for name in ("eve", "bob", "fay")]
    for sealed in made:
        out = outgoing(NETWORK, sealed, (), sender=sealed.transaction.header.core.sender)
        assert hand_over(world, out)
    world.settle([order(world, sealed) for sealed in made])
    orders = {tuple(bid.tx for bid in book(world, name).on_time) for name in NETWORK.names}
    assert len(orders) == 1
    (one,) = orders
    places = [book(world, "ann").bids[tx].at for tx in one]
    assert places == sorted(places) and {*one} == {sealed.transaction.id for sealed in made}


def test_p50_an_opener_that_does_not_read_hands_on_what_it_cannot_open(tmp_path: Path) -> None:
    """P53: the notary's role. Not in then_to, it releases its share and sees no text; nor do the losers."""
    network = network_with(Seal("tender", 2_000, ("cyd", "dan"), 2, ("ann",)))
    with ready(tmp_path, network) as world:
        sealed, other = bid(world, "bob", 3), bid(world, "eve", 4)
        wait_for_opening(world)
        ask(world, "cyd", "dan")
        give(world, [sealed, other], "cyd", "dan")
        assert opened_by(world, "ann", sealed) == {"price": 3}
        for name in ("cyd", "dan"):
            assert states(world, sealed)[name] == SEALED
            with pytest.raises(NotAParty):
                opened_by(world, name, sealed)
            for each in book(world, "ann").released(sealed.transaction.id):
                number = network.seals["tender"].openers.index(each.opener) + 1
                key = PARTIES[name].wrapping
                assert all(open_from_opener(key, wrap, number, each.tx) is None for wrap in each.wraps)
        assert opened_by(world, "ann", other) == {"price": 4}
        assert states(world, other)["bob"] == states(world, sealed)["eve"] == NOT_PARTY


def test_an_opener_alone_reads_where_one_is_enough(tmp_path: Path) -> None:
    """Threshold 1: each opener holds what amounts to the key; only a rule forbids."""
    network = network_with(Seal("tender", 2_000, ("cyd", "dan"), 1, ("ann",)))
    with ready(tmp_path, network) as world:
        sealed = bid(world, "bob", 3)
        share = own_share(network, sealed.transaction, sealed.blob, "cyd", PARTIES["cyd"].wrapping)
        assert said(open_with(sealed.transaction, sealed.blob, share.value)) == {"price": 3}
        wait_for_opening(world)
        ask(world, "cyd")
        give(world, [sealed], "cyd")
        assert opened_by(world, "ann", sealed) == {"price": 3}


def test_who_opened_it_by_a_seal_can_disclose_it_with_proof(world: World) -> None:
    sealed = bid(world, "bob", 398500)
    wait_for_opening(world)
    ask(world, "cyd", "dan")
    give(world, [sealed], "cyd", "dan")
    node = read_node(world.home("ann"), NETWORK)
    tx = sealed.transaction.id
    blob = node.blob(tx)
    assert blob is not None
    found = open_sealed(
        NETWORK, sealed.transaction, blob, "ann", PARTIES["ann"].wrapping, node.seals.releases_of(tx)
    )
    made = disclose(
        author("ann", seed="award"),
        found.opened.payload,
        sealed.transaction.header,
        ordered_at=node.transactions[tx].height,
        receivers=("eve",),
        reason="award notice, rule 55",
    )
    submit(world, made.record)
    out = outgoing(NETWORK, made.carrier, ("eve",), sender="ann")
    assert hand_over(world, out)
    for topic, packet in out.passing_on():
        world.publish(topic, packet)
    world.settle([order(world, made.carrier)])
    rest(world)
    assert [event["ok"] for event in world.events["eve"] if event["ev"] == "priv.disclose"] == [True]


def test_a_seal_that_the_policy_does_not_know_is_refused_by_every_node(world: World) -> None:
    unknown = network_with(msgspec.structs.replace(TENDER, name="other"))
    forged = sealed_for(unknown, {"price": 1}, sender="bob", to=(), seed=1, seal_name="other")
    core = msgspec.structs.replace(
        forged.transaction.header.core, network=NETWORK.id, policy=NETWORK.policy_hash
    )
    header = msgspec.structs.replace(forged.transaction.header, core=core)
    from node.envelopes.transaction import PrivateTransaction, signed_bytes

    signed = PrivateTransaction(header, PARTIES["bob"].signing.sign(signed_bytes(header)))
    data = encode(TransactionPacket(signed, None))
    assert world.hand("ann", data)["seal"] == 1


def test_a_keeper_that_was_away_asks_the_others_for_the_ciphertext(world: World) -> None:
    world.crash("cyd")
    sealed = bid(world, "bob", 1)
    world.start("cyd")
    world.settle()
    world.run_until(lambda: state(world, "cyd", sealed.transaction.id) == SEALED)
    assert sealed.transaction.id.hex() in blob_folder(world, "cyd")
    assert MISSING not in states(world, sealed).values()
