"""A run that passes must prove that its faults happened: what touched nothing, or never began, fails it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args
from xml.etree import ElementTree

import pytest

from node.errors import CHECK_FAILED, FINE, PrivityError
from scenarios import Network, sending
from scenarios.faults.record import FaultRecord, append, faulty, isolated, read
from scenarios.faults.virtual_hands import VirtualHands
from scenarios.model.any_fault import AnyFault
from scenarios.model.faults import LIES
from tests.command_line import Outcome, Privity

SCENARIO = """\
privity: 1
name: proved
network: {transport: memory}
consensus: {block_every: 50ms, view_timeout: 500ms}
parties: {alice: {}, bob: {}, carol: {}, dave: {}}
steps:
  - {do: load, id: traffic, as: "*", to: {random: 1..2}, count: 30, rate: 10/s, data: {pay: "1..900"}}
  - {at: 700ms, do: fault, id: broken, %s}
expect:
  - {check: agreement}
"""
LINE = 8
KINDS = {
    "crash": "kind: crash, nodes: [dave], for: 1s",
    "restart": "kind: restart, nodes: [dave]",
    "pause": "kind: pause, nodes: [dave], for: 1s",
    "disconnect": "kind: disconnect, nodes: [dave], for: 1s",
    "partition": "kind: partition, nodes: [dave], for: 1s",
    "delay": "kind: delay, nodes: [dave], by: 20ms..80ms, for: 1s",
    "loss": "kind: loss, nodes: [dave], chance: 50%, for: 1s",
    "duplicate": "kind: duplicate, nodes: [dave], chance: 50%, for: 1s",
    "reorder": "kind: reorder, nodes: [dave], chance: 50%, for: 1s",
    "equivocate": "kind: equivocate, nodes: [primary], for: 1s",
    "silent": "kind: silent, nodes: [dave], for: 1s",
    "censor": "kind: censor, nodes: [primary], of: [bob], for: 1s",
    "slow": "kind: slow, nodes: [primary], by: 100ms, for: 1s",
    "flood": "kind: flood, nodes: [dave], for: 1s",
    "two-tales": "kind: two-tales, nodes: [dave], for: 1s",
    "corrupt-disk": "kind: corrupt-disk, nodes: [dave]",
    "skew": "kind: skew, nodes: [dave], by: +200ms, for: 1s",
    "broker-restart": "kind: broker-restart",
    "broker-outage": "kind: broker-outage, for: 1s",
}
SAID = "touched nothing: a run that passes must prove that its fault happened"


async def nothing(*given: object) -> bool:
    """What hands do that do nothing, and say so."""
    return False


@pytest.fixture
def idle_hands(monkeypatch: pytest.MonkeyPatch) -> None:
    """A world in which no fault has an effect."""
    for work in ("crash", "pause", "disturb", "stop_broker"):
        monkeypatch.setattr(VirtualHands, work, nothing)
    monkeypatch.setattr(sending, "lie", lambda run, send, honest: honest)


def run(privity: Privity, home: Path, fault: str, *more: str) -> Outcome:
    """A run with this fault."""
    (home / "proved.yaml").write_text(SCENARIO % fault)
    return privity(home, "run", str(home / "proved.yaml"), *more)


def test_every_kind_is_tried() -> None:
    """The table above is of all kinds that a file can name; other lies: test_lying_about_shares.py."""
    union = get_args(AnyFault)[0]
    named = {get_args(step.model_fields["kind"].annotation)[0] for step in get_args(union)}
    assert named == {*KINDS, *LIES}


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_of_this_kind_is_felt(privity: Privity, tmp_path: Path, kind: str) -> None:
    """The run passes, and its document tells whom the fault concerned, from when to when, and what it did."""
    done = run(privity, tmp_path, KINDS[kind], "--json", "-q")
    assert (done.code, done.document["verdict"]) == (FINE, "pass"), done.out
    (fault,) = done.document["faults"]
    assert (fault["id"], fault["kind"], fault["line"]) == ("broken", kind, LINE)
    assert fault["touched"] > 0 and not fault["vacuous"] and not fault["failure"]
    assert 700 <= fault["began_ms"] < fault["ended_ms"]
    assert fault["nodes"] == ([] if kind.startswith("broker") else fault["nodes"][:1])


# One kind or two for each hand that the fixture stops: what follows is the same for all of its kinds.
WITHOUT_EFFECT = ("crash", "corrupt-disk", "pause", "partition", "equivocate", "skew", "broker-outage")


@pytest.mark.usefixtures("idle_hands")
@pytest.mark.parametrize("kind", WITHOUT_EFFECT)
def test_a_fault_of_this_kind_without_effect_fails(privity: Privity, tmp_path: Path, kind: str) -> None:
    """Everything else is as it should be; the fault is reported as vacuous, in words and in the document."""
    report = tmp_path / "out.xml"
    done = run(privity, tmp_path, KINDS[kind], "--junit", str(report))
    assert done.code == CHECK_FAILED and f"proved.yaml:{LINE}  fault broken  {SAID}" in done.out
    document = json.loads((tmp_path / "runs" / "latest" / "verdict.json").read_text())
    assert document["verdict"] == "fail"
    assert [each["result"] for each in document["expectations"]] == ["holds"]
    (fault,) = document["faults"]
    assert (fault["touched"], fault["vacuous"], fault["failure"]) == (0, True, SAID)
    (case,) = ElementTree.parse(report).iterfind(f"testcase[@name='line {LINE}: fault broken']/failure")
    assert case.get("message") == SAID


def test_a_fault_that_never_began_fails(privity: Privity, tmp_path: Path) -> None:
    """It waited for a height that never came."""
    fault = KINDS["crash"]
    (tmp_path / "proved.yaml").write_text((SCENARIO % fault).replace("at: 700ms", "at: {height: 500}"))
    done = privity(tmp_path, "run", str(tmp_path / "proved.yaml"))
    assert done.code == CHECK_FAILED
    assert f"✗ {tmp_path / 'proved.yaml'}:{LINE}  fault broken  never began: a run that passes" in done.out


def test_a_fault_that_is_on_to_the_end_is_counted(privity: Privity, tmp_path: Path) -> None:
    """What it touches until then is enough to prove it."""
    done = run(privity, tmp_path, "kind: loss, nodes: [dave], chance: 50%", "--json", "-q")
    (fault,) = done.document["faults"]
    assert (done.code, fault["ended_ms"]) == (FINE, None) and fault["touched"] > 0


def test_a_network_that_is_up_is_judged_with_what_its_faults_touched(tmp_path: Path) -> None:
    """They go on, and so does the recorder: what it heard until now is all there."""
    text = SCENARIO % "kind: loss, nodes: [dave], chance: 50%" + "  - {check: messages, max: 3}\n"
    (tmp_path / "proved.yaml").write_text(text)
    with Network.load(tmp_path / "proved.yaml", home=tmp_path) as net:
        net.play()
        first = net.judge().document
        net.send("alice", to=["bob"], data={"pay": 5})
        second = net.judge().document
    for document in (first, second):
        assert document["verdict"] == "pass", document
        assert "on average 0.00" not in document["expectations"][1]["detail"]
    assert 0 < first["faults"][0]["touched"] < second["faults"][0]["touched"]


def test_a_campaign_names_the_fault_that_failed_its_runs(privity: Privity, tmp_path: Path) -> None:
    """As it names an expectation."""
    (tmp_path / "proved.yaml").write_text(
        (SCENARIO % KINDS["crash"]).replace("at: 700ms", "at: {height: 500}")
    )
    done = privity(tmp_path, "run", str(tmp_path / "proved.yaml"), "--seeds", "1..2", "--json", "-q")
    assert done.code == CHECK_FAILED and '"fault broken"' in done.out and "never began" in done.out


def test_why_a_fault_could_not_be_carried_out_is_shown(
    privity: Privity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the record notes stands in the line of the fault."""

    async def refuse(*given: object) -> bool:
        raise PrivityError("E-BROKER", "this broker is not ours to stop")

    monkeypatch.setattr(VirtualHands, "stop_broker", refuse)
    done = run(privity, tmp_path, KINDS["broker-outage"])
    assert done.code == CHECK_FAILED
    assert "fault broken  touched nothing (this broker is not ours to stop): a run" in done.out
    assert re.match(r"FAIL although (\d+) of \1 hold  ", done.out), done.out.splitlines()[0]


