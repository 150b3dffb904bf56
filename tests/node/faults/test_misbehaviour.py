"""A node with its real key that lies, keeps silent, censors, dawdles or floods, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from consensus.evidence import proves
from consensus.messages import Proposal, ReplicaMessage, Signed
from consensus.votes import Batch, Commit, Prepare, PrePrepare
from node.canonical import DecodeError, encode
from node.disclosure.disclosing import Author
from node.disclosure.disclosing import request as ask_for
from node.faults.fault import Censor, Disconnect, Equivocate, Flood, Silent, Slow
from node.faults.injector import Injector
from node.topics import Topics
from node.wire import Packet, TransactionPacket, Verifier, decode_packet, signed_bytes
from tests.node.faults.faulty_world import FaultyWorld, injector_of, ready
from tests.node.network_of_nodes import PARTIES, founded, sealed_for
from tests.node.small_consortium import seeded

NET = founded()
SEVEN = founded(7)
TOPICS = Topics(NET.id)
ANN, BOB, CYD, DAN = range(4)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[FaultyWorld]:
    with ready(tmp_path, NET) as world:
        yield world


def signed(message: ReplicaMessage, by: str) -> bytes:
    return PARTIES[by].signing.sign(signed_bytes(NET.id, message))


def proposal(sequence: int = 5) -> bytes:
    """What ann as primary hands out."""
    batch = Batch(sequence, ANN, 1000, (bytes(32),))
    vote = PrePrepare(0, 0, sequence, batch.digest(), ANN)
    return encode(Proposal(vote, signed(vote, "ann"), batch))


def heard(injector: Injector, network_topics: Topics, own: int, packet: bytes) -> dict[str, list[Packet]]:
    """What leaves instead of a broadcast, by topic."""
    by_topic: dict[str, list[Packet]] = {}
    for _, topic, said in injector.outgoing(network_topics.broadcast(own), packet, 0):
        by_topic.setdefault(topic, []).append(decode_packet(said))
    return by_topic


# Equivocation.


def test_two_proposals_are_valid_each_by_itself_and_one_voter_hears_both() -> None:
    """Each voter gets a proposal that the primary signed, two voters the true one, two another."""
    ann = injector_of(NET, "ann")
    ann.begin(Equivocate(id="two"), 0)
    told = heard(ann, TOPICS, ANN, proposal())
    assert sorted(told) == sorted(TOPICS.inbox_of(i) for i in (BOB, CYD, DAN))
    assert sorted(len(packets) for packets in told.values()) == [1, 1, 2]
    said = [packet for packets in told.values() for packet in packets]
    for packet in said:
        assert isinstance(packet, Proposal)
        vote = packet.pre_prepare
        assert Verifier(NET).message(vote, packet.signature, ANN)
        assert packet.batch.digest() == vote.digest and packet.batch.time_ms in (1000, 1001)
    assert len({packet.pre_prepare.digest for packet in said if isinstance(packet, Proposal)}) == 2
    assert ann.touched["two"] == 1
    assert heard(ann, TOPICS, ANN, proposal()) == told  # Repeated, the lies are the same.


@pytest.mark.parametrize("kind", [Prepare, Commit])
def test_two_votes_contradict_each_other(kind: type[Prepare] | type[Commit]) -> None:
    """A backup tells one half that it votes for one digest, and the other half another."""
    bob = injector_of(NET, "bob")
    bob.begin(Equivocate(id="two"), 0)
    vote = kind(0, 0, 5, bytes(32), BOB)
    told = heard(bob, TOPICS, BOB, encode(Signed(vote, signed(vote, "bob"))))
    assert sorted(len(packets) for packets in told.values()) == [1, 1, 2]
    digests = set()
    for packet in (packet for packets in told.values() for packet in packets):
        assert isinstance(packet, Signed) and isinstance(packet.message, kind)
        assert Verifier(NET).message(packet.message, packet.signature, BOB)
        digests.add(packet.message.digest)
    assert len(digests) == 2


def test_an_equivocating_primary_leaves_evidence_and_stops_nobody(world: FaultyWorld) -> None:
    """With four voters what it proposes is decided, alike everywhere, and a correct node holds proof."""
    world.begin(Equivocate(id="two"), "ann")
    world.settle(world.send(3, seed="during"))
    assert world.touched("two") > 0
    found = [each for name in ("bob", "cyd", "dan") for each in world.evidence(name)]
    assert any(each.kind == "E1" and isinstance(each.first.message, PrePrepare) for each in found)
    check = Verifier(NET).message
    for each in found:
        assert each.accused == ANN
        assert proves(each, 4, NET.rules.window, lambda m, signature: check(m, signature, m.replica))
    world.end("two")
    world.settle(world.send(3, seed="after"))


def test_an_equivocating_backup_leaves_evidence_and_stops_nobody(world: FaultyWorld) -> None:
    """Three correct voters decide without it, in the same view, and one of them holds its two votes."""
    world.begin(Equivocate(id="two"), "dan")
    world.settle(world.send(3))
    assert world.touched("two") > 0
    found = [each for name in ("ann", "bob", "cyd") for each in world.evidence(name)]
    assert {(each.kind, each.accused) for each in found} == {("E1", DAN)}
    assert {world.node(name).view for name in ("ann", "bob", "cyd")} == {0}


def test_halves_of_seven_decide_nothing_until_another_primary_leads(tmp_path: Path) -> None:
    """With seven voters neither half is a quorum; the liar is replaced, and everything is ordered."""
    with ready(tmp_path, SEVEN) as world:
        world.begin(Equivocate(id="two"), "ann")
        sent = world.send(3)
        world.settle(sent, within_ms=60_000)
        assert world.node("bob").view >= 1
        assert any(each.accused == ANN for name in world.up for each in world.evidence(name))


# Silence.


def test_a_silent_primary_is_replaced(world: FaultyWorld) -> None:
    """A primary that hears all and says nothing costs one view; healed, it stands where the others stand."""
    world.begin(Silent(id="mute"), "ann")
    sent = world.send(3)
    world.run_until(lambda: world.have_executed(sent, ["bob", "cyd", "dan"]))
    assert {world.node(name).view for name in ("bob", "cyd", "dan")} == {1}
    assert world.end("mute") > 0
    world.settle(sent)


def test_a_silent_node_does_not_answer_clients_either(world: FaultyWorld) -> None:
    """An inquiry to a node that is silent to all stays without answer, and others answer theirs."""
    world.begin(Silent(id="mute"), "dan")
    dan, cyd = (world.ask("ann", name, token=name.encode() + b"12345") for name in ("dan", "cyd"))
    world.run(100)
    assert (len(world.inboxes[dan]), len(world.inboxes[cyd])) == (0, 1)


def test_silence_towards_some_becomes_packets_to_the_rest() -> None:
    """What a node says to all reaches everybody but the targets, by their inboxes; clients hear it."""
    ann = injector_of(NET, "ann")
    ann.begin(Silent(id="mute", targets=[CYD]), 0)
    packet = proposal()
    leaving = ann.outgoing(TOPICS.broadcast(ANN), packet, 0)
    assert leaving == [(0, TOPICS.inbox_of(i), packet) for i in (BOB, DAN)]
    assert ann.outgoing(TOPICS.inbox_of(CYD), packet, 0) == []
    assert ann.outgoing(TOPICS.inbox_of(BOB), packet, 0) == [(0, TOPICS.inbox_of(BOB), packet)]
    client = TOPICS.inbox(b"a client")
    assert ann.outgoing(client, packet, 0) == [(0, client, packet)]
    assert ann.touched["mute"] == 2


# Censorship.


def request(sender: str) -> bytes:
    sealed = sealed_for(NET, {"n": 1}, sender=sender)
    return encode(TransactionPacket(sealed.transaction, sealed.blob))


def test_a_censor_lets_in_no_transaction_of_a_party_while_it_leads() -> None:
    """Neither from the client nor relayed by a backup; others' pass, and as a backup it lets all in."""
    leads = True
    ann = injector_of(NET, "ann", leads=lambda: leads)
    ann.begin(Censor(id="ban", parties=["bob"]), 0)
    for topic in (TOPICS.transactions, TOPICS.inbox_of(ANN)):
        assert ann.incoming(topic, request("bob"), 0) == []
        assert ann.incoming(topic, request("cyd"), 0) == [(0, request("cyd"))]
    assert ann.incoming(TOPICS.transactions, request("bob")[:-9], 0) == [(0, request("bob")[:-9])]
    assert ann.touched["ban"] == 2
    leads = False
    assert ann.incoming(TOPICS.transactions, request("bob"), 0) == [(0, request("bob"))]


