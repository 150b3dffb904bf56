"""One network steered by a program: what it is told and asked, as coroutines of the network's own loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node.envelopes.object_write import check_name
from node.errors import PrivityError
from node.text import did_you_mean
from scenarios.chains import read_chains
from scenarios.faults.given import given_fault
from scenarios.faults.record import FaultRecord
from scenarios.knowledge.matrix import build_matrix
from scenarios.knowledge.notebook import ShownMatrix
from scenarios.model.objects import Writes
from scenarios.model.payloads import PayloadError, check_payload
from scenarios.model.plan import PlannedSend
from scenarios.model.scenario import Scenario
from scenarios.operating import Options, Say
from scenarios.session import Judged, Session, new_folder

WAIT_S = 30.0
LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class Transaction:
    """A private transaction that was sent. `height` is None while no certificate for its block has come."""

    id: str
    tx: str  # The transaction id, 64 hex digits.
    sender: str
    readers: tuple[str, ...]
    height: int | None

    def __str__(self) -> str:
        return self.id


@dataclass(frozen=True, slots=True)
class Block:
    """A block as the nodes hold it: the same on `nodes`, the time in Unix milliseconds."""

    height: int
    hash: str
    state_root: str
    time_ms: int
    transactions: tuple[str, ...]
    nodes: tuple[str, ...]


class Steering:
    """A run folder, and in it a network that is up between `start` and `stop`."""

    def __init__(self, scenario: Scenario, file: Path, options: Options, home: Path | None, say: Say) -> None:
        self.scenario = scenario
        self.folder = new_folder(scenario, home=home)
        self._file = file
        self._options = options
        self._say = say
        self._up = contextlib.AsyncExitStack()
        self._made = 0
        self._settled = True

    async def start(self) -> None:
        self.session = Session(self.scenario, self._file, self.folder, self._options, self._say)
        await self._up.enter_async_context(self.session.running(signals=False))

    async def stop(self) -> None:
        await self._up.aclose()

    async def play(self) -> None:
        self._settled = await self.session.play()

    async def send(
        self,
        sender: str,
        to: Sequence[str],
        data: Mapping[str, Any],
        identifier: str | None,
        wait_s: float,
        writes: Writes | None = None,
    ) -> Transaction:
        run = self.session.run
        for name in (sender, *to):
            if name not in run.keys:
                near = did_you_mean(name, run.keys)
                raise PrivityError(
                    "E-PARTY",
                    f"no party named {name}" + (f"; {near}" if near else ""),
                    why=f"there are {', '.join(run.keys)}",
                )
        while identifier is None or identifier in run.sent:
            if identifier is not None:
                raise PrivityError("E-ID", "this id is taken", where=identifier)
            self._made += 1
            identifier = f"sent-{self._made}" if f"sent-{self._made}" not in run.sent else None
        readers = run.network.with_mandatory(sender, to)
        try:
            check_payload(data, writes=writes)
        except PayloadError as error:
            raise PrivityError(error.code, "this cannot be a payload", why=str(error)) from None
        if writes is not None:
            check_name(writes.name, "object")
        planned = PlannedSend(identifier, run.since_ms(), sender, readers, dict(data), writes=writes)
        sent = await run.sending.submit(planned)
        if wait_s and not await run.sending.confirm([identifier], wait_s):
            raise PrivityError(
                "E-UNCONFIRMED",
                f"no certificate for {identifier} within {wait_s:g} s",
                why="it may still be ordered later",
                next=f"privity why --run {self.folder.number}",
            )
        height = None if sent.proof is None else sent.proof.header.height
        return Transaction(identifier, sent.tx.hex(), sender, readers, height)

    async def settle(self, within_s: float) -> bool:
        self._settled = await self.session.run.settle(within_s)
        return self._settled

    async def readers(self, tx: str, at: str) -> set[str]:
        if at == "end":
            await self.settle(WAIT_S)
        matrix = self.matrix(at)
        if tx not in matrix:
            raise PrivityError("E-TX", "no such transaction", where=tx)
        return matrix.readers(tx)

    def matrix(self, at: str) -> ShownMatrix:
        return ShownMatrix.of(build_matrix(self.folder, at))

    async def fault(self, kind: str, fields: Mapping[str, Any]) -> FaultRecord:
        timeline = self.session.run.timeline
        fault = given_fault(self.scenario, {"kind": kind, **fields}, taken=timeline.records)
        return await timeline.add(fault)

    async def heal(self, identifier: str | None) -> list[FaultRecord]:
        timeline = self.session.run.timeline
        if identifier is None:
            return await timeline.heal()
        if identifier not in timeline.records:
            raise PrivityError("E-FAULT", "no such fault", where=identifier)
        return [await timeline.end(identifier)]

    async def wait_for(
        self, height: int | None, view: int | None, seconds: float | None, within_s: float
    ) -> None:
        loop, run = asyncio.get_running_loop(), self.session.run
        if seconds is not None:
            await asyncio.sleep(seconds)
        deadline = loop.time() + within_s
        while True:
            await run.statuses(LOOK_S)
            reached = max(run.views.values(), default=0)
            if (height is None or run.height >= height) and (view is None or reached >= view):
                return
            if loop.time() >= deadline:
                waits = any(sent.proof is None for sent in run.sent.values())
                idle = "" if waits else "; nothing was sent that waits, and an idle network keeps its primary"
                raise PrivityError(
                    "E-TIMEOUT",
                    f"not within {within_s:g} s: "
                    + ("" if height is None else f"height {height} ")
                    + ("" if view is None else f"view {view}"),
                    why=f"height {run.height}, view {reached}" + (idle if view is not None else ""),
                    next=f"privity why --run {self.folder.number}",
                )
            await asyncio.sleep(LOOK_S)

    async def judge(self) -> Judged:
        await self.settle(WAIT_S)
        await self.session.run.timeline.count()
        return self.session.judge(self._settled)

    def block(self, height: int) -> Block:
        chains = read_chains(self.folder, self.session.run.network.names)
        found = [(chain, chain.blocks[height]) for chain in chains if height in chain.blocks]
        if not found:
            raise PrivityError("E-BLOCK", f"no node has block {height}")
        chain, row = found[0]
        if any(other.hash != row.hash for _, other in found):
            raise PrivityError("E-MISMATCH", f"nodes hold different blocks at height {height}")
        inside = tuple(tx for tx, at in chain.executed.items() if at == height)
        nodes = tuple(each.node for each, _ in found)
        return Block(height, row.hash.hex(), row.state_root.hex(), row.time_ms, inside, nodes)
