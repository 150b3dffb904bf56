"""Steps that wait for a height or a view, on real processes: the same file as in the virtual world."""

from __future__ import annotations

import pytest

from node.errors import FINE, UNCONFIRMED
from tests.live.commands import Privity

pytestmark = pytest.mark.mosquitto

HEAD = """\
privity: 1
name: waits
network: {broker: mosquitto}
consensus: {block_every: 50ms, view_timeout: 3s}
parties: {alice: {}, bob: {}, carol: {}, dave: {}}
steps:
  - {do: load, id: traffic, as: "*", to: {random: 1..2}, count: %d, rate: 10/s, data: {pay: "1..900"}}
"""
STORY = """\
  - {at: {height: 4}, do: send, id: rent, as: alice, to: [bob], data: {pay: 5}}
  - {at: {height: 11}, do: disclose, tx: rent, as: bob, to: [dave], reason: audit}
  - {at: {height: 13}, do: fault, id: down, kind: crash, nodes: [primary], for: 8s}
  - {at: {view: 1}, do: load, id: late, as: carol, to: [dave], count: 2, data: {pay: 5}}
expect:
  - {check: agreement}
  - {check: readers, tx: rent, at: {height: 10}, are: [alice, bob]}
  - {check: readers, tx: rent, are: [alice, bob, dave]}
  - {check: height, at: {view: 1}, min: 10}
"""
VAIN = "  - {at: {height: 90}, do: send, id: rent, as: alice, to: [bob], data: {pay: 5}}\n"


def test_steps_wait_for_heights_and_views(privity: Privity) -> None:
    """All is carried out and every expectation holds."""
    (privity.folder / "waits.yaml").write_text(HEAD % 40 + STORY)
    said = privity("run", privity.folder / "waits.yaml", "--json")
    assert said.code == FINE, said.text
    assert said.json["transactions"]["committed"] == said.json["transactions"]["submitted"] == 43


def test_what_waits_in_vain_is_given_up(privity: Privity) -> None:
    """Within seconds, with its name."""
    (privity.folder / "waits.yaml").write_text(HEAD % 3 + VAIN)
    said = privity("run", privity.folder / "waits.yaml", "--json")
    assert said.code == UNCONFIRMED, said.text
    (incident,) = said.json["incidents"]
    assert incident.startswith("step rent (line 8) was not carried out: block 90 never came; the highest was")
