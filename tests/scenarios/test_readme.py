"""The README's Python and its commands, as somebody would paste them."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from node.errors import FINE
from tests.command_line import Privity

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROGRAM, TEST = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the scenarios that the README names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PRIVITY_HOME", str(tmp_path / "home"))
    (tmp_path / "scenarios").mkdir()
    for file in (ROOT / "scenarios").glob("*.yaml"):
        (tmp_path / "scenarios" / file.name).write_bytes(file.read_bytes())
    return tmp_path


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """A command in the current folder."""
    return subprocess.run(
        [sys.executable, "-P", *words], capture_output=True, text=True, check=False, timeout=120
    )


def test_the_program_runs_as_it_stands(folder: Path) -> None:
    """Its assertions hold, and it prints the matrix."""
    (folder / "program.py").write_text(PROGRAM)
    done = run("program.py")
    assert done.returncode == 0, done.stderr
    assert "alice" in done.stdout and "broker" in done.stdout


def test_the_test_runs_as_it_stands_and_can_fail(folder: Path) -> None:
    """One passes; with another reader expected it fails, and tells the command."""
    (folder / "test_pasted.py").write_text(TEST)
    # No other project's settings, and no plugin but those that are installed.
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), "test_pasted.py")
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    (folder / "test_pasted.py").write_text(TEST.replace('{"alice", "bob"}', '{"alice"}'))
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), "test_pasted.py")
    assert "1 failed" in done.stdout
    repeat = f"repeat  privity run {folder}/scenarios/hello.yaml --seed 7 --transport memory"
    assert repeat in done.stdout


def test_the_way_to_an_own_scenario(privity: Privity, folder: Path) -> None:
    """The block that begins with `init`, from top to bottom."""
    (block,) = re.findall(r"^```\n(\$ privity init .*?)^```$", README, re.MULTILINE | re.DOTALL)
    commands = [shlex.split(line.removeprefix("$ "), comments=True) for line in block.splitlines()]
    assert [words[1] for words in commands] == ["init", "check", "run", "why"]
    for words in commands:
        done = privity(folder / "home", *words[1:])
        assert done.code == FINE, (words, done.out, done.err)
