"""A replica without its records has forgotten what it said: it keeps silent until that harms nobody (R22)."""

from __future__ import annotations

from typing import Any

import pytest

from consensus.messages import NewView, Status, ViewChange
from consensus.output import LostDiskRecord
from consensus.votes import BlockVote, Commit, Prepare, PrePrepare, Request
from tests.consensus.alone import (
    START_MS,
    Alone,
    batch_of,
    block_certificate,
    commit,
    decided,
    prepare,
    proposal_of,
    status,
)
from tests.consensus.views import view_change
from tests.consensus.wire import block_hash, request

WINDOW = 4
WORDS = (PrePrepare, Prepare, Commit, BlockVote, ViewChange, NewView)


def wiped(replica: int = 1, n: int = 4) -> Alone:
    """A replica that comes back with an empty disk."""
    alone = Alone(replica, n, window=WINDOW).restart(lost_disk=True)
    alone.tick()
    return alone


def number(sequence: int) -> Request:
    """The request that a batch holds."""
    return request(sequence)


def follows(alone: Alone, last: int, n: int = 4) -> None:
    """It is given the decisions with their block certificates, up to here."""
    voters = [i for i in range(n) if i != alone.settings.replica]
    for sequence in range(len(alone.blocks), last + 1):
        batch = batch_of(number(sequence), sequence=sequence, time_ms=START_MS + sequence)
        block = block_hash(alone.blocks[-1], batch)
        alone.submit(number(sequence))
        alone.receive(decided(batch, voters, block=block_certificate(sequence, block, voters)))
    assert len(alone.blocks) == last + 1


def test_it_hears_follows_and_says_nothing_that_counts() -> None:
    """No vote, no proposal, no view-change, whatever it is asked; it says where it stands."""
    alone = wiped()
    batch = batch_of(number(1))
    alone.submit(number(1), number(2))
    alone.receive(proposal_of(batch), prepare(2, batch), prepare(3, batch))
    alone.receive(*(commit(i, batch) for i in (0, 2, 3)))
    assert len(alone.decisions) == 1
    alone.receive(view_change(2, 1), view_change(3, 1), view_change(0, 1))
    alone.run_for(20_000)
    assert alone.replica.silent and alone.messages(*WORDS) == [] and alone.proposals() == []
    assert alone.messages(Status) != []


def test_it_speaks_once_a_checkpoint_is_above_all_that_it_may_have_said() -> None:
    """The others have executed 3, so it may have voted up to 3 + L; with L + 3 stable it is silent still."""
    alone = wiped()
    alone.receive(status(0, 3), status(2, 3), status(3, 2))
    follows(alone, 3 + WINDOW)
    assert alone.replica.silent
    follows(alone, 3 + WINDOW + 1)
    assert not alone.replica.silent
    batch = batch_of(number(99), sequence=9, time_ms=START_MS + 99)
    alone.submit(number(99))
    alone.receive(proposal_of(batch))
    assert [vote.sequence for vote in alone.messages(Prepare)] == [9]


@pytest.mark.parametrize(
    ("heights", "until"),
    [
        ({0: 3, 2: 3}, 0),
        ({0: 3, 2: 3, 3: 3}, 3 + WINDOW),
        ({0: 3, 2: 5, 3: 5}, 5 + WINDOW),
        ({0: 3, 2: 5, 3: 9}, 0),
    ],
)
def test_the_estimate_takes_a_quorum_that_does_not_exceed_it_and_f_that_confirm(
    heights: dict[int, int], until: int
) -> None:
    """Of four: two others not above, one not below; without that it goes on waiting."""
    alone = wiped()
    alone.receive(*(status(replica, height) for replica, height in heights.items()))
    bounds = [record.until for record in alone.records if isinstance(record, LostDiskRecord)]
    assert bounds == ([0, until] if until else [0])


@pytest.mark.parametrize("lie", [0, 1, 2**40])
def test_a_liar_moves_the_estimate_nowhere(lie: int) -> None:
    """Of seven, one wiped and one liar, however high or low its claim."""
    alone = wiped(6, n=7)
    honest = {0: 10, 1: 11, 2: 12, 3: 12, 4: 12}
    alone.receive(*(status(replica, height) for replica, height in honest.items()), status(5, lie))
    (until,) = [record.until for record in alone.records if isinstance(record, LostDiskRecord)][1:]
    assert until == 12 + WINDOW


def test_another_restart_does_not_end_the_silence() -> None:
    """Before the estimate and after it, though the disk is not lost again."""
    alone = wiped()
    again = alone.restart()
    again.tick()
    assert again.replica.silent
    again.receive(status(0, 3), status(2, 3), status(3, 3))
    again.submit(number(1))
    later = again.restart()
    later.tick()
    later.receive(proposal_of(batch_of(number(1))))
    assert later.replica.silent and later.messages(*WORDS) == []


def test_what_followers_claim_is_no_part_of_the_estimate() -> None:
    """They are no voters, so nothing follows from where they stand."""
    alone = wiped()
    alone.receive(*(status(replica, 3) for replica in (0, 4, 5, 6)))
    assert [record.until for record in alone.records if isinstance(record, LostDiskRecord)] == [0]


def test_a_primary_that_lost_its_disk_is_missed_by_the_others() -> None:
    """It proposes nothing, so the others leave its view."""
    alone = wiped(0)
    alone.submit(number(1))
    alone.run_for(5_000)
    other: Any = Alone(1)
    other.submit(number(1))
    other.run_for(2_000)
    assert alone.proposals() == [] and other.replica.view == 1
