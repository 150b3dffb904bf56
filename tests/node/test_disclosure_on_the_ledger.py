"""Disclosures and requests among nodes: ordered, judged by each receiver alone, the same after a restart."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from node.canonical import encode
from node.chain.act import Act, ActTransaction, signed
from node.chain.deeds import REASON_LIMIT, Disclosure, Request, tells_of
from node.chain.reading import read_node
from node.consortium import Network
from node.disclosure.disclosing import Author, Disclosing, disclose, request
from node.envelopes.disclosure import Part, carried
from node.envelopes.envelope import Sealed, seal
from node.errors import PrivityError
from node.wire import TransactionPacket
from tests.node.network_of_nodes import PARTIES, World, founded, ready, sealed_for
from tests.node.small_consortium import seeded

NETWORK = founded(voters=4, followers=1)
DEAL = {"amount": 800, "good": "steel", "days": 30}
WHY = "audit rule 7"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Four voters and a follower, eve, at height 1."""
    with ready(tmp_path, NETWORK) as world:
        yield world


def author(name: str, *, network: Network = NETWORK, seed: object = 0, **changes: Any) -> Author:
    facts = {"valid_from": 1, "valid_until": 40, "entropy": seeded(f"{name} {seed}")} | changes
    return Author(name, PARTIES[name], network, **facts)


def deal(world: World) -> Sealed:
    """Ordered by ann for bob."""
    sealed = sealed_for(NETWORK, DEAL, seed="deal")
    world.settle([world.submit(sealed)])
    return sealed


def showing(
    sealed: Sealed, *fields: str, by: str = "bob", to: tuple[str, ...] = ("eve",), **how: Any
) -> Disclosing:
    return disclose(
        author(by, **how),
        sealed.payload,
        sealed.transaction.header,
        ordered_at=2,
        receivers=to,
        reason=WHY,
        fields=fields or None,
    )


def submit_act(world: World, act: ActTransaction) -> bytes:
    world.publish(world.topics.transactions, encode(TransactionPacket(act, None)))
    return act.id


def submit(world: World, disclosing: Disclosing) -> None:
    """Publish both parts, and wait until they are ordered and every payload was looked at."""
    ids = [submit_act(world, disclosing.record), world.submit(disclosing.carrier)]
    world.settle(ids)
    world.run_until(lambda: not any(running.node.has_idle_work for running in world.up.values()))


def told(world: World, name: str) -> list[tuple[bool, str]]:
    """What became of the disclosures that reached a node."""
    return [
        (event["ok"], event.get("reason_code", ""))
        for event in world.events[name]
        if event["ev"] == "priv.disclose"
    ]


def holdings(world: World, name: str, what: str) -> list[str]:
    lines = (world.home(name) / "holdings.jsonl").read_text().splitlines()
    return [entry["tx"] for entry in map(json.loads, lines) if entry.get("gained") == what]


def test_a_receiver_verifies_it_and_nobody_else_learns_more(world: World) -> None:
    """The receiver notes what it was shown and since when; the others hold a sealed carrier."""
    sealed = deal(world)
    submit(world, showing(sealed, "amount", to=("eve", "cyd")))
    assert {name: told(world, name) for name in NETWORK.names} == {
        "ann": [],
        "bob": [],
        "cyd": [(True, "")],
        "dan": [],
        "eve": [(True, "")],
    }
    tx = sealed.transaction.id.hex()
    assert [holdings(world, name, "shown") for name in ("cyd", "eve")] == [[tx], [tx]]
    assert not holdings(world, "dan", "shown") and not holdings(world, "bob", "shown")


def test_the_record_is_public_and_says_what_happened(world: World) -> None:
    """Who, of which transaction, in which carrier, how much, to whom, why: on every ledger alike."""
    sealed = deal(world)
    asked = request(author("eve"), sealed.transaction.id, "bob", "may I see it?")
    world.settle([submit_act(world, asked)])
    disclosing = disclose(
        author("bob"),
        sealed.payload,
        sealed.transaction.header,
        ordered_at=2,
        receivers=["eve"],
        reason=WHY,
        answers=asked.id,
    )
    submit(world, disclosing)
    for name in NETWORK.names:
        acts = [ordered.transaction for ordered in read_node(world.home(name), NETWORK).transactions.values()]
        found = [each.act for each in acts if isinstance(each, ActTransaction)]
        assert [(act.sender, act.deed) for act in found] == [
            ("eve", Request(sealed.transaction.id, "bob", "may I see it?")),
            (
                "bob",
                Disclosure(
                    sealed.transaction.id, disclosing.carrier.transaction.id, ("eve",), 3, True, WHY, asked.id
                ),
            ),
        ]
        assert tells_of(found[1].deed, disclosing.package, disclosing.carrier.transaction.id)
    events = [event for event in world.events["bob"] if event["ev"] == "priv.request"]
    assert [(event["party"], event["tx"]) for event in events] == [("eve", sealed.transaction.id.hex()[:8])]
    assert not [event for event in world.events["cyd"] if event["ev"] == "priv.request"]


