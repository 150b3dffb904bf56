"""The ordinary conditions of a scenario's network: links for the virtual world, disturbances for live nodes.

A live network has a latency of its own, a fraction of a millisecond on one machine; what a scenario asks for
comes on top of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from node.faults import fault as kinds
from scenarios.model.scenario import NetworkConditions
from scenarios.virtual.topology import (
    LAN,
    TABLE,
    ZONE_LATENCY,
    ZONES,
    Latency,
    Link,
    complete,
    preset,
    uniform,
)

if TYPE_CHECKING:
    import networkx

LOSSY_US = (500, 20_000)
LOSSY_CHANCES = {"loss": 0.05, "duplicate": 0.03, "reorder": 0.05}
HELD_US = (5_000, 50_000)
# Of a distribution with tails, the part that a uniform range stands for live.
LOW_QUANTILE, HIGH_QUANTILE = TABLE // 20, TABLE - TABLE // 20


def topology_of(conditions: NetworkConditions, names: Sequence[str]) -> networkx.Graph:
    """Links between the nodes of these names, in the order of the network, for a virtual world."""
    if conditions.preset is not None:
        return preset(conditions.preset, len(names))
    graph = complete(len(names))
    for first, second in graph.edges:
        latency = _latency(conditions, names[first], names[second])
        graph.edges[first, second]["link"] = Link(
            latency,
            loss=conditions.loss,
            duplication=conditions.duplicate,
            reordering=conditions.reorder,
            held_us=HELD_US[1],
        )
    return graph


def worst_latency_ms(conditions: NetworkConditions, names: Sequence[str]) -> int:
    """The longest that a packet takes from one of these nodes to another, unless a fault holds it back."""
    links = [link for _, _, link in topology_of(conditions, names).edges(data="link")]
    worst_us = max(
        (link.latency.quantiles[-1] + (link.held_us if link.reordering else 0) for link in links), default=0
    )
    return -(-worst_us // 1000)


def _latency(conditions: NetworkConditions, first: str, second: str) -> Latency:
    between = _zone_latency(conditions, first, second) or conditions.delay_us
    return LAN.latency if between is None else uniform(*between)


def _zone_latency(conditions: NetworkConditions, first: str, second: str) -> kinds.Range | None:
    zones = {name: zone for zone, members in conditions.zones.items() for name in members}
    one, other = zones.get(first), zones.get(second)
    if one is None or other is None:
        return None
    return conditions.latency_us.get((one, other)) or conditions.latency_us.get((other, one))


def ambient(conditions: NetworkConditions, names: Sequence[str]) -> dict[str, list[kinds.Fault]]:
    """What each live node's injector is given, by its name; nothing where the network is left as it is."""
    chances = {"loss": conditions.loss, "duplicate": conditions.duplicate, "reorder": conditions.reorder}
    if conditions.preset == "lossy":
        chances = LOSSY_CHANCES
    given: dict[str, list[kinds.Fault]] = {}
    for own, name in enumerate(names):
        mine: list[kinds.Fault] = []
        for peer, other in enumerate(names):
            between = None if peer == own else _live_range(conditions, (own, name), (peer, other))
            if between is not None:
                # Broadcasts are held back where they arrive, direct packets where they leave.
                for source, target in ((peer, own), (own, peer)):
                    mine.append(
                        kinds.Delay(id=kinds.NETWORK, sources=[source], targets=[target], by_us=between)
                    )
        if chances["loss"]:
            mine.append(kinds.Loss(id=kinds.NETWORK, chance=chances["loss"]))
        if chances["duplicate"]:
            mine.append(kinds.Duplicate(id=kinds.NETWORK, chance=chances["duplicate"], by_us=HELD_US))
        if chances["reorder"]:
            mine.append(kinds.Reorder(id=kinds.NETWORK, chance=chances["reorder"], by_us=HELD_US))
        if mine:
            given[name] = mine
    return given


def _live_range(
    conditions: NetworkConditions, own: tuple[int, str], peer: tuple[int, str]
) -> kinds.Range | None:
    if conditions.preset == "lossy":
        return LOSSY_US
    if conditions.preset == "wan":
        zones = ZONES[own[0] % 3], ZONES[peer[0] % 3]
        quantiles = (ZONE_LATENCY.get(zones) or ZONE_LATENCY[zones[1], zones[0]]).quantiles
        return quantiles[LOW_QUANTILE], quantiles[HIGH_QUANTILE]
    if conditions.preset == "lan":
        return None
    return _zone_latency(conditions, own[1], peer[1]) or conditions.delay_us
