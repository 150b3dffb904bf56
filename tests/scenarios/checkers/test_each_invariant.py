"""Each invariant broken once by a stream of events made by hand, and a stream without a fault.

I8 is in test_public_state.py, I11 and the drivers that break I6 in test_liars_are_caught.py.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable

import pytest

from consensus.messages import Status, ViewChange
from consensus.votes import BlockVote, Commit, Prepare, PrePrepare
from scenarios.checkers.checkers import InvariantBroken
from scenarios.virtual.bare_host import BareHost
from scenarios.virtual.campaign import STORM_MS, Campaign, Options
from scenarios.virtual.world import World
from tests.consensus.alone import block_certificate
from tests.consensus.views import new_view, view_change
from tests.scenarios.checkers.event_stream import FOLLOWER, LIAR, WINDOW, Stream, batch, block, fields

THIS, OTHER = batch(1), batch(2)


def two_blocks_after_one_batch(stream: Stream) -> None:
    stream.decided(THIS)
    stream.executes(0, THIS)
    stream.executes(1, THIS, "another block")


def two_certified_batches(stream: Stream) -> None:
    stream.decided(THIS)
    stream.decided(OTHER, (1, 2, LIAR))


def a_vote_that_nobody_signed(stream: Stream) -> None:
    stream.checkers.facts.check = lambda *_: False
    stream.sends(0, Commit(*fields(THIS, 0, 0)))


def a_prepare_against_a_hidden_commit(stream: Stream) -> None:
    stream.shown(*(Commit(*fields(THIS, 0, i)) for i in (0, 1)))
    stream.prepares(2, OTHER, view=1)


def two_prepares_for_one_place(stream: Stream) -> None:
    stream.prepares(1, THIS)
    stream.prepares(1, OTHER)


def two_view_changes_to_one_view(stream: Stream) -> None:
    stream.says(1, view_change(1, 1))
    stream.says(1, view_change(1, 1, stable=block_certificate(1, block("a"), (0, 1, 2))))


def a_prepare_without_its_proposal(stream: Stream) -> None:
    stream.says(1, Prepare(*fields(THIS, 0, 1)))


def a_prepare_by_the_primary(stream: Stream) -> None:
    stream.prepares(0, THIS)


def a_proposal_by_a_backup(stream: Stream) -> None:
    stream.says(1, PrePrepare(*fields(THIS, 0, 1)))


def a_commit_without_prepares(stream: Stream) -> None:
    stream.prepares(1, THIS)
    stream.says(1, Commit(*fields(THIS, 0, 1)))


def a_vote_in_a_view_that_was_left(stream: Stream) -> None:
    stream.says(1, view_change(1, 1))
    stream.prepares(1, THIS)


def a_vote_in_a_view_that_did_not_begin(stream: Stream) -> None:
    stream.prepares(2, THIS, view=1)


def a_view_change_that_hides_a_commit(stream: Stream) -> None:
    stream.commits(1, THIS)
    stream.says(1, view_change(1, 1))


def a_view_lower_than_before(stream: Stream) -> None:
    stream.says(1, view_change(1, 5))
    stream.says(1, view_change(1, 4))


def a_new_view_that_does_not_follow(stream: Stream) -> None:
    changes = [view_change(i, 1) for i in (0, 1, 2)]
    stream.says(1, new_view(1, changes, [(1, THIS.digest())]).message)


def a_view_change_with_a_proof_of_too_few(stream: Stream) -> None:
    stream.says(1, view_change(1, 1, stable=block_certificate(1, block("a"), (0, 1))))


def a_vote_of_a_follower(stream: Stream) -> None:
    stream.proposed(FOLLOWER, THIS)
    stream.says(FOLLOWER, Prepare(*fields(THIS, 0, FOLLOWER)))


def a_word_for_another(stream: Stream) -> None:
    stream.sends(1, Status(0, 0, 1, bytes(32), bytes(32), bytes(8), 2))


def sent_and_not_written(stream: Stream) -> None:
    stream.proposed(1, THIS)
    stream.sends(1, Prepare(*fields(THIS, 0, 1)))


def a_commit_without_its_proof_on_the_disk(stream: Stream) -> None:
    stream.prepares(1, THIS)
    stream.hears(1, *(Prepare(*fields(THIS, 0, i)) for i in (2, 3)))
    stream.says(1, Commit(*fields(THIS, 0, 1)))


def a_gap_in_the_chain(stream: Stream) -> None:
    stream.decided(batch(1, 2))
    stream.executes(0, batch(1, 2))


def one_height_twice(stream: Stream) -> None:
    stream.decided(THIS)
    stream.executes(0, THIS)
    stream.executes(0, THIS)


def executed_without_a_quorum(stream: Stream) -> None:
    stream.decided(THIS, (0, 1))
    stream.executes(0, THIS)


def two_certified_blocks(stream: Stream) -> None:
    stream.shown(*(BlockVote(0, 1, block("a"), i) for i in (0, 1, 2)))
    stream.shown(*(BlockVote(0, 1, block("b"), i) for i in (0, 1, LIAR)))


def a_certified_block_that_nobody_executed(stream: Stream) -> None:
    stream.decided(THIS)
    stream.executes(0, THIS)
    stream.shown(*(BlockVote(0, 1, block("another"), i) for i in (0, 1, 2)))


def a_low_watermark_that_falls(stream: Stream) -> None:
    stream.says(1, view_change(1, 1, stable=block_certificate(2, block("a"), (0, 1, 2))))
    stream.says(1, ViewChange(0, 2, None, (), 1))


def an_accusation_of_a_correct_one(stream: Stream) -> None:
    stream.accuses(1, "E1", Prepare(*fields(THIS, 0, 2)), Prepare(*fields(OTHER, 0, 2)))


def an_accusation_without_a_contradiction(stream: Stream) -> None:
    stream.accuses(1, "E1", Prepare(*fields(THIS, 0, LIAR)), Prepare(*fields(OTHER, 1, LIAR)))


def a_contradiction_that_is_not_told(stream: Stream) -> None:
    stream.hears(1, Commit(*fields(THIS, 0, LIAR)), Commit(*fields(OTHER, 0, LIAR)))
    stream.ticks(1, 2_000)


def evidence_without_end(stream: Stream) -> None:
    for view in range(33):
        stream.accuses(1, "E4", Prepare(*fields(THIS, 4 * view + LIAR, LIAR)))


def a_vote_above_the_window(stream: Stream) -> None:
    stream.prepares(1, batch(1, WINDOW + 1))


BROKEN: list[tuple[str, Callable[[Stream], None]]] = [
    ("I1", two_blocks_after_one_batch),
    ("I2", two_certified_batches),
    ("I2", a_vote_that_nobody_signed),
    ("I3", a_prepare_against_a_hidden_commit),
    ("I4", two_prepares_for_one_place),
    ("I4", two_view_changes_to_one_view),
    ("I5", a_prepare_without_its_proposal),
    ("I5", a_prepare_by_the_primary),
    ("I5", a_proposal_by_a_backup),
    ("I5", a_commit_without_prepares),
    ("I5", a_vote_in_a_view_that_was_left),
    ("I5", a_vote_in_a_view_that_did_not_begin),
    ("I5", a_view_change_that_hides_a_commit),
    ("I5", a_view_lower_than_before),
    ("I5", a_new_view_that_does_not_follow),
    ("I5", a_view_change_with_a_proof_of_too_few),
    ("I5", a_vote_of_a_follower),
    ("I5", a_word_for_another),
    ("I6", sent_and_not_written),
    ("I6", a_commit_without_its_proof_on_the_disk),
    ("I7", a_gap_in_the_chain),
    ("I7", one_height_twice),
    ("I7", executed_without_a_quorum),
    ("I9", two_certified_blocks),
    ("I9", a_certified_block_that_nobody_executed),
    ("I9", a_low_watermark_that_falls),
    ("I10", an_accusation_of_a_correct_one),
    ("I10", an_accusation_without_a_contradiction),
    ("I10", a_contradiction_that_is_not_told),
    ("I12", evidence_without_end),
    ("I12", a_vote_above_the_window),
]


@pytest.mark.parametrize(("invariant", "story"), BROKEN, ids=[story.__name__ for _, story in BROKEN])
def test_what_breaks_an_invariant_is_reported_under_its_name(
    invariant: str, story: Callable[[Stream], None]
) -> None:
    """One thing in each story is wrong, and the checker names it."""
    with pytest.raises(InvariantBroken) as broken:
        story(Stream())
    assert broken.value.invariant == invariant


def test_a_round_without_a_fault_is_not_reported() -> None:
    """Proposal, prepares, commits, execution, block votes, one contradiction that is told, a view change."""
    stream = Stream()
    for replica in (1, 2):
        stream.commits(replica, THIS)
    stream.decided(THIS)
    stream.hears(1, Commit(*fields(THIS, 0, LIAR)), Commit(*fields(OTHER, 0, LIAR)))
    stream.accuses(1, "E1", Commit(*fields(THIS, 0, LIAR)), Commit(*fields(OTHER, 0, LIAR)))
    for replica in (0, 1, 2):
        stream.executes(replica, THIS)
        stream.says(replica, BlockVote(0, 1, block("block"), replica))
    stream.ticks(1, 2_000)
    stable = block_certificate(1, block("block"), (0, 1, 2))
    changes = [view_change(replica, 1, stable=stable) for replica in (0, 1, 2)]
    for change in changes:
        stream.says(change.replica, change)
    stream.says(1, new_view(1, changes).message)
    assert {"I1", "I2", "I4", "I5", "I6", "I9", "I10", "I12"} <= {
        name for name, count in stream.checkers.summary.items() if count
    }


def test_a_network_that_stands_still_is_reported() -> None:
    """Two of four crash when the calm has begun: what was handed in just before is never executed (I13)."""
    calm = dataclasses.replace(
        Options.drawn_from(0),
        n=4,
        followers=0,
        byzantine=(),
        crashes=(),
        effects=(),
        pauses=(),
        partitions=(),
        skews=(),
        wiped=(),
        all_down_ms=None,
    )
    assert Campaign(calm, signatures="modelled").run().broken == ""
    campaign = Campaign(calm, signatures="modelled")
    for place in (0, 1):
        campaign.world.at(STORM_MS + 1_001, lambda place=place: campaign.world.crash(place))  # type: ignore[misc]
    campaign.world.at(STORM_MS + 999, lambda: campaign.world.submit(to=[2]))
    assert campaign.run().broken.startswith("I13")


class OfNoSeed(BareHost):
    """Writes down what no seed determines."""

    def tick(self, now_ms: int) -> None:
        super().tick(now_ms)
        self._seat.append(os.urandom(16))


def test_what_does_not_follow_from_the_seed_shows_in_the_trace() -> None:
    """Two runs of one seed have one hash, unless a replica draws from elsewhere (I14)."""

    def hash_of(host: type[BareHost]) -> str | None:
        world = World(4, seed=3, hosts={0: host}, signatures="modelled")
        world.run_for(1_500)
        return world.trace_hash

    assert hash_of(BareHost) == hash_of(BareHost)
    assert hash_of(OfNoSeed) != hash_of(OfNoSeed)
