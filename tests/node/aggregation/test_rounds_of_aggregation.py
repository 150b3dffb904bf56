"""P51, P53: rounds of secure aggregation around one table."""

from __future__ import annotations

import itertools

import pytest

from node.aggregation.boxes import (
    KEY,
    SEED,
    Released,
    box,
    open_box,
    open_release,
    release,
    share_commit,
    total_hash,
)
from node.aggregation.contributor import Verdict
from node.aggregation.differencing import given_away
from node.aggregation.masks import MODULUS, VALUE_LIMIT, masked, pair_mask, pair_masks, self_mask, signed
from node.aggregation.rounds import DEALING, DONE, ENDED, RELEASING, SENDING
from node.aggregation.sharing import combine, split, threshold
from node.aggregation.unmasking import unmask
from node.chain.round_deeds import (
    PRESENT,
    RoundBlame,
    RoundDeal,
    RoundDeed,
    RoundFix,
    RoundJoin,
    RoundRelease,
    RoundResult,
    RoundStart,
    RoundValue,
)
from tests.node.aggregation.round_table import (
    CLEARING,
    NAMES,
    VALUES,
    Table,
    replace_deed,
    replaced,
    total_of,
)
from tests.node.small_consortium import seeded


def test_p51_all_learn_the_total_and_agree() -> None:
    table = Table()
    at = table.run()
    assert at.phase == DONE and at.present == tuple(sorted(NAMES))
    assert table.announced is not None and table.announced.total == total_of(NAMES)
    assert table.verdicts() == {"RIGHT"}
    assert {table.contributors[name].unmasked.total for name in NAMES} == {total_of(NAMES)}


@pytest.mark.parametrize("values", [(-5, 3, -9, 4), (0, 0, 0, 0), (VALUE_LIMIT,) * 4, (-VALUE_LIMIT,) * 4])
def test_p51_totals_may_be_negative_and_never_overflow(values: tuple[int, ...]) -> None:
    table = Table(dict(zip(NAMES, values, strict=False)))
    table.run()
    assert table.announced is not None and table.announced.total == sum(values)


def test_p51_one_value_more_than_all_can_have_never_wraps_round() -> None:
    assert signed(31 * VALUE_LIMIT % MODULUS) == 31 * VALUE_LIMIT
    assert signed(-31 * VALUE_LIMIT % MODULUS) == -31 * VALUE_LIMIT
    with pytest.raises(AssertionError):
        masked(VALUE_LIMIT + 1, ())


@pytest.mark.parametrize("phase", [DEALING, SENDING, RELEASING])
@pytest.mark.parametrize("gone", [("gus",), ("ann", "gus")])
def test_p51_dropouts_before_and_after_sending(phase: str, gone: tuple[str, ...]) -> None:
    table = Table()
    table.run(until=phase)
    table.down |= set(gone)
    at = table.run()
    assert at.phase == DONE and table.announced is not None
    stay = set(NAMES) if phase == RELEASING else set(NAMES) - set(gone)
    assert set(at.present) == stay
    assert table.announced.total == total_of(stay)
    assert set(at.dropped()) == set(NAMES) - stay
    for name in stay - set(gone):
        assert table.contributors[name].verdict is Verdict.RIGHT


def test_p51_some_drop_out_at_each_stage_and_the_total_is_of_the_rest() -> None:
    table = Table()
    table.down.add("ann")
    table.run(until=DEALING)
    table.down.add("bob")
    table.run(until=RELEASING)
    at = table.run()
    assert at.dropped() == {"ann": "did not register in time", "bob": "dealt no shares in time"}
    assert table.announced is not None and table.announced.total == total_of(NAMES[2:])


def test_p51_with_too_few_present_a_round_ends_with_no_total() -> None:
    table = Table()
    table.run(until=SENDING)
    table.down |= {"ann", "bob", "cyd"}
    at = table.run()
    assert (at.phase, at.ended) == (ENDED, "too few values")
    assert table.announced is None and not at.present and not at.releases
    assert {each.unmasked.total for each in table.contributors.values()} == {None}


