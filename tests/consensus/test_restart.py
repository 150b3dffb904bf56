"""Crash and restart: durable before visible, and nothing else said afterwards (R20).

`cluster.py` checks at every send that the vote is on the disk and contradicts none before (I4, I6), and
at every execution that an own vote in the certificate was durable before it was counted.
"""

from __future__ import annotations

import functools
from typing import Any

import pytest

from consensus.messages import FetchRequests, Signed
from consensus.output import PreparedRecord, ProposalRecord, Send, VoteRecord
from consensus.votes import BlockVote, Commit, Prepare, encode
from tests.consensus.alone import (
    R1,
    R2,
    R3,
    START_MS,
    Alone,
    batch_of,
    block_vote,
    commit,
    decide,
    decided,
    other_digest,
    prepare,
    proposal_of,
)
from tests.consensus.cluster import Cluster

BATCH = batch_of(R1)


def run(crash_at: dict[int, int], n: int = 4, **settings: Any) -> Cluster:
    """Three requests, crashes at the given effects, everybody restarted after a while, all certified."""
    cluster = Cluster(n, followers=1, crash_at=crash_at, **settings)
    for number in range(3):
        cluster.request(at_ms=1010 + 250 * number)
    for when_ms in range(1700, 9000, 900):
        cluster.at(when_ms, cluster.restart_all)
    cluster.run_for(2_000)
    cluster.run_until(cluster.all_executed, 20_000)
    cluster.run_until(cluster.all_certified, 20_000)
    return cluster


@functools.cache
def effects(number: int, **settings: Any) -> int:
    """How many effects a replica carries out when nothing goes wrong."""
    return run({}, **settings).nodes[number].boundary


@pytest.mark.parametrize("settings", [{}, {"window": 1}, {"in_flight": 2, "window": 2, "max_batch": 1}])
@pytest.mark.parametrize("number", [0, 1, 4])
def test_one_replica_crashes_at_every_effect(number: int, settings: dict[str, int]) -> None:
    """Primary, backup or follower: wherever it stops, it comes back, contradicts nothing, and all go on."""
    total = effects(number, **settings)
    assert total > 10
    for place in range(1, total):
        cluster = run({number: place}, **settings)
        assert cluster.happened["crash"] == 1, place


@pytest.mark.parametrize("n", [4, 5])
def test_all_replicas_crash_at_every_effect(n: int) -> None:
    """Each stops at the same count of effects, all start again, and the chain goes on."""
    for place in range(1, effects(1, n=n)):
        cluster = run(dict.fromkeys(range(n + 1), place), n=n)
        assert cluster.happened["crash"] >= n - 1, place  # Not all have equally many effects.


def test_all_replicas_crash_twice() -> None:
    """A second stop, soon after the first restart, changes nothing."""
    for place in range(1, effects(1), 2):
        cluster = Cluster(4, crash_at=dict.fromkeys(range(4), place))
        for number in range(3):
            cluster.request(at_ms=1010 + 250 * number)
        cluster.run_for(1_500)
        for pause in (1, 5, 2):
            for number in cluster.nodes:
                cluster.restart(number)
                cluster.nodes[number].crash_at = cluster.nodes[number].boundary + pause
            cluster.run_for(500)
        cluster.heal()
        cluster.run_until(cluster.all_executed, 20_000)
        cluster.run_until(cluster.all_certified, 20_000)
        assert cluster.happened["crash"] > 4


def test_an_output_names_what_to_persist_before_what_to_send() -> None:
    """Every vote in `send` is in `persist` of the same output or of an earlier one."""
    alone = Alone(1)
    alone.submit(R1)
    durable: set[bytes] = set()
    packets: list[Any] = [proposal_of(BATCH), prepare(2, BATCH), commit(0, BATCH), commit(3, BATCH)]
    seen = 0
    for packet in packets:
        output = alone.receive(packet)
        durable |= {encode(record.vote) for record in output.persist if isinstance(record, VoteRecord)}
        for send in output.send:
            assert isinstance(send, Send) and isinstance(send.packet, Signed)
            assert encode(send.packet.message) in durable
            seen += 1
    assert seen == 2


def test_votes_are_repeated_byte_by_byte() -> None:
    """What was sent before a restart is sent again as it was."""
    alone = Alone(1)
    alone.submit(R1)
    alone.receive(proposal_of(BATCH), prepare(2, BATCH))
    before = [send for send in alone.sent if isinstance(send.packet.message, Prepare | Commit)]  # type: ignore[union-attr]
    again = alone.restart()
    again.tick()
    after = [send for send in again.sent if isinstance(send.packet.message, Prepare | Commit)]  # type: ignore[union-attr]
    assert after == before and len(after) == 2
    assert again.records == alone.records


