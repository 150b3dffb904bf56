"""Rules that need real runs: who is excused, what replays lead to, who knows what; in the virtual world."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import msgspec
import pytest

from node.chain.journal import BlockRecord, Journal
from node.errors import CHECK_FAILED, FINE, UNCONFIRMED
from scenarios.model.scenario import MetadataKnown
from tests.command_line import Outcome, Privity
from tests.scenarios.virtual_evidence import evidence_of, one

PARTIES = """\
privity: 1
name: judged
network: {transport: memory}
consensus: {block_every: 50ms, view_timeout: 500ms}
"""
FOUR = PARTIES + "parties: {alice: {}, bob: {}, carol: {}, dave: {}}\n"
TRAFFIC = '  - {do: load, id: traffic, as: "*", to: [], count: 20, rate: 10/s, data: {pay: "1..900"}}\n'


def run(privity: Privity, home: Path, text: str) -> Outcome:
    """What `privity run` leaves of this file, as a document."""
    (home / "judged.yaml").write_text(text)
    return privity(home, "run", str(home / "judged.yaml"), "--json", "-q")


def results(done: Outcome) -> dict[str, str]:
    """The result of each expectation."""
    return {each["check"]: each["result"] for each in done.document["expectations"]}


def said(privity: Privity, home: Path) -> str:
    """The same run again, in words."""
    return privity(home, "run", str(home / "judged.yaml")).out


# Who is excused.


@pytest.mark.parametrize(
    ("fault", "agreed"),
    [
        ("{at: 700ms, do: fault, id: down, kind: crash, nodes: [dave]}", "dave agrees up to block"),
        ("{at: 700ms, do: fault, id: down, kind: pause, nodes: [dave]}", "dave agrees up to block"),
        ("{at: 700ms, do: fault, id: down, kind: disconnect, nodes: [dave]}", "dave agrees up to block"),
        ("{at: 700ms, do: fault, id: down, kind: partition, nodes: [dave]}", "dave agrees up to block"),
        ("{at: 700ms, do: fault, id: down, kind: silent, nodes: [dave]}", "dave faulty, not held to it"),
    ],
)
def test_a_fault_that_never_heals_can_pass(privity: Privity, tmp_path: Path, fault: str, agreed: str) -> None:
    """Those who follow must have everything; who is kept away agrees as far as it got, a liar need not."""
    done = run(privity, tmp_path, FOUR + f"steps:\n{TRAFFIC}  - {fault}\nexpect:\n  - {{check: agreement}}\n")
    assert (done.code, done.document["verdict"]) == (FINE, "pass"), said(privity, tmp_path)
    (agreement,) = done.document["expectations"]
    assert agreement["detail"].startswith("3 nodes hold the same ") and agreed in agreement["detail"]
    assert done.document["transactions"]["committed"] == 20
    (fault_,) = done.document["faults"]
    assert fault_["ended_ms"] is None and fault_["touched"] > 0 and not fault_["vacuous"]


NEVER_BACK = "  - {at: 700ms, do: fault, id: down, kind: crash, nodes: [carol, dave]}\n"
LATE = "  - {at: 3s, do: send, id: late, as: alice, to: [bob], data: {note: to be continued}}\n"


def test_a_network_that_is_expected_to_stop_for_ever_can_pass(privity: Privity, tmp_path: Path) -> None:
    """Two of four are gone for good: the file says that nothing must be committed, so what waits may wait."""
    expect = "expect:\n  - {check: stall, during: down}\n  - {check: agreement}\n"
    done = run(privity, tmp_path, FOUR + "steps:\n" + TRAFFIC + NEVER_BACK + LATE + expect)
    assert (done.code, results(done)) == (FINE, {"stall": "holds", "agreement": "holds"})
    transactions = done.document["transactions"]
    assert transactions["waiting"] >= 10 and transactions["refused"] == 0
    assert transactions["committed"] + transactions["waiting"] == transactions["submitted"] == 21


def test_a_network_that_stops_unexpectedly_does_not_pass(privity: Privity, tmp_path: Path) -> None:
    """What is on no ledger is named, and so is the fault that was on when it was sent."""
    done = run(privity, tmp_path, FOUR + "steps:\n" + NEVER_BACK + LATE + "expect: [{check: agreement}]\n")
    assert (done.code, done.document["verdict"]) == (UNCONFIRMED, "unconfirmed")
    line = "? run  1 of 1 transactions are not on every ledger: late; "
    assert line + "sent while down (crash of carol dave) lasted" in said(privity, tmp_path)


def test_a_partition_without_a_majority_excuses_everybody(privity: Privity, tmp_path: Path) -> None:
    """Two against two for good: nobody follows, and all agree as far as they got."""
    split = "  - {at: 700ms, do: fault, id: split, kind: partition, nodes: [alice, bob]}\n"
    expect = "expect:\n  - {check: stall, during: split}\n  - {check: agreement}\n"
    done = run(privity, tmp_path, FOUR + "steps:\n" + TRAFFIC + split + expect)
    assert (done.code, results(done)) == (FINE, {"stall": "holds", "agreement": "holds"})


def test_a_reader_that_is_kept_away_is_neither_a_leak_nor_a_promise_kept(
    privity: Privity, tmp_path: Path
) -> None:
    """dave is down for good when it is sent: whether he would read it cannot be confirmed; no plan fails."""
    down = "  - {at: 700ms, do: fault, id: down, kind: crash, nodes: [dave]}\n"
    send = "  - {at: 2s, do: send, id: rent, as: alice, to: [dave], data: {note: for dave alone}}\n"
    text = FOUR + "steps:\n" + down + send + "expect:\n  - {check: readers, tx: rent, are: [alice, dave]}\n"
    done = run(privity, tmp_path, text)
    assert (done.code, results(done)) == (UNCONFIRMED, {"readers": "unconfirmed"})
    assert done.document["plan"]["differing"] == 0
    done = run(privity, tmp_path, text.replace("are: [alice, dave]", "are: [alice]"))
    assert (done.code, results(done)) == (FINE, {"readers": "holds"})


def test_a_reader_that_nothing_keeps_away_must_read(privity: Privity, tmp_path: Path) -> None:
    """A rule that names one reader more is broken, fault or not."""
    down = "  - {at: 700ms, do: fault, id: down, kind: crash, nodes: [dave]}\n"
    send = "  - {at: 2s, do: send, id: rent, as: alice, to: [bob], data: {note: for bob alone}}\n"
    expect = "expect:\n  - {check: readers, tx: rent, are: [alice, bob, carol]}\n"
    done = run(privity, tmp_path, FOUR + "steps:\n" + down + send + expect)
    assert (done.code, results(done)) == (CHECK_FAILED, {"readers": "broken"})


# What is handed in once more.

REPLAY = """\
steps:
  - {at: 500ms, do: send, id: rent, as: alice, to: [bob], data: {note: the rent of May}}
  - {at: 2s, do: replay, id: again, tx: rent}
