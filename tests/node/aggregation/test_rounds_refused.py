"""Rounds of aggregation (P51): who may go on, who may release, and what counts as asked before."""

from __future__ import annotations

from node.aggregation.boxes import Released
from node.aggregation.rounds import DEALING, ENDED, RELEASING, SENDING
from node.chain.round_deeds import DEALT, PRESENT, RoundEnd, RoundFix, RoundRelease, RoundResult
from tests.node.aggregation.round_table import CLEARING, NAMES, Table, replace_deed, total_of
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


def test_p51_a_share_released_twice_counts_for_nothing_and_names_its_author() -> None:
    """One form for one release: what is said twice could be counted twice."""
    table = Table()
    at = table.run(until=RELEASING)
    own = table.contributors["bob"]._secrets
    assert own is not None
    seeds = tuple((name, own.shares[name][0]) for name in at.present)
    table.contributors["bob"]._said.add(RoundRelease)
    assert table.say("bob", _release_of(table, "bob", Released((seeds[0], *seeds), ()))) == ""
    table.run()
    assert table.coordinator.unmasked.liars == {"bob": "released a share twice"}
    assert table.announced is not None and table.announced.total == total_of(NAMES)


def test_p51_the_coordinators_own_key_registers_nobody() -> None:
    """Who registers it has boxes wrapped for the coordinator, which is to get no share."""
    table = Table()
    join = table.contributors["ann"].react(table.round)[0]
    start = table.round.start
    for change in ("mask_key", "share_key"):
        copied = replace_deed(join, **{change: start.share_key})
        assert table.say("ann", copied) == "a key of somebody else"
    assert not table.round.joined and table.say("ann", join) == ""


def test_p51_a_release_that_leaves_one_of_them_out_has_no_effect() -> None:
    """Nobody of the audience can be kept from the total by who wraps for the others alone."""
    table = Table()
    at = table.run(until=RELEASING)
    full = table.contributors["bob"].react(at)[0]
    assert isinstance(full, RoundRelease) and len(full.wraps) == len(NAMES) + 1
    for wraps in (full.wraps[1:], full.wraps[:-1], (*full.wraps, full.wraps[0])):
        assert table.say("bob", replace_deed(full, wraps=wraps)) == "not for all of them"
    assert table.say("bob", full) == ""


def test_p51_a_total_is_published_after_enough_is_released_and_by_the_coordinator() -> None:
    table = Table()
    at = table.run(until=RELEASING)
    early = RoundResult(at.id, bytes(32), bytes(32))
    assert table.say(CLEARING, early) == "nothing is released yet"
    for name in NAMES[: at.needed]:
        for deed in table.contributors[name].react(at):
            table.say(name, deed)
    assert len(at.releases) == at.needed
    for deed in (early, RoundEnd(at.id, 0)):
        assert table.say("ann", deed) == "not by its coordinator"
    assert table.say(CLEARING, early) == ""


def test_p51_an_absent_dealer_whose_key_shares_give_another_key_is_named() -> None:
    """Its masks could not be taken away: without that check all would agree on one wrong total."""
    table = Table()
    table.run(until=DEALING)
    table.say("eve", _deal_with(table, "eve", fits=True))
    table.run(until=SENDING)
    table.down.add("eve")
    at = table.run()
    assert at.absent == ("eve",) and (at.phase, at.ended) == (ENDED, "shares do not fit")
    assert set(table.coordinator.unmasked.liars) == {"eve"} and table.announced is None
    for name in at.present:
        assert set(table.contributors[name].unmasked.liars) == {"eve"}
