"""The owner's rule on showing a content on: told to readers, public consents, refusals, proofs (P46, P47)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from node.chain.act import Act, ActTransaction, signed
from node.chain.deeds import Consent, Revocation, disclosed
from node.chain.reading import read_node
from node.chain.standing import Standing
from node.disclosure.breaches import BreachProof, proved_breach, read_proofs
from node.disclosure.disclosing import Disclosing, check_consent, consent, revoke
from node.envelopes.disclosure import Part, Whole, carried, opened_of, pack
from node.envelopes.envelope import Sealed, seal
from node.envelopes.payload import TREE
from node.envelopes.rule import (
    FORBIDDEN,
    FREE,
    RULES,
    WITH_CONSENT,
    hidden_name,
    proved_rule,
    rule_alone,
    rule_leaf,
    rule_of,
    with_rule,
)
from node.errors import PrivityError
from tests.node.network_of_nodes import PARTIES, World, founded, ready, sealed_for
from tests.node.off_chain_world import off_chain, send
from tests.node.test_disclosure_on_the_ledger import author, hand, holdings, showing, submit, submit_act, told
from tests.node.test_off_chain_access import answers, ask

NETWORK = founded(voters=4, followers=1)
DEAL = {"amount": 800, "good": "steel", "days": 30}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Four voters and a follower, eve, at height 1."""
    with ready(tmp_path, NETWORK) as world:
        yield world


def sent(world: World, rule: str = WITH_CONSENT) -> Sealed:
    """Ordered by ann for bob under this rule."""
    sealed = sealed_for(NETWORK, with_rule(DEAL, rule), seed=f"deal {rule}")
    world.settle([world.submit(sealed)])
    return sealed


def agree(
    world: World, sealed: Sealed, *to: str, until: int = 0, hidden: bool = False, by: str = "ann"
) -> None:
    payload, tx = sealed.payload, sealed.transaction.id
    act = consent(author(by, seed=f"c{to}{until}"), tx, payload, to, "agreed", until, hidden=hidden)
    world.settle([submit_act(world, act)])


def withdraw(world: World, sealed: Sealed, *of: str, hidden: bool = False, by: str = "ann") -> None:
    act = revoke(
        author(by, seed=f"r{of}"), sealed.transaction.id, sealed.payload, of, "no more", hidden=hidden
    )
    world.settle([submit_act(world, act)])


def standing(world: World, name: str = "cyd") -> Standing:
    return Standing.of(read_node(world.home(name), NETWORK).acts())


def may(world: World, sealed: Sealed, by: str, to: Sequence[str], height: int = 20) -> bool:
    """Whether an honest client shows it."""
    try:
        check_consent(sealed.payload, sealed.transaction.header, by, to, standing(world), height)
    except PrivityError as error:
        assert error.code == "E-CONSENT" and error.exit_code == 3
        return False
    return True


def proofs(world: World, name: str) -> list[BreachProof]:
    return list(read_proofs(world.home(name)))


@pytest.mark.parametrize("rule", RULES)
def test_p47_an_honest_client_asks_the_rule(world: World, rule: str) -> None:
    """The owner shows it to anybody; a reader as the rule says; a consent changes that for those it names."""
    sealed = sent(world, rule)
    assert may(world, sealed, "ann", ["eve"])
    assert may(world, sealed, "bob", ["eve"]) == (rule == FREE)
    if rule == FORBIDDEN:
        with pytest.raises(PrivityError, match="no consent"):
            agree(world, sealed, "eve")
        return
    agree(world, sealed, "eve")
    assert may(world, sealed, "bob", ["eve"])
    assert may(world, sealed, "bob", ["cyd"]) == (rule == FREE)
    withdraw(world, sealed, "eve")
    assert not may(world, sealed, "bob", ["eve"]), "also of what is free: the owner has taken it back"


def test_a_consent_ends_at_its_height(world: World) -> None:
    sealed = sent(world)
    agree(world, sealed, "eve", until=10)
    assert may(world, sealed, "bob", ["eve"], height=9)
    assert not may(world, sealed, "bob", ["eve"], height=10)


def test_what_another_says_of_it_counts_for_nothing(world: World) -> None:
    """A reader's own consent, and a revocation by a stranger to it, are ordered and change nothing."""
    sealed = sent(world)
    agree(world, sealed, "eve", by="bob")
    assert not may(world, sealed, "bob", ["eve"])
    agree(world, sealed, "eve")
    withdraw(world, sealed, "eve", by="dan")
    assert may(world, sealed, "bob", ["eve"])