expect:
  - {check: refused, step: again}
"""


def test_a_replay_that_nodes_noticed_and_nobody_ordered_is_refused(tmp_path: Path) -> None:
    """Each node told of it; one block alone holds the transaction."""
    evidence = evidence_of(tmp_path, FOUR + REPLAY)
    found = one(evidence)
    assert (found.result, found.detail) == (
        "holds",
        "again: handed in at 2s, noticed by 4 nodes, ordered once, in block 2",
    )
    # Nobody noticed one that came later still, and one that was never handed in led to nothing by itself.
    later = {"again": dataclasses.replace(evidence.replayed["again"], at_ms=2_900)}
    assert one(dataclasses.replace(evidence, replayed=later)).result == "unconfirmed"
    assert one(dataclasses.replace(evidence, replayed={})).result == "unconfirmed"


def test_a_replay_that_was_ordered_again_is_not_refused(tmp_path: Path) -> None:
    """Whatever the ledger made of it: a second block holds the transaction."""
    evidence = evidence_of(tmp_path, FOUR + REPLAY)
    journal = Journal(evidence.folder.node("alice") / "journal", evidence.network.id)
    blocks = [record for _, record in journal.replay() if isinstance(record, BlockRecord)]
    header = msgspec.structs.replace(blocks[1].header, height=3)
    journal.append(msgspec.structs.replace(blocks[1], header=header))
    journal.sync()
    journal.close()
    found = one(evidence)
    assert (found.result, found.detail) == ("broken", "again: ordered again, in blocks 2 3")


# Metadata.

SENDS = """\
  erin: {votes: false}
steps:
  - {at: 200ms, do: send, id: rent, as: alice, to: [bob], data: {note: the rent of May}}
expect: [{check: agreement}]
"""


def test_metadata_is_known_to_exactly_these(tmp_path: Path) -> None:
    """The recipients to the readers; sender and size to everybody with a node, and to the broker."""
    text = FOUR.replace("parties: {alice: {}, bob: {}, carol: {}, dave: {}}\n", "parties:\n")
    text += "  alice: {}\n  bob: {}\n  carol: {}\n  dave: {}\n" + SENDS
    evidence = evidence_of(tmp_path, text)
    everybody = ("alice", "bob", "carol", "dave", "erin", "broker")

    def found(knows: str, *observers: str, **changes: Any) -> tuple[str, str]:
        rule = MetadataKnown("metadata", "", 3, "rent", ("rent",), knows, observers)
        scenario = dataclasses.replace(evidence.scenario, expectations=(rule,))
        judgement = one(dataclasses.replace(evidence, scenario=scenario, **changes))
        return judgement.result, judgement.detail

    assert found("recipients", "bob", "alice") == ("holds", "rent: recipients known to alice bob")
    assert found("sender", *everybody)[0] == found("size", *everybody)[0] == "holds"
    said_ = "rent: sender expected to be known to alice bob carol dave erin; broker knows it too"
    assert found("sender", *everybody[:5]) == ("broken", said_)
    assert found("recipients", "alice", "bob", "carol")[0] == "broken"
    assert found("recipients", "alice", "bob", "carol", settled=False)[0] == "unconfirmed"
    assert found("recipients", "alice", "bob", ended=("recorder",))[0] == "unconfirmed"
    assert found("recipients", "alice", "bob", sent={}) == ("unconfirmed", "rent: it was never sent")
