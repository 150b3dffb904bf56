"""The pytest plugin, in a pytest of its own: a marker brings a network, a failure tells how to repeat it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FILE = """\
privity: 1
seed: 5
consensus: {block_every: 50ms}
parties: {alice: {}, bob: {}, carol: {}, dave: {}}
"""
TESTS = """\
import pytest

@pytest.mark.privity("small.yaml", seed=7)
def test_with(privity_net):
    tx = privity_net.send("alice", to=["bob"], data={"price": 1})
    assert privity_net.readers(tx) == {"alice", "bob"}
    assert privity_net.scenario.seed == 7 and privity_net.scenario.transport == "memory"

@pytest.mark.privity("small.yaml")
async def test_awaited(privity_net):
    tx = await privity_net.send("alice", to=["bob"], data={"price": 1})
    assert await privity_net.readers(tx) == {"alice", "bob"}

@pytest.mark.privity("small.yaml", seed=9)
def test_that_fails(privity_net):
    tx = privity_net.send("alice", to=["bob", "carol"], data={"price": 1})
    assert privity_net.readers(tx) == {"alice", "bob"}

def test_without_marker(privity_net):
    pass
"""


@pytest.fixture
def told(tmp_path: Path) -> str:
    """What a pytest says that runs these tests beside their scenario."""
    (tmp_path / "small.yaml").write_text(FILE)
    (tmp_path / "test_small.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-o", "asyncio_mode=auto", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    return done.stdout


def test_networks_come_by_marker_and_failures_tell_how_to_repeat(told: str) -> None:
    """Two pass, one fails with the command in its report, one has no marker and is told what it lacks."""
    assert "2 passed" in told and "1 failed" in told and "1 error" in told, told
    assert "--seed 9 --transport memory" in told
    assert "@pytest.mark.privity" in told
