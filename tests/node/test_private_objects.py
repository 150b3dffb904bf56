"""Private objects in a network of nodes: equal everywhere, whatever comes late, fails, or is refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from node.canonical import encode
from node.chain.store import MISSING, UNKNOWN
from node.envelopes.content_key import ContentKey
from node.envelopes.key_slots import make_slots
from node.envelopes.object_write import OBJECT_FIELD
from node.envelopes.transaction import (
    Blob,
    PrivateTransaction,
    PublicHeader,
    core_digest,
    signed_bytes,
    slots_hash,
)
from node.envelopes.wrapping import WrappingKey
from node.objects.private_objects import HOLD_BLOCKS
from node.objects.private_state import APPLIED, OUTSIDER, STALE, WAITING
from node.wire import TransactionPacket, decode_packet
from tests.node.network_of_nodes import PARTIES, CrashPlan, World, founded, ready, sealed_for
from tests.node.objects_world import at_rest, outcomes, put, rows, state, version, write_of

NETWORK = founded(voters=4, followers=1)
PAIR = ("ann", "bob")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Four voters and a follower at height 1."""
    with ready(tmp_path, NETWORK) as world:
        yield world


def told(world: World, name: str, event: str) -> list[str]:
    return [str(each.get("tx")) for each in world.events[name] if each["ev"] == event]


def test_each_write_of_the_version_that_is_makes_the_next(world: World) -> None:
    """Both parties have it alike, and nobody else has anything."""
    put(world, 0)
    put(world, 1, sender="bob", to=("ann",))
    stale = put(world, 1)
    put(world, 2)
    assert version(world, "ann", PAIR) == version(world, "bob", PAIR) == 3
    assert state(world, "ann") == state(world, "bob")
    assert outcomes(world, "ann")[stale] == STALE
    assert [rows(world, name) for name in ("cyd", "dan", "eve")] == [[], [], []]
    assert told(world, "bob", "object.refused") == [stale[:4].hex()]
    assert [e.get("reason_code") for e in world.events["bob"] if e["ev"] == "object.refused"] == [
        "stale_version"
    ]


def test_concurrent_writers_have_one_order_everywhere(world: World) -> None:
    """P40: of n at once one wins, the others get a reasoned failure, and states are equal everywhere."""
    audience = ("ann", "bob", "cyd")
    sent = [
        world.submit(
            write_of(NETWORK, 0, sender=sender, to=tuple(n for n in audience if n != sender), amount=amount)
        )
        for amount, sender in enumerate(audience * 4)
    ]
    world.settle(sent)
    at_rest(world)
    assert state(world, "ann") == state(world, "bob") == state(world, "cyd")
    found = outcomes(world, "ann")
    assert sorted(found) == sorted(sent)
    assert sorted(found.values()) == [APPLIED] + [STALE] * (len(sent) - 1)
    assert (
        found[rows(world, "bob")[0].write.tx] == APPLIED
    )  # The first on the chain, not the first that came.
    assert [version(world, name, audience) for name in audience] == [1, 1, 1]


def test_one_name_in_another_audience_is_another_object(world: World) -> None:
    """P38: who was of the audience, and is not any more, writes an object of another audience."""
    put(world, 0, to=("bob", "cyd"))
    put(world, 0)
    put(world, 1)
    put(world, 1, sender="cyd", to=("ann", "bob"))  # The old audience still has an object of its own.
    put(world, 2, sender="cyd", to=("ann",))
    assert version(world, "ann", PAIR) == version(world, "bob", PAIR) == 2
    assert version(world, "ann", ("ann", "bob", "cyd")) == 2
    assert version(world, "cyd", ("ann", "cyd")) == 0


def test_an_outsider_changes_no_partys_state(world: World) -> None:
    """P38: mallory, who leaves itself out of the slots to name the others' object, is found out by both."""
    put(world, 0)
    before = state(world, "ann")
    outsider = write_of(NETWORK, 1, sender="dan", to=("ann", "bob"))
    old = outsider.transaction.header
    readers = [PARTIES[name].wrapping.public for name in PAIR]
    slots = make_slots(ContentKey(outsider.content_key), core_digest(old.core), readers, 4)
    header = PublicHeader(old.core, old.ciphertext_hash, slots_hash(slots))
    signature = PARTIES["dan"].signing.sign(signed_bytes(header))
    lone = TransactionPacket(PrivateTransaction(header, signature), Blob(outsider.blob.ciphertext, slots))
    world.publish(world.topics.transactions, encode(lone))
    world.settle([lone.transaction.id])
    at_rest(world)
    assert outcomes(world, "ann")[lone.transaction.id] == OUTSIDER
    assert [each for each in state(world, "ann") if each[2] == APPLIED] == before
    assert state(world, "ann") == state(world, "bob") and rows(world, "dan") == []
    put(world, 1, sender="bob", to=("ann",))
    assert version(world, "ann", PAIR) == 2


