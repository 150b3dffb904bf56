"""A curious member asks what it may not know: who reads what, by questions that any member may ask (P17)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import pytest

from node.canonical import encode
from node.envelopes.envelope import unseal
from node.objects.private_objects import index_secret, object_digest
from node.state_check import checker
from node.state_check.history import History
from node.state_check.packets import StateEnvelope, StateRoots, StateWrite, StateWrites
from node.state_check.sealing import open_message, seal_message
from tests.node.network_of_nodes import PARTIES, RULES, World, ready
from tests.node.objects_world import RENT, at_rest, write_of
from tests.node.off_chain_world import hand_over, off_chain, order, outgoing, send

EVERY = 4
PAIR = ("ann", "bob")
NETWORK = off_chain(voters=5, rules=msgspec.structs.replace(RULES, state_check=EVERY))


def asked(world: World, of: str, height: int, at: int) -> StateWrites:
    """What a node answers cyd, who says another root for the writes of one block."""
    lie = StateRoots(height, b"s" * 16, at - 1, at, (at.to_bytes(32, "big"),))
    before = len(world.said)
    assert not world.hand(of, encode(seal_message(NETWORK, PARTIES["cyd"], "cyd", of, lie)))
    at_rest(world)
    (answer,) = (
        found
        for who, to, packet in world.said[before:]
        if who == of and to == world.topics.inbox_of(2) and isinstance(packet, StateEnvelope)
        for found in [open_message(NETWORK, PARTIES["cyd"], packet)]
    )
    assert isinstance(answer, StateWrites)
    return answer


def test_p17_a_state_check_tells_no_stranger_who_reads_what(tmp_path: Path) -> None:
    """Off chain, readers and others answer alike about payloads that are not for the one who asks."""
    with ready(tmp_path, NETWORK) as world:
        known = []
        while world.height("ann") < 2 * EVERY:
            number = len(known)
            tx = send(world, ["bob"], seed=number, valid=(max(1, world.height("ann")), 40))
            world.settle([tx])
            known.append(tx)
        world.run(8000)
        at_rest(world)
        for tx in known[:3]:
            row = world.node("bob")._store.transaction(tx)
            assert row is not None and row.payload == "delivered"
            answers = [asked(world, name, 2 * EVERY, row.height) for name in ("ann", "bob", "dan", "eve")]
            assert len(set(answers)) == 1


def write(world: World, expects: int) -> bytes:
    """A write of ann's that bob reads, off chain, and its place in the objects of both."""
    low = max(1, world.height("ann"))
    sealed = write_of(world.network, expects, valid=(low, low + 40))
    out = outgoing(world.network, sealed, ["bob"])
    assert hand_over(world, out)
    for topic, packet in out.passing_on():
        world.publish(topic, packet)
    tx = order(world, sealed)
    world.settle([tx])
    at_rest(world)
    return tx


def told(world: World, name: str) -> set[tuple[str, object, object]]:
    """What a node told of the private states of others: event, of whom, about which transaction."""
    return {
        (each["ev"], each.get("party"), each.get("tx"))
        for each in world.events[name]
        if each["ev"] in ("state.diverged", "state.unconfirmed")
    }


def test_p37_off_chain_a_write_that_is_gone_is_found_all_the_same(tmp_path: Path) -> None:
    """Who shares a payload is told whether it is known, so a state that lost a write is named."""
    with ready(tmp_path, NETWORK) as world:
        writes = [write(world, expects) for expects in range(2)]
        database = world.node("bob")._store.database
        assert database.execute("DELETE FROM object_write WHERE tx = ?", (writes[1],)).rowcount == 1
        while world.height("ann") < 2 * EVERY:
            write(world, 2 + world.height("ann"))
        world.run(2000)
        at_rest(world)
        digits = writes[1][:4].hex()
        assert told(world, "ann") == {("state.diverged", "bob", digits)}
        assert told(world, "bob") == {("state.diverged", "ann", digits)}


def test_p37_a_stranger_to_a_payload_raises_no_alarm_about_it(tmp_path: Path) -> None:
    """What cyd says that it wrote, bob knows to be none of cyd's: it is not confirmed, and no divergence."""
    with ready(tmp_path, NETWORK) as world:
        tx = write(world, 0)
        while world.height("ann") < EVERY:
            write(world, world.height("ann"))
        row = world.node("bob")._store.transaction(tx)
        assert row is not None
        lie = StateWrites(EVERY, row.height, (StateWrite(row.position, tx, bytes(16)),), ())
        assert not world.hand("bob", encode(seal_message(NETWORK, PARTIES["cyd"], "cyd", "bob", lie)))
        at_rest(world)
        assert told(world, "bob") == {("state.unconfirmed", "cyd", tx[:4].hex())}


