"""What a run folder tells, beside what its nodes answered: logs, indexes, faults, labels, the verdict."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from consensus.messages import Status
from node.chain.reading import Indexed, NodeReading
from node.errors import PrivityError
from node.logs.event_fields import DIGEST_DIGITS
from node.logs.events import Event
from node.logs.view import read_run_events
from node.run_folder import OPERATOR, RunFolder
from node.run_reading import RunReading
from node.text import clean, did_you_mean
from scenarios.faults import record as fault_record
from scenarios.kept import kept_scenario
from scenarios.mailbox import Mailbox
from scenarios.model.plan import PlannedSend, plan
from scenarios.named_liars import named_in_words
from scenarios.proved_liars import liar_in_words, proved_liars
from scenarios.why.known import Ended, Known, NodeKnown, Submitted
from scenarios.why.sealed import under_seals


@dataclass(frozen=True, slots=True)
class Asked:
    """What nodes answered to a signed question. `broker_answers` says whether anybody could be asked."""

    broker_answers: bool
    statuses: Mapping[str, Status]


def read_known(reading: RunReading, *, now_ms: int | None = None, asked: Asked | None = None) -> Known:
    """All that is known of a run now, or at its end. Without `now_ms`, of a moment as late as its logs.

    Raises PrivityError E-NO-RUN when the run is gone.
    """
    folder, network = reading.folder, reading.network
    events = read_run_events(folder).events
    ended = _ended(folder, events)
    by_node: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        by_node[event["node"]].append(event)
    if ended is not None:
        now_ms = ended.at_ms
    elif now_ms is None:
        now_ms = max((event["t"] for event in events), default=0)
    indexes = {name: NodeReading(name, folder.node(name)).indexed() for name in network.names}
    record = reading.run
    return Known(
        run=folder.number,
        now_ms=now_ms,
        virtual=record.get("transport") == "memory",
        block_every_ms=network.rules.block_every_ms,
        view_timeout_ms=network.rules.view_timeout_ms,
        nodes=tuple(
            _node(member.name, member.votes, by_node[member.name], by_node[OPERATOR], asked)
            for member in network.members
        ),
        broker_answers=None if asked is None else asked.broker_answers,
        takes_faults=ended is None and Mailbox(folder).open,
        ended=ended,
        faults=tuple(fault_record.read(folder.faults)),
        submitted=_submitted(reading, indexes, events),
        committed_ms=_first_seen(events, "block.commit"),
        proposed_ms=_first_seen(events, "pbft.pre_prepare"),
        indexes=indexes,
        sealed=under_seals(reading),
        lacking_ms={
            (event["node"], event["tx"]): event["t"]
            for event in events
            if event["ev"] == "priv.missing" and "tx" in event
        },
        liars=tuple(proved_liars(folder, network, network.names)),
        refused_writes={
            event["tx"]: str(event.get("reason_code", "")).replace("_", " ")
            for event in events
            if event["ev"] == "object.refused" and "tx" in event
        },
    )


def find(reading: RunReading, known: Known, text: str) -> Submitted | PlannedSend:
    """The transaction that is meant, handed in or still planned. Raises PrivityError E-TX, with a hint."""
    try:
        found = reading.find(text)
    except PrivityError as error:
        planned = {send.id: send for send in _planned(reading.folder)}
        if error.code == "E-TX" and text in planned:
            return planned[text]
        hint = did_you_mean(text, planned)
        if error.code != "E-TX" or not hint or "did you mean" in error.what or reading.folder.matching(text):
            raise
        raise PrivityError(
            "E-TX",
            f"no transaction {clean(text)[:40]} in run {reading.folder.number}; {hint}",
            why=f"{len(reading.labels)} were handed in, and the scenario plans {len(planned)}",
        ) from None
    by_id = {each.tx: each for each in known.submitted}
    if found.id in by_id:
        return by_id[found.id]
    place = next(index[found.id] for index in known.indexes.values() if found.id in index)
    return Submitted("", found.id, "", (), 0, place.height, place.outcome, expired=False)


def _planned(folder: RunFolder) -> Sequence[PlannedSend]:
    try:
        return plan(kept_scenario(folder))
    except PrivityError:
        return ()  # Of an older version; what was handed in is known all the same.


def _ended(folder: RunFolder, events: Sequence[Event]) -> Ended | None:
    if folder.is_running():
        return None
    stops = [event["t"] for event in events if event["ev"] == "run.stop"]
    last = max((event["t"] for event in events), default=0)
    document = _verdict(folder)
    expected = document.get("expectations", [])
    return Ended(
        at_ms=stops[-1] if stops else last,
        verdict=document.get("verdict"),
        held=sum(each.get("result") == "holds" for each in expected),
        expected=len(expected),
        killed=not stops,
        unmet=tuple(_unmet(document)),
    )


def _unmet(document: Mapping[str, Any]) -> Iterable[str]:
    """What `privity run` marked as broken or not confirmed, in its order."""
    file = document.get("file", "")
    for each in document.get("expectations", []):
        if each.get("result") != "holds":
            yield f"{file}:{each.get('line')}  {each.get('check')}  {each.get('detail')}"
    for fault in document.get("faults", []):
        if fault.get("failure"):
            yield f"{file}:{fault.get('line')}  fault {fault.get('id')}  {fault['failure']}"
    yield from (f"plan  {each}" for each in document.get("plan", {}).get("first", []))
    if found := document.get("canaries", {}).get("found"):
        yield f"canary scan  {found} secrets found"
    yield from (f"key-free replay  {each}" for each in document.get("replayed", {}).get("differing", []))
    yield from (f"framed  {liar_in_words(each)}" for each in document.get("framed", []))
    yield from (f"framed  {named_in_words(each)}" for each in document.get("named_in_vain", []))


def _verdict(folder: RunFolder) -> dict[str, Any]:
    try:
        document = json.loads(folder.verdict.read_bytes())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _node(
    name: str, votes: bool, events: Sequence[Event], operator: Sequence[Event], asked: Asked | None
) -> NodeKnown:
    status = None if asked is None else asked.statuses.get(name)
    height = entered = wanted = 0
    mute = False
    started_ms = -1
    for event in events:
        match event["ev"]:
            case "node.start":
                started_ms = event["t"]
            case "node.silent":
                mute = True
            case "node.ready":
                mute = mute and "v" not in event  # The first block is no permission to speak.
            case "block.commit":
                height, entered = event.get("h", 0), max(entered, event.get("v", 0))
            case "pbft.new_view":
                entered = max(entered, event.get("v", 0))
            case "pbft.view_change" if event.get("from") == name:
                wanted = max(wanted, event.get("v", 0))
    ended = [event["t"] for event in operator if event["ev"] == "node.crash" and event.get("party") == name]
    return NodeKnown(
        name=name,
        votes=votes,
        answered=status is not None if asked is not None and asked.broker_answers else None,
        height=height if status is None else status.sequence,
        entered=entered,
        asked=wanted,
        mute=mute,
        last_ms=events[-1]["t"] if events else None,
        ended_ms=ended[-1] if ended and ended[-1] > started_ms else None,
    )


def _submitted(
    reading: RunReading, indexes: Mapping[str, Mapping[bytes, Indexed]], events: Iterable[Event]
) -> tuple[Submitted, ...]:
    ordered: dict[bytes, Indexed] = {}
    for index in indexes.values():
        for identifier, indexed in index.items():
            ordered.setdefault(identifier, indexed)
    gone = {event.get("tx") for event in events if event["ev"] == "tx.expired"}
    found = []
    for label in reading.labels:
        identifier = bytes.fromhex(label.tx)
        place = ordered.get(identifier)
        found.append(
            Submitted(
                id=label.id,
                tx=identifier,
                sender=label.sender,
                to=label.to,
                at_ms=label.t,
                height=None if place is None else place.height,
                outcome=None if place is None else place.outcome,
                expired=place is None and label.tx[:DIGEST_DIGITS] in gone,
            )
        )
    return tuple(found)


def _first_seen(events: Iterable[Event], name: str) -> dict[int, int]:
    """For each height, when half of those whose logs tell of it had it: no single wrong clock decides."""
    seen: dict[int, list[int]] = defaultdict(list)
    for event in events:
        if event["ev"] == name and "h" in event:
            seen[event["h"]].append(event["t"])
    return {height: sorted(times)[(len(times) - 1) // 2] for height, times in seen.items()}