@pytest.mark.parametrize("said", [{"name": "rent"}, {"name": "rent", "expects": -1}, "rent", {}])
def test_an_invalid_write_blocks_nobody(world: World, said: object) -> None:
    """P54: what is no write, or expects nonsense, is a record that has no effect; the next write counts."""
    put(world, 0)
    broken = world.submit(sealed_for(NETWORK, {"amount": 1, OBJECT_FIELD: said}, to=("bob",), seed=str(said)))
    absurd = world.submit(write_of(NETWORK, 2**30))
    world.settle([broken, absurd])
    at_rest(world)
    put(world, 1, sender="bob", to=("ann",))
    assert version(world, "ann", PAIR) == version(world, "bob", PAIR) == 2
    assert broken not in outcomes(world, "ann") and outcomes(world, "ann")[absurd] == STALE
    assert world.reasons("bob")["object"] == 1


def lose(world: World, victim: str, wanted: bytes) -> None:
    """From now on the blob of this transaction reaches the victim from nobody."""
    world.withhold_blobs(victim)
    without = world.tap

    def tap(receiver: str, topic: str, data: bytes) -> bytes | None:
        packet = decode_packet(data)
        hit = isinstance(packet, TransactionPacket) and packet.transaction.id == wanted
        return without(receiver, topic, data) if hit else data

    world.tap = tap


def test_a_payload_that_comes_late_is_put_in_its_place(world: World) -> None:
    """A later write waits for it, and is judged as the chain has it when it comes."""
    put(world, 0)
    late, next_ = write_of(NETWORK, 1), write_of(NETWORK, 1, sender="bob", to=("ann",), amount=7)
    lose(world, "bob", late.transaction.id)
    world.submit(late)
    world.settle([late.transaction.id])
    world.submit(next_)
    world.settle([next_.transaction.id])
    at_rest(world)
    assert late.transaction.id in world.node("bob")._store.payloads(MISSING, -1)
    assert outcomes(world, "bob")[next_.transaction.id] == WAITING
    assert version(world, "bob", PAIR) == 1  # Behind, and not another: 2 would be a state that never was.
    assert outcomes(world, "ann")[next_.transaction.id] == STALE
    world.tap = lambda receiver, topic, data: data
    world.run_until(lambda: not world.node("bob")._store.payloads(MISSING, -1))
    at_rest(world)
    assert state(world, "bob") == state(world, "ann")
    assert outcomes(world, "bob") == outcomes(world, "ann")
    assert outcomes(world, "bob")[next_.transaction.id] == STALE


def test_a_gap_of_others_holds_up_nothing(world: World) -> None:
    """Who is not of the audience cannot have written it: its missing payload is no reason to wait."""
    put(world, 0)
    other = sealed_for(NETWORK, {"n": 1}, sender="cyd", to=("dan",), seed="other")
    lose(world, "bob", other.transaction.id)
    world.submit(other)
    world.settle([other.transaction.id])
    put(world, 1)
    assert world.node("bob")._store.payloads(MISSING, -1) == [other.transaction.id]
    assert version(world, "bob", PAIR) == 2


def test_a_payload_that_never_comes_holds_up_for_a_bounded_time(world: World) -> None:
    """P54: after HOLD_BLOCKS the others count; should it come after all, they are judged again."""
    put(world, 0)
    never = write_of(NETWORK, 1)
    lose(world, "bob", never.transaction.id)
    world.submit(never)
    world.settle([never.transaction.id])
    follows = world.submit(write_of(NETWORK, 1, sender="bob", to=("ann",), amount=7))
    world.settle([follows])
    at_rest(world)
    assert outcomes(world, "bob")[follows] == WAITING
    for number in range(HOLD_BLOCKS):
        world.settle(world.send(seed=("more", number), sender="cyd", to=("dan",), valid=(1, 50)))
    at_rest(world)
    assert outcomes(world, "bob")[follows] == APPLIED
    assert world.node("bob").private_view.objects.lacking(PAIR, 1000)
    world.tap = lambda receiver, topic, data: data
    world.run_until(lambda: not world.node("bob")._store.payloads(MISSING, -1))
    at_rest(world)
    assert outcomes(world, "bob")[follows] == STALE and state(world, "bob") == state(world, "ann")
    assert told(world, "bob", "object.again") == [follows[:4].hex()]


