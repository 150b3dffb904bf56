"""`privity why`: moments of a virtual network that was stopped to be looked at, and runs that have ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from node.errors import CHECK_FAILED, FINE, NOT_REACHABLE, UNCONFIRMED, WRONG_USAGE
from node.run_folder import RunFolder
from node.run_reading import RunReading
from scenarios.network import BlockingNetwork, Network
from scenarios.why import diagnosis as states
from scenarios.why.diagnosis import Diagnosis, diagnose
from scenarios.why.reach import CUT_OFF
from scenarios.why.reading import find, read_known
from scenarios.why.suspicions import CENSORS, SILENT, SLOW
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
def file(tmp_path: Path) -> Path:
    """Four voters; alice leads."""
    path = tmp_path / "why.yaml"
    path.write_text(FILE)
    return path


@pytest.fixture
def up(file: Path) -> Iterator[BlockingNetwork]:
    """A virtual network of four that has committed one transaction of bob's."""
    with Network.load(file, transport="memory", home=file.parent / "home") as net:
        net.send("bob", to=["carol"], data={"price": 1}, wait_s=10)
        net.wait_for(seconds=1)
        yield net


def now(net: BlockingNetwork) -> Diagnosis:
    """What `privity why` would tell at this moment."""
    return diagnose(read_known(RunReading(net.folder), now_ms=net.now_ms))


def of(net: BlockingNetwork, tx: str) -> TransactionDiagnosis:
    """What it would tell of a transaction."""
    reading = RunReading(net.folder)
    known = read_known(reading, now_ms=net.now_ms)
    return diagnose_transaction(known, diagnose(known), find(reading, known, tx))


def told(net: BlockingNetwork) -> list[str]:
    """The same in words."""
    return lines_of(now(net))


def send(net: BlockingNetwork, **more: object) -> None:
    """A transaction from bob to carol, not waited for."""
    net.send("bob", to=["carol"], data={"price": 1}, **({"wait_s": 0} | more))  # type: ignore[arg-type]


# Moments of a network.


def test_all_is_well(up: BlockingNetwork) -> None:
    """Nothing waits, so no block is due; that is the whole answer."""
    diagnosis = now(up)
    assert (diagnosis.state, diagnosis.exit_code) == (states.IDLE, FINE)
    assert diagnosis.missing == () and diagnosis.suspected == ()
    assert told(up) == [
        "All is well: nothing is pending, so no block is due. "
        "4 of 4 voters are there (quorum 3) at height 2, view 0."
    ]


def test_the_primary_is_down(up: BlockingNetwork) -> None:
    """Three of four are enough, so it must go on: who is down, by which fault, and when that is noticed."""
    up.fault("crash", nodes=["primary"], id="primary-down")
    send(up)
    up.wait_for(seconds=1.5)
    diagnosis = now(up)
    (gone,) = diagnosis.missing
    assert (gone.node, gone.how, gone.fault) == ("alice", "crashed", "primary-down")
    assert (diagnosis.state, diagnosis.exit_code) == (states.NO_PRIMARY, CHECK_FAILED)
    assert diagnosis.have == ("bob", "carol", "dave") and diagnosis.correct is None
    assert [(each.what, each.who) for each in diagnosis.suspected] == [(SILENT, "alice")]
    assert 1400 <= diagnosis.overdue_ms <= 1700
    lines = told(up)
    assert lines[0].startswith("No block for 1.") and lines[0].endswith(" s at height 2, view 0.")
    assert "  rule  4 voters tolerate 1 fault; 1 is missing, and 3 are enough, so it must go on" in lines
    assert lines[-1].startswith("  next  whoever sees a request wait for 2.0 s asks for view 1.")


