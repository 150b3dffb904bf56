"""The log of a node: every reason has its word, the whole state is there, and no secret ever is."""

from __future__ import annotations

import ast
import base64
import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import consensus
import node
from node.canonical import encode
from node.logs.event_names import EVENTS, REASONS
from node.wire import TransactionPacket
from tests.node.network_of_nodes import PARTIES, Broker, founded, ready, sealed_for

NETWORK = founded(voters=4, followers=1)
# Where reasons are given as text: calls whose first argument is one, or that have one by name.
GIVERS = {"drop", "reject", "ignore", "_refuse", "refuse", "DecodeError", "Unreadable"}
RETURNERS = {
    "invalid",
    "check_transaction",
    "check_blob",
    "_reason_to_refuse",
    "_reason_to_ignore_proposal",
    "_invalid_voters",
    "certificate",
    "decided",
    "inclusion",
    "add",
    "_refuse",
}


def strings(expression: ast.AST) -> Iterator[str]:
    """The texts that an expression can be."""
    if isinstance(expression, ast.Constant) and isinstance(expression.value, str):
        yield expression.value
    elif isinstance(expression, ast.IfExp):
        yield from strings(expression.body)
        yield from strings(expression.orelse)
    elif isinstance(expression, ast.BoolOp):
        for value in expression.values:
            yield from strings(value)


def reasons_in(path: Path) -> Iterator[str]:
    """The reasons for refusing something that a module can give."""
    for place in ast.walk(ast.parse(path.read_text())):
        if isinstance(place, ast.Call):
            name = getattr(place.func, "attr", getattr(place.func, "id", ""))
            if name in GIVERS and place.args:
                yield from strings(place.args[0])
            for keyword in place.keywords:
                if keyword.arg in ("reason", "reason_code"):
                    yield from strings(keyword.value)
        elif isinstance(place, ast.FunctionDef) and place.name in RETURNERS:
            for part in ast.walk(place):
                if isinstance(part, ast.Return) and part.value is not None:
                    yield from strings(part.value)
        elif isinstance(place, ast.Assign):
            targets = [getattr(target, "attr", getattr(target, "id", "")) for target in place.targets]
            if {"reason", "halted", "failed"} & set(targets):
                yield from strings(place.value)


def test_every_reason_that_the_code_can_give_has_its_word() -> None:
    """Whatever core, wire, mempool, answers or checks refuse with is in the closed set of the log."""
    found: dict[str, str] = {}
    for package in (consensus, node):
        for folder in package.__path__:
            for path in sorted(Path(folder).rglob("*.py")):
                found |= {reason: path.name for reason in reasons_in(path) if reason}
    assert len(found) > 50
    assert {reason: name for reason, name in found.items() if reason not in REASONS} == {}


def test_every_event_that_the_code_can_write_has_its_name() -> None:
    """Each literal event name given to `emit` is one that the log knows."""
    names = set()
    for path in Path(next(iter(node.__path__))).rglob("*.py"):
        for place in ast.walk(ast.parse(path.read_text())):
            if isinstance(place, ast.Call) and getattr(place.func, "attr", "") == "emit" and place.args:
                names |= set(strings(place.args[0]))
    assert len(names) > 10
    assert names <= set(EVENTS)


def test_a_nodes_state_is_readable_from_its_log_alone(tmp_path: Path) -> None:
    """`node.state` has height, view, head, mempool, watermarks and payload states as they are."""
    with ready(tmp_path, NETWORK) as world:
        world.settle(world.send(3, to=("bob",)))
        waiting = sealed_for(NETWORK, {"n": 1}, valid=(30, 40), seed="waits")
        world.hand("bob", encode(TransactionPacket(waiting.transaction, waiting.blob)))
        bob = world.node("bob")
        bob.report_state()
        state = world.events["bob"][-1]
        assert state["ev"] == "node.state"
        assert {name: state[name] for name in ("h", "v", "blk", "mempool", "low", "high")} == {
            "h": bob.ledger.height,
            "v": 0,
            "blk": bob.ledger.head.hex()[:8],
            "mempool": 1,
            "low": bob.ledger.height,
            "high": bob.ledger.height + NETWORK.rules.window,
        }
        assert (state["delivered"], state["pending"], state["not_party"]) == (3, 0, 0)
        count = len(world.events["bob"])
        bob.report_state()
        assert len(world.events["bob"]) == count
        bob.report_state(always=True)
        assert len(world.events["bob"]) == count + 1


def test_the_way_of_a_transaction_is_in_the_log(tmp_path: Path) -> None:
    """From acceptance to delivery a debug log tells what became of a transaction, in that order."""
    with ready(tmp_path, NETWORK, level="debug") as world:
        (identifier,) = world.send(1, to=("bob",))
        world.settle([identifier])
        told = [e["ev"] for e in world.events["bob"] if e.get("tx") == identifier.hex()[:8]]
        assert told == ["tx.accept", "tx.commit", "priv.deliver"]
        phases = [e["ev"] for e in world.events["bob"] if e.get("h") == 2]
        for order in (
            ["pbft.pre_prepare", "pbft.prepared", "pbft.committed"],
            ["block.commit", "block.certified"],
        ):
            assert [ev for ev in phases if ev in order] == order


