"""What can be cut out of a scenario's document, as plain maps and lists. Pure: each cut gives a new document.

A cut may leave a document that is no valid scenario; whoever tries it finds out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from typing import Any

from scenarios.model.names import SELECTORS, expand, matching
from scenarios.model.units import format_duration, parse_duration

Document = dict[str, Any]
Place = tuple[str | int, ...]

LEAST_MS = 100  # Durations are shortened in steps of this.
_DATA = {"value": 1}
_PARTY_KEYS = ("as", "to", "nodes", "of", "are")


def as_yaml(document: Document) -> str:
    """The document as a text that the loader reads: JSON, and YAML too."""
    text = json.dumps(document, ensure_ascii=False)
    # Raw line separators would be folded, and JSON's pairs of surrogates are none of YAML's.
    return "".join(c if " " <= c <= "~" else f"\\U{ord(c):08X}" for c in text)


def spelt_out(document: Document) -> Document:
    """The same scenario with every party, and every node of a fault, named by itself."""
    parties = {one: spec for name, spec in document["parties"].items() for one in expand(name)}
    changed = deepcopy(document) | {"parties": deepcopy(parties)}
    for step in changed.get("steps", ()):
        if step["do"] == "fault" and "nodes" in step:
            step["nodes"] = list(
                dict.fromkeys(one for word in _listed(step["nodes"]) for one in _nodes(word, list(parties)))
            )
    return changed


def _nodes(word: str, names: list[str]) -> list[str]:
    return [word] if word in SELECTORS else matching(word, names)


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


# Lists.


def steps_of(document: Document, *, faults: bool) -> list[int]:
    """The places of the steps that are faults, or of those that are none."""
    return [
        place for place, step in enumerate(document.get("steps", ())) if (step["do"] == "fault") == faults
    ]


def with_steps(document: Document, places: Sequence[int], *, faults: bool) -> Document:
    """Only these of the faults (or of the other steps) are left, and no rule about those that are not."""
    dropped = set(steps_of(document, faults=faults)) - set(places)
    steps = [step for place, step in enumerate(document.get("steps", ())) if place not in dropped]
    return _consistent(deepcopy(document) | {"steps": deepcopy(steps)})


def with_rules(document: Document, places: Sequence[int]) -> Document:
    """Only these expectations are left."""
    return _filled(document, "expect", [document["expect"][place] for place in places])


def with_parties(document: Document, names: Sequence[str]) -> Document:
    """Only these parties are left, and no word about the others."""
    changed = deepcopy(document)
    changed["parties"] = {name: changed["parties"][name] for name in names}
    steps = [cut for step in changed.get("steps", ()) if (cut := _without_others(step, names)) is not None]
    rules = [cut for rule in changed.get("expect", ()) if (cut := _without_others(rule, names)) is not None]
    changed = _filled(_filled(changed, "steps", steps), "expect", rules)
    return _consistent(changed)


def with_nodes(document: Document, place: int, nodes: Sequence[str]) -> Document:
    """The fault at this place among the steps concerns only these nodes."""
    changed = deepcopy(document)
    changed["steps"][place]["nodes"] = list(nodes)
    return changed


def _without_others(item: Document, names: Sequence[str]) -> Document | None:
    """A step or a rule without other parties; None if it is about nobody then."""
    item = dict(item)
    for key in _PARTY_KEYS:
        value = item.get(key)
        if value is None or value == "random":
            continue
        if isinstance(value, dict):  # {random: 1..3, among: ...}
            among = {"among": _of(value["among"], names)} if "among" in value else {}
            item[key] = value | among | {"random": _at_most(value["random"], len(names) - 1)}
            continue
        left = _of(value, names)
        if not left and not (key == "to" and item.get("do") == "send"):
            return None
        item[key] = left
    if isinstance(item.get("groups"), dict):
        item["groups"] = {side: left for side, group in item["groups"].items() if (left := _of(group, names))}
    return item


def _of(value: str | list[str], names: Sequence[str]) -> str | list[str]:
    """The words that still mean somebody."""
    left = [word for word in _listed(value) if word in (*SELECTORS, "broker") or matching(word, names)]
    return (left[0] if left else []) if isinstance(value, str) else left


def _at_most(how_many: int | str, most: int) -> int | str:
    """How many readers are drawn, when there are no more than `most` beside the sender."""
    low, _, high = str(how_many).partition("..")
    least = max(1, min(int(low), most))
    return how_many if int(high or low) <= most else least if least >= most else f"{least}..{most}"


def _consistent(document: Document) -> Document:
    """Without the rules about steps that are gone."""
    known = {step["id"] for step in document.get("steps", ())}

    def holds(rule: Document) -> bool:
        tx = rule.get("tx", rule.get("of") if rule["check"] == "latency" else None)
        named = [rule[key] for key in ("during", "after") if key in rule]
        there = tx is None or tx in known or tx.rpartition("-")[0] in known
        return there and all(name in known for name in named)

    return _filled(document, "expect", [rule for rule in document.get("expect", ()) if holds(rule)])


def _filled(document: Document, section: str, items: list[Any]) -> Document:
    changed = {key: value for key, value in document.items() if key != section}
    return changed | ({section: items} if items else {})


# Words that can go.


def without_word(document: Document) -> Iterator[Document]:
    """The document without one thing that need not be said, for each of them."""
    for place in _needless(document):
        changed = deepcopy(document)
        around: Any = changed
        for key in place[:-1]:
            around = around[key]
        del around[place[-1]]
        yield changed
    for number, step in enumerate(document.get("steps", ())):
        if step["do"] == "send" and step["data"] != _DATA:
            changed = deepcopy(document)
            changed["steps"][number]["data"] = dict(_DATA)
            yield changed


def _needless(document: Document) -> Iterator[Place]:
    if "about" in document:
        yield ("about",)
    for key in document.get("network", {}):
        if key != "transport":
            yield ("network", key)
    for name, spec in document["parties"].items():
        yield from (("parties", name, key) for key in ("title", "role") if key in spec)
    for number, step in enumerate(document.get("steps", ())):
        keys = {"load": ("size", "data"), "fault": ("messages", "to", "one_way")}.get(step["do"], ())
        yield from (("steps", number, key) for key in keys if key in step)


# Numbers.


Numbered = tuple[int, int, Callable[[int], Document]]


def numbers_of(document: Document) -> Iterator[tuple[int, str]]:
    """Where there is a number that may be smaller: the place of the step, and the key."""
    for place, step in enumerate(document.get("steps", ())):
        if step["do"] == "load" and "count" in step:
            yield place, "count"
        if "for" in step:
            yield place, "for"


def number_at(document: Document, place: int, key: str) -> Numbered:
    """A number as it is, the least that it may be, and the document with another in its place."""
    value = document["steps"][place][key]

    def put(number: int) -> Document:
        changed = deepcopy(document)
        changed["steps"][place][key] = number if key == "count" else format_duration(number * LEAST_MS)
        return changed

    return (value if key == "count" else -(-parse_duration(value) // LEAST_MS)), 1, put