def test_more_than_f_are_down(up: BlockingNetwork) -> None:
    """Stopping is correct; the votes that cannot come, and when the fault heals, are told."""
    up.fault("crash", nodes=["carol", "dave"], id="too-many", for_="60s")
    send(up)
    up.wait_for(seconds=6)
    diagnosis = now(up)
    assert (diagnosis.state, diagnosis.correct) == (states.STOPPED, True)
    assert [each.node for each in diagnosis.missing] == ["carol", "dave"]
    assert {each.fault for each in diagnosis.missing} == {"too-many"} and diagnosis.suspected == ()
    need, down, rule, _, what_next = told(up)[1:]
    assert need == "  need  3 of 4 voters      have 2: alice bob"
    assert down.startswith("  down  carol dave: crashed at ") and ", back at " in down
    assert rule.endswith("2 are down, so stopping is CORRECT (safety before progress)")
    assert what_next.startswith("  next  view change to 1 has 2 of the 3 votes it needs. Wait: it heals at ")


def test_a_partition_without_a_quorum(up: BlockingNetwork) -> None:
    """Two against two: neither side may go on, and what the other side asks for does not count."""
    up.fault("partition", nodes=["alice", "bob"], id="split")
    send(up)
    up.wait_for(seconds=6)
    diagnosis = now(up)
    assert (diagnosis.state, diagnosis.correct) == (states.STOPPED, True)
    assert diagnosis.have == ("alice", "bob")
    assert {(each.node, each.how, each.fault) for each in diagnosis.missing} == {
        ("carol", CUT_OFF, "split"),
        ("dave", CUT_OFF, "split"),
    }
    assert diagnosis.change is not None and diagnosis.change.have <= 2


def test_a_partition_with_a_quorum_goes_on(up: BlockingNetwork) -> None:
    """Three against one: blocks come, and the one that is cut off is named."""
    up.fault("partition", nodes=["dave"], id="lonely")
    send(up, wait_s=10)
    diagnosis = now(up)
    assert (diagnosis.state, diagnosis.correct) == (states.DEGRADED, None)
    assert [(each.node, each.fault) for each in diagnosis.missing] == [("dave", "lonely")]


def test_the_broker_is_down(up: BlockingNetwork) -> None:
    """Nobody hears anybody, and that is the broker's fault and no node's."""
    up.fault("broker-outage", for_="60s", id="no-broker")
    send(up)
    up.wait_for(seconds=6)
    diagnosis = now(up)
    assert (diagnosis.state, diagnosis.correct, diagnosis.have) == (states.BROKER, True, ())
    assert diagnosis.missing == () and [each.id for each in diagnosis.heals] == ["no-broker"]
    lines = told(up)
    assert lines[0].startswith("The broker does not answer. No block for 6.")
    assert any(line.startswith("  fault no-broker: the broker went down at ") for line in lines)


def test_a_view_change_waits_for_votes(up: BlockingNetwork) -> None:
    """Two ask for the next view and a third is needed: the change is told, and who has asked."""
    up.fault("crash", nodes=["primary"], id="primary-down")
    up.fault("pause", nodes=["dave"], id="asleep")
    send(up)
    up.wait_for(seconds=6)
    change = now(up).change
    assert change is not None and (change.to, change.primary, change.need) == (1, "bob", 3)
    assert change.voters == ("bob", "carol")
    assert "view change to 1 has 2 of the 3 votes it needs." in told(up)[-1]


def test_a_view_change_waits_for_its_primary(up: BlockingNetwork) -> None:
    """All votes are there and the new view does not begin: who must begin it is named."""
    up.fault("crash", nodes=["primary"], id="primary-down")
    up.fault("delay", nodes=["bob"], by="30s", messages=["new-view"], id="late")
    send(up)
    up.wait_for(seconds=3)
    diagnosis = now(up)
    assert (diagnosis.state, diagnosis.view) == (states.CHANGING, 0)
    assert "has 3 of the 3 votes it needs; bob, who leads there, must begin it" in told(up)[-1]