def test_a_proposal_is_repeated_byte_by_byte() -> None:
    """A primary comes back with its own proposal, and proposes what is new at the next sequence number."""
    alone = Alone(0)
    alone.submit(R1)
    again = alone.restart()
    again.submit(R1, R2)
    again.tick()
    repeated = [proposal for proposal in again.proposals() if proposal.batch.sequence == 1]
    assert repeated and all(proposal == alone.proposals()[0] for proposal in repeated)
    assert {proposal.batch.requests for proposal in again.proposals() if proposal.batch.sequence == 2} == {
        (R2.id,)
    }


def test_a_second_proposal_is_not_voted_for_after_a_restart() -> None:
    """A replica that prepared one batch prepares no other at that sequence number, ever."""
    alone = Alone(1)
    alone.submit(R1, R2)
    alone.receive(proposal_of(BATCH))
    again = alone.restart()
    again.submit(R1, R2)
    again.receive(proposal_of(batch_of(R2)))
    again.tick()
    again.receive(proposal_of(batch_of(R2)))
    again.run_for(3_000)
    assert set(again.reasons()) == {"second pre-prepare"}
    assert {vote.digest for vote in again.messages(Prepare)} == {BATCH.digest()}


def test_recalled_votes_count() -> None:
    """Own votes, and the prepares of the prepared certificate, count again without being sent again."""
    alone = Alone(1)
    alone.submit(R1)
    alone.receive(proposal_of(BATCH), prepare(2, BATCH))
    again = alone.restart()
    again.submit(R1)
    again.receive(commit(0, BATCH), commit(3, BATCH))
    assert [decision.batch for decision in again.decisions] == [BATCH]
    assert [replica for replica, _ in again.decisions[0].certificate.signatures] == [0, 1, 3]


def test_a_recalled_prepare_counts() -> None:
    """One more prepare makes prepared, as before the restart."""
    alone = Alone(1)
    alone.submit(R1)
    alone.receive(proposal_of(BATCH))
    again = alone.restart()
    again.receive(prepare(2, BATCH))
    assert again.messages(Commit) == [commit(1, BATCH)]


def test_sequence_numbers_below_a_stable_checkpoint_are_not_recalled() -> None:
    """Records of what a stable checkpoint covers lead to no vote and no resend."""
    alone = Alone(1)
    alone.submit(R1)
    decide(alone, BATCH)
    alone.receive(*(block_vote(i, 1, alone.blocks[1]) for i in (0, 2, 3)))
    assert len(alone.certified) == 1
    again = alone.restart(
        records=[r for r in alone.records if not isinstance(getattr(r, "vote", None), BlockVote)],
        stable=alone.certified[0],
    )
    again.run_for(20_000)
    assert again.messages(Prepare, Commit, BlockVote) == []
    assert again.replica.executed_sequence == 1


@pytest.mark.parametrize("kept", [1, 2, 3, 4])
def test_a_journal_torn_within_one_step_is_continued(kept: int) -> None:
    """If a disk has only the first records of a step, the votes that should follow are cast on restart."""
    alone = Alone(1)
    alone.submit(R1)
    alone.receive(prepare(2, BATCH), prepare(3, BATCH), proposal_of(BATCH))
    assert len(alone.records) == 4
    again = alone.restart(records=alone.records[:kept])
    again.records = alone.records[:kept]
    again.tick()
    again.receive(prepare(2, BATCH), prepare(3, BATCH))
    assert set(again.messages(Prepare)) == {prepare(1, BATCH)}
    assert set(again.messages(Commit)) == {commit(1, BATCH)}
    assert [type(record) for record in again.records] == [type(record) for record in alone.records]


def test_a_torn_journal_makes_no_primary_prepare_and_no_follower_vote() -> None:
    """The votes that are cast late are those of backups alone (R5)."""
    for replica in (0, 4):
        alone = Alone(replica)
        alone.submit(R1)
        proposal = alone.proposals()[0] if replica == 0 else proposal_of(BATCH)
        alone.receive(proposal)
        again = alone.restart()
        again.tick()
        assert again.messages(Prepare, Commit) == []


