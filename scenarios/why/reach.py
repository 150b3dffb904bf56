"""Who is there, who is missing since when and by which fault, and which voters still hear each other."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from scenarios.faults.record import FaultRecord, isolated
from scenarios.why.known import Known, NodeKnown

# What a fault does to the nodes that it keeps away, as one says it of them.
HOW = {
    "crash": "crashed",
    "restart": "stopped to be restarted",
    "pause": "paused",
    "disconnect": "disconnected",
    "corrupt-disk": "stopped on a damaged disk",
    "silent": "silenced",
}
NO_ANSWER = "no answer"
BY_ITSELF = "ended by itself"
CUT_OFF = "cut off"
MUTE = "may not vote yet: its disk was lost, and a checkpoint must first cover all that it may have said"


@dataclass(frozen=True, slots=True)
class Missing:
    """A node that takes no part. `fault` is None when none explains it; times as far as they are known."""

    node: str
    votes: bool
    how: str
    since_ms: int | None = None
    fault: str | None = None
    until_ms: int | None = None


def missing(known: Known) -> tuple[Missing, ...]:
    """Every node, followers too, that takes no part for a reason of its own, cut off or not."""
    found = (_missing(node, known.active) for node in known.nodes)
    return tuple(each for each in found if each is not None)


def _missing(node: NodeKnown, active: Sequence[FaultRecord]) -> Missing | None:
    by = next((each for each in active if _keeps_away(each, node.name)), None)
    if by is not None and node.answered is not True:
        return Missing(node.name, node.votes, HOW[by.kind], by.began_ms, by.id, by.until_ms)
    if node.answered is False and node.ended_ms is None:
        return Missing(node.name, node.votes, NO_ANSWER, node.last_ms)
    if node.ended_ms is not None and node.answered is not True:
        return Missing(node.name, node.votes, BY_ITSELF, node.ended_ms)
    return Missing(node.name, node.votes, MUTE) if node.mute and node.votes else None


def kept_away(records: Sequence[FaultRecord], voters: Collection[str]) -> dict[str, Missing]:
    """Whom faults that are on keep away or cut off, by name, where nothing but their records is known."""
    on = [record for record in records if record.active]
    found: dict[str, Missing] = {}
    for record in on:
        cut = isolated([record], voters) if record.kind == "partition" else set()
        away = cut or {name for name in record.nodes if _keeps_away(record, name)}
        for name in sorted(away - set(found)):
            how = CUT_OFF if cut else HOW[record.kind]
            found[name] = Missing(name, name in voters, how, record.began_ms, record.id, record.until_ms)
    return found


def _keeps_away(record: FaultRecord, name: str) -> bool:
    return record.kind in HOW and name in record.nodes and not record.to


def together(known: Known, gone: Iterable[Missing]) -> tuple[str, ...]:
    """The largest set of voters that are there and hear each other; among equals the one with the primary."""
    import networkx  # Here: it would be a sixth of the start of every command.

    away = {each.node for each in gone}
    voters = [node.name for node in known.voters if node.name not in away]
    hearing = networkx.complete_graph(voters)
    for record in known.active:
        if record.kind == "partition":
            side = {name: number for number, group in enumerate(record.groups) for name in group}
            cut = [(a, b) for a, b in hearing.edges if a in side and b in side and side[a] != side[b]]
            hearing.remove_edges_from(cut)
    sets = sorted(sorted(found, key=voters.index) for found in networkx.find_cliques(hearing))
    largest: list[str] = max(sets, key=lambda one: (len(one), known.primary in one), default=[])
    return tuple(largest)


def cut_off(known: Known, gone: Iterable[Missing], heard: Sequence[str]) -> tuple[Missing, ...]:
    """The voters that are there and that this set of voters does not hear, or that do not hear it."""
    away = {each.node for each in gone} | set(heard)
    found = []
    for node in known.voters:
        if node.name in away:
            continue
        by = next(
            record
            for record in known.active
            if record.kind == "partition" and any(node.name in group for group in record.groups)
        )
        found.append(Missing(node.name, True, CUT_OFF, by.began_ms, by.id, by.until_ms))
    return tuple(found)
