"""Whether readers may show a content to others: the owner's rule, told to readers and to nobody else.

It travels as a leaf of its own beside the fields, `_redisclose`, under the same commitment: whoever reads
the content, or is shown any of it, reads the rule with it, and can prove it. Also what is free says so: a
part without that leaf is one from which somebody cut it, and receivers refuse it. A whole without it, which
shows that there is none, is free. The owner is the sender.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Literal

from node.canonical import encode
from node.envelopes.disclosure import RULE_FIELD, Part, Shown, Whole, opened_of
from node.envelopes.payload import TREE, Leaf, Payload
from node.envelopes.transaction import PublicHeader

Redisclose = Literal["forbidden", "with-consent", "free"]
FORBIDDEN: Redisclose = "forbidden"
WITH_CONSENT: Redisclose = "with-consent"
FREE: Redisclose = "free"
RULES: tuple[Redisclose, ...] = (FORBIDDEN, WITH_CONSENT, FREE)
_PATH = (RULE_FIELD,)
_DOMAIN = b"privity/v1/consent-to\0"


def with_rule(fields: Mapping[str, object], rule: str) -> dict[str, object]:
    """The fields to seal: the rule beside them, also where it is free, so that its absence tells of a cut."""
    assert rule in RULES, rule
    return {**fields, RULE_FIELD: rule}


def rule_leaf(leaves: Iterable[Leaf]) -> Leaf | None:
    """The leaf that says the rule, None where none does."""
    return next((leaf for leaf in leaves if leaf.path == _PATH), None)


def rule_of(leaf: Leaf | None) -> str:
    """The rule that a leaf says; one that nobody knows forbids, as the strictest does."""
    if leaf is None:
        return FREE
    return next((rule for rule in RULES if rule == leaf.value), FORBIDDEN)


def hidden_name(tx: bytes, leaf: Leaf, name: str) -> bytes:
    """A name as a public act holds it for those alone who read the rule: 32 bytes.

    Keyed by the salt of the rule's leaf, which the content's readers know, and who is shown any of it.
    """
    return sha256(_DOMAIN + tx + leaf.salt + encode(name)).digest()


def rule_alone(opening: Part | Whole) -> Part | None:
    """What proves the rule and shows no other leaf, made of an opening that shows it among others."""
    leaves = opening.leaves if isinstance(opening, Whole) else tuple(leaf for _, leaf in opening.leaves)
    leaf = rule_leaf(leaves)
    if leaf is None:
        return None
    if isinstance(opening, Whole):
        payload = Payload(opening.salt, opening.leaves, opening.padding, b"")
        place = opening.leaves.index(leaf)
        nodes = payload.nodes()
        return Part(payload.count_hash(), len(nodes), ((place, leaf),), TREE.beside(nodes, (place,)))
    known = {place: each.hash() for place, each in opening.leaves}
    place = next(place for place, each in opening.leaves if each == leaf)
    beside = TREE.narrowed(known, opening.size, opening.beside, place)
    return None if beside is None else Part(opening.count_hash, opening.size, ((place, leaf),), beside)


def rule_of_payload(payload: Payload) -> Part | None:
    """The same of an opened payload."""
    return rule_alone(Whole(payload.salt, payload.leaves, payload.padding))


def proved_rule(tx: bytes, proof: Part, header: PublicHeader) -> Leaf | None:
    """The rule's leaf, if that and nothing else is what this opens of the transaction. Never raises."""
    shown = opened_part(tx, proof, header)
    if shown is None or len(shown.leaves) != 1:
        return None
    return rule_leaf(shown.leaves)


def opened_part(tx: bytes, part: Part, header: PublicHeader) -> Shown | None:
    """What a part opens of the transaction with this header, None if nothing."""
    found = opened_of(tx, part, header)
    return found if isinstance(found, Shown) else None