@pytest.mark.parametrize(
    ("phase", "why"),
    [("joining", "too few registered"), (DEALING, "too few dealt shares"), (RELEASING, "too few released")],
)
def test_p51_each_stage_says_why_it_ended(phase: str, why: str) -> None:
    table = Table()
    table.run(until=phase)
    table.down |= {"ann", "bob", "cyd", "dan"}
    at = table.run()
    assert (at.ended, at.result) == (why, None)


def test_p51_the_minimum_set_is_four() -> None:
    names = frozenset((*NAMES, CLEARING))
    key = Table().coordinator.start.share_key
    fine = RoundStart(NAMES[:4], "exposure", 4, key)
    assert not fine.fault(CLEARING, names)
    assert fine.fault("ann", names)  # The coordinator is no contributor: it would see one value less.
    assert RoundStart(NAMES[:4], "exposure", 5, key).fault(CLEARING, names)
    assert RoundStart(NAMES[3::-1], "exposure", 4, key).fault(CLEARING, names)
    assert RoundStart((*NAMES[:3], "zoe"), "exposure", 4, key).fault(CLEARING, names)
    assert RoundStart(NAMES[:4], "exposure", 4, bytes(32)).fault(CLEARING, names)


# What a coordinator, or the broker, can make of all it has.


def _known_to_coordinator(table: Table) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Every seed and every mask key that the releases give to the coordinator."""
    at, key = table.round, table.coordinator._share_key
    seeds: dict[str, dict[int, bytes]] = {}
    keys: dict[str, dict[int, bytes]] = {}

    for releaser, deed in at.releases.items():
        opened = open_release(at.id, releaser, key, deed.wraps[-1], deed.body)
        assert opened is not None
        for pot, given in ((seeds, opened.seeds), (keys, opened.keys)):
            for dealer, share in given:
                pot.setdefault(dealer, {})[at.members.index(releaser) + 1] = share

    def whole(pot: dict[str, dict[int, bytes]]) -> dict[str, bytes]:
        needed = at.needed
        return {
            name: combine(dict(list(shares.items())[:needed]))
            for name, shares in pot.items()
            if len(shares) >= needed
        }

    return whole(seeds), whole(keys)


def test_p51_the_coordinators_full_state_does_not_determine_any_input() -> None:
    """It opens all that its key opens, also a value that it held back, and takes away each mask it can."""
    table = Table()
    table.run(until=SENDING)
    # The value of gus was captured, and withheld from the ledger.
    held_back = next(
        deed for deed in table.contributors["gus"].react(table.round) if isinstance(deed, RoundValue)
    )
    table.down.add("gus")
    at = table.run()
    assert at.phase == DONE and "gus" not in at.present
    seeds, keys = _known_to_coordinator(table)
    assert set(seeds) == set(at.present) and set(keys) == {"gus"}
    publics = {name: at.joined[name].mask_key for name in at.dealers}
    for name in at.present:
        left = at.values[name].masked - self_mask(seeds[name], at.id, name)
        mask = pair_mask(keys["gus"], publics[name], at.id)
        left -= mask if name < "gus" else -mask
        guesses = {signed(left), signed(at.values[name].masked), signed(left + 2 * mask)}
        assert VALUES[name] not in guesses
        # And what hides it is the masks with the others that are present, which nobody released.
        others = {each: key for each, key in publics.items() if each != "gus"}
        secret = dict(table.contributors[name].secrets())["mask key"]
        assert signed(left - pair_masks(name, secret, others, at.id)) == VALUES[name]
    late = held_back.masked - pair_masks("gus", keys["gus"], publics, at.id)
    assert signed(late) != VALUES["gus"] and signed(held_back.masked) != VALUES["gus"]
    seed = dict(table.contributors["gus"].secrets())["mask seed"]
    assert signed(late - self_mask(seed, at.id, "gus")) == VALUES["gus"]
    assert "gus" not in seeds
    # No box on the ledger opens for it.
    for dealer, deal in at.deals.items():
        for holder, boxed in zip(at.members, deal.boxes, strict=True):
            assert open_box(at.id, dealer, holder, table.coordinator._share_key, boxed) is None


def test_p51_all_other_inputs_with_one_sum_look_alike_to_the_coordinator() -> None:
    """For other values of the same sum there are masks that nobody released and that give the same ledger."""
    table = Table()
    at = table.run()
    for first, second in itertools.combinations(NAMES, 2):
        shift = 12345
        moved = VALUES | {first: VALUES[first] + shift, second: VALUES[second] - shift}
        secrets = {name: dict(table.contributors[name].secrets()) for name in (first, second)}
        publics = {name: at.joined[name].mask_key for name in at.dealers}
        for name, sign in ((first, -1), (second, 1)):
            masks = pair_masks(name, secrets[name]["mask key"], publics, at.id) + sign * shift
            own = self_mask(secrets[name]["mask seed"], at.id, name)
            assert masked(moved[name], (masks, own)) == at.values[name].masked


def test_p51_a_late_value_reveals_nothing_and_has_no_effect() -> None:
    table = Table()
    table.run(until=SENDING)
    late = table.contributors["ann"].react(table.round)
    table.down.add("ann")
    table.run(until=RELEASING)
    assert [table.say("ann", deed) for deed in late] == ["too late"]
    at = table.run()
    assert "ann" not in at.present and table.announced is not None
    assert table.announced.total == total_of(NAMES[1:])
    seeds, _ = _known_to_coordinator(table)
    assert "ann" not in seeds


def test_p51_no_contributor_releases_both_of_one_and_releases_once() -> None:
    table = Table()
    table.run(until=SENDING)
    table.down.add("gus")
    at = table.run(until=RELEASING)
    for name in at.present:
        contributor = table.contributors[name]
        deeds = [deed for deed in contributor.react(at) if isinstance(deed, RoundRelease)]
        assert len(deeds) == 1 and not contributor.react(at)

        opened = open_release(at.id, name, table.coordinator._share_key, deeds[0].wraps[-1], deeds[0].body)
        assert opened is not None
        assert {each for each, _ in opened.seeds} == set(at.present)
        assert {each for each, _ in opened.keys} == {"gus"}


def test_p51_the_participant_set_is_fixed_once_and_equal_for_all() -> None:
    table = Table()
    at = table.run(until=RELEASING)
    assert at.present == tuple(sorted(NAMES))
    other = RoundFix(at.id, PRESENT, tuple(sorted(NAMES))[:5])
    assert table.say(CLEARING, other) == "another stage"
    assert at.present == tuple(sorted(NAMES))
    assert table.say("ann", other) == "not by its coordinator"


def test_p51_a_set_names_only_those_who_did_their_part() -> None:
    table = Table()
    table.run(until=SENDING)
    at = table.round
    for name in NAMES[:5]:
        for deed in table.contributors[name].react(at):
            table.say(name, deed)
    wrong = RoundFix(at.id, PRESENT, tuple(sorted(NAMES)))
    assert table.say(CLEARING, wrong) == "names somebody who did not do it"
    assert table.say(CLEARING, RoundFix(at.id, PRESENT, NAMES[:4])) == "too few"
    assert table.say(CLEARING, RoundFix(at.id, PRESENT, NAMES[:5])) == ""


def test_p51_a_wrong_sum_is_detected_by_each_contributor() -> None:
    def lie(author: str, deed: RoundDeed) -> RoundDeed:
        if isinstance(deed, RoundResult):
            thing = table.announced
            assert thing is not None
            return RoundResult(deed.round, deed.carrier, total_hash(deed.round, thing.salt, thing.total + 1))
        return deed

    table = Table(change=lie)
    at = table.run()
    table.step()
    assert {table.contributors[name].verdict for name in at.present} == {Verdict.WRONG}
    assert {table.contributors[name].unmasked.total for name in at.present} == {total_of(NAMES)}


def test_p51_a_sum_that_leaves_one_out_is_wrong_too() -> None:
    table = Table()
    at = table.run(until=RELEASING)
    table.step()
    salt = table.contributors["ann"].unmasked.salt or unmask(at, CLEARING, table.coordinator._share_key).salt
    assert at.phase == DONE
    at.result = RoundResult(at.id, bytes(32), total_hash(at.id, salt, total_of(NAMES[1:])))
    table.step()
    assert table.verdicts() == {"WRONG"}


def test_p51_sums_over_two_sets_that_differ_by_one_are_refused() -> None:
    first = Table()
    first.run()
    second = Table(rounds=first.rounds, seed=1)
    second.run(until=SENDING)
    second.down.add("gus")
    at = second.run()
    assert (at.phase, at.ended, at.present) == (ENDED, "would give a value away", ())
    # Nor does the ledger take such a set from a coordinator that asks for it all the same.
    third = Table(rounds=first.rounds, seed=2)
    at = third.run(until=SENDING)
    for name in NAMES:
        for deed in third.contributors[name].react(at):
            third.say(name, deed)
    assert third.say(CLEARING, RoundFix(at.id, PRESENT, NAMES[:6])) == "would give a value away"
    assert third.say(CLEARING, RoundFix(at.id, PRESENT, NAMES)) == ""


def test_p51_another_field_is_another_question() -> None:
    first = Table()
    first.run()
    second = Table(rounds=first.rounds, seed=1, field="losses")
    second.down.add("gus")
    assert second.run().phase == DONE


@pytest.mark.parametrize(
    ("sets", "result"),
    [
        (["abcd"], None),
        (["abcde", "abcd"], ("e", "")),
        (["abcdef", "abcd"], ("f", "e")),  # Of two, each knows the other's.
        (["abcdefg", "abcd"], None),
        (["abcd", "abcd"], None),
        (["abcde", "bcdef"], ("f", "a")),
        (["abcdef", "abc", "def"], None),
        (["abcdefgh", "abcd", "efg"], ("h", "")),
        (["ab"], ("b", "a")),
    ],
)
def test_p51_what_totals_give_away_together(sets: list[str], result: tuple[str, str] | None) -> None:
    assert given_away([set(each) for each in sets]) == result


def test_p51_two_rounds_have_fresh_masks() -> None:
    """Also of equal values, by the same members: nothing of one ledger is found in the other."""
    rounds = [Table(seed=number).run() for number in range(2)]
    for name in NAMES:
        first, second = (at.values[name].masked for at in rounds)
        keys = {key for at in rounds for key in (at.joined[name].mask_key, at.joined[name].share_key)}
        assert first != second and len(keys) == 4
        assert signed(first - second) != 0


def test_p51_masks_of_one_key_differ_from_round_to_round() -> None:
    """The round stands in the derivation: even a key used twice gives other masks."""
    at = Table().run()
    secret = dict(Table().contributors["ann"].secrets()).get("mask key") or seeded("key")(32)
    other = at.joined["bob"].mask_key
    assert pair_mask(secret, other, at.id) != pair_mask(secret, other, bytes(32))
    assert self_mask(secret, at.id, "ann") != self_mask(secret, bytes(32), "ann")
    assert self_mask(secret, at.id, "ann") != self_mask(secret, at.id, "bob")


# Liars.


def test_p51_a_contributor_that_sends_two_values_is_blamed_and_the_first_counts() -> None:
    table = Table()
    at = table.run(until=SENDING)
    (deed,) = table.contributors["bob"].react(at)
    assert isinstance(deed, RoundValue)
    assert table.say("bob", deed) == ""
    assert table.say("bob", RoundValue(at.id, deed.masked + 1, deed.record)) == "done before"
    assert at.blamed == {"bob": "sent two values"}
    table.run()
    assert table.announced is not None and table.announced.total == total_of(NAMES)
    assert table.say("ann", at.values["ann"]) == "done before" and "ann" not in at.blamed


def _deal_with(table: Table, liar: str, *, fits: bool) -> RoundDeal:
    """A deal in which everybody's share is another than that committed to, or than the polynomial's."""
    at = table.round
    deal = next(deed for deed in table.contributors[liar].react(at) if isinstance(deed, RoundDeal))

    entropy, commits, boxes = seeded("liar"), [], []
    for place, holder in enumerate(at.members):
        seed, key = entropy(32), entropy(32)
        boxes.append(box(at.id, liar, holder, at.joined[holder].share_key, seed, key))
        made = (
            share_commit(at.id, liar, holder, SEED, seed),
            share_commit(at.id, liar, holder, KEY, key),
        )
        commits.append(made if fits else deal.commits[place])
    return RoundDeal(at.id, deal.seed, tuple(commits), tuple(boxes))


def test_p51_a_share_that_is_not_the_one_committed_to_is_proved_to_all() -> None:
    table = Table()
    table.run(until=DEALING)
    table.say("eve", _deal_with(table, "eve", fits=False))
    for name in NAMES[:4]:
        for deed in table.contributors[name].react(table.round):
            table.say(name, deed)
    at = table.run()
    assert "not the one committed to" in at.blamed["eve"]
    assert at.phase == DONE and "eve" not in at.dealers
    assert table.announced is not None
    assert table.announced.total == total_of(set(NAMES) - {"eve"})


def test_p51_a_blame_before_the_coordinators_word_stops_no_round() -> None:
    """What it said of the dealers has no effect once one of them is a liar; it says it again without."""
    table = Table()
    table.run(until=DEALING)
    at = table.round
    table.say("eve", _deal_with(table, "eve", fits=False))
    blames: list[tuple[str, RoundBlame]] = []
    for _ in range(2):  # They deal, and then look at what the others dealt.
        for name in sorted(set(NAMES) - {"eve"}):
            for deed in table.contributors[name].react(at):
                if isinstance(deed, RoundBlame):
                    blames.append((name, deed))
                else:
                    table.say(name, deed)
    said = table.coordinator.react(table.rounds, at, table.now_ms)
    (early,) = [each for each in said if isinstance(each, RoundFix)]
    assert "eve" in early.members and blames
    for name, blame in blames:
        table.say(name, blame)
    assert table.say(CLEARING, early) == "names a liar"
    at = table.run()
    assert at.phase == DONE and "eve" not in at.dealers


def test_p51_shares_that_do_not_give_the_secret_name_their_dealer() -> None:
    """Each fits its commitment and no polynomial: that is seen when they are combined, by everybody."""
    table = Table()
    table.run(until=DEALING)
    table.say("eve", _deal_with(table, "eve", fits=True))
    at = table.run()
    assert (at.phase, at.ended) == (ENDED, "shares do not fit")
    assert set(table.coordinator.unmasked.liars) == {"eve"}
    for name in set(NAMES) - {"eve"}:
        assert set(table.contributors[name].unmasked.liars) == {"eve"}
        assert table.contributors[name].unmasked.total is None


def test_p51_nobody_is_blamed_without_proof() -> None:
    table = Table()
    at = table.run(until=SENDING)
    honest = table.contributors["bob"]._secrets
    assert honest is not None
    true = honest.shares["ann"]
    assert table.say("bob", RoundBlame(at.id, "ann", *true)) == "proves nothing"
    assert table.say("bob", RoundBlame(at.id, "ann", bytes(32), bytes(32))) == "proves nothing"
    assert table.say(CLEARING, RoundBlame(at.id, "ann", *true)) == "not a member of the round"
    assert not at.blamed


def _release_of(table: Table, name: str, shares: Released) -> RoundRelease:
    at = table.round
    wraps, body = release(at.id, name, shares, at.audience_keys(), seeded("release"))
    return RoundRelease(at.id, wraps, body)


@pytest.mark.parametrize("kind", ["forged", "both", "garbage"])
def test_p51_a_wrong_release_names_its_author_and_stops_nothing(kind: str) -> None:
    table = Table()
    table.run(until=SENDING)
    table.down.add("gus")
    at = table.run(until=RELEASING)
    own = table.contributors["bob"]._secrets
    assert own is not None
    if kind == "forged":
        wrong = _release_of(table, "bob", Released((("ann", bytes(32)),), ()))
    elif kind == "both":
        seeds = tuple((name, own.shares[name][0]) for name in (*at.present, "gus"))
        wrong = _release_of(table, "bob", Released(seeds, (("gus", own.shares["gus"][1]),)))
    else:
        good = _release_of(table, "bob", Released((), ()))
        wrong = RoundRelease(at.id, good.wraps, good.body[::-1])
    table.contributors["bob"]._said.add(RoundRelease)
    assert table.say("bob", wrong) == ""
    table.run()
    assert table.announced is not None and table.announced.total == total_of(at.present)
    words = {"forged": "was not dealt", "both": "forbids", "garbage": "cannot be opened"}[kind]
    assert words in table.coordinator.unmasked.liars["bob"]
    assert words in table.contributors["ann"].unmasked.liars["bob"]


@pytest.mark.parametrize(
    ("change", "kind"),
    [("mask_key", RoundJoin), ("share_key", RoundJoin)],
)
def test_p51_a_key_of_somebody_else_registers_nobody(change: str, kind: type) -> None:
    table = Table()
    first = table.contributors["ann"].react(table.round)[0]
    table.say("ann", first)
    table.change = replaced("bob", kind, **{change: getattr(first, change)})
    at = table.run()
    assert "bob" not in at.members and ("a key of somebody else") in {why for _, why in at.refused}


def test_p51_a_member_that_registers_anothers_keys_first_shuts_nobody_out() -> None:
    """Cyd and dan see what bob registers and have it ordered first; bob's third keys are his own."""
    table = Table()
    bob = table.contributors["bob"]
    for copier in ("cyd", "dan"):
        (join,) = bob.react(table.round)
        assert table.say(copier, join) == "" and table.say("bob", join) == "a key of somebody else"
    table.down |= {"cyd", "dan"}  # They lack the secrets of what they registered.
    at = table.run()
    assert at.present == ("ann", "bob", "eve", "fay", "gus")
    assert table.announced is not None and table.announced.total == total_of(at.present)
    assert bob.verdict is Verdict.RIGHT


