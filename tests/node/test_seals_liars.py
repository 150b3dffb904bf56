"""Openers and senders that lie about a seal are named or proved liars, and nobody else is (P50, P09)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from node.chain.deeds import Release
from node.chain.seal_book import ANSWER_BLOCKS
from node.chain.store import DELIVERED, SEALED, UNREADABLE
from node.envelopes.content_key import ContentKey
from node.envelopes.shares import Share, combine, split
from node.seals.opening import challenge, release
from node.seals.seal import Seal
from node.seals.unsealing import (
    SealBroken,
    own_share,
    seal_lie,
)
from tests.node.network_of_nodes import PARTIES, World, ready
from tests.node.sealed_world import (
    NETWORK,
    TENDER,
    ask,
    author,
    bid,
    book,
    give,
    lying_bid,
    network_with,
    opened_by,
    publish,
    states,
    submit,
    wait_for_opening,
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Four voters and two followers, eve and fay, at height 1."""
    with ready(tmp_path, NETWORK) as world:
        yield world


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