def test_p47_a_breach_is_refused_and_proved(world: World) -> None:
    """The receiver's node refuses the carrier; it and every reader keep a proof that names the discloser."""
    sealed = sent(world)
    made = showing(sealed, "amount")
    submit(world, made)
    assert told(world, "eve") == [(False, "no_consent")]
    kept = {name: len(proofs(world, name)) for name in NETWORK.names}
    assert kept == {"ann": 1, "bob": 1, "cyd": 0, "dan": 0, "eve": 1}
    for name in ("ann", "eve"):
        (proof,) = proofs(world, name)
        assert proof.record.act.sender == "bob"
        assert proved_breach(proof, NETWORK, standing(world), (3, 0)) == ["eve"]
        shown = opened_of(sealed.transaction.id, proof.rule, sealed.transaction.header)
        assert not isinstance(shown, str) and [leaf.path for leaf in shown.leaves] == [("_redisclose",)]


def test_p47_a_stop_before_the_look_loses_no_proof(world: World) -> None:
    """A reader's node that stops between the record and its proof makes the proof when it is back."""
    submit(world, showing(sent(world), "amount"))
    world.stop("ann")
    (path,) = (world.home("ann") / "breaches").iterdir()
    made = path.read_bytes()
    path.unlink()
    world.start("ann")
    world.run_until(lambda: not any(running.node.has_idle_work for running in world.up.values()))
    assert path.read_bytes() == made and len(proofs(world, "ann")) == 1


def test_p47_a_record_after_its_carrier_proves_the_breach_too(world: World) -> None:
    """Who breaks the rule chooses the order; the receiver goes back to what it refused, also restarted."""
    sealed = sent(world)
    made = showing(sealed, "amount")
    world.settle([world.submit(made.carrier)])
    assert not proofs(world, "eve")
    world.stop("eve")
    world.start("eve")
    world.settle([submit_act(world, made.record)])
    world.run_until(lambda: not any(running.node.has_idle_work for running in world.up.values()))
    assert [len(proofs(world, name)) for name in NETWORK.names] == [1, 1, 0, 0, 1]


def test_p47_with_consent_it_is_taken_and_nobody_is_accused(world: World) -> None:
    sealed = sent(world)
    agree(world, sealed, "eve", hidden=True)
    submit(world, showing(sealed, "amount"))
    assert told(world, "eve") == [(True, "")]
    assert not any(proofs(world, name) for name in NETWORK.names)


def test_p47_a_part_without_its_rule_is_refused_and_still_proved_by_readers(world: World) -> None:
    """P45: who is shown a part from which the rule was cut takes nothing; who reads the whole proves more."""
    sealed = sent(world)
    made = showing(sealed, "amount")
    opening = made.package.opening
    assert isinstance(opening, Part) and rule_leaf(leaf for _, leaf in opening.leaves) is not None
    nodes, place = sealed.payload.nodes(), opening.leaves[1][0]
    bare = Part(opening.count_hash, opening.size, (opening.leaves[1],), TREE.beside(nodes, (place,)))
    assert opening.leaves[1][1].path == ("amount",)
    submit(world, _with_opening(made, bare))
    assert told(world, "eve") == [(False, "shown_without_its_terms")]
    assert [len(proofs(world, name)) for name in ("ann", "bob", "eve")] == [1, 1, 0]
    assert not holdings(world, "eve", "shown")


def test_p45_terms_are_cut_by_nobody_even_where_a_consent_stands(world: World) -> None:
    """A modified client may show it, and still not without what the receiver is bound by."""
    sealed = sent(world)
    agree(world, sealed, "eve")
    made = showing(sealed, "amount")
    opening = made.package.opening
    assert isinstance(opening, Part)
    (place, leaf) = opening.leaves[1]
    beside = TREE.beside(sealed.payload.nodes(), (place,))
    submit(world, _with_opening(made, Part(opening.count_hash, opening.size, ((place, leaf),), beside)))
    submit(world, showing(sealed, "amount", seed="honest"))
    assert told(world, "eve") == [(False, "shown_without_its_terms"), (True, "")]


def test_p46_a_consent_is_for_whom_it_names_and_not_used_again(world: World) -> None:
    """The very act, handed in once more after its revocation, is not ordered; a new one by its owner is."""
    sealed = sent(world)
    tx = sealed.transaction.id
    act = consent(author("ann", seed="once"), tx, sealed.payload, ["eve"], "agreed", 0, hidden=True)
    world.settle([submit_act(world, act)])
    assert may(world, sealed, "bob", ["eve"]) and not may(world, sealed, "bob", ["cyd"])
    withdraw(world, sealed, "eve", hidden=True)
    assert hand(world, act) == {"already executed": 1}
    submit_act(world, act)
    agree(world, sealed, "cyd")  # Something is ordered after it.
    acts = [each for each, _ in read_node(world.home("dan"), NETWORK).acts()]
    assert [each.id for each in acts].count(act.id) == 1
    assert not may(world, sealed, "bob", ["eve"]) and may(world, sealed, "bob", ["cyd"])