def test_a_censor_knows_acts_by_their_author() -> None:
    """A request to be shown something is a request of that party too; the consortium is nobody's."""
    ann = injector_of(NET, "ann", leads=lambda: True)
    ann.begin(Censor(id="ban", parties=["ann", "bob"]), 0)
    for name, passes in (("bob", False), ("cyd", True)):
        author = Author(name, PARTIES[name], NET, seeded(name), 1, 40)
        packet = encode(TransactionPacket(ask_for(author, bytes(32), "dan", "audit"), None))
        assert ann.incoming(TOPICS.transactions, packet, 0) == ([(0, packet)] if passes else [])
    founding = encode(TransactionPacket(NET.transaction, None))
    assert ann.incoming(TOPICS.transactions, founding, 0) == [(0, founding)]


def test_a_censoring_primary_is_replaced_and_the_transaction_is_ordered(world: FaultyWorld) -> None:
    """What the primary does not let in is ordered by the next one, and the censor executes it too."""
    world.begin(Censor(id="ban", parties=["bob"]), "ann")
    others = world.send(1, sender="cyd")
    world.settle(others)
    assert world.node("cyd").view == 0  # Transactions of others are no reason to leave.
    censored = world.send(1, sender="bob", seed="censored")
    world.settle(censored)
    assert world.touched("ban") > 0
    assert {world.node(name).view for name in world.up} == {1}


