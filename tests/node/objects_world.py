"""What tests of private objects share: writes as transactions, and what each party makes of them."""

from __future__ import annotations

from typing import Any

from node.consortium import Network
from node.envelopes.envelope import Sealed
from node.envelopes.object_write import writing
from node.objects.private_objects import object_digest
from node.objects.private_state import APPLIED, Judged
from tests.node.network_of_nodes import World, sealed_for

RENT = "rent"


def write_of(
    network: Network, expects: int, *, sender: str = "ann", to: tuple[str, ...] = ("bob",), **more: Any
) -> Sealed:
    """A write of an object, `rent` if no `name` says otherwise."""
    name = more.pop("name", RENT)
    fields = {"amount": more.pop("amount", expects), **writing(name, expects)}
    more.setdefault("seed", (sender, to, expects, fields["amount"], name))
    return sealed_for(network, fields, sender=sender, to=to, **more)


def put(world: World, expects: int, **more: Any) -> bytes:
    """Write, and wait until it is on the ledger of all that are up; its id."""
    identifier = world.submit(write_of(world.network, expects, **more))
    world.settle([identifier])
    at_rest(world)
    return identifier


def at_rest(world: World) -> None:
    """Until nobody has anything left to look at."""
    world.run_until(lambda: not any(running.node.has_idle_work for running in world.up.values()))


def rows(world: World, name: str) -> list[Judged]:
    """What a party's index says of every write, in chain order."""
    return world.node(name).private_view.objects.rows.until(2**40)


def outcomes(world: World, name: str) -> dict[bytes, str]:
    """By transaction."""
    return {each.write.tx: each.outcome for each in rows(world, name)}


def state(world: World, name: str) -> list[tuple[bytes, tuple[str, ...], str, int]]:
    """All that two parties of one audience must agree on: writes, audience, outcome, version."""
    return [(each.write.tx, each.write.audience, each.outcome, each.version) for each in rows(world, name)]


def version(world: World, name: str, audience: tuple[str, ...], named: str = RENT) -> int:
    """The version of an object, as a party has it; 0 if it knows of none."""
    objects = world.node(name).private_view.objects
    digest = object_digest(objects.secret, audience, named)
    return max((each.version for each in objects.rows.of(digest) if each.outcome == APPLIED), default=0)
