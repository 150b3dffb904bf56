"""Who is how far from whom: a graph whose edges are links, turned once into arrays.

A latency distribution becomes a table of quantiles in whole microseconds, so that drawing one is a look into
the table. Where the graph has no edge, packets take the path of least mean latency. networkx is imported
where it is used, because loading it would be a sixth of the start of every command.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import networkx

TABLE_BITS = 10
TABLE = 1 << TABLE_BITS
MIDPOINTS = [(place + 0.5) / TABLE for place in range(TABLE)]


@dataclass(frozen=True, slots=True)
class Latency:
    """A distribution of delays, in microseconds. Made by the functions below."""

    quantiles: tuple[int, ...]

    @property
    def mean_us(self) -> int:
        """What to expect, rounded down."""
        return sum(self.quantiles) // len(self.quantiles)


def constant(us: int) -> Latency:
    """Always the same."""
    return Latency((us,) * TABLE)


def uniform(least_us: int, most_us: int) -> Latency:
    """Anything in between, all equally likely."""
    if not 0 <= least_us <= most_us:
        raise ValueError(f"no such range: {least_us} to {most_us}")
    return Latency(tuple(least_us + int(point * (most_us - least_us + 1)) for point in MIDPOINTS))


def normal(mean_us: float, deviation_us: float, least_us: int = 0, most_us: int = 1 << 40) -> Latency:
    """Around a mean, cut off at both ends."""
    shape = NormalDist(mean_us, deviation_us)
    return _truncated(shape, shape.cdf(least_us), shape.cdf(most_us), lambda value: value)


def lognormal(median_us: float, sigma: float, least_us: int = 1, most_us: int = 1 << 40) -> Latency:
    """Around a median, with a long tail, cut off at both ends."""
    shape = NormalDist(math.log(median_us), sigma)
    return _truncated(shape, shape.cdf(math.log(least_us)), shape.cdf(math.log(most_us)), math.exp)


def _truncated(shape: NormalDist, below: float, up_to: float, of: Callable[[float], float]) -> Latency:
    """The part of a distribution between two of its quantiles."""
    points = [below + point * (up_to - below) for point in MIDPOINTS]
    return Latency(tuple(round(of(shape.inv_cdf(point))) for point in points))


LAN_LATENCY = uniform(200, 800)


@dataclass(frozen=True, slots=True)
class Link:
    """One direction between two replicas: chances for each packet; bandwidth in bytes per second, 0 for any.

    A packet that is reordered is held back for up to `held_us` longer than its latency.
    """

    latency: Latency = LAN_LATENCY
    loss: float = 0.0
    duplication: float = 0.0
    reordering: float = 0.0
    held_us: int = 20_000
    bandwidth: int = 0

    def then(self, other: Link) -> Link:
        """The link that two in a row make."""
        tables = zip(self.latency.quantiles, other.latency.quantiles, strict=True)
        bandwidths = [width for width in (self.bandwidth, other.bandwidth) if width]
        return Link(
            Latency(tuple(first + second for first, second in tables)),
            1 - (1 - self.loss) * (1 - other.loss),
            1 - (1 - self.duplication) * (1 - other.duplication),
            1 - (1 - self.reordering) * (1 - other.reordering),
            max(self.held_us, other.held_us),
            min(bandwidths, default=0),
        )

    @property
    def is_plain(self) -> bool:
        """Whether nothing but latency happens here."""
        return not (self.loss or self.duplication or self.reordering or self.bandwidth)


LAN = Link()
LOSSY = Link(uniform(500, 20_000), loss=0.05, duplication=0.03, reordering=0.05)
# One way between and within three continents, after public round trip times of large clouds.
ZONES = ("america", "europe", "asia")
ZONE_LATENCY = {
    ("america", "america"): lognormal(15_000, 0.15, 5_000, 60_000),
    ("europe", "europe"): lognormal(10_000, 0.15, 4_000, 50_000),
    ("asia", "asia"): lognormal(20_000, 0.2, 6_000, 80_000),
    ("america", "europe"): lognormal(45_000, 0.1, 35_000, 150_000),
    ("europe", "asia"): lognormal(80_000, 0.1, 60_000, 250_000),
    ("america", "asia"): lognormal(75_000, 0.1, 55_000, 250_000),
}
PRESETS = ("lan", "wan", "lossy")


def complete(places: int, link: Link = LAN) -> networkx.Graph:
    """Everybody linked to everybody in the same way."""
    import networkx

    graph = networkx.complete_graph(places)
    networkx.set_edge_attributes(graph, link, "link")
    return graph


def wan(places: int) -> networkx.Graph:
    """Replicas on three continents in turn."""
    import networkx

    graph = networkx.complete_graph(places)
    for first, second in graph.edges:
        zones = ZONES[first % 3], ZONES[second % 3]
        latency = ZONE_LATENCY.get(zones) or ZONE_LATENCY[zones[1], zones[0]]
        graph.edges[first, second]["link"] = Link(latency)
    return graph


def preset(name: str, places: int) -> networkx.Graph:
    """One of the networks that have a name."""
    if name == "lan":
        return complete(places)
    if name == "lossy":
        return complete(places, LOSSY)
    if name == "wan":
        return wan(places)
    raise ValueError(f"no such network: {name}; there are {', '.join(PRESETS)}")


@dataclass(slots=True)
class Links:
    """The links of a graph by source and target; a replica's link to itself is that to its twin."""

    table: list[list[Link]] = field(default_factory=list)

    @classmethod
    def of(cls, graph: networkx.Graph, places: int) -> Links:
        """The links between the nodes 0 to `places` - 1 of a graph; an edge without a link is a LAN's."""
        missing = [place for place in range(places) if place not in graph]
        if missing:
            raise ValueError(f"the graph has no replica {missing[0]}")
        links = [[_edge(graph, source, target) for target in range(places)] for source in range(places)]
        if any(link is None for row in links for link in row):
            _fill(graph, links)
        return cls([[link for link in row if link is not None] for row in links])

    def add(self, like: int) -> None:
        """One more place, linked as another one is."""
        for row in self.table:
            row.append(row[like])
        self.table.append(list(self.table[like]))

    def worst_us(self) -> int:
        """The longest that a packet can be under way, without what bandwidth adds."""
        return max(
            (link.latency.quantiles[-1] + (link.held_us if link.reordering else 0))
            for row in self.table
            for link in row
        )

    def calm(self) -> Links:
        """The same without loss, duplication and reordering."""
        known: dict[Link, Link] = {}

        def quiet(link: Link) -> Link:
            if link.is_plain:
                return link
            if link not in known:
                known[link] = replace(link, loss=0.0, duplication=0.0, reordering=0.0)
            return known[link]

        return Links([[quiet(link) for link in row] for row in self.table])


def _edge(graph: networkx.Graph, source: int, target: int) -> Link | None:
    if source == target:
        return LAN
    if not graph.has_edge(source, target):
        return None
    link = graph.edges[source, target].get("link", LAN)
    assert isinstance(link, Link), link
    return link


def _fill(graph: networkx.Graph, links: list[list[Link | None]]) -> None:
    """Packets between places that no edge joins travel by others."""
    import networkx

    def cost(first: int, second: int, attributes: Any) -> int:
        link: Link = attributes.get("link", LAN)
        return link.latency.mean_us

    for source, row in enumerate(links):
        if all(link is not None for link in row):
            continue
        paths = networkx.single_source_dijkstra_path(graph, source, weight=cost)
        for target, link in enumerate(row):
            if link is not None:
                continue
            if target not in paths:
                raise ValueError(f"no path leads from {source} to {target}")
            hops = [_edge(graph, *hop) for hop in zip(paths[target], paths[target][1:], strict=False)]
            whole = hops[0]
            assert whole is not None
            for hop in hops[1:]:
                assert hop is not None
                whole = whole.then(hop)
            row[target] = whole