# Slowness.


def test_a_slow_primary_under_the_timeout_only_slows(world: FaultyWorld) -> None:
    """Proposals that leave 200 ms later make blocks later by that, in the same view."""
    world.begin(Slow(id="slow", by_us=200_000), "ann")
    begin = world.now_ms
    sent = world.send(3)
    world.run_until(lambda: world.have_executed(sent))
    assert 200 <= world.now_ms - begin < 400
    assert world.touched("slow") > 0
    assert {world.node(name).view for name in world.up} == {0}


def test_only_proposals_are_slow_and_they_keep_their_order() -> None:
    """A shorter delay later on does not let a proposal pass an earlier one."""
    ann = injector_of(NET, "ann")
    topic = TOPICS.broadcast(ANN)
    ann.begin(Slow(id="slow", by_us=500), 0)
    assert ann.outgoing(topic, proposal(5), 0) == [(500, topic, proposal(5))]
    ann.end("slow", 10)
    ann.begin(Slow(id="slow", by_us=100), 10)
    assert ann.outgoing(topic, proposal(6), 10) == [(490, topic, proposal(6))]
    vote = Commit(0, 0, 5, bytes(32), ANN)
    packet = encode(Signed(vote, signed(vote, "ann")))
    assert ann.outgoing(topic, packet, 10) == [(0, topic, packet)]


# Flood.


def test_a_flood_keeps_its_rate_and_makes_nothing_up() -> None:
    """A thousand a second are a thousand in a second; who calls late gets a bounded number, and no rest."""
    dan = injector_of(NET, "dan")
    assert dan.due_us is None and dan.tick(0) == []
    dan.begin(Flood(id="flood", rate=1000), 0)
    said = 0
    for now_us in range(0, 1_000_000, 10_000):
        said += len(dan.tick(now_us))
    assert 990 <= said <= 1000
    assert dan.touched["flood"] == said
    late = dan.tick(60_000_000)
    assert 0 < len(late) < 1000
    assert dan.tick(60_000_000) == []
    assert dan.end("flood", 60_000_000) == said + len(late)
    assert dan.due_us is None


def test_who_is_disconnected_floods_nobody() -> None:
    """Nothing leaves a node that is cut off, a flood neither."""
    dan = injector_of(NET, "dan")
    dan.begin(Flood(id="flood", rate=1000), 0)
    dan.begin(Disconnect(id="off"), 0)
    assert dan.tick(10_000) == []


def test_a_flood_is_some_garbage_and_some_words_that_look_real() -> None:
    """Some of it is no packet, some is signed by nobody, some is signed well and of another epoch."""
    dan = injector_of(NET, "dan")
    dan.begin(Flood(id="flood", rate=5000), 0)
    kinds = set()
    for topic, packet in dan.tick(20_000):
        assert topic == TOPICS.broadcast(DAN)
        try:
            said = decode_packet(packet)
        except DecodeError:
            kinds.add("garbage")
            continue
        assert isinstance(said, Signed)
        good = Verifier(NET).message(said.message, said.signature, DAN)
        assert good is (said.message.epoch != NET.settings(DAN).epoch)
        kinds.add("signed" if good else "unsigned")
    assert kinds == {"garbage", "signed", "unsigned"}


def test_a_flood_is_dropped_counted_and_hinders_nobody(world: FaultyWorld) -> None:
    """All of a flood is dropped for reasons that are counted; the others commit, and accuse nobody."""
    world.begin(Flood(id="flood", rate=500), "dan")
    before = world.reasons("ann").copy()
    begin = world.now_ms
    world.settle(world.send(10))
    world.run(1000)
    said = world.end("flood")
    assert 400 <= said <= (world.now_ms - begin) / 2 + 10
    world.run(100)
    dropped = world.reasons("ann") - before
    assert {"bad signature", "other epoch"} <= dropped.keys()
    # A late vote or two of an honest round is in there as well.
    assert said <= sum(dropped.values())
    assert all(world.evidence(name) == [] for name in world.up)
    assert {world.node(name).view for name in world.up} == {0}