def test_p46_a_hidden_consent_fits_one_transaction_and_links_none(world: World) -> None:
    """Names hidden in one are nobody's in another, also where its owner copies them there by mistake."""
    one, other = sent(world), sent(world, FORBIDDEN)
    third = sealed_for(NETWORK, with_rule(DEAL, WITH_CONSENT), seed="third")
    world.settle([world.submit(third)])
    agree(world, one, "eve", hidden=True)
    (act,) = [act for _, act in read_node(world.home("dan"), NETWORK).acts()]
    assert isinstance(act.deed, Consent)
    hidden = act.deed.hidden
    copied = author("ann", seed="copied").act(Consent(third.transaction.id, (), hidden, 0, "agreed"))
    world.settle([submit_act(world, copied)])
    assert may(world, one, "bob", ["eve"]) and not may(world, third, "bob", ["eve"])
    leaves = [rule_leaf(sealed.payload.leaves) for sealed in (one, other, third)]
    names = {
        hidden_name(tx, leaf, "eve")
        for leaf in leaves
        if leaf is not None
        for tx in (one.transaction.id, other.transaction.id, third.transaction.id)
    }
    assert len(names) == 9 and hidden[0] in names, "for each transaction, under each salt, another one"


def _with_opening(made: Disclosing, opening: Part | Whole) -> Disclosing:
    """The same disclosure by a modified client, which opens something else."""
    by = author("bob", seed="modified")
    package = msgspec.structs.replace(made.package, opening=opening)
    carrier = seal(
        carried(package),
        readers=[PARTIES[name].wrapping.public for name in ("bob", "eve")],
        network=NETWORK.id,
        sender="bob",
        policy=NETWORK.policy_hash,
        valid_from=1,
        valid_until=40,
        signing_key=PARTIES["bob"].signing,
        entropy=by.entropy,
        nonce=package.nonce,
    )
    record = by.act(disclosed(package, carrier.transaction.id, "audit rule 7"))
    return Disclosing(carrier, record, package)


def test_no_proof_holds_against_who_did_nothing_wrong(world: World) -> None:
    """Changed in any part, or held against another chain's consents, a proof proves nothing."""
    sealed, free = sent(world), sent(world, FREE)
    submit(world, showing(sealed, "amount"))
    (proof,) = proofs(world, "ann")
    replace = msgspec.structs.replace
    place = (3, 0)
    assert proved_breach(proof, NETWORK, standing(world), place)
    other = Act(**{name: getattr(proof.record.act, name) for name in Act.__struct_fields__})
    framed = replace(other, sender="cyd")
    bad = [
        replace(proof, record=ActTransaction(framed, proof.record.signature)),
        replace(proof, record=signed(framed, PARTIES["bob"].signing)),
        replace(proof, transaction=free.transaction),
        replace(proof, transaction=replace(proof.transaction, signature=bytes(64))),
        replace(proof, transaction=replace(proof.transaction, signature=proof.record.signature)),
        replace(proof, rule=replace(proof.rule, beside=proof.rule.beside[:-1])),
        replace(proof, rule=pack_part(sealed, "amount")),
    ]
    for each in bad:
        assert proved_breach(each, NETWORK, standing(world), place) == []
    agreed = Standing()
    deed = Consent(sealed.transaction.id, ("eve",), (), 0, "agreed")
    agreed.add(bytes(32), (2, 1), "ann", deed)
    assert proved_breach(proof, NETWORK, agreed, place) == []


def pack_part(sealed: Sealed, *fields: str) -> Part:
    nonce = bytes(16)
    header = sealed.transaction.header
    made = pack(sealed.payload, header, discloser="bob", receivers=["eve"], nonce=nonce, fields=fields)
    assert isinstance(made.opening, Part)
    return made.opening


@pytest.mark.parametrize("fields", [("amount",), ("days", "good"), ("amount", "days", "good")])
def test_the_rule_alone_is_proved_out_of_any_opening(fields: tuple[str, ...]) -> None:
    """Whatever else was opened beside it is not in what the proof keeps."""
    sealed = sealed_for(NETWORK, with_rule(DEAL, FORBIDDEN))
    header, tx = sealed.transaction.header, sealed.transaction.id
    alone = rule_alone(pack_part(sealed, *fields))
    assert alone is not None and len(alone.leaves) == 1
    leaf = proved_rule(tx, alone, header)
    assert rule_of(leaf) == FORBIDDEN
    assert proved_rule(tx, pack_part(sealed, *fields), header) is None


