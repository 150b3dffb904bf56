"""What an operator says to a node about its faults, and what the node answers."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from node.faults.control import MAX_LINE, answer
from node.faults.control_pipe import Lines
from node.faults.fault import NETWORK, Delay, Fault, Loss, Partition, Skew
from node.faults.held import Held
from node.faults.injector import MOST_FAULTS, Injector
from node.topics import Topics
from tests.node.faults.faulty_world import injector_of
from tests.node.network_of_nodes import founded

NET = founded()
FROM_ANN = Topics(NET.id).broadcast(0)

ONE_OF_EACH: dict[str, dict[str, Any]] = {
    "disconnect": {},
    "partition": {"groups": [[0], [1, 2, 3]], "one_way": True},
    "delay": {"sources": [0], "targets": None, "by_us": [1000, 5000]},
    "loss": {"kinds": ["prepare", "commit"], "chance": 0.5},
    "duplicate": {"chance": 0.1},
    "reorder": {"by_us": [0, 9000]},
    "equivocate": {},
    "silent": {"targets": [2]},
    "censor": {"parties": ["bob"]},
    "slow": {"by_us": 500_000},
    "flood": {"rate": 50},
    "skew": {"by_us": -250_000},
}


@pytest.fixture
def bob() -> Injector:
    return injector_of(NET, "bob")


def told(injector: Injector, words: object) -> dict[str, Any]:
    """The answer to a line."""
    return answer(injector, msgspec.json.encode(words), 0)


def test_every_kind_of_fault_has_its_words() -> None:
    """The table below is of all kinds that there are."""
    tags = {each.__struct_config__.tag for each in Fault.__args__}
    assert tags == ONE_OF_EACH.keys()


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_each_kind_begins_is_active_and_ends(bob: Injector, kind: str) -> None:
    """A fault of each kind can be begun and ended by a line of JSON each."""
    assert told(bob, {"begin": {"id": "x", "kind": kind, **ONE_OF_EACH[kind]}}) == {"began": "x"}
    assert (bob.active, bob.idle) == (["x"], False)
    # A clock is wrong at once; all others wait for a packet.
    assert told(bob, {"end": "x"}) == {"ended": "x", "touched": int(kind == "skew")}
    assert (bob.active, bob.idle) == ([], True)


def test_what_a_fault_touched_until_now_can_be_asked(bob: Injector) -> None:
    """It goes on meanwhile; of a fault that is not active there is nothing to count."""
    told(bob, {"begin": {"id": "fast", "kind": "skew", "by_us": 5_000}})
    assert told(bob, {"count": "fast"}) == {"counted": "fast", "touched": 1} == told(bob, {"count": "fast"})
    assert bob.active == ["fast"]
    told(bob, {"end": "fast"})
    assert told(bob, {"count": "fast"}) == {"error": "no such fault is active"}


def test_the_end_tells_how_many_packets_were_touched(bob: Injector) -> None:
    """A loss that took two packets says so when it ends."""
    told(bob, {"begin": {"id": "lost", "kind": "loss"}})
    assert [bob.incoming(FROM_ANN, b"abcd", 0) for _ in range(2)] == [[], []]
    assert told(bob, {"end": "lost"}) == {"ended": "lost", "touched": 2}


def test_healing_ends_every_fault_and_counts_each(bob: Injector) -> None:
    """After {"heal": true} nothing is wrong but the network's own conditions, which can be ended by name."""
    bob.begin(Delay(id=NETWORK, by_us=(5, 5)), 0)
    bob.begin(Loss(id="lost"), 0)
    bob.begin(Skew(id="fast", by_us=3000), 0)
    bob.incoming(FROM_ANN, b"abcd", 0)
    assert bob.skew_us == 3000
    assert told(bob, {"heal": True}) == {"healed": {"lost": 1, "fast": 1}}
    assert (bob.active, bob.skew_us, bob.idle) == ([], 0, False)
    assert told(bob, {"end": NETWORK}) == {"ended": NETWORK, "touched": 0}
    assert bob.idle