def test_p37_a_liar_fills_no_disk_with_differences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many differences with one party are kept, over a restart as well, and all are told of."""
    monkeypatch.setattr(checker, "KEPT_OF_EACH", 3)
    with ready(tmp_path, NETWORK) as world:
        while world.height("ann") < EVERY:
            write(world, world.height("ann"))
        for number in range(6):
            made_up = StateWrite(500, bytes([number]) * 32, bytes(16))
            lie = StateWrites(EVERY, 2, (made_up,), ())
            world.hand("dan", encode(seal_message(NETWORK, PARTIES["cyd"], "cyd", "dan", lie)))
            at_rest(world)
            if number == 1:
                world.crash("dan")
                world.start("dan")
                at_rest(world)
        kept = (tmp_path / "dan" / checker.DIVERGENCES).read_text().splitlines()
        assert len(kept) == 3
        assert len([each for each in told(world, "dan") if each[0] == "state.diverged"]) == 6


def test_p37_roots_over_the_same_history_look_different_each_time() -> None:
    """Roots are salted: from one nobody can tell whether a later one is over the same, or over nothing."""
    nothing, salts = History([], ("ann", "bob")), (b"a" * 16, b"b" * 16)
    roots = {root for salt in salts for root in nothing.roots(NETWORK.id, salt, [4, 8])}
    assert len(roots) == 4
    assert nothing.roots(bytes(32), salts[0], [4]) != nothing.roots(NETWORK.id, salts[0], [4])


def lie_about(height: int, number: int) -> bytes:
    """Another root of cyd's for dan, of a check at this height; each number is another one."""
    root = StateRoots(height, b"s" * 16, 0, height, (number.to_bytes(32, "big"),))
    return encode(seal_message(NETWORK, PARTIES["cyd"], "cyd", "dan", root))


def test_p37_questions_without_end_are_not_kept_and_not_answered_without_end(tmp_path: Path) -> None:
    """Of checks to come so many of one peer wait; of one check so many are answered; old ones are dropped."""
    with ready(tmp_path, NETWORK) as world:
        ahead = [world.hand("dan", lie_about(50 * EVERY, number)) for number in range(12)]
        assert sum(ahead, Counter()) == {"over limit": 12 - checker.MOST_WAITING}
        assert world.hand("dan", lie_about(2000 * EVERY, 1)) == {"validity": 1}  # Nobody is there for long.
    with ready(tmp_path / "again", NETWORK) as world:
        while world.height("ann") < EVERY:
            write(world, world.height("ann"))
        world.run(500)
        at_rest(world)
        world.said.clear()
        before = world.reasons("dan")["over limit"]
        for number in range(checker.MOST_ROUNDS + 6):
            assert not world.hand("dan", lie_about(EVERY, number))
            at_rest(world)
        mine = world.topics.inbox_of(2)
        answers = [to for _, to, packet in world.said if to == mine and isinstance(packet, StateEnvelope)]
        assert len(answers) < checker.MOST_ROUNDS  # cyd's own, true root was one of them.
        assert world.reasons("dan")["over limit"] - before >= 6
        while world.height("ann") < 6 * EVERY:
            tx = send(world, ["bob"], seed=world.height("ann"), valid=(world.height("ann"), 49))
            world.settle([tx])
        assert world.hand("dan", lie_about(EVERY, 999)) == {"validity": 1}


def test_p10_no_two_envelopes_of_state_checks_share_a_key() -> None:
    """What each is sealed with follows from its content and receiver: other ones, another key."""
    messages = [
        StateRoots(height, salt, 0, height, (root,))
        for height in (4, 8)
        for salt in (b"a" * 16, b"b" * 16)
        for root in (bytes(32), b"r" * 32)
    ]
    keys, nonces, places = set(), set(), [("cyd", "dan"), ("cyd", "bob"), ("bob", "dan")]
    for sender, receiver in places:
        for message in messages:
            sealed = seal_message(NETWORK, PARTIES[sender], sender, receiver, message)
            assert seal_message(NETWORK, PARTIES[sender], sender, receiver, message) == sealed
            opened = unseal(sealed.transaction, sealed.blob, PARTIES[receiver].wrapping)
            keys.add(opened.content_key)
            nonces.add(sealed.transaction.header.core.nonce)
            assert open_message(NETWORK, PARTIES[receiver], sealed) == message
    assert len(keys) == len(nonces) == len(places) * len(messages)


def test_p01_a_stolen_index_does_not_tell_what_objects_are_called(tmp_path: Path) -> None:
    """Guessing names over all audiences finds none without the party's key, nor with that of another one."""
    with ready(tmp_path, NETWORK) as world:
        write(world, 0)
        objects = world.node("bob").private_view.objects
        (row,) = objects.rows.until(99)
        assert row.write.object == object_digest(objects.secret, PAIR, RENT)
        others = [index_secret(NETWORK, PARTIES[name].signing) for name in ("ann", "cyd")]
        guessed = {object_digest(secret, PAIR, RENT) for secret in (b"", bytes(32), NETWORK.id, *others)}
        assert row.write.object not in guessed and len(guessed) == 5
        stolen = b"".join(path.read_bytes() for path in world.home("bob").glob("index.sqlite*"))
        assert RENT.encode() not in stolen and not any(each in stolen for each in guessed)
        assert row.write.object in stolen
