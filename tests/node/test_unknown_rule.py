"""An owner's rule that this version does not know (P47)."""

from __future__ import annotations

import pytest

from node.chain.standing import Standing
from node.envelopes.rule import FORBIDDEN, RULE_FIELD, rule_leaf, rule_of
from tests.node.network_of_nodes import founded, sealed_for

NETWORK = founded(voters=4)


@pytest.mark.parametrize("unknown", ["Free", "with consent", "", 0, None, True, b"free", {}])
def test_p47_a_rule_that_nobody_knows_forbids(unknown: object) -> None:
    """A later version's, or a client's mistake: it is taken for the strictest and not for none."""
    sealed = sealed_for(NETWORK, {"amount": 800, RULE_FIELD: unknown}, seed="unknown")
    leaf = rule_leaf(sealed.payload.leaves)
    assert leaf is not None and rule_of(leaf) == FORBIDDEN
    refused = Standing().forbids(sealed.transaction.id, "ann", leaf, "bob", ["eve"], (9, 0))
    assert refused == ["eve"]