def censored(net: BlockingNetwork) -> None:
    """The primary leaves out what bob sends; others go on."""
    net.fault("censor", nodes=["primary"], of=["bob"], id="no-bob")
    send(net, id="claim")
    for number in range(4):
        net.send("carol", to=["dave"], data={"n": number}, wait_s=5)
        net.wait_for(seconds=0.1)


def test_a_primary_censors(up: BlockingNetwork) -> None:
    """Blocks come, so not the network is stopped but one transaction: whose, and who may be doing it."""
    censored(up)
    diagnosis = now(up)
    assert (diagnosis.state, diagnosis.exit_code) == (states.CENSORED, CHECK_FAILED)
    assert [each.id for each in diagnosis.left_out] == ["claim"]
    assert [(each.what, each.who, each.fault) for each in diagnosis.suspected] == [
        (CENSORS, "alice", "no-bob")
    ]
    said = of(up, "claim")
    assert (said.state, said.exit_code) == ("waiting", CHECK_FAILED)
    assert "Blocks come, and claim may be left out on purpose" in "\n".join(transaction_lines(said))


def test_a_primary_is_slow(up: BlockingNetwork) -> None:
    """Blocks come late, each time by the primary's doing; nobody replaces it, and that is said."""
    up.fault("slow", nodes=["primary"], by="900ms", id="late")
    for _ in range(4):
        send(up, wait_s=10)
    send(up)
    up.wait_for(seconds=0.2)
    diagnosis = now(up)
    assert diagnosis.state == states.SLOWED
    assert [(each.what, each.who, each.fault) for each in diagnosis.suspected] == [(SLOW, "alice", "late")]
    assert any("is not replaced: PBFT has no answer" in line for line in told(up))


def test_a_voter_without_its_disk_may_not_vote(up: BlockingNetwork) -> None:
    """It answers and has all blocks, and yet is one of those that are missing."""
    up.fault("crash", nodes=["dave"], disk="lose", for_="1s", id="lost")
    up.wait_for(seconds=4)
    send(up, wait_s=10)
    diagnosis = now(up)
    assert diagnosis.have == ("alice", "bob", "carol")
    (mute,) = diagnosis.missing
    assert mute.node == "dave" and "may not vote yet" in mute.how


# Transactions.


def test_a_reader_is_away(up: BlockingNetwork) -> None:
    """The transaction is ordered; the reader that cannot take it is named with its fault, and then has it."""
    up.fault("crash", nodes=["carol"], id="carol-down")
    send(up, wait_s=10, id="letter")
    up.wait_for(seconds=1)
    letter = of(up, "letter")
    assert (letter.state, letter.exit_code) == ("undelivered", CHECK_FAILED)
    assert [(each.name, each.away and each.away.fault) for each in letter.lacking] == [
        ("carol", "carol-down")
    ]
    assert transaction_lines(letter)[0] == "letter is in block 3, and carol has not got it yet."
    assert now(up).undelivered != ()
    up.heal()
    up.wait_for(seconds=5)
    assert (of(up, "letter").state, of(up, "letter").exit_code) == ("delivered", FINE)


def test_a_transaction_is_on_its_way_or_still_planned(up: BlockingNetwork) -> None:
    """One that waits a moment is no trouble; one of the file that was never played is."""
    up.wait_for(seconds=1)
    send(up, id="fresh")
    fresh = of(up, "fresh")
    assert (fresh.state, fresh.exit_code, fresh.network.state) == ("waiting", FINE, states.WELL)
    rent = of(up, "rent")
    assert (rent.state, rent.exit_code) == ("planned", CHECK_FAILED)
    assert transaction_lines(rent) == [
        "rent was due at 0.2 s and was not handed in: the steps of the file were not played."
    ]


# What is on the command line.


