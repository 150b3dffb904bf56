"""Watermarks: above the low one, up to the high one (R11; PBFT 4.2). They move with execution."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from consensus.votes import BlockVote, Commit, Prepare, PrePrepare
from tests.consensus.alone import (
    R1,
    R2,
    START_MS,
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
from tests.consensus.cluster import Cluster
from tests.consensus.wire import decode_packet, encode_packet, request, signed

LAST = 2**53 - 1


def test_the_high_watermark_is_a_window_above_the_stable_checkpoint() -> None:
    """It does not move with execution alone (R11)."""
    alone = Alone(1, window=4)
    assert alone.replica.high_watermark == 4
    alone.submit(R1)
    decide(alone, batch_of(R1))
    assert alone.replica.high_watermark == 4
    certify(alone, 1)
    assert (alone.replica.low_watermark, alone.replica.high_watermark) == (1, 5)


@pytest.mark.parametrize("executed", [0, 1])
@pytest.mark.parametrize("what", ["proposal", "prepare", "commit", "decided"])
def test_what_is_outside_the_watermarks_is_ignored(executed: int, what: str) -> None:
    """At h and at h + L + 1 it is ignored; at h + 1 and at h + L it is not."""
    for sequence, inside in [
        (executed, False),
        (executed + 1, True),
        (executed + 4, True),
        (executed + 5, False),
        (LAST, False),
    ]:
        if sequence == 0:
            continue
        alone = Alone(1, window=4)
        alone.submit(R1, R2)
        for number in range(executed):
            decide(alone, batch_of(R1, sequence=number + 1))
            certify(alone, number + 1)
        alone.notes.clear()
        batch = batch_of(R2, sequence=sequence, time_ms=START_MS + 9)
        packet: Any = {
            "proposal": proposal_of(batch),
            "prepare": prepare(2, batch),
            "commit": commit(2, batch),
            "decided": decided(batch),
        }[what]
        alone.receive(packet)
        expected = [] if inside else ["outside watermarks"]
        if sequence == executed:
            expected = ["already executed"]
        assert alone.reasons() == expected, sequence


@pytest.mark.parametrize("sequence", [0, -1, 2**53, 2**63])
@pytest.mark.parametrize("kind", [PrePrepare, Prepare, Commit, BlockVote])
def test_sequence_numbers_out_of_range_do_not_even_decode(kind: Any, sequence: int) -> None:
    """0, negative ones and those from 2**53 on are no sequence numbers, in votes and in proposals (R11)."""
    fields = (0, sequence, other_digest(), 2) if kind is BlockVote else (0, 0, sequence, other_digest(), 2)
    packets: list[Any] = [signed(kind(*fields))]
    if kind is PrePrepare:
        packets.append(proposal_of(batch_of(R1, sequence=sequence)))
    for packet in packets:
        with pytest.raises(ValueError):
            decode_packet(encode_packet(packet))


def test_the_last_sequence_number_harms_nobody() -> None:
    """Votes of every kind at 2**53 - 1 leave a replica as it was, and able to go on."""
    alone = Alone(1)
    alone.submit(R1)
    far = batch_of(R1, sequence=LAST)
    alone.receive(proposal_of(far), prepare(2, far), commit(2, far), block_vote(2, LAST, other_digest()))
    alone.run_for(1_000)
    assert alone.messages(Prepare, Commit, BlockVote) == []
    decide(alone, batch_of(R1))
    assert len(alone.decisions) == 1


def test_votes_are_cast_up_to_the_high_watermark_only() -> None:
    """A primary may propose as far as the window; its backups vote that far and no further."""
    alone = Alone(1, window=4)
    requests = [request(number) for number in range(6)]
    alone.submit(*requests)
    for sequence, each in enumerate(requests, start=1):
        alone.receive(proposal_of(batch_of(each, sequence=sequence, time_ms=START_MS + sequence)))
    assert [vote.sequence for vote in alone.messages(Prepare)] == [1, 2, 3, 4]


def test_a_primary_stops_at_the_high_watermark() -> None:
    """However much waits, and however many it might keep in flight."""
    alone = Alone(0, window=3, in_flight=8, block_every_ms=0, max_batch=1)
    for number in range(6):
        alone.submit(request(number))
        alone.run_for(10)
    assert {proposal.batch.sequence for proposal in alone.proposals()} == {1, 2, 3}


def test_a_primary_goes_on_with_the_checkpoint_that_moves_the_window() -> None:
    """In that very step: nobody waits for a timer with requests in hand (R11)."""
    alone = Alone(0, window=1, block_every_ms=0, max_batch=1)
    alone.submit(R1, R2)
    (first,) = alone.proposals()
    alone.receive(*(prepare(i, first.batch) for i in (1, 2)))
    alone.receive(*(commit(i, first.batch) for i in (1, 2)))
    assert (len(alone.decisions), len(alone.proposals())) == (1, 1)
    certify(alone, 1)
    assert [proposal.batch.sequence for proposal in alone.proposals()] == [1, 2]


@pytest.mark.parametrize("window", [1, 2, 3])
def test_a_small_window_slows_and_never_stops(window: int) -> None:
    """The chain goes on through any window, though packets are lost and replicas fall behind."""
    cluster = Cluster(4, window=window, max_batch=1, block_every_ms=20, seed=window)
    cluster.faults.loss = 0.1
    for _ in range(12):
        cluster.request()
    cluster.run_until(cluster.all_executed, 60_000)
    assert cluster.happened["lost"] > 0
    assert set(cluster.heights().values()) == {12}


def test_a_peer_can_make_a_replica_remember_only_so_much() -> None:
    """Votes and proposals at every sequence number, thousands of them, fill the window and no more (R37)."""
    window = 8

    def spam(alone: Alone, sequences: range) -> int:
        for sequence in sequences:
            for salt in range(3):
                batch = batch_of(R1, sequence=sequence, time_ms=START_MS + salt)
                alone.receive(proposal_of(batch), prepare(2, batch), commit(2, batch))
                alone.receive(block_vote(2, sequence, batch.digest()))
        return len(pickle.dumps(alone.replica))

    assert (
        spam(Alone(1, window=window), range(1, 500))
        <= spam(Alone(1, window=window), range(1, window + 1)) + 200
    )


def test_memory_does_not_grow_with_the_chain() -> None:
    """After 400 blocks a replica holds no more than after 100, certificates complete or not (R37)."""
    sizes = []
    for blocks in (100, 400):
        alone = Alone(1, window=8)
        for sequence in range(1, blocks + 1):
            each = request(sequence)
            alone.submit(each)
            alone.receive(decided(batch_of(each, sequence=sequence, time_ms=START_MS + sequence)))
            if sequence % 50 == 0:
                certify(alone, sequence)
        assert len(alone.decisions) == blocks
        sizes.append(len(pickle.dumps(alone.replica)))
    assert sizes[1] <= sizes[0] + 100
