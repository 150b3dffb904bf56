"""Real nodes that change their view, and one that lost its disk (R12 to R23)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from consensus.messages import NewView, Signed, ViewChange
from consensus.output import EvidenceRecord
from consensus.state import Settings
from consensus.votes import BlockVote, Commit, Prepare, PrePrepare
from node.chain.journal import Journal
from node.consortium import Network, Rules, widest_window
from node.wire import MAX_PACKET, decode_packet, encode, signed_bytes
from tests.consensus.alone import R1, batch_of, block_certificate
from tests.consensus.views import prepared, view_change
from tests.node.network_of_nodes import PARTIES, Broker, CrashPlan, World, founded, ready

NETWORK = founded(voters=4, followers=1)
SMALL = founded(voters=4, rules=Rules(block_every_ms=20, view_timeout_ms=400, window=4))


def test_a_primary_that_is_gone_is_replaced_and_follows_when_it_is_back(tmp_path: Path) -> None:
    """What was pending is committed in the next view; the log says so; the old primary joins that view."""
    with ready(tmp_path, NETWORK) as world:
        world.crash("ann")
        waiting = world.send(3, seed="without ann")
        world.run_until(lambda: world.have_executed(waiting))
        assert {world.node(name).view for name in world.up} == {1}
        said = [event["ev"] for event in world.events["bob"]]
        assert "pbft.view_change" in said and "pbft.new_view" in said
        world.start("ann")
        world.settle(waiting)
        world.run_until(lambda: world.node("ann").view == 1 and world.node("ann").active)
        world.settle(world.send(2, seed="with ann"))


@pytest.mark.parametrize("seed", range(6))
def test_views_change_on_a_bad_network(tmp_path: Path, seed: int) -> None:
    """Loss and disorder while a primary dies: one chain, everything on it."""
    with ready(tmp_path, NETWORK, seed=seed) as world:
        world.broker = Broker(loss=0.1, duplication=0.1, delay_ms=(1, 60))
        waiting = world.send(4, seed=seed)
        world.run(30 * seed)
        world.crash("ann", power_cut=bool(seed % 2))
        waiting += world.send(4, seed=(seed, "later"))
        world.run(1_500)
        world.broker = Broker()
        world.start("ann")
        world.settle(waiting, within_ms=40_000)
        assert world.happened["lost"] > 0


@pytest.mark.parametrize("effect", range(0, 36, 2))
def test_the_next_primary_crashes_at_an_effect_of_the_view_change(tmp_path: Path, effect: int) -> None:
    """Nothing that was said is contradicted, and the chain goes on (R20)."""
    with ready(tmp_path, NETWORK) as world:
        world.crash("ann")
        waiting = world.send(2, seed=effect)
        world.crash_plan = CrashPlan("bob", world.effects["bob"] + effect, torn=bool(effect % 4))
        world.run(900)
        crashed = "bob" not in world.up
        if crashed:
            world.start("bob")
        world.start("ann")
        world.settle(waiting, within_ms=40_000)
        assert crashed or effect > 20, "the crash that was planned did not come"


def test_a_restarted_node_remembers_the_view_that_it_asked_for(tmp_path: Path) -> None:
    """It comes back in that view and takes no part in the one it left (R12, R20)."""
    with ready(tmp_path, NETWORK) as world:
        for name in ("ann", "cyd", "dan"):
            world.crash(name)
        world.send(1, seed="alone")
        world.run(1_000)
        assert (world.node("bob").view, world.node("bob").active) == (1, False)
        world.crash("bob")
        world.start("bob")
        world.run(50)
        assert (world.node("bob").view, world.node("bob").active) == (1, False)


def lose_everything_but_keys(world: World, name: str) -> None:
    """What a broken disk leaves when only the keys were kept elsewhere."""
    for path in world.home(name).iterdir():
        if path.name != "keys":
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def test_a_node_that_lost_its_disk_keeps_silent_until_its_votes_can_harm_nobody(tmp_path: Path) -> None:
    """It catches up by certificates, says so, and votes again above all that it may have voted on (R22)."""
    with World(tmp_path, SMALL, start=False) as world:
        for name in SMALL.names:
            PARTIES[name].save(world.home(name) / "keys")
            world.start(name)
        world.settle([SMALL.transaction.id])
        world.settle(world.send(3, seed="before"))
        world.crash("dan")
        lose_everything_but_keys(world, "dan")
        world.start("dan")
        world.run(1)
        assert world.node("dan").silent
        world.said.clear()
        world.run(3_000)
        assert world.height("dan") == world.height("ann")
        assert "node.silent" in [event["ev"] for event in world.events["dan"]]
        assert not [
            packet
            for packet in world.packets("dan")
            if isinstance(packet, Signed) and isinstance(packet.message, Prepare | Commit | BlockVote)
        ]
        world.crash("dan")
        world.start("dan")
        assert world.node("dan").silent, "another restart does not end it"
        for part in range(8):
            world.settle(world.send(1, seed=("after", part)))
        world.run(3_000)
        assert not world.node("dan").silent
        world.crash("cyd")
        world.settle(world.send(1, seed="dan is needed"))


def test_a_node_that_starts_for_the_first_time_votes(tmp_path: Path) -> None:
    """A key that was never used has forgotten nothing; it is marked as used at once."""
    with World(tmp_path, SMALL, start=False) as world:
        PARTIES["ann"].save(world.home("ann") / "keys")
        world.start("ann")
        assert not world.node("ann").silent
        assert (world.home("ann") / "keys" / "used").stat().st_mode & 0o777 == 0o600


def test_a_view_change_that_quotes_a_forged_vote_is_evidence(tmp_path: Path) -> None:
    """Its own signature is good, one inside is not: recorded, logged, and not counted (R14, R30)."""
    with ready(tmp_path, NETWORK) as world:
        change = view_change(2, 1, prepared(batch_of(R1, sequence=2)))
        signature = PARTIES["cyd"].signing.sign(signed_bytes(NETWORK.id, change))
        world.hand("ann", encode(Signed(change, signature)))
        assert world.reasons("ann")["bad signature inside"] == 1
        assert "evidence.misbehaviour" in [event["ev"] for event in world.events["ann"]]
        with_evidence = Journal.open_read_only(world.home("ann") / "journal", NETWORK.id)
        records = [record for _, record in with_evidence.replay()]
        with_evidence.close()
        (evidence,) = [record.evidence for record in records if isinstance(record, EvidenceRecord)]
        assert (evidence.kind, evidence.accused) == ("E3", 2)


def test_a_forged_view_change_is_nobodys_fault(tmp_path: Path) -> None:
    """Without the sender's own signature it proves nothing, and is dropped."""
    with ready(tmp_path, NETWORK) as world:
        world.hand("ann", encode(Signed(ViewChange(0, 1, None, (), 2), bytes(64))))
        assert world.reasons("ann")["bad signature"] == 1
        assert "evidence.misbehaviour" not in [event["ev"] for event in world.events["ann"]]


@pytest.mark.parametrize("n", [4, 16, 32, 64])
def test_the_largest_new_view_fits_into_a_packet(n: int) -> None:
    """The window is cut to that (R29): a quorum of view-changes with a certificate for every open height."""
    quorum = (n + (n - 1) // 3) // 2 + 1
    window = widest_window(n)
    assert window >= 2
    stable = block_certificate(1, bytes(32), range(quorum))
    proofs = [
        prepared(batch_of(R1, sequence=2 + place), n=n, voters=range(1, quorum)) for place in range(window)
    ]
    changes = [(view_change(i, 1, *proofs, stable=stable), bytes(64)) for i in range(quorum)]
    entries = [(PrePrepare(0, 1, proof.sequence, proof.digest, 1), bytes(64)) for proof in proofs]
    data = encode(Signed(NewView(0, 1, tuple(changes), tuple(entries), 1), bytes(64)))
    assert len(data) <= MAX_PACKET
    assert isinstance(decode_packet(data), Signed)


def test_settings_take_the_narrower_window() -> None:
    """Of what the rules say and what fits."""
    wide: Settings = Network(NETWORK.transaction).settings(0)
    assert wide.window == min(NETWORK.rules.window, widest_window(4))
