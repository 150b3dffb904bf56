"""What happens to packets between sender and receiver."""

from __future__ import annotations

from random import Random

from scenarios.virtual.inbox import NEVER, Inbox
from scenarios.virtual.network import CLIENT, Network, Rule, kind_of
from scenarios.virtual.topology import Link, Links, complete, constant, uniform

PREPARE = b"\x93\x01\x96\x02rest"
COMMIT = b"\x93\x01\x96\x03rest"


class Net:
    """A network of a few places, and what arrived where and when."""

    def __init__(self, places: int = 4, link: Link | None = None) -> None:
        link = link or Link(constant(100))
        links = Links.of(complete(places, link), places)
        self.network = Network(links, Random("network"), Random("faults"))
        for _ in range(places):
            self.network.join(Inbox(lambda at_us: None))

    def arrivals(self) -> list[tuple[int, int, bytes]]:
        """Everything under way, in order of arrival."""
        found = []
        for place, inbox in enumerate(self.network.inboxes):
            while inbox.next_us < NEVER:
                when = inbox.next_us
                found += [(when, place, data) for data in inbox.take(when, 1 << 30)]
        return sorted(found, key=lambda arrival: arrival[:2])

    def reached(self, data: bytes = PREPARE) -> set[tuple[int, int]]:
        """Who hears whom, when everybody says this to all."""
        pairs = set()
        for source in range(len(self.network.inboxes)):
            self.network.broadcast(source, data, 0)
            pairs |= {(source, place) for _, place, _ in self.arrivals()}
        return pairs


EVERYBODY = {(source, target) for source in range(4) for target in range(4) if source != target}


def test_a_broadcast_reaches_all_others_as_one_object() -> None:
    """It is not copied for each of them."""
    net = Net()
    net.network.broadcast(2, PREPARE, 50)
    arrivals = net.arrivals()
    assert [(when, place) for when, place, _ in arrivals] == [(150, 0), (150, 1), (150, 3)]
    assert all(data is PREPARE for _, _, data in arrivals)


def test_a_client_reaches_all() -> None:
    """It is at no place of its own."""
    net = Net()
    net.network.broadcast(CLIENT, b"abcd", 0)
    assert sorted(place for _, place, _ in net.arrivals()) == [0, 1, 2, 3]


def test_a_partition_cuts_between_its_groups_both_ways() -> None:
    """Who is in no group hears everybody."""
    net = Net()
    net.network.partition("split", [0], [1, 2])
    assert EVERYBODY - net.reached() == {(0, 1), (0, 2), (1, 0), (2, 0)}
    net.network.partition("other", [3], [0])
    net.network.join_again("split")
    assert EVERYBODY - net.reached() == {(0, 3), (3, 0)}
    assert net.network.happened["partitioned"] == 6
    net.network.heal()
    assert net.reached() == EVERYBODY


def test_a_cut_is_one_way() -> None:
    """The other direction stays."""
    net = Net()
    net.network.cut("mute", [1], [0, 2, 3])
    assert EVERYBODY - net.reached() == {(1, 0), (1, 2), (1, 3)}


def test_an_isolated_place_hears_not_even_clients() -> None:
    """Nothing in, nothing out."""
    net = Net()
    net.network.isolate(2)
    assert all(2 not in pair for pair in net.reached())
    net.network.send(CLIENT, 2, b"abcd", 0)
    assert net.arrivals() == []


def test_a_rule_is_for_its_kinds_and_pairs_only() -> None:
    """Prepares from 0 to 1 are dropped, commits are not."""
    net = Net()
    net.network.rule("r", Rule(frozenset([0]), frozenset([1]), frozenset(["prepare"]), drop=1.0))
    assert EVERYBODY - net.reached(PREPARE) == {(0, 1)}
    assert net.reached(COMMIT) == EVERYBODY
    net.network.rule("r")
    assert net.reached(PREPARE) == EVERYBODY


def test_a_rule_delays_and_duplicates() -> None:
    """The delay comes on top; both copies arrive."""
    net = Net()
    net.network.rule("r", Rule(duplicate=1.0, delay_us=1000))
    net.network.send(0, 1, PREPARE, 0)
    assert [when for when, _, _ in net.arrivals()] == [1100, 1100]


def test_links_lose_double_and_hold_back_what_they_should() -> None:
    """About as often as their chances say; after healing never again."""
    net = Net(2, Link(uniform(1, 10), loss=0.2, duplication=0.3, reordering=0.1, held_us=5000))
    for _ in range(2000):
        net.network.send(0, 1, PREPARE, 0)
    happened = net.network.happened.copy()
    assert 330 < happened["lost"] < 470 and 400 < happened["duplicated"] < 560
    late = [when for when, _, _ in net.arrivals() if when > 10]
    assert 150 < len(late) <= happened["reordered"] < 260
    net.network.heal()
    for _ in range(200):
        net.network.send(0, 1, PREPARE, 0)
    assert net.network.happened == happened and len(net.arrivals()) == 200


def test_a_narrow_link_lets_packets_wait_for_each_other() -> None:
    """Each takes its size over the bandwidth."""
    net = Net(2, Link(constant(100), bandwidth=1_000_000))
    net.network.send(0, 1, bytes(500), 0)
    net.network.send(0, 1, bytes(500), 0)
    net.network.send(1, 0, bytes(500), 0)
    assert [(when, place) for when, place, _ in net.arrivals()] == [(600, 0), (600, 1), (1100, 1)]


def test_a_tap_sees_alters_and_drops() -> None:
    """Before the link has the packet."""
    net, seen = Net(2), []

    def tap(at_us: int, source: int, target: int, data: bytes) -> bytes | None:
        seen.append((at_us, source, target))
        return None if data == COMMIT else data + b"!"

    net.network.tap(tap)
    net.network.send(0, 1, PREPARE, 5)
    net.network.broadcast(1, COMMIT, 6)
    assert seen == [(5, 0, 1), (6, 1, 0)]
    assert net.arrivals() == [(105, 1, PREPARE + b"!")]


def test_kinds_are_read_off_the_first_bytes() -> None:
    """Nothing is decoded for it, and rubbish is no error."""
    assert kind_of(PREPARE) == "prepare" and kind_of(COMMIT) == "commit"
    assert kind_of(b"\x94\x02\x96\x01") == "pre-prepare"
    assert kind_of(b"") == kind_of(b"\x93\x01\x96\x63") == "other"
