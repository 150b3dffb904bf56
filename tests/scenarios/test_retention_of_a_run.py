"""`keep: N blocks` in a scenario: judged before and after, asked of the nodes, told in the matrix (P42)."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.canonical import encode
from node.chain.reading import read_node
from node.chain.store import PURGED, Store
from node.envelopes.transaction import PrivateTransaction
from node.run_folder import RunFolder
from node.run_reading import RunReading
from scenarios.knowledge.broker_view import read_broker
from scenarios.knowledge.matrix import build_matrix
from scenarios.knowledge.metadata import metadata_of
from scenarios.leaks.canaries import Artefact, scan
from scenarios.leaks.run_secrets import RunSecrets
from scenarios.model.checking import render_check
from scenarios.model.lints import lints
from scenarios.model.loading import parse_scenario
from scenarios.model.plan import plan
from scenarios.model.units import UnitError, format_blocks, parse_blocks
from tests.command_line import Privity
from tests.node.small_consortium import send as sealed

NAMES = ("ann", "bob", "cyd", "dan")
FILE = """privity: 1
name: kept
consensus: {block_every: 50ms}
parties: {ann: {}, bob: {}, cyd: {}, dan: {}}
steps:
  - {at: 1s, do: send, id: short, as: ann, to: [bob], keep: 5 blocks, data: {note: gone in a moment}}
  - {at: 1s, do: send, id: long,  as: ann, to: [bob], data: {note: here for good}}
  - {at: 3s, do: load, id: more,  as: cyd, to: [dan], count: 12, rate: 10/s, keep: 1 block, data: {n: "1..9"}}
expect:
  - {check: agreement}
  - {check: readers, tx: short, at: 2s, are: [ann, bob]}
  - {check: readers, tx: short, are: []}
  - {check: denied,  tx: short, as: [ann, bob, cyd]}
  - {check: readers, tx: long,  are: [ann, bob]}
  - {check: no_plaintext}
"""


def run(privity: Privity, home: Path) -> tuple[dict[str, object], RunFolder]:
    """The verdict of a virtual run of FILE, and its folder."""
    file = home / "kept.yaml"
    file.write_text(FILE)
    done = privity(home, "run", str(file), "--transport", "memory", "--json", "-q")
    document = done.document
    return document, RunFolder(Path(document["run_dir"]))


def symbols(folder: RunFolder, at: str, tx: str = "short") -> str:
    """The row of a transaction: a symbol for each party, and the broker's."""
    return "".join(cell.symbol for cell in build_matrix(folder, at).row(tx).cells.values())


def test_p42_it_is_read_before_and_by_nobody_after(privity: Privity, tmp_path: Path) -> None:
    """Expectations hold at both moments; the matrix has # for all nodes, and ○ with a note for the broker."""
    document, folder = run(privity, tmp_path)
    assert document["verdict"] == "pass", document
    assert symbols(folder, "end") == "####○" and symbols(folder, "2s") == "●●○○○"
    assert symbols(folder, "end", "long") == "●●○○○" and symbols(folder, "end", "more-0001") == "####○"
    assert any("cannot be called back" in note for note in build_matrix(folder).notes)
    before = build_matrix(folder, "2s")
    assert any("tried with the operator's capture" in note for note in before.notes) and not before.untried
    (known,) = [each for each in metadata_of(RunReading(folder), before) if each.name == "short"]
    assert known.recipients == ["ann", "bob"]


def test_p42_without_the_capture_the_past_is_not_made_up(privity: Privity, tmp_path: Path) -> None:
    """What a party held once and nobody can try now is ciphertext with a note: no reader, no non-reader."""
    _, folder = run(privity, tmp_path)
    folder.capture.unlink()
    before = build_matrix(folder, "2s")
    assert before.readers("short") == set() and before.untried == set(NAMES)
    assert symbols(folder, "2s") == "○○○○○" and symbols(folder, "end") == "####○"
    assert any("cannot be tried any more" in note for note in before.notes)
    assert before.readers("long") == {"ann", "bob"}


def test_p42_a_blob_put_back_is_seen(privity: Privity, tmp_path: Path) -> None:
    """The matrix of the end looks at the disk: what lies there again is read again."""
    _, folder = run(privity, tmp_path)
    identifier = RunReading(folder).find("short").id
    blob = read_broker(folder.capture, 0, {identifier}).blobs[identifier]
    (folder.node("bob") / "blobs" / identifier.hex()).write_bytes(encode(blob))
    assert symbols(folder, "end") == "#●##○"


