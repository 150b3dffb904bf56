"""What a bare host keeps of its journal when old blocks go."""

from __future__ import annotations

from consensus.messages import Signed
from consensus.output import NewViewRecord, Record, ViewChangeRecord, VoteRecord
from consensus.votes import encode
from scenarios.virtual.bare_host import BareHost
from scenarios.virtual.bare_records import ALWAYS, BareBodies, decode_record, height_of
from scenarios.virtual.network import Rule
from scenarios.virtual.world import World


def long_world() -> World:
    """Four replicas in view 1 whose oldest blocks are gone, with requests under way."""
    world = World(4, seed=8, keep_blocks=20, block_every_ms=1, max_batch=1, view_timeout_ms=200)
    world.network.rule("mute", Rule(frozenset([0]), None, frozenset(["pre-prepare"]), drop=1.0))
    world.submit()
    world.run_until(world.all_done, 20_000)
    world.network.rule("mute")
    for _ in range(4):
        for _ in range(100):
            world.submit()
        world.run_until(world.all_done, 20_000)
    for _ in range(5):
        world.submit()
    world.run_for(2)
    return world


def records_of(world: World, place: int) -> list[Record]:
    """The journal of a place, read."""
    return [decode_record(body) for body in world.seats[place].records.replay()]  # type: ignore[misc]


def test_the_view_survives_the_blocks_of_its_time() -> None:
    """The new-view stands before the votes of its view, as it was written."""
    world = long_world()
    records = records_of(world, 1)
    kinds = [type(record) for record in records]
    assert len(records) < 2500 and kinds.count(NewViewRecord) == 1
    first_vote = next(place for place, record in enumerate(records) if isinstance(record, VoteRecord))
    assert kinds.index(NewViewRecord) < first_vote
    assert all(kinds.index(kind) < first_vote for kind in kinds if kind is ViewChangeRecord)
    world.crash(1)
    world.restart(1)
    host = world.seats[1].host
    assert isinstance(host, BareHost) and host.replica.view == 1 and host.replica.active


def test_requests_that_wait_stay_and_executed_ones_go() -> None:
    """A body that a proposal named must be there after a restart (R7)."""
    world = long_world()
    for place in world.members:
        records = records_of(world, place)
        kept = {each.id for record in records if isinstance(record, BareBodies) for each in record.requests}
        assert len(kept) < 350
    for place in world.members:
        world.crash(place, power_cut=True)
    for place in world.members:
        world.restart(place)
    world.run_until(world.all_done, 20_000)


def test_a_vote_is_sent_as_it_is_recorded() -> None:
    """Byte by byte, so that it is encoded once."""
    world = World(4, seed=2)
    sent: set[bytes] = set()
    world.carrying.append(lambda at_us, topic, data: sent.add(data))
    world.submit()
    world.run_until(world.all_done, 5_000)
    votes = [record for record in records_of(world, 1) if isinstance(record, VoteRecord)]
    assert len(votes) == 3
    for record in votes:
        assert encode(record) == encode(Signed(record.vote, record.signature))
        assert encode(record) in sent


def test_each_record_is_about_the_height_that_it_names() -> None:
    """What may be needed beyond a height is about none."""
    world = World(4, seed=2, view_timeout_ms=200)
    world.crash(0)
    world.submit()
    world.run_until(lambda: world.seats[1].height == 1, 20_000)
    world.run_for(100)
    heights = {(type(record).__name__, height_of(record)) for record in records_of(world, 1)}
    assert heights == {
        ("BareBodies", ALWAYS),
        ("ViewChangeRecord", ALWAYS),
        ("NewViewRecord", ALWAYS),
        ("ProposalRecord", 1),
        ("VoteRecord", 1),
        ("PreparedRecord", 1),
        ("BareBlock", 1),
        ("BareCertified", 1),
    }
