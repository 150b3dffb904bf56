"""A bidder that orders its bid and keeps the ciphertext back until it knows the others' (P50)."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.chain.store import DELIVERED, MISSING
from node.run_folder import RunFolder
from node.run_reading import RunReading
from node.verbs.show_seal import seal_lines, view_seal
from tests.node.network_of_nodes import ready
from tests.node.off_chain_world import hand_over, order, outgoing, state
from tests.node.sealed_world import NETWORK, ask, bid, give, rest, sealed_bid, wait_for_opening


def shown(run: RunFolder, seen_as: str | None = None) -> list[str]:
    """What `show seal` names, or says of each payload."""
    lines = seal_lines(view_seal(RunReading(run), "tender", seen_as))
    return [" ".join(line.split()) for line in lines if line.startswith(("in order", "named", " "))]


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """The folder of a run, in which a world keeps its nodes."""
    folder = RunFolder.create(tmp_path)
    folder.genesis.write_text(NETWORK.to_json())
    return folder


def test_p50_who_keeps_a_bid_back_is_named_and_no_opener_that_could_not_release(run: RunFolder) -> None:
    """Openers without the ciphertext have nothing to release: the bidder is the one who is named.

    Given later it can still be opened, unchanged; that it came after the opening stays to be seen.
    """
    with ready(run.nodes, NETWORK) as world:
        fair, kept = bid(world, "bob", 800), sealed_bid("eve", 790)
        tx = kept.transaction.id
        world.settle([order(world, kept)])
        world.run(1000)
        rest(world)
        wait_for_opening(world)
        ask(world, "cyd")
        give(world, [fair], "cyd", "dan")
        assert {state(world, name, tx) for name in ("ann", "cyd", "dan")} == {MISSING}
        name = tx.hex()[:8]
        blamed = f"named eve kept {name} back: no keeper had it when the seal opened"
        assert [line for line in shown(run) if line.startswith("named")] == [blamed]
        assert any(
            line.endswith("came to cyd after the opening, or not at all · cyd cannot read it")
            for line in shown(run, "cyd")
        )
        assert hand_over(world, outgoing(world.network, kept, (), sender="eve"))
        rest(world)
        # Now they could release, and are named as long as they do not.
        late = "has not released all its shares"
        assert [line for line in shown(run) if line.startswith("named")] == [
            blamed,
            f"named cyd {late}",
            f"named dan {late}",
        ]
        give(world, [kept], "cyd", "dan")
        assert state(world, "ann", tx) == DELIVERED
        assert [line for line in shown(run) if line.startswith("named")] == [blamed]


def test_p50_nobody_is_named_who_gave_its_bid_in_time(run: RunFolder) -> None:
    """One keeper that was away when the seal opened says nothing of the bidder."""
    with ready(run.nodes, NETWORK) as world:
        world.stop("dan")
        sealed = sealed_bid("bob", 800)
        hand_over(world, outgoing(world.network, sealed, (), sender="bob"), 1000)
        world.settle([order(world, sealed)])
        wait_for_opening(world)
        ask(world, "cyd")
        world.start("dan")
        world.settle()
        world.run(3000)
        rest(world)
        give(world, [sealed], "cyd", "dan")
        assert state(world, "ann", sealed.transaction.id) == DELIVERED
        assert not [line for line in shown(run) if line.startswith("named")]
        (payload,) = view_seal(RunReading(run), "tender", None)["payloads"]
        assert payload["kept_back"] == ["dan"]