def forms(secret: bytes) -> list[bytes]:
    """How a secret could show: as it is, in hex of both cases, in base64 of both alphabets."""
    encoded = [base64.b64encode(secret), base64.urlsafe_b64encode(secret)]
    return [secret, secret.hex().encode(), secret.hex().upper().encode(), *(e.rstrip(b"=") for e in encoded)]


def test_no_secret_is_in_any_event_at_the_most_verbose_level(tmp_path: Path) -> None:
    """After a run with faults, refusals and readers no event holds a value, salt or key in any form (P21,
    P22).
    """
    canary = "canary-of-this-run-4711"
    secrets = [canary.encode(), b"another text that is private"]
    with ready(tmp_path, NETWORK, level="debug", broker=Broker(0.05, 0.1), seed=2) as world:
        identifiers = []
        for n in range(6):
            fields = {"amount": 4_700_000 + n, "text": canary, canary: "another text that is private"}
            sealed = sealed_for(NETWORK, fields, to=("bob", "eve"), seed=("canary", n))
            secrets += [
                sealed.content_key,
                sealed.payload.salt,
                *(leaf.salt for leaf in sealed.payload.leaves),
            ]
            if n == 3:
                world.withhold_blobs("bob")
            identifiers.append(world.submit(sealed))
            world.publish(
                world.topics.transactions, encode(TransactionPacket(sealed.transaction, None)), to=["cyd"]
            )
        again = [sealed_for(NETWORK, {"text": canary}, seed=("canary", n)) for n in range(6)]
        identifiers += [world.submit(sealed) for sealed in again]
        world.run(200)
        world.crash("cyd")
        world.start("cyd")
        world.run(4000)
        for name, keys in PARTIES.items():
            if name in NETWORK.names:
                secrets += [keys.signing.secret_bytes(), keys.wrapping.secret_bytes()]
        for name in world.up:
            world.node(name).report_state(always=True)
        events = [event for name in world.up for event in world.events[name]]
    assert len(events) > 100 and len(secrets) > 20
    log = json.dumps(events).encode()
    for secret in secrets:
        for form in forms(secret):
            assert form not in log
    assert identifiers[0].hex()[:8].encode() in log


def test_a_disk_that_is_full_silences_a_node_and_nothing_worse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the journal takes no more, the node votes no more, says so, still answers, and the
    others go on.
    """
    with ready(tmp_path, NETWORK) as world:
        write, full = os.pwrite, [False]
        own = world.node("bob")._journal._file

        def refuse(descriptor: int, data: bytes, offset: int) -> int:
            if full[0] and descriptor == own:
                raise OSError(errno.ENOSPC, "no space")
            return write(descriptor, data, offset)

        monkeypatch.setattr(os, "pwrite", refuse)
        full[0] = True
        world.said.clear()
        identifiers = world.send(3)
        others = ("ann", "cyd", "dan", "eve")
        world.run_until(lambda: world.have_executed(identifiers, others))
        world.run(3000)
        bob = world.node("bob")
        assert bob.failed == "disk full"
        assert bob.deadline_ms > world.now_ms  # It waits for its housekeeping, and does not spin.
        assert list(world.packets("bob")) == []
        (event,) = [event for event in world.events["bob"] if event["ev"] == "disk.error"]
        assert event["reason_code"] == "disk_full"
        stored = bob._store.block(bob._store.height)
        assert stored is not None
        topic = world.ask("eve", "bob", [NETWORK.transaction.id])
        world.run(50)
        status, proof = world.inboxes[topic]
        assert (status.message.sequence, status.message.block) == (stored.height, stored.hash)  # type: ignore[union-attr]
        assert proof.batch.requests == (NETWORK.transaction.id,)  # type: ignore[union-attr]
        full[0] = False
        world.crash("bob")
        world.start("bob")
        world.settle(identifiers)


def test_indexes_that_refuse_silence_a_node_too(tmp_path: Path) -> None:
    """SQLite's refusals are a disk's refusals: the node stops voting, and is whole again after a restart."""
    with ready(tmp_path, NETWORK) as world:
        bob = world.node("bob")
        bob._store._db.execute("PRAGMA max_page_count = 1")
        bob._store._db.execute("PRAGMA query_only = ON")
        identifiers = world.send(2)
        world.run(1000)
        assert bob.failed == "other"
        height = bob._store.height
        assert bob.status().message.sequence == height  # type: ignore[union-attr]
        world.crash("bob")
        world.start("bob")
        world.settle(identifiers)


def test_a_blob_that_cannot_be_stored_silences_a_node(tmp_path: Path) -> None:
    """Nobody votes for what it could not supply: without room for the blobs there is no prepare (R7)."""
    with ready(tmp_path, NETWORK) as world:
        blobs = world.home("bob") / "blobs"
        blobs.rename(blobs.with_name("elsewhere"))
        world.said.clear()
        identifiers = world.send(2)
        world.run_until(lambda: world.have_executed(identifiers, ("ann", "cyd", "dan")))
        world.run(500)
        assert world.node("bob").failed == "other"
        assert list(world.packets("bob")) == []
        blobs.with_name("elsewhere").rename(blobs)
        world.crash("bob")
        world.start("bob")
        world.settle(identifiers)
