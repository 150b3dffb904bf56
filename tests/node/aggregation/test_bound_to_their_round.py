"""P51: what is wrapped, released or hashed in a round says of which round, by whom and for whom it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from node.aggregation.boxes import (
    KEY,
    SEED,
    Released,
    box,
    open_box,
    open_release,
    release,
    seed_commit,
    share_commit,
    total_hash,
    total_salt,
)
from node.aggregation.contributor import Contributor
from node.aggregation.coordinator import Coordinator
from node.aggregation.envelopes import fields_of, fits
from node.aggregation.following import LedgerFollower
from node.aggregation.masks import MODULUS, self_mask
from node.aggregation.rounds import RELEASING
from node.aggregation.seats import Seat, Seats
from node.envelopes.wrapping import WrappingKey
from tests.node.aggregation.round_table import Table
from tests.node.network_of_nodes import PARTIES, founded
from tests.node.small_consortium import seeded

ONE, OTHER = b"\1" * 32, b"\2" * 32


@pytest.mark.parametrize(
    ("made_of", "these", "others"),
    [
        (share_commit, (ONE, "ann", "bob", SEED, ONE), (OTHER, "bob", "ann", KEY, OTHER)),
        (seed_commit, (ONE, "ann", ONE), (OTHER, "bob", OTHER)),
        (total_hash, (ONE, ONE, 7), (OTHER, OTHER, 8)),
        (total_salt, (ONE, {"ann": ONE}), (OTHER, {"ann": OTHER})),
        (self_mask, (ONE, ONE, "ann"), (OTHER, OTHER, "bob")),
    ],
    ids=["share", "seed", "total", "salt", "self-mask"],
)
def test_p51_each_hash_is_of_all_that_it_is_about(
    made_of: Callable[..., Any], these: tuple[Any, ...], others: tuple[Any, ...]
) -> None:
    """What is true of one round, dealer, holder or kind cannot be shown of another."""
    found = made_of(*these)
    for place, other in enumerate(others):
        changed = (*these[:place], other, *these[place + 1 :])
        assert made_of(*changed) != found, f"argument {place} does not count"


def test_p51_a_box_opens_in_its_round_from_its_dealer_for_its_holder_only() -> None:
    """A dealer that copies another's box into its own deal has dealt nothing that opens."""
    holder = WrappingKey.generate(seeded("holder"))
    seed, key = seeded("shares")(32), seeded("more")(32)
    wrapped = box(ONE, "ann", "bob", holder.public.raw, seed, key)
    assert open_box(ONE, "ann", "bob", holder, wrapped) == (seed, key)
    for context in ((OTHER, "ann", "bob"), (ONE, "cyd", "bob"), (ONE, "ann", "cyd")):
        assert open_box(*context, holder, wrapped) is None


def test_p51_a_release_opens_in_its_round_from_its_releaser_only() -> None:
    """Who sends on what another released has released nothing: it would count as shares of its own."""
    receiver = WrappingKey.generate(seeded("receiver"))
    given = Released((("ann", ONE),), ())
    (wrap,), body = release(ONE, "bob", given, [receiver.public.raw], seeded("release"))
    assert open_release(ONE, "bob", receiver, wrap, body) == given
    assert open_release(OTHER, "bob", receiver, wrap, body) is None
    assert open_release(ONE, "cyd", receiver, wrap, body) is None


def test_p51_who_let_go_of_a_round_has_no_secret_of_it_and_no_part_in_it() -> None:
    """What was dealt to it opens for nobody who takes its machine later, and it says nothing more."""
    table = Table()
    at = table.run(until=RELEASING)
    ann = table.contributors["ann"]
    assert {kind for kind, _ in ann.secrets()} == {"mask key", "share key", "mask seed", "share"}
    ann.forget()
    assert ann.secrets() == [] and ann.react(at) == []
    assert "ann" not in table.run().releases


def test_p51_an_envelope_says_what_stands_on_the_ledger_or_does_not_fit() -> None:
    """The total, of how many values, and the salt: a coordinator that sends another word is found out."""
    table = Table()
    at = table.run()
    assert table.announced is not None
    good = fields_of(table.announced)
    assert fits(good, at) and good["contributors"] == len(at.present)
    total = good["total"]
    lies = [{"total": total + 1}, {"total": str(total)}, {"total": total + MODULUS}, {"total": None}]
    lies += [{"contributors": number} for number in (6, 8, None)] + [
        {"salt": each} for each in (ONE, b"", "x")
    ]
    for lie in lies:
        assert not fits({**good, **lie}, at), lie
    for missing in good:
        assert not fits({name: value for name, value in good.items() if name != missing}, at)
    assert not fits(good, Table(seed=1).run(until=RELEASING))


def test_p51_when_a_round_is_played_or_given_up_its_secrets_are_let_go(tmp_path: Path) -> None:
    """Whoever takes a machine afterwards finds none: also when time ran out in the middle."""
    table = Table()
    table.run(until=RELEASING)
    network = founded(voters=4)

    def seat(machine: Contributor | Coordinator) -> Seat:
        return Seat(machine.name, PARTIES["ann"], LedgerFollower(tmp_path, network.id), machine)

    machines = list(table.contributors.values())
    assert all(machine.secrets() for machine in machines)
    unused: Any = None  # No time, so it asks nobody and says nothing.
    seats = Seats(
        unused,
        network,
        seeded("x"),
        seat(table.coordinator),
        [seat(each) for each in machines],
        *[unused] * 3,
    )
    assert asyncio.run(seats.play(0.0)) is None
    assert not any(machine.secrets() for machine in machines)
