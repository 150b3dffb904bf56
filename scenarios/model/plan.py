"""The drawn plan: which private transactions a scenario sends. A pure function of the file and its seed.

Each step draws from a stream of its own, named after it, so that a change to one step leaves the others'
draws alone. `who-sees` is judged against this plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from node.envelopes.rule import FREE
from scenarios.model.lies import misdealt
from scenarios.model.objects import Writes
from scenarios.model.payloads import FILLER, drawn_range, encoded_size
from scenarios.model.scenario import Load, Scenario, Send
from scenarios.model.starts import Place, order_of
from scenarios.model.tales import deceived

_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True)
class PlannedSend:
    """One private transaction to send. `readers` is without the sender, in the order of the file.

    After `keep` blocks every node erases it; 0 is never. `redisclose` is the rule for its readers. Under a
    `seal` more parties may read it later. `deceived` are those readers who are told something else, because a
    fault makes the sender a liar. So are `misdealt` those openers whose share meets no hash.
    """

    id: str
    at_ms: int
    sender: str
    readers: tuple[str, ...]
    fields: Mapping[str, Any] = field(repr=False)
    keep: int = 0
    redisclose: str = FREE
    deceived: tuple[str, ...] = ()
    trigger: Place | None = None  # From which `at_ms` counts, in place of the genesis.
    seal: str = ""
    writes: Writes | None = None
    misdealt: tuple[str, ...] = ()


def plan(scenario: Scenario) -> tuple[PlannedSend, ...]:
    """All transactions in the order of sending; those of one moment in the order of the file."""
    sends: list[PlannedSend] = []
    for step in scenario.workload:
        if isinstance(step, Send):
            rest = (step.data, step.keep, step.redisclose)
            where = (step.id, step.at_ms, step.sender, step.readers)
            more: dict[str, Any] = {"seal": step.seal, "trigger": step.trigger, "writes": step.writes}
            sends.append(PlannedSend(*where, *rest, **more))
        else:
            seed = f"{scenario.seed}/workload/{step.id}"
            sends += drawn(step, Random(seed), Random(f"{seed}/times"), scenario.always_to)
    for aggregate in scenario.aggregates:
        for name, value in aggregate.values(scenario.seed).items():
            readers = tuple(reader for reader in aggregate.readers if reader != name)
            where = (aggregate.record_of(name), aggregate.at_ms, name, readers)
            sends.append(PlannedSend(*where, {aggregate.field: value}, trigger=aggregate.trigger))
    told = [
        replace(
            send,
            deceived=deceived(send.sender, send.at_ms, send.readers, scenario.faults),
            misdealt=misdealt(send.sender, send.at_ms, scenario.seal(send.seal), scenario.faults),
        )
        for send in sends
    ]
    return tuple(sorted(told, key=order_of))


def moments(load: Load, stream: Random) -> list[int]:
    """When each transaction of a load is sent, in ms since the genesis or its trigger, never falling."""
    mean_ms = load.pace.per_ms / load.pace.times
    found, pauses_ms = [], 0.0
    for number in range(load.count):
        if number and number % load.burst == 0 and load.distribution == "poisson":
            pauses_ms += stream.expovariate(1 / (mean_ms * load.burst))
        if load.distribution == "poisson":
            found.append(load.at_ms + int(pauses_ms))
        else:
            first = number - number % load.burst
            found.append(load.at_ms + first * load.pace.per_ms // load.pace.times)
    return found


def drawn(load: Load, stream: Random, times: Random, always_to: Sequence[str] = ()) -> list[PlannedSend]:
    """The transactions of a load, in order. `times` is a stream of its own: pauses change no other draw.

    `always_to` are readers of each beside those that are drawn.
    """
    sends = []
    for at_ms, identifier in zip(moments(load, times), load.transactions, strict=True):
        sender = stream.choice(load.senders)
        others = [name for name in load.candidates if name != sender]
        named = dict.fromkeys((*_drawn_readers(others, load, stream), *always_to))
        readers = tuple(name for name in named if name != sender)
        fields = {name: _drawn_value(value, stream) for name, value in load.data.items()}
        fields = filled(fields, load.size_bytes, stream)
        rest = (fields, load.keep, load.redisclose)
        where = (identifier, at_ms, sender, readers)
        sends.append(PlannedSend(*where, *rest, trigger=load.trigger, writes=load.writes))
    return sends


def filled(fields: dict[str, Any], size_bytes: int | None, stream: Random) -> dict[str, Any]:
    """The fields with a text beside them that makes their encoding `size_bytes` long, if it is shorter.

    One or two bytes may be missing: MessagePack writes down longer lengths in more bytes.
    """
    if size_bytes is None:
        return fields
    missing = size_bytes - encoded_size({**fields, FILLER: ""})
    # A text of 32 bytes has one byte more before it than a shorter one, of 256 two more, of 65536 four more.
    missing -= sum(more for least, more in ((32, 1), (256, 1), (65536, 2)) if missing >= least)
    if missing <= 0:
        return fields
    return {**fields, FILLER: "".join(stream.choices(_LETTERS, k=missing))}


def _drawn_readers(others: Sequence[str], load: Load, stream: Random) -> tuple[str, ...]:
    if load.how_many is None:
        return tuple(others)
    chosen = stream.sample(range(len(others)), stream.randint(*load.how_many))
    return tuple(others[index] for index in sorted(chosen))


def _drawn_value(value: Any, stream: Random) -> Any:
    """The same value, with a whole number in place of every text like `1000..900000`."""
    if isinstance(value, Mapping):
        return {name: _drawn_value(each, stream) for name, each in value.items()}
    if isinstance(value, list):
        return [_drawn_value(each, stream) for each in value]
    span = drawn_range(value)
    return value if span is None else stream.randint(*span)
