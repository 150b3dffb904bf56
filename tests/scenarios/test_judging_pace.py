"""Progress, stall and latency are judged by when a weak quorum of honest voters had committed a height."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios.model.scenario import Height, Latency, Progress, Stall
from tests.scenarios.made_evidence import Made

DURING = Progress("progress", "", 5, during="down", after=None, within_ms=4_000)
AFTER = Progress("progress", "", 5, during=None, after="down", within_ms=4_000)
STALL = Stall("stall", "", 6, during="down")


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Four voters; `down` crashed dan from 10 s to 20 s, and a transaction waits from 10.5 s on."""
    made = Made(tmp_path)
    made.commits(1, 100)
    made.fault("crash", began_ms=10_000, healing_ms=20_000, ended_ms=20_000)
    made.sends("rent", 10_500)
    return made


def latency(
    p50_ms: int | None = None, p99_ms: int | None = None, max_ms: int | None = None, *names: str
) -> Latency:
    """Limits for these transactions."""
    return Latency("latency", "", 7, p50_ms, p99_ms, max_ms, "traffic", names)


# Progress.


def test_a_block_within_the_time_is_progress(made: Made) -> None:
    """It is named, with how long it took, from the beginning or from the end of the fault."""
    made.commits(2, 12_500)
    found = made.judged(DURING)
    assert (found.result, found.detail) == ("holds", "block 2 was committed 2.5s after down began")
    made.commits(3, 24_000)
    assert made.judged(AFTER).detail == "block 3 was committed 4s after down ended"


@pytest.mark.parametrize("at_ms", [10_000, 14_001])
def test_a_block_outside_the_time_is_none(made: Made, at_ms: int) -> None:
    """The time begins after the fault did, and its last moment is the last that counts: broken, with work."""
    made.commits(2, at_ms)
    made.sends("late", 10_600)
    found = made.judged(DURING)
    assert found.result == "broken" and found.more == "privity logs --ev block.commit --since 10s"
    assert found.detail.startswith("no block within 4s after down began, although 2 transactions waited")


def test_a_block_that_was_under_way_is_no_progress(made: Made) -> None:
    """Proposed before the fault and committed at once after it began, it proves nothing; a later one does."""
    made.commits(2, 10_050, proposed_ms=9_990)
    assert made.outcome(DURING) == "broken"
    made.commits(3, 10_100, proposed_ms=10_020)
    assert made.judged(DURING).detail == "block 3 was committed 0.1s after down began"


def test_an_old_proposal_that_a_new_primary_carries_through_is_progress(made: Made) -> None:
    """It took longer than what was under way may take."""
    made.commits(2, 12_000, proposed_ms=9_990)
    assert made.outcome(DURING) == "holds"


def test_one_voter_alone_commits_nothing(made: Made) -> None:
    """f + 1 honest voters must have told of a block; the time is that of the last of these."""
    made.commits(2, 11_000, by=["ann"])
    assert made.outcome(DURING) == "broken"
    made.commits(2, 13_000, by=["bob"])
    assert made.judged(DURING).detail == "block 2 was committed 3s after down began"


def test_what_a_faulty_voter_tells_counts_for_nothing(made: Made) -> None:
    """A liar's log is no witness."""
    made.fault("equivocate", ["ann"], id="lies", counts=True, began_ms=0)
    made.commits(2, 11_000, by=["ann", "bob"])
    assert made.outcome(DURING) == "broken"


def test_without_work_there_need_be_no_progress(made: Made) -> None:
    """Nothing submitted, or all of it committed before, or only in the last moment: unconfirmed."""
    made.sent.clear()
    assert made.outcome(DURING) == "unconfirmed"
    made.sends("early", 50)
    made.commits(1, 100, txs=["early"])
    assert made.outcome(DURING) == "unconfirmed"
    made.sends("late", 13_990)
    found = made.judged(DURING)
    assert found.result == "unconfirmed" and found.detail.endswith("no transaction waited for one")
    made.sends("there", 13_000)
    assert made.outcome(DURING) == "broken"


def test_a_fault_that_never_came_leaves_progress_unconfirmed(made: Made) -> None:
    """Neither its beginning nor its end is there to count from."""
    made.faults[0].ended_ms = None
    assert made.judged(AFTER).detail == "down never ended"
    made.faults[0].began_ms = None
    assert [made.outcome(DURING), made.outcome(STALL)] == ["unconfirmed", "unconfirmed"]
    made.faults.clear()
    assert made.judged(DURING).detail == "down never began"


def test_a_run_that_ended_too_soon_confirms_nothing(made: Made) -> None:
    """The block might have come."""
    made.until_ms = 13_999
    assert made.outcome(DURING) == "unconfirmed"
    made.until_ms = 14_000
    assert made.outcome(DURING) == "broken"


def test_too_few_honest_voters_tell_nothing(made: Made) -> None:
    """One honest voter is no weak quorum: whatever it says is unconfirmed."""
    made.commits(2, 12_000)
    made.fault("equivocate", ["bob", "cyd", "dan"], id="lies", counts=True, began_ms=0)
    for rule in (DURING, STALL):
        found = made.judged(rule)
        assert (found.result, found.detail[:14]) == ("unconfirmed", "1 voter honest")


# Stall.


def test_nothing_committed_while_work_waits_is_a_stall(made: Made) -> None:
    """From a little after the fault began, for what was under way, to its end."""
    made.commits(2, 10_400)
    found = made.judged(STALL)
    assert found.result == "holds" and "1 transaction waited: rent" in found.detail
    assert found.detail.startswith("no block from 0.501s after down began to its end")


