"""Proofs of bad shares (P49, P50): kept by every node, over restarts, and nobody honest is framed by one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from node import share_evidence
from node.canonical import encode
from node.chain.act import ActTransaction
from node.chain.deeds import Release
from node.envelopes.envelope import Sealed
from node.envelopes.shares import Share, open_from_opener
from node.faults.lying_shares import deal_inconsistent_shares, made_up_share, release_bad_share
from node.seals.opening import release
from node.seals.share_proof import (
    BlamedForShare,
    ShareProof,
    Shown,
    decode_share_proof,
    encode_share_proof,
    judge_share,
    judge_share_bytes,
)
from node.seals.unsealing import own_share
from node.share_evidence import FOLDER, kept_share_proofs
from node.wire import ShareProofPacket
from tests.node.network_of_nodes import PARTIES, World, ready
from tests.node.sealed_world import (
    NETWORK,
    TENDER,
    ask,
    author,
    bid,
    give,
    lying_bid,
    publish,
    rest,
    sealed_bid,
    submit,
    wait_for_opening,
)
from tests.node.small_consortium import seeded


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Four voters and two followers, at height 1."""
    with ready(tmp_path, NETWORK) as world:
        yield world


def kept(world: World, name: str) -> list[BlamedForShare]:
    return list(kept_share_proofs(NETWORK, world.home(name)))


def blamed(world: World, name: str) -> list[tuple[str, str]]:
    told = [each for each in world.events[name] if each["ev"] == "seal.share_blamed"]
    return [(each["party"], each["reason_code"]) for each in told]


def bad_release(sealed: Sealed, name: str = "dan") -> ActTransaction:
    tx = sealed.transaction.id
    return release_bad_share(author(name, seed=("bad", tx)), TENDER, tx, seeded("bad share"))


def with_a_bad_release(world: World) -> Sealed:
    sealed = bid(world, "bob", 3)
    wait_for_opening(world)
    ask(world, "cyd", "dan")
    submit(world, bad_release(sealed))
    world.settle()
    rest(world)
    return sealed


def proof_in(world: World, name: str) -> ShareProof:
    (path,) = (world.home(name) / FOLDER).iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    return decode_share_proof(path.read_bytes())


def test_p50_a_bad_share_is_proved_by_its_reader_and_kept_by_all(world: World) -> None:
    """P50: also by who reads nothing; the liar's own node accuses nobody."""
    sealed = with_a_bad_release(world)
    wanted = BlamedForShare(sealed.transaction.id, "dan", "released_share")
    for name in NETWORK.names:
        assert kept(world, name) == ([] if name == "dan" else [wanted]), name
        assert blamed(world, name) == ([] if name == "dan" else [("dan", "released_share")])
    # An honest release beside it is nobody's lie.
    give(world, [sealed], "cyd")
    assert kept(world, "fay") == [wanted]


def test_p50_a_share_dealt_wrong_is_proved_by_its_opener(world: World) -> None:
    """P50: the sender is blamed, and not the opener that complains."""
    honest = sealed_bid("bob", 3)
    keys = PARTIES["bob"].signing
    lied = deal_inconsistent_shares(honest, NETWORK, TENDER, ["cyd"], keys, seeded("dealt"))
    publish(world, lied)
    world.settle()
    rest(world)
    for name in NETWORK.names:
        wanted = [] if name == "bob" else [BlamedForShare(lied.transaction.id, "bob", "dealt_share")]
        assert kept(world, name) == wanted, name


def test_p50_hashes_of_another_key_are_proved_to_all(world: World) -> None:
    """P50: who combined the shares shows them: they give no key that anything is encrypted with."""
    lied = lying_bid(NETWORK, lambda shares, stranger: stranger)
    publish(world, lied)
    wait_for_opening(world)
    ask(world, "cyd", "dan")
    give(world, [lied], "cyd", "dan")
    world.settle()
    rest(world)
    assert kept(world, "fay") == [BlamedForShare(lied.transaction.id, "bob", "shares_of_another_key")]
    assert kept(world, "bob") == []


def test_p49_proofs_are_kept_over_restarts(world: World) -> None:
    """P49: what is on the disk is known again, and is told no second time."""
    with_a_bad_release(world)
    before = kept(world, "fay")
    for name in ("fay", "ann"):
        world.crash(name)
        world.start(name)
    world.settle()
    rest(world)
    assert kept(world, "fay") == before and len(before) == 1
    assert blamed(world, "fay") == [("dan", "released_share")]


def test_p49_a_crash_before_the_look_loses_no_proof(world: World) -> None:
    """P49: a reader whose proof is not on its disk when it stops makes it again from its ledger."""
    with_a_bad_release(world)
    for path in (world.home("ann") / FOLDER).iterdir():
        path.unlink()
    world.crash("ann")
    world.start("ann")
    world.settle()
    rest(world)
    assert [each.party for each in kept(world, "ann")] == ["dan"]


