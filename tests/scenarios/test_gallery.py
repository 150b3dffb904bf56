"""The scenario files that come along: each passes, proves its faults, and repeats to the byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.errors import FINE
from scenarios.model.loading import load_scenario
from scenarios.verbs.file_cli import templates
from tests.command_line import Privity

SCENARIOS = Path(__file__).parents[2] / "scenarios"
FILES = sorted(SCENARIOS.glob("*.yaml"))
STORIES = ("primary crash", "partition and heal", "too many faults", "equivocating primary", "slow primary")
STORIES += (
    "censorship",
    "lossy wan",
    "restart of everyone",
    "broker outage",
    "seven banks faults",
    "late disclosure",
    "right to be forgotten",
    "clearing house",
    "seven banks clearing",
    "consent",
    "loan ledger",
    "whistle",
    "trade documents",
    "sealed bid tender",
    "proved liars",
)
MOST_LINES = 60


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_passes_in_the_virtual_world_and_repeats(privity: Privity, tmp_path: Path, file: Path) -> None:
    """Every expectation holds, every fault touched something, and the second run is the first one."""
    documents = []
    for _ in range(2):
        done = privity(tmp_path, "run", str(file), "--transport", "memory", "--json", "-q")
        assert done.code == FINE, done.out + done.err
        documents.append(done.document)
    first, second = documents
    assert first["verdict"] == "pass" and {each["result"] for each in first["expectations"]} == {"holds"}
    assert len(first["faults"]) == len(load_scenario(file).faults)
    assert all(fault["touched"] > 0 and not fault["vacuous"] for fault in first["faults"])
    assert first["trace_hash"] == second["trace_hash"] and len(first["trace_hash"]) == 64


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_is_short_and_says_what_it_shows(file: Path) -> None:
    """At most 60 lines, a sentence about it, comments, expectations."""
    text = file.read_text()
    scenario = load_scenario(file)
    assert len(text.splitlines()) <= MOST_LINES
    assert scenario.expectations and scenario.name == file.stem and "# " in text
    assert "agreement" in {expectation.check for expectation in scenario.expectations}


def test_every_story_is_there_and_init_offers_it(privity: Privity, tmp_path: Path) -> None:
    """By its name, with its sentence."""
    offered = privity(tmp_path, "init", "--list").out
    for story in STORIES:
        name = story.replace(" ", "-")
        (line,) = [line for line in offered.splitlines() if line.split()[:1] == [name]]
        assert name in templates() and len(line.split()) > 5