def test_one_block_breaks_a_stall(made: Made) -> None:
    """It is named, with its time."""
    made.commits(2, 15_000)
    found = made.judged(STALL)
    assert (found.result, found.detail) == ("broken", "block 2 was committed 5s after down began")


def test_a_stall_ends_when_the_fault_begins_to_heal(made: Made) -> None:
    """Of several nodes the first to come back may be enough to go on, before the last one has."""
    made.faults[0].healing_ms = 18_000
    made.commits(2, 19_000)
    assert made.outcome(STALL) == "holds"
    made.faults[0].healing_ms = None
    assert made.outcome(STALL) == "broken"


def test_a_stall_without_work_is_vacuous(made: Made) -> None:
    """No transaction waited, so nothing had to be stopped: unconfirmed."""
    made.sent.clear()
    assert made.outcome(STALL) == "unconfirmed"


def test_a_short_fault_stalls_nothing(made: Made) -> None:
    """It is over before what was under way is."""
    made.sends("early", 9_800)
    made.faults[0].healing_ms = 10_400
    assert made.outcome(STALL) == "unconfirmed"


def test_a_fault_that_never_heals_stalls_to_the_end(made: Made) -> None:
    """The end of the run is its end."""
    made.faults[0].healing_ms = made.faults[0].ended_ms = None
    assert made.outcome(STALL) == "holds"
    made.commits(2, 59_000)
    assert made.outcome(STALL) == "broken"


# Latency.


def test_latency_is_told_by_nearest_rank(tmp_path: Path) -> None:
    """Of 100 transactions that take 10 ms to 1000 ms the 50th and the 99th count, without interpolation."""
    made = Made(tmp_path)
    names = [f"traffic-{number:04}" for number in range(1, 101)]
    for place, name in enumerate(names, start=1):
        made.sends(name, 1_000)
        made.commits(place, 1_000 + 10 * place, txs=[name])
    found = made.judged(latency(500, 990, 1_000, *names))
    said = "traffic: p50 0.5s, p99 0.99s, max 1s of 100 transactions"
    assert (found.result, found.detail) == ("holds", said)
    for limits in ((499, None, None), (None, 989, None), (None, None, 999)):
        found = made.judged(latency(*limits, *names))
        assert found.result == "broken" and found.detail.startswith(f"{said}; the limit is ")
        assert found.more == "privity logs --tx traffic-0100"


def test_the_clock_of_a_transaction_stops_at_a_weak_quorum(made: Made) -> None:
    """One fast voter does not make it final."""
    made.commits(2, 10_600, by=["ann"], txs=["rent"])
    made.commits(2, 11_500, by=["bob", "cyd"], txs=["rent"])
    assert made.judged(latency(None, None, 1_000, "rent")).result == "holds"
    assert made.judged(latency(None, None, 999, "rent")).result == "broken"


def test_a_transaction_that_never_arrives_breaks_latency(made: Made) -> None:
    """However fast the others were."""
    made.sends("other", 11_000)
    made.commits(2, 11_001, txs=["other"])
    found = made.judged(latency(5_000, None, None, "rent", "other"))
    assert (found.result, found.detail) == (
        "broken",
        "traffic: 1 of 2 transactions never committed: rent",
    )


def test_latency_of_nothing_is_unconfirmed(made: Made) -> None:
    """Nothing was sent, or not all of it was, or nobody told when."""
    assert made.outcome(latency(5_000, None, None, "unsent")) == "unconfirmed"
    made.commits(2, 11_000, txs=["rent"])
    assert made.outcome(latency(5_000, None, None, "rent")) == "holds"
    assert made.outcome(latency(5_000, None, None, "rent", "unsent")) == "unconfirmed"
    made.sends("quiet", 12_000)
    made.commits(3, 13_000, by=["ann"], txs=["quiet"])
    assert made.outcome(latency(5_000, None, None, "quiet")) == "unconfirmed"


# Height, where it is about time.


def test_height_has_an_upper_bound(made: Made) -> None:
    """The highest of those who follow counts for a maximum, at the end or at a moment."""
    made.commits(2, 15_000)

    def bounded(least: int | None, most: int | None, at: int | str = "end") -> str:
        return made.outcome(Height("height", "", 9, least, None, at, most))  # type: ignore[arg-type]

    assert [bounded(None, 2), bounded(None, 1), bounded(1, 2)] == ["holds", "broken", "holds"]
    assert [bounded(None, 1, 14_000), bounded(None, 1, 15_000)] == ["holds", "broken"]
    assert [bounded(None, 2, 60_001), bounded(2, None, 60_001)] == ["unconfirmed", "holds"]
    made.commits(3, 16_000, by=["ann"])
    assert bounded(None, 2) == "broken"


def test_who_is_kept_away_has_no_height(made: Made) -> None:
    """A node that a fault still keeps down is not counted; if all are, nothing is confirmed."""
    made.commits(2, 15_000, by=["ann", "bob", "cyd"])
    rule = Height("height", "", 9, 2, None, "end")
    assert made.outcome(rule) == "broken"
    made.faults[0].ended_ms = None
    assert made.outcome(rule) == "holds"
    made.fault("crash", ["ann", "bob", "cyd"], id="all", began_ms=30_000)
    assert made.outcome(rule) == "unconfirmed"


def test_who_still_catches_up_leaves_the_height_unconfirmed(made: Made) -> None:
    """As long as the others have it, and the nodes did not come to rest."""
    made.commits(2, 15_000, by=["ann", "bob", "cyd"])
    made.settled = False
    assert made.outcome(Height("height", "", 9, 2, None, "end")) == "unconfirmed"
    assert made.outcome(Height("height", "", 9, 3, None, "end")) == "broken"
