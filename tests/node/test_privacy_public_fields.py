"""P26: no private value in a public place, on a ledger, in a header, or in a name that a user chooses."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.canonical import encode
from node.verbs.send_input import public_words
from scenarios.leaks.canaries import Artefact, Secret, scan
from tests.node.network_of_nodes import founded, ready, sealed_for

CANARY = "canary-c7b1f2-in-a-public-field"


def test_nothing_private_is_on_any_ledger_or_in_any_header(tmp_path: Path) -> None:
    """Journals, indexes, blobs, headers and logs of all nodes, readers included, hold it nowhere (P26)."""
    network = founded()
    sealed = sealed_for(network, {"note": CANARY, CANARY: 1}, to=("bob",))
    (tmp_path / "header").write_bytes(encode(sealed.transaction))
    with ready(tmp_path / "world", network) as world:
        identifier = world.submit(sealed)
        world.settle([identifier])
        assert world.have_executed([identifier])
    secret = Secret(frozenset(), "text", CANARY)
    result = scan([secret], [Artefact(tmp_path, None)])
    assert (result.searched, result.found) == (1, ())
    assert result.files > 10
    (tmp_path / "header").write_bytes(encode(sealed.transaction) + CANARY.encode())
    assert scan([secret], [Artefact(tmp_path, None)]).found != ()


@pytest.mark.parametrize("value", [398500, 12.75, "Trieste"])
def test_a_value_of_the_payload_is_known_again_in_a_name(value: object) -> None:
    """`send` refuses an --id that holds one of these: ids stand in logs and file names (P26)."""
    assert str(value) in public_words({"field": value})
