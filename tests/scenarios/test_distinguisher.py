"""Two runs that differ in a secret alone look the same to whoever is no party to it.

A distinguisher is given all that a non-party's node and the broker have of both runs: packets in their order
with times and sizes, logs, files, ledgers, pages. It must find nothing but other random-looking values. Each
mistake that would tell the secret is made once on purpose, and must be found.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from node.envelopes import key_slots, payload, transaction
from node.logs.events import EventLog
from scenarios.model.plan import PlannedSend
from scenarios.operating import Options
from scenarios.sending import Sending, Sent
from tests.scenarios.non_party_view import View, differences, non_party_view
from tests.scenarios.virtual_evidence import evidence_of

# carol votes, erin follows and is away when the secret is sent, so that it has to ask for it: neither is
# named. bob is, and dave in the runs with other readers.
SCENARIO = """\
privity: 1
name: secret
seed: 7
network: {{transport: memory}}
consensus: {{block_every: 50ms, view_timeout: 500ms}}
parties: {{alice: {{}}, bob: {{}}, carol: {{}}, dave: {{}}, erin: {{votes: false}}}}
steps:
  - {{at: 1s, do: send, id: offer, as: alice, to: [{to}], data: {data}}}
  - {{at: 900ms, do: fault, id: away, kind: crash, nodes: [erin], for: 600ms}}
  - {{at: 2s, do: send, id: other, as: alice, to: [bob], data: {{note: the same in every run}}}}
"""
SECRET = "{price: 800, to: the lowest bidder}"
OTHERS = ("carol", "erin")
Run = Callable[..., View]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """What the non-parties have of a run with this payload, and with these readers beside the sender."""
    count = iter(range(100))

    def view(data: str, to: str = "bob", others: tuple[str, ...] = OTHERS) -> View:
        home = tmp_path / str(next(count))
        home.mkdir()
        options = Options(level="debug")  # Nothing that a node could write is left out.
        evidence = evidence_of(home, SCENARIO.format(data=data, to=to), options)
        assert all(evidence.executed_everywhere(sent) for sent in evidence.sent.values())
        return non_party_view(evidence, others)

    return view


def test_there_is_something_to_compare(run: Run) -> None:
    """The views hold packets, events, files, blocks and pages; one run twice has equal ones."""
    view = run(SECRET)
    parts = [f"{name}: {part}" for name in OTHERS for part in ("log", "disk", "ledger", "pages")]
    assert set(view) == {"broker", *parts}
    assert len(view["broker"]) > 50 and all(len(lines) >= 3 for lines in view.values())
    events = [json.loads(line)["ev"] for line in view["erin: log"]]
    assert {"tx.accept", "tx.commit", "priv.denied", "block.commit"} <= set(events)
    assert events.count("node.start") == 2
    assert differences(view, run(SECRET)) == []


@pytest.mark.parametrize(
    "other",
    [
        "{price: 9, to: the lowest bidder}",
        "{price: 800, to: no one}",
        "{yield: 800, to: the lowest bidder}",
        "{price: true, to: null}",
    ],
    ids=["value", "length of a value", "name of a field", "types"],
)
def test_values_and_names_cannot_be_told(run: Run, other: str) -> None:
    """As many fields, other contents: not one number, word, size, time or place in an order differs."""
    assert differences(run(SECRET), run(other)) == []


@pytest.mark.parametrize(
    "other",
    ["{price: 800}", "{price: 800, to: {bidder: [1]}}", "{}"],
    ids=["fewer", "nested", "none"],
)
def test_the_number_of_fields_cannot_be_told(run: Run, other: str) -> None:
    """One field, three, or none at all, in the same size bucket."""
    assert differences(run(SECRET), run(other)) == []


@pytest.mark.parametrize("to", ["dave", "bob, dave", ""], ids=["another", "more", "nobody"])
def test_readers_cannot_be_told(run: Run, to: str) -> None:
    """Who reads it is between sender and readers, as long as the bucket of key slots is the same."""
    assert differences(run(SECRET), run("{price: 9, to: no one}", to)) == []


def test_what_may_be_told_is_told(run: Run) -> None:
    """The size bucket is public: a larger payload is seen, so the distinguisher is not blind."""
    found = differences(run(SECRET), run("{price: 800, to: " + "x" * 300 + "}"))
    assert any(line.startswith("broker: ") for line in found)
    assert any(line.startswith("carol: disk: ") for line in found)
    assert any(line.startswith("carol: ledger: ") for line in found)


# Mistakes made on purpose.

Patch = pytest.MonkeyPatch


def unpadded(patch: Patch) -> None:
    """Payloads are padded to eight bytes only."""
    fine = tuple(range(64, 65536 + 1, 8))
    patch.setattr(payload, "SIZE_BUCKETS", fine)
    patch.setattr(transaction, "SIZE_BUCKETS", fine)


def logged(patch: Patch) -> None:
    """A non-party's log has the length of the payload, which somebody let slip."""
    length = [0]
    submit, emit = Sending.submit, EventLog.emit

    def slip(self: Sending, send: PlannedSend) -> Sent:
        length[0] = len(str(dict(send.fields)))
        return submit(self, send)

    def tell(self: EventLog, event: str, lvl: str = "info", lam: int = 0, **fields: Any) -> None:
        if self._node in OTHERS and event == "block.commit":
            fields["bytes"] = length[0]
        emit(self, event, lvl, lam, **fields)

    patch.setattr(Sending, "submit", slip)
    patch.setattr(EventLog, "emit", tell)


def handed_in_twice(patch: Patch) -> None:
    """A high price is sent twice, to be sure."""
    submit = Sending.submit

    async def twice(self: Sending, send: PlannedSend) -> Sent:
        sent = await submit(self, send)
        if send.fields.get("price", 0) > 100:
            self._operator.client.publish(sent.packet)
        return sent

    patch.setattr(Sending, "submit", twice)


def slot_for_each(patch: Patch) -> None:
    """Nobody makes dummies: there are as many key slots as readers."""
    exact = tuple(range(1, 33))
    patch.setattr(transaction, "SLOT_BUCKETS", exact)
    patch.setattr(key_slots, "SLOT_BUCKETS", exact)


@pytest.mark.parametrize(
    ("mistake", "where"),
    [
        (unpadded, "carol: disk"),
        (logged, "carol: log"),
        (handed_in_twice, "broker"),
        (slot_for_each, "carol: ledger"),
    ],
)
def test_a_mistake_is_found(
    run: Run, mistake: Callable[[Patch], None], where: str, monkeypatch: Patch
) -> None:
    """With the mistake two such runs can be told apart, in the place where it shows."""
    mistake(monkeypatch)
    found = differences(run(SECRET), run("{price: 9, to: no one}", "bob, dave"))
    assert any(line.startswith(f"{where}: ") for line in found), found
