"""Purges on the ledger, and receipts of every node that erased something (P42, P43)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from node.canonical import encode
from node.chain.deeds import Purge, PurgeReceipt
from node.chain.reading import read_node
from node.chain.store import PURGED, Store
from node.delivery.packets import PurgedHere, SealedPurgeReceipt, SignedPurgedHere, purged_bytes
from node.envelopes.envelope import Sealed
from node.erasing.purging import _info, read_purge_receipts
from node.erasing.repeating import GATHER_MS
from node.wire import TransactionPacket
from tests.node.network_of_nodes import PARTIES, World, founded, ready, sealed_for
from tests.node.off_chain_world import off_chain, send
from tests.node.test_disclosure_on_the_ledger import author, showing, submit, submit_act
from tests.node.test_retention import erased, left_on_disk, state

NETWORK = founded(voters=4, followers=1)
SECRET = "the patient has gone to Trieste"
WHY = "no longer needed"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Four voters and a follower, eve, at height 1."""
    with ready(tmp_path, NETWORK) as world:
        yield world


def sent(world: World, seed: object = 0, **more: object) -> Sealed:
    """Ordered by ann for bob."""
    sealed = sealed_for(NETWORK, {"note": SECRET}, seed=seed, **more)  # type: ignore[arg-type]
    world.settle([world.submit(sealed)])
    return sealed


def purge(world: World, tx: bytes, by: str = "ann", seed: object = 0) -> None:
    world.settle([submit_act(world, author(by, network=world.network, seed=f"p{seed}").act(Purge(tx, WHY)))])


def receipts(world: World, name: str = "dan") -> list[tuple[str, tuple[bytes, ...]]]:
    acts = read_node(world.home(name), world.network).acts()
    return [(act.sender, act.deed.txs) for _, act in acts if isinstance(act.deed, PurgeReceipt)]


def test_p42_a_purge_erases_it_everywhere_at_once(world: World) -> None:
    """At the height of the act, on every node; the chain stands, and restarts need nothing of it."""
    sealed = sent(world)
    tx = sealed.transaction.id
    assert left_on_disk(world.folder, sealed)
    purge(world, tx)
    assert left_on_disk(world.folder, sealed) == []
    assert {state(world, name, tx) for name in NETWORK.names} == {PURGED}
    assert ("blob", 3) in erased(world, "cyd", tx)
    for name in NETWORK.names:
        world.stop(name)
        world.start(name)
    assert {state(world, name, tx) for name in NETWORK.names} == {PURGED}
    more = sent(world, seed="after")
    assert state(world, "bob", more.transaction.id) != PURGED


def test_p42_what_carries_it_to_others_is_erased_too(world: World) -> None:
    """A carrier that was ordered before, and one that comes after the purge."""
    sealed = sent(world)
    before, after = showing(sealed, "note"), showing(sealed, "note", to=("cyd",), seed="later")
    submit(world, before)
    purge(world, sealed.transaction.id)
    assert state(world, "eve", before.carrier.transaction.id) == PURGED
    submit(world, after)
    assert state(world, "cyd", after.carrier.transaction.id) == PURGED
    assert left_on_disk(world.folder, before.carrier) == [] == left_on_disk(world.folder, after.carrier)


@pytest.mark.parametrize("by", ["bob", "eve"])
def test_p42_nobody_but_its_sender_can_have_it_erased(world: World, by: str) -> None:
    """The act of a reader, or of a stranger to it, is ordered and means nothing; so is one on no payload."""
    sealed = sent(world)
    purge(world, sealed.transaction.id, by)
    purge(world, bytes(32), by, seed="nothing")
    world.run(3 * GATHER_MS)
    assert state(world, "bob", sealed.transaction.id) != PURGED and receipts(world) == []


def test_p42_a_purge_of_what_stays_for_a_while_comes_first(world: World) -> None:
    """And its own height later neither erases nor signs a second time."""
    sealed = sent(world, keep=4)
    purge(world, sealed.transaction.id)
    assert state(world, "bob", sealed.transaction.id) == PURGED
    world.run(3 * GATHER_MS)
    for number in range(5):
        world.settle(world.send(1, seed=("grow", number), valid=(1, 49)))
    world.run(3 * GATHER_MS)
    assert sorted(name for name, _ in receipts(world)) == sorted(NETWORK.names)