def test_p51_who_is_copied_every_time_stops_after_four() -> None:
    table = Table()
    bob = table.contributors["bob"]
    for accomplice in ("ann", "cyd", "dan", "eve"):
        (join,) = bob.react(table.round)
        assert table.say(accomplice, join) == "" and table.say("bob", join) == "a key of somebody else"
    assert bob.react(table.round) == []


def test_p51_a_deal_that_is_not_for_all_has_no_effect() -> None:
    table = Table()
    at = table.run(until=DEALING)
    deal = table.contributors["ann"].react(at)[0]
    assert isinstance(deal, RoundDeal)
    short = replace_deed(deal, commits=deal.commits[1:], boxes=deal.boxes[1:])
    assert table.say("ann", short) == "not a share for each member"
    assert replace_deed(deal, boxes=deal.boxes[1:]).fault("ann", frozenset(NAMES))
    assert table.say("hal", deal) == "not a member of the round"


def test_p51_a_share_tells_nothing_below_the_threshold() -> None:
    secret = seeded("secret")(32)
    shares = split(secret, 3, 4, seeded("shares"))
    for places in itertools.combinations(range(1, 5), 3):
        assert combine({place: shares[place - 1] for place in places}) == secret
    for places in itertools.combinations(range(1, 5), 2):
        assert combine({place: shares[place - 1] for place in places}) != secret
    # For any other secret there is a third share that fits the two: two of them exclude nothing.
    other = seeded("other")(32)
    forged = split(other, 3, 4, seeded("forged"))
    assert forged[0] != shares[0]
    assert [threshold(n) for n in (4, 5, 6, 7, 31)] == [3, 4, 5, 5, 21]


def test_p53_what_the_coordinator_learns_is_the_total_and_nothing_else() -> None:
    """Its charter after a round full of trouble: seeds of those present, keys of those absent, the sum."""
    table = Table()
    table.run(until=DEALING)
    table.say("eve", _deal_with(table, "eve", fits=False))
    table.run(until=SENDING)
    table.down.add("gus")
    at = table.run()
    seeds, keys = _known_to_coordinator(table)
    assert (set(seeds), set(keys)) == (set(at.present), set(at.absent))
    assert not set(seeds) & set(keys)
    assert [kind for kind, _ in table.coordinator.secrets()] == ["share key"]
    assert table.announced is not None and table.announced.total == total_of(at.present)
