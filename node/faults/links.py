"""What the links between nodes do to packets: cut, lost, late, twice, out of order."""

from __future__ import annotations

from collections import Counter
from random import Random

from node.faults.fault import NETWORK, Delay, Duplicate, Loss, OnLinks, Partition, Reorder
from node.message_kinds import kind_of

# Where transactions and inquiries come from. No fault of a link between replicas concerns them.
CLIENT = -1

OfLinks = Partition | Delay | Loss | Duplicate | Reorder


class Links:
    """The faults of links that are active, and what they do to each packet."""

    def __init__(self, random: Random, touched: Counter[str]) -> None:
        self._random = random
        self._touched = touched
        # Each with the times at which what a delay held last went on, by source and target.
        self._faults: list[tuple[OfLinks, dict[tuple[int, int], int]]] = []

    def set(self, faults: list[OfLinks]) -> None:
        """These are the active ones from now on."""
        known = {id(fault): last_us for fault, last_us in self._faults}
        self._faults = [(fault, known.get(id(fault), {})) for fault in faults]

    def carry(self, source: int, target: int, packet: bytes, now_us: int) -> list[int]:
        """The delay of each copy that arrives, none if the packet is lost."""
        delay_us = 0
        more: list[int] = []
        kind = kind_of(packet)
        for fault, last_us in self._faults:
            if source == CLIENT and fault.id != NETWORK:
                continue
            if isinstance(fault, Partition):
                if fault.cuts(source, target):
                    self._touch(fault)
                    return []
                continue
            if not fault.applies(source, target, kind) or not self._strikes(fault):
                continue
            self._touch(fault)
            if isinstance(fault, Loss):
                return []
            if isinstance(fault, Delay):
                link = source, target
                delay_us += self._drawn(fault)
                last_us[link] = max(now_us + delay_us, last_us.get(link, 0))
                delay_us = last_us[link] - now_us
            elif isinstance(fault, Duplicate):
                more.append(self._drawn(fault))
            else:
                delay_us += self._drawn(fault)
        return [delay_us, *(delay_us + later_us for later_us in more)]

    def _strikes(self, fault: OnLinks) -> bool:
        return fault.chance >= 1 or self._random.random() < fault.chance

    def _drawn(self, fault: OnLinks) -> int:
        least_us, most_us = fault.by_us
        return self._random.randint(least_us, most_us) if least_us < most_us else least_us

    def _touch(self, fault: OfLinks) -> None:
        if fault.id != NETWORK:
            self._touched[fault.id] += 1
