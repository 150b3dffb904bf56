"""Rounds of aggregation (P51): who may go on, who may release, and what counts as asked before."""

from __future__ import annotations

from node.aggregation.boxes import Released
from node.aggregation.rounds import DEALING, ENDED, RELEASING, SENDING
from node.chain.round_deeds import DEALT, PRESENT, RoundEnd, RoundFix
from tests.node.aggregation.round_table import CLEARING, NAMES, Table
from tests.node.aggregation.test_rounds_of_aggregation import _deal_with, _release_of


def test_p51_a_proved_liar_goes_on_with_nobody() -> None:
    """A coordinator that would have it so all the same names a dealer that dealt a false share."""
    table = Table()
    table.run(until=DEALING)
    table.say("eve", _deal_with(table, "eve", fits=False))
    for name in NAMES:
        for deed in table.contributors[name].react(table.round):
            table.say(name, deed)
    for name in NAMES:  # They look at what was dealt, and prove it.
        for deed in table.contributors[name].react(table.round):
            table.say(name, deed)
    at = table.round
    assert set(at.deals) == set(NAMES) and set(at.blamed) == {"eve"}
    assert table.say(CLEARING, RoundFix(at.id, DEALT, NAMES)) == "names a liar"
    assert table.say(CLEARING, RoundFix(at.id, DEALT, tuple(name for name in NAMES if name != "eve"))) == ""


def test_p51_a_round_that_was_broken_off_after_its_set_was_fixed_counts_as_asked() -> None:
    """Its shares may be released by then: the coordinator ends it, keeps the total, and asks without one."""
    first = Table()
    at = first.run(until=RELEASING)
    for name in NAMES:
        for deed in first.contributors[name].react(at):
            first.say(name, deed)
    assert first.say(CLEARING, RoundEnd(at.id, 0)) == "" and (at.phase, at.result) == (ENDED, None)
    assert first.coordinator._sum(at, waited=False)  # It has the total all the same.
    second = Table(rounds=first.rounds, seed=1)
    at = second.run(until=SENDING)
    for name in NAMES:
        for deed in second.contributors[name].react(at):
            second.say(name, deed)
    assert second.say(CLEARING, RoundFix(at.id, PRESENT, NAMES[1:])) == "would give a value away"


def test_p51_a_round_that_was_broken_off_before_gave_nothing_and_forbids_nothing() -> None:
    first = Table()
    at = first.run(until=SENDING)
    assert first.say(CLEARING, RoundEnd(at.id, 0)) == ""
    second = Table(rounds=first.rounds, seed=1)
    second.down.add("gus")
    assert set(second.run().present) == set(NAMES) - {"gus"}


def test_p51_who_is_not_in_the_total_releases_nothing_for_it() -> None:
    """An absent dealer has shares of everybody's secrets too, and no part in the round any more."""
    table = Table()
    table.run(until=SENDING)
    table.down.add("gus")
    at = table.run(until=RELEASING)
    assert at.absent == ("gus",)
    own = table.contributors["gus"]._secrets
    assert own is not None
    shares = Released(tuple((name, own.shares[name][0]) for name in at.present), ())
    assert table.say("gus", _release_of(table, "gus", shares)) == "not present"
    assert "gus" not in at.releases and not table.contributors["gus"].react(at)
