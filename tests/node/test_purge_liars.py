"""What a purge can be made to erase, and what its receipts tell strangers (P10, P17, P42, P43)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from node.canonical import encode
from node.chain.deeds import Disclosure
from node.chain.reading import read_node
from node.chain.store import PURGED
from node.consortium import Network
from node.delivery.packets import PurgedHere, SealedPurgeReceipt, SignedPurgedHere, purged_bytes
from node.envelopes.envelope import Sealed
from node.envelopes.wrapping import WrappingKey
from node.erasing.purge_reading import due_heights
from node.erasing.purging import _info, read_purge_receipts
from tests.node.network_of_nodes import PARTIES, World, founded, ready, sealed_for
from tests.node.off_chain_world import off_chain, send
from tests.node.test_disclosure_on_the_ledger import author, submit_act
from tests.node.test_purge_acts import purge
from tests.node.test_retention import left_on_disk, state

NETWORK = founded(voters=4, followers=1)
DEAL = {"note": "the boat sails at nine"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Four voters and a follower, eve, at height 1."""
    with ready(tmp_path, NETWORK) as world:
        yield world


def claim(world: World, own: Sealed, carrier: Sealed) -> None:
    """Eve puts on record that the other's transaction carries hers."""
    deed = Disclosure(own.transaction.id, carrier.transaction.id, ("dan",), 1, False, "audit", None)
    world.settle([submit_act(world, author("eve", seed="claim").act(deed))])


@pytest.mark.parametrize("order", ["record after it", "record before it"])
def test_p42_a_false_record_has_nobody_elses_payload_erased(world: World, order: str) -> None:
    """Eve may purge her own, and says that ann's transaction carries it: only its sender's word counts."""
    own = sealed_for(NETWORK, DEAL, sender="eve", seed="own")
    victim = sealed_for(NETWORK, DEAL, seed="victim")
    world.settle([world.submit(own)])
    if order == "record after it":
        world.settle([world.submit(victim)])
    claim(world, own, victim)
    purge(world, own.transaction.id, "eve")
    if order == "record before it":
        world.settle([world.submit(victim)])
    for name in ("ann", "bob", "eve"):
        assert state(world, name, own.transaction.id) == PURGED
        assert state(world, name, victim.transaction.id) != PURGED
    assert left_on_disk(world.folder, own) == [] and left_on_disk(world.folder, victim)


def test_p42_what_a_stranger_wants_erased_is_due_in_no_reading(world: World) -> None:
    """Who reads the ledger afterwards says what the nodes did: nothing is due before its sender says so."""
    sealed = sealed_for(NETWORK, DEAL, seed="victim")
    world.settle([world.submit(sealed)])
    for by in ("bob", "eve"):
        purge(world, sealed.transaction.id, by)
    assert due_heights(read_node(world.home("dan"), NETWORK)) == {}
    purge(world, sealed.transaction.id, "ann")
    height = world.height("dan")
    assert due_heights(read_node(world.home("dan"), NETWORK)) == {
        sealed.transaction.id: (height, "no longer needed")
    }


def test_p43_a_receipt_that_was_sealed_for_another_network_is_none(tmp_path: Path) -> None:
    """The same parties with the same keys may have two: what was said in one is not heard in the other."""
    with ready(tmp_path, off_chain()) as world:
        tx = send(world, ["bob"])
        world.settle([tx])
        world.run(2000)
        purge(world, tx)
        network, other = world.network, founded(voters=4, salt=9)
        here = PurgedHere(1, tx)
        receipt = SignedPurgedHere(here, PARTIES["bob"].signing.sign(purged_bytes(network.id, here)))

        def heard(about: Network) -> Counter[str]:
            public, info = PARTIES["ann"].wrapping.public, _info(about)
            sealed = public.wrap(encode(receipt), info=info, ephemeral=bytes(31) + b"7")
            return world.hand("ann", encode(SealedPurgeReceipt(sealed)))

        assert heard(other) == {"bad receipt": 1}
        assert heard(network) in ({}, {"repeated": 1}), "it has come itself by now, or is taken"


def test_p43_a_receipt_that_was_put_into_the_folder_is_judged_anew(tmp_path: Path) -> None:
    """The sender holds the receipts, and could write what others never signed: each is verified."""
    network, tx = off_chain(), bytes(range(32))
    folder = tmp_path / "purge-receipts"
    folder.mkdir()
    here = PurgedHere(1, tx)
    words = purged_bytes(network.id, here)
    forged = {
        "junk": b"junk",
        "by ann": encode(SignedPurgedHere(here, PARTIES["ann"].signing.sign(words))),
        "of nobody": encode(SignedPurgedHere(PurgedHere(99, tx), PARTIES["bob"].signing.sign(words))),
        "of another": encode(SignedPurgedHere(PurgedHere(1, bytes(32)), PARTIES["bob"].signing.sign(words))),
    }
    for name, data in forged.items():
        (folder / name).write_bytes(data)
    assert list(read_purge_receipts(tmp_path, network)) == []
    (folder / "good").write_bytes(encode(SignedPurgedHere(here, PARTIES["bob"].signing.sign(words))))
    assert list(read_purge_receipts(tmp_path, network)) == [(tx, "bob")]


def said_by(world: World, name: str) -> set[bytes]:
    return {packet.sealed for packet in world.packets(name) if isinstance(packet, SealedPurgeReceipt)}


def test_p10_each_purge_receipt_is_sealed_under_a_key_of_its_own(tmp_path: Path) -> None:
    """P17: and under none that whoever knows the public transaction can compute, who would see a reader."""
    with ready(tmp_path, off_chain()) as world:
        ids = [send(world, ["bob", "cyd"], seed=number) for number in range(3)]
        world.settle(ids)
        world.run(2000)
        for number, tx in enumerate(ids):
            purge(world, tx, seed=number)
        world.run(3000)
        network = world.network
        sealed = {name: said_by(world, name) for name in ("bob", "cyd")}
        assert [len(each) for each in sealed.values()] == [3, 3]
        keys = {each[:32] for given in sealed.values() for each in given}
        assert len(keys) == 6
        public = [
            b"",
            *(key.raw for key in network.verify_keys),
            *(k.raw for k in network.wrapping_keys.values()),
        ]
        for tx in ids:
            for known in public:
                guess = sha256(b"privity/v1/purge-ephemeral\0" + known + network.id + tx).digest()
                assert WrappingKey.from_secret(guess).public.raw not in keys
