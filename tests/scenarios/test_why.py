"""`privity why` in ten situations, most of them moments of a virtual run that was stopped to be looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.errors import CHECK_FAILED, FINE, WRONG_USAGE
from node.run_reading import RunReading
from scenarios.network import BlockingNetwork, Network
from scenarios.why.diagnosis import Diagnosis, diagnose
from scenarios.why.reading import find, read_known
from scenarios.why.transaction import TransactionDiagnosis, diagnose_transaction, transaction_lines
from scenarios.why.wording import lines_of
from tests.command_line import Privity

FILE = """\
privity: 1
name: why
consensus: {block_every: 50ms, view_timeout: 2s}
parties: {alice: {}, bob: {}, carol: {}, dave: {}}
steps:
  - {at: 200ms, do: send, id: rent, as: alice, to: [bob], data: {note: "rent for the month of May"}}
expect:
  - {check: agreement}
"""


@pytest.fixture
def net(tmp_path: Path) -> Network:
    """A virtual network of four; alice leads."""
    file = tmp_path / "why.yaml"
    file.write_text(FILE)
    return Network.load(file, transport="memory", home=tmp_path / "home")


def now(net: BlockingNetwork) -> Diagnosis:
    """What `privity why` would tell at this moment."""
    reading = RunReading(net.folder)
    return diagnose(read_known(reading, now_ms=net.now_ms))


def of(net: BlockingNetwork, tx: str) -> TransactionDiagnosis:
    """What it would tell of a transaction."""
    reading = RunReading(net.folder)
    known = read_known(reading, now_ms=net.now_ms)
    return diagnose_transaction(known, diagnose(known), find(reading, known, tx))


def send(net: BlockingNetwork, *, wait_s: float = 0, **more: object) -> None:
    """A transaction from bob to carol, not waited for."""
    net.send("bob", to=["carol"], data={"price": 1}, wait_s=wait_s, **more)  # type: ignore[arg-type]


def told(net: BlockingNetwork) -> str:
    """The same in words."""
    return "\n".join(lines_of(now(net)))


def test_all_is_well(net: Network) -> None:
    """Nothing waits, so no block is due."""
    with net as up:
        send(up, wait_s=10)
        up.wait_for(seconds=1)
        assert now(up).well and "All is well" in told(up)


def test_the_primary_is_down(net: Network) -> None:
    """Three of four are enough, so it must go on; who is down, and by which fault, is named."""
    with net as up:
        send(up, wait_s=10)
        up.fault("crash", nodes=["primary"], id="primary-down")
        send(up)
        up.wait_for(seconds=1.5)
        diagnosis = now(up)
        assert [each.node for each in diagnosis.missing] == ["alice"]
        assert not diagnosis.well and diagnosis.correct is not True and len(diagnosis.have) == 3
        assert "primary-down" in told(up)


def test_more_than_f_are_down(net: Network) -> None:
    """Stopping is correct, and which faults to heal is told."""
    with net as up:
        send(up, wait_s=10)
        up.fault("crash", nodes=["carol", "dave"], id="too-many")
        send(up)
        up.wait_for(seconds=6)
        diagnosis = now(up)
        assert diagnosis.correct is True and diagnosis.quorum == 3 and len(diagnosis.have) == 2
        assert "CORRECT" in told(up) and "too-many" in told(up)


def test_a_partition_without_a_quorum(net: Network) -> None:
    """Two against two: neither side may go on."""
    with net as up:
        send(up, wait_s=10)
        up.fault("partition", nodes=["alice", "bob"], id="split")
        send(up)
        up.wait_for(seconds=6)
        assert now(up).correct is True
        assert "split" in told(up)


def test_the_broker_is_down(net: Network) -> None:
    """Nobody hears anybody, and it is the broker's fault alone."""
    with net as up:
        send(up, wait_s=10)
        up.fault("broker-outage", for_="60s", id="no-broker")
        send(up)
        up.wait_for(seconds=6)
        assert now(up).state == "broker"
        assert "broker" in told(up) and "no-broker" in told(up)


def test_a_view_change_is_under_way(net: Network) -> None:
    """Two ask for the next view, one more is needed; it comes once a voter is back."""
    with net as up:
        send(up, wait_s=10)
        up.fault("crash", nodes=["primary"], id="primary-down")
        up.fault("pause", nodes=["dave"], id="asleep")
        send(up)
        up.wait_for(seconds=6)
        change = now(up).change
        assert change is not None and (change.to, change.have, change.need) == (1, 2, 3)
        assert "2 of the 3" in told(up)


def test_a_primary_censors(net: Network) -> None:
    """Others' transactions pass; bob's, which wait, are named."""
    with net as up:
        send(up, wait_s=10)
        up.fault("censor", nodes=["primary"], of=["bob"], id="no-bob")
        send(up, id="claim")
        for number in range(6):
            up.send("carol", to=["dave"], data={"n": number}, wait_s=5)
            up.wait_for(seconds=0.25)
        assert [each.id for each in now(up).left_out] == ["claim"]


def test_a_reader_is_away(net: Network) -> None:
    """The transaction is ordered, and waits for the one who cannot take it."""
    with net as up:
        send(up, wait_s=10)
        up.fault("crash", nodes=["carol"], id="carol-down")
        send(up, wait_s=10, id="letter")
        up.wait_for(seconds=1)
        said = "\n".join(transaction_lines(of(up, "letter")))
        assert "carol" in said and "carol-down" in said
        assert of(up, "letter").exit_code == CHECK_FAILED


def test_an_unknown_transaction_and_a_finished_run(privity: Privity, net: Network, tmp_path: Path) -> None:
    """The verdict of a run that ended; did you mean; what arrived has arrived."""
    home = tmp_path / "ended"
    assert privity(home, "run", str(tmp_path / "why.yaml"), "--transport", "memory", "-q").code == FINE
    ended = privity(home, "why")
    assert ended.code == FINE and "ended" in ended.out and "pass" in ended.out
    assert privity(home, "why", "--json").document["schema"] == "privity.why/1"
    unknown = privity(home, "why", "rnet")
    assert unknown.code == WRONG_USAGE and "did you mean rent?" in unknown.err
    arrived = privity(home, "why", "rent")
    assert arrived.code == FINE and "bob" in arrived.out
