"""Faults that somebody asks a run for while it is up: begun, listed and healed, with what theory says."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec

from node.errors import WRONG_USAGE, PrivityError
from node.text import clean, did_you_mean
from scenarios.faults.given import given_fault
from scenarios.faults.record import FaultRecord
from scenarios.faults.theory import predict
from scenarios.mailbox import Mailbox
from scenarios.operating import Operator

LOOK_S = 0.3


@contextlib.asynccontextmanager
async def taking_faults(run: Operator) -> AsyncIterator[None]:
    """Inside, a run that is up takes faults from other processes."""
    serving = asyncio.create_task(Mailbox(run.folder).serve(FaultDesk(run).answer))
    try:
        yield
    finally:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


class FaultDesk:
    """Answers the wishes of `privity fault` for one run."""

    def __init__(self, run: Operator) -> None:
        self._run = run

    async def answer(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        """Do what a wish says: `{"begin": {...}}`, `{"heal": ID or null}`.

        Raises PrivityError (wrong usage) when nothing was done.
        """
        if set(wish) == {"begin"} and isinstance(wish["begin"], dict):
            return await self._begin(wish["begin"])
        if set(wish) == {"heal"} and (wish["heal"] is None or isinstance(wish["heal"], str)):
            return await self._heal(wish["heal"])
        raise PrivityError(
            "E-USAGE", "the run does not know this request", where="mailbox", exit_code=WRONG_USAGE
        )

    async def _begin(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        timeline = self._run.timeline
        fault = given_fault(self._run.scenario, fields, taken=timeline.records)
        primary = await self._primary()
        record = await timeline.add(fault)
        return self._document([record], primary)

    async def _heal(self, identifier: str | None) -> dict[str, Any]:
        timeline = self._run.timeline
        records = timeline.records
        if identifier is None:
            healed = await timeline.heal()
        elif identifier not in records:
            known = list(records)
            raise PrivityError(
                "E-FAULT",
                f"no fault {clean(identifier)[:40]} in this run",
                why=did_you_mean(identifier, known) or (f"there are: {' '.join(known)}" if known else "none"),
                next="privity fault list",
                exit_code=WRONG_USAGE,
            )
        elif not records[identifier].active:
            raise PrivityError(
                "E-FAULT",
                f"fault {identifier} is not on",
                why="it has healed" if records[identifier].ended_ms is not None else "it has not begun",
                next="privity fault list",
                exit_code=WRONG_USAGE,
            )
        else:
            healed = [await timeline.end(identifier)]
        return self._document(healed, await self._primary())

    async def _primary(self) -> str:
        """Who leads now, by the word of most nodes."""
        run = self._run
        voters = [member.name for member in run.network.members if member.votes]
        views = Counter(status.view for status in (await run.statuses(LOOK_S)).values())
        views = views or Counter(run.views.values())
        view = max(views, key=lambda each: (views[each], each), default=0)
        return voters[view % len(voters)]

    def _document(self, records: Sequence[FaultRecord], primary: str) -> dict[str, Any]:
        run = self._run
        voters = [member.name for member in run.network.members if member.votes]
        prediction = predict(run.timeline.records.values(), voters, primary)
        return {
            "at_ms": run.since_ms(),
            "faults": [msgspec.to_builtins(record) for record in records],
            "theory": {
                "text": prediction.text,
                "goes_on": prediction.goes_on,
                "down": prediction.away,
                "faulty": prediction.faulty,
                "voters": prediction.voters,
            },
        }
