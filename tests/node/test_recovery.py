"""A node comes back from its disk alone, whenever it went, and never contradicts what it said
before (R20).
"""

from __future__ import annotations

import os
import random
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from consensus.messages import Proposal, Signed
from consensus.output import ProposalRecord, VoteRecord
from consensus.votes import BlockVote, Commit, Prepare
from node.canonical import encode
from node.chain.journal import BodiesRecord, Journal
from node.consortium import Network
from node.envelopes.keys import PartyKeys
from node.errors import PrivityError
from node.logs.events import EventLog
from node.node import Node
from node.wire import TransactionPacket
from tests.node.disk_of_a_node import holdings, records, with_sql
from tests.node.network_of_nodes import (
    GENESIS_MS,
    PARTIES,
    Broker,
    CrashPlan,
    World,
    founded,
    ready,
    sealed_for,
)

NETWORK = founded(voters=4, followers=1)


def test_a_restarted_node_stands_where_it_stood(tmp_path: Path) -> None:
    """From its folder alone a node has the same height, head, state root, indexes and payload states."""
    with ready(tmp_path, NETWORK) as world:
        for seed in range(3):
            world.settle(world.send(4, seed=seed))
        world.run(100)
        for name in NETWORK.names:
            heads, indexes = world.heads(), world.indexes(name)
            counts = dict(world.node(name).private_view.counts)
            world.crash(name)
            node = world.start(name)
            assert world.heads() == heads
            assert world.indexes(name) == indexes
            assert node.private_view.counts == counts
            assert not node.has_idle_work


@pytest.mark.parametrize(("victim", "power_cut"), [("ann", True), ("bob", False), ("eve", True)])
def test_a_crash_at_any_effect_loses_nothing(tmp_path: Path, victim: str, power_cut: bool) -> None:
    """Crashed at each write, sync and send in turn, a node comes back, contradicts nothing, and all agree."""
    network = founded(voters=4, followers=1 if victim == "eve" else 0)
    at, crashes = 0, 0
    while True:
        with World(tmp_path / str(at), network, seed=7) as world:
            world.crash_plan = CrashPlan(victim, at, torn=at % 3 == 2)
            identifiers = [world.submit(sealed_for(network, {"n": n}, seed=n)) for n in range(2)]
            world.run(60)
            crashed = victim not in world.up
            if crashed:
                crashes += 1
                if power_cut:
                    _cut_power(world, victim)
                world.start(victim)
            for n in range(2):  # What the broker gave to a node that was down is published again.
                world.submit(sealed_for(network, {"n": n}, seed=n))
            world.settle([network.transaction.id, *identifiers])
            assert world.height("ann") == world.height("cyd")
            world.run_until(lambda: not world.node(victim).has_idle_work)
            _indexes_agree_with_a_rebuild(world, victim)
        shutil.rmtree(tmp_path / str(at))
        if not crashed:
            break
        at += 1
    assert crashes > (8 if victim == "eve" else 15)


def _cut_power(world: World, name: str) -> None:
    """What was not synced is gone from the journal, while the indexes may have it."""
    os.truncate(world.home(name) / "journal", world._durable[name])


def _indexes_agree_with_a_rebuild(world: World, name: str) -> None:
    before = world.indexes(name)
    held = {line.split('"gained":')[1] for line in holdings(world, name)}
    world.stop(name)
    (world.home(name) / "index.sqlite").unlink()
    node = world.start(name)
    assert world.indexes(name) == before
    while node.has_idle_work:
        node.idle()
    # Whatever a rebuild finds that this party holds was noted when it was gained.
    assert {line.split('"gained":')[1] for line in holdings(world, name)} == held


