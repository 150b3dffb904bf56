"""Prepares, and when a replica is prepared (R5, R6; PBFT 4.2)."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from consensus.output import PreparedRecord, VoteRecord
from consensus.votes import Commit, Prepare
from tests.consensus.alone import (
    R1,
    R2,
    Alone,
    batch_of,
    commit,
    other_digest,
    prepare,
    proposal_of,
)
from tests.consensus.wire import signature_of

BATCH = batch_of(R1)


def prepared_at(n: int, *packets: Any, replica: int = 1) -> bool:
    """Whether a backup that accepted the proposal is prepared after these packets."""
    alone = Alone(replica, n)
    alone.submit(R1, R2)
    alone.receive(proposal_of(BATCH))
    alone.receive(*packets)
    is_prepared = any(isinstance(record, PreparedRecord) for record in alone.records)
    assert is_prepared == bool(alone.messages(Commit))
    return is_prepared


@pytest.mark.parametrize(("n", "others"), [(4, 1), (5, 2), (6, 2), (7, 3), (8, 4)])
def test_prepared_takes_prepares_of_a_quorum_less_one(n: int, others: int) -> None:
    """The own prepare and this many others make prepared; one fewer does not."""
    votes = [prepare(replica, BATCH) for replica in range(2, 2 + others)]
    assert prepared_at(n, *votes)
    assert not prepared_at(n, *votes[1:])


@pytest.mark.parametrize("n", [4, 5, 6, 7, 8])
def test_the_primarys_prepare_is_no_vote(n: int) -> None:
    """Its pre-prepare already is one (R5)."""
    needed = (n + (n - 1) // 3) // 2 + 1 - 1
    votes = [prepare(replica, BATCH) for replica in range(2, needed)]
    assert not prepared_at(n, *votes, prepare(0, BATCH))
    assert prepared_at(n, *votes, prepare(needed, BATCH))


def test_the_primarys_prepare_is_no_vote_at_the_primary() -> None:
    """A primary ignores a prepare in its own name, and prepares nothing itself."""
    alone = Alone(0)
    alone.submit(R1)
    batch = alone.proposals()[0].batch
    alone.receive(prepare(0, batch), prepare(1, batch))
    assert alone.messages(Prepare, Commit) == []
    alone.receive(prepare(2, batch))
    assert alone.messages(Prepare, Commit) == [commit(0, batch)]


def test_the_primarys_prepare_is_ignored_with_a_reason() -> None:
    """The note says why."""
    alone = Alone(1)
    alone.receive(prepare(0, BATCH))
    assert alone.reasons() == ["prepare from the primary"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"epoch": 1}, "other epoch"),
        ({"view": 1}, ""),
        ({"replica": 4}, "not a voter"),
        ({"replica": 1}, "own message came back"),
        ({"sequence": 129}, "outside watermarks"),
    ],
)
def test_a_prepare_with_one_wrong_field_is_ignored(changes: dict[str, Any], reason: str) -> None:
    """Whichever field is wrong, it is no vote."""
    alone = Alone(1)
    alone.submit(R1)
    alone.receive(proposal_of(BATCH), prepare(2, BATCH, **changes))
    assert alone.reasons() == [reason] * bool(reason)  # A later view is kept for when it begins.
    assert alone.messages(Commit) == []


def test_a_prepare_for_another_digest_does_not_count() -> None:
    """Votes for d and d' are never added up (R6)."""
    assert not prepared_at(4, prepare(2, BATCH, digest=other_digest()))
    assert not prepared_at(4, prepare(2, BATCH, digest=other_digest()), prepare(3, batch_of(R2)))
    assert prepared_at(4, prepare(2, BATCH, digest=other_digest()), prepare(3, BATCH))


def test_a_prepare_for_another_sequence_number_does_not_count() -> None:
    """Nor are votes of two sequence numbers."""
    assert not prepared_at(4, prepare(2, BATCH, sequence=2))


