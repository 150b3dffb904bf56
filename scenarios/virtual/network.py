"""The network of a virtual world: who gets which packet, when, how often, or not at all.

What a link does to a packet is drawn from the stream of the network; rules, partitions and taps are the
faults of a run. All of it is decided when a packet is sent: what is under way arrives.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from struct import Struct

from node.message_kinds import kind_of
from scenarios.virtual.inbox import SPAN_BITS, Arrival, Inbox
from scenarios.virtual.topology import TABLE_BITS, Link, Links

CLIENT = -1
UNUSED_BITS = 16 - TABLE_BITS


@dataclass(frozen=True, slots=True)
class Rule:
    """What happens to packets of some kinds between some replicas; None stands for all of them.

    Chances are for each packet. `delay_us` comes on top of the latency.
    """

    sources: frozenset[int] | None = None
    targets: frozenset[int] | None = None
    kinds: frozenset[str] | None = None
    drop: float = 0.0
    duplicate: float = 0.0
    delay_us: int = 0
    jitter_us: int = 0

    def applies(self, source: int, target: int, kind: str) -> bool:
        """Whether this packet is meant."""
        return (
            (self.sources is None or source in self.sources)
            and (self.targets is None or target in self.targets)
            and (self.kinds is None or kind in self.kinds)
        )


# Sees one delivery before the link has it: time, source, target, packet. Gives what to deliver, or None.
Tap = Callable[[int, int, int, bytes], bytes | None]

# A place to send to: where packets go, the same without what wakes it, and the quantiles of the latency.
Target = tuple[Inbox, defaultdict[int, list[Arrival]], Sequence[int]]
Unpack = Callable[[bytes], tuple[int, ...]]

Hear = Callable[[int, int, bytes, int, bool], Iterable[tuple[int, bytes]]]


class Network:
    """Carries packets between places; what is for place i goes into `inboxes[i]`."""

    def __init__(self, links: Links, random: Random, faults: Random) -> None:
        self.happened: Counter[str] = Counter()
        self.inboxes: list[Inbox] = []
        self._links = links
        self._random = random
        self._faults = faults
        self._rules: dict[str, list[Rule]] = {}
        self._partitions: dict[str, set[tuple[int, int]]] = {}
        self._taps: list[Tap] = []
        self._free_us: dict[tuple[int, int], int] = {}
        self._client = Link()
        # By source: its targets, each with its spans and the quantiles of its latency; and how as many draws
        # are packed: bits, bytes, and how they are read.
        self._fan_out: list[tuple[list[Target], int, int, Unpack]] = []
        self._everything_plain = False
        # What the receiver's own faults make of a packet: from source, target, packet, time, and whether it
        # was for this receiver alone, the delay and packet of each copy.
        self.hear: Hear | None = None
        self._blocked: set[tuple[int, int]] = set()

    # Set up.

    def join(self, inbox: Inbox, like: int | None = None) -> int:
        """One more place. `like` gives a twin's place the links of the other twin."""
        place = len(self.inboxes)
        self.inboxes.append(inbox)
        if like is not None:
            self._links.add(like)
        self._prepare()
        return place

    def _prepare(self) -> None:
        table = self._links.table
        places = range(len(self.inboxes))
        self._everything_plain = (
            not (self._rules or self._partitions or self._taps or self.hear)
            and len(table) >= len(self.inboxes)
            and all(table[source][target].is_plain for source in places for target in places)
        )
        rows: list[list[Target]] = [
            [
                (self.inboxes[target], self.inboxes[target].spans, table[source][target].latency.quantiles)
                for target in places
                if target != source
            ]
            for source in places
            if source < len(table)
        ]
        # The last row is that of clients, whose place is -1.
        rows.append([(inbox, inbox.spans, self._client.latency.quantiles) for inbox in self.inboxes])
        self._fan_out = [(row, 16 * len(row), 2 * len(row), Struct(f"<{len(row)}H").unpack) for row in rows]
        self._blocked = set().union(*self._partitions.values())

    # Packets.

    def broadcast(self, source: int, data: bytes, at_us: int) -> None:
        """A packet from one place to all others; from a client to all."""
        if self._everything_plain:
            # The same as below with nothing but latencies to draw: all in one draw of 16 bits each.
            targets, bits, size, unpack = self._fan_out[source]
            draws = unpack(self._random.getrandbits(bits).to_bytes(size, "little")) if bits else ()
            for (inbox, spans, table), draw in zip(targets, draws, strict=True):
                when_us = at_us + table[draw >> UNUSED_BITS]
                spans[when_us >> SPAN_BITS].append((when_us, data))
                if when_us < inbox.wake_below_us:
                    inbox.wake(when_us)
            return
        for target in range(len(self.inboxes)):
            if target != source:
                self._heard(source, target, data, at_us, direct=False)

    def send(self, source: int, target: int, data: bytes, at_us: int) -> None:
        """A packet from one place, or a client, to one place."""
        self._heard(source, target, data, at_us, direct=True)

    def _heard(self, source: int, target: int, data: bytes, at_us: int, *, direct: bool) -> None:
        if self.hear is None:
            self._send(source, target, data, at_us)
            return
        for later_us, heard in self.hear(source, target, data, at_us, direct):
            self._send(source, target, heard, at_us + later_us)

    def listen(self, hear: Hear) -> None:
        """Let the faults of receivers act on what is sent to them, from now on."""
        self.hear = hear
        self._prepare()

    def _send(self, source: int, target: int, data: bytes, at_us: int) -> None:
        if (source, target) in self._blocked:
            self.happened["partitioned"] += 1
            return
        for tap in self._taps:
            tapped = tap(at_us, source, target, data)
            if tapped is None:
                self.happened["dropped by a tap"] += 1
                return
            if tapped is not data:
                self.happened["altered by a tap"] += 1
                data = tapped
        later_us, more = 0, 0
        if self._rules:
            kind = kind_of(data)
            draw = self._faults.random
            for rules in self._rules.values():
                for rule in rules:
                    if rule.applies(source, target, kind):
                        if rule.drop and draw() < rule.drop:
                            self.happened[f"{kind} dropped"] += 1
                            return
                        if rule.duplicate and draw() < rule.duplicate:
                            self.happened[f"{kind} duplicated"] += 1
                            more += 1
                        if rule.delay_us or rule.jitter_us:
                            self.happened[f"{kind} delayed"] += 1
                            later_us += rule.delay_us
                            later_us += int(draw() * (rule.jitter_us + 1)) if rule.jitter_us else 0
        link = self._client if source == CLIENT else self._links.table[source][target]
        self._carry(link, source, target, data, at_us, later_us, more)

    def _carry(
        self, link: Link, source: int, target: int, data: bytes, at_us: int, later_us: int, more: int
    ) -> None:
        draw = self._random.random
        if link.loss and draw() < link.loss:
            self.happened["lost"] += 1
            return
        if link.duplication and draw() < link.duplication:
            self.happened["duplicated"] += 1
            more += 1
        if link.bandwidth:
            start_us = max(at_us, self._free_us.get((source, target), 0))
            end_us = start_us + len(data) * 1_000_000 // link.bandwidth
            self._free_us[source, target] = end_us
            later_us += end_us - at_us
        for _ in range(1 + more):
            delay_us = later_us + link.latency.quantiles[self._random.getrandbits(TABLE_BITS)]
            if link.reordering and draw() < link.reordering:
                self.happened["reordered"] += 1
                delay_us += int(draw() * link.held_us)
            self.inboxes[target].put(at_us + delay_us, data)

    # Faults.

    def rule(self, name: str, *rules: Rule) -> None:
        """Set the rules of a name; without any, the name is forgotten."""
        self._rules.pop(name, None)
        if rules:
            self._rules[name] = list(rules)
        self._prepare()

    def partition(self, name: str, *groups: Iterable[int]) -> None:
        """Cut all links between groups, both ways. Who is in no group keeps all links."""
        sets = [set(group) for group in groups]
        self._partitions[name] = {
            (source, target)
            for first in sets
            for second in sets
            if first is not second
            for source in first
            for target in second
        }
        self._prepare()

    def cut(self, name: str, sources: Iterable[int], targets: Iterable[int]) -> None:
        """Cut links one way only: what the sources say does not reach the targets."""
        heard = set(targets)
        self._partitions[name] = {(source, target) for source in sources for target in heard}
        self._prepare()

    def isolate(self, place: int) -> None:
        """Cut all links of one place, clients' too."""
        others = [CLIENT, *(other for other in range(len(self.inboxes)) if other != place)]
        self.partition(f"isolated {place}", [place], others)

    def join_again(self, name: str) -> None:
        """End one partition or cut."""
        self._partitions.pop(name, None)
        self._prepare()

    def tap(self, tap: Tap) -> None:
        """Put something between all senders and the links."""
        self._taps.append(tap)
        self._prepare()

    def heal(self, *, taps: bool = True) -> None:
        """End every partition and rule, and let links lose, double and hold back nothing any more."""
        self._rules.clear()
        self._partitions.clear()
        if taps:
            self._taps.clear()
        self._links = self._links.calm()
        self._free_us.clear()
        self._prepare()

    def client_delay_us(self) -> int:
        """How long a packet to a client is under way."""
        return self._client.latency.quantiles[self._random.getrandbits(TABLE_BITS)]

    @property
    def worst_us(self) -> int:
        """The longest that a packet can be under way once nothing else is wrong."""
        return self._links.worst_us()
