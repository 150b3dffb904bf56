"""Packets that are held back until their time, bounded in number and bytes."""

from __future__ import annotations

import heapq
import itertools

MOST_PACKETS = 50_000
MOST_BYTES = 64 << 20


class Held:
    """Packets with a topic each. Those that are due at one time come out in the order they came in."""

    def __init__(self, *, most: int = MOST_PACKETS, most_bytes: int = MOST_BYTES) -> None:
        self._heap: list[tuple[int, int, str, bytes]] = []
        self._order = itertools.count()
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0

    @property
    def due_us(self) -> int | None:
        """When the next one is due, None if there is none."""
        return self._heap[0][0] if self._heap else None

    def put(self, due_us: int, topic: str, packet: bytes) -> bool:
        """Whether there was room."""
        if len(self._heap) >= self._most or self._bytes + len(packet) > self._most_bytes:
            return False
        heapq.heappush(self._heap, (due_us, next(self._order), topic, packet))
        self._bytes += len(packet)
        return True

    def take(self, now_us: int) -> list[tuple[str, bytes]]:
        """All that are due, the earliest first."""
        taken: list[tuple[str, bytes]] = []
        while self._heap and self._heap[0][0] <= now_us:
            _, _, topic, packet = heapq.heappop(self._heap)
            self._bytes -= len(packet)
            taken.append((topic, packet))
        return taken
