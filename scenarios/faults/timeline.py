"""When faults begin, whom they concern by then, when they heal, and what they touched."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from consensus.messages import Status
from node.consortium import Network
from node.errors import PrivityError
from node.logs.events import EventLog
from scenarios.faults.disturbances import disturbances
from scenarios.faults.hands import Hands, flip_a_byte, wipe
from scenarios.faults.record import FaultRecord, append, faulty, isolated
from scenarios.model.scenario import AtHeight, AtView, Fault
from scenarios.together import Together
from scenarios.triggers import LOOK_S, common_view

RESTART_MS = 1000
PROCESS_KINDS = frozenset(("crash", "restart", "pause", "corrupt-disk"))
BROKER_KINDS = frozenset(("broker-restart", "broker-outage"))


class Scene(Protocol):
    """Where faults happen: a run, as the timeline needs it."""

    network: Network
    events: EventLog
    hands: Hands

    def since_ms(self) -> int:
        """Milliseconds since the genesis."""

    def home(self, name: str) -> Path:
        """The folder of a node."""

    async def statuses(self, within_s: float = ...) -> dict[str, Status]:
        """Where each node stands that answers."""

    @property
    def height(self) -> int:
        """The highest height that a correct voter has claimed."""

    def blame(self, fault: Fault, names: Sequence[str]) -> None:
        """Hear who may lie, or forget, from now on: before it happens."""

    def tell_fault(self, record: FaultRecord) -> None:
        """Tell the user that a fault began or ended."""


class Timeline:
    """All faults of one run, those of its file and those that somebody adds while it is up."""

    def __init__(self, scene: Scene, path: Path) -> None:
        self._scene = scene
        self._path = path
        self._faults: dict[str, Fault] = {}
        self._lock = asyncio.Lock()  # One fault begins or ends at a time.
        self._healing: list[asyncio.Task[None]] = []  # Of faults that no file foresaw.
        self.failed = asyncio.Event()  # One of these fell over: `raise_failure` says how.
        self.records: dict[str, FaultRecord] = {}

    @property
    def isolated(self) -> set[str]:
        """Nodes that nobody may expect to follow now."""
        return isolated(self.records.values(), self._voters)

    @property
    def faulty(self) -> set[str]:
        """Nodes that lied, or may have forgotten what they promised."""
        return faulty(self.records.values())

    @property
    def misbehaving(self) -> set[str]:
        """Those whose fault is still on."""
        return faulty(record for record in self.records.values() if record.active)

    @property
    def turns(self) -> int:
        """How many beginnings and ends of faults there were until now."""
        return sum(
            (each.began_ms is not None) + (each.ended_ms is not None) for each in self.records.values()
        )

    @property
    def _voters(self) -> list[str]:
        return [member.name for member in self._scene.network.members if member.votes]

    @property
    def deliberate(self) -> set[str]:
        """Nodes whose process a fault that is on has ended, or made refuse to start."""
        kinds = ("crash", "restart", "corrupt-disk")
        records = [record for record in self.records.values() if record.active and record.kind in kinds]
        return {name for record in records for name in record.nodes}

    async def play(self, faults: Iterable[Fault]) -> None:
        """Let each fault begin when it is due, and heal. Returns when all that heal have healed."""
        faults = list(faults)
        for fault in faults:
            self.expect(fault)
        async with Together[None]() as group:
            for fault in faults:
                group.add(self._play_one(fault))

    def expect(self, fault: Fault) -> None:
        """Make a fault known before it begins."""
        self._faults[fault.id] = fault
        self.records[fault.id] = FaultRecord(
            id=fault.id,
            kind=fault.kind,
            line=fault.line,
            what=fault.describe(),
            to=fault.to,
            counts=fault.byzantine,
        )
        append(self._path, self.records[fault.id])

    async def _play_one(self, fault: Fault) -> None:
        await self._due(fault)
        await self.begin(fault.id)
        heals_ms = self._heals_after_ms(fault)
        if heals_ms is not None:
            await self._heal_after(fault.id, heals_ms)

    async def _due(self, fault: Fault) -> None:
        at = fault.at
        if isinstance(at, AtHeight):
            while (await self._looked()) < at.height:
                await asyncio.sleep(LOOK_S)
        elif isinstance(at, AtView):
            while (await self._view()) < at.view:
                await asyncio.sleep(LOOK_S)
        else:
            await asyncio.sleep(max(0, at - self._scene.since_ms()) / 1000)

    async def _looked(self) -> int:
        await self._scene.statuses(LOOK_S)
        return self._scene.height

    async def _view(self) -> int:
        """The view that most nodes are in."""
        return common_view(await self._scene.statuses(LOOK_S))

    @staticmethod
    def _heals_after_ms(fault: Fault) -> int | None:
        return fault.for_ms or RESTART_MS if fault.instant or fault.kind == "restart" else fault.for_ms

    async def add(self, fault: Fault) -> FaultRecord:
        """Let a fault begin now that no file foresaw; it heals by itself if it is to."""
        self.expect(fault)
        record = await self.begin(fault.id)
        heals_ms = self._heals_after_ms(fault)
        if heals_ms is not None:
            healing = asyncio.create_task(self._heal_after(fault.id, heals_ms))
            healing.add_done_callback(self._healed)
            self._healing.append(healing)
        return record

    def _healed(self, healing: asyncio.Task[None]) -> None:
        if not healing.cancelled() and healing.exception() is not None:
            self.failed.set()

    def raise_failure(self) -> None:
        """Raise what a healing in the background raised, if one did: nobody awaits it."""
        for healing in self._healing:
            if healing.done() and not healing.cancelled():
                healing.result()

    async def _heal_after(self, identifier: str, heals_ms: int) -> None:
        await asyncio.sleep(heals_ms / 1000)
        await self.end(identifier)

    async def begin(self, identifier: str) -> FaultRecord:
        """Let a known fault begin now."""
        async with self._lock:
            fault, record = self._faults[identifier], self.records[identifier]
            names = await self._resolve(fault)
            scene = self._scene
            record.nodes = tuple(names)
            record.groups = self._groups(fault, names)
            record.began_ms, record.began_height = scene.since_ms(), scene.height
            heals_ms = self._heals_after_ms(fault)
            record.until_ms = None if heals_ms is None else record.began_ms + heals_ms
            append(self._path, record)
            for name in names or (None,):
                scene.events.emit("fault.start", "warn", fault=fault.id, party=name)
            scene.blame(fault, names)
            try:
                record.touched += await self._do(fault, names)
            except PrivityError as error:
                record.note = error.what
            append(self._path, record)
            scene.tell_fault(record)
            return record

    async def end(self, identifier: str) -> FaultRecord:
        """Let a fault heal now."""
        async with self._lock:
            fault, record = self._faults[identifier], self.records[identifier]
            if not record.active:
                return record
            record.healing_ms = self._scene.since_ms()
            try:
                record.touched += await self._undo(fault, record.nodes)
            except PrivityError as error:
                record.note = error.what
            record.ended_ms = self._scene.since_ms()
            append(self._path, record)
            for name in record.nodes or (None,):
                self._scene.events.emit("fault.end", fault=fault.id, party=name)
            self._scene.tell_fault(record)
            return record

    async def heal(self) -> list[FaultRecord]:
        """Let every fault that is on heal now."""
        return [await self.end(record.id) for record in list(self.records.values()) if record.active]

    def lied(self, identifier: str) -> None:
        """A client told two tales because of this fault."""
        record = self.records[identifier]
        record.touched += 1
        append(self._path, record)

    async def count(self) -> None:
        """Write down what disturbances that are on have touched until now; they stay on."""
        async with self._lock:
            for record in self.records.values():
                if not record.active or record.kind in PROCESS_KINDS | BROKER_KINDS:
                    continue
                names = self._disturbances(self._faults[record.id], record.nodes)
                touched = sum([await self._scene.hands.touched(name, record.id) for name in names])
                if touched > record.touched:
                    record.touched = touched
                    append(self._path, record)

    async def close(self) -> None:
        """Before the run stops: nothing heals any more, and what is on is counted."""
        for task in self._healing:
            task.cancel()
        await self.count()

    # Whom.

    async def _resolve(self, fault: Fault) -> list[str]:
        """The nodes of a fault by now, each once, in the order of the network."""
        network = self._scene.network
        voters = self._voters
        wanted = set(fault.nodes) | {name for group in fault.groups for name in group}
        meant = wanted & set(network.names)
        if wanted & {"primary", "backups"}:
            primary = voters[await self._view() % len(voters)]
            meant |= {primary} if "primary" in wanted else set()
            meant |= set(voters) - {primary} if "backups" in wanted else set()
        if "voters" in wanted:
            meant |= set(voters)
        return [name for name in network.names if name in meant]

    def _groups(self, fault: Fault, names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
        if fault.kind != "partition":
            return ()
        if fault.groups:
            return tuple(tuple(group) for group in fault.groups)
        rest = tuple(name for name in self._scene.network.names if name not in names)
        return tuple(names), rest

    def _disturbances(self, fault: Fault, names: Sequence[str]) -> Mapping[str, list[object]]:
        network = self._scene.network

        def position(name: str) -> int:
            place = network.position(name)
            assert place is not None, name
            return place

        return disturbances(fault, names, position, network.names)  # type: ignore[return-value]

    # What.

    async def _do(self, fault: Fault, names: Sequence[str]) -> int:
        """Carry it out; how many processes it touched. What packets it touches is counted when it ends."""
        hands, scene = self._scene.hands, self._scene
        match fault.kind:
            case "crash" | "restart":
                touched = 0
                for name in names:
                    touched += await hands.crash(name)
                return touched
            case "pause":
                return sum([await hands.pause(name) for name in names])
            case "corrupt-disk":
                touched = 0
                for name in names:
                    await hands.crash(name)
                    touched += not hands.running(name) and flip_a_byte(scene.home(name))
                    await hands.start(name)
                return touched
            case "broker-restart" | "broker-outage":
                return int(await hands.stop_broker())
        for name, given in self._disturbances(fault, names).items():
            for disturbance in given:
                await hands.disturb(name, disturbance)  # type: ignore[arg-type]
        return 0

    async def _undo(self, fault: Fault, names: Sequence[str]) -> int:
        hands, scene = self._scene.hands, self._scene
        match fault.kind:
            case "crash" | "restart":
                for name in names:
                    if fault.disk == "lose" and not hands.running(name):
                        wipe(scene.home(name))
                    await hands.start(name)
                return 0
            case "pause":
                for name in names:
                    await hands.resume(name)
                return 0
            case "corrupt-disk":
                # What is damaged cannot be trusted with votes: the node starts over without its disk.
                for name in names:
                    if not hands.running(name):
                        wipe(scene.home(name))
                        await hands.start(name)
                return 0
            case "broker-restart" | "broker-outage":
                await hands.start_broker()
                return 0
        touched = sum([await hands.undisturb(name, fault.id) for name in self._disturbances(fault, names)])
        # What was counted while it was on is part of that.
        return max(0, touched - self.records[fault.id].touched)
