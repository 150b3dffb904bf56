"""Releases and shares that are not as they should be, by whoever pleases (P50): they count for nothing."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from node.chain.deeds import Release
from node.chain.seal_book import MOST_RELEASES, NOT_AN_OPENER, OF_OTHER_SIZE, TOO_MANY
from node.chain.store import DELIVERED, SEALED
from node.envelopes.envelope import Unreadable
from node.envelopes.shares import Share
from node.envelopes.transaction import (
    Blob,
    PrivateTransaction,
    PublicHeader,
    SealPart,
    check_blob,
    check_transaction,
    core_digest,
    owner_of,
    signed_bytes,
    slots_hash,
)
from node.seals.opening import release
from node.seals.unsealing import own_share
from tests.node.network_of_nodes import PARTIES, ready
from tests.node.sealed_world import (
    NETWORK,
    ask,
    author,
    bid,
    book,
    give,
    sealed_bid,
    states,
    submit,
    wait_for_opening,
)


def test_p50_a_release_by_a_stranger_or_of_another_size_harms_nobody(tmp_path: Path) -> None:
    """Any member can order one: no node's view is in doubt because of it, and the seal opens as it would."""
    with ready(tmp_path, NETWORK) as world:
        sealed = bid(world, "bob", 3)
        wait_for_opening(world)
        ask(world, "cyd")
        tx, junk = sealed.transaction.id, bytes(96)
        submit(world, author("fay", seed=1).act(Release(tx, (junk,) * 3)))
        submit(world, author("ann", seed=1).act(Release(tx, ())))  # She reads, and opens nothing.
        submit(world, author("cyd", seed=1).act(Release(tx, (junk,))))
        submit(world, author("cyd", seed=2).act(Release(tx, (junk,) * 4)))
        submit(world, author("cyd", seed=3).act(Release(bytes(32), (junk,) * 3)))  # Of nothing at all.
        given = [(each.opener, each.refused) for each in book(world, "dan").releases]
        assert given == [
            ("fay", NOT_AN_OPENER),
            ("ann", NOT_AN_OPENER),
            ("cyd", OF_OTHER_SIZE),
            ("cyd", OF_OTHER_SIZE),
        ]
        assert {states(world, sealed)[name] for name in ("ann", "cyd", "dan")} == {SEALED}
        give(world, [sealed], "cyd", "dan")
        assert {states(world, sealed)[name] for name in ("ann", "cyd", "dan")} == {DELIVERED}


def test_p50_a_share_that_does_not_follow_from_what_it_wraps_is_complained_of() -> None:
    """Wrapped with an ephemeral key of the sender's choice nobody could prove to others what was in it."""
    sealed = sealed_bid("bob", 3)
    core, blob = sealed.transaction.header.core, sealed.blob
    share = own_share(NETWORK, sealed.transaction, blob, "cyd", PARTIES["cyd"].wrapping)
    assert core.seal is not None and share.commitment(owner_of(core)) == core.seal.commitments[0]
    info = b"privity/v1/share-wrap" + core_digest(core) + (1).to_bytes(2, "big")
    public = PARTIES["cyd"].wrapping.public
    other = public.wrap(share.value + share.salt, info=info, ephemeral=bytes(31) + b"@")
    shares = (other, *blob.shares[1:])
    header = msgspec.structs.replace(sealed.transaction.header, slots_hash=slots_hash(blob.slots, shares))
    transaction = msgspec.structs.replace(sealed.transaction, header=header)
    lied = Blob(blob.ciphertext, blob.slots, shares)
    with pytest.raises(Unreadable, match="share_seed"):
        own_share(NETWORK, transaction, lied, "cyd", PARTIES["cyd"].wrapping)
    said = release(author("cyd"), transaction, lied)
    assert said is not None and said.act.deed == Release(transaction.id, ())
    assert own_share(NETWORK, transaction, lied, "dan", PARTIES["dan"].wrapping).number == 2


def test_p50_equal_shares_have_different_hashes() -> None:
    """The salt is in: from a hash nobody can tell whether a share is the one he guesses."""
    value, owner = bytes(32), bytes(32)
    assert Share(1, value, b"a" * 16).commitment(owner) != Share(1, value, b"b" * 16).commitment(owner)
    assert Share(1, value, b"a" * 16).commitment(owner) != Share(2, value, b"a" * 16).commitment(owner)


def test_p50_an_opener_that_says_junk_again_and_again_costs_no_more_for_it(tmp_path: Path) -> None:
    """So many of its releases are tried, and no more; of other payloads and openers as many as before."""
    with ready(tmp_path, NETWORK) as world:
        sealed, other = bid(world, "bob", 3), bid(world, "eve", 4)
        wait_for_opening(world)
        ask(world, "cyd")
        tx = sealed.transaction.id
        for number in range(MOST_RELEASES + 2):
            submit(world, author("dan", seed=number).act(Release(tx, (bytes([number]) * 96,) * 3)))
        refused = [each.refused for each in book(world, "ann").releases]
        assert refused == [""] * MOST_RELEASES + [TOO_MANY] * 2
        assert len(world.node("ann").ledger.seals.releases_of(tx)) == MOST_RELEASES
        give(world, [other], "cyd", "dan")
        assert states(world, other)["ann"] == DELIVERED
        give(world, [sealed], "cyd", "dan")  # Dan cannot make up for it any more: a challenge names it.
        assert states(world, sealed)["ann"] == SEALED


def test_p50_a_blob_holds_a_share_for_each_hash_and_a_header_a_hash_for_each_opener() -> None:
    """A sender that signs another number of them is refused by every node, before anything is ordered."""
    sealed = sealed_bid("bob", 3)
    header, blob = sealed.transaction.header, sealed.blob

    def judged(shares: tuple[bytes, ...], seal: SealPart | None) -> str | None:
        core = msgspec.structs.replace(header.core, seal=seal)
        signed = PublicHeader(core, header.ciphertext_hash, slots_hash(blob.slots, shares))
        transaction = PrivateTransaction(signed, PARTIES["bob"].signing.sign(signed_bytes(signed)))
        return check_transaction(
            transaction,
            Blob(blob.ciphertext, blob.slots, shares),
            network=NETWORK.id,
            policy=NETWORK.policy_hash,
            max_validity=1000,
            sender_key=PARTIES["bob"].signing.public,
            seals={"tender": 2},
        )

    seal, shares = header.core.seal, blob.shares
    assert seal is not None and judged(shares, seal) is None
    for wrong in ((), shares[:1], (*shares, shares[0]), (shares[0], shares[1][:-1])):
        assert judged(wrong, seal) == "blob_shares"
    for altered in (shares[::-1], (shares[0], bytes(96))):
        assert check_blob(header, Blob(blob.ciphertext, blob.slots, altered)) == "blob_hash"
    assert judged(shares, None) == "blob_shares" and judged((), None) is None
    for hashes in (seal.commitments[:1], (*seal.commitments, bytes(32))):
        assert judged(shares, SealPart("tender", hashes)) == "seal"
    assert judged(shares, SealPart("auction", seal.commitments)) == "seal"
