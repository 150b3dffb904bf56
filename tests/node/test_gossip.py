"""What one node can prove of a liar every node can prove soon; what is forged names nobody (R30)."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from consensus.evidence import Evidence
from consensus.messages import ReplicaMessage, Signed
from consensus.output import EvidenceRecord
from consensus.votes import Commit, Prepare
from node.chain.journal import Journal
from node.gossip import MOST_OF_A_KIND
from node.wire import EvidencePacket, encode, signed_bytes
from tests.node.network_of_nodes import PARTIES, World, founded, ready

LIAR = 3


def said(world: World, message: ReplicaMessage, by: int = LIAR) -> Signed:
    """A message with the signature of a voter, whoever it names as its author."""
    key = PARTIES[world.network.names[by]].signing
    return Signed(message, key.sign(signed_bytes(world.network.id, message)))


def lie(world: World, sequence: int = 900, by: int = LIAR) -> Evidence:
    """Two prepares of the liar for one place, which nobody honest signs."""
    first, second = (said(world, Prepare(0, 5, sequence, bytes([n]) * 32, LIAR), by) for n in (1, 2))
    return Evidence("E1", LIAR, 5, sequence, first, second)


def kept(world: World, name: str) -> list[Evidence]:
    """The evidence in the journal of a node, read while it is up."""
    journal = Journal.open_read_only(world.home(name) / "journal", world.network.id)
    try:
        return [record.evidence for _, record in journal.replay() if isinstance(record, EvidenceRecord)]
    finally:
        journal.close()


def told(world: World, name: str) -> list[str]:
    """Whom a node accused in its log."""
    return [event["from"] for event in world.events[name] if event["ev"].startswith("evidence.")]


def test_everybody_keeps_what_one_was_told(tmp_path: Path) -> None:
    """Each node verifies it, keeps it once, tells of it once and says it once, also after a restart."""
    with ready(tmp_path, founded(voters=4)) as world:
        accused, honest = world.network.names[LIAR], world.network.names[:LIAR]
        evidence = lie(world)
        assert not world.hand(honest[0], encode(EvidencePacket(evidence)))
        world.run(2000)
        for name in honest:
            assert kept(world, name) == [evidence] and told(world, name) == [accused]
        assert kept(world, accused) == []
        sayers = [name for name, _, packet in world.said if isinstance(packet, EvidencePacket)]
        assert sorted(sayers) == sorted(honest)
        world.stop(honest[1])
        world.start(honest[1])
        again = world.hand(honest[1], encode(EvidencePacket(evidence)))
        assert again == {"repeated": 1} and kept(world, honest[1]) == [evidence]


FORGERIES: dict[str, tuple[str, Callable[[World], Evidence]]] = {
    "signed by another": ("evidence does not hold", lambda world: lie(world, by=1)),
    "the same content twice": (
        "evidence does not hold",
        lambda world: Evidence("E1", LIAR, 5, 900, lie(world).first, lie(world).first),
    ),
    "different places": (
        "evidence does not hold",
        lambda world: Evidence("E1", LIAR, 5, 900, lie(world).first, lie(world, 901).first),
    ),
    "about another place": (
        "evidence about another place",
        lambda world: Evidence("E1", LIAR, 5, 901, lie(world).first, lie(world).second),
    ),
    "another one accused": (
        "evidence does not hold",
        lambda world: Evidence("E1", 1, 5, 900, lie(world).first, lie(world).second),
    ),
    "nobody": ("not a voter", lambda world: Evidence("E1", 40, 5, 900, lie(world).first, lie(world).second)),
    "a half": ("evidence does not hold", lambda world: Evidence("E1", LIAR, 5, 900, lie(world).first, None)),
    "an honest prepare": (
        "evidence does not hold",
        lambda world: Evidence("E4", LIAR, 5, 900, lie(world).first, None),
    ),
    "a commit that nothing hides": (
        "evidence does not hold",
        lambda world: Evidence(
            "E2", LIAR, 5, 9, said(world, Commit(0, 5, 9, bytes(32), LIAR)), lie(world).second
        ),
    ),
    "two votes where one is too many": (
        "evidence does not hold",
        lambda world: Evidence(
            "E4", LIAR, 3, 9, said(world, Prepare(0, 3, 9, bytes(32), LIAR)), lie(world).second
        ),
    ),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_what_proves_nothing_is_dropped_and_counted(tmp_path: Path, name: str) -> None:
    """With its reason; it is neither kept nor passed on."""
    reason, forge = FORGERIES[name]
    with ready(tmp_path, founded(voters=4)) as world:
        ann = world.network.names[0]
        assert world.hand(ann, encode(EvidencePacket(forge(world)))) == {reason: 1}
        assert kept(world, ann) == [] == told(world, ann)
        assert not [packet for _, _, packet in world.said if isinstance(packet, EvidencePacket)]


def test_evidence_is_bounded_for_each_accused_and_kind(tmp_path: Path) -> None:
    """A liar can lie without end; nobody's disk fills with it."""
    with ready(tmp_path, founded(voters=4)) as world:
        ann = world.network.names[0]
        dropped = [
            world.hand(ann, encode(EvidencePacket(lie(world, 900 + number))))
            for number in range(MOST_OF_A_KIND + 2)
        ]
        assert dropped[MOST_OF_A_KIND:] == [{"enough evidence": 1}] * 2
        assert len(kept(world, ann)) == MOST_OF_A_KIND


def test_damaged_evidence_never_raises_and_never_names_the_honest(tmp_path: Path) -> None:
    """Some thousand damaged proofs: nobody but the liar is ever accused."""
    stream = random.Random("gossip")
    with ready(tmp_path, founded(voters=4)) as world:
        ann, accused = world.network.names[0], world.network.names[LIAR]
        good = encode(EvidencePacket(lie(world)))
        for _ in range(1500):
            damaged = bytearray(good)
            for _ in range(stream.randint(1, 4)):
                damaged[stream.randrange(len(damaged))] = stream.randrange(256)
            world.hand(ann, bytes(damaged))
        assert set(told(world, ann)) <= {accused}
        assert {each.accused for each in kept(world, ann)} <= {LIAR}
