"""Block certificates: what executing arrived at, signed by a quorum."""

from __future__ import annotations

from typing import Any

import pytest

from consensus.messages import NO_TOKEN, Signed, Status
from consensus.output import VoteRecord
from consensus.votes import BlockVote, Commit, Prepare
from tests.consensus.alone import (
    R1,
    R2,
    START_MS,
    Alone,
    batch_of,
    block_certificate,
    block_vote,
    decide,
    decided,
    other_digest,
    proposal_of,
)
from tests.consensus.wire import block_hash, request, signature_of

BATCH = batch_of(R1)
BLOCK = block_hash(bytes(32), BATCH)


def after_one_block(replica: int = 1, n: int = 4, **settings: Any) -> Alone:
    """A replica that executed the first batch by votes."""
    alone = Alone(replica, n, **settings)
    alone.submit(R1, R2)
    decide(alone, BATCH, range(n))
    assert len(alone.decisions) == 1
    return alone


def test_a_voter_signs_what_it_arrived_at() -> None:
    """One block vote for each executed block, recorded before it is sent."""
    alone = after_one_block()
    assert alone.messages(BlockVote) == [block_vote(1, 1, BLOCK)]
    assert [r.vote for r in alone.records if isinstance(r, VoteRecord)][-1] == block_vote(1, 1, BLOCK)


@pytest.mark.parametrize(("n", "others"), [(4, 2), (5, 3), (6, 3), (7, 4), (8, 5)])
def test_a_quorum_of_block_votes_is_a_certificate(n: int, others: int) -> None:
    """The own vote and these many others; one fewer is none."""
    alone = after_one_block(1, n)
    voters = [0, *range(2, n)][:others]
    alone.receive(*(block_vote(replica, 1, BLOCK) for replica in voters[:-1]))
    assert alone.certified == []
    alone.receive(block_vote(voters[-1], 1, BLOCK))
    (certificate,) = alone.certified
    assert certificate.invalid(n) is None
    assert all(signature == signature_of(vote.replica, vote) for vote, signature in certificate.votes())


def test_a_follower_collects_a_certificate_without_a_vote_of_its_own() -> None:
    """It takes a whole quorum of voters."""
    alone = after_one_block(5)
    alone.receive(*(block_vote(replica, 1, BLOCK) for replica in (0, 1)))
    assert alone.certified == []
    alone.receive(block_vote(2, 1, BLOCK))
    assert [certificate.block for certificate in alone.certified] == [BLOCK]
    assert alone.messages(BlockVote) == []


def test_block_votes_that_come_before_execution_are_kept() -> None:
    """Others may execute first."""
    alone = Alone(1)
    alone.submit(R1)
    alone.receive(block_vote(0, 1, BLOCK), block_vote(2, 1, BLOCK))
    assert alone.certified == []
    alone.receive(decided(BATCH))
    assert len(alone.certified) == 1


def test_block_votes_for_two_blocks_are_not_added_up() -> None:
    """One vote for another block, one for this one: no certificate, and no alarm."""
    alone = after_one_block()
    alone.receive(block_vote(0, 1, other_digest()), block_vote(2, 1, BLOCK))
    assert (alone.certified, alone.replica.halted) == ([], "")
    alone.receive(block_vote(3, 1, BLOCK))
    assert [replica for replica, _ in alone.certified[0].signatures] == [1, 2, 3]


def test_a_quorum_for_another_block_halts() -> None:
    """This replica is wrong, and casts no vote from then on (R10)."""
    alone = after_one_block()
    alone.receive(*(block_vote(replica, 1, other_digest()) for replica in (0, 2)))
    assert alone.replica.halted == ""
    alone.receive(block_vote(3, 1, other_digest()))
    assert alone.replica.halted
    assert_silent(alone)


def assert_silent(alone: Alone) -> None:
    """A replica that has halted votes and proposes no more; it only says where it stands."""
    alone.sent.clear()
    records = len(alone.records)
    alone.submit(R2, request(9))
    alone.receive(proposal_of(batch_of(R2, sequence=2, time_ms=START_MS + 1)))
    alone.run_for(20_000)
    assert len(alone.records) == records
    assert alone.messages(Prepare, Commit, BlockVote) == [] and alone.proposals() == []
    assert {type(send.packet.message) for send in alone.sent} == {Status}  # type: ignore[union-attr]


