"""A session that several tests read: a block as four parties see it, and an opening that comes too early."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from node.logs.view import json_line
from node.run_folder import EVENTS, OPERATOR, RunFolder

BATCH = {"h": 3, "v": 0, "digest": "9c41e07b"}
BLOCK = {"h": 3, "v": 0, "blk": "9c41e07b"}
VOTERS = ["acme", "bolt", "city"]
EARLY = {"h": 6, "id": "tender-close"}
BID = {"tx": "7f3a91c2", "id": "bid-acme"}
STORY: list[tuple[int, str, str, dict[str, Any]]] = [
    (4102, "acme", "tx.submit", BID | {"bytes": 256, "hint": "sealed tender-close"}),
    (4310, "city", "pbft.pre_prepare", BATCH | {"txs": 1, "to": ["acme", "bolt", "notary"]}),
    (4322, "acme", "pbft.prepare", BATCH | {"from": "acme", "have": 1, "need": 2}),
    (4329, "acme", "pbft.prepared", BATCH | {"from": ["acme", "bolt"], "have": 2, "need": 2}),
    (4341, "acme", "pbft.committed", BATCH | {"from": VOTERS, "have": 3, "need": 3, "dur_ms": 31}),
    (4344, "crane", "block.commit", BLOCK | {"txs": 1, "cell": "#"} | BID),
    (8004, "notary", "seal.early", EARLY | {"err": "E-SEAL-EARLY", "hint": "opens at 12s"}),
]
SHOWN = """
00:04.102  acme    tx.submit        bid-acme          sealed tender-close · 256 B padded
00:04.310  city    pbft.pre_prepare h3 v0 9c41…       1 tx -> acme bolt notary
00:04.322  acme    pbft.prepare     h3 v0 9c41…       have 1 of 2 (self)
00:04.329  acme    pbft.prepared    h3 v0 9c41…       2 of 2 ✓ (self bolt)
00:04.341  acme    pbft.committed   h3 v0 9c41…       3 of 3 ✓ (self bolt city)   31 ms
00:04.344  crane   block.commit     h3 v0 9c41…       1 tx · bid-acme: commitment only
──────────── 3.7 s without events ────────────
00:08.004  notary  seal.early       tender-close      refused E-SEAL-EARLY · opens at 12s
"""
SHOWN_IN_ASCII = """
00:04.102  acme    tx.submit        bid-acme          sealed tender-close - 256 B padded
00:04.310  city    pbft.pre_prepare h3 v0 9c41...     1 tx -> acme bolt notary
00:04.322  acme    pbft.prepare     h3 v0 9c41...     have 1 of 2 (self)
00:04.329  acme    pbft.prepared    h3 v0 9c41...     2 of 2 ok (self bolt)
00:04.341  acme    pbft.committed   h3 v0 9c41...     3 of 3 ok (self bolt city)   31 ms
00:04.344  crane   block.commit     h3 v0 9c41...     1 tx - bid-acme: commitment only
------------ 3.7 s without events ------------
00:08.004  notary  seal.early       tender-close      refused E-SEAL-EARLY - opens at 12s
"""


def event(t: int, node: str, ev: str, **more: Any) -> dict[str, Any]:
    """An event as it stands in a log, `t` milliseconds after the start."""
    ts = f"2026-11-23T12:{t // 60000:02d}:{t // 1000 % 60:02d}.{t % 1000:03d}Z"
    always = {"ts": ts, "t": t, "seq": 1, "lam": 0, "run": "0001", "node": node, "lvl": "info", "ev": ev}
    return always | more


def story() -> list[dict[str, Any]]:
    """The events of the session."""
    return [event(t, node, ev, **more) for t, node, ev, more in STORY]


def write(folder: RunFolder, events: Iterable[dict[str, Any]]) -> RunFolder:
    """Append the events to the logs of their nodes."""
    for one in events:
        home = folder.operator if one["node"] == OPERATOR else folder.make_node(one["node"])
        with (home / EVENTS).open("a") as file:
            file.write(json_line(one) + "\n")
    return folder
