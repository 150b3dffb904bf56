"""Links: distributions as tables, presets, and paths where the graph has no edge."""

from __future__ import annotations

import networkx
import pytest

from scenarios.virtual.topology import (
    LAN,
    LOSSY,
    PRESETS,
    Link,
    Links,
    complete,
    constant,
    lognormal,
    normal,
    preset,
    uniform,
)


def test_a_table_holds_the_quantiles_of_its_distribution() -> None:
    """Ends, middle and order are those of the distribution, in whole microseconds."""
    assert set(constant(7).quantiles) == {7}
    even = uniform(100, 199).quantiles
    assert (even[0], even[-1], even[512]) == (100, 199, 150)
    bell = normal(1000, 100, 900, 1200).quantiles
    assert 900 <= bell[0] <= 905 and 1180 <= bell[-1] <= 1200 and list(bell) == sorted(bell)
    tail = lognormal(10_000, 0.5, 5_000, 90_000)
    assert 5_000 <= tail.quantiles[0] < 5_100
    assert tail.quantiles[-1] > 40_000 > tail.mean_us > 10_000
    with pytest.raises(ValueError, match="no such range"):
        uniform(5, 4)


def test_what_is_cut_off_does_not_pile_up_at_the_ends() -> None:
    """Truncation is not clamping."""
    assert normal(1000, 500, 900, 1100).quantiles.count(900) < 20


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_links_everybody(name: str) -> None:
    """From everybody to everybody, and everybody to a twin of the same."""
    links = Links.of(preset(name, 5), 5)
    assert [len(row) for row in links.table] == [5] * 5
    assert links.table[0][1].is_plain == (name != "lossy")
    assert all(link.is_plain for row in links.calm().table for link in row)


def test_the_preset_of_three_continents_is_slow_between_them() -> None:
    """Replicas 0 and 3 share one, 0 and 1 do not."""
    table = Links.of(preset("wan", 6), 6).table
    assert table[0][3].latency.mean_us < 20_000 < 40_000 < table[0][1].latency.mean_us
    assert table[0][1] == table[1][0] and table[2][1].latency.mean_us > table[1][0].latency.mean_us
    with pytest.raises(ValueError, match="no such network: moon"):
        preset("moon", 4)


def test_without_an_edge_packets_take_the_quickest_path() -> None:
    """Latencies add up, chances of loss too, and the narrowest link counts."""
    graph = networkx.Graph()
    graph.add_edge(0, 1, link=Link(constant(10), loss=0.5, bandwidth=1000))
    graph.add_edge(1, 2, link=Link(constant(20), loss=0.5))
    graph.add_edge(0, 3, link=Link(constant(500)))
    graph.add_edge(3, 2, link=Link(constant(500)))
    whole = Links.of(graph, 4).table[0][2]
    assert whole.latency.mean_us == 30 and whole.loss == 0.75 and whole.bandwidth == 1000


def test_a_graph_that_leaves_somebody_out_is_refused() -> None:
    """No node, or no path."""
    with pytest.raises(ValueError, match="no replica 3"):
        Links.of(complete(3), 4)
    graph = complete(3)
    graph.add_node(3)
    with pytest.raises(ValueError, match="no path leads from 0 to 3"):
        Links.of(graph, 4)


def test_directions_may_differ() -> None:
    """A directed graph has a link for each way."""
    graph = networkx.DiGraph()
    graph.add_edge(0, 1, link=LOSSY)
    graph.add_edge(1, 0, link=LAN)
    table = Links.of(graph, 2).table
    assert (table[0][1], table[1][0]) == (LOSSY, LAN)
