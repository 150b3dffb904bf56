"""What a new view begins with (PBFT 4.4): a pure function of the view-changes shown (R16, R17)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus.messages import FetchedBatch, NewView, ViewChange
from consensus.new_view import invalid_new_view, renewed
from consensus.votes import Batch, Prepare, null_batch
from tests.consensus.alone import R1, R2, Alone, batch_of, block_certificate, other_digest
from tests.consensus.views import new_view, prepared, view_change

FIRST, SECOND = batch_of(R1), batch_of(R2)
FOURTH = batch_of(R2, sequence=4)
QUORUM = [view_change(0, 1), view_change(2, 1, prepared(FIRST)), view_change(3, 1)]


def expected(changes: list[ViewChange]) -> list[tuple[int, bytes]]:
    """The same rule, written down once more without looking (PBFT 4.4)."""
    low = max([change.stable.sequence for change in changes if change.stable], default=0)
    proofs = [proof for change in changes for proof in change.prepared if proof.sequence > low]
    result = []
    for sequence in range(low + 1, max([proof.sequence for proof in proofs], default=low) + 1):
        there = sorted((p for p in proofs if p.sequence == sequence), key=lambda p: p.view)
        result.append((sequence, there[-1].digest if there else Batch(sequence, 0, 0, ()).digest()))
    return result


@st.composite
def drawn_changes(draw: Any) -> list[ViewChange]:
    """View-changes to view 6 with any stable checkpoint and certificates of any earlier view."""
    changes = []
    for replica in draw(st.sets(st.integers(0, 3), min_size=3)):
        low = draw(st.integers(0, 3))
        stable = block_certificate(low, other_digest(str(low)), (0, 1, 2)) if low else None
        places = sorted(draw(st.sets(st.integers(low + 1, low + 5), max_size=4)))
        # In one view one digest at most can be prepared at a sequence number.
        views = [draw(st.integers(0, 5)) for _ in places]
        proofs = [
            prepared(batch_of(R1, sequence=place, time_ms=1 + view), view=view)
            for place, view in zip(places, views, strict=True)
        ]
        changes.append(view_change(replica, 6, *proofs, stable=stable))
    return sorted(changes, key=lambda change: change.replica)


@given(drawn_changes())
def test_it_renews_what_was_prepared_in_the_highest_view_and_fills_gaps(changes: list[ViewChange]) -> None:
    """Compared with a second implementation; what is right is accepted."""
    assert renewed(changes) == expected(changes)
    message = new_view(6, changes).message
    assert isinstance(message, NewView)
    assert invalid_new_view(message, 4, 128) is None


def test_the_certificate_of_the_highest_view_wins() -> None:
    """Whoever shows it, in whatever order."""
    low, high = prepared(FIRST, view=0), prepared(SECOND, view=2)
    for first, second in [(low, high), (high, low)]:
        changes = [view_change(0, 3, first), view_change(1, 3, second), view_change(2, 3)]
        assert renewed(changes) == [(1, SECOND.digest())]


def test_a_gap_is_filled_with_the_null_request() -> None:
    """A sequence number that nobody was prepared for, below one that somebody was."""
    changes = [view_change(0, 1), view_change(1, 1, prepared(FOURTH)), view_change(2, 1)]
    entries = renewed(changes)
    assert entries == [(s, null_batch(s).digest()) for s in (1, 2, 3)] + [(4, FOURTH.digest())]


def test_nothing_below_the_highest_stable_checkpoint_is_renewed() -> None:
    """A certificate below it is of the past."""
    stable = block_certificate(3, other_digest(), (0, 1, 2))
    changes = [view_change(0, 1, stable=stable), view_change(1, 1, prepared(FIRST)), view_change(2, 1)]
    assert renewed(changes) == []


Alteration = list[tuple[int, bytes]]


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ([(1, SECOND.digest())], "another digest"),
        ([(1, null_batch(1).digest())], "null where something was prepared"),
        ([], "an entry is missing"),
        ([(1, FIRST.digest()), (2, SECOND.digest())], "an entry too many"),
        ([(2, FIRST.digest())], "at another sequence number"),
        ([(1, FIRST.digest()), (1, FIRST.digest())], "twice"),
    ],
)
def test_a_new_view_with_other_proposals_is_refused(entries: Alteration, why: str) -> None:
    """Backups compute what must be in it, and compare exactly (R17); it is evidence besides (E3)."""
    alone = Alone(3)
    alone.receive(new_view(1, QUORUM, entries))
    assert (alone.replica.view, alone.messages(Prepare)) == (0, []), why
    assert alone.reasons() == ["pre-prepares do not follow from the view-changes"]
    assert alone.reasons("evidence") == ["E3"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (QUORUM[:2], "too few view-changes"),
        ([QUORUM[0], QUORUM[0], QUORUM[1]], "view-changes not in ascending order"),
        ([QUORUM[1], QUORUM[0], QUORUM[2]], "view-changes not in ascending order"),
        ([*QUORUM[:2], view_change(3, 2)], "view-change for another view"),
        ([*QUORUM[:2], view_change(3, 1, epoch=1)], "view-change for another view"),
        ([*QUORUM[:2], view_change(3, 1, prepared(FIRST, voters=(1,)))], "too few votes"),
        ([*QUORUM[:2], view_change(4, 1)], "not a voter"),
    ],
)
def test_a_new_view_needs_a_quorum_of_valid_view_changes_for_it(
    changes: list[ViewChange], reason: str
) -> None:
    """Distinct voters, that very view, every certificate whole (R14, R16)."""
    alone = Alone(3)
    alone.receive(new_view(1, changes))
    assert (alone.replica.view, alone.reasons(), alone.reasons("evidence")) == (0, [reason], ["E3"])


def test_only_the_primary_of_a_view_begins_it() -> None:
    """Another one's new-view is refused, and proves that its sender is faulty."""
    alone = Alone(3)
    alone.receive(new_view(1, QUORUM, replica=2))
    assert (alone.replica.view, alone.reasons()) == (0, ["not from the view's primary"])
    assert alone.reasons("evidence") == ["E3"]


def test_a_signature_quoted_wrongly_makes_the_new_view_void() -> None:
    """The driver finds it and says so; the primary's own signature makes it evidence."""
    alone = Alone(3)
    message = new_view(1, QUORUM)
    alone.take(alone.replica.receive(message, alone.now_ms, flaw="bad signature inside"))
    assert (alone.replica.view, alone.reasons()) == (0, ["bad signature inside"])
    assert alone.reasons("evidence") == ["E3"]


def test_a_right_new_view_is_entered_and_its_proposals_are_voted_for() -> None:
    """After the batch is here: whoever prepares can serve it (R7)."""
    alone = Alone(3)
    alone.submit(R1)
    alone.receive(new_view(1, QUORUM))
    assert (alone.replica.view, alone.replica.active, alone.messages(Prepare)) == (1, True, [])
    alone.take(alone.replica.receive(FetchedBatch(FIRST), alone.now_ms))
    assert alone.messages(Prepare) == [Prepare(0, 1, 1, FIRST.digest(), 3)]
