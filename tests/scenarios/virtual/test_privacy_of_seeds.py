"""P13: a seed predicts the secrets of a simulation that says so, and of nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from node.run_folder import RunFolder
from node.run_reading import RunReading
from scenarios.model.loading import parse_scenario
from scenarios.model.problems import ScenarioInvalid
from scenarios.virtual.entropy import OS, SEEDED, entropy
from scenarios.virtual.run import STAMP
from tests.command_line import Privity

FILE = """privity: 1
name: seeds
seed: 99
parties: {ann: {}, bob: {}, cyd: {}, dan: {}}
steps:
  - {at: 1s, do: load, as: "*", to: random, count: 8, rate: 20/s, data: {n: "1..9"}}
expect:
  - {check: agreement}
"""


def secrets_of(privity: Privity, home: Path, crypto: str) -> tuple[dict[str, object], set[bytes]]:
    """The verdict of a virtual run, and its keys, nonces, commitments and roots: what its draws show in."""
    home.mkdir()
    file = home / "seeds.yaml"
    file.write_text(FILE)
    done = privity(home, "run", str(file), "--transport", "memory", "--crypto", crypto, "--json", "-q")
    document = done.document
    reading = RunReading(RunFolder(Path(document["run_dir"])))
    found = set()
    for name in reading.network.names:
        keys = reading.keys(name)
        found |= {keys.signing.secret_bytes(), keys.wrapping.secret_bytes()}
    for _, transaction in reading.highest().private():
        core = transaction.header.core
        found |= {core.nonce, core.key_commit, core.payload_root}
    return document, found


def test_p13_who_knows_file_and_seed_predicts_a_seeded_run_alone(privity: Privity, tmp_path: Path) -> None:
    """P13: a second seeded run repeats every secret of the first, and is stamped; with --crypto os none."""
    first, predicted = secrets_of(privity, tmp_path / "first", SEEDED)
    second, again = secrets_of(privity, tmp_path / "second", SEEDED)
    secure, drawn = secrets_of(privity, tmp_path / "third", OS)
    assert len(predicted) == 2 * 4 + 3 * 8 == len(drawn)
    assert predicted == again and predicted.isdisjoint(drawn)
    assert (first["stamp"], second["stamp"], secure["stamp"]) == (STAMP, STAMP, "")


def test_p13_the_stamp_is_seen_by_people(privity: Privity, tmp_path: Path) -> None:
    """P13: the last lines of a seeded run say that its keys are no secret."""
    file = tmp_path / "seeds.yaml"
    file.write_text(FILE)
    assert STAMP in privity(tmp_path, "run", str(file), "--transport", "memory").out
    assert STAMP not in privity(tmp_path, "run", str(file), "--transport", "memory", "--crypto", "os").out


def test_p13_a_live_network_has_no_seeded_keys() -> None:
    """P13: a file that asks for it is refused, and the word os means the operating system."""
    with pytest.raises(ScenarioInvalid) as refusal:
        parse_scenario(FILE.replace("seed: 99", "crypto: seeded\nnetwork: {transport: mqtt}"), "a.yaml")
    assert [problem.path for problem in refusal.value.problems] == ["crypto"]
    assert entropy(OS, 99, "keys") is os.urandom
