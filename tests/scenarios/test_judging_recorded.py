"""A recorder that a broken broker cut off vouches for it only if nothing can have passed meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.wire import TransactionPacket, encode
from scenarios.model.plan import PlannedSend
from scenarios.sending import Sent
from tests.node.network_of_nodes import sealed_for
from tests.scenarios.made_evidence import Made

OUTAGE = (3_000, 8_080)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """The broker was down on purpose from 3 s to 8 s, and a node is back at 9 s."""
    made = Made(tmp_path)
    made.fault("broker-outage", (), began_ms=3_000, healing_ms=8_000, ended_ms=8_030)
    for t_ms in (50, 9_000):
        made.tells(t_ms, "ann", "net.connect")
    return made


def test_a_capture_without_a_gap_is_whole(made: Made) -> None:
    """And none at all is not."""
    assert not made.evidence().recorded
    made.hears()
    assert made.evidence().recorded


def test_a_recorder_that_is_back_first_missed_nothing(made: Made) -> None:
    """Nobody had a connection while it was deaf."""
    made.hears(deaf=OUTAGE)
    assert made.evidence().recorded


@pytest.mark.parametrize("deaf", [(3_000, 9_000), (3_000, None), (20_000, 20_100)])
def test_a_gap_that_no_outage_explains_is_one(made: Made, deaf: tuple[int, int | None]) -> None:
    """A node was back before it, or it never came back, or the broker was up."""
    made.hears(deaf=deaf)
    assert not made.evidence().recorded


def test_a_gap_without_a_fault_is_one(made: Made) -> None:
    """A recorder that lost its connection by itself may have missed anything."""
    made.faults.clear()
    made.hears(deaf=OUTAGE)
    assert not made.evidence().recorded


def test_a_transaction_that_nobody_heard_shows_that_something_passed(made: Made) -> None:
    """It is on a ledger, so its ciphertext must have gone through the broker."""
    sealed = sealed_for(made.network, {"note": "the rent of May"})
    transaction = sealed.transaction
    planned = PlannedSend("rent", 2_000, "ann", ("bob",), {})
    made.sent["rent"] = Sent(planned, transaction.id, 2_000, b"")
    made.commits(2, 9_500, txs=["rent"])
    made.hears(deaf=OUTAGE)
    assert not made.evidence().recorded
    made.hears([(None, encode(TransactionPacket(transaction, sealed.blob)))], deaf=OUTAGE)
    assert made.evidence().recorded
