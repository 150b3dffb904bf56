"""Whether the recorder's capture is all that the broker carried."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from node.consortium import Network
from node.run_folder import RunFolder
from scenarios.faults.record import FaultRecord
from scenarios.faults.timeline import BROKER_KINDS
from scenarios.judging.course import Course
from scenarios.knowledge.broker_view import read_broker
from scenarios.processes.capture import gaps


def heard_all(
    folder: RunFolder,
    network: Network,
    faults: Iterable[FaultRecord],
    course: Course,
    executed: Collection[bytes],
) -> bool:
    """Whether nothing can have passed the broker unheard.

    A broker that was down on purpose cut the recorder off, too. Then it missed nothing if it listened again
    before any node had its connection back, and if it heard every transaction that was `executed`.
    """
    view = read_broker(folder.capture)
    if view.complete:
        return True
    if not view.recorded or view.truncated:
        return False
    offset_ms = folder.read_run().get("capture_ms", network.created_ms) - network.created_ms
    outages = [record for record in faults if record.kind in BROKER_KINDS]
    for from_ms, to_ms in gaps(folder.capture):
        if to_ms is None:
            return False
        deaf_from, deaf_to = from_ms + offset_ms, to_ms + offset_ms
        if not any(record.overlaps(deaf_from, deaf_to) for record in outages):
            return False
        if any(deaf_from <= t_ms <= deaf_to for t_ms in course.connected):
            return False
    return set(executed) <= view.carried.keys()