BAD_LINES: dict[str, bytes] = {
    "no JSON": b"begin",
    "no object": b"[1]",
    "not UTF-8": b'{"end": "\xff"}',
    "no word": b"{}",
    "two words": b'{"end": "old", "heal": true}',
    "an unknown word": b'{"stop": "x"}',
    "heal nothing": b'{"heal": false}',
    "end what never began": b'{"end": "x"}',
    "no kind": b'{"begin": {"id": "x"}}',
    "an unknown kind": b'{"begin": {"id": "x", "kind": "explode"}}',
    "an unknown field that would colour a terminal": b'{"\\u001b[31mred": 1}',
    "a long unknown field": b'{"' + b"x" * 1000 + b'": 1}',
    "an unknown field": b'{"begin": {"id": "x", "kind": "loss", "often": 1}}',
    "a field of another kind": b'{"begin": {"id": "x", "kind": "disconnect", "rate": 1}}',
    "a missing field": b'{"begin": {"id": "x", "kind": "flood"}}',
    "a chance above 1": b'{"begin": {"id": "x", "kind": "loss", "chance": 1.1}}',
    "a text for a number": b'{"begin": {"id": "x", "kind": "flood", "rate": "9"}}',
    "a rate beyond measure": b'{"begin": {"id": "x", "kind": "flood", "rate": 1000000}}',
    "a range upside down": b'{"begin": {"id": "x", "kind": "delay", "by_us": [9, 1]}}',
    "a kind of message": b'{"begin": {"id": "x", "kind": "loss", "kinds": ["gossip"]}}',
    "an id of words": b'{"begin": {"id": "a long story", "kind": "loss"}}',
    "somebody in two groups": b'{"begin": {"id": "x", "kind": "partition", "groups": [[1], [1, 2]]}}',
    "an empty group": b'{"begin": {"id": "x", "kind": "partition", "groups": [[1], []]}}',
    "a replica that is not": b'{"begin": {"id": "x", "kind": "silent", "targets": [4]}}',
    "a party that is not": b'{"begin": {"id": "x", "kind": "censor", "parties": ["zoe"]}}',
    "a line without end": b'{"end": "' + b"x" * MAX_LINE + b'"}',
    "depth": b'{"begin": ' + b"[" * 20_000,
}


@pytest.mark.parametrize("line", BAD_LINES.values(), ids=BAD_LINES)
def test_a_line_that_cannot_be_carried_out_changes_nothing(bob: Injector, line: bytes) -> None:
    """It is answered by an error in one printable line, and what was active stays so."""
    bob.begin(Loss(id="old"), 0)
    said = answer(bob, line, 0)
    assert list(said) == ["error"] and said["error"].isprintable() and len(said["error"]) <= 200
    assert bob.active == ["old"]


def test_there_is_an_end_to_faults(bob: Injector) -> None:
    """Beyond some hundreds, one more is refused."""
    for i in range(MOST_FAULTS):
        assert told(bob, {"begin": {"id": f"x{i}", "kind": "loss"}}) == {"began": f"x{i}"}
    assert "error" in told(bob, {"begin": {"id": "one-more", "kind": "loss"}})


def test_a_fault_is_the_same_after_its_way_through_json() -> None:
    """What the operator encodes is what the node decodes, and it names its kind."""
    fault = Partition(id="split", groups=[[0], [1]], one_way=True)
    assert msgspec.json.decode(msgspec.json.encode(fault), type=Fault) == fault
    assert fault.kind == "partition"


# Lines.


def test_lines_are_cut_wherever_the_bytes_are_cut() -> None:
    """Each line comes out once, when its end is there; blank ones do not."""
    lines = Lines()
    assert lines.feed(b'{"heal"') == []
    assert lines.feed(b': true}\n\n  \n{"end": "x"}\n{"e') == [b'{"heal": true}', b'{"end": "x"}']
    assert lines.feed(b'nd": "y"}\n') == [b'{"end": "y"}']


def test_of_a_line_without_end_only_so_much_is_kept_as_tells_it(bob: Injector) -> None:
    """A line of megabytes is answered by an error, and the next one is understood."""
    lines = Lines()
    for _ in range(100):
        assert lines.feed(b"x" * MAX_LINE) == []
    (long, next_line) = lines.feed(b'\n{"heal": true}\n')
    assert len(long) == MAX_LINE + 1 and "too long" in answer(bob, long, 0)["error"]
    assert answer(bob, next_line, 0) == {"healed": {}}


# What is held back.


def test_what_is_held_comes_out_when_it_is_due_in_the_order_it_came() -> None:
    """The earliest first, of two that are due together the one that came first, each once."""
    held = Held()
    for due_us, packet in ((30, b"late"), (10, b"first"), (10, b"second"), (20, b"third")):
        assert held.put(due_us, "topic", packet)
    assert held.due_us == 10
    assert held.take(9) == []
    assert held.take(20) == [("topic", b"first"), ("topic", b"second"), ("topic", b"third")]
    assert (held.due_us, held.take(30), held.due_us) == (30, [("topic", b"late")], None)


@pytest.mark.parametrize("bounds", [{"most": 3}, {"most_bytes": 30}])
def test_what_is_held_is_bounded(bounds: dict[str, int]) -> None:
    """Neither more packets nor more bytes than the bound are held; what went makes room."""
    held = Held(**bounds)
    assert [held.put(i, "topic", bytes(10)) for i in range(4)] == [True, True, True, False]
    held.take(0)
    assert held.put(9, "topic", bytes(10))
