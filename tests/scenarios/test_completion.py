"""What a shell offers for an unfinished word, asked as a shell does: by environment variables."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scenarios import Network

ROOT = Path(__file__).parents[2]
COMMAND = Path(sys.executable).with_name("privity")
FILE = """\
privity: 1
name: complete
consensus: {block_every: 50ms, view_timeout: 500ms}
parties: {alice: {}, bob: {}, carol: {}, dave: {}}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs: of the first only a transaction is left, of the second one, and a fault that never healed."""
    folder = tmp_path_factory.mktemp("complete")
    (folder / "complete.yaml").write_text(FILE)
    for name in ("rent", "letter"):
        with Network.load(folder / "complete.yaml", transport="memory", home=folder / "home") as net:
            net.send("alice", to=["bob"], data={"n": 1}, id=name)
            if name == "letter":
                net.fault("crash", nodes=["dave"], id="healed")
                net.heal("healed")
                net.fault("crash", nodes=["dave"], id="gone")
    return folder / "home"


def offered(home: Path, words: str) -> list[str]:
    """What bash is given for the last of these words."""
    environment = os.environ | {
        "PRIVITY_HOME": str(home),
        "_PRIVITY_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    done = subprocess.run(
        [str(COMMAND)], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("privity down --run ", ["0002", "0001"]),
        ("privity replay ", ["0002", "0001"]),
        ("privity why ", ["letter"]),
        ("privity why --run 0001 ", ["rent"]),
        ("privity logs o", ["operator"]),
        ("privity show tx ", ["letter"]),
        ("privity show tx letter --as ca", ["carol"]),
        ("privity fault eq", ["equivocate"]),
        ("privity run a.yaml --transport ", ["mqtt", "memory"]),
        ("privity run a.yaml --signatures ca", ["cached"]),
        ("privity logs --level w", ["warn"]),
        ("privity fault crash p", ["primary"]),
        ("privity fault heal ", ["gone"]),
        ("privity fault heal --run 0001 ", []),
    ],
    ids=lambda value: value.strip() if isinstance(value, str) else "",
)
def test_what_is_offered(home: Path, words: str, wanted: list[str]) -> None:
    """Runs, nodes, transactions and faults as the run that is meant has them."""
    assert offered(home, words) == wanted


@pytest.mark.parametrize("words", ["privity why ", "privity down --run ", "privity fault heal "])
def test_without_a_run_nothing_is_offered_and_nothing_fails(tmp_path: Path, words: str) -> None:
    """A shell that completes shows no error of ours."""
    assert offered(tmp_path / "nowhere", words) == []
