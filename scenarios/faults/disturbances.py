"""From a fault of a scenario, with parties' names, to what injectors take, with replica numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from node.faults import fault as kinds
from scenarios.model.scenario import Fault

LONGEST_HELD_US = 50_000


def disturbances(
    fault: Fault, names: Sequence[str], position: Callable[[str], int], everybody: Sequence[str]
) -> dict[str, list[kinds.Fault]]:
    """By the name of each node that has to know, what its injector is given.

    `names` are the nodes of the fault, selectors resolved. Empty for faults of processes and of the broker.
    """

    def places(parties: Iterable[str]) -> list[int]:
        return [position(name) for name in parties]

    own = set(names)
    low, high = (fault.by_us.low, fault.by_us.high) if fault.by_us is not None else (0, 0)
    targets = places(fault.to) or None
    messages = list(fault.messages) or None
    match fault.kind:
        case "disconnect":
            return {name: [kinds.Disconnect(id=fault.id)] for name in names}
        case "partition":
            groups = [list(group) for group in fault.groups] or [list(names)]
            said = kinds.Partition(
                id=fault.id, groups=[places(group) for group in groups], one_way=fault.one_way
            )
            return {name: [said] for name in everybody}
        case "delay" | "loss" | "duplicate" | "reorder":
            if fault.kind == "reorder" and not high:
                high = LONGEST_HELD_US
            on_links: dict[str, type[kinds.Delay | kinds.Loss | kinds.Duplicate | kinds.Reorder]] = {
                "delay": kinds.Delay,
                "loss": kinds.Loss,
                "duplicate": kinds.Duplicate,
                "reorder": kinds.Reorder,
            }
            disturbance = on_links[fault.kind](
                id=fault.id,
                sources=places(names),
                targets=targets,
                kinds=messages,
                chance=fault.chance if fault.kind != "delay" else 1.0,
                by_us=(low, high),
            )
            return {name: [disturbance] for name in everybody}
        case "equivocate":
            return {name: [kinds.Equivocate(id=fault.id)] for name in own}
        case "silent":
            return {name: [kinds.Silent(id=fault.id, targets=targets)] for name in own}
        case "censor":
            return {name: [kinds.Censor(id=fault.id, parties=list(fault.of))] for name in own}
        case "slow":
            return {name: [kinds.Slow(id=fault.id, by_us=high)] for name in own}
        case "flood":
            assert fault.rate is not None
            rate = max(1, round(fault.rate.times * 1000 / fault.rate.per_ms))
            return {name: [kinds.Flood(id=fault.id, rate=rate)] for name in own}
        case "skew":
            return {name: [kinds.Skew(id=fault.id, by_us=high)] for name in own}
    return {}