def test_p49_a_proof_holds_no_true_share_and_no_key(world: World) -> None:
    """P49: an honest sender's content stays shut, whoever hears the proof."""
    sealed = with_a_bad_release(world)
    give(world, [sealed], "cyd")
    data = encode_share_proof(proof_in(world, "fay"))
    secrets = [sealed.content_key]
    for name in TENDER.openers:
        share = own_share(NETWORK, sealed.transaction, sealed.blob, name, PARTIES[name].wrapping)
        secrets += [share.value, share.salt]
    assert not any(secret in data for secret in secrets)


def test_p49_a_liar_fills_no_disk(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """P49: so many proofs against one party are kept, and one for each transaction."""
    monkeypatch.setattr(share_evidence, "KEPT_OF_EACH", 2)
    bids = [bid(world, "bob", price) for price in (1, 2, 3)]
    wait_for_opening(world)
    ask(world, "cyd", "dan")
    for sealed in bids:
        submit(world, bad_release(sealed))
    assert len(kept(world, "fay")) == 2
    assert world.hand("fay", encode(ShareProofPacket(proof_of_bad_share(bids[2]))))["enough evidence"]
    assert world.hand("fay", encode(ShareProofPacket(proof_of_bad_share(bids[0]))))["repeated"]


def proof_of_bad_share(sealed: Sealed) -> ShareProof:
    """As ann, for whom it is wrapped, makes it."""
    act = bad_release(sealed)
    assert isinstance(act.act.deed, Release)
    key = PARTIES["ann"].wrapping
    share = open_from_opener(key, act.act.deed.wraps[0], 2, sealed.transaction.id)
    assert share is not None
    return ShareProof(sealed.transaction, act, (), (), (Shown.of(share),))


def test_p49_nobody_honest_is_framed(world: World) -> None:
    """P49: true shares, made-up ones, other people's, and those of honest releases prove nothing."""
    sealed = bid(world, "bob", 3)
    tx, blob = sealed.transaction, sealed.blob
    true = {name: own_share(NETWORK, tx, blob, name, PARTIES[name].wrapping) for name in TENDER.openers}
    made_up = made_up_share(1, seeded("framed"))
    honest = {name: release(author(name), tx, blob) for name in TENDER.openers}
    claims = [*true.values(), made_up, Share(2, made_up.value, made_up.salt)]
    shown = [tuple(map(Shown.of, each)) for size in (1, 2) for each in itertools.product(claims, repeat=size)]
    releases = [None, *honest.values(), request_of(sealed)]
    wraps = [((), ()), (blob.slots, blob.shares), (blob.slots[1:], blob.shares), (blob.slots, ())]
    tried = 0
    for act, (slots, shares), what in itertools.product(releases, wraps, shown):
        proof = ShareProof(tx, act, slots, shares, what)
        assert judge_share(NETWORK, proof) is None
        tried += 1
    assert tried > 300
    dropped = world.hand("fay", encode(ShareProofPacket(ShareProof(tx, None, (), (), shown[0]))))
    assert dropped["evidence does not hold"] == 1 and kept(world, "fay") == []


def request_of(sealed: Sealed) -> ActTransaction:
    """A release in dan's name that dan never signed."""
    lie = bad_release(sealed)
    return ActTransaction(lie.act, author("ann").act(lie.act.deed).signature)


def test_p49_a_proof_with_a_signature_of_somebody_else_blames_nobody(world: World) -> None:
    """P49: neither an opener, whose release another signed, nor a sender, whose header another did."""
    sealed = bid(world, "bob", 3)
    good = proof_of_bad_share(sealed)
    assert judge_share(NETWORK, good) is not None
    assert good.release is not None
    unsigned = msgspec.structs.replace(good.release, signature=bytes(64))
    assert judge_share(NETWORK, msgspec.structs.replace(good, release=unsigned)) is None
    other = proof_of_bad_share(sealed_bid("eve", 4))
    assert judge_share(NETWORK, msgspec.structs.replace(good, transaction=other.transaction)) is None
    honest = sealed_bid("bob", 5)
    keys = PARTIES["eve"].signing
    forged = deal_inconsistent_shares(honest, NETWORK, TENDER, ["cyd"], keys, seeded("forged"))
    made = made_up_share(1, seeded("forged"))
    proof = ShareProof(forged.transaction, None, forged.blob.slots, forged.blob.shares, (Shown.of(made),))
    assert judge_share(NETWORK, proof) is None
    assert judge_share_bytes(NETWORK, b"no proof") is None
