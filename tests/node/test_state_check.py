"""State checks: what differs between two parties is found and its first transaction named (P37)."""

from __future__ import annotations

import base64
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from node.canonical import DecodeError, decode, encode
from node.node import Node
from node.objects.private_state import APPLIED, STALE
from node.state_check.checker import DIVERGENCES
from node.state_check.packets import (
    CUTS,
    StateEnvelope,
    StateRoots,
    StateWrites,
    cuts,
    decode_message,
    ends_of,
)
from node.state_check.sealing import open_message, seal_message
from node.wire import TransactionPacket
from tests.node.network_of_nodes import PARTIES, RULES, World, founded, ready, sealed_for
from tests.node.objects_world import at_rest, put, state, write_of

EVERY = 6
NETWORK = founded(voters=4, followers=1, rules=msgspec.structs.replace(RULES, state_check=EVERY))
PAIR = ("ann", "bob")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Four voters and a follower at height 1; a check at every sixth height."""
    with ready(tmp_path, NETWORK) as world:
        yield world


def up_to_a_check(world: World, more: int = 0) -> int:
    """Blocks of other parties' records up to the next height of a check, and time for it; that height."""
    target = (world.height("ann") // EVERY + 1) * EVERY + more
    number = 0
    while world.height("ann") < target:
        number += 1
        seed = ("other", world.height("ann"), number)
        valid = (world.height("ann"), world.height("ann") + 40)
        world.settle(world.send(seed=seed, sender="cyd", to=("dan",), valid=valid))
    at_rest(world)
    world.run(200)
    at_rest(world)
    return target


def told(world: World, event: str) -> Counter[tuple[str, object, object]]:
    """Who told it, of whom, about which transaction."""
    return Counter(
        (name, each.get("party"), each.get("tx"))
        for name, events in world.events.items()
        for each in events
        if each["ev"] == event
    )


def test_a_clean_run_confirms_and_reports_none(world: World) -> None:
    """P37: each of an audience hears of the others that they have the same, and nobody else is named."""
    put(world, 0)
    put(world, 0, to=("bob", "dan"), name="other")
    put(world, 1, sender="bob", to=("ann",))
    put(world, 1)
    up_to_a_check(world)
    pairs = {("ann", "bob"), ("bob", "ann"), ("ann", "dan"), ("dan", "ann"), ("bob", "dan"), ("dan", "bob")}
    assert {(name, party) for name, party, _ in told(world, "state.confirmed")} == pairs
    assert not told(world, "state.diverged") and not told(world, "state.unconfirmed")
    assert not any((world.home(name) / DIVERGENCES).exists() for name in NETWORK.names)


def _run(node: Node, sql: str, *values: object) -> None:
    changed = node._store.database.execute(sql, values).rowcount
    assert changed == 1, sql


DAMAGE: dict[str, Callable[[Node, bytes], None]] = {
    "a write is gone": lambda node, tx: _run(node, "DELETE FROM object_write WHERE tx = ?", tx),
    "an outcome is another": lambda node, tx: _run(
        node, "UPDATE object_write SET outcome = ? WHERE tx = ?", STALE, tx
    ),
    "a version is another": lambda node, tx: _run(
        node, "UPDATE object_write SET version = version + 1 WHERE tx = ?", tx
    ),
    "an audience is another": lambda node, tx: _run(
        node, "UPDATE object_write SET audience = 'ann bob cyd' WHERE tx = ?", tx
    ),
    "an object is another": lambda node, tx: _run(
        node, "UPDATE object_write SET object = zeroblob(32) WHERE tx = ?", tx
    ),
    "a place is another": lambda node, tx: _run(
        node, "UPDATE object_write SET position = position + 1 WHERE tx = ?", tx
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("victim", PAIR)
def test_a_divergence_is_found_within_one_interval(world: World, damage: str, victim: str) -> None:
    """P37: whatever is wrong with one, an honest party names the first transaction that differs."""
    writes = [put(world, expects) for expects in range(3)]
    DAMAGE[damage](world.node(victim), writes[1])
    put(world, 3, sender="bob", to=("ann",))
    height = up_to_a_check(world)
    assert height <= 3 * EVERY
    first = writes[1][:4].hex()
    found = told(world, "state.diverged")
    assert {name for name, _, tx in found if tx == first} >= set(PAIR), found
    assert set(found) <= {("ann", "bob", first), ("bob", "ann", first), *_outside(found)}


def _outside(found: Counter[tuple[str, object, object]]) -> set[tuple[str, object, object]]:
    """A write moved into a larger audience differs for its new party too, at the same transaction."""
    return {each for each in found if "cyd" in each}


def test_the_first_difference_of_a_long_history_is_named(world: World) -> None:
    """P37, over more heights than one message has roots for: the range shrinks to one block."""
    wrong = None
    for expects in range(CUTS + 20):
        height = world.height("ann")
        written = put(world, expects, valid=(height, height + 40))
        wrong = written if expects == 40 else wrong
    assert wrong is not None and world.height("ann") > CUTS
    before = len(world.said)
    DAMAGE["an outcome is another"](world.node("bob"), wrong)
    up_to_a_check(world)
    assert set(told(world, "state.diverged")) == {
        ("ann", "bob", wrong[:4].hex()),
        ("bob", "ann", wrong[:4].hex()),
    }
    talk = [packet for who, _, packet in world.said[before:] if isinstance(packet, StateEnvelope)]
    assert len(talk) < 20 * 4 + 20


def test_who_is_behind_is_not_confirmed_and_not_accused(world: World) -> None:
    """P37: a payload that has not come makes a difference, and no divergence; later both are the same."""
    put(world, 0)
    world.withhold_blobs("bob")
    late = world.submit(write_of(NETWORK, 1, sender="ann"))
    world.settle([late])
    at_rest(world)
    up_to_a_check(world)
    assert not told(world, "state.diverged")
    assert told(world, "state.unconfirmed")[("ann", "bob", late[:4].hex())] >= 1
    world.tap = lambda receiver, topic, data: data
    world.run_until(lambda: not world.node("bob").private_view.is_missing(late))
    at_rest(world)
    before = told(world, "state.confirmed")
    up_to_a_check(world)
    assert told(world, "state.confirmed")[("ann", "bob", None)] > before[("ann", "bob", None)]
    assert not told(world, "state.diverged") and state(world, "ann") == state(world, "bob")


def test_what_was_erased_unseen_accuses_nobody(world: World) -> None:
    """A party that was away while a payload lived cannot know it, and is behind."""
    put(world, 0)
    world.stop("bob")
    world.submit(write_of(NETWORK, 1, keep=2))
    for number in range(4):
        world.settle(world.send(seed=("away", number), sender="cyd", to=("dan",)))
    world.start("bob")
    world.settle()
    at_rest(world)
    put(world, 2)
    up_to_a_check(world)
    assert not told(world, "state.diverged")
    assert any(name in PAIR for name, _, _ in told(world, "state.unconfirmed"))


def test_no_packet_tells_who_shares_objects(world: World) -> None:
    """Each node says the same amount to each other one, in packets of one size and to its own inbox."""
    put(world, 0)
    put(world, 1)
    before = len(world.said)
    up_to_a_check(world)
    sizes: dict[tuple[str, str], list[int]] = defaultdict(list)
    for who, topic, packet in world.said[before:]:
        if isinstance(packet, StateEnvelope):
            sizes[who, topic].append(len(packet.blob.ciphertext) + sum(map(len, packet.blob.slots)))
    inboxes = {name: world.topics.inbox_of(place) for place, name in enumerate(NETWORK.names)}
    assert set(sizes) == {(a, inboxes[b]) for a in NETWORK.names for b in NETWORK.names if a != b}
    assert len({tuple(each) for each in sizes.values()}) == 1


def test_blocks_do_not_wait_for_a_check(world: World) -> None:
    """Nobody answers, and the ledger grows as ever; what is not confirmed is not reported."""
    world.tap = lambda receiver, topic, data: None if data[1] == 40 else data
    put(world, 0)
    up_to_a_check(world, more=EVERY)
    assert world.happened["lost"] >= 2 * 20
    assert not told(world, "state.confirmed") and not told(world, "state.diverged")


def roots(root: bytes = b"r" * 32, height: int = EVERY) -> StateRoots:
    return StateRoots(height, b"s" * 16, 0, height, (root,))


def test_a_liar_is_answered_with_proof(world: World) -> None:
    """Who says another root is asked where, and what it signed is kept, so that it can be shown."""
    tx = put(world, 0)
    up_to_a_check(world)
    at = next(row.write.height for row in world.node("ann").private_view.objects.rows.until(99))
    lie = seal_message(NETWORK, PARTIES["bob"], "bob", "ann", StateWrites(EVERY, at, (), ()))
    assert not world.hand("ann", encode(lie))
    at_rest(world)
    assert set(told(world, "state.diverged")) == {("ann", "bob", tx[:4].hex())}
    (line,) = (world.home("ann") / DIVERGENCES).read_text().splitlines()
    kept = json.loads(line)
    assert (kept["tx"], kept["party"], kept["block"]) == (tx.hex(), "bob", at)
    theirs = decode(StateEnvelope, base64.b64decode(kept["theirs"]), 1 << 20)
    assert open_message(NETWORK, PARTIES["ann"], theirs) == StateWrites(EVERY, at, (), ())
    own = decode(StateEnvelope, base64.b64decode(kept["own"]), 1 << 20)
    answer = open_message(NETWORK, PARTIES["bob"], own)
    assert isinstance(answer, StateWrites) and [each.tx for each in answer.writes] == [tx]


def test_what_others_send_is_dropped_with_a_reason(world: World) -> None:
    """Not for us, not by whom it says, of another network or height, twice, or of no meaning."""
    put(world, 0)
    up_to_a_check(world)
    good = seal_message(NETWORK, PARTIES["bob"], "bob", "ann", roots())
    other = seal_message(NETWORK, PARTIES["bob"], "bob", "cyd", roots(b"x" * 32))
    forged = seal_message(NETWORK, PARTIES["cyd"], "bob", "ann", roots(b"y" * 32))
    late = seal_message(NETWORK, PARTIES["bob"], "bob", "ann", roots(height=EVERY + 1))
    odd = seal_message(NETWORK, PARTIES["bob"], "bob", "ann", replace_roots(roots(), low=3))
    elsewhere = seal_message(founded(voters=4, salt=1), PARTIES["bob"], "bob", "ann", roots())
    record = sealed_for(NETWORK, {"_state": 1}, sender="bob", to=("ann",))
    ledgers = StateEnvelope(record.transaction, record.blob)
    expected = {
        "not a party": other,
        "signature": forged,
        "validity": late,
        "network": elsewhere,
    }
    for reason, envelope in expected.items():
        assert dict(world.hand("ann", encode(envelope))) == {reason: 1}, reason
    assert dict(world.hand("ann", encode(ledgers))) == {"network": 1}
    assert not world.hand("ann", encode(good))
    assert dict(world.hand("ann", encode(good))) == {"repeated": 1}
    assert not world.hand("ann", encode(odd))
    before = world.reasons("ann")["shape"]
    at_rest(world)
    assert world.reasons("ann")["shape"] == before + 1
    # No ledger takes an envelope either.
    assert world.hand("ann", encode(TransactionPacket(good.transaction, good.blob)))


def replace_roots(message: StateRoots, **changes: int) -> StateRoots:
    return msgspec.structs.replace(message, roots=message.roots * 2, **changes)


def test_where_none_were_agreed_nobody_is_asked(tmp_path: Path) -> None:
    """Without state_check nothing is said, and what comes is dropped."""
    network = founded(voters=4)
    with ready(tmp_path, network) as world:
        put(world, 0)
        envelope = seal_message(network, PARTIES["bob"], "bob", "ann", roots())
        assert dict(world.hand("ann", encode(envelope))) == {"no state checks here": 1}
        assert not any(isinstance(packet, StateEnvelope) for packet in world.packets())


def test_a_restart_repeats_its_check_and_changes_no_word(world: World) -> None:
    """The same content has the same envelope, whoever asks again; nothing of it is drawn."""
    put(world, 0)
    up_to_a_check(world)
    said = {encode(packet) for packet in world.packets("bob") if isinstance(packet, StateEnvelope)}
    world.crash("bob")
    world.start("bob")
    at_rest(world)
    world.run(100)
    again = [encode(packet) for packet in world.packets("bob") if isinstance(packet, StateEnvelope)]
    assert len(again) == 2 * len(said) and set(again) == said
    other = seal_message(NETWORK, PARTIES["bob"], "bob", "ann", roots(b"z" * 32))
    assert other.blob.slots[0] not in {s for p in said for s in decode(StateEnvelope, p, 1 << 20).blob.slots}


def test_ranges_shrink_to_one_block() -> None:
    """The parts of any range are shorter than it, and end where it ends."""
    for low, high in ((0, 1), (0, 2), (0, 63), (0, 64), (0, 65), (7, 100_000)):
        ends = cuts(low, high)
        assert ends[-1] == high and ends == sorted(set(ends)) and ends[0] > low
        widest = max(end - start for start, end in zip([low, *ends], ends, strict=False))
        assert widest == 1 or widest <= (high - low) // CUTS + 1
        assert ends_of(StateRoots(high, bytes(16), low, high, (bytes(32),) * len(ends))) == ends
    assert ends_of(StateRoots(9, bytes(16), 0, 9, (bytes(32),) * 3)) is None
    assert ends_of(StateRoots(9, bytes(16), 9, 9, (bytes(32),))) is None
    with pytest.raises(DecodeError):
        decode_message(b"\x93\x03\x00\x00")


def test_applied_is_what_moves_a_version(world: World) -> None:
    """The damage of these tests is real: the state before it is what the chain gives."""
    put(world, 0)
    assert [each[2] for each in state(world, "ann")] == [APPLIED]
    assert replace(world.node("ann").private_view.objects.rows.until(99)[0]).version == 1