def test_who_is_hidden_is_recognised_by_readers_alone(world: World) -> None:
    """The public act holds no name, and not one that can be guessed without the rule's salt."""
    sealed = sent(world)
    agree(world, sealed, "eve", hidden=True)
    (act,) = [act for _, act in read_node(world.home("dan"), NETWORK).acts()]
    assert isinstance(act.deed, Consent) and not act.deed.to and len(act.deed.hidden) == 1
    leaf = rule_leaf(sealed.payload.leaves)
    assert leaf is not None
    tx = sealed.transaction.id
    assert act.deed.hidden == (hidden_name(tx, leaf, "eve"),)
    guesses = {hidden_name(tx, msgspec.structs.replace(leaf, salt=bytes(16)), name) for name in NETWORK.names}
    assert act.deed.hidden[0] not in guesses


def test_p46_several_who_are_hidden_stand_in_an_order_that_is_not_that_of_their_names(world: World) -> None:
    """Every node takes such an act, each of them may be shown it, and places tell a stranger nothing."""
    orders = set()
    for seed in range(6):
        sealed = sealed_for(NETWORK, with_rule(DEAL, WITH_CONSENT), seed=f"many {seed}")
        leaf, tx, to = rule_leaf(sealed.payload.leaves), sealed.transaction.id, ("cyd", "dan", "eve")
        assert leaf is not None
        act = consent(author("ann", seed=seed), tx, sealed.payload, to, "agreed", 0, hidden=True)
        assert isinstance(act.act.deed, Consent) and not act.act.deed.fault("ann", set(NETWORK.names))
        orders.add(tuple(act.act.deed.hidden.index(hidden_name(tx, leaf, name)) for name in to))
    assert len(orders) > 1
    world.settle([world.submit(sealed), submit_act(world, act)])
    assert all(may(world, sealed, "bob", [name]) for name in to)


def test_also_what_is_free_can_be_withdrawn_from_somebody_hidden(world: World) -> None:
    """Its rule says free, and has a salt like any other; the breach is then proved with it."""
    sealed = sent(world, FREE)
    withdraw(world, sealed, "eve", hidden=True)
    assert not may(world, sealed, "bob", ["eve"]) and may(world, sealed, "bob", ["cyd"])
    submit(world, showing(sealed, "amount"))
    assert told(world, "eve") == [(False, "no_consent")]
    assert [len(proofs(world, name)) for name in NETWORK.names] == [1, 1, 0, 0, 1]


@pytest.mark.parametrize(
    "deed",
    [
        Consent(bytes(32), (), (), 0, "why"),
        Consent(bytes(32), ("bob",), (bytes(32),), 0, "why"),
        Consent(bytes(32), ("eve", "bob"), (), 0, "why"),
        Consent(bytes(32), ("ann",), (), 0, "why"),
        Consent(bytes(32), ("zoe",), (), 0, "why"),
        Consent(bytes(32), (), (bytes(32), bytes(32)), 0, "why"),
        Consent(bytes(32), ("bob",), (), 0, "a\u202eb"),
        Revocation(bytes(32), (), (), "why"),
        Revocation(bytes(32), ("ann",), (), "why"),
    ],
)
def test_malformed_words_of_owners_are_refused_by_every_node(deed: Consent | Revocation) -> None:
    assert deed.fault("ann", frozenset(NETWORK.names))
    fine = type(deed)(bytes(32), ("bob",), (), *([0] if isinstance(deed, Consent) else []), "why")
    assert not fine.fault("ann", frozenset(NETWORK.names))


def test_the_same_after_a_restart(world: World) -> None:
    """Consents are found again from the journal, and a receiver judges as before."""
    sealed = sent(world)
    agree(world, sealed, "eve")
    for name in NETWORK.names:
        world.stop(name)
        world.start(name)
    submit(world, showing(sealed, "amount"))
    withdraw(world, sealed, "eve")
    submit(world, showing(sealed, "days", seed="again"))
    assert told(world, "eve")[-2:] == [(True, ""), (False, "no_consent")]


def test_off_chain_a_holder_gives_nothing_new_to_a_revoked_reader(tmp_path: Path) -> None:
    """A reader that lost its copy gets it again from another; once it is revoked, it does not."""
    network = off_chain()
    with ready(tmp_path, network) as world:
        tx = send(world, ["bob", "cyd"])
        world.settle([tx])
        ask(world, "bob", "cyd", [tx])
        assert len(answers(world, "cyd")) == 1
        author_ = author("ann", network=network)
        sealed = sealed_for(network, {"amount": 7}, to=("bob", "cyd"), seed=0)
        assert sealed.transaction.id == tx
        act = revoke(author_, tx, sealed.payload, ["bob"], "no more", hidden=False)
        world.settle([submit_act(world, act)])
        ask(world, "bob", "cyd", [tx])
        assert not answers(world, "cyd")
