"""A live node keeps what a flood may bring apart from votes, deliveries of blobs included (R37)."""

from __future__ import annotations

from pathlib import Path

import pytest

from node import driver as live
from node.broker_url import BrokerUrl
from node.driver import Driver
from node.wire import Frame
from tests.node.network_of_nodes import PARTIES, sealed_for
from tests.node.off_chain_world import off_chain, outgoing
from tests.node.peer_bytes import PACKETS


def test_a_flood_of_blobs_crowds_out_no_vote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one frame to the inbox: the blobs overflow their own queue, and the vote beside them is taken."""
    monkeypatch.setattr(live, "INBOX_BYTES", 10_000)
    network = off_chain()
    (tmp_path / "keys").mkdir(mode=0o700)
    PARTIES["bob"].save(tmp_path / "keys")
    driver = Driver(tmp_path, network, "bob", BrokerUrl.parse("mqtt://127.0.0.1:1"), "5", run="0001")
    try:
        sealed = sealed_for(network, {"amount": 1}, to=["bob"])
        (_, blob), *_ = outgoing(network, sealed, ["bob"]).deliveries()
        driver._deliver(driver.node.topics.inbox_of(1), Frame(1, 0, (blob,) * 50 + (PACKETS[0],)))
        assert driver._votes.take(100) == [PACKETS[0]]
        assert driver._transactions.take(100) == []
        assert driver.node.report.dropped["inbox full"] == 1
        driver._deliver(driver.node.topics.inbox_of(1), Frame(1, 0, (blob,)))
        assert driver._transactions.take(100) == [blob]
    finally:
        driver.node.close()
        driver._events.close()
