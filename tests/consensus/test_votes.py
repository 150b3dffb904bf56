"""Members are counted, not messages (R2)."""

from __future__ import annotations

from typing import Any

import pytest

from consensus.messages import Signed
from consensus.votes import BlockVote, Commit, Prepare
from tests.consensus.alone import (
    R1,
    Alone,
    batch_of,
    block_vote,
    certify,
    commit,
    decide,
    decided,
    other_digest,
    prepare,
    proposal_of,
)
from tests.consensus.wire import signature_of

BATCH = batch_of(R1)


def _five_times(vote: Any) -> list[Signed]:
    """The same vote with five signatures, any of which a real scheme might call valid."""
    return [Signed(vote, bytes([number]) * 64) for number in range(5)]


def ready(n: int = 7) -> Alone:
    """A backup of seven that accepted the proposal."""
    alone = Alone(1, n)
    alone.submit(R1)
    alone.receive(proposal_of(BATCH))
    return alone


def test_a_prepare_with_five_signatures_counts_once() -> None:
    """Four more votes were needed, one voted."""
    alone = ready()
    alone.receive(*_five_times(prepare(2, BATCH)))
    assert alone.messages(Commit) == []
    assert alone.reasons() == ["repeated"] * 4


def test_a_commit_with_five_signatures_counts_once() -> None:
    """Five were needed, one voted."""
    alone = ready()
    alone.receive(*_five_times(commit(2, BATCH)))
    assert alone.decisions == []
    assert alone.reasons() == ["repeated"] * 4


def test_a_block_vote_with_five_signatures_counts_once() -> None:
    """Four more were needed beside the own, one voted."""
    alone = ready()
    decide(alone, BATCH, range(7))
    alone.receive(*_five_times(block_vote(2, 1, alone.blocks[1])))
    assert alone.certified == []


def test_a_repeated_vote_keeps_its_first_signature() -> None:
    """The certificate holds one signature for each voter, the first."""
    alone = ready(4)
    alone.receive(prepare(2, BATCH), commit(0, BATCH), Signed(commit(0, BATCH), bytes(64)))
    alone.receive(commit(3, BATCH))
    assert dict(alone.decisions[0].certificate.signatures)[0] == signature_of(0, commit(0, BATCH))


@pytest.mark.parametrize("vote", [prepare, commit])
def test_a_second_vote_that_differs_is_noted_and_not_counted(vote: Any) -> None:
    """Only the first vote of a replica counts; the other is an offence, with its own reason."""
    alone = ready(4)
    alone.receive(vote(2, BATCH, digest=other_digest()), vote(2, BATCH))
    assert alone.reasons() == ["second vote differs"]
    alone.receive(commit(0, BATCH))
    assert (alone.messages(Commit), alone.decisions) == ([], [])


def test_one_replica_is_not_two_through_two_kinds_of_vote() -> None:
    """Prepares count as prepares only, commits as commits only."""
    alone = ready(4)
    alone.receive(prepare(2, BATCH), prepare(3, BATCH), commit(2, BATCH))
    assert alone.decisions == []
    alone.receive(commit(3, BATCH))
    assert len(alone.decisions) == 1


@pytest.mark.parametrize("follower", [4, 5, 63])
def test_votes_of_followers_are_not_counted(follower: int) -> None:
    """A follower is a member of the network and no voter."""
    alone = ready(4)
    alone.receive(prepare(follower, BATCH), commit(0, BATCH), commit(2, BATCH), commit(follower, BATCH))
    assert (alone.messages(Commit), alone.decisions) == ([], [])
    assert alone.reasons() == ["not a voter"] * 2
    alone.receive(commit(3, BATCH))
    alone.receive(block_vote(follower, 1, alone.blocks[1]), block_vote(0, 1, alone.blocks[1]))
    assert alone.certified == []
    assert alone.reasons()[-1] == "not a voter"


@pytest.mark.parametrize(
    "message", [prepare(2, BATCH, epoch=1), commit(2, BATCH, epoch=1), block_vote(2, 1, other_digest(), 1)]
)
def test_votes_of_another_epoch_are_not_counted(message: Any) -> None:
    """They are ignored whole."""
    alone = ready(4)
    alone.receive(message)
    assert alone.reasons() == ["other epoch"]


@pytest.mark.parametrize(("message"), [prepare(1, BATCH), commit(1, BATCH), block_vote(1, 1, other_digest())])
def test_an_own_vote_that_comes_back_is_not_counted(message: Any) -> None:
    """A replica counts its own votes when it casts them (R20), not when somebody plays them back."""
    alone = ready(4)
    alone.receive(commit(0, BATCH), commit(2, BATCH), message)
    assert alone.reasons() == ["own message came back"]
    assert alone.decisions == []


def test_votes_count_for_their_own_sequence_number() -> None:
    """A vote at one sequence number leaves the replica its vote at another."""
    alone = ready(4)
    second = batch_of(R1, sequence=2)
    alone.receive(commit(0, second), commit(2, second), commit(0, BATCH), commit(2, BATCH), commit(3, BATCH))
    assert [decision.batch for decision in alone.decisions] == [BATCH]


def test_a_follower_counts_as_voters_do() -> None:
    """A follower executes on a quorum of the voters' commits, and says nothing."""
    alone = Alone(6, 4)
    alone.submit(R1)
    alone.receive(proposal_of(BATCH), commit(0, BATCH), commit(1, BATCH))
    assert alone.decisions == []
    alone.receive(commit(3, BATCH))
    assert len(alone.decisions) == 1
    assert alone.messages(Prepare, Commit, BlockVote) == []


def test_a_vote_below_a_stable_checkpoint_is_ignored() -> None:
    """The slot is gone."""
    alone = Alone(1)
    alone.submit(R1)
    alone.receive(decided(BATCH))
    certify(alone, 1)
    alone.notes.clear()
    alone.receive(prepare(2, BATCH), commit(2, BATCH))
    assert alone.reasons() == ["already executed"] * 2
