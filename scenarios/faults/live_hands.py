"""The hands of the live world: signals for processes, commands for injectors, the broker's process."""

from __future__ import annotations

import contextlib

import msgspec

from node.errors import PrivityError
from node.faults.fault import Fault as Disturbance
from scenarios.processes.supervisor import Supervisor


class LiveHands:
    """Satisfies `hands.Hands`. A disturbance is remembered, so that a node which comes back has it again."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._given: dict[str, list[Disturbance]] = {}
        self._paused: set[str] = set()
        self._touched: dict[tuple[str, str], int] = {}  # By node and fault, of processes that are gone.

    def running(self, name: str) -> bool:
        """Whether the node's process is there."""
        return self._supervisor.running(name)

    async def crash(self, name: str) -> bool:
        """SIGKILL."""
        ran = self.running(name)
        if ran and name not in self._paused:
            # What it touched so far is in its memory only.
            for disturbance in self._given.get(name, ()):
                self._touched[name, disturbance.id] = await self.touched(name, disturbance.id)
        await self._supervisor.kill(name)
        self._paused.discard(name)
        return ran and not self.running(name)

    async def start(self, name: str) -> bool:
        """Start the process on its disk."""
        if not self.running(name):
            await self._supervisor.start(name, announces=True)
            for disturbance in self._given.get(name, ()):
                with contextlib.suppress(PrivityError):
                    await self._tell(name, disturbance)
        return self.running(name)

    async def pause(self, name: str) -> bool:
        """SIGSTOP."""
        if name in self._paused or not self.running(name):
            return False
        self._supervisor.pause(name)
        self._paused.add(name)
        return True

    async def resume(self, name: str) -> None:
        """SIGCONT."""
        self._paused.discard(name)
        self._supervisor.resume(name)

    async def disturb(self, name: str, disturbance: Disturbance) -> None:
        """Over the node's standard input; a node that is down gets it when it starts."""
        self._given.setdefault(name, []).append(disturbance)
        if self.running(name) and name not in self._paused:
            await self._tell(name, disturbance)

    async def undisturb(self, name: str, identifier: str) -> int:
        """Over the same; what it touched before a crash counts too."""
        self._given[name] = [each for each in self._given.get(name, ()) if each.id != identifier]
        touched = self._touched.pop((name, identifier), 0)
        return touched + await self._asked(name, {"end": identifier})

    async def touched(self, name: str, identifier: str) -> int:
        """Over the same; of a node that stands still, what is known."""
        return self._touched.get((name, identifier), 0) + await self._asked(name, {"count": identifier})

    async def _tell(self, name: str, disturbance: Disturbance) -> None:
        answer = await self._supervisor.control(name, {"begin": msgspec.to_builtins(disturbance)})
        if why := answer.get("error"):
            raise PrivityError("E-FAULT", "the node does not take this fault", where=name, why=str(why))

    async def _asked(self, name: str, line: dict[str, str]) -> int:
        """How many packets the answer counts; 0 from a node that cannot answer."""
        if not self.running(name) or name in self._paused:
            return 0
        with contextlib.suppress(PrivityError):
            answer = await self._supervisor.control(name, line)
            return int(answer.get("touched", 0))
        return 0

    async def stop_broker(self) -> bool:
        """SIGKILL the broker's process."""
        await self._supervisor.stop_broker_process()
        return True

    async def start_broker(self) -> None:
        """On the same port.

        The nodes stand still until the recorder listens again: what one of them says to the new broker before
        that, nobody could show to have been harmless, and the run would stay unconfirmed.
        """
        held = [name for name in self._supervisor.pids if name not in self._paused]
        for name in held:
            self._supervisor.pause(name)
        try:
            await self._supervisor.restart_broker()
            await self._supervisor.recorder_listens_again()
        finally:
            for name in held:
                if name not in self._paused:
                    self._supervisor.resume(name)
