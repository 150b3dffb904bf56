"""The hands of the virtual world: seats, injectors of hosts, and links that a broker's outage cuts."""

from __future__ import annotations

from collections.abc import Callable

from node.errors import PrivityError
from node.faults.fault import Fault as Disturbance
from node.faults.fault import Skew
from scenarios.virtual.network import CLIENT
from scenarios.virtual.node_host import NodeHost
from scenarios.virtual.seat import Seat
from scenarios.virtual.world import World

OUTAGE = "broker down"


class VirtualHands:
    """Satisfies `hands.Hands`. `refused(name)` hears of a node that does not start on what its disk holds."""

    def __init__(self, world: World, refused: Callable[[str, PrivityError], None]) -> None:
        assert world.nodes is not None
        self._world = world
        self._refused = refused
        self._places = {name: place for place, name in enumerate(world.nodes.network.names)}
        self._given: dict[str, list[Disturbance]] = {}
        self._touched: dict[tuple[str, str], int] = {}  # By node and fault, of processes that are gone.

    def _seat(self, name: str) -> Seat:
        return self._world.seats[self._places[name]]

    def _host(self, name: str) -> NodeHost | None:
        host = self._seat(name).host
        assert host is None or isinstance(host, NodeHost)
        return host

    def running(self, name: str) -> bool:
        """Whether the node's process is there."""
        return self._seat(name).host is not None

    async def crash(self, name: str) -> bool:
        """The process is gone, and with it what its injector counted."""
        host = self._host(name)
        if host is not None:
            for identifier, count in host.injector.touched.items():
                self._touched[name, identifier] = self._touched.get((name, identifier), 0) + count
        self._world.crash(self._places[name], power_cut=True)
        self._seat(name).paused = False
        return host is not None and not self.running(name)

    async def start(self, name: str) -> bool:
        """A new process on the old disk."""
        if not self.running(name):
            try:
                self._world.start(self._places[name])
            except PrivityError as error:
                self._refused(name, error)
                return False
            for disturbance in self._given.get(name, ()):
                self._begin(name, disturbance)
        return self.running(name)

    async def pause(self, name: str) -> bool:
        """It takes nothing in, and no timer acts."""
        seat = self._seat(name)
        if seat.host is None or seat.paused:
            return False
        self._world.pause(seat.place)
        return seat.paused

    async def resume(self, name: str) -> None:
        """What came meanwhile is taken in now."""
        self._world.resume(self._places[name])

    async def disturb(self, name: str, disturbance: Disturbance) -> None:
        """Into the injector of the host."""
        self._given.setdefault(name, []).append(disturbance)
        self._begin(name, disturbance)

    def _begin(self, name: str, disturbance: Disturbance) -> None:
        host = self._host(name)
        if host is None:
            return
        host.disturb(disturbance)
        if isinstance(disturbance, Skew):
            self._set_clock(name)

    def _set_clock(self, name: str) -> None:
        skew_us = sum(each.by_us for each in self._given[name] if isinstance(each, Skew))
        self._world.skew(self._places[name], skew_us // 1000)

    async def undisturb(self, name: str, identifier: str) -> int:
        """Out of the injector; what it touched before a crash counts too."""
        given = self._given.get(name, [])
        skews = [each for each in given if each.id == identifier and isinstance(each, Skew)]
        was_off = bool(skews) and self._seat(name).skew_us != 0
        self._given[name] = [each for each in given if each.id != identifier]
        touched = self._touched.pop((name, identifier), 0) + was_off
        host = self._host(name)
        if host is not None:
            touched += host.undisturb(identifier)
        if skews:
            self._set_clock(name)
        return touched

    async def touched(self, name: str, identifier: str) -> int:
        """As the injector counts, and those of processes that are gone did."""
        host = self._host(name)
        return self._touched.get((name, identifier), 0) + (host.injector.touched[identifier] if host else 0)

    async def stop_broker(self) -> bool:
        """Nothing gets from anybody to anybody."""
        places = list(self._places.values())
        self._world.network.partition(OUTAGE, [CLIENT], *([place] for place in places))
        self._world.clients_cut = True
        return True

    async def start_broker(self) -> None:
        """Everybody is connected again."""
        self._world.network.join_again(OUTAGE)
        self._world.clients_cut = False
