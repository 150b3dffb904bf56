"""Seals among nodes (P50): nobody reads before the opening, all nodes agree, liars are named."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from node.canonical import encode
from node.chain.act import ActTransaction
from node.chain.deeds import Open, Release
from node.chain.reading import read_node
from node.chain.seal_book import ANSWER_BLOCKS, SealState
from node.chain.store import DELIVERED, MISSING, NOT_PARTY, REFUSED, SEALED, UNREADABLE
from node.consortium import Network, Policy
from node.disclosure.disclosing import Author, disclose
from node.envelopes.content_key import ContentKey
from node.envelopes.disclosure import RULE_FIELD
from node.envelopes.envelope import NotAParty, Opened, Sealed, Unreadable, open_with, unseal
from node.envelopes.rule import FREE
from node.envelopes.shares import Share, combine, open_from_opener, open_from_sender, split
from node.envelopes.transaction import core_digest, owner_of
from node.seals.opening import challenge, release, request_opening
from node.seals.seal import Seal
from node.seals.unsealing import (
    SealBroken,
    StillSealed,
    open_sealed,
    own_share,
    release_lie,
    seal_lie,
)
from node.wire import TransactionPacket
from tests.node.network_of_nodes import GENESIS_MS, PARTIES, World, founded, ready, sealed_for
from tests.node.off_chain_world import blob_folder, hand_over, order, outgoing, state
from tests.node.small_consortium import seeded

# ann buys, bob and eve bid, cyd and dan open for ann and themselves.
TENDER = Seal("tender", 2_000, ("cyd", "dan"), 2, ("ann", "cyd", "dan"))
EARLIEST = GENESIS_MS + TENDER.opens_at_ms


def network_with(*seals: Seal, payload: str = "off_chain") -> Network:
    return founded(4, 2, policy=Policy(payload=payload, seals=seals or (TENDER,)))


NETWORK = network_with()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Four voters and two followers, eve and fay, at height 1."""
    with ready(tmp_path, NETWORK) as world:
        yield world


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


def test_p50_an_opener_that_keeps_its_share_back_is_named(world: World) -> None:
    sealed = bid(world, "bob", 1)
    wait_for_opening(world)
    assert book(world, "fay").withholding() == []
    ask(world, "cyd", "dan")
    give(world, [sealed], "cyd")
    assert book(world, "fay").withholding() == ["dan"]
    submit(world, challenge(author("ann", seed="why"), sealed.transaction.id, "dan"))
    since = world.height("fay")
    assert book(world, "fay").unanswered(since + ANSWER_BLOCKS) == []
    assert [each.of for each in book(world, "fay").unanswered(since + ANSWER_BLOCKS + 1)] == ["dan"]
    give(world, [sealed], "dan")
    assert book(world, "fay").unanswered(since + ANSWER_BLOCKS + 1) == []
    assert states(world, sealed)["ann"] == DELIVERED


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


def test_p50_a_share_wrapped_wrong_for_one_reader_counts_for_none_and_names_its_opener(world: World) -> None:
    sealed = bid(world, "bob", 3)
    wait_for_opening(world)
    ask(world, "cyd", "dan")
    give(world, [sealed], "cyd")
    act = release(author("dan", seed="lie"), sealed.transaction, sealed.blob)
    assert act is not None and isinstance(act.act.deed, Release)
    good = act.act.deed.wraps
    lie = author("dan", seed="lie 2").act(Release(sealed.transaction.id, (good[0], good[0], good[2])))
    submit(world, lie)
    assert all(states(world, sealed)[name] == SEALED for name in ("ann", "cyd", "dan"))
    share = own_share(NETWORK, sealed.transaction, sealed.blob, "dan", PARTIES["dan"].wrapping)
    released = book(world, "fay").releases[-1]
    assert release_lie(NETWORK, sealed.transaction, released, share) == ["cyd"]
    honest = book(world, "fay").releases[0]
    first = own_share(NETWORK, sealed.transaction, sealed.blob, "cyd", PARTIES["cyd"].wrapping)
    assert release_lie(NETWORK, sealed.transaction, honest, first) == []
    assert release_lie(NETWORK, sealed.transaction, released, first) == []
    # It may still do what it should have done.
    submit(world, act)
    assert all(states(world, sealed)[name] == DELIVERED for name in ("ann", "cyd", "dan"))


def test_p50_bad_commitments_in_a_header_are_the_senders_lie_and_anybody_can_see_it(world: World) -> None:
    """Hashes of shares of another key; and hashes of shares of which only some give the key."""
    other = Seal("tender", 2_000, ("cyd", "dan"), 2, ("ann", "cyd", "dan"))
    assert other == TENDER
    lied = lying_bid(NETWORK, lambda shares, stranger: stranger)
    publish(world, lied)
    wait_for_opening(world)
    ask(world, "cyd", "dan")
    give(world, [lied], "cyd", "dan")
    found = states(world, lied)
    assert {found[name] for name in ("ann", "cyd", "dan")} == {UNREADABLE}
    with pytest.raises(SealBroken) as caught:
        opened_by(world, "ann", lied)
    assert caught.value.reason == "shares_of_another_key"
    assert seal_lie(NETWORK, lied.transaction, caught.value.shares) == "shares_of_another_key"


