"""What a virtual run left behind, as the judge gets it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from scenarios.judging import Evidence, Judgement, judge
from scenarios.model.loading import load_scenario
from scenarios.operating import Options
from scenarios.session import Session, new_folder
from scenarios.virtual.loop import VirtualLoop


def evidence_of(home: Path, text: str, options: Options | None = None) -> Evidence:
    """The evidence of a run of this scenario, which names the virtual world."""
    options = Options() if options is None else options
    file = home / "judged.yaml"
    file.write_text(text)
    scenario = load_scenario(file)

    async def run() -> Evidence:
        folder = new_folder(scenario, home=home)
        session = Session(scenario, file, folder, options, lambda kind, said: None)
        async with session.running(signals=False):
            settled = await session.play()
        return session.evidence(settled)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(run())


def one(evidence: Evidence) -> Judgement:
    """The judgement of its only expectation."""
    (found,) = judge(evidence)
    return found
