"""The course of a run as the logs of its nodes tell it: what was committed when, and who was accused when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from consensus.quorum import weak_quorum
from node.consortium import Network
from node.logs.events import Event
from node.logs.view import read_events
from node.run_folder import EVENTS, RunFolder


@dataclass(frozen=True, slots=True)
class Accusation:
    """An honest node told of a proof of this kind against the accused. `t_ms` counts from the genesis."""

    t_ms: int
    kind: str
    accused: str


@dataclass(frozen=True, slots=True)
class Divergence:
    """A node told that a party has another private state, first at a transaction, by its first digits."""

    t_ms: int
    name: str
    peer: str
    tx: str
    height: int


@dataclass(slots=True)
class Course:
    """What happened when. Times are in ms since the genesis.

    `committed` has for each height the moment at which a weak quorum (f + 1) of honest voters had told of its
    block, `proposed` when one of them first told of a proposal for it. `repeats` has by the first digits of a
    transaction who was handed it again after its execution, and when. `connected` are the times at which any
    node, honest or not, got its connection to the broker. `views` has when a weak quorum of honest voters had
    told of each new view.
    """

    committed: dict[int, int] = field(default_factory=dict)
    proposed: dict[int, int] = field(default_factory=dict)
    accusations: list[Accusation] = field(default_factory=list)
    repeats: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    connected: list[int] = field(default_factory=list)
    views: dict[int, int] = field(default_factory=dict)

    def entered_ms(self, view: int) -> int | None:
        """When a weak quorum of honest voters had entered this view or a later one; None if it never had."""
        return min((t_ms for each, t_ms in self.views.items() if each >= view), default=None)

    divergences: list[Divergence] = field(default_factory=list)
    state_checks: Counter[str] = field(default_factory=Counter)  # By what came of them.

    def commits(self, after_ms: int, to_ms: int) -> list[tuple[int, int]]:
        """Time and height of each commit later than the one moment and no later than the other."""
        return sorted((t_ms, height) for height, t_ms in self.committed.items() if after_ms < t_ms <= to_ms)


def read_course(folder: RunFolder, network: Network, honest: Collection[str]) -> Course:
    """Read each node's own log; what a faulty node says happened counts for nothing."""
    course = Course()
    told: dict[int, dict[str, int]] = {}  # By height: when each honest voter first told of its block.
    entered: dict[int, dict[str, int]] = {}  # By view: when each first told of it.
    voters = {member.name for member in network.members if member.votes}
    for name in network.names:
        for event in _events(folder, name):
            t_ms, what = event["t"], event["ev"]
            if what == "net.connect":
                course.connected.append(t_ms)
            if name not in honest:
                continue
            if what in ("block.commit", "pbft.new_view") and name in voters:
                entered.setdefault(event.get("v", 0), {}).setdefault(name, t_ms)
            if what == "block.commit" and name in voters:
                told.setdefault(event["h"], {}).setdefault(name, t_ms)
            elif what == "pbft.pre_prepare" and name in voters:
                height = event["h"]
                course.proposed[height] = min(t_ms, course.proposed.get(height, t_ms))
            elif what in ("state.confirmed", "state.unconfirmed", "state.diverged"):
                course.state_checks[what.removeprefix("state.")] += 1
                if what == "state.diverged":
                    found = Divergence(t_ms, name, event["party"], event["tx"], event["h"])
                    course.divergences.append(found)
            elif what == "tx.duplicate":
                course.repeats.setdefault(event["tx"], []).append((name, t_ms))
            elif what.startswith("evidence."):
                kind, accused = event.get("reason_code", ""), event.get("from", "")
                course.accusations.append(Accusation(t_ms, kind, accused))
    needed = weak_quorum(network.n)
    for height, times in sorted(told.items()):
        if len(times) >= needed:
            course.committed[height] = sorted(times.values())[needed - 1]
    for view in entered:  # Whoever is in a later one has entered this one, too.
        first: dict[str, int] = {}
        for later in (each for each in entered if each >= view):
            for name, t_ms in entered[later].items():
                first[name] = min(t_ms, first.get(name, t_ms))
        if len(first) >= needed:
            course.views[view] = sorted(first.values())[needed - 1]
    return course


def _events(folder: RunFolder, name: str) -> Iterator[Event]:
    path = folder.node(name) / EVENTS
    yield from read_events([path]).events if path.exists() else ()
