"""Judging a recorded run: the checkers, fed from an I/O trace instead of a world."""

from __future__ import annotations

import json
from collections.abc import Iterable

from scenarios.checkers.checkers import Checkers


def judge(lines: Iterable[str], *, faulty: Iterable[int] = (), window: int = 128) -> Checkers:
    """Check a whole trace; the checkers with their summary. Raises InvariantBroken where one is broken."""
    packets: dict[int, bytes] = {}
    checkers: Checkers | None = None
    for text in lines:
        line = json.loads(text)
        if checkers is None:
            members = [bytes.fromhex(key) for key in line["members"]]
            network_id, epoch = bytes.fromhex(line["network"]), line["epoch"]
            checkers = Checkers(line["n"], network_id, members, window=window, epoch=epoch, faulty=faulty)
            continue
        at_us, replica, event = line["t_us"], line["replica"], line["event"]
        data = bytes.fromhex(line["bytes"]) if "bytes" in line else packets.get(line.get("packet"), b"")
        if "packet" in line:
            packets[line["packet"]] = data
        if event == "sent":
            checkers.sent(at_us, replica, line["to"], data)
        elif event in ("delivered", "persisted"):
            getattr(checkers, event)(at_us, replica, data)
        elif event == "stopped":
            checkers.stopped(at_us, replica, line["how"])
        elif event == "executed":
            block, root, digest = (bytes.fromhex(line[name]) for name in ("block", "state_root", "digest"))
            checkers.executed(at_us, replica, line["height"], block, root, digest)
        else:
            getattr(checkers, event)(at_us, replica)
    assert checkers is not None, "an empty trace"
    return checkers
