"""A campaign: one scenario under many seeds, in a folder that remembers what was done already.

.privity/campaigns/0003/
    campaign.json            what is run, by whom, how far it came
    results.jsonl            one outcome a line, as they ended
    seed-17/                 a privity home that holds the run of a seed that did not pass
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

import consensus
import node
import scenarios
from node.private_files import append_private, make_private_folder, replace_private
from node.process_identity import process_started
from node.run_folder import privity_home
from scenarios.kept import versions
from scenarios.repeating.crew import Crew
from scenarios.repeating.once import Outcome, Task

SCHEMA = "privity.campaigndir/1"
KEPT = 20  # Runs that did not pass, the newest.


@dataclass(frozen=True, slots=True)
class Plan:
    """What a campaign runs. `text` holds payloads."""

    text: str
    file: str
    name: str
    seeds: range
    crypto: str
    signatures: str

    def __repr__(self) -> str:
        return f"Plan({self.file}, seeds {self.seeds})"

    @property
    def key(self) -> str:
        """Equal if, and only if, outcomes would be equal: text, options, seeds, and our own code."""
        parts = [self.name, self.crypto, self.signatures, str(self.seeds), str(versions()), _code()]
        # The text at the end, so that none of it can pass for another part.
        return hashlib.sha256("\0".join([*parts, self.text]).encode()).hexdigest()


def _code() -> str:
    """A digest of this program: outcomes of another version of it prove nothing about this one."""
    digest = hashlib.sha256()
    for package in (consensus, node, scenarios):
        root = Path(package.__file__ or "").parent
        for path in sorted(root.rglob("*.py")):
            digest.update(f"{path.relative_to(root.parent)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


class Campaign:
    """One campaign's folder, and the outcomes so far."""

    def __init__(self, path: Path, plan: Plan) -> None:
        self.path, self.plan = path, plan
        self.outcomes: dict[int, Outcome] = {each.seed: each for each in _read(self._results)}

    @classmethod
    def begin(cls, plan: Plan, *, fresh: bool = False, home: Path | None = None) -> Campaign:
        """One that was interrupted goes on, unless it is to be a fresh one."""
        root = (home or privity_home()) / "campaigns"
        make_private_folder(root)
        (root.parent / ".gitignore").write_text("*\n")  # Keys must not end up in somebody's repository.
        interrupted = [] if fresh else [path for path in _folders(root) if _goes_on(path, plan)]
        campaign = cls(interrupted[-1] if interrupted else _make_next(root), plan)
        campaign._write_state("running")
        for path in campaign.path.glob("seed-*"):
            if int(path.name.removeprefix("seed-")) not in campaign.outcomes:
                shutil.rmtree(path, ignore_errors=True)
        return campaign

    @property
    def left(self) -> list[int]:
        """The seeds that have no outcome yet."""
        return [seed for seed in self.plan.seeds if seed not in self.outcomes]

    def home_of(self, seed: int) -> Path:
        """The privity home of one seed's run."""
        return self.path / f"seed-{seed}"

    def run(self, jobs: int) -> Iterator[Outcome]:
        """Run what is left, and write down each outcome as it comes. Stopped early, it can go on later."""
        ended = False
        try:
            with Crew(jobs) as crew:
                for outcome in crew.run(self._task(seed) for seed in self.left):
                    self._take(outcome)
                    yield outcome
            ended = True
        finally:
            self._write_state("ended" if ended else "interrupted")

    def _task(self, seed: int) -> Task:
        plan = self.plan
        return Task(
            text=plan.text,
            file=plan.file,
            name=plan.name,
            home=str(self.home_of(seed)),
            seed=seed,
            crypto=plan.crypto,
            signatures=plan.signatures,
        )

    def _take(self, outcome: Outcome) -> None:
        append_private(self._results, msgspec.json.encode(outcome) + b"\n")
        self.outcomes[outcome.seed] = outcome
        failed = [seed for seed, each in self.outcomes.items() if each.verdict != "pass"]
        gone = failed[:-KEPT] if outcome.verdict != "pass" else [outcome.seed]
        for seed in gone:
            shutil.rmtree(self.home_of(seed), ignore_errors=True)

    @property
    def _results(self) -> Path:
        return self.path / "results.jsonl"

    def _write_state(self, state: str) -> None:
        pid = os.getpid()
        record = {
            "schema": SCHEMA,
            "key": self.plan.key,
            "file": self.plan.file,
            "seeds": [self.plan.seeds[0], self.plan.seeds[-1]],
            "crypto": self.plan.crypto,
            "signatures": self.plan.signatures,
            "versions": versions(),
            "state": state,
            "pid": pid,
            "pid_started": process_started(pid),
        }
        replace_private(self.path / "campaign.json", (json.dumps(record, indent=2) + "\n").encode())


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.name.isdecimal() and path.is_dir())


def _make_next(root: Path) -> Path:
    number = max((int(path.name) for path in _folders(root)), default=0) + 1
    while True:
        path = root / f"{number:04d}"
        try:
            path.mkdir(mode=0o700)
            return path
        except FileExistsError:  # Somebody else was quicker.
            number += 1


def _goes_on(path: Path, plan: Plan) -> bool:
    """Whether this is the same campaign, interrupted, and nobody works on it now."""
    try:
        record: dict[str, Any] = json.loads((path / "campaign.json").read_bytes())
    except (OSError, ValueError):
        return False
    if record.get("key") != plan.key or record.get("state") == "ended":
        return False
    lives = process_started(record["pid"]) == record["pid_started"] and record["pid"] != os.getpid()
    return not (record.get("state") == "running" and lives)


def _read(path: Path) -> Iterator[Outcome]:
    if path.exists():
        for line in path.read_bytes().splitlines():
            with suppress(msgspec.DecodeError):  # Cut short by whatever stopped it.
                yield msgspec.json.decode(line, type=Outcome)