def test_p50_a_wrong_hash_for_one_of_three_is_found_by_whoever_has_the_key(tmp_path: Path) -> None:
    network = network_with(Seal("tender", 2_000, ("cyd", "dan", "fay"), 2, ("ann",)))
    with ready(tmp_path, network) as world:
        lied = lying_bid(network, lambda shares, stranger: (*shares[:2], stranger[2]))
        publish(world, lied)
        wait_for_opening(world)
        ask(world, "cyd", "dan")
        give(world, [lied], "cyd", "dan")
        assert states(world, lied)["ann"] == UNREADABLE
        with pytest.raises(SealBroken) as caught:
            opened_by(world, "ann", lied)
        assert caught.value.reason == "shares_not_derived"
        assert seal_lie(network, lied.transaction, (), lied.content_key) == "shares_not_derived"
        assert seal_lie(network, lied.transaction, caught.value.shares) == "shares_not_derived"


def test_p50_a_share_that_does_not_meet_its_hash_proves_its_sender_a_liar(world: World) -> None:
    lied = lying_bid(NETWORK, lambda shares, stranger: shares, wrap=lambda shares, stranger: stranger)
    publish(world, lied)
    with pytest.raises(SealBroken) as caught:
        own_share(NETWORK, lied.transaction, lied.blob, "cyd", PARTIES["cyd"].wrapping)
    shares = caught.value.shares
    assert seal_lie(NETWORK, lied.transaction, shares, blob=lied.blob) == "share_commitment"
    warned = [each.get("reason_code") for each in world.events["cyd"] if each["ev"] == "priv.seal"]
    assert warned == ["share_commitment"]
    wait_for_opening(world)
    ask(world, "cyd", "dan")
    give(world, [lied], "cyd", "dan")
    assert [each.complains for each in book(world, "ann").releases] == [True, True]
    assert states(world, lied)["ann"] == SEALED


def test_p50_an_honest_sender_cannot_be_accused(world: World) -> None:
    honest = bid(world, "bob", 3)
    shares = [
        own_share(NETWORK, honest.transaction, honest.blob, name, PARTIES[name].wrapping)
        for name in ("cyd", "dan")
    ]
    made_up = Share(1, bytes(32), bytes(16))
    for claimed in ((), shares, shares[:1], [made_up], [made_up, shares[1]], [shares[0], shares[0]]):
        for key in (None, honest.content_key, bytes(32)):
            assert seal_lie(NETWORK, honest.transaction, tuple(claimed), key, honest.blob) is None
    assert seal_lie(NETWORK, honest.transaction, (Share(9, bytes(32), bytes(16)),), None, honest.blob) is None


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


def lying_bid(network: Network, hashes: Any, wrap: Any = None) -> Sealed:
    """bob's bid with other hashes than those of its shares, or with other shares wrapped for the openers.

    Each function gets the true shares and those of a stranger's key.
    """
    from node.envelopes.key_slots import make_slots
    from node.envelopes.transaction import (
        Blob,
        PrivateTransaction,
        PublicHeader,
        SealPart,
        ciphertext_hash,
        signed_bytes,
        slots_hash,
    )

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


def test_p50_a_made_up_share_counts_for_nobody_and_blames_no_sender(world: World) -> None:
    """dan releases, well wrapped, what is not his share: he is to do it again, and bob is no liar."""
    sealed = bid(world, "bob", 3)
    wait_for_opening(world)
    ask(world, "cyd", "dan")
    give(world, [sealed], "cyd")
    tx, made_up = sealed.transaction.id, Share(2, bytes(range(32)), bytes(16))
    wraps = tuple(made_up.for_reader(PARTIES[name].wrapping.public, tx) for name in TENDER.then_to)
    submit(world, author("dan", seed="made up").act(Release(tx, wraps)))
    assert all(states(world, sealed)[name] == SEALED for name in TENDER.then_to)
    assert seal_lie(NETWORK, sealed.transaction, (made_up,), None, sealed.blob) is None
    give(world, [sealed], "dan")
    assert all(states(world, sealed)[name] == DELIVERED for name in TENDER.then_to)


def test_p09_a_hash_of_a_share_means_nothing_under_another_name() -> None:
    """It is bound to network, sender and nonce, and to the opener's number."""
    key, owner = ContentKey(bytes(range(32))), bytes(32)
    first, second = split(key, owner, 2, 2)
    assert first.commitment(owner) != first.commitment(bytes(31) + b"\x01")
    assert first.commitment(owner) != Share(2, first.value, first.salt).commitment(owner)
    assert combine((first, second)) == key.raw
