"""The words of `privity why`, and what no network of four shows."""

from __future__ import annotations

from dataclasses import replace

from node.errors import UNCONFIRMED
from scenarios.faults.record import FaultRecord
from scenarios.why import diagnosis as states
from scenarios.why.diagnosis import diagnose
from scenarios.why.known import Known, NodeKnown, Submitted
from scenarios.why.reach import NO_ANSWER
from scenarios.why.suspicions import SILENT
from scenarios.why.wording import document_of, lines_of


def voter(name: str, **more: object) -> NodeKnown:
    """A voter that answers, at height 83 in view 3."""
    known = NodeKnown(
        name=name,
        votes=True,
        answered=True,
        height=83,
        entered=3,
        asked=0,
        mute=False,
        last_ms=46_000,
        ended_ms=None,
    )
    return replace(known, **more)  # type: ignore[arg-type]


def seven_banks(down: str = "def", *, takes_faults: bool = True) -> Known:
    """Seven banks of which some crashed at 40 s, looked at 6.1 s later; the others ask for view 4."""
    names = [f"bank-{letter}" for letter in "abcdefg"]
    gone = tuple(f"bank-{letter}" for letter in down)
    record = FaultRecord(id="too-many", kind="crash", nodes=gone, began_ms=40_000, until_ms=46_000)
    return Known(
        run="0007",
        now_ms=46_100,
        virtual=False,
        block_every_ms=500,
        view_timeout_ms=2000,
        nodes=tuple(voter(name, answered=False) if name in gone else voter(name, asked=4) for name in names),
        broker_answers=True,
        takes_faults=takes_faults,
        faults=(record,) if gone else (),
        submitted=(Submitted("loan", bytes(32), "bank-a", (), 40_000, None, None, False),),
        committed_ms={83: 40_000},
    )


def test_the_words_of_the_specification() -> None:
    """Need, down, rule and next, as a user is promised them."""
    lines = lines_of(diagnose(seven_banks()))
    assert [line for line in lines if not line.startswith("  wait")] == [
        "No block for 6.1 s at height 83, view 3.",
        "  need  5 of 7 voters      have 4: bank-a bank-b bank-c bank-g",
        "  down  bank-d bank-e bank-f: crashed at 40.0 s by fault too-many, back at 46.0 s",
        "  rule  7 voters tolerate 2 faults; 3 are down, so stopping is CORRECT (safety before progress)",
        "  next  view change to 4 has 4 of the 5 votes it needs. Wait, or: privity fault heal too-many",
    ]


def test_no_command_is_told_that_the_run_would_not_hear() -> None:
    """Only a run that takes faults is told to be healed by one."""
    assert "privity fault" not in "\n".join(lines_of(diagnose(seven_banks(takes_faults=False))))


def test_every_line_has_its_field() -> None:
    """The document says what the lines say."""
    document = document_of(diagnose(seven_banks()))
    assert document["answer"] == "No block for 6.1 s at height 83, view 3."
    assert document["need"] == {
        "quorum": 5,
        "voters": 7,
        "tolerated": 2,
        "have": ["bank-a", "bank-b", "bank-c", "bank-g"],
    }
    assert document["missing"][0] == {
        "node": "bank-d",
        "votes": True,
        "how": "crashed",
        "since": 40.0,
        "fault": "too-many",
        "until": 46.0,
    }
    assert document["rule"]["correct"] is True and document["faults"] == ["too-many"]
    assert document["view_change"] == {
        "to": 4,
        "primary": "bank-e",
        "have": 4,
        "need": 5,
        "voters": ["bank-a", "bank-b", "bank-c", "bank-g"],
    }
    assert document["waiting"] == {"count": 1, "first": ["loan"], "oldest_s": 40.0}


def test_a_node_that_no_fault_explains_does_not_answer() -> None:
    """Its last word in the log is told, and the log is where to look."""
    known = seven_banks("")
    silent = replace(known.nodes[1], answered=False, last_ms=41_500)
    diagnosis = diagnose(replace(known, nodes=(known.nodes[0], silent, *known.nodes[2:]), submitted=()))
    assert [(each.node, each.how, each.fault) for each in diagnosis.missing] == [("bank-b", NO_ANSWER, None)]
    lines = lines_of(diagnosis)
    assert "  down  bank-b: no answer, and no fault explains it; its log ends at 41.5 s" in lines
    assert lines[-1] == "  next  privity logs bank-b --level warn"


def test_a_primary_that_answers_and_proposes_nothing() -> None:
    """Enough voters, nobody asks for another view, and a block is overdue: the primary is suspected."""
    known = seven_banks("")
    known = replace(known, nodes=tuple(replace(node, asked=0) for node in known.nodes))
    diagnosis = diagnose(known)
    assert diagnosis.state == states.STALLED
    assert [(each.what, each.who) for each in diagnosis.suspected] == [(SILENT, "bank-d")]


def test_one_that_asks_alone_for_another_view_moves_nobody() -> None:
    """A voter that was cut off for long is no view change of the network."""
    known = seven_banks("")
    nodes = tuple(replace(node, asked=9 if node.name == "bank-g" else 0) for node in known.nodes)
    fresh = replace(known.submitted[0], at_ms=known.now_ms - 100)
    assert diagnose(replace(known, nodes=nodes, submitted=(fresh,))).state == states.WELL


def test_nothing_can_be_told() -> None:
    """No answer, no log: that is said, and not that all is well."""
    known = seven_banks("")
    nodes = tuple(replace(node, answered=False, last_ms=None) for node in known.nodes)
    diagnosis = diagnose(replace(known, nodes=nodes))
    assert (diagnosis.state, diagnosis.exit_code) == (states.UNKNOWN, UNCONFIRMED)