def test_p42_nodes_that_keep_it_fail_the_run(
    privity: Privity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nodes that only say they erased, the plan differs, whether they can read it or not."""
    monkeypatch.setattr(Store, "erase_blob", lambda store, identifier: True)
    document, _ = run(privity, tmp_path)
    assert document["verdict"] == "fail"
    plan_of_run = document["plan"]
    assert isinstance(plan_of_run, dict) and plan_of_run["differing"] == 13
    assert plan_of_run["first"][0].startswith("short: planned ann bob")
    assert "still there after its 5 blocks at ann bob cyd dan" in plan_of_run["first"][0]


def test_p42_a_reader_who_wrote_the_content_down_fails_the_run(
    privity: Privity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that copies the content aside before it erases is found by the run's own leak scan."""
    plain = Store.erase_blob

    def copying(store: Store, identifier: bytes) -> bool:
        if store._path.parent.name == "bob":
            (store._path.parent / "copy").write_text("gone in a moment")
        return plain(store, identifier)

    monkeypatch.setattr(Store, "erase_blob", copying)
    document, _ = run(privity, tmp_path)
    canaries = document["canaries"]
    assert document["verdict"] == "fail" and isinstance(canaries, dict) and canaries["found"] == 1


def test_show_and_why_tell_that_it_was_erased(privity: Privity, tmp_path: Path) -> None:
    """`show tx` says until when and that it is gone, to readers and others; `why` counts it as arrived."""
    _, folder = run(privity, tmp_path)
    node = read_node(folder.node("bob"), RunReading(folder).network)
    identifier = RunReading(folder).find("short").id
    ordered = node.transactions[identifier]
    assert node.payload_states()[identifier] == PURGED
    assert isinstance(ordered.transaction, PrivateTransaction) and ordered.transaction.header.core.keep == 5
    for party in ("bob", "cyd"):
        shown = privity(tmp_path, "show", "tx", "short", "--as", party)
        assert shown.code == 0 and f"not here any more: {party} erased it" in shown.out
        assert f"until block {ordered.height + 5}" in shown.out
    document = privity(tmp_path, "show", "tx", "short", "--as", "bob", "--json").document
    assert (document["access"], document["keep"], document["content"]) == ("erased", 5, None)
    assert "erased as its header says" in privity(tmp_path, "why", "short").out


def test_p42_the_leak_scan_allows_no_former_reader_what_was_erased(tmp_path: Path) -> None:
    """Before the purge a reader's folder may hold key and text, after it not; other secrets are untouched."""
    secret, other = sealed({"note": "something very private"}), sealed({"note": "kept for good"}, seed=2)
    secrets = RunSecrets()
    secrets.add_sealed(secret, frozenset(("alice", "bob")))
    secrets.add_sealed(other, frozenset(("alice", "bob")))
    (tmp_path / "bob").mkdir()
    (tmp_path / "bob" / "file").write_bytes(
        secret.content_key + b"something very private" + other.content_key
    )
    artefacts = [Artefact(tmp_path / "bob", "bob")]
    assert scan(secrets.without({}), artefacts).found == ()
    purged = {secret.transaction.id: frozenset(("bob",))}
    kinds = sorted(finding.kind for finding in scan(secrets.without(purged), artefacts).found)
    assert kinds == ["content key", "text"]
    assert secrets.without({secret.transaction.id: frozenset(("alice",))})[0].readers == {"bob"}


def test_keep_is_a_number_of_blocks() -> None:
    """`30 blocks` or `1 block`; a bare number is told its unit; none and too many are refused."""
    assert [parse_blocks(text) for text in ("30 blocks", "1 block", "7blocks")] == [30, 1, 7]
    assert [format_blocks(30), format_blocks(1)] == ["30 blocks", "1 block"]
    for value, code in (
        (30, "E-UNIT"),
        ("30", "E-UNIT"),
        ("30s", "E-UNIT"),
        (True, "E-UNIT"),
        ("0 blocks", "E-VALUE"),
        ("10000001 blocks", "E-VALUE"),
    ):
        with pytest.raises(UnitError) as refusal:
            parse_blocks(value)
        assert refusal.value.code == code
    with pytest.raises(UnitError, match="30 has no unit; write 30 blocks"):
        parse_blocks(30)


def test_the_plan_carries_it_and_check_tells_it() -> None:
    """Each transaction of the step has it; a rule for after the purge is no contradiction, a wrong one is."""
    scenario = parse_scenario(FILE, "kept.yaml")
    keeps = {send.id: send.keep for send in plan(scenario)}
    assert (keeps["short"], keeps["long"], keeps["more-0012"]) == (5, 0, 1)
    assert "short is erased 5 blocks after its own: # everywhere" in render_check(scenario)
    assert "more is erased 1 block after its own: # everywhere" in render_check(scenario)
    codes = [warning.code for warning in lints(scenario, plan(scenario))]
    assert "W-EXPECT" not in codes
    wrong = parse_scenario(FILE.replace("tx: short, are: []", "tx: short, are: [bob]"), "kept.yaml")
    assert "W-EXPECT" in [warning.code for warning in lints(wrong, plan(wrong))]
