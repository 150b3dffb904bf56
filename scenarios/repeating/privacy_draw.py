"""Scenarios drawn from seeds: private business while each role is crashed at each of its steps.

One deal is at the centre, and a moment of it is a step: its payload is handed in, ordered, executed, opened,
asked for, shown to somebody later, erased. Around it goes other business, a seal and a total in it, under
partitions and loss. All heals before the end. In some, what one party keeps of a private object is damaged on
its disk, which the others must notice.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from typing import Any

from scenarios.repeating.privacy_steps import (
    ALL_STEPS,
    ASKED_MS,
    ASKING,
    BID_MS,
    CASES,
    DEAL,
    DEAL_MS,
    DISCLOSURE,
    ERASING,
    OPEN_MS,
    OPENS,
    PURGE,
    PURGED_MS,
    SEALING,
    SHOWING,
    SHOWN_MS,
    SUMMING,
    TOTAL_MS,
)

FIRST_WRITE = "write-0"
DAMAGED_MS, AFTERWARDS_MS = 3000, 5600


@dataclass(frozen=True, slots=True)
class Drawn:
    """The scenario of a seed, as text, and whom its faults strike: the id of each, its role and step.

    `damaged` is who has what it keeps of the object's first write damaged on its disk; empty if nobody has.
    """

    seed: int
    text: str
    crashes: dict[str, tuple[str, str]]
    features: tuple[str, ...]
    damaged: str = ""

    def __repr__(self) -> str:
        return f"Drawn(seed {self.seed}, {self.crashes})"


def drawn(seed: int) -> Drawn:
    """The scenario of a seed. Its first crash goes round all roles and steps, the rest is drawn."""
    draw = Random(f"{seed}/privacy")
    return _Drawing(seed, draw).drawn()


class _Drawing:
    def __init__(self, seed: int, draw: Random) -> None:
        self._seed, self._draw = seed, draw
        self._first = CASES[seed % len(CASES)]
        self._sealed = self._first in SEALING or draw.random() < 0.2
        self._summed = self._first in SUMMING or draw.random() < 0.15
        followers = 1 if self._summed else draw.choice([0, 0, 1])
        voters = draw.randint(4, 7 - followers)
        self._voters = [f"v{number}" for number in range(1, voters + 1)]
        self._followers = [f"f{number}" for number in range(1, followers + 1)]
        everybody = draw.sample([*self._voters, *self._followers], voters + followers)
        self._sender, *others = everybody
        self._openers = draw.sample(others, 2)
        self._shared = draw.random() < 0.3
        cut = draw.randint(1, min(3, len(others) - 1))
        self._readers, self._strangers = others[:cut], others[cut:]
        self._auditor = draw.choice(self._strangers)
        self._damaged = draw.choice(self._readers) if self._shared and draw.random() < 0.3 else ""
        self._steps: list[dict[str, Any]] = []
        self._crashes: dict[str, tuple[str, str]] = {}
        self._features: list[str] = []

    def drawn(self) -> Drawn:
        draw = self._draw
        privacy = self._privacy()
        self._business()
        self._faults()
        document = {
            "privity": 1,
            "name": f"privacy-{self._seed}",
            "seed": self._seed,
            "network": {"transport": "memory", **draw.choice([{}, {}, {"loss": "1%"}])},
            "consensus": {"block_every": draw.choice(["50ms", "100ms"]), "view_timeout": "800ms"},
            "privacy": privacy,
            **self._seals(),
            **({"state_check": "4 blocks"} if self._shared else {}),
            "parties": {
                **{name: {} for name in self._voters},
                **{name: {"votes": False} for name in self._followers},
            },
            "steps": self._steps,
            "expect": [
                {"check": "agreement"},
                {"check": "no_plaintext", "in": ["logs", "broker", "ledgers"]},
                *([{"check": "private_state"}] if self._shared else []),
            ],
        }
        text = json.dumps(document, indent=1)
        return Drawn(self._seed, text, self._crashes, tuple(self._features), self._damaged)

    def _privacy(self) -> dict[str, Any]:
        draw = self._draw
        privacy: dict[str, Any] = {}
        if draw.random() < (0.75 if self._first in ERASING else 0.5):
            self._features.append("off_chain")
            privacy = {
                "payload": "off_chain",
                "copies": draw.choice([1, 1, 2, "all"]),
                "receipt_timeout": "10s",
            }
        else:
            self._features.append("on_chain")
        # A coordinator of totals must not read every value.
        mandatory = [name for name in self._readers if not self._summed or name != "f1"]
        if mandatory and draw.random() < 0.2:
            self._features.append("mandatory reader")
            privacy["always_to"] = [draw.choice(mandatory)]
        return privacy

    def _step(self, at_ms: int, do: str, **keys: Any) -> None:
        self._steps.append({"at": f"{at_ms}ms", "do": do, **keys})

    def _business(self) -> None:
        draw, everybody = self._draw, "*"
        data = {"price": draw.randint(1, 10**6), "terms": {"port": f"quay number {draw.randint(10, 99)}"}}
        keep = {"keep": f"{draw.randint(3, 8)} blocks"} if draw.random() < 0.25 else {}
        if self._first in SHOWING | ERASING:
            keep = {}
        self._features += ["keep"] if keep else []
        self._step(DEAL_MS, "send", id="deal", **{"as": self._sender}, to=self._readers, data=data, **keep)
        load = {"as": everybody, "to": {"random": 1}, "count": draw.randint(6, 14), "rate": "4/s"}
        self._step(600, "load", id="traffic", **load, data={"n": "1..900"})
        if not keep and (draw.random() < 0.7 or self._first in SHOWING):
            self._features.append("disclosure")
            whom = self._auditor
            if asked := draw.random() < 0.5 or self._first in ASKING:
                self._features.append("request")
                of = draw.choice([self._sender, self._readers[0]])
                self._step(ASKED_MS, "request", id="asked", tx="deal", **{"as": whom}, of=of, reason="audit")
            by = draw.choice([self._sender, self._readers[0]]) if not asked else of
            part = {"fields": ["price"]} if draw.random() < 0.5 else {}
            answers = {"answers": "asked"} if asked else {}
            shown = {"as": by, "to": [whom], "reason": "as agreed", **part, **answers}
            self._step(SHOWN_MS, "disclose", id="shown", tx="deal", **shown)
        if not keep and (draw.random() < 0.2 or self._first in ERASING):
            self._features.append("purge")
            self._step(PURGED_MS, "purge", id="gone", tx="deal", **{"as": self._sender}, reason="as agreed")
        if self._shared:
            self._features.append("object")
            audience = [self._sender, *self._readers]
            for version, (author, at_ms) in enumerate([(self._sender, 1600), (self._readers[0], 5200)]):
                parties: dict[str, Any] = {"as": author, "to": [name for name in audience if name != author]}
                write = {"object": "loan", "expects": version, "data": {"due": draw.randint(1, 10**6)}}
                self._step(at_ms, "send", id=f"write-{version}", **parties, **write)
        if self._damaged:
            self._features.append("divergence")
            # Blocks, also after all has healed, so that parties compare: one block may take all that waited.
            load = {"as": "*", "to": [], "count": 14, "rate": "2/s", "data": {"n": "1..900"}}
            self._step(AFTERWARDS_MS, "load", id="afterwards", **load)
        if self._sealed:
            self._features.append("seal")
            bid = {"price": draw.randint(1, 10**6), "note": f"bid number {draw.randint(10, 99)}"}
            self._step(BID_MS, "send", id="bid", **{"as": self._sender}, seal="close", data=bid)
            self._step(OPEN_MS, "open", seal="close", **{"as": self._openers})
        if self._summed:
            self._features.append("total")
            total = {"as": "f1", "from": self._voters, "field": "exposure", "learn": "total"}
            self._step(TOTAL_MS, "aggregate", id="sum", **total, data={"exposure": "1000..9000"})

    def _seals(self) -> dict[str, Any]:
        if not self._sealed:
            return {}
        threshold = self._draw.choice([1, 2, 2])
        seal = {"opens_at": OPENS, "openers": self._openers, "threshold": threshold, "then_to": self._openers}
        return {"seals": {"close": seal}}

    def _faults(self) -> None:
        draw = self._draw
        others = [case for case in self._about() if case[0] != self._first[0]]
        cases = [self._first, *([draw.choice(others)] if draw.random() < 0.35 else [])]
        for number, (role, step) in enumerate(cases, 1):
            at_ms = draw.randint(*ALL_STEPS[role, step])
            lasting = f"{draw.randint(300, 2500)}ms"
            crash = {"kind": "crash", "nodes": [self._node_of(role)], "for": lasting}
            self._step(at_ms, "fault", id=f"crash-{number}", **crash)
            self._crashes[f"crash-{number}"] = (role, step)
        if draw.random() < 0.35:
            self._features.append("partition")
            side = draw.sample(self._voters, draw.randint(1, len(self._voters) // 2))
            cut = {"kind": "partition", "nodes": side, "for": f"{draw.randint(300, 2000)}ms"}
            self._step(draw.randint(1000, 6500), "fault", id="split", **cut)
        if draw.random() < 0.35:
            self._features.append("loss")
            lossy = {"kind": "loss", "nodes": "*", "chance": f"{draw.randint(2, 15)}%", "for": "2s"}
            self._step(draw.randint(1000, 6000), "fault", id="loss", **lossy)

    def _about(self) -> list[tuple[str, str]]:
        """The cases that are about what this scenario has in it."""
        steps = set(DEAL) | (set(PURGE) if "purge" in self._features else set())
        steps |= set(DISCLOSURE) if "request" in self._features else set()
        return [case for case in CASES if case[1] in steps]

    def _node_of(self, role: str) -> str:
        return {
            "sender": self._sender,
            "owner": self._sender,
            "eraser": self._draw.choice(self._readers),
            "auditor": self._auditor,
            "reader": self._draw.choice(self._readers),
            "non-party": self._draw.choice(self._strangers),
            "opener": self._openers[0],
            "coordinator": "f1",
            "contributor": self._draw.choice(self._voters),
        }.get(role, role)
