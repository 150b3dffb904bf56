"""Commits, and what is decided (R8; PBFT 4.2)."""

from __future__ import annotations

from typing import Any

import pytest

from consensus.certificates import BlockCertificate, CommitCertificate, Decided
from consensus.votes import Commit
from tests.consensus.alone import (
    R1,
    R2,
    Alone,
    batch_of,
    block_certificate,
    commit,
    commit_certificate,
    decided,
    other_digest,
    prepare,
    proposal_of,
)
from tests.consensus.wire import signature_of

BATCH = batch_of(R1)


def replica_with_proposal(n: int = 4, replica: int = 1) -> Alone:
    """A replica that accepted the proposal and is not prepared."""
    alone = Alone(replica, n)
    alone.submit(R1)
    alone.receive(proposal_of(BATCH))
    return alone


@pytest.mark.parametrize(("n", "size"), [(4, 3), (5, 4), (6, 4), (7, 5), (8, 6)])
def test_a_quorum_of_commits_decides(n: int, size: int) -> None:
    """As many commits as a quorum decide, prepared here or not; one fewer does not."""
    alone = replica_with_proposal(n)
    others = [0, *range(2, n)][:size]
    alone.receive(*(commit(replica, BATCH) for replica in others[:-1]))
    assert alone.decisions == []
    alone.receive(commit(others[-1], BATCH))
    assert [decision.batch for decision in alone.decisions] == [BATCH]


@pytest.mark.parametrize("n", [4, 5, 6, 7, 8])
def test_prepared_alone_executes_nothing(n: int) -> None:
    """Being prepared is a reason to commit, not to execute."""
    alone = replica_with_proposal(n)
    alone.receive(*(prepare(replica, BATCH) for replica in range(2, n)))
    assert len(alone.messages(Commit)) == 1
    assert alone.decisions == []


def test_the_own_commit_counts_once_prepared() -> None:
    """Among four, prepared and two commits of others decide."""
    alone = replica_with_proposal()
    alone.receive(commit(0, BATCH), commit(3, BATCH))
    assert alone.decisions == []
    alone.receive(prepare(2, BATCH))
    assert len(alone.decisions) == 1


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
def test_a_commit_with_one_wrong_field_is_ignored(changes: dict[str, Any], reason: str) -> None:
    """Whichever field is wrong, it is no vote; with the right one the batch is decided."""
    alone = replica_with_proposal()
    alone.receive(commit(0, BATCH), commit(2, BATCH), commit(3, BATCH, **changes))
    assert alone.reasons() == [reason] * bool(reason)  # A later view is kept for when it begins.
    assert alone.decisions == []
    alone.receive(commit(3, BATCH))
    assert len(alone.decisions) == 1


def test_commits_for_another_digest_or_sequence_number_do_not_count() -> None:
    """Votes for two digests, or two sequence numbers, are never added up."""
    for changes in ({"digest": other_digest()}, {"sequence": 2}):
        alone = replica_with_proposal()
        alone.receive(commit(0, BATCH), commit(2, BATCH), commit(3, BATCH, **changes))
        assert alone.decisions == []


def test_commits_for_a_digest_decide_that_digest_only() -> None:
    """A quorum for another batch than the proposed one executes nothing until that batch is here."""
    alone, other = replica_with_proposal(), batch_of(R2)
    alone.receive(*(commit(replica, other) for replica in (0, 2, 3)))
    assert alone.decisions == []
    alone.submit(R2)
    alone.receive(decided(other))
    assert [decision.batch for decision in alone.decisions] == [other]


def test_a_commit_certificate_proves_itself() -> None:
    """It holds the votes for its digest, each with its signature, in ascending order of replica."""
    alone = replica_with_proposal(5)
    alone.receive(commit(4, BATCH), commit(2, BATCH, digest=other_digest()))
    alone.receive(commit(3, BATCH), prepare(2, BATCH), prepare(3, BATCH), commit(0, BATCH))
    certificate = alone.decisions[0].certificate
    assert [replica for replica, _ in certificate.signatures] == [0, 1, 3, 4]
    assert all(signature == signature_of(vote.replica, vote) for vote, signature in certificate.votes())
    assert certificate.invalid(5) is None