def test_a_finished_run(privity: Privity, file: Path, tmp_path: Path) -> None:
    """When it ended, its verdict, that nothing was open; what arrived has arrived."""
    home = tmp_path / "ended"
    assert privity(home, "run", str(file), "--transport", "memory", "-q").code == FINE
    ended = privity(home, "why")
    assert ended.code == FINE
    first, second = ended.out.splitlines()
    assert first.startswith("Run 0001 ended at ") and first.endswith("pass, 1 of 1 expectations hold.")
    assert second == "Nothing was open then."
    document = privity(home, "why", "--json").document
    assert (document["schema"], document["well"], document["next"]) == ("privity.why/1", True, None)
    assert document["ended"]["verdict"] == "pass"
    arrived = privity(home, "why", "rent")
    assert arrived.code == FINE
    assert arrived.out.splitlines()[1] == "rent has arrived: block 2, opened by alice, bob."


def test_a_finished_run_that_failed(privity: Privity, file: Path, tmp_path: Path) -> None:
    """What it broke is named with its line, expectations and faults alike, without another run."""
    text = file.read_text().replace(
        "expect:", "  - {at: {height: 900}, do: fault, id: late, kind: crash, nodes: [bob]}\nexpect:"
    )
    file.write_text(text + "  - {check: height, min: 500}\n")
    privity(tmp_path / "home", "run", str(file), "--transport", "memory", "-q")
    said = privity(tmp_path / "home", "why")
    at = {
        word: n
        for n, text in enumerate(file.read_text().splitlines(), 1)
        for word in ("late", "500")
        if word in text
    }
    unmet = [each for each in said.out.splitlines() if each.startswith("  unmet ")]
    assert unmet[0].startswith(f"  unmet {file}:{at['500']}  height  ")
    assert unmet[1].startswith(f"  unmet {file}:{at['late']}  fault late  never began")
    document = privity(tmp_path / "home", "why", "--json").document
    assert [f"  unmet {each}" for each in document["ended"]["unmet"]] == unmet
    (logged,) = privity(tmp_path / "home", "logs", "--ev", "expect.fail").out.splitlines()
    assert logged.split()[2:] == ["expect.fail", "height", "line", str(at["500"])]


def test_a_finished_run_that_left_something_open(privity: Privity, tmp_path: Path) -> None:
    """A reader that never came back had not got what was sent to it: exit code 1."""
    file = tmp_path / "open.yaml"
    fault = "  - {at: 100ms, do: fault, id: gone, kind: crash, nodes: [bob]}\n"
    file.write_text(FILE.replace("expect:", f"{fault}expect:").replace("at: 200ms", "at: 900ms"))
    privity(tmp_path / "home", "run", str(file), "--transport", "memory", "-q")
    said = privity(tmp_path / "home", "why")
    assert said.code == CHECK_FAILED
    assert "  lacks bob had not got rent, which is in block 2" in said.out.splitlines()
    document = privity(tmp_path / "home", "why", "--json").document
    assert (document["well"], document["undelivered"]) == (False, [{"tx": "rent", "node": "bob"}])


def test_an_unknown_transaction(privity: Privity, file: Path, tmp_path: Path) -> None:
    """It is wrong usage, and the nearest one is named, also one that was only planned."""
    home = tmp_path / "home"
    privity(home, "run", str(file), "--transport", "memory", "-q")
    unknown = privity(home, "why", "rnet")
    assert (unknown.code, unknown.out) == (WRONG_USAGE, "")
    assert "no transaction rnet in run 0001; did you mean rent?" in unknown.err
    with Network.load(file, transport="memory", home=home) as up:
        planned = privity(home, "why", "rnet", "--run", up.folder.number)
    assert planned.code == WRONG_USAGE and "did you mean rent?" in planned.err


def test_no_such_run_and_one_that_has_not_begun(privity: Privity, tmp_path: Path) -> None:
    """Exit code 5 without a run; 3 while its network is not founded, because nothing can be told."""
    assert privity(tmp_path, "why").code == NOT_REACHABLE
    RunFolder.create(tmp_path)
    said = privity(tmp_path, "why")
    assert said.code == UNCONFIRMED and "is still starting" in said.err


# The words, and what no small network shows.
