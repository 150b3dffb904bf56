"""Votes that are counted together, and what may not come of it."""

from __future__ import annotations

from random import Random

import pytest

from consensus.messages import ReplicaMessage, Signed
from consensus.output import Output
from consensus.replica import Replica
from consensus.votes import Batch
from tests.consensus.alone import (
    R1,
    R2,
    R3,
    Alone,
    batch_of,
    block_vote,
    commit,
    decide,
    other_digest,
    prepare,
    proposal_of,
)
from tests.consensus.wire import block_hash, request, signed, signer

SIZES = (4, 5, 6, 7, 8)


class Quiet(Alone):
    """A replica whose notes of the normal case nobody reads, as in the virtual world.

    `votes` has it take several votes in one step, one by one or together.
    """

    def __init__(self, replica: int = 1, n: int = 4, **settings: int) -> None:
        super().__init__(replica, n, **settings)
        self.replica = Replica(self.settings, signer(replica), quiet=True)
        self.replica.tick(self.now_ms)

    def votes(self, *votes: Signed | ReplicaMessage, together: bool) -> None:
        """Have it take votes; what follows is carried out when all are taken."""
        packets = [vote if isinstance(vote, Signed) else signed(vote) for vote in votes]
        if together:
            self.take(self.replica.receive_votes(packets, self.now_ms))
            return
        whole = Output()
        for packet in packets:
            output = self.replica.receive(packet, self.now_ms)
            whole.persist += output.persist
            whole.send += output.send
            whole.execute += output.execute
            whole.certified += output.certified
        self.take(whole)

    @property
    def done(self) -> tuple[object, ...]:
        """All that it wrote down, said and decided, and where it stands."""
        replica = self.replica
        where = (replica.view, replica.executed_sequence, replica.low_watermark, replica.halted)
        return self.records, self.sent, self.decisions, self.certified, where, replica.deadline_ms


def batches() -> list[Batch]:
    """One request at each of a few sequence numbers."""
    return [batch_of(each, sequence=s, time_ms=1000 + s) for s, each in enumerate((R1, R2, R3), 1)]


def storm(seed: int, n: int) -> list[ReplicaMessage]:
    """Votes of everybody for a few sequence numbers, good and bad, some twice, in any order."""
    draw = Random(f"{seed}/tallying")
    blocks = [bytes(32)]
    for batch in batches():
        blocks.append(block_hash(blocks[-1], batch))
    liar = draw.randrange(n)
    votes: list[ReplicaMessage] = []
    for batch in batches():
        for replica in range(n + 1):  # The last one is no voter.
            lies = {"digest": other_digest()} if replica == liar and draw.random() < 0.5 else {}
            votes += [prepare(replica, batch, **lies), commit(replica, batch, **lies)]
            votes.append(block_vote(replica, batch.sequence, blocks[batch.sequence]))
            if draw.random() < 0.3:
                strange = draw.choice([{"view": 1}, {"epoch": 1}, {"sequence": 200}, {"sequence": 4}])
                votes.append(draw.choice([prepare, commit])(replica, batch, **strange))
            if replica == liar:
                votes += [prepare(replica, batch), commit(replica, batch, digest=other_digest())]
                votes.append(block_vote(replica, batch.sequence, other_digest()))
    votes += draw.choices(votes, k=len(votes) // 3)
    draw.shuffle(votes)
    return votes


@pytest.mark.parametrize("seed", range(60))
def test_together_they_lead_to_what_they_lead_to_one_by_one(seed: int) -> None:
    """The same records, words, decisions, certificates and timers, whatever votes there are."""
    n = SIZES[seed % len(SIZES)]
    draw = Random(f"{seed}/chunks")
    one, many = Quiet(1 + seed % (n - 1), n), Quiet(1 + seed % (n - 1), n)
    votes = storm(seed, n)
    proposals = [proposal_of(batch) for batch in batches()]
    while votes or proposals:
        if proposals and draw.random() < 0.4:
            for replica in (one, many):
                replica.submit(*(request(number) for number in range(1, 4)))
                replica.receive(proposals[0])
            del proposals[0]
        size = draw.randint(1, 20)
        now, votes = votes[:size], votes[size:]
        one.votes(*now, together=False)
        many.votes(*now, together=True)
        assert many.done == one.done
    for replica in (one, many):
        replica.run_for(3_000)  # Whom it asks for what it lacks depends on what it heard.
    assert many.done == one.done
    assert one.replica.executed_sequence > 0, "nothing was decided: nothing was shown"


def test_a_quorum_that_comes_at_once_is_a_quorum() -> None:
    """Prepares, commits and block votes of one batch in a single step each."""
    alone, batch = Quiet(), batch_of(R1)
    alone.submit(R1)
    alone.receive(proposal_of(batch))
    alone.votes(prepare(2, batch), prepare(3, batch), together=True)
    alone.votes(commit(0, batch), commit(2, batch), together=True)
    assert [decision.batch for decision in alone.decisions] == [batch]
    block = alone.blocks[1]
    alone.votes(*(block_vote(replica, 1, block) for replica in (0, 2)), together=True)
    assert alone.replica.low_watermark == 1


def test_votes_that_change_nothing_any_more_are_told_apart() -> None:
    """A repeated one, and one for a block whose certificate is complete."""
    alone, batch = Quiet(n=7), batch_of(R1)
    alone.submit(R1)
    alone.receive(proposal_of(batch))
    alone.votes(prepare(2, batch), prepare(2, batch), together=True)
    assert alone.replica.idle_votes == 1
    decide(alone, batch, (0, 2, 3, 4, 5))
    block = alone.blocks[1]
    alone.votes(*(block_vote(replica, 1, block) for replica in (0, 2, 3, 4, 5, 6)), together=True)
    assert alone.replica.low_watermark == 1 and alone.replica.idle_votes == 3


def test_who_reads_notes_gets_one_of_each_vote() -> None:
    """Counting together is for those whom nobody asks."""
    alone, batch = Alone(n=7), batch_of(R1)
    alone.submit(R1)
    alone.receive(proposal_of(batch))
    votes = [signed(prepare(replica, batch)) for replica in (2, 3)]
    alone.take(alone.replica.receive_votes(votes, alone.now_ms))
    assert [note.replica for note in alone.notes if note.event == "prepare"] == [None, 2, 3]


@pytest.mark.parametrize("together", [False, True])
def test_block_votes_that_move_the_window_have_the_primary_go_on(together: bool) -> None:
    """A certificate is complete: what stood at the high watermark is proposed (R11)."""
    primary = Quiet(0, window=1, block_every_ms=0, max_batch=1)
    primary.submit(R1, R2)
    first = primary.proposals()[0].batch
    primary.votes(*(prepare(backup, first) for backup in (1, 2)), together=together)
    primary.votes(*(commit(backup, first) for backup in (1, 2)), together=together)
    assert [each.batch.requests for each in primary.proposals()] == [(R1.id,)]
    primary.votes(*(block_vote(backup, 1, primary.blocks[1]) for backup in (1, 2)), together=together)
    assert [each.batch.requests for each in primary.proposals()] == [(R1.id,), (R2.id,)]
