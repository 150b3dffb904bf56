"""The public state of whole nodes, computed again from what they record: each key once (I7, I8)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from node.canonical import encode
from node.chain.journal import BlockRecord, BodiesRecord
from scenarios.checkers.checkers import Checkers, InvariantBroken
from scenarios.virtual.entropy import stream
from scenarios.virtual.network import Rule
from scenarios.virtual.node_host import found, submit_private
from scenarios.virtual.observer import Watcher
from scenarios.virtual.world import World

BODIES, BLOCK = 4, 5


class Written(Watcher):
    """All that one replica appended to its journal."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def persisted(self, at_us: int, replica: int, body: bytes) -> None:
        if replica == 1:
            self.bodies.append(body)


def checkers_of(world: World) -> Checkers:
    """Checkers that watch these nodes."""
    public = [keys.signing.public.raw for keys in world.keys]
    return Checkers(
        world.n, world.network_id, public, window=world.settings(0).window, check=world.signatures.check
    )


def played(folder: Path, seed: int = 1, **rules: Any) -> tuple[World, Checkers, list[bytes]]:
    """Four nodes on a lossy network; the primary loses power, and everything is executed in the end."""
    rules = {"block_every_ms": 20, "view_timeout_ms": 500, "max_batch": 1} | rules
    nodes = found(4, 0, folder, stream(seed, "keys"), **rules)
    world = World(4, seed=seed, nodes=nodes, topology="lossy", signatures="modelled", start=False)
    checkers, written = checkers_of(world), Written()
    world.watching.add([checkers, written])
    for member in world.members:
        world.start(member)
    world.network.rule("bad", Rule(drop=0.1, duplicate=0.1))
    for number in range(8):
        submit_private(world, {"amount": number})
        world.run_for(120)
    world.crash(0, power_cut=True)
    world.run_for(1_500)
    world.heal()
    world.run_until(world.all_done, 30_000)
    world.close()
    return world, checkers, written.bodies


@pytest.mark.parametrize("validity_window", [7, 1000])
def test_what_nodes_record_is_the_state_computed_again(tmp_path: Path, validity_window: int) -> None:
    """Through loss, a power cut and a change of view; also when keys are forgotten after seven heights."""
    _, checkers, bodies = played(tmp_path, validity_window=validity_window)
    assert checkers.summary["I8"] >= 4 * 8
    assert last_block(bodies).header.height > 7
    assert checkers.summary["restart"] == 1


def judged(world: World, bodies: list[bytes]) -> Checkers:
    """Fresh checkers, given these records of replica 1 and nothing else."""
    checkers = checkers_of(world)
    for body in bodies:
        if body[1] in (BODIES, BLOCK):
            checkers.persisted(0, 1, body)
    return checkers


def last_block(bodies: list[bytes]) -> BlockRecord:
    """The last block of a journal."""
    return [msgspec.msgpack.decode(body, type=BlockRecord) for body in bodies if body[1] == BLOCK][-1]


@pytest.mark.parametrize(
    ("change", "invariant"),
    [
        ({"state_root": bytes(32)}, "I8"),
        ({"parent": bytes(32)}, "I7"),
        ({"time_ms": 1}, "I7"),
        ({"proposer": 3}, "I7"),
        ({"batch_digest": bytes(32)}, "I7"),
        ({"body_root": bytes(32)}, "I7"),
    ],
)
def test_another_header_is_reported(tmp_path: Path, change: dict[str, Any], invariant: str) -> None:
    """A state in which a key counts differently, a header that does not follow from chain and batch."""
    world, _, bodies = played(tmp_path)
    block = last_block(bodies)
    header = block.header
    changed = {name: value if getattr(header, name) != value else value + 1 for name, value in change.items()}
    altered = msgspec.structs.replace(block, header=msgspec.structs.replace(header, **changed))
    at = max(place for place, body in enumerate(bodies) if body[1] == BLOCK)
    assert judged(world, bodies).summary["I8"] == block.batch.sequence
    with pytest.raises(InvariantBroken, match=invariant):
        judged(world, [*bodies[:at], encode(altered)])


def test_a_transaction_that_nobody_signed_is_reported(tmp_path: Path) -> None:
    """Its body stands in the journal of a node, without a signature of the sender (I7)."""
    world, _, bodies = played(tmp_path)
    forged = []
    for body in bodies:
        if body[1] == BODIES:
            record = msgspec.msgpack.decode(body, type=BodiesRecord)
            unsigned = [msgspec.structs.replace(each, signature=bytes(64)) for each in record.transactions]
            body = encode(BodiesRecord(tuple(unsigned)))
        forged.append(body)
    with pytest.raises(InvariantBroken, match="I7"):
        judged(world, forged)


def test_a_block_that_orders_a_key_again_has_the_state_of_one(tmp_path: Path) -> None:
    """The repeat is skipped (R24): the header of a block that took it twice is another one (I8)."""
    world, _, bodies = played(tmp_path)
    block = last_block(bodies)
    earlier = [msgspec.msgpack.decode(body, type=BlockRecord) for body in bodies if body[1] == BLOCK][-2]
    sequence = block.batch.sequence + 1
    again = msgspec.structs.replace(earlier.batch, sequence=sequence, time_ms=block.batch.time_ms + 1)
    checkers = judged(world, bodies)
    with pytest.raises(InvariantBroken, match="I8"):
        checkers.persisted(0, 1, encode(BlockRecord(block.header, again, block.certificate)))
    assert checkers.summary["repeat without effect"] == len(again.requests) > 0