ONE, TWO, THREE = ((replica, bytes(64)) for replica in (1, 2, 3))


@pytest.mark.parametrize(
    ("signatures", "reason"),
    [
        ((ONE, TWO, THREE), None),
        ((ONE, TWO), "too few votes"),
        ((), "too few votes"),
        ((ONE, TWO, TWO), "voters not in ascending order"),
        ((ONE, THREE, TWO), "voters not in ascending order"),
        ((TWO, THREE, (4, bytes(64))), "voter is no member"),
    ],
)
def test_a_certificate_counts_distinct_members(signatures: Any, reason: str | None) -> None:
    """Members in ascending order, a quorum of them, voters all (R2)."""
    assert CommitCertificate(0, 0, 1, BATCH.digest(), signatures).invalid(4) == reason
    assert BlockCertificate(0, 1, other_digest(), signatures).invalid(4) == reason


@pytest.mark.parametrize("n", [4, 5, 6, 7, 8])
def test_a_certificate_needs_a_whole_quorum(n: int) -> None:
    """One vote fewer than a quorum is no certificate, whatever n is."""
    size = (n + (n - 1) // 3) // 2 + 1
    assert commit_certificate(BATCH, range(size)).invalid(n) is None
    assert commit_certificate(BATCH, range(size - 1)).invalid(n) == "too few votes"


def _decided(**changes: Any) -> Decided:
    whole = decided(BATCH, block=block_certificate(1, other_digest(), (0, 1, 2)))
    fields = {name: getattr(whole, name) for name in whole.__struct_fields__}
    return Decided(**(fields | changes))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"block_certificate": None}, None),
        ({"batch": batch_of(R2)}, "certificate is for another batch"),
        ({"batch": batch_of(R1, sequence=2)}, "certificate is for another batch"),
        ({"certificate": commit_certificate(BATCH, (0, 1))}, "too few votes"),
        (
            {"block_certificate": block_certificate(2, other_digest(), (0, 1, 2))},
            "block certificate is for another sequence number",
        ),
        (
            {"block_certificate": block_certificate(1, other_digest(), (0, 1, 2), epoch=1)},
            "block certificate is of another epoch",
        ),
        ({"block_certificate": block_certificate(1, other_digest(), (0, 1))}, "too few votes"),
    ],
)
def test_a_decision_hangs_together(changes: dict[str, Any], reason: str | None) -> None:
    """Batch, commit certificate and block certificate speak of one thing, and each is a quorum's."""
    forged = _decided(**changes)
    assert forged.invalid(4) == reason
    alone = Alone(1)
    alone.submit(R1, R2)
    alone.receive(forged)
    assert len(alone.decisions) == (1 if reason is None else 0)
    assert alone.reasons() == ([] if reason is None else [reason])


def test_a_certificate_of_another_sequence_number_does_not_decide_a_batch() -> None:
    """The sequence number in the certificate is the batch's, even when the digest is right."""
    right = commit_certificate(BATCH, (0, 2, 3))
    shifted = CommitCertificate(0, 0, 2, right.digest, right.signatures)
    assert _decided(certificate=shifted).invalid(4) == "certificate is for another batch"


def test_a_certificate_of_another_view_decides() -> None:
    """Q commits of one view are enough to execute, whatever view this replica is in (R8)."""
    alone = Alone(1)
    alone.submit(R1)
    certificate = CommitCertificate(0, 5, 1, BATCH.digest(), commit_certificate(BATCH, (0, 2, 3)).signatures)
    alone.receive(Decided(BATCH, certificate, None, True))
    assert len(alone.decisions) == 1


def test_a_decision_of_another_epoch_is_ignored() -> None:
    """Certificates verify against the members of their epoch."""
    alone = Alone(1)
    alone.submit(R1)
    alone.receive(decided(BATCH, epoch=1))
    assert alone.reasons() == ["other epoch"]
    assert alone.decisions == []
