"""The conditions under which packets travel in a checked scenario, and how they follow from `network:`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from node.text import did_you_mean
from scenarios.model.complaints import Complaints
from scenarios.model.document import NetworkSection
from scenarios.model.names import meant
from scenarios.model.units import Range
from scenarios.model.wording import listed, shown

_Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class NetworkConditions:
    """How long packets take, in microseconds, and what else happens to them: chances from 0 to 1 for each.

    `latency_us` has both orders of each pair of zones, and a zone with itself. Parties in no zone have
    `delay_us` with everybody; without it, or a preset, nothing is added to what the transport takes.
    """

    preset: str | None = None
    delay_us: Range | None = None
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    zones: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    latency_us: Mapping[_Pair, Range] = field(default_factory=dict)


def conditions_of(network: NetworkSection, names: Sequence[str], complaints: Complaints) -> NetworkConditions:
    """What the section says. Complains about zones that do not fit together."""
    for key, given in (("delay", network.delay), ("zones", network.zones)):
        if network.preset and given:
            message = f"the preset {network.preset} sets this; leave one of them out"
            complaints.at_key(("network", key), "E-VALUE", message)
    zones = {zone: meant(patterns, names) for zone, patterns in network.zones.items()}
    _check_members(zones, complaints)
    latency = _latency(network.latency, list(zones), complaints)
    if zones:
        _check_complete(zones, latency, complaints)
    return NetworkConditions(
        preset=network.preset,
        delay_us=network.delay,
        loss=network.loss,
        duplicate=network.duplicate,
        reorder=network.reorder,
        zones=zones,
        latency_us=latency,
    )


def _check_members(zones: Mapping[str, tuple[str, ...]], complaints: Complaints) -> None:
    home: dict[str, str] = {}
    for zone, parties in zones.items():
        for party in parties:
            if home.setdefault(party, zone) != zone:
                complaints.at(("network", "zones", zone), "E-VALUE", f"{party} is in {home[party]} already")


def _latency(
    written: Mapping[str, Range], zones: Sequence[str], complaints: Complaints
) -> dict[_Pair, Range]:
    found: dict[_Pair, Range] = {}
    for words, delay in written.items():
        path = ("network", "latency", words)
        first, _, second = words.partition("-")
        pair = (first, second or first)
        unknown = [zone for zone in pair if zone not in zones]
        if unknown:
            there = f"there are {listed(zones)}" if zones else "zones: names them"
            hint = did_you_mean(unknown[0], zones) or there
            complaints.at_key(path, "E-VALUE", f"no zone named {shown(unknown[0])}; {hint}")
        elif pair in found:
            complaints.at_key(path, "E-VALUE", f"{'-'.join(reversed(pair))} says this already")
        else:
            found[pair] = found[pair[1], pair[0]] = delay
    return found


def _check_complete(
    zones: Mapping[str, tuple[str, ...]], latency: Mapping[_Pair, Range], complaints: Complaints
) -> None:
    """Two parties in zones always have a latency: no default would be true of both cities and continents."""
    inside = [(zone, zone) for zone, parties in zones.items() if len(parties) > 1]
    missing = [pair for pair in (*inside, *combinations(zones, 2)) if pair not in latency]
    if missing:
        words = listed([first if first == second else f"{first}-{second}" for first, second in missing])
        verb = "is" if len(missing) == 1 else "are"
        complaints.at(("network", "latency"), "E-MISSING", f"{words} {verb} missing: the latency there")