def test_p42_nobody_brings_back_what_a_purge_erased(world: World) -> None:
    """Also not to a node that was away while it lived and while it was purged."""
    world.stop("dan")
    sealed = sent(world)
    purge(world, sealed.transaction.id)
    packet = encode(TransactionPacket(sealed.transaction, sealed.blob))
    for name in ("ann", "bob", "cyd"):
        assert world.hand(name, packet) == {"payload purged": 1}
    world.start("dan")
    world.settle()
    assert world.hand("dan", packet) == {"payload purged": 1}
    world.run(3000)
    assert left_on_disk(world.folder, sealed) == []


def test_p43_every_node_signs_and_many_go_into_one_receipt(world: World) -> None:
    """Ten payloads, five nodes, five acts: what it costs does not grow with what is erased."""
    ids = [sent(world, seed=number).transaction.id for number in range(10)]
    for number, tx in enumerate(ids):
        submit_act(world, author("ann", seed=f"p{number}").act(Purge(tx, WHY)))
    world.run(200)
    world.settle()
    world.run(4 * GATHER_MS)
    found = receipts(world)
    assert sorted(name for name, _ in found) == sorted(NETWORK.names)
    assert {txs for _, txs in found} == {tuple(sorted(ids))}
    assert not any(world.node(name)._store.receipts_due(1) for name in NETWORK.names)


def test_p43_a_node_that_was_away_signs_when_it_is_back(world: World) -> None:
    """It executes the purge, has nothing any more, and says so; before, its receipt is what is missing."""
    sealed = sent(world)
    world.stop("dan")
    purge(world, sealed.transaction.id)
    world.run(4 * GATHER_MS)
    assert "dan" not in {name for name, _ in receipts(world, "ann")}
    world.start("dan")
    world.settle()
    world.run(6 * GATHER_MS)
    assert "dan" in {name for name, _ in receipts(world, "ann")}


def test_p43_a_crash_before_the_receipt_loses_none(world: World) -> None:
    """What is due lies in the index, so the next start signs it."""
    sealed = sent(world)
    purge(world, sealed.transaction.id)
    assert world.node("cyd")._store.receipts_due(9) == [sealed.transaction.id]
    world.crash("cyd")
    world.start("cyd")
    world.run(8 * GATHER_MS)
    assert [name for name, _ in receipts(world, "ann")].count("cyd") == 1


def test_p43_off_chain_a_crash_after_erasing_loses_no_receipt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Erased and noted, and gone before the index has it: the notes tell that a receipt is due."""

    class Stopped(BaseException):
        pass

    with ready(tmp_path, off_chain()) as world:
        tx = send(world, ["bob", "cyd"])
        world.settle([tx])
        world.run(2000)
        plain, bob = Store.add_receipts_due, world.node("bob")

        def stopping(store: Store, due: Sequence[tuple[bytes, str]]) -> None:
            if store is bob._store:
                raise Stopped
            plain(store, due)

        monkeypatch.setattr(Store, "add_receipts_due", stopping)
        with pytest.raises(Stopped):
            purge(world, tx)
        monkeypatch.undo()
        world.crash("bob")
        world.start("bob")
        world.run(12 * GATHER_MS)
        assert set(read_purge_receipts(world.home("ann"), world.network)) == {
            (tx, name) for name in ("ann", "bob", "cyd")
        }


def test_p43_off_chain_the_sender_alone_is_told(tmp_path: Path) -> None:
    """Who held it signs, sealed for the sender's node; the ledger says nothing of readers."""
    with ready(tmp_path, off_chain()) as world:
        tx = send(world, ["bob", "cyd"])
        world.settle([tx])
        world.run(2000)
        purge(world, tx)
        world.run(3000)
        assert receipts(world) == []
        given = {
            name: set(read_purge_receipts(world.home(name), world.network)) for name in world.network.names
        }
        assert given["ann"] == {(tx, "ann"), (tx, "bob"), (tx, "cyd")}
        assert not given["bob"] and not given["cyd"] and not given["dan"]
        for _, _, packet in world.said:
            if isinstance(packet, SealedPurgeReceipt):
                assert tx not in packet.sealed
        # Anybody plays them back, as often as he likes: nothing is written again.
        recorded = [
            encode(packet) for packet in world.packets("bob") if isinstance(packet, SealedPurgeReceipt)
        ]
        assert recorded and all(world.hand("ann", each) == {"repeated": 1} for each in recorded)


