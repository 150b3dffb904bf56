"""Some stories of the gallery on real processes and mosquitto; the others run in the virtual world."""

from __future__ import annotations

import pytest

from tests.live.commands import SHIPPED, Privity

pytestmark = pytest.mark.mosquitto


@pytest.mark.parametrize(
    "name",
    [
        "primary-crash",
        "equivocating-primary",
        "broker-outage",
        "late-disclosure",
        "right-to-be-forgotten",
        "proved-liars",
    ],
)
def test_a_story_passes_live(privity: Privity, name: str) -> None:
    """The same file as in the virtual world: every expectation holds, and its faults happened."""
    said = privity("run", SHIPPED / f"{name}.yaml", "--broker", "mosquitto", "--json")
    assert said.code == 0, said.text
    assert said.json["verdict"] == "pass"
    assert all(fault["touched"] > 0 for fault in said.json["faults"])
