"""After each run every honest chain is executed anew without a private key, and must be the same (P25)."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from node.chain.ledger import Ledger
from node.chain.replay import replay_blocks
from node.node import Node
from scenarios.checkers import checkers
from scenarios.checkers.journal_bytes import records_of
from scenarios.judging.key_free import key_free_replay
from scenarios.model.loading import load_scenario
from scenarios.operating import Options
from scenarios.repeating.once import broken_by
from scenarios.report.writing import write_of_run
from scenarios.session import Judged, Session, new_folder
from scenarios.verdict import in_words, write_junit
from scenarios.virtual.loop import VirtualLoop
from tests.scenarios.virtual_evidence import evidence_of

SCENARIO = """\
privity: 1
name: replayed
seed: 3
network: {transport: memory}
consensus: {block_every: 50ms, view_timeout: 500ms}
parties: {alice: {}, bob: {}, carol: {}, dave: {}, erin: {votes: false}}
steps:
  - {at: 1s, do: load, id: traffic, as: "*", to: {random: 1..2}, count: 12, rate: 20/s, size: 64B}
  - {at: 1200ms, do: fault, id: away, kind: crash, nodes: [dave], for: 300ms}
expect:
  - {check: agreement}
"""
LINE = "key-free replay: {} blocks of 5 nodes, executed anew without private keys: the same hashes"


def judged(home: Path, before_judging: Callable[[], None] = lambda: None) -> Judged:
    """A virtual run and its verdict."""
    file = home / "replayed.yaml"
    file.write_text(SCENARIO)
    scenario = load_scenario(file)

    async def run() -> Judged:
        session = Session(scenario, file, new_folder(scenario, home=home), Options(), lambda *_: None)
        async with session.running(signals=False):
            settled = await session.play()
        before_judging()
        found = session.judge(settled)
        write_of_run(session.folder, home / "report.html", session.run.secrets.all)
        return found

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(run())


def test_p25_a_run_tells_of_its_key_free_replay(tmp_path: Path) -> None:
    """In its document, in one line, in the report; every block of every node was looked at."""
    found = judged(tmp_path)
    document = found.document
    replayed = {"blocks": document["blocks"], "nodes": 5, "equal": True, "differing": []}
    assert (document["verdict"], document["replayed"]) == ("pass", replayed)
    assert document["blocks"] > 5
    line = LINE.format(document["blocks"])
    assert f"✓ {line}" in in_words(document, found.judgements, found.incidents, "")
    assert line[1:] in (tmp_path / "report.html").read_text()


def test_p25_blocks_that_depend_on_a_private_key_fail_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nodes that all mix a party's key into the state agree and certify; the run fails all the same.

    The world's own checkers look away, or they would stop it at the first such block (I8).
    """
    right, begin = Ledger._root, Node.__init__
    secret = b""

    def node(self: Node, network: object, name: str, keys: object, *rest: object) -> None:
        nonlocal secret
        if name == "alice":
            secret = keys.wrapping.secret_bytes()  # type: ignore[attr-defined]
        begin(self, network, name, keys, *rest)  # type: ignore[arg-type]

    def root(self: Ledger) -> bytes:
        return bytes(ours ^ theirs for ours, theirs in zip(right(self), secret or bytes(32), strict=True))

    monkeypatch.setattr(Node, "__init__", node)
    monkeypatch.setattr(Ledger, "_root", root)
    monkeypatch.setattr(checkers, "of_a_ledger", lambda body: False)

    def keys_are_gone() -> None:
        nonlocal secret
        secret = b""

    found = judged(tmp_path, keys_are_gone)
    document = found.document
    assert [each.result for each in found.judgements if each.check == "agreement"] == ["holds"]
    assert document["verdict"] == "fail"
    assert document["replayed"]["equal"] is False
    assert document["replayed"]["differing"] == [
        f"{name} block 1 does not follow from public bytes"
        for name in ("alice", "bob", "carol", "dave", "erin")
    ]
    (line,) = [each for each in in_words(document, found.judgements, [], "") if "key-free replay" in each]
    assert line.startswith("✗ ") and "alice block 1 does not follow from public bytes" in line
    assert [each.what for each in broken_by(found, "")][:1] == ["key-free replay"]
    assert "does not follow from public bytes" in (tmp_path / "report.html").read_text()
    junit = tmp_path / "junit.xml"
    write_junit(junit, document, found.judgements, found.incidents)
    failed = [case.get("name") for case in ElementTree.parse(junit).iter("testcase") if len(case)]
    assert failed == ["key-free replay"]


def test_p25_the_checkers_replay_finds_what_the_ledger_would_repeat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake of the ledger itself is made again when it replays; the other code does not make it."""
    right = Ledger._root
    monkeypatch.setattr(Ledger, "_root", lambda self: bytes(byte ^ 1 for byte in right(self)))
    monkeypatch.setattr(checkers, "of_a_ledger", lambda body: False)
    document = judged(tmp_path).document
    assert document["verdict"] == "fail"
    assert document["replayed"]["differing"][0] == "alice I8: the state after 1 is not each key once"


def test_p25_a_journal_alone_is_enough(tmp_path: Path) -> None:
    """One file in an empty folder, without keys, blobs and index, gives every block again."""
    evidence = evidence_of(tmp_path, SCENARIO)
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(evidence.folder.node("carol") / "journal", alone / "journal")
    blocks = replay_blocks(alone / "journal", evidence.network)
    assert blocks and all(block.equal for block in blocks)
    (carol,) = [chain for chain in evidence.chains if chain.node == "carol"]
    assert [block.recorded.hash() for block in blocks] == [carol.blocks[h].hash for h in sorted(carol.blocks)]


def test_p25_what_was_changed_afterwards_is_seen(tmp_path: Path) -> None:
    """An index that has another hash, and a journal that is damaged, are each told; a lost one is no word."""
    evidence = evidence_of(tmp_path, SCENARIO)
    chains = {chain.node: chain for chain in evidence.honest_chains}
    block = chains["alice"].blocks[3]
    chains["alice"].blocks[3] = type(block)(block.height, bytes(32), *list_of(block)[2:])
    journal = evidence.folder.node("bob") / "journal"
    data = bytearray(journal.read_bytes())
    data[len(data) // 2] ^= 1
    journal.write_bytes(data)
    (evidence.folder.node("carol") / "journal").unlink()
    found = key_free_replay(evidence.folder, evidence.network, list(chains.values()))
    assert (found.nodes, found.unread) == (4, ("carol",))
    assert found.differing == (
        "alice block 3 is another in its index",
        "bob has no journal that can be read: the journal is damaged; this node does not vote",
    )
    with pytest.raises(ValueError, match="damaged"):
        list(records_of(journal))


def list_of(block: object) -> list[object]:
    return [getattr(block, name) for name in type(block).__slots__]  # type: ignore[attr-defined]


def test_p25_a_run_without_curves_is_replayed_too(tmp_path: Path) -> None:
    """Signatures that are modelled are not held against the chain."""
    evidence = evidence_of(tmp_path, SCENARIO, Options(signatures="modelled"))
    assert evidence.key_free.equal and evidence.key_free.nodes == 5
    assert json.loads(json.dumps(evidence.key_free.document))["blocks"] == evidence.key_free.blocks > 5
