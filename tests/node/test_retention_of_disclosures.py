"""What carries a disclosure is erased no later than what it shows (P42)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from node.canonical import encode
from node.chain.deeds import Disclosure
from node.disclosure.disclosing import Author, Disclosing, disclose
from node.envelopes.envelope import Sealed
from node.errors import PrivityError
from node.wire import TransactionPacket
from tests.node.network_of_nodes import PARTIES, World, founded, ready, sealed_for
from tests.node.small_consortium import seeded

NETWORK = founded(voters=4, followers=1)
DEAL = {"amount": 800, "good": "steel"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Four voters and a follower, eve, at height 1."""
    with ready(tmp_path, NETWORK) as world:
        yield world


def original(keep: int) -> Sealed:
    """A transaction of ann's for bob."""
    return sealed_for(NETWORK, DEAL, seed="deal", keep=keep)


def shown(sealed: Sealed, ordered_at: int, now: int, until: int = 45) -> Disclosing:
    """Made by bob for eve at height `now`, when it could be ordered up to `until`."""
    by = Author("bob", PARTIES["bob"], NETWORK, seeded("bob"), now, until)
    header = sealed.transaction.header
    return disclose(by, sealed.payload, header, ordered_at=ordered_at, receivers=["eve"], reason="audit")


def blobs(world: World) -> set[str]:
    """The ids of all payloads that lie in any node's folder."""
    return {path.name for name in NETWORK.names for path in (world.home(name) / "blobs").iterdir()}


def grow_to(world: World, height: int) -> None:
    """Let blocks be executed until all are at this height, or above it."""
    while world.height("ann") < height:
        world.settle(world.send(1, seed=("grow", world.now_ms), valid=(1, 49)))


@pytest.mark.parametrize("keep", [2, 3, 7, 30, 1000])
def test_p42_whenever_a_carrier_is_ordered_it_goes_no_later_than_the_original(keep: int) -> None:
    """Ordered in the last block that may have it, it is erased at the original's height at the latest."""
    ordered_at, sealed = 5, original(keep)
    for now in range(ordered_at, min(ordered_at + keep - 1, 60)):
        for until in (now, now + 1, now + 500):
            core = shown(sealed, ordered_at, now, until).carrier.transaction.header.core
            assert core.valid_from == now <= core.valid_until <= until and core.keep >= 1
            assert core.valid_until + core.keep <= ordered_at + keep, (now, until)
            # Not more is taken from its time than has to be: half of it is there to read it in.
            assert core.keep >= (ordered_at + keep - now) // 2


def test_what_is_kept_for_ever_is_shown_for_ever() -> None:
    core = shown(original(0), 5, 9).carrier.transaction.header.core
    assert (core.keep, core.valid_until) == (0, 45)


@pytest.mark.parametrize("now", [7, 8, 9, 40])
def test_p42_without_time_left_it_is_not_shown(now: int) -> None:
    """Kept for 3 blocks from block 5 on, from block 7 on a carrier could only outlive it."""
    with pytest.raises(PrivityError) as refusal:
        shown(original(3), 5, now)
    assert (refusal.value.code, refusal.value.exit_code) == ("E-ERASED", 6)
    assert "steel" not in str(refusal.value) and shown(original(3), 5, 6).carrier


def test_p42_no_node_has_the_carrier_when_the_original_is_gone(world: World) -> None:
    """Shown and checked while there is time; at the original's height both are gone, at every node."""
    sealed = original(keep=10)
    world.settle([world.submit(sealed)])
    ordered_at = world.height("ann")
    made = shown(sealed, ordered_at, ordered_at)
    world.publish(world.topics.transactions, encode(TransactionPacket(made.record, None)))
    world.settle([made.record.id, world.submit(made.carrier)])
    world.run_until(lambda: not any(running.node.has_idle_work for running in world.up.values()))
    both = {sealed.transaction.id.hex(), made.carrier.transaction.id.hex()}
    assert both <= blobs(world)
    events = [event for event in world.events["eve"] if event["ev"] == "priv.disclose"]
    assert [event["ok"] for event in events] == [True]
    grow_to(world, ordered_at + 10)
    assert not both & blobs(world)
    noted = [json.loads(line) for line in (world.home("eve") / "holdings.jsonl").read_text().splitlines()]
    carrier = made.carrier.transaction.id.hex()
    assert {each["erased"] for each in noted if each["tx"] == carrier and "erased" in each} == {"blob", "key"}


@pytest.mark.parametrize("when", ["before it is due", "after it is due", "after a restart"])
def test_p42_a_carrier_that_would_outlive_what_it_shows_is_erased_with_it(world: World, when: str) -> None:
    """A reader whose client asks no rule keeps the carrier for ever; its public record gives it away."""
    sealed = original(keep=4)
    world.settle([world.submit(sealed)])
    by = Author("bob", PARTIES["bob"], NETWORK, seeded("bob"), 2, 45)
    header = msgspec.structs.replace(sealed.transaction.header.core, keep=0)
    for_ever = msgspec.structs.replace(sealed.transaction.header, core=header)
    made = disclose(by, sealed.payload, for_ever, ordered_at=2, receivers=["eve"], reason="audit")
    assert isinstance(made.record.act.deed, Disclosure) and made.carrier.transaction.header.core.keep == 0
    deed = msgspec.structs.replace(made.record.act.deed, tx=sealed.transaction.id)
    record, carrier = by.act(deed), made.carrier
    due = world.height("ann") + 4
    if when == "before it is due":
        said_of_another(world, by, deed)
    if when != "before it is due":
        grow_to(world, due)
    if when == "after a restart":
        for name in NETWORK.names:
            world.stop(name)
            world.start(name)
    world.publish(world.topics.transactions, encode(TransactionPacket(record, None)))
    world.settle([record.id])
    world.settle([world.submit(carrier)])
    grow_to(world, max(due, world.height("ann") + 1))
    world.run_until(lambda: not any(running.node.has_idle_work for running in world.up.values()))
    assert not blobs(world) & {sealed.transaction.id.hex(), carrier.transaction.id.hex()}
    if when != "before it is due":
        said_of_another(world, by, deed)
    grow_to(world, world.height("ann") + 1)
    assert OF_DAN.transaction.id.hex() in blobs(world)


OF_DAN = sealed_for(NETWORK, DEAL, seed="of dan", sender="dan", to=("eve",), valid=(1, 49))


def said_of_another(world: World, by: Author, deed: Disclosure) -> None:
    """A record that names another's payload as its carrier: it must not have that erased."""
    world.settle([world.submit(OF_DAN)])
    lie = by.act(msgspec.structs.replace(deed, carrier=OF_DAN.transaction.id))
    world.publish(world.topics.transactions, encode(TransactionPacket(lie, None)))
    world.settle([lie.id])