def test_interleaved_votes_for_two_digests_are_told_apart() -> None:
    """Among seven, three votes for another digest and two for this one prepare nothing; the third does."""
    wrong = [prepare(replica, BATCH, digest=other_digest()) for replica in (2, 3)]
    right = [prepare(replica, BATCH) for replica in (4, 5)]
    mixed = [wrong[0], right[0], wrong[1], right[1]]
    assert not prepared_at(7, *mixed)
    assert prepared_at(7, *mixed, prepare(6, BATCH))


def test_prepares_without_a_proposal_prepare_nothing() -> None:
    """A quorum of prepares is no proposal."""
    alone = Alone(1)
    alone.submit(R1)
    alone.receive(*(prepare(replica, BATCH) for replica in (2, 3)))
    assert alone.messages(Commit) == []
    alone.receive(proposal_of(BATCH))
    assert alone.messages(Prepare, Commit) == [prepare(1, BATCH), commit(1, BATCH)]


def test_a_proposal_that_cannot_be_accepted_is_not_prepared() -> None:
    """However many prepares there are, a refused proposal gets no commit."""
    alone, batch = Alone(1), batch_of(R1, proposer=2)
    alone.submit(R1)
    alone.receive(proposal_of(batch), prepare(2, batch), prepare(3, batch))
    assert alone.messages(Prepare, Commit) == []


def test_a_prepared_certificate_proves_itself() -> None:
    """It holds the primary's signature and those of quorum - 1 backups, each over its own vote (R13)."""
    alone = Alone(1)
    alone.submit(R1)
    alone.receive(prepare(3, BATCH, digest=other_digest()), proposal_of(BATCH), prepare(2, BATCH))
    (record,) = [record for record in alone.records if isinstance(record, PreparedRecord)]
    votes = record.certificate.votes()
    assert [vote.replica for vote, _ in votes] == [0, 1, 2]
    assert all(signature == signature_of(vote.replica, vote) for vote, signature in votes)
    assert record.certificate.invalid(4) is None


def test_a_prepared_certificate_with_the_primary_among_the_backups_is_invalid() -> None:
    """Nor are too few, repeated, or foreign voters enough."""
    alone = Alone(1)
    alone.submit(R1)
    alone.receive(proposal_of(BATCH), prepare(2, BATCH))
    (record,) = [record for record in alone.records if isinstance(record, PreparedRecord)]
    certificate = record.certificate
    fields = {name: getattr(certificate, name) for name in certificate.__struct_fields__}
    one, two = certificate.prepares
    broken = {
        "the primary prepares nothing": ((0, one[1]), two),
        "too few votes": (one,),
        "voters not in ascending order": (two, one),
        "voter is no member": (one, (4, two[1])),
    }
    for reason, prepares in broken.items():
        assert type(certificate)(**(fields | {"prepares": prepares})).invalid(4) == reason


def test_votes_are_recorded_in_the_order_in_which_they_follow() -> None:
    """Proposal, prepare, prepared certificate, commit."""
    alone = Alone(1)
    alone.submit(R1)
    alone.receive(proposal_of(BATCH), prepare(2, BATCH))
    kinds = [type(r.vote if isinstance(r, VoteRecord) else r).__name__ for r in alone.records]
    assert kinds == ["ProposalRecord", "Prepare", "PreparedRecord", "Commit"]


ROUND = [
    proposal_of(BATCH),
    *(prepare(replica, BATCH) for replica in (2, 3)),
    *(commit(replica, BATCH) for replica in (0, 2, 3)),
]


@pytest.mark.parametrize("replica", [1, 4])
def test_every_order_of_the_messages_of_a_round_ends_alike(replica: int) -> None:
    """In each of the 5,040 orders of request, proposal, prepares and commits the batch executes once (R6)."""
    for order in itertools.permutations([R1, *ROUND]):
        alone = Alone(replica)
        for item in order:
            if item is R1:
                alone.submit(R1)
            else:
                alone.receive(item)  # type: ignore[arg-type]
        assert [decision.batch for decision in alone.decisions] == [BATCH], order
        votes = alone.messages(Prepare, Commit)
        assert votes == [vote for vote in (prepare(1, BATCH), commit(1, BATCH)) if vote in votes], order