def test_proposals_accepted_before_a_restart_are_followed_by_the_next() -> None:
    """A later proposal is judged against the recalled parent."""
    alone = Alone(1)
    alone.submit(R1, R2)
    alone.receive(proposal_of(BATCH))
    again = alone.restart()
    again.submit(R1, R2)
    second = batch_of(R2, sequence=2, time_ms=START_MS + 1)
    again.receive(proposal_of(second))
    assert prepare(1, second) in again.messages(Prepare)


def test_bodies_of_recalled_proposals_are_asked_for() -> None:
    """A replica whose requests are gone gets them from others."""
    alone = Alone(1)
    alone.submit(R1)
    alone.receive(proposal_of(BATCH))
    again = alone.restart()
    assert not again.replica.wants(R1.id)
    again.tick()
    assert again.replica.wants(R1.id)


def test_bodies_of_a_recalled_prepared_proposal_are_asked_of_those_who_prepared_it() -> None:
    """The prepared certificate names replicas that have them (R7)."""
    alone = Alone(1)
    alone.submit(R1)
    alone.receive(proposal_of(BATCH), prepare(3, BATCH))
    again = alone.restart()
    again.tick()
    again.run_for(1_000)
    assert set(again.asked(FetchRequests)) == {0, 3}


def test_a_block_without_certificate_is_voted_for_after_a_restart() -> None:
    """Also when the stop came after execution and before the block vote was recorded."""
    alone = Alone(1)
    alone.submit(R1)
    decide(alone, BATCH)
    records = [r for r in alone.records if not isinstance(getattr(r, "vote", None), BlockVote)]
    for kept in (records, alone.records):
        again = alone.restart(records=kept)
        again.take(again.replica.executed(1, alone.blocks[1], alone.blocks[1], None, again.now_ms))
        again.tick()
        assert again.messages(BlockVote) == [block_vote(1, 1, alone.blocks[1])] * len(
            again.messages(BlockVote)
        )
        assert again.messages(BlockVote)
        again.receive(*(block_vote(i, 1, alone.blocks[1]) for i in (0, 2)))
        assert [certificate.sequence for certificate in again.certified] == [1]


def test_a_recalled_block_vote_is_enough_to_know_an_open_block() -> None:
    """The vote is repeated, though the driver names no open block."""
    alone = Alone(1)
    alone.submit(R1)
    decide(alone, BATCH)
    again = alone.restart()
    again.tick()
    assert again.messages(BlockVote) == [block_vote(1, 1, alone.blocks[1])]


def test_only_open_blocks_near_the_head_are_recalled() -> None:
    """However long the journal, a restart repeats votes of the last window only."""
    alone = Alone(1, window=4)
    for sequence, each in enumerate((R1, R2, R3), start=1):
        alone.submit(each)
        decide(alone, batch_of(each, sequence=sequence, time_ms=START_MS + sequence))
    again = alone.restart(executed=6)
    again.tick()
    assert {vote.sequence for vote in again.messages(BlockVote)} == {3}


def test_a_vote_ahead_of_the_executed_block_binds_its_second_execution() -> None:
    """A block vote outlives the block: if executing again leads elsewhere, the replica halts."""
    alone = Alone(1)
    alone.submit(R1)
    decide(alone, BATCH)
    again = alone.restart(executed=0, block=bytes(32), time_ms=0)
    again.execute = False
    again.submit(R1)
    again.receive(decided(BATCH))
    again.take(again.replica.executed(1, other_digest(), other_digest(), None, again.now_ms))
    assert again.replica.halted
    assert {vote.block for vote in again.messages(BlockVote)} == set()


def test_records_of_one_step_fit_the_watermarks_before_its_execution() -> None:
    """A crash between persisting and executing leaves records that the replica can come back with."""
    alone = Alone(0, window=1, block_every_ms=0, execute=False)
    alone.submit(R1)
    alone.submit(R2)
    output = alone.receive(decided(alone.proposals()[0].batch, (1, 2, 3)))
    assert len(output.execute) == 1
    again = alone.restart()
    again.tick()
    assert again.replica.executed_sequence == 0


def test_nothing_is_sent_before_the_first_tick() -> None:
    """A replica that comes back speaks when its driver is ready."""
    alone = Alone(1)
    alone.submit(R1)
    alone.receive(proposal_of(BATCH))
    again = alone.restart()
    assert again.sent == []


def test_records_survive_encoding() -> None:
    """Each kind of record decodes to what it was."""
    alone = Alone(1)
    alone.submit(R1)
    alone.receive(proposal_of(BATCH), prepare(2, BATCH))
    assert {type(record) for record in alone.records} == {ProposalRecord, VoteRecord, PreparedRecord}
