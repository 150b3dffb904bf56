"""P51: rounds of aggregation among nodes: each party sees its own node's ledger, and its own alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from node.aggregation.boxes import total_hash
from node.aggregation.contributor import Contributor, Verdict
from node.aggregation.coordinator import Announce, Coordinator
from node.aggregation.following import LedgerFollower, rounds_on
from node.aggregation.rounds import DEALING, DONE, ENDED, RELEASING, Round
from node.canonical import encode
from node.chain.reading import read_node
from node.chain.round_deeds import RoundDeed, RoundJoin, RoundResult, RoundStart
from node.disclosure.disclosing import Author
from node.wire import TransactionPacket
from tests.node.disk_of_a_node import with_sql
from tests.node.network_of_nodes import NAMES, PARTIES, World, founded, ready
from tests.node.small_consortium import seeded

NETWORK = founded(voters=4, followers=4)
BANKS, CLEARING = NAMES[:7], NAMES[7]
VALUES = {name: 1_000_000 + 7919 * place for place, name in enumerate(BANKS)}


class Meeting:
    """Seven contributors and a coordinator, each beside its own node."""

    def __init__(self, world: World, seed: object = 0) -> None:
        self.world = world
        self.entropy = seeded(f"meeting {seed}")
        self.ledgers = {name: LedgerFollower(world.home(name), NETWORK.id) for name in (*BANKS, CLEARING)}
        self.contributors = {
            name: Contributor(name, value, bytes(32), seeded(f"{name} {seed}"))
            for name, value in VALUES.items()
        }
        self.coordinator = Coordinator(CLEARING, BANKS, "exposure", seeded(f"c {seed}"), patience_ms=1500)
        self.announced: Announce | None = None
        self.id = self.submit(CLEARING, self.coordinator.start)

    def submit(self, name: str, deed: RoundDeed) -> bytes:
        height = max(1, self.world.height(name))
        act = Author(name, PARTIES[name], NETWORK, self.entropy, height, height + 40).act(deed)
        self.world.publish(self.world.topics.transactions, encode(TransactionPacket(act, None)))
        return act.id

    def step(self) -> None:
        """What the parties whose nodes are up do now, and some time."""
        for name, ledger in self.ledgers.items():
            if name not in self.world.up:
                continue
            ledger.look()
            at = ledger.rounds.by_id.get(self.id)
            if at is None:
                continue
            if name != CLEARING:
                for deed in self.contributors[name].react(at):
                    self.submit(name, deed)
                continue
            for thing in self.coordinator.react(ledger.rounds, at, self.world.now_ms):
                if isinstance(thing, Announce):
                    self.announced = thing
                    hashed = total_hash(at.id, thing.salt, thing.total)
                    self.submit(name, RoundResult(at.id, bytes(32), hashed))
                else:
                    self.submit(name, thing)
        self.world.run(40)

    def at(self, name: str = CLEARING) -> Round | None:
        return self.ledgers[name].rounds.by_id.get(self.id)

    def until(self, *phases: str) -> Round:
        for _ in range(400):
            at = self.at()
            if at is not None and at.phase in phases:
                return at
            self.step()
        raise AssertionError(self.world.describe())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with ready(tmp_path, NETWORK) as world:
        yield world


def test_p51_a_round_through_the_ledger(world: World) -> None:
    meeting = Meeting(world)
    at = meeting.until(DONE, ENDED)
    for _ in range(5):
        meeting.step()
    assert at.phase == DONE and meeting.announced is not None
    assert meeting.announced.total == sum(VALUES.values())
    assert {each.verdict for each in meeting.contributors.values()} == {Verdict.RIGHT}
    # The same course on every ledger, and the same when it is read afterwards.
    courses = [meeting.at(name) for name in (*BANKS, CLEARING)]
    assert all(each == courses[0] for each in courses)
    assert rounds_on(read_node(world.home("ann"), NETWORK)).by_id[meeting.id] == courses[0]


def test_p51_a_contributor_whose_node_crashes_between_the_phases_is_absent(world: World) -> None:
    """Its shares were dealt, its value never came: the others take its masks away."""
    meeting = Meeting(world)
    at = meeting.until(DEALING)
    while "gus" not in at.deals:
        meeting.step()
    assert "gus" not in at.values
    world.crash("gus")
    at = meeting.until(DONE, ENDED)
    assert at.phase == DONE and at.dropped() == {"gus": "sent no value in time"}
    assert meeting.announced is not None
    assert meeting.announced.total == sum(VALUES.values()) - VALUES["gus"]
    # It comes back: its value is too late, has no effect, and its own part is over.
    world.start("gus")
    world.settle()
    for _ in range(5):
        meeting.step()
    assert meeting.at("gus") == at and meeting.contributors["gus"].verdict is Verdict.OPEN


def test_p51_a_voter_that_crashes_after_sending_counts(world: World) -> None:
    meeting = Meeting(world)
    meeting.until(RELEASING)
    world.crash("dan")
    at = meeting.until(DONE, ENDED)
    assert at.phase == DONE and "dan" in at.present and meeting.announced is not None
    assert meeting.announced.total == sum(VALUES.values())
    world.start("dan")
    world.settle()
    for _ in range(10):
        meeting.step()
    assert meeting.contributors["dan"].verdict is Verdict.RIGHT


def test_p51_every_node_refuses_a_round_of_fewer_than_four(world: World) -> None:
    key = PARTIES[CLEARING].wrapping.public.raw
    before = world.height("ann")
    meeting = Meeting.__new__(Meeting)
    meeting.world, meeting.entropy = world, seeded("few")
    for start in (
        RoundStart(BANKS[:3], "exposure", 4, key),
        RoundStart(BANKS[:4], "exposure", 3, key),
        RoundStart(BANKS[:4], "a field\n", 4, key),
    ):
        identifier = meeting.submit(CLEARING, start)
        world.run(500)
        assert not world.have_executed([identifier], ["ann"])
    assert world.height("ann") == before
    identifier = meeting.submit(CLEARING, RoundStart(BANKS[:4], "exposure", 4, key))
    world.settle([identifier])


def test_p51_a_deed_that_had_no_effect_on_the_ledger_has_none_in_the_round(world: World) -> None:
    """As of two acts with one nonce the second: who took it would see another course than the rest."""
    meeting = Meeting(world)
    meeting.until(DEALING)
    joined = read_node(world.home("ann"), NETWORK)
    acts = [ordered for ordered, act in joined.acts() if (act.sender, type(act.deed)) == ("bob", RoundJoin)]
    world.stop("ann")
    whole = LedgerFollower(world.home("ann"), NETWORK.id)
    whole.look()
    assert "bob" in whole.rounds.by_id[meeting.id].joined and len(acts) == 1
    duplicate = with_sql(f"UPDATE tx SET outcome = 'duplicate' WHERE id = x'{acts[0].id.hex()}'")
    duplicate(world.home("ann") / "index.sqlite")
    without = LedgerFollower(world.home("ann"), NETWORK.id)
    without.look()
    assert "bob" not in without.rounds.by_id[meeting.id].joined and acts[0].id not in without.seen
    assert "cyd" in without.rounds.by_id[meeting.id].joined