def test_p43_a_forged_receipt_is_dropped(tmp_path: Path) -> None:
    """Signed by another, for what was not to be erased, for what is not its own, or not sealed for it."""
    with ready(tmp_path, off_chain()) as world:
        network = world.network
        kept, gone = send(world, ["bob"], seed=1), send(world, ["bob"], seed=2)
        world.settle([kept, gone])
        world.run(2000)
        purge(world, gone)

        def sealed(place: int, tx: bytes, signer: str, to: str = "ann") -> bytes:
            here = PurgedHere(place, tx)
            signature = PARTIES[signer].signing.sign(purged_bytes(network.id, here))
            public, data = network.wrapping_keys[to], encode(SignedPurgedHere(here, signature))
            return encode(
                SealedPurgeReceipt(public.wrap(data, info=_info(network), ephemeral=bytes(31) + b"7"))
            )

        assert world.hand("ann", sealed(2, gone, "bob")) == {"bad signature": 1}
        assert world.hand("ann", sealed(9, gone, "bob")) == {"bad signature": 1}
        assert world.hand("ann", sealed(1, kept, "bob")) == {"receipt is not wanted": 1}
        assert world.hand("bob", sealed(2, gone, "cyd", to="bob")) == {"receipt is not wanted": 1}
        assert world.hand("ann", sealed(1, gone, "bob", to="cyd")) == {"bad receipt": 1}
        assert world.hand("ann", encode(SealedPurgeReceipt(b"x"))) == {"bad receipt": 1}


def test_p44_the_receipts_and_the_act_tell_nothing_of_the_value(world: World) -> None:
    """Two worlds that differ in the secret alone: acts and receipts differ in the ids alone."""
    sealed = sent(world)
    purge(world, sealed.transaction.id)
    world.run(4 * GATHER_MS)
    acts = [act for _, act in read_node(world.home("dan"), NETWORK).acts()]
    tx = sealed.transaction.id
    for act in acts:
        plain = encode(act).replace(tx, b"")
        assert SECRET.encode() not in plain and sealed.content_key not in plain
        assert not any(leaf.salt in plain for leaf in sealed.payload.leaves)
    deeds = {type(act.deed) for act in acts}
    assert deeds == {Purge, PurgeReceipt}


def test_malformed_purges_are_refused_by_every_node() -> None:
    """Ids in order, each once; a reason that hides nothing."""
    names = frozenset(NETWORK.names)
    first, second = bytes(32), bytes(31) + b"\x01"
    assert PurgeReceipt((second, first)).fault("ann", names) and PurgeReceipt((first, first)).fault(
        "ann", names
    )
    assert Purge(first, "a\u202eb").fault("ann", names)
    assert not PurgeReceipt((first, second)).fault("ann", names) and not Purge(first, WHY).fault("ann", names)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert([33, []], PurgeReceipt, strict=True)


def test_a_node_whose_disk_refuses_signs_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A receipt follows the erasing, and never stands for what did not happen."""
    sealed = sent(world)

    def refuse(store: Store, identifier: bytes) -> bool:
        raise OSError(28, "no space")

    monkeypatch.setattr(Store, "erase_blob", refuse)
    submit_act(world, author("ann").act(Purge(sealed.transaction.id, WHY)))
    world.run(5 * GATHER_MS)
    monkeypatch.undo()
    assert not any(world.node(name)._store.receipts_due(1) for name in NETWORK.names)
    assert receipts(world) == []