def test_a_primary_that_halts_proposes_no_more() -> None:
    """Nor does it vote."""
    alone = Alone(0)
    alone.submit(R1)
    batch = alone.proposals()[0].batch
    alone.receive(decided(batch, (1, 2, 3)))
    alone.receive(*(block_vote(replica, 1, other_digest()) for replica in (1, 2, 3)))
    assert alone.replica.halted
    alone.tick(1_000)  # Its pace would allow a proposal now.
    assert_silent(alone)


def test_a_fetched_certificate_for_another_block_halts() -> None:
    """Whether it comes with the decision or after it was executed."""
    other = block_certificate(1, other_digest(), (0, 2, 3))
    late = after_one_block()
    late.receive(decided(BATCH, block=other))
    assert late.replica.halted
    assert_silent(late)
    early = Alone(1)
    early.submit(R1, R2)
    early.receive(decided(BATCH, block=other))
    assert early.replica.halted
    assert early.certified == []
    assert_silent(early)


def test_a_fetched_certificate_spares_the_votes() -> None:
    """With a decision comes its block certificate: nothing to vote on, nothing to collect."""
    alone = Alone(1)
    alone.submit(R1)
    certificate = block_certificate(1, BLOCK, (0, 2, 3))
    alone.receive(decided(BATCH, block=certificate))
    assert alone.certified == [certificate]
    assert alone.messages(BlockVote) == []


def test_a_late_certificate_closes_a_block() -> None:
    """A replica that missed block votes takes the certificate that another has."""
    alone = after_one_block()
    certificate = block_certificate(1, BLOCK, (0, 2, 3))
    alone.receive(decided(BATCH, block=certificate), decided(BATCH, block=certificate))
    assert alone.certified == [certificate]
    alone.sent.clear()
    alone.run_for(20_000)
    assert alone.messages(BlockVote) == []


def test_a_certificate_completes_once() -> None:
    """Further votes for a certified block are ignored."""
    alone = after_one_block()
    alone.receive(*(block_vote(replica, 1, BLOCK) for replica in (0, 2, 3)))
    assert len(alone.certified) == 1
    assert alone.reasons()[-1] == "already certified"


def test_a_block_other_than_the_one_voted_for_halts() -> None:
    """Executing again after a restart must lead to the same block; the earlier vote stands (R20)."""
    alone = after_one_block()
    again = alone.restart()
    again.take(again.replica.executed(1, other_digest(), other_digest(), None, again.now_ms))
    again.tick()
    assert again.replica.halted
    assert block_vote(1, 1, other_digest()) not in again.messages(BlockVote)


def test_a_replica_that_halted_stays_halted_after_a_restart() -> None:
    """It was wrong once, on its own disk: it does not vote again because somebody started it again (R10)."""
    late = after_one_block()
    late.receive(decided(BATCH, block=block_certificate(1, other_digest(), (0, 2, 3))))
    assert late.replica.halted
    again = late.restart()
    assert again.replica.halted
    assert_silent(again)


def test_the_status_names_the_head() -> None:
    """Sequence number, block and state root of what was executed last; it answers nobody."""
    alone = after_one_block()
    answer = alone.replica.status()
    assert isinstance(answer, Signed)
    assert answer.signature == signature_of(1, answer.message)
    message = answer.message
    assert isinstance(message, Status)
    assert (message.sequence, message.block, message.state_root) == (1, BLOCK, BLOCK)
    assert (message.echo, message.replica, message.view, message.epoch) == (NO_TOKEN, 1, 0, 0)


def test_later_certificates_cover_blocks_a_window_behind() -> None:
    """An open block is given up when it has fallen behind by a window, so that memory is bounded."""
    alone = Alone(1, window=3)
    for sequence in range(1, 6):
        each = request(sequence)
        alone.submit(each)
        alone.receive(decided(batch_of(each, sequence=sequence, time_ms=START_MS + sequence)))
    alone.sent.clear()
    alone.run_for(600)
    assert [vote.sequence for vote in alone.messages(BlockVote)] == [3, 4, 5]
