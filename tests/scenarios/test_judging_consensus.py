"""View changes, proofs of lies, messages and repeats: judged by what honest nodes kept, and the capture."""

from __future__ import annotations

from pathlib import Path

import pytest

from consensus.messages import Proposal, Signed
from consensus.votes import Batch, BlockVote, Commit, Prepare, PrePrepare
from node.wire import encode
from scenarios.model.scenario import EvidenceKept, Messages, ViewChanges
from tests.scenarios.made_evidence import SIGNATURE, Made

DIGEST = bytes(32)
PRE_PREPARE = PrePrepare(0, 0, 2, DIGEST, 0)
PROPOSAL = encode(Proposal(PRE_PREPARE, SIGNATURE, Batch(2, 0, 5, ())))
PREPARE = encode(Signed(Prepare(0, 0, 2, DIGEST, 0), SIGNATURE))
COMMIT = encode(Signed(Commit(0, 0, 2, DIGEST, 0), SIGNATURE))


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Four voters and two blocks."""
    made = Made(tmp_path)
    made.commits(1, 100)
    made.commits(2, 200)
    return made


def new_views(least: int | None = None, most: int | None = None) -> ViewChanges:
    """So many new primaries."""
    return ViewChanges("view_changes", "", 4, least, most)


def proofs(least: int = 1, during: str | None = None, of: tuple[str, ...] = ()) -> EvidenceKept:
    """So many proofs."""
    return EvidenceKept("evidence", "", 5, during, least, of)


# View changes.


def test_each_view_that_was_installed_counts_once(made: Made) -> None:
    """By whomever, and the first view is none."""
    assert [made.outcome(new_views(most=0)), made.outcome(new_views(least=1))] == ["holds", "broken"]
    made.installs("ann", 1)
    made.installs("bob", 1)
    made.installs("bob", 4)
    found = made.judged(new_views(2, 2))
    said = "2 new views (1 4), expected at least 2 and at most 2"
    assert (found.result, found.detail) == ("holds", said)
    assert [made.outcome(new_views(least=3)), made.outcome(new_views(most=1))] == ["broken", "broken"]
    assert made.judged(new_views(most=1)).more == "privity logs --ev pbft.new_view"


def test_views_of_a_faulty_voter_do_not_count(made: Made) -> None:
    """It may have written what it likes."""
    made.fault("equivocate", ["dan"], counts=True, began_ms=0)
    made.installs("dan", 1)
    assert made.outcome(new_views(most=0)) == "holds"


def test_a_journal_that_cannot_be_read_leaves_views_unconfirmed(made: Made) -> None:
    """There may be more in it; what is too many or enough already stays so."""
    made.installs("ann", 1)
    (made.folder.node("bob") / "journal").write_bytes(b"no journal")
    assert [made.outcome(new_views(most=1)), made.outcome(new_views(least=2))] == ["unconfirmed"] * 2
    assert [made.outcome(new_views(most=0)), made.outcome(new_views(least=1))] == ["broken", "holds"]


# Evidence.


def test_proofs_against_a_liar_are_counted_by_kind_and_accused(made: Made) -> None:
    """The same lie found by two nodes is one; of somebody else there is none."""
    made.fault("equivocate", ["dan"], id="lies", counts=True, began_ms=1_000, ended_ms=2_000)
    assert made.outcome(proofs()) == "broken"
    made.proves("ann", "dan", 1_500)
    made.proves("bob", "dan", 1_600)
    found = made.judged(proofs())
    assert (found.result, found.detail) == ("holds", "1 proof: E1 of dan, expected at least 1")
    assert [made.outcome(proofs(2)), made.outcome(proofs(of=("cyd",)))] == ["broken", "broken"]
    assert [made.outcome(proofs(of=("dan",))), made.outcome(proofs(during="lies"))] == ["holds", "holds"]


@pytest.mark.parametrize(("at_ms", "result"), [(999, "broken"), (2_501, "holds"), (2_502, "broken")])
def test_a_proof_belongs_to_the_time_of_its_fault(made: Made, at_ms: int, result: str) -> None:
    """And to the moment after it, for what was under way."""
    made.fault("equivocate", ["dan"], id="lies", counts=True, began_ms=1_000, ended_ms=2_000)
    made.proves("ann", "dan", at_ms)
    assert made.outcome(proofs(during="lies")) == result


def test_an_accusation_by_a_faulty_node_is_none(made: Made) -> None:
    """Neither of a liar nor of an honest node."""
    made.fault("equivocate", ["dan", "cyd"], id="lies", counts=True, began_ms=0)
    made.proves("dan", "cyd", 500)
    made.proves("dan", "ann", 500)
    assert made.judged(proofs()).detail == "0 proofs, expected at least 1"


def test_an_honest_node_that_is_accused_breaks_the_rule(made: Made) -> None:
    """Whatever its minimum is: no correct node can be proved faulty."""
    made.fault("equivocate", ["dan"], counts=True, began_ms=0)
    made.proves("ann", "dan", 500)
    made.proves("ann", "bob", 500)
    found = made.judged(proofs(0, of=("dan",)))
    assert found.result == "broken" and found.detail.startswith("bob accused")


def test_proofs_are_unconfirmed_without_fault_or_journal(made: Made) -> None:
    """A fault that never began has no time, and a journal that cannot be read may hold the proof."""
    assert made.judged(proofs(during="lies")).detail == "lies never began"
    (made.folder.node("cyd") / "journal").unlink()
    assert made.outcome(proofs()) == "unconfirmed"


# Messages.


def test_a_broadcast_is_a_message_to_each_other_voter(made: Made) -> None:
    """Proposal, prepares and commits: 3 + 1 + 3 for block 2, which is over 0 n² and within 1 n²."""
    made.hears([(None, PROPOSAL), (2, PREPARE), (None, COMMIT)])
    found = made.judged(Messages("messages", "", 6, 1))
    assert found.result == "holds" and found.detail.startswith("at most 0.44 n² (block 2: 7)")
    assert "block votes not counted" in found.detail
    found = made.judged(Messages("messages", "", 6, 0))
    assert (found.result, found.more) == ("broken", "privity logs --ev 'pbft.*' --block 2")


def test_what_is_no_vote_is_not_counted(made: Made) -> None:
    """Block votes, votes for heights that nobody committed, and bytes of strangers."""
    block_vote = encode(Signed(BlockVote(0, 2, DIGEST, 0), SIGNATURE))
    elsewhere = encode(Signed(Commit(0, 0, 9, DIGEST, 0), SIGNATURE))
    made.hears([(None, each) for each in (block_vote, elsewhere, elsewhere, b"", b"\x94\x01junk", COMMIT)])
    assert made.judged(Messages("messages", "", 6, 1)).detail.startswith("at most 0.19 n² (block 2: 3)")


def test_a_capture_with_a_gap_confirms_no_maximum(made: Made) -> None:
    """There may have been more; too many are too many all the same."""
    made.hears([(None, COMMIT)], deaf=(100, 200))
    rules = Messages("messages", "", 6, 1), Messages("messages", "", 6, 0)
    assert [made.outcome(rule) for rule in rules] == ["unconfirmed", "broken"]


def test_no_block_took_no_messages(tmp_path: Path) -> None:
    """Without a block there is nothing to judge."""
    assert Made(tmp_path).outcome(Messages("messages", "", 6, 3)) == "unconfirmed"
