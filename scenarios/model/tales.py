"""Whom a lying sender deceives: a pure function of the file, so that the matrix can be predicted."""

from __future__ import annotations

from collections.abc import Iterable

from scenarios.model.faults import TWO_TALES, Fault


def lie_about(sender: str, at_ms: int, readers: tuple[str, ...], faults: Iterable[Fault]) -> Fault | None:
    """The fault because of which this sender lies in what it sends then, if it does.

    To one reader alone only one thing can be told.
    """
    for fault in faults:
        if fault.kind != TWO_TALES or sender not in fault.nodes or len(readers) < 2:
            continue
        assert isinstance(fault.at, int), "it begins at a time"
        if fault.at <= at_ms and (fault.for_ms is None or at_ms < fault.at + fault.for_ms):
            return fault
    return None


def deceived(sender: str, at_ms: int, readers: tuple[str, ...], faults: Iterable[Fault]) -> tuple[str, ...]:
    """The readers who are told the other tale: the second half of those named, the smaller one."""
    lying = lie_about(sender, at_ms, readers, faults) is not None
    return readers[(len(readers) + 1) // 2 :] if lying else ()
