"""Clients of a virtual world: they hand in requests, again and again until enough replicas are done."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from consensus.quorum import weak_quorum
from consensus.votes import Request, encode
from scenarios.virtual.bare_wire import BareRequest
from scenarios.virtual.network import CLIENT

if TYPE_CHECKING:
    from scenarios.virtual.world import World

FOR_EVER = (1 << 53) - 1


class Clients:
    """All clients of one world. `unfinished` has, by request, a bit for each replica that executed it."""

    def __init__(self, world: World, retry_ms: int) -> None:
        self.unfinished: dict[bytes, int] = {}
        self._packets: dict[bytes, bytes] = {}
        self._world = world
        self._retry_us = retry_ms * 1000
        self._made = 0
        self._all_correct = sum(1 << replica for replica in world.correct)
        self._enough = weak_quorum(world.n)
        self._retrying = False

    def request(self, valid_from: int, valid_until: int, size: int) -> Request:
        """A fresh request."""
        self._made += 1
        identifier = hashlib.sha256(b"%d request %d" % (self._world.seed, self._made)).digest()
        return Request(identifier, "client", self._made.to_bytes(16, "big"), valid_from, valid_until, size)

    def submit(self, request: Request, to: Iterable[int] | None) -> bytes:
        """Give a request to everybody, or first to some places only."""
        self.offer(request.id, encode(BareRequest(request)), to)
        return request.id

    def offer(self, identifier: bytes, packet: bytes, to: Iterable[int] | None = None) -> None:
        """The same with a packet that is ready."""
        world = self._world
        self.unfinished[identifier] = 0
        self._packets[identifier] = packet
        if to is None:
            world.network.broadcast(CLIENT, packet, world.now_us)
        else:
            for place in to:
                world.network.send(CLIENT, place, packet, world.now_us)
        if not self._retrying and self._retry_us:
            self._retrying = True
            world.agenda.at(world.now_us + self._retry_us, self._retry)

    def _retry(self) -> None:
        """A client that sees no weak quorum of executions tries again with everybody."""
        world = self._world
        for identifier, done in list(self.unfinished.items()):
            if done.bit_count() < self._enough:
                world.happened["client tried again"] += 1
                world.network.broadcast(CLIENT, self._packets[identifier], world.now_us)
        self._retrying = bool(self.unfinished)
        if self._retrying:
            world.agenda.at(world.now_us + self._retry_us, self._retry)

    def executed(self, replica: int, requests: Sequence[bytes]) -> None:
        """A correct replica executed these."""
        unfinished = self.unfinished
        if not unfinished:
            return
        for identifier in requests:
            done = unfinished.get(identifier)
            if done is not None:
                unfinished[identifier] = done | 1 << replica
                self._forget_if_done(identifier)

    def distrust(self, replica: int) -> None:
        """A replica turned out to be faulty: nobody waits for it any more."""
        self._all_correct &= ~(1 << replica)
        for identifier in list(self.unfinished):
            self._forget_if_done(identifier)

    def _forget_if_done(self, identifier: bytes) -> None:
        if self.unfinished[identifier] & self._all_correct == self._all_correct:
            del self.unfinished[identifier]
            del self._packets[identifier]
