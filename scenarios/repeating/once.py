"""One virtual run from a text to what it showed, with nobody watching."""

from __future__ import annotations

import asyncio
import dataclasses
import time
import traceback
from pathlib import Path
from typing import Any

import msgspec

from node.errors import PrivityError
from node.private_files import make_private_folder, replace_private
from scenarios.judging import PREDICTED
from scenarios.model.loading import parse_scenario
from scenarios.model.scenario import Scenario
from scenarios.named_liars import named_in_words
from scenarios.operating import Options
from scenarios.proved_liars import liar_in_words
from scenarios.repeating.damage import Damage, damaging
from scenarios.session import Judged, Session, new_folder
from scenarios.virtual.loop import VirtualLoop
from scenarios.virtual.run import VirtualRun


class Task(msgspec.Struct, frozen=True):
    """A run to carry out. `text` holds payloads, so a task is for the process that runs it and for no log.

    `home` is a folder of its own, where the run's folder is made as below a privity home.
    """

    text: str
    file: str  # What messages call it.
    name: str  # Of the scenario, if the text has none.
    home: str
    seed: int | None = None  # Instead of the text's.
    crypto: str | None = None
    signatures: str = "cached"
    trace: str | None = None  # Where the I/O trace goes in full.
    damage: Damage | None = None  # What is done to a disk meanwhile.

    def __repr__(self) -> str:
        return f"Task({self.file}, seed {self.seed})"

    @property
    def scenario(self) -> Scenario:
        """The scenario in the virtual world. Raises ScenarioInvalid."""
        scenario = parse_scenario(self.text, self.file, self.name)
        changes: dict[str, Any] = {"seed": self.seed, "crypto": self.crypto}
        given = {key: value for key, value in changes.items() if value is not None}
        return dataclasses.replace(scenario, transport="memory", **given)


class Broken(msgspec.Struct, frozen=True):
    """One thing that did not hold: an expectation, an invariant, the leak scan, the run as a whole.

    `what` names it so that another run can break the same: a check's name, `invariant I1`. `place` is the
    expectation's among those of the file, from 0; -1 for what is no expectation.
    """

    what: str
    detail: str
    line: int = 0
    place: int = -1
    unsure: bool = False  # It could not be confirmed.

    def same(self, other: Broken) -> bool:
        """Whether this is the same failure, wherever the expectation stands."""
        return (self.what, self.unsure) == (other.what, other.unsure)


class Outcome(msgspec.Struct, frozen=True):
    """What a run showed. `broken` has the gravest first."""

    seed: int
    verdict: str
    broken: tuple[Broken, ...] = ()
    blocks: int = 0
    view_changes: int = 0  # The highest view that a node was in at the end.
    seconds: float = 0.0
    trace_hash: str | None = None
    run_dir: str = ""


def run_once(task: Task) -> Outcome:
    """Carry out a run in this process. Never raises for what the run does."""
    started = time.monotonic()
    try:
        scenario = task.scenario
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            outcome = runner.run(_run(task, scenario))
    except PrivityError as error:
        outcome = no_verdict(task, f"{error.what} ({error.code})")
    except Exception as error:  # A bug of ours. Its text may quote anything.
        last = traceback.extract_tb(error.__traceback__)[-1]
        outcome = no_verdict(task, f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}")
    return msgspec.structs.replace(outcome, seconds=round(time.monotonic() - started, 3))


def no_verdict(task: Task, why: str) -> Outcome:
    """The outcome of a run that did not come to its end."""
    return Outcome(task.seed or 0, "unconfirmed", (Broken("no verdict", why, unsure=True),))


async def _run(task: Task, scenario: Scenario) -> Outcome:
    home = make_private_folder(Path(task.home))
    source = home / "scenario.yaml"
    replace_private(source, task.text.encode())
    folder = new_folder(scenario, home=home)
    options = Options(signatures=task.signatures, trace=None if task.trace is None else Path(task.trace))
    session = Session(scenario, source, folder, options, lambda kind, text: None)
    run = session.run
    assert isinstance(run, VirtualRun)
    try:
        async with session.running(signals=False), damaging(folder, task.damage):
            settled = await session.play()
    except PrivityError as error:
        if not run.frozen_by:
            raise
        return Outcome(scenario.seed, "fail", (Broken(run.frozen_by, error.why),), run_dir=str(folder.path))
    judged = session.judge(settled)
    document = judged.document
    return Outcome(
        seed=scenario.seed,
        verdict=document["verdict"],
        broken=tuple(broken_by(judged, run.frozen_by)),
        blocks=document["blocks"],
        view_changes=max((node["view"] for node in document["nodes"].values()), default=0),
        trace_hash=document["trace_hash"],
        run_dir=str(folder.path),
    )


def broken_by(judged: Judged, frozen_by: str) -> list[Broken]:
    """All that a verdict holds against a run, the gravest first."""
    document = judged.document
    if document["verdict"] == "pass":
        return []
    found = [Broken(frozen_by, judged.incidents[0])] if frozen_by else []
    if leaks := document["canaries"]["found"]:
        found.append(Broken("canary scan", f"{leaks} secrets found"))
    found += [Broken("key-free replay", each) for each in document["replayed"]["differing"][:1]]
    found += [Broken("framed", liar_in_words(each)) for each in document["framed"][:1]]
    found += [Broken("framed", named_in_words(each)) for each in document["named_in_vain"][:1]]
    for unsure, result in ((False, "broken"), (True, "unconfirmed")):
        found += [
            Broken(each.check, each.detail, each.line, -1 if each.check == PREDICTED else place, unsure)
            for place, each in enumerate(judged.judgements)
            if each.result == result
        ]
    found += [
        Broken(f"fault {each['id']}", each["failure"], each["line"])
        for each in document["faults"]
        if each["failure"]
    ]
    # A run that failed for no expectation failed for one of these.
    unsure = document["verdict"] != "fail" or any(not each.unsure for each in found)
    return found + [Broken("run", words, unsure=unsure) for words in judged.incidents[bool(frozen_by) :]]