@pytest.mark.parametrize("seed", range(4))
def test_restarts_at_arbitrary_moments_lose_nothing(tmp_path: Path, seed: int) -> None:
    """With crashes of one node after another, loss and repeats, all end at one head with each transaction
    once.
    """
    source = random.Random(seed)
    broker = Broker(loss=0.05, duplication=0.1, delay_ms=(1, 25))
    with ready(tmp_path, NETWORK, seed=seed, broker=broker) as world:
        sent = []
        for turn in range(6):
            sealed = [sealed_for(NETWORK, {"n": n}, seed=(turn, n), valid=(1, 50)) for n in range(3)]
            sent += sealed
            for each in sealed:
                world.submit(each)
            world.run(source.randint(1, 120))
            victim = source.choice(NETWORK.names)
            world.crash(victim, power_cut=source.random() < 0.5)
            world.run(source.randint(1, 200))
            world.start(victim)
        for each in sent:
            world.submit(each)
        world.settle([each.transaction.id for each in sent], within_ms=60_000)
        assert world.happened["crash"] == 6 and world.happened["lost"] > 20
        for name in world.up:
            rows = world.node(name)._store.all_transactions()
            assert len(rows) == len({row.id for row in rows}) == 1 + len(sent)
            assert {row.outcome for row in rows} == {"executed"}


def test_all_may_stop_at_once(tmp_path: Path) -> None:
    """All nodes crashed together come back with one head, and the chain goes on."""
    with ready(tmp_path, NETWORK) as world:
        sent = world.send(6)
        world.run(9)
        for name in NETWORK.names:
            world.crash(name, power_cut=True)
        for name in NETWORK.names:
            world.start(name)
        again = world.send(6)
        assert again == sent
        world.settle([*sent, *world.send(2, seed=1)])


def test_votes_are_repeated_byte_by_byte(tmp_path: Path) -> None:
    """After a restart a voter says again what it said of an undecided height, to the byte."""
    with ready(tmp_path, NETWORK) as world:
        for name in ("cyd", "dan"):
            world.crash(name)
        (identifier,) = world.send(1)
        world.run(100)

        def said() -> set[bytes]:
            return {
                encode(packet)
                for packet in world.packets("bob")
                if isinstance(packet, Signed) and isinstance(packet.message, Prepare | Commit | BlockVote)
            }

        before = said()
        assert len(before) == 3 + 1  # All three votes of height 1, and the prepare of height 2.
        world.crash("bob")
        world.said.clear()
        world.start("bob")
        world.run(3000)
        assert said() and said() <= before
        for name in ("cyd", "dan"):
            world.start(name)
        world.settle([identifier])


def test_a_primary_repeats_its_proposal_and_makes_no_other(tmp_path: Path) -> None:
    """A primary that restarts with an undecided height proposes the same batch for it, whatever
    came since.
    """
    with ready(tmp_path, NETWORK) as world:
        for name in ("bob", "cyd", "dan", "eve"):
            world.crash(name)
        world.send(1)
        world.run(50)
        (proposal,) = {p for p in world.packets("ann") if isinstance(p, Proposal) and p.batch.sequence == 2}
        world.crash("ann")
        world.start("ann")
        world.send(3, seed=1)
        world.run(1500)
        proposals = {p for p in world.packets("ann") if isinstance(p, Proposal) and p.batch.sequence == 2}
        assert proposals == {proposal}
        for name in ("bob", "cyd", "dan", "eve"):
            world.start(name)
        world.settle(list(proposal.batch.requests))


def test_bodies_of_a_proposal_survive_with_their_blobs(tmp_path: Path) -> None:
    """What a node voted for it can supply after a restart, body and blob, when nobody else has it (R7)."""
    with ready(tmp_path, NETWORK) as world:
        sealed = sealed_for(NETWORK, {"amount": 1})
        world.tap = lambda receiver, topic, data: None if receiver in ("cyd", "dan") else data
        identifier = world.submit(sealed)
        world.run_until(
            lambda: any(
                isinstance(r, ProposalRecord) and r.proposal.batch.sequence == 2
                for r in records(world.home("bob"), NETWORK)
            )
        )
        world.crash("ann")
        world.crash("bob", power_cut=True)
        node = world.start("bob")
        assert identifier in node._mempool
        assert node._answers.transaction(identifier) == TransactionPacket(sealed.transaction, sealed.blob)
        world.start("ann")
        world.tap = lambda receiver, topic, data: data
        world.settle([identifier])


