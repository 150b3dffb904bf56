"""Evidence: what proves a replica faulty, to anybody who has the keys, and what proves nothing (R30)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from consensus.evidence import Evidence, proves
from consensus.messages import Signed
from consensus.output import EvidenceRecord
from tests.consensus.alone import (
    R1,
    R2,
    Alone,
    batch_of,
    block_vote,
    commit,
    other_digest,
    prepare,
    proposal_of,
)
from tests.consensus.views import new_view, prepared, view_change
from tests.consensus.wire import is_signature, signature_of, signed

BATCH, OTHER = batch_of(R1), batch_of(R2)
WINDOW = 128


def found(*packets: Any, replica: int = 1) -> Evidence:
    """The one piece of evidence that a replica records when it hears this."""
    alone = Alone(replica)
    alone.submit(R1, R2)
    alone.receive(*packets)
    (evidence,) = [record.evidence for record in alone.records if isinstance(record, EvidenceRecord)]
    return evidence


CASES = {
    "E1 prepares": lambda: found(prepare(2, BATCH), prepare(2, BATCH, digest=OTHER.digest())),
    "E1 commits": lambda: found(commit(2, BATCH), commit(2, BATCH, digest=OTHER.digest())),
    "E1 pre-prepares": lambda: found(proposal_of(BATCH), proposal_of(OTHER)),
    "E1 view-changes": lambda: found(view_change(2, 1), view_change(2, 1, prepared(BATCH))),
    "E1 new-views": lambda: found(
        new_view(1, [view_change(i, 1) for i in (0, 2, 3)]),
        new_view(1, [view_change(i, 1) for i in (0, 1, 2)]),
        replica=3,
    ),
    "E2": lambda: found(commit(2, BATCH), view_change(2, 1)),
    "E3 view-change": lambda: found(view_change(2, 1, prepared(BATCH, voters=(1,)))),
    "E3 new-view": lambda: found(new_view(1, [view_change(0, 1), view_change(2, 1)]), replica=3),
    "E4": lambda: found(prepare(0, BATCH)),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_recorded_proves_it(case: str) -> None:
    """Offline, from the evidence alone; after the codec, too."""
    evidence = CASES[case]()
    assert evidence.kind == case[:2]
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(evidence), type=Evidence)
    assert proves(again, 4, WINDOW, is_signature)


@pytest.mark.parametrize("case", CASES)
def test_anything_altered_proves_nothing(case: str) -> None:
    """Another accused, another kind, a signature that is none, the same message twice, one left out."""
    evidence = CASES[case]()
    changes: list[dict[str, Any]] = [
        {"accused": (evidence.accused + 1) % 4},
        {"first": Signed(evidence.first.message, bytes(64))},
    ]
    changes += [{"kind": kind} for kind in ("E1", "E2", "E3", "E4") if kind != evidence.kind]
    if evidence.second is not None:
        changes += [{"second": None}, {"second": evidence.first}]
        changes.append({"second": Signed(evidence.second.message, bytes(64))})
    for change in changes:
        assert not proves(msgspec.structs.replace(evidence, **change), 4, WINDOW, is_signature), change


def test_signing_the_same_twice_is_no_contradiction() -> None:
    """Contents are compared, never signatures."""
    first = signed(prepare(2, BATCH))
    second = Signed(first.message, signature_of(2, first.message)[::-1])
    assert not proves(Evidence("E1", 2, 0, 1, first, second), 4, WINDOW, lambda *_: True)


def test_votes_for_two_digests_in_two_views_are_normal() -> None:
    """A view change may have replaced the first."""
    first, second = signed(prepare(2, BATCH)), signed(prepare(2, BATCH, view=3, digest=OTHER.digest()))
    assert not proves(Evidence("E1", 2, 0, 1, first, second), 4, WINDOW, is_signature)


def test_a_view_change_that_shows_its_commit_hides_nothing() -> None:
    """Nor does one whose stable checkpoint is above, or one for the same view."""
    alone = Alone(1)
    alone.receive(commit(2, BATCH), view_change(2, 1, prepared(BATCH)))
    assert alone.reasons("evidence") == []


def test_two_blocks_of_one_voter_are_an_alarm_and_no_accusation() -> None:
    """Execution that differs by a bug does that to honest replicas."""
    alone = Alone(1)
    alone.receive(block_vote(2, 1, other_digest("a")), block_vote(2, 1, other_digest("b")))
    assert (alone.reasons("evidence"), alone.reasons("alarm")) == ([], ["two blocks of one voter"])


def test_each_fault_is_recorded_once_and_survives_a_restart() -> None:
    """However often it is seen; and so many pieces against one replica, no more (R37)."""
    alone = Alone(1)
    for _ in range(3):
        alone.receive(prepare(0, BATCH))
    alone = alone.restart()
    alone.receive(prepare(0, BATCH))
    assert sum(isinstance(record, EvidenceRecord) for record in alone.records) == 1
    for sequence in range(1, 100):
        alone.receive(prepare(0, batch_of(R1, sequence=sequence)))
    assert sum(isinstance(record, EvidenceRecord) for record in alone.records) == 32