def test_a_record_that_says_otherwise_is_seen_to(world: World) -> None:
    package = showing(deal(world), "amount").package
    true = showing(deal(world), "amount").record.act.deed
    carrier = showing(deal(world), "amount").carrier.transaction.id
    assert isinstance(true, Disclosure) and tells_of(true, package, carrier)
    for changes in ({"fields": 2}, {"whole": True}, {"receivers": ("cyd",)}, {"tx": bytes(32)}):
        assert not tells_of(msgspec.structs.replace(true, **changes), package, carrier)
    assert not tells_of(true, package, bytes(32))


def in_carrier(
    disclosing: Disclosing, *, sender: str, to: tuple[str, ...], nonce: bytes, **window: Any
) -> Sealed:
    """The same package in another carrier."""
    return seal(
        carried(disclosing.package),
        readers=[PARTIES[name].wrapping.public for name in (sender, *to)],
        network=NETWORK.id,
        sender=sender,
        policy=NETWORK.policy_hash,
        valid_from=window.get("valid_from", 1),
        valid_until=window.get("valid_until", 40),
        signing_key=PARTIES[sender].signing,
        entropy=seeded("again"),
        nonce=nonce,
    )


def _altered(disclosing: Disclosing) -> Disclosing:
    opening = disclosing.package.opening
    assert isinstance(opening, Part)
    *rule, (place, leaf) = opening.leaves
    leaves = (*rule, (place, msgspec.structs.replace(leaf, value=801)))
    lie = msgspec.structs.replace(disclosing.package, opening=msgspec.structs.replace(opening, leaves=leaves))
    return Disclosing(disclosing.carrier, disclosing.record, lie)


LIES: dict[str, Callable[[Disclosing], Sealed]] = {
    "commitment_does_not_match": lambda d: in_carrier(
        _altered(d), sender="bob", to=("eve",), nonce=d.package.nonce
    ),
    "made_for_another_carrier": lambda d: in_carrier(d, sender="bob", to=("eve",), nonce=bytes(16)),
    "not_sent_by_its_discloser": lambda d: in_carrier(d, sender="cyd", to=("eve",), nonce=d.package.nonce),
    "made_for_another_receiver": lambda d: in_carrier(d, sender="bob", to=("dan",), nonce=d.package.nonce),
}


@pytest.mark.parametrize("reason", LIES)
def test_a_bad_package_is_refused_and_counted(world: World, reason: str) -> None:
    """P45, P46 on the ledger: the block stands, the receiver says why, nothing is noted as shown."""
    carrier = LIES[reason](showing(deal(world), "amount"))
    world.settle([world.submit(carrier)])
    world.run_until(lambda: any(told(world, name) for name in ("eve", "dan")))
    name = "dan" if reason == "made_for_another_receiver" else "eve"
    assert told(world, name) == [(False, reason)]
    assert sum(count for text, count in world.reasons(name).items() if text.replace(" ", "_") == reason) == 1
    assert not holdings(world, name, "shown")


def test_what_is_no_package_is_refused(world: World) -> None:
    for place, value in enumerate((b"", b"\x90", "text", 7)):
        carrier = sealed_for(NETWORK, {"_disclosure": value}, sender="bob", to=("eve",), seed=("odd", place))
        world.settle([world.submit(carrier)])
    world.run_until(lambda: len(told(world, "eve")) == 4)
    assert {ok for ok, _ in told(world, "eve")} == {False}


def test_of_a_transaction_that_is_not_there_before_nothing_is_believed(world: World) -> None:
    """Whatever stands behind its carrier, or nowhere, is no proof of anything ordered."""
    sealed = sealed_for(NETWORK, DEAL, seed="late")
    submit(world, showing(sealed, "amount"))
    assert told(world, "eve") == [(False, "not_on_the_ledger_before")]


def test_what_is_ordered_behind_its_carrier_is_no_proof_either(world: World) -> None:
    """A function of the chain: looked at late, when both are there, it is refused all the same."""
    sealed = sealed_for(NETWORK, DEAL, seed="late")
    disclosing = showing(sealed, "amount")
    world.withhold_blobs("eve")
    world.settle([submit_act(world, disclosing.record), world.submit(disclosing.carrier)])
    world.settle([world.submit(sealed)])
    world.tap = lambda receiver, topic, data: data
    world.run_until(lambda: bool(told(world, "eve")))
    assert told(world, "eve") == [(False, "not_on_the_ledger_before")]


