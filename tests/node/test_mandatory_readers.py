"""A reader whom the policy demands: nobody can leave it out without the other readers seeing it (P48)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.chain.store import DELIVERED, NOT_PARTY, REFUSED
from node.consortium import Consortium, Member, Policy
from node.disclosure.disclosing import Author, disclose
from node.envelopes.envelope import readers_of
from node.envelopes.rule import FREE, with_rule
from node.envelopes.sender_proof import SenderProof
from tests.node.network_of_nodes import PARTIES, World, founded, ready, sealed_for
from tests.node.small_consortium import seeded
from tests.node.test_disclosure_on_the_ledger import holdings, submit, told

POLICY = Policy(always_to=("dan",))
NETWORK = founded(voters=4, policy=POLICY)
MEMBERS = tuple(NETWORK.wrapping_keys.values())
DAN = NETWORK.wrapping_keys["dan"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Four voters; dan must be able to read everything."""
    with ready(tmp_path, NETWORK) as world:
        yield world


def states(world: World) -> dict[str, str]:
    """The state of the one payload at each node."""
    found = {}
    for name in NETWORK.names:
        (state,) = [state for state, count in world.node(name).private_view.counts.items() if count]
        found[name] = state
    return found


def test_a_transaction_with_its_mandatory_reader_is_delivered(world: World) -> None:
    """Who names the mandatory reader among others is read by all of them, and by nobody else."""
    identifier = world.submit(sealed_for(NETWORK, {"amount": 1}, to=("bob", "dan")))
    world.settle([identifier])
    assert states(world) == {"ann": DELIVERED, "bob": DELIVERED, "cyd": NOT_PARTY, "dan": DELIVERED}


def test_p48_readers_refuse_what_leaves_the_mandatory_reader_out(world: World) -> None:
    """Left out, dan has no key; bob opens the payload, sees that dan has no slot, and refuses it."""
    identifier = world.submit(sealed_for(NETWORK, {"amount": 1}, to=("bob",)))
    world.settle([identifier])
    assert states(world) == {"ann": REFUSED, "bob": REFUSED, "cyd": NOT_PARTY, "dan": NOT_PARTY}
    (event,) = [event for event in world.events["bob"] if event["ev"] == "priv.decrypt"]
    assert (event["lvl"], event["reason_code"]) == ("error", "mandatory_reader_left_out")


def test_p48_the_refusal_moves_no_block_and_lasts_over_a_restart(world: World) -> None:
    """Everybody executes the block all the same, and a node that comes back refuses the payload still."""
    identifier = world.submit(sealed_for(NETWORK, {"amount": 1}, to=("bob",)))
    world.settle([identifier])
    assert len(world.heads()) == 1
    world.stop("bob")
    world.start("bob")
    world.run(2000)
    assert states(world)["bob"] == REFUSED


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(), named=st.sets(st.sampled_from(["bob", "cyd", "dan"])))
def test_p48_a_judge_convicts_exactly_those_who_left_him_out(seed: int, named: set[str]) -> None:
    """The content key with the signed header proves it; who named the mandatory reader cannot be framed."""
    sealed = sealed_for(NETWORK, {"amount": 1}, to=sorted(named), seed=seed)
    proof = SenderProof(sealed.transaction, sealed.blob, sealed.content_key, None)
    lie = proof.verify(PARTIES["ann"].signing.public, MEMBERS, [DAN])
    assert lie == (None if "dan" in named else "mandatory_reader")
    assert proof.verify(PARTIES["bob"].signing.public, MEMBERS, [DAN]) is None


def test_the_policy_is_part_of_what_every_transaction_is_bound_to() -> None:
    """Another set of mandatory readers is another policy, and so another network."""
    plain = founded(voters=4)
    assert NETWORK.policy_hash != plain.policy_hash
    assert NETWORK.id != plain.id


def test_a_mandatory_reader_is_a_member() -> None:
    """A policy that demands a stranger is no consortium's."""
    members: tuple[Member, ...] = NETWORK.members
    policy = Policy(always_to=("zoe",))
    consortium = Consortium(1, bytes(16), 0, members, policy, NETWORK.rules)
    assert consortium.invalid() == "a mandatory reader is no member"


def test_senders_add_the_mandatory_readers_once() -> None:
    """Whoever sends by the policy names them whether the user did or not, and never itself twice."""
    assert NETWORK.with_mandatory("ann", ["bob"]) == ("bob", "dan")
    assert NETWORK.with_mandatory("ann", ["dan", "bob"]) == ("dan", "bob")
    assert NETWORK.with_mandatory("dan", ["bob"]) == ("bob",)


def test_p48_what_was_made_for_others_is_nothing_that_the_mandatory_reader_was_shown(world: World) -> None:
    """It reads the carrier as it reads everything, is shown nothing by it, and accuses nobody."""
    sealed = sealed_for(NETWORK, with_rule({"amount": 1, "days": 30}, FREE), to=("bob", "dan"))
    world.settle([world.submit(sealed)])
    author = Author("bob", PARTIES["bob"], NETWORK, seeded("bob"), 1, 40)
    about = (author, sealed.payload, sealed.transaction.header)
    made = disclose(*about, ordered_at=2, receivers=["cyd"], reason="audit", fields=["amount"])
    submit(world, made)
    assert world.node("dan").private_view.counts[DELIVERED] == 2
    assert (told(world, "cyd"), told(world, "dan")) == ([(True, "")], [])
    assert not holdings(world, "dan", "shown")


def test_whoever_discloses_names_them_too() -> None:
    """A carrier is a private transaction like others; they read it, though it is not made for them."""
    sealed = sealed_for(NETWORK, {"amount": 1}, to=("bob", "dan"))
    author = Author("bob", PARTIES["bob"], NETWORK, seeded("bob"), 1, 40)
    header = sealed.transaction.header
    made = disclose(author, sealed.payload, header, ordered_at=2, receivers=["cyd"], reason="audit")
    assert made.package.receivers == ("cyd",)
    candidates = NETWORK.wrapping_keys
    carrier = made.carrier
    readers = readers_of(carrier.transaction, carrier.blob, carrier.content_key, candidates)
    assert readers == {"bob", "cyd", "dan"}