def test_what_expired_meanwhile_does_not_stay_in_the_mempool(tmp_path: Path) -> None:
    """A body recorded for a proposal that was never decided is not kept for ever after a restart."""
    with ready(tmp_path, NETWORK) as world:
        sealed = sealed_for(NETWORK, {"n": 1}, valid=(1, 3), seed="short")
        for turn in range(4):
            world.settle(world.send(1, seed=turn))
        world.stop("bob")
        with closing(Journal(world.home("bob") / "journal", NETWORK.id)) as journal:
            list(journal.replay())
            journal.append(BodiesRecord((sealed.transaction,)))
        node = world.start("bob")
        assert sealed.transaction.id not in node._mempool
        assert len(node._mempool) == 0
        world.settle(world.send(1, seed="after"))


def test_holdings_are_noted_before_they_are_relied_on(tmp_path: Path) -> None:
    """Whatever the moment of a crash, each key and blob that a node holds stands in its holdings."""
    with ready(tmp_path, NETWORK) as world:
        identifiers = world.send(3, to=("bob",))
        world.settle(identifiers)
        world.run(10)
        lines = "\n".join(holdings(world, "bob"))
        for identifier in identifiers:
            assert f'"gained":"key","tx":"{identifier.hex()}"' in lines
            assert f'"gained":"blob","tx":"{identifier.hex()}"' in lines
        assert '"gained":"key"' not in "\n".join(holdings(world, "cyd"))


def test_a_stop_before_a_holding_was_noted_is_made_up_for(tmp_path: Path) -> None:
    """Stopped after a block was recorded and before its blobs and keys were noted, a node notes
    them later.
    """
    with ready(tmp_path, NETWORK) as world:
        world.settle(world.send(2, to=("bob",)))
        (identifier,) = world.send(1, seed=1, to=("bob",))
        world.settle([identifier])
        world.run(10)
        held = holdings(world, "bob")
        world.stop("bob")
        home = world.home("bob")
        last = "(SELECT MAX(height) FROM tx)"
        with_sql(f"DELETE FROM block WHERE height = {last}", f"DELETE FROM tx WHERE height = {last}")(
            home / "index.sqlite"
        )
        noted = [line for line in held if identifier.hex() not in line]
        (home / "holdings.jsonl").write_text("".join(line + "\n" for line in noted))
        world.start("bob")
        world.run(10)
        gained = [line.split('"gained":')[1] for line in holdings(world, "bob")]
        assert len(held) == len(noted) + 2 == len(gained)
        assert sorted(gained) == sorted(line.split('"gained":')[1] for line in held)


def start_node(home: Path, name: str, keys: PartyKeys, network: Network) -> Node:
    events = EventLog(None, run="0001", node=name, start_ms=0, wall=lambda: 0, sink=lambda event: None)
    return Node(network, name, keys, home, lambda topic, data: None, events, GENESIS_MS)


def test_a_node_starts_only_as_the_party_whose_keys_it_has(tmp_path: Path) -> None:
    """Another party's keys, or a name that the genesis file does not have, are refused before
    anything else.
    """
    mixed = PartyKeys(PARTIES["bob"].signing, PARTIES["cyd"].wrapping)
    for name, keys, code in (
        ("bob", PARTIES["ann"], "E-KEYS"),
        ("bob", mixed, "E-KEYS"),
        ("zoe", PARTIES["bob"], "E-PARTY"),
    ):
        with pytest.raises(PrivityError) as refused:
            start_node(tmp_path, name, keys, NETWORK)
        assert refused.value.code == code
    assert not list(tmp_path.iterdir())
    start_node(tmp_path, "bob", PARTIES["bob"], NETWORK).close()


def test_every_vote_in_the_journal_is_followed_by_no_other_for_its_place(tmp_path: Path) -> None:
    """In the journals of a run with crashes there is one vote for each kind, view and height."""
    with ready(tmp_path, NETWORK, broker=Broker(loss=0.1), seed=11) as world:
        for turn in range(4):
            world.send(2, seed=turn)
            world.run(50)
            world.crash("cyd", power_cut=True)
            world.start("cyd")
        world.run(3000)
        votes: dict[tuple[object, ...], object] = {}
        for record in records(world.home("cyd"), NETWORK):
            if isinstance(record, VoteRecord):
                vote = record.vote
                key = (type(vote), getattr(vote, "view", 0), vote.sequence)
                assert votes.setdefault(key, record) == record
        assert len(votes) > 6