def test_shown_once_it_is_refused_the_second_time(world: World, tmp_path: Path) -> None:
    """P46: when sender and nonce are forgotten, the receiver still remembers the package; also restarted."""
    sealed = deal(world)
    disclosing = showing(sealed, "amount")
    submit(world, disclosing)
    world.stop("eve")
    (world.home("eve") / "index.sqlite").unlink()
    world.start("eve")
    window = NETWORK.rules.validity_window
    seed = 0
    while world.height("ann") <= window + 3:
        seed += 1
        low = max(1, world.height("ann"))
        world.settle(world.send(1, seed=seed, valid=(low, low + 40)))
    low = world.height("ann")
    again = in_carrier(
        disclosing,
        sender="bob",
        to=("eve",),
        nonce=disclosing.package.nonce,
        valid_from=low,
        valid_until=low + 40,
    )
    assert again.transaction.id != disclosing.carrier.transaction.id
    world.settle([world.submit(again)])
    world.run_until(lambda: (False, "shown_before") in told(world, "eve"))
    assert told(world, "eve")[-1] == (False, "shown_before")


def test_a_node_comes_back_with_its_acts(world: World) -> None:
    """Journal and indexes agree on a ledger with acts, also when the indexes begin anew."""
    submit(world, showing(deal(world)))
    for rebuilt in (False, True):
        before = world.indexes("eve")
        world.stop("eve")
        if rebuilt:
            (world.home("eve") / "index.sqlite").unlink()
        world.start("eve")
        assert world.indexes("eve") == before
    world.settle(world.send(1, seed="after"))


def hand(world: World, transaction: ActTransaction, blob: Any = None) -> Counter[str]:
    return world.hand("bob", encode(TransactionPacket(transaction, blob)))


def changed(signer: str = "eve", deed: Disclosure | Request | None = None, **changes: Any) -> ActTransaction:
    """An act of eve's with something changed, signed anew."""
    act = author("eve").act(deed or Request(b"t" * 32, "bob", WHY)).act
    return signed(msgspec.structs.replace(act, **changes), PARTIES[signer].signing)


DEED = Disclosure(b"t" * 32, b"c" * 32, ("ann", "bob"), 1, False, WHY)


def deed(**changes: Any) -> ActTransaction:
    return changed(deed=msgspec.structs.replace(DEED, **changes))


REFUSED: dict[str, tuple[ActTransaction, str]] = {
    "another member's signature": (changed("ann"), "signature"),
    "a stranger": (changed(sender="zoe"), "unknown sender"),
    "another network": (changed(network=bytes(32)), "network"),
    "another version": (changed(version=2), "version"),
    "another policy": (changed(policy=bytes(32)), "policy"),
    "a window too long": (changed(valid_until=1000), "validity"),
    "asked of nobody": (changed(deed=Request(b"t" * 32, "zoe", WHY)), "act"),
    "asked of itself": (changed(deed=Request(b"t" * 32, "eve", WHY)), "act"),
    "a line break": (changed(deed=Request(b"t" * 32, "bob", "two\nlines")), "act"),
    "an escape": (changed(deed=Request(b"t" * 32, "bob", "\x1b[2J")), "act"),
    "text turned around": (changed(deed=Request(b"t" * 32, "bob", "\u202eab")), "act"),
    "shown to nobody known": (deed(receivers=("zoe",)), "act"),
    "shown to itself": (deed(receivers=("eve",)), "act"),
    "receivers out of order": (deed(receivers=("bob", "ann")), "act"),
    "a receiver twice": (deed(receivers=("ann", "ann")), "act"),
    "no reason": (changed(deed=Request(b"t" * 32, "bob", "")), "shape"),
    "a reason too long": (changed(deed=Request(b"t" * 32, "bob", "x" * (REASON_LIMIT + 1))), "shape"),
    "no receivers": (deed(receivers=()), "shape"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_act_that_no_node_takes(world: World, case: str) -> None:
    """A function of its public bytes; the mempool stays empty."""
    transaction, reason = REFUSED[case]
    assert hand(world, transaction) == {reason: 1}
    assert len(world.node("bob")._mempool) == 0


def test_an_act_is_taken_once_and_without_a_blob(world: World) -> None:
    good = deed()
    assert hand(world, good, sealed_for(NETWORK, {"n": 1}).blob) == {"act": 1}
    assert hand(world, good) == {}
    world.settle([submit_act(world, good)])
    assert hand(world, good) == {"already executed": 1}


def test_the_longest_act_is_taken(world: World) -> None:
    """Limits are in characters; four bytes each fit too."""
    assert hand(world, deed(reason="𐍈" * REASON_LIMIT)) == {}


def test_a_client_refuses_what_nodes_would(world: World) -> None:
    for reason in ("", " ", "x" * 201, "a\tb", "\u200b"):
        with pytest.raises(PrivityError, match="E-REASON"):
            request(author("eve"), b"t" * 32, "bob", reason)
    assert isinstance(request(author("eve"), b"t" * 32, "bob", "§ 12 é").act, Act)