def test_cannot_tell_never_advances_a_state(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """P33: with the key failing it is unknown, apart from not-a-party, and nothing behind it counts."""
    put(world, 0)
    failing = WrappingKey.unwrap

    def fail(*arguments: object, **more: object) -> None:
        raise OSError("the key service is away")

    monkeypatch.setattr(WrappingKey, "unwrap", fail)
    lost = world.submit(write_of(NETWORK, 1))
    world.settle([lost])
    at_rest(world)
    assert world.node("bob")._store.payloads(UNKNOWN, -1) == [lost]
    monkeypatch.setattr(WrappingKey, "unwrap", failing)
    follows = world.submit(write_of(NETWORK, 2, sender="bob", to=("ann",)))
    for number in range(HOLD_BLOCKS + 2):
        world.settle(world.send(seed=("more", number), sender="cyd", to=("dan",), valid=(1, 50)))
    at_rest(world)
    assert outcomes(world, "bob")[follows] == WAITING and version(world, "bob", PAIR) == 1
    for name in PAIR:
        world.crash(name)
        world.start(name)
    at_rest(world)
    assert version(world, "bob", PAIR) == version(world, "ann", PAIR) == 3


@pytest.mark.parametrize("power_cut", [False, True])
def test_a_crash_at_any_effect_ends_equal(tmp_path: Path, power_cut: bool) -> None:
    """A reader that dies at any step, also between applying and recording, has the same state afterwards."""
    network, at, crashes = founded(voters=4), 0, 0
    while True:
        with World(tmp_path / str(at), network, seed=5) as world:
            writes = [write_of(network, 0), write_of(network, 0, sender="bob", to=("ann",), amount=9)]
            writes.append(write_of(network, 1))
            world.crash_plan = CrashPlan("bob", at, torn=at % 3 == 2)
            sent = [world.submit(each) for each in writes]
            world.run(80)
            world.crash_plan = None
            crashed = "bob" not in world.up
            if crashed:
                crashes += 1
                world.start("bob")
            for each in writes:
                world.submit(each)
            world.settle([network.transaction.id, *sent])
            world.run_until(lambda: not world.node("bob")._store.payloads(MISSING, -1))
            at_rest(world)
            assert state(world, "bob") == state(world, "ann") and len(state(world, "bob")) == 3
            if power_cut:
                world.crash("bob", power_cut=True)
                world.start("bob")
                world.settle(sent)
                at_rest(world)
                assert state(world, "bob") == state(world, "ann")
        if not crashed:
            break
        at += 1
    assert crashes > 10


@pytest.mark.parametrize("moment", ["looked", "noted", "judged"])
def test_a_stop_between_applying_and_noting_is_made_up_for(
    world: World, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Whatever of look, note, judge and record was not reached, the next start does again."""
    put(world, 0)
    node = world.node("bob")
    stop = {
        "looked": (node.private_view.objects.rows, "add"),
        "noted": (node._store, "set_payloads"),
        "judged": (node.private_view.objects, "settle"),
    }[moment]

    class Stopped(BaseException):
        pass

    def die(*arguments: object) -> None:
        raise Stopped

    monkeypatch.setattr(*stop, die)
    with pytest.raises(Stopped):
        put(world, 1)
    world.crash("bob")
    monkeypatch.undo()
    world.start("bob")
    world.settle()
    at_rest(world)
    put(world, 2)
    assert version(world, "bob", PAIR) == 3 and state(world, "bob") == state(world, "ann")


def test_an_index_that_is_gone_or_damaged_is_made_again(world: World) -> None:
    """The state follows from journal and blobs."""
    for expects in range(3):
        put(world, expects)
    before = state(world, "bob")
    world.stop("bob")
    (world.home("bob") / "index.sqlite").write_bytes(b"no database")
    world.start("bob")
    at_rest(world)
    assert state(world, "bob") == before


def test_no_name_and_no_field_is_on_the_disk(world: World) -> None:
    """The index holds ids, places, versions, and digests that nobody guesses without the party's key."""
    name = "a-name-that-nobody-says"
    put(world, 0, name=name)
    world.stop("bob")
    for path in world.home("bob").rglob("*"):
        if path.is_file():
            assert name.encode() not in path.read_bytes(), path
    with closing(sqlite3.connect(world.home("bob") / "index.sqlite")) as database:
        assert database.execute("SELECT COUNT(*) FROM object_write").fetchone() == (1,)


def test_an_object_outlives_the_payload_of_its_last_write(world: World) -> None:
    """`keep`: the fields are gone, and the version goes on counting, alike for all who saw it."""
    put(world, 0, keep=2)
    for number in range(3):
        world.settle(world.send(seed=("more", number), sender="cyd", to=("dan",)))
    at_rest(world)
    assert world.node("bob").private_view.counts["purged"] == 1
    put(world, 1, sender="bob", to=("ann",))
    assert version(world, "ann", PAIR) == version(world, "bob", PAIR) == 2
    assert not world.node("bob").private_view.objects.lacking(PAIR, 1000)
    world.stop("bob")
    (world.home("bob") / "index.sqlite").unlink()
    world.start("bob")
    at_rest(world)
    # What was erased cannot be read again: it stands behind, says so, and takes nothing for known.
    assert world.node("bob").private_view.objects.lacking(PAIR, 1000)