# The record itself.


def test_the_last_word_on_each_fault_counts(tmp_path: Path) -> None:
    """And a line that was cut short is no word."""
    path = tmp_path / "faults.jsonl"
    for record in (FaultRecord(id="a", kind="crash"), FaultRecord(id="b", kind="pause")):
        append(path, record)
    append(path, FaultRecord(id="a", kind="crash", began_ms=5, touched=1))
    with path.open("ab") as file:
        file.write(b'{"id": "a", "ki')
    found = read(path)
    assert [(record.id, record.vacuous) for record in found] == [("a", False), ("b", True)]
    assert read(tmp_path / "nowhere") == []


VOTERS = ("alice", "bob", "carol", "dave")


@pytest.mark.parametrize(
    ("groups", "away"),
    [
        ((("dave",), ("alice", "bob", "carol", "erin")), {"dave"}),
        ((("alice", "bob"), ("carol", "dave", "erin")), {"alice", "bob", "carol", "dave", "erin"}),
        ((("erin", "frank", "grace"), VOTERS), {"erin", "frank", "grace"}),
    ],
)
def test_only_a_quorum_of_voters_goes_on_in_a_partition(
    groups: tuple[tuple[str, ...], ...], away: set[str]
) -> None:
    """Followers add nothing to a group's size."""
    split = FaultRecord(id="split", kind="partition", groups=groups, began_ms=1)
    assert isolated([split], VOTERS) == away
    split.ended_ms = 2
    assert isolated([split], VOTERS) == set()


def test_who_lied_is_faulty_for_good() -> None:
    """Also when it is over; who was merely away is not."""
    lied = FaultRecord(id="a", kind="equivocate", nodes=("dave",), counts=True, began_ms=1, ended_ms=2)
    away = FaultRecord(id="b", kind="crash", nodes=("bob",), began_ms=1, ended_ms=2)
    assert faulty([lied, away]) == {"dave"}
