"""One run from start to verdict, as `run` and `up` both do it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node.errors import PrivityError
from node.logs.view import merge_events
from node.process_identity import process_started
from node.run_folder import RunFolder
from scenarios import VERSION
from scenarios.chains import read_chains
from scenarios.faults.record import read as read_faults
from scenarios.judging import Evidence, Judgement, incidents, judge, predicted, steps_as_expected, summed
from scenarios.kept import keep, keep_options
from scenarios.live import LiveRun
from scenarios.model.scenario import Scenario
from scenarios.operating import Operator, Options, Say
from scenarios.report.writing import searched_for, write_draft, write_of_run
from scenarios.together import ended
from scenarios.verdict import verdict_of, write_verdict
from scenarios.virtual.loop import VirtualLoop
from scenarios.virtual.run import VirtualRun


class Interrupted(Exception):
    """The user pressed Ctrl-C, or `privity down` asked this process to stop."""

    def __init__(self, by: int) -> None:
        super().__init__(signal.Signals(by).name)
        self.by = by


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict with the judgements it is made of."""

    document: dict[str, Any]
    judgements: list[Judgement]
    incidents: list[str]


def new_folder(scenario: Scenario, *, into: str | None = None, home: Path | None = None) -> RunFolder:
    """A folder for this run, with what is known of it before anything starts."""
    folder = RunFolder.create(home) if into is None else RunFolder.find(home, run=into)
    pid = os.getpid()
    folder.write_run(
        schema="privity.rundir/1",
        run=folder.number,
        name=scenario.name,
        file=scenario.file,
        seed=scenario.seed,
        transport=scenario.transport,
        pid=pid,
        pid_started=process_started(pid),
        state="starting",
        version=VERSION,
    )
    keep(folder, scenario)
    return folder


def loop_of(scenario: Scenario) -> type[asyncio.AbstractEventLoop] | None:
    """The event loop that a run of this scenario needs; None for the usual one."""
    return VirtualLoop if scenario.transport == "memory" else None


class Session:
    """A run in the world that its scenario names, stopped whatever happens, Ctrl-C and SIGTERM included."""

    def __init__(
        self, scenario: Scenario, source: Path, folder: RunFolder, options: Options, say: Say
    ) -> None:
        self.scenario = scenario
        self.folder = folder
        self.options = options
        world: type[LiveRun | VirtualRun] = VirtualRun if scenario.transport == "memory" else LiveRun
        self.run: Operator = world(scenario, source, folder, options, say)
        self._say = say
        self._started = time.monotonic()
        self._stop_signal: int | None = None
        self._stopping = asyncio.Event()

    @contextlib.asynccontextmanager
    async def running(self, *, signals: bool = True) -> AsyncIterator[None]:
        """Everything is up inside, and gone after. Without `signals` the caller stops it in another way."""
        loop = asyncio.get_running_loop()
        heard = (signal.SIGINT, signal.SIGTERM) if signals else ()
        for number in heard:
            loop.add_signal_handler(number, self._on_signal, number)
        keep_options(self.folder, self.options)
        try:
            await self._unless_stopped(self.run.start())
            yield
            self.run.timeline.raise_failure()
        finally:
            await self.run.stop()
            for number in heard:
                loop.remove_signal_handler(number)
            with contextlib.suppress(PrivityError, OSError):  # On a full disk the nodes' own logs must do.
                merge_events(self.folder)

    def _on_signal(self, number: int) -> None:
        self._stop_signal = number
        self._stopping.set()

    async def _unless_stopped(self, work: Any) -> Any:
        """Do this, but give up as soon as somebody wants us to stop, or work in the background fell over."""
        task = asyncio.ensure_future(work)
        ends = [asyncio.create_task(event.wait()) for event in (self._stopping, self.run.timeline.failed)]
        try:
            await asyncio.wait((task, *ends), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                self.run.timeline.raise_failure()
                assert self._stop_signal is not None
                raise Interrupted(self._stop_signal)
            return task.result()
        finally:
            await ended((task, *ends))

    async def play(self) -> bool:
        """Carry out the steps and let all nodes come to rest; whether they did."""
        await self._unless_stopped(self.run.play())
        settled = bool(await self._unless_stopped(self.run.settle()))
        await self.run.timeline.count()
        return settled

    async def stay(self) -> int:
        """Stay up until somebody wants us to stop; the number of the signal.

        Raises what work in the background raises meanwhile, such as the healing of a fault.
        """
        with contextlib.suppress(Interrupted):
            await self._unless_stopped(asyncio.Event().wait())
        assert self._stop_signal is not None
        return self._stop_signal

    def evidence(self, settled: bool) -> Evidence:
        """What there is now to judge by."""
        run = self.run
        run.flush()
        with contextlib.suppress(PrivityError):
            merge_events(self.folder)
        return Evidence(
            scenario=self.scenario,
            folder=self.folder,
            network=run.network,
            sent=run.sent,
            chains=read_chains(self.folder, run.network.names),
            secrets=run.secrets,
            settled=settled,
            until_ms=run.since_ms(),
            ended=tuple(gone.name for gone in run.crashed),
            invariants=tuple(run.broken),
            faults=tuple(read_faults(self.folder.faults)),
            replayed=run.sending.replayed,
            missed=tuple(run.triggers.missed),
            summed=run.aggregating.summed,
        )

    def judge(self, settled: bool) -> Judged:
        """The verdict on what there is now."""
        run, evidence = self.run, self.evidence(settled)
        if searched := searched_for(self.scenario):
            write_draft(self.folder)
        judgements = [*judge(evidence), *predicted(evidence), *summed(evidence)]
        judgements += steps_as_expected(evidence)
        document = verdict_of(
            evidence,
            judgements,
            views=run.views,
            world=run.facts,
            seconds=time.monotonic() - self._started,
        )
        words = {"holds": "expect.pass", "broken": "expect.fail", "unconfirmed": "expect.unknown"}
        with contextlib.closing(run.operator_log()) as events:
            for judgement in judgements:
                events.emit(words[judgement.result], id=judgement.check, line=judgement.line)
        with contextlib.suppress(PrivityError):
            merge_events(self.folder)
        write_verdict(self.folder.verdict, document)
        leaks = any(each.check == "no_plaintext" and each.result == "broken" for each in judgements)
        if searched and not leaks:  # Else what was found stays as it is, to be looked at.
            write_of_run(self.folder, self.folder.report, run.secrets.all)
        return Judged(document, judgements, incidents(evidence))
